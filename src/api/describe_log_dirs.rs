//! DescribeLogDirs (key 35), versions 1-5: the log dirs of this broker, what lies in them, and the room on their volumes.
//!
//! v2 flexible; v3 an error of the whole request (KIP-784); v4 total and usable bytes of the volume (KIP-827); v5 cordoned
//! (KIP-1066). Without topics: all of them. Topics and partitions that do not exist are left out, as by Kafka. A size is that of
//! all segments, also of what is still only in journal and memory. Log dirs cannot be cordoned, and replicas are never moved
//! between them: nothing is in the future, nothing lags.

use std::sync::Arc;

use protocol::error_code::ErrorCode;
use protocol::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};
use protocol::{Array, Message, Piece, Reader};

use super::partition_questions::{PartitionAnswer, QuestionBuilder};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::{DiskSpace, LeaderEpoch};
use crate::shard_message::{Answer, Question};

/// "Unknown", as the schema's default says it.
const UNKNOWN_BYTES: i64 = -1;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DescribeLogDirsRequest::decode(reader, info.version) else {
        return Outcome::Close("a DescribeLogDirs request that cannot be read");
    };
    let log_dir = context.config.log_dir.clone();
    let space = context.disk_space.first().copied().flatten();
    let mut questions =
        QuestionBuilder::new(context, info, move |info, topics| respond(info, &log_dir, space, topics));
    match &request.topics {
        Some(topics) => {
            for topic in topics {
                questions.topic(topic.topic);
                for partition in &topic.partitions {
                    questions.ask(partition, LeaderEpoch(-1), Ok(Question::Size));
                }
            }
        }
        None => {
            for (name, topic_id) in &context.image.names {
                let count = context.image.topic(*topic_id).map_or(0, |topic| topic.partitions.len());
                questions.topic(name);
                for partition in 0..i32::try_from(count).unwrap_or(i32::MAX) {
                    questions.ask(partition, LeaderEpoch(-1), Ok(Question::Size));
                }
            }
        }
    }
    questions.finish()
}

fn respond(
    info: RequestInfo,
    log_dir: &str,
    space: Option<DiskSpace>,
    topics: &[(Arc<str>, Vec<PartitionAnswer>)],
) -> Vec<Piece> {
    let found = topics.iter().filter_map(|(name, partitions)| {
        let partitions: Array<'_, _> = partitions.iter().filter_map(partition_row).collect();
        (!partitions.is_empty()).then_some(DescribeLogDirsTopic { name, partitions })
    });
    let found: Array<'_, _> = found.collect();
    let failed = |of: &PartitionAnswer| of.error == ErrorCode::KAFKA_STORAGE_ERROR;
    let is_offline = found.is_empty() && topics.iter().flat_map(|(_, partitions)| partitions).any(failed);
    let bytes = |of: fn(DiskSpace) -> u64| {
        space.map_or(UNKNOWN_BYTES, |space| i64::try_from(of(space)).unwrap_or(i64::MAX))
    };
    let result = DescribeLogDirsResult {
        error_code: if is_offline { ErrorCode::KAFKA_STORAGE_ERROR as i16 } else { 0 },
        log_dir,
        topics: found,
        total_bytes: bytes(|space| space.total_bytes),
        usable_bytes: bytes(|space| space.usable_bytes),
        is_cordoned: false,
    };
    answer(info, &DescribeLogDirsResponse { results: Array::from(vec![result]), ..Default::default() })
}

/// None: the partition is not here, or cannot be read.
fn partition_row(of: &PartitionAnswer) -> Option<DescribeLogDirsPartition> {
    let Answer::Size(bytes) = of.answer else { return None };
    Some(DescribeLogDirsPartition {
        partition_index: of.partition,
        partition_size: i64::try_from(bytes).unwrap_or(i64::MAX),
        offset_lag: 0,
        is_future_key: false,
    })
}
