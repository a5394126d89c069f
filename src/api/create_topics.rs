//! CreateTopics (key 19), versions 2-7.
//!
//! Behaviour: once answered without an error, a topic is known to every shard. Each name gets a result of its own; one that the
//! request holds more than once gets INVALID_REQUEST, once. The timeout is not looked at: the control plane answers at once.
//!
//! v4 -1 is the broker's default (KIP-464; taken in every version); v5 flexible, and the answer describes the topic (KIP-525); v6
//! behaviour only (KIP-599); v7 the topic's id.
//!
//! Not here: what names, counts and settings may be (`metadata/`).

use std::collections::{BTreeMap, BTreeSet};

use protocol::error_code::ErrorCode;
use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::{Array, Message, Piece, Reader, Uuid};

use super::config_rows::ConfigRow;
use super::control_error::{failure, refused, told};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::config::topic_keys;
use crate::model::control::{ControlAnswer, ControlError, ControlRequest, NewTopic, TopicCreated};
use crate::model::{BrokerId, PartitionIndex, TopicId};

const DESCRIBED_SINCE: i16 = 5;

/// Topics of one answer that are described with their settings: some kilobytes each.
const DESCRIBED_MAX: usize = 10_000;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = CreateTopicsRequest::decode(reader, info.version) else {
        return Outcome::Close("a CreateTopics request that cannot be read");
    };
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    repeated.extend(request.topics.iter().map(|topic| topic.name).filter(|name| !seen.insert(*name)));
    let topics: Vec<NewTopic> =
        request.topics.iter().filter(|topic| !repeated.contains(topic.name)).map(new_topic).collect();
    let twice = || refused(ErrorCode::INVALID_REQUEST, "the request names this topic more than once");
    let repeated: Vec<TopicCreated> =
        repeated.into_iter().map(|name| failed(name.to_owned(), twice())).collect();
    if topics.is_empty() {
        return Outcome::Answer(respond(context, info, &repeated));
    }
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    Outcome::Control {
        ask: ControlRequest::CreateTopics { topics, validate_only: request.validate_only },
        respond: Box::new(move |context, answer| {
            let mut results = match answer {
                ControlAnswer::CreateTopics(created) => created,
                other => {
                    let error = failure(other);
                    names.into_iter().map(|name| failed(name, error.clone())).collect()
                }
            };
            results.extend(repeated);
            respond(context, info, &results)
        }),
    }
}

fn new_topic(topic: CreatableTopic<'_>) -> NewTopic {
    let brokers = |ids: &Array<'_, i32>| ids.iter().map(BrokerId).collect();
    let assignments = topic.assignments.iter();
    let assignments = assignments.map(|to| (PartitionIndex(to.partition_index), brokers(&to.broker_ids)));
    let configs =
        topic.configs.iter().map(|config| (config.name.to_owned(), config.value.map(str::to_owned)));
    NewTopic {
        name: topic.name.to_owned(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        configs: configs.collect(),
    }
}

fn failed(name: String, result: ControlError) -> TopicCreated {
    let overrides = BTreeMap::new();
    TopicCreated { name, result, topic_id: TopicId::ZERO, partitions: -1, replication_factor: -1, overrides }
}

fn respond(context: &ApiContext<'_>, info: RequestInfo, results: &[TopicCreated]) -> Vec<Piece> {
    let describe = |(index, topic): (usize, &TopicCreated)| -> Option<Vec<ConfigRow>> {
        let is_described =
            info.version >= DESCRIBED_SINCE && topic.result.error.is_none() && index < DESCRIBED_MAX;
        let row = |key| ConfigRow::of_topic(context.config, &topic.overrides, key, false);
        is_described.then(|| topic_keys().map(row).collect())
    };
    let described: Vec<Option<Vec<ConfigRow>>> = results.iter().enumerate().map(describe).collect();
    let rows = results.iter().zip(&described).map(|(topic, configs)| row(topic, configs.as_deref()));
    answer(info, &CreateTopicsResponse { topics: rows.collect(), ..Default::default() })
}

fn row<'a>(topic: &'a TopicCreated, configs: Option<&'a [ConfigRow]>) -> CreatableTopicResult<'a> {
    let is_undescribed = topic.result.error.is_none() && configs.is_none();
    CreatableTopicResult {
        name: &topic.name,
        topic_id: Uuid(topic.topic_id.0),
        error_code: topic.result.error as i16,
        error_message: told(&topic.result),
        topic_config_error_code: if is_undescribed { ErrorCode::INVALID_REQUEST as i16 } else { 0 },
        num_partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        configs: Some(configs.unwrap_or_default().iter().map(config).collect()),
    }
}

fn config(row: &ConfigRow) -> CreatableTopicConfigs<'_> {
    CreatableTopicConfigs {
        name: row.key.name,
        value: row.value(),
        read_only: row.read_only,
        config_source: row.source.code(),
        is_sensitive: row.key.is_sensitive(),
    }
}
