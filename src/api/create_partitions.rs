//! CreatePartitions (key 37), versions 0-3.
//!
//! Behaviour: once answered without an error, every shard knows the new partitions. Each name gets a result of its own; one that the
//! request holds more than once gets INVALID_REQUEST, once. The timeout is not looked at: the control plane answers at once.
//!
//! v2 flexible; v3 behaviour only (KIP-599). Not here: which counts and assignments are right (`metadata/`).

use std::collections::BTreeSet;

use protocol::error_code::ErrorCode;
use protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use protocol::{Message, Piece, Reader};

use super::control_error::{failure, refused, told};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::control::{ControlAnswer, ControlError, ControlRequest, NewPartitions, TopicDone};
use crate::model::{BrokerId, TopicId};

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = CreatePartitionsRequest::decode(reader, info.version) else {
        return Outcome::Close("a CreatePartitions request that cannot be read");
    };
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    repeated.extend(request.topics.iter().map(|topic| topic.name).filter(|name| !seen.insert(*name)));
    let topics: Vec<NewPartitions> =
        request.topics.iter().filter(|topic| !repeated.contains(topic.name)).map(new_partitions).collect();
    let twice = || refused(ErrorCode::INVALID_REQUEST, "the request names this topic more than once");
    let repeated: Vec<TopicDone> = repeated.into_iter().map(|name| done(name.to_owned(), twice())).collect();
    if topics.is_empty() {
        return Outcome::Answer(respond(info, &repeated));
    }
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    Outcome::Control {
        ask: ControlRequest::CreatePartitions { topics, validate_only: request.validate_only },
        respond: Box::new(move |_, answer| {
            let mut results = match answer {
                ControlAnswer::CreatePartitions(results) => results,
                other => {
                    let error = failure(other);
                    names.into_iter().map(|name| done(name, error.clone())).collect()
                }
            };
            results.extend(repeated);
            respond(info, &results)
        }),
    }
}

fn new_partitions(topic: CreatePartitionsTopic<'_>) -> NewPartitions {
    let assignments = topic.assignments.as_ref().map(|assignments| {
        assignments.iter().map(|replicas| replicas.broker_ids.iter().map(BrokerId).collect()).collect()
    });
    NewPartitions { name: topic.name.to_owned(), count: topic.count, assignments }
}

fn done(name: String, result: ControlError) -> TopicDone {
    TopicDone { name: Some(name), topic_id: TopicId::ZERO, result }
}

fn respond(info: RequestInfo, results: &[TopicDone]) -> Vec<Piece> {
    let rows = results.iter().map(|topic| CreatePartitionsTopicResult {
        name: topic.name.as_deref().unwrap_or_default(),
        error_code: topic.result.error as i16,
        error_message: told(&topic.result),
    });
    answer(info, &CreatePartitionsResponse { results: rows.collect(), ..Default::default() })
}
