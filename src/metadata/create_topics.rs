//! CreateTopics: which topics may be made, and the records that make them.
//!
//! Decides names, counts, replicas and settings of new topics. Error codes and their order are Kafka's.

use std::collections::{BTreeMap, BTreeSet};

use protocol::error_code::ErrorCode;
use protocol::messages::metadata_record::{ConfigRecord, PartitionRecord, TopicRecord};
use protocol::{Array, Uuid};

use super::batch::RecordBuffer;
use super::placement::Placement;
use super::state::TOPIC_RESOURCE;
use super::topics::{PARTITIONS_PER_REQUEST_MAX, check_replicas, error, ok};
use super::{Controller, Decision, names};
use crate::config::check_topic_value;
use crate::model::control::{ControlAnswer, ControlError, NewTopic, TopicCreated};
use crate::model::{BrokerId, Now, PartitionIndex, TopicId};

/// A topic that may be made.
struct Plan {
    name: String,
    topic_id: TopicId,
    /// The replicas of each partition, the leader first.
    partitions: Vec<Vec<BrokerId>>,
    overrides: BTreeMap<String, String>,
}

impl Controller {
    pub(super) fn create_topics(&mut self, now: Now, topics: Vec<NewTopic>, validate_only: bool) -> Decision {
        let mut seen = Seen::default();
        for topic in &topics {
            seen.count(&topic.name);
        }
        let asked: i64 = topics.iter().map(|topic| i64::from(self.partition_count(topic))).sum();
        let too_many = asked > PARTITIONS_PER_REQUEST_MAX;
        let mut records = self.records(now);
        let mut placement = Placement::new(&self.usable_dirs, &self.state.image);
        let mut answers = Vec::with_capacity(topics.len());
        for topic in topics {
            let planned = if too_many {
                let message =
                    format!("{asked} partitions in one request; allowed: {PARTITIONS_PER_REQUEST_MAX}");
                Err(error(ErrorCode::POLICY_VIOLATION, message))
            } else {
                self.plan_topic(&topic, &mut seen)
            };
            answers.push(match planned {
                Ok(plan) => {
                    if !validate_only {
                        push_topic(&mut records, &plan, self.state.image.broker_id, &mut placement);
                    }
                    created(&plan, validate_only)
                }
                Err(result) => refused(topic.name, result),
            });
        }
        let batch = self.commit(records);
        Decision { answer: ControlAnswer::CreateTopics(answers), batch }
    }

    fn partition_count(&self, topic: &NewTopic) -> i32 {
        match topic.partitions {
            -1 if topic.assignments.is_empty() => self.state.config.num_partitions,
            -1 => i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX),
            count => count.max(0),
        }
    }

    fn plan_topic(&mut self, topic: &NewTopic, seen: &mut Seen) -> Result<Plan, ControlError> {
        self.check_name(&topic.name, seen)?;
        let overrides = self.check_settings(topic)?;
        let partitions = self.place(topic)?;
        let mut topic_id = self.topic_ids.next();
        while self.state.image.topics.contains_key(&topic_id) {
            topic_id = self.topic_ids.next();
        }
        seen.forms.extend(names::collision_form(&topic.name));
        Ok(Plan { name: topic.name.clone(), topic_id, partitions, overrides })
    }

    fn check_name(&self, name: &str, seen: &Seen) -> Result<(), ControlError> {
        if seen.times.get(name).is_some_and(|times| *times > 1) {
            return Err(error(
                ErrorCode::INVALID_REQUEST,
                format!("topic {name} is named twice in the request"),
            ));
        }
        if name == names::METADATA_TOPIC {
            let message = format!("{name} is the cluster's own");
            return Err(error(ErrorCode::TOPIC_AUTHORIZATION_FAILED, message));
        }
        if let Some(problem) = names::topic_name_problem(name) {
            return Err(error(ErrorCode::INVALID_TOPIC_EXCEPTION, problem));
        }
        if self.state.image.names.contains_key(name) {
            return Err(error(ErrorCode::TOPIC_ALREADY_EXISTS, format!("topic {name} exists already")));
        }
        let Some(form) = names::collision_form(name) else { return Ok(()) };
        let existing = self.state.collisions.get(&form).and_then(|ids| ids.first());
        let existing = existing.and_then(|id| self.state.image.topic(*id));
        if let Some(existing) = existing {
            let message = format!("{name} differs from topic {} only in '.' and '_'", existing.name);
            return Err(error(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
        }
        if seen.forms.contains(&form) {
            let message = format!("{name} differs from a topic of the same request only in '.' and '_'");
            return Err(error(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
        }
        Ok(())
    }

    fn check_settings(&self, topic: &NewTopic) -> Result<BTreeMap<String, String>, ControlError> {
        let mut overrides = BTreeMap::new();
        for (key, value) in &topic.configs {
            let Some(value) = value else {
                return Err(error(ErrorCode::INVALID_CONFIG, format!("{key}: a value is needed")));
            };
            let checked = check_topic_value(key, value);
            if checked.map_err(|wrong| error(ErrorCode::INVALID_CONFIG, wrong.to_string()))?.is_some() {
                overrides.insert(key.clone(), value.trim().to_owned());
            }
        }
        let typed = self.state.config.topic_config(&overrides);
        typed.map_err(|wrong| error(ErrorCode::INVALID_CONFIG, wrong.to_string()))?;
        Ok(overrides)
    }

    /// The replicas of each partition.
    fn place(&self, topic: &NewTopic) -> Result<Vec<Vec<BrokerId>>, ControlError> {
        if !topic.assignments.is_empty() {
            return self.place_as_told(topic);
        }
        let brokers: Vec<BrokerId> = self.state.image.brokers.iter().map(|broker| broker.broker_id).collect();
        let factor = match topic.replication_factor {
            -1 => {
                usize::try_from(self.state.config.default_replication_factor).unwrap_or(1).min(brokers.len())
            }
            factor @ 1.. => usize::from(factor.unsigned_abs()),
            _ => {
                let message = "the replication factor must be above 0, or -1 for the default";
                return Err(error(ErrorCode::INVALID_REPLICATION_FACTOR, message));
            }
        };
        if topic.partitions < -1 || topic.partitions == 0 {
            let message = "the number of partitions must be above 0, or -1 for the default";
            return Err(error(ErrorCode::INVALID_PARTITIONS, message));
        }
        if factor > brokers.len() {
            let message = format!(
                "a replication factor of {factor} needs as many brokers; there are {}",
                brokers.len()
            );
            return Err(error(ErrorCode::INVALID_REPLICATION_FACTOR, message));
        }
        let count = usize::try_from(self.partition_count(topic)).unwrap_or(0);
        let replicas =
            |partition: usize| brokers.iter().cycle().skip(partition % brokers.len()).take(factor).copied();
        Ok((0..count).map(|partition| replicas(partition).collect()).collect())
    }

    fn place_as_told(&self, topic: &NewTopic) -> Result<Vec<Vec<BrokerId>>, ControlError> {
        if topic.replication_factor != -1 || topic.partitions != -1 {
            let message = "with replicas assigned by hand, partitions and replication factor must be -1";
            return Err(error(ErrorCode::INVALID_REQUEST, message));
        }
        let mut told: Vec<&(PartitionIndex, Vec<BrokerId>)> = topic.assignments.iter().collect();
        told.sort_by_key(|(index, _)| *index);
        if told.iter().zip(0..).any(|((index, _), expect)| index.0 != expect) {
            let message = "partitions must be assigned from 0 on, each once";
            return Err(error(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
        let factor = told.first().map_or(0, |(_, replicas)| replicas.len());
        for (_, replicas) in &told {
            check_replicas(replicas, factor, &self.state.image)?;
        }
        Ok(told.into_iter().map(|(_, replicas)| replicas.clone()).collect())
    }
}

/// The names of one request.
#[derive(Default)]
struct Seen {
    times: BTreeMap<String, u32>,
    /// Collision forms of the topics that were accepted.
    forms: BTreeSet<String>,
}

impl Seen {
    fn count(&mut self, name: &str) {
        *self.times.entry(name.to_owned()).or_default() += 1;
    }
}

fn push_topic(records: &mut RecordBuffer, plan: &Plan, broker: BrokerId, placement: &mut Placement) {
    let topic_id = Uuid(plan.topic_id.0);
    records.push(&TopicRecord { name: &plan.name, topic_id });
    for (name, value) in &plan.overrides {
        let resource_type = TOPIC_RESOURCE;
        records.push(&ConfigRecord { resource_type, resource_name: &plan.name, name, value: Some(value) });
    }
    for (replicas, index) in plan.partitions.iter().zip(0..) {
        push_partition(records, topic_id, PartitionIndex(index), replicas, (broker, placement.next()));
    }
    records.end_unit();
}

/// A new partition: all replicas in sync, the first one leads. `broker`: this one, with the log dir of its replica.
pub(super) fn push_partition(
    records: &mut RecordBuffer,
    topic_id: Uuid,
    index: PartitionIndex,
    replicas: &[BrokerId],
    (broker, directory): (BrokerId, Uuid),
) {
    let ids: Array<'_, i32> = replicas.iter().map(|replica| replica.0).collect();
    records.push(&PartitionRecord {
        partition_id: index.0,
        topic_id,
        isr: ids.clone(),
        directories: replicas.iter().map(|id| if *id == broker { directory } else { Uuid::ZERO }).collect(),
        replicas: ids,
        leader: replicas.first().unwrap_or(&broker).0,
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    });
}

fn created(plan: &Plan, validate_only: bool) -> TopicCreated {
    TopicCreated {
        name: plan.name.clone(),
        result: ok(),
        topic_id: if validate_only { TopicId::ZERO } else { plan.topic_id },
        partitions: i32::try_from(plan.partitions.len()).unwrap_or(i32::MAX),
        replication_factor: plan
            .partitions
            .first()
            .map_or(-1, |replicas| i16::try_from(replicas.len()).unwrap_or(i16::MAX)),
        overrides: plan.overrides.clone(),
    }
}

fn refused(name: String, result: ControlError) -> TopicCreated {
    let overrides = BTreeMap::new();
    TopicCreated { name, result, topic_id: TopicId::ZERO, partitions: -1, replication_factor: -1, overrides }
}
