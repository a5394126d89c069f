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
use protocol::{Array, Message, Reader};

use super::partition_questions::{PartitionAnswer, QuestionBuilder};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::metadata_image::MetadataImage;
use crate::model::{DiskSpace, LeaderEpoch, LogDirStatus, PartitionIndex};
use crate::shard_message::{Answer, Question};

/// "Unknown", as the schema's default says it.
const UNKNOWN_BYTES: i64 = -1;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DescribeLogDirsRequest::decode(reader, info.version) else {
        return Outcome::Close("a DescribeLogDirs request that cannot be read");
    };
    let dirs = context.log_dirs.to_vec();
    let places = context.image.clone();
    let mut questions = QuestionBuilder::new(context, info, move |info, topics| {
        let results: Vec<_> = dirs.iter().map(|dir| describe(dir, &places, topics)).collect();
        answer(info, &DescribeLogDirsResponse { results: results.into(), ..Default::default() })
    });
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

/// One log dir with the partitions that were asked for and live in it. It is offline if it failed as a whole, or if all of them
/// cannot be read.
fn describe<'a>(
    dir: &'a LogDirStatus,
    places: &MetadataImage,
    topics: &'a [(Arc<str>, Vec<PartitionAnswer>)],
) -> DescribeLogDirsResult<'a> {
    let lives_here = |name: &str, of: &PartitionAnswer| {
        let place =
            places.topic_by_name(name).and_then(|topic| topic.partition(PartitionIndex(of.partition)));
        place.is_some_and(|partition| partition.directory == dir.directory)
    };
    let mut some_failed = false;
    let mut found = Vec::new();
    for (name, partitions) in topics {
        let here = || partitions.iter().filter(|of| lives_here(name, of));
        some_failed |= here().any(|of| of.error == ErrorCode::KAFKA_STORAGE_ERROR);
        let partitions: Array<'_, _> = here().filter_map(partition_row).collect();
        if !partitions.is_empty() {
            found.push(DescribeLogDirsTopic { name, partitions });
        }
    }
    let is_offline = found.is_empty() && (dir.failed || some_failed);
    let bytes = |of: fn(DiskSpace) -> u64| {
        dir.space.map_or(UNKNOWN_BYTES, |space| i64::try_from(of(space)).unwrap_or(i64::MAX))
    };
    DescribeLogDirsResult {
        error_code: if is_offline { ErrorCode::KAFKA_STORAGE_ERROR as i16 } else { 0 },
        log_dir: &dir.path,
        topics: found.into(),
        total_bytes: bytes(|space| space.total_bytes),
        usable_bytes: bytes(|space| space.usable_bytes),
        is_cordoned: false,
    }
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
