//! AlterConfigs and IncrementalAlterConfigs: which settings of topics and brokers may change while running.
//!
//! Decides what the new settings are and whether they make sense together. Every resource succeeds or fails alone.

use std::collections::{BTreeMap, BTreeSet};

use protocol::error_code::ErrorCode;
use protocol::messages::metadata_record::ConfigRecord;

use super::batch::RecordBuffer;
use super::state::{BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE};
use super::topics::{error, ok};
use super::{Controller, Decision};
use crate::config::{
    ConfigError, Key, Scope, Update, ValueType, broker_key, check_topic_value, group_key, list_elements,
    topic_key,
};
use crate::limits::GROUP_SETTINGS_MAX;
use crate::model::control::{
    ConfigChange, ConfigOperation, ConfigOperationKind, ConfigResource, ControlAnswer, ControlError,
};
use crate::model::{BrokerId, Now};

type Overrides = BTreeMap<String, String>;

/// With eligible leader replicas, only the cluster's value of this key counts, and it must be there.
const CLUSTER_KEY: &str = "min.insync.replicas";

impl Controller {
    pub(super) fn alter_configs(
        &mut self,
        now: Now,
        resources: Vec<ConfigChange>,
        validate_only: bool,
    ) -> Decision {
        let mut records = self.records(now);
        let mut answers = Vec::with_capacity(resources.len());
        let mut times_named: BTreeMap<&ConfigResource, u32> = BTreeMap::new();
        for change in &resources {
            *times_named.entry(&change.resource).or_default() += 1;
        }
        for change in &resources {
            let planned = if times_named[&change.resource] > 1 {
                Err(error(ErrorCode::INVALID_REQUEST, "a resource is named twice in the request"))
            } else {
                self.plan_change(change)
            };
            answers.push(match planned {
                Ok((before, after)) => {
                    if !validate_only {
                        push_difference(&mut records, &change.resource, &before, &after);
                    }
                    ok()
                }
                Err(result) => result,
            });
        }
        let batch = self.commit(records);
        Decision { answer: ControlAnswer::AlterConfigs(answers), batch }
    }

    /// What a resource overrides now, and what it is to override.
    fn plan_change(&self, change: &ConfigChange) -> Result<(Overrides, Overrides), ControlError> {
        check_operations(change)?;
        match &change.resource {
            ConfigResource::Topic(name) => self.plan_topic_change(name, change),
            ConfigResource::Broker(broker) => self.plan_broker_change(*broker, change),
            ConfigResource::Group(group_id) => self.plan_group_change(group_id, change),
        }
    }

    fn plan_topic_change(
        &self,
        name: &str,
        change: &ConfigChange,
    ) -> Result<(Overrides, Overrides), ControlError> {
        let Some(topic) = self.state.image.topic_by_name(name) else {
            return Err(error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no topic {name:?}")));
        };
        let invalid = |problem: String| error(ErrorCode::INVALID_CONFIG, problem);
        let before = topic.overrides.clone();
        let mut after = if change.replace_all { Overrides::new() } else { before.clone() };
        for operation in &change.operations {
            let current = |key: &Key| self.state.config.topic_value(&after, key).map(|(text, _)| text);
            let value = next_value(operation, topic_key(&operation.key), current).map_err(invalid)?;
            match value {
                None => after.remove(&operation.key),
                Some(value) => match check_topic_value(&operation.key, &value) {
                    // A key that Kafka has removed: taken, not kept.
                    Ok(None) => None,
                    Ok(Some(_)) => after.insert(operation.key.clone(), value),
                    Err(wrong) => return Err(invalid(wrong.to_string())),
                },
            };
        }
        self.state.config.topic_config(&after).map_err(|wrong| invalid(wrong.to_string()))?;
        Ok((before, after))
    }

    /// The group need not be there: its settings may come first, and outlive it.
    ///
    /// Source: Apache Kafka 4.3.1, asked: error codes and messages.
    fn plan_group_change(
        &self,
        group_id: &str,
        change: &ConfigChange,
    ) -> Result<(Overrides, Overrides), ControlError> {
        let invalid = |problem: String| error(ErrorCode::INVALID_CONFIG, problem);
        let all = &self.state.image.group_overrides;
        let before = all.get(group_id).cloned().unwrap_or_default();
        let mut after = if change.replace_all { Overrides::new() } else { before.clone() };
        for operation in &change.operations {
            let name = &operation.key;
            match next_value(operation, group_key(name), |_| None).map_err(invalid)? {
                // What another version wrote can be taken away.
                None => after.remove(name),
                Some(value) => {
                    let Some(key) = group_key(name) else {
                        return Err(invalid(format!("Unknown group config name: {name}")));
                    };
                    let canonical = key.canonical(&value);
                    let canonical = canonical.map_err(|wrong| {
                        invalid(format!("Invalid value {value} for configuration {name}: {wrong}"))
                    })?;
                    after.insert(name.clone(), canonical)
                }
            };
        }
        self.state.config.groups.consumer.check_group(&after).map_err(invalid)?;
        if before.is_empty() && !after.is_empty() && all.len() >= GROUP_SETTINGS_MAX {
            let problem = format!("{GROUP_SETTINGS_MAX} groups have settings of their own: no more can");
            return Err(error(ErrorCode::POLICY_VIOLATION, problem));
        }
        Ok((before, after))
    }

    fn plan_broker_change(
        &self,
        broker: Option<BrokerId>,
        change: &ConfigChange,
    ) -> Result<(Overrides, Overrides), ControlError> {
        if let Some(broker) = broker
            && broker != self.state.image.broker_id
        {
            let message = format!("this is broker {}, not {broker}", self.state.image.broker_id);
            return Err(error(ErrorCode::INVALID_REQUEST, message));
        }
        let before = self.state.image.broker_overrides.get(&broker).cloned().unwrap_or_default();
        let mut after = if change.replace_all { Overrides::new() } else { before.clone() };
        for operation in &change.operations {
            let key = changeable(&operation.key, broker)?;
            let current = |key: &Key| self.state.config.broker_value(key).map(|(text, _)| text.to_owned());
            let value = next_value(operation, key, current)
                .map_err(|wrong| error(ErrorCode::INVALID_CONFIG, wrong))?;
            match (value, key) {
                (Some(value), Some(key)) => {
                    let canonical = key.canonical(&value);
                    canonical.map_err(|wrong| {
                        error(ErrorCode::INVALID_REQUEST, format!("{}={value}: {wrong}", key.name))
                    })?;
                    after.insert(operation.key.clone(), value);
                }
                (Some(_), None) => {
                    let problem = ConfigError::unknown(&operation.key, Scope::Broker).to_string();
                    return Err(error(ErrorCode::INVALID_CONFIG, problem));
                }
                (None, _) => {
                    after.remove(&operation.key);
                }
            }
        }
        if broker.is_none() && before.contains_key(CLUSTER_KEY) && !after.contains_key(CLUSTER_KEY) {
            let message = format!("the cluster's {CLUSTER_KEY} can be changed, not removed");
            return Err(error(ErrorCode::INVALID_CONFIG, message));
        }
        let mut all = self.state.image.broker_overrides.clone();
        all.insert(broker, after.clone());
        let together = self.state.config.try_with_dynamic(&all);
        together.map_err(|wrong| error(ErrorCode::INVALID_REQUEST, wrong.to_string()))?;
        Ok((before, after))
    }
}

/// The broker key, if it may be changed while running; None for one that is unknown and so can only be deleted.
fn changeable(name: &str, broker: Option<BrokerId>) -> Result<Option<&'static Key>, ControlError> {
    let Some(key) = broker_key(name) else { return Ok(None) };
    let refuse = |code, message: &str| Err(error(code, format!("{name} {message}")));
    match (key.update, broker) {
        (Update::Restart, _) => refuse(ErrorCode::INVALID_REQUEST, "cannot change while running"),
        (Update::PerBroker, None) => {
            refuse(ErrorCode::INVALID_REQUEST, "can change for one broker, not for all")
        }
        _ if name == CLUSTER_KEY && broker.is_some() => {
            refuse(ErrorCode::INVALID_CONFIG, "can change for all brokers, not for one")
        }
        _ if name.starts_with("ssl.") || name.starts_with("sasl.") => {
            refuse(ErrorCode::INVALID_REQUEST, "can change per listener only")
        }
        _ => Ok(Some(key)),
    }
}

/// Rules that do not depend on the resource.
fn check_operations(change: &ConfigChange) -> Result<(), ControlError> {
    let mut seen = BTreeSet::new();
    for operation in &change.operations {
        if operation.key.is_empty() {
            return Err(error(ErrorCode::INVALID_REQUEST, "a setting without a key"));
        }
        if !seen.insert(&operation.key) {
            return Err(error(ErrorCode::INVALID_REQUEST, format!("{} is set twice", operation.key)));
        }
        if operation.value.is_none() && operation.kind != ConfigOperationKind::Delete {
            return Err(error(ErrorCode::INVALID_REQUEST, format!("{}: a value is needed", operation.key)));
        }
    }
    Ok(())
}

/// The text that an operation leaves; None: not set.
fn next_value(
    operation: &ConfigOperation,
    key: Option<&'static Key>,
    current: impl Fn(&Key) -> Option<String>,
) -> Result<Option<String>, String> {
    let name = &operation.key;
    let value = operation.value.as_deref().unwrap_or_default().trim().to_owned();
    let extends = match operation.kind {
        ConfigOperationKind::Delete => return Ok(None),
        ConfigOperationKind::Set => return Ok(Some(value)),
        ConfigOperationKind::Append => true,
        ConfigOperationKind::Subtract => false,
    };
    let Some(key) = key.filter(|key| key.value_type == ValueType::List) else {
        return Err(format!("{name} is not a list: nothing can be added to it or taken away"));
    };
    let now = current(key).unwrap_or_default();
    let mut elements: Vec<&str> = list_elements(&now).collect();
    for element in list_elements(&value) {
        elements.retain(|present| extends || *present != element);
        if extends && !elements.contains(&element) {
            elements.push(element);
        }
    }
    Ok(Some(elements.join(",")))
}

fn push_difference(
    records: &mut RecordBuffer,
    resource: &ConfigResource,
    before: &Overrides,
    after: &Overrides,
) {
    let (resource_type, resource_name) = match resource {
        ConfigResource::Topic(name) => (TOPIC_RESOURCE, name.clone()),
        ConfigResource::Broker(None) => (BROKER_RESOURCE, String::new()),
        ConfigResource::Broker(Some(broker)) => (BROKER_RESOURCE, broker.to_string()),
        ConfigResource::Group(group_id) => (GROUP_RESOURCE, group_id.clone()),
    };
    let resource_name = resource_name.as_str();
    let removed = before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name, None));
    let set = after.iter().filter(|(name, value)| before.get(*name) != Some(*value));
    for (name, value) in removed.chain(set.map(|(name, value)| (name, Some(value.as_str())))) {
        records.push(&ConfigRecord { resource_type, resource_name, name, value });
    }
    records.end_unit();
}
