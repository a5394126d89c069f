//! DescribeProducers (key 61), version 0 (KIP-664): the idempotent producers that partitions remember.

use std::sync::Arc;

use protocol::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use protocol::{Message, Piece, Reader};

use super::partition_questions::{PartitionAnswer, QuestionBuilder};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::LeaderEpoch;
use crate::shard_message::{Answer, ProducerAnswer, Question};

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DescribeProducersRequest::decode(reader, info.version) else {
        return Outcome::Close("a DescribeProducers request that cannot be read");
    };
    let mut questions = QuestionBuilder::new(context, info, respond);
    for topic in &request.topics {
        questions.topic(topic.name);
        for partition in &topic.partition_indexes {
            questions.ask(partition, LeaderEpoch(-1), Ok(Question::Producers));
        }
    }
    questions.finish()
}

fn respond(info: RequestInfo, topics: &[(Arc<str>, Vec<PartitionAnswer>)]) -> Vec<Piece> {
    let topics = topics.iter().map(|(name, partitions)| TopicResponse {
        name,
        partitions: partitions.iter().map(partition_response).collect(),
    });
    answer(info, &DescribeProducersResponse { topics: topics.collect(), ..Default::default() })
}

fn partition_response(of: &PartitionAnswer) -> PartitionResponse<'static> {
    let producers: &[ProducerAnswer] = match &of.answer {
        Answer::Producers(producers) => producers,
        _ => &[],
    };
    let active_producers = producers.iter().map(|producer| ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: i32::from(producer.producer_epoch),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: -1,
        current_txn_start_offset: producer.current_transaction_start_offset,
    });
    PartitionResponse {
        partition_index: of.partition,
        error_code: of.error as i16,
        error_message: None,
        active_producers: active_producers.collect(),
    }
}
