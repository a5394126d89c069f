//! OffsetForLeaderEpoch (key 23), versions 2-4 (librdkafka sends exactly 2).
//!
//! Behaviour: where the records of a leader epoch end; an epoch newer than any known has no end: -1 and -1, without an error.
//! v3 replica id; v4 flexible. Source: KIP-101, KIP-279, KIP-320.

use std::sync::Arc;

use protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use protocol::{Message, Piece, Reader};

use super::partition_questions::{PartitionAnswer, QuestionBuilder};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::LeaderEpoch;
use crate::shard_message::{Answer, Question};

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = OffsetForLeaderEpochRequest::decode(reader, info.version) else {
        return Outcome::Close("an OffsetForLeaderEpoch request that cannot be read");
    };
    let mut questions = QuestionBuilder::new(context, info, respond);
    for topic in &request.topics {
        questions.topic(topic.topic);
        for partition in &topic.partitions {
            let question = Question::EpochEnd { leader_epoch: LeaderEpoch(partition.leader_epoch) };
            questions.ask(partition.partition, LeaderEpoch(partition.current_leader_epoch), Ok(question));
        }
    }
    questions.finish()
}

fn respond(info: RequestInfo, topics: &[(Arc<str>, Vec<PartitionAnswer>)]) -> Vec<Piece> {
    let topics = topics.iter().map(|(name, partitions)| OffsetForLeaderTopicResult {
        topic: name,
        partitions: partitions.iter().map(partition_result).collect(),
    });
    answer(info, &OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() })
}

fn partition_result(of: &PartitionAnswer) -> EpochEndOffset {
    let (leader_epoch, end_offset) = match of.answer {
        Answer::EpochEnd { leader_epoch, end_offset } => (leader_epoch.0, end_offset),
        _ => (-1, -1),
    };
    EpochEndOffset { error_code: of.error as i16, partition: of.partition, leader_epoch, end_offset }
}
