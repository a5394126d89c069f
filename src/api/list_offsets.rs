//! ListOffsets (key 2), versions 1-11.
//!
//! Behaviour: the first offset whose record is not older than a timestamp, or -1; or one of the specials below. The end is the
//! high watermark, for read_committed the last stable offset: never what is not durable.
//!
//! v2 isolation level; v4 leader epochs; v6 flexible; v7 largest timestamp (KIP-734); v8 earliest local (KIP-405);
//! v9 latest tiered (KIP-1005); v10 timeout (KIP-1075); v11 earliest pending upload (KIP-1023).
//! Without tiered storage the local log is the whole log, and nothing is tiered or pending.

use std::sync::Arc;

use protocol::error_code::ErrorCode;
use protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use protocol::{Message, Piece, Reader};

use super::partition_questions::{PartitionAnswer, QuestionBuilder};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::LeaderEpoch;
use crate::shard_message::{Answer, Question};

pub const LATEST: i64 = -1;
pub const EARLIEST: i64 = -2;
pub const MAX_TIMESTAMP: i64 = -3;
pub const EARLIEST_LOCAL: i64 = -4;
pub const LATEST_TIERED: i64 = -5;
pub const EARLIEST_PENDING_UPLOAD: i64 = -6;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = ListOffsetsRequest::decode(reader, info.version) else {
        return Outcome::Close("a ListOffsets request that cannot be read");
    };
    let committed_only = request.isolation_level == 1;
    let mut questions = QuestionBuilder::new(context, info, respond);
    for topic in &request.topics {
        questions.topic(topic.name);
        for partition in &topic.partitions {
            let timestamp = partition.timestamp;
            let question = if timestamp >= 0 || info.version >= special_from(timestamp) {
                Ok(Question::OffsetAt { timestamp, committed_only })
            } else {
                Err(ErrorCode::UNSUPPORTED_VERSION)
            };
            questions.ask(partition.partition_index, LeaderEpoch(partition.current_leader_epoch), question);
        }
    }
    questions.finish()
}

/// The first version that knows a special timestamp.
fn special_from(timestamp: i64) -> i16 {
    match timestamp {
        LATEST | EARLIEST => 1,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => i16::MAX,
    }
}

fn respond(info: RequestInfo, topics: &[(Arc<str>, Vec<PartitionAnswer>)]) -> Vec<Piece> {
    let topics = topics.iter().map(|(name, partitions)| ListOffsetsTopicResponse {
        name,
        partitions: partitions.iter().map(|partition| partition_response(info.version, partition)).collect(),
    });
    answer(info, &ListOffsetsResponse { topics: topics.collect(), ..Default::default() })
}

fn partition_response(version: i16, of: &PartitionAnswer) -> ListOffsetsPartitionResponse {
    let (timestamp, offset, leader_epoch) = match of.answer {
        Answer::OffsetAt { timestamp, offset, leader_epoch } => (timestamp, offset, leader_epoch.0),
        _ => (-1, -1, -1),
    };
    ListOffsetsPartitionResponse {
        partition_index: of.partition,
        error_code: of.error as i16,
        timestamp,
        offset,
        // Before version 4 there is no such field, and the codec loses no value silently.
        leader_epoch: if version < 4 { -1 } else { leader_epoch },
    }
}
