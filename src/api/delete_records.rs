//! DeleteRecords (key 21), versions 0-2: moves the log start of partitions forward.
//!
//! v2 flexible. Answered with the new log start, called low watermark, once that is durable: a broker that is killed then starts there
//! again (Kafka's may forget it for up to a minute). Offset -1 is the high watermark. An offset at or below the log start changes
//! nothing. Segments wholly below the start are unlinked later.
//!
//! Errors: UNKNOWN_TOPIC_OR_PARTITION; INVALID_TOPIC_EXCEPTION for the broker's own topics; POLICY_VIOLATION where only compaction
//! may delete; OFFSET_OUT_OF_RANGE below -1 and above the high watermark; REQUEST_TIMED_OUT; KAFKA_STORAGE_ERROR.

use std::sync::Arc;

use protocol::error_code::ErrorCode;
use protocol::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use protocol::{Message, Piece, Reader};

use super::partition_questions::{PartitionAnswer, QuestionBuilder};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::limits::DELETE_RECORDS_WAIT_MS_MIN;
use crate::model::LeaderEpoch;
use crate::model::metadata_image::TopicImage;
use crate::shard_message::{Answer, Question};

/// As an offset to delete up to.
pub const HIGH_WATERMARK: i64 = -1;

const NO_LOW_WATERMARK: i64 = -1;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DeleteRecordsRequest::decode(reader, info.version) else {
        return Outcome::Close("a DeleteRecords request that cannot be read");
    };
    let mut questions = QuestionBuilder::new(context, info, respond);
    let wait_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    questions.wait_at_most(wait_ms.max(DELETE_RECORDS_WAIT_MS_MIN));
    for topic in &request.topics {
        let refusal = context.image.topic_by_name(topic.name).and_then(|topic| refusal(topic));
        questions.topic(topic.name);
        for partition in &topic.partitions {
            let question = match refusal {
                Some(error) => Err(error),
                None => Ok(Question::Trim { offset: partition.offset }),
            };
            questions.ask(partition.partition_index, LeaderEpoch(-1), question);
        }
    }
    questions.finish()
}

/// Why no record of this topic may be deleted by request.
fn refusal(topic: &TopicImage) -> Option<ErrorCode> {
    if topic.internal {
        return Some(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let only_compacted = topic.config.compacted && !topic.config.deletes;
    only_compacted.then_some(ErrorCode::POLICY_VIOLATION)
}

fn respond(info: RequestInfo, topics: &[(Arc<str>, Vec<PartitionAnswer>)]) -> Vec<Piece> {
    let topics = topics.iter().map(|(name, partitions)| DeleteRecordsTopicResult {
        name,
        partitions: partitions.iter().map(partition_result).collect(),
    });
    answer(info, &DeleteRecordsResponse { topics: topics.collect(), ..Default::default() })
}

fn partition_result(of: &PartitionAnswer) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index: of.partition,
        low_watermark: match of.answer {
            Answer::LogStart(log_start) => log_start.0,
            _ => NO_LOW_WATERMARK,
        },
        error_code: of.error as i16,
    }
}
