//! DeleteTopics and CreatePartitions: what may be done to a topic, and the records that do it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;
use protocol::error_code::ErrorCode;
use protocol::messages::metadata_record::RemoveTopicRecord;

use super::create_topics::push_partition;
use super::placement::Placement;
use super::{Controller, Decision};
use crate::model::control::{ControlAnswer, ControlError, NewPartitions, TopicDone, TopicRef};
use crate::model::metadata_image::{MetadataImage, TopicImage};
use crate::model::{BrokerId, Now, PartitionIndex, TopicId};

/// The most partitions that one request may make.
///
/// Source: Kafka's own limit.
pub(super) const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;

impl Controller {
    pub(super) fn delete_topics(&mut self, now: Now, topics: Vec<TopicRef>) -> Decision {
        let mut records = self.records(now);
        let mut times: BTreeMap<TopicId, u32> = BTreeMap::new();
        for found in topics.iter().filter_map(|topic| self.find(topic)) {
            *times.entry(found.topic_id).or_default() += 1;
        }
        let mut answers = Vec::with_capacity(topics.len());
        for topic in topics {
            let result = self.check_deletion(&topic, &times);
            let found = self.find(&topic);
            if let (true, Some(found)) = (result.error.is_none(), found) {
                records.push(&RemoveTopicRecord { topic_id: Uuid(found.topic_id.0) });
                records.end_unit();
            }
            let topic_id = found.map(|found| found.topic_id);
            let name = found.map(|found| found.name.to_string());
            answers.push(match topic {
                TopicRef::Name(asked) => {
                    TopicDone { name: Some(asked), topic_id: topic_id.unwrap_or(TopicId::ZERO), result }
                }
                TopicRef::Id(asked) => TopicDone { name, topic_id: asked, result },
            });
        }
        let batch = self.commit(records);
        Decision { answer: ControlAnswer::DeleteTopics(answers), batch }
    }

    fn find(&self, topic: &TopicRef) -> Option<&TopicImage> {
        let found = match topic {
            TopicRef::Name(name) => self.state.image.topic_by_name(name),
            TopicRef::Id(topic_id) => self.state.image.topic(*topic_id),
        };
        found.map(|topic| &**topic)
    }

    fn check_deletion(&self, topic: &TopicRef, times: &BTreeMap<TopicId, u32>) -> ControlError {
        if !self.state.config.delete_topics {
            return error(ErrorCode::TOPIC_DELETION_DISABLED, "delete.topic.enable is false");
        }
        match (self.find(topic), topic) {
            (Some(found), _) if times.get(&found.topic_id).is_some_and(|times| *times > 1) => error(
                ErrorCode::INVALID_REQUEST,
                format!("topic {} is named twice in the request", found.name),
            ),
            (Some(_), _) => ok(),
            (None, TopicRef::Name(name)) => {
                error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no topic {name:?}"))
            }
            (None, TopicRef::Id(topic_id)) => {
                error(ErrorCode::UNKNOWN_TOPIC_ID, format!("there is no topic with id {}", Uuid(topic_id.0)))
            }
        }
    }

    pub(super) fn create_partitions(
        &mut self,
        now: Now,
        topics: Vec<NewPartitions>,
        validate_only: bool,
    ) -> Decision {
        let mut records = self.records(now);
        let mut placement = Placement::new(&self.usable_dirs, &self.state.image);
        let mut times: BTreeMap<&str, u32> = BTreeMap::new();
        for topic in &topics {
            *times.entry(&topic.name).or_default() += 1;
        }
        let mut budget = PARTITIONS_PER_REQUEST_MAX;
        let mut answers = Vec::with_capacity(topics.len());
        for topic in &topics {
            let planned = if times.get(topic.name.as_str()).is_some_and(|times| *times > 1) {
                let message = format!("topic {} is named twice in the request", topic.name);
                Err(error(ErrorCode::INVALID_REQUEST, message))
            } else {
                self.plan_partitions(topic, &mut budget)
            };
            let found = self.state.image.topic_by_name(&topic.name);
            let topic_id = found.map_or(TopicId::ZERO, |found| found.topic_id);
            if let (Ok(partitions), false) = (&planned, validate_only) {
                let first = found.map_or(0, |found| found.partitions.len());
                for (replicas, index) in partitions.iter().zip(i32::try_from(first).unwrap_or(i32::MAX)..) {
                    let index = PartitionIndex(index);
                    push_partition(
                        &mut records,
                        Uuid(topic_id.0),
                        index,
                        replicas,
                        (self.state.image.broker_id, placement.next()),
                    );
                }
                records.end_unit();
            }
            let result = planned.err().unwrap_or_else(ok);
            answers.push(TopicDone { name: Some(topic.name.clone()), topic_id, result });
        }
        let batch = self.commit(records);
        Decision { answer: ControlAnswer::CreatePartitions(answers), batch }
    }

    /// The replicas of the new partitions.
    fn plan_partitions(
        &self,
        topic: &NewPartitions,
        budget: &mut i64,
    ) -> Result<Vec<Vec<BrokerId>>, ControlError> {
        let name = &topic.name;
        let Some(found) = self.state.image.topic_by_name(name) else {
            return Err(error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no topic {name:?}")));
        };
        let has = found.partitions.len();
        let count = usize::try_from(topic.count).unwrap_or(0);
        if count <= has {
            let message = format!("topic {name} has {has} partitions; {} would not be more", topic.count);
            return Err(error(ErrorCode::INVALID_PARTITIONS, message));
        }
        let new = count - has;
        *budget -= i64::try_from(new).unwrap_or(i64::MAX);
        if *budget < 0 {
            let message = format!("more than {PARTITIONS_PER_REQUEST_MAX} new partitions in one request");
            return Err(error(ErrorCode::POLICY_VIOLATION, message));
        }
        let model = found.partitions.first().map(|partition| partition.replicas.clone()).unwrap_or_default();
        let Some(told) = &topic.assignments else { return Ok(vec![model; new]) };
        if told.len() != new {
            let message = format!("{new} new partitions, but {} assignments", told.len());
            return Err(error(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
        for replicas in told {
            check_replicas(replicas, model.len(), &self.state.image)?;
        }
        Ok(told.clone())
    }
}

/// Checks replicas that a client has assigned.
pub(super) fn check_replicas(
    replicas: &[BrokerId],
    factor: usize,
    image: &MetadataImage,
) -> Result<(), ControlError> {
    let wrong = |message: String| Err(error(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    if replicas.is_empty() {
        return wrong("a partition without replicas".to_owned());
    }
    let mut seen = BTreeSet::new();
    for replica in replicas {
        if !image.brokers.iter().any(|broker| broker.broker_id == *replica) {
            return wrong(format!("there is no broker {replica}"));
        }
        if !seen.insert(*replica) {
            return wrong(format!("broker {replica} twice for one partition"));
        }
    }
    if replicas.len() != factor {
        return wrong(format!("{} replicas, but the topic's other partitions have {factor}", replicas.len()));
    }
    Ok(())
}

pub(super) fn ok() -> ControlError {
    ControlError { error: ErrorCode::NONE, message: None }
}

pub(super) fn error(error: ErrorCode, message: impl Into<String>) -> ControlError {
    ControlError { error, message: Some(message.into()) }
}
