//! What the keys of groups and committed offsets mean.

use super::ConfigError;
use super::key::list_elements;
use super::validated::Texts;
use crate::model::consumer_group::Assignor;

/// Units: in the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    pub initial_rebalance_delay_ms: u32,
    pub session_timeout_ms_min: u32,
    pub session_timeout_ms_max: u32,
    pub members_max: usize,
    pub consumer: ConsumerGroupConfig,

    pub offset_metadata_bytes_max: usize,
    /// Of committed offsets.
    pub retention_ms: u64,
    pub retention_check_ms: u64,

    /// Of `__consumer_offsets`.
    pub topic_partitions: i32,
    pub topic_replication_factor: i16,
    pub topic_segment_bytes: u32,
}

/// What consumer groups of the new protocol go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroupConfig {
    pub session_timeout_ms: u32,
    pub heartbeat_interval_ms: u32,
    pub members_max: usize,
    /// The first is the default. Never empty.
    pub assignors: Vec<Assignor>,
    /// Classic groups become consumer groups when a member comes that speaks the new protocol.
    pub upgrades: bool,
    /// Consumer groups become classic ones when the last member has gone that speaks it.
    pub downgrades: bool,
}

impl ConsumerGroupConfig {
    fn typed(of: &Texts<'_>) -> Result<ConsumerGroupConfig, ConfigError> {
        let name = "group.consumer.assignors";
        let mut assignors: Vec<Assignor> = Vec::new();
        for assignor in list_elements(of.text(name)).filter_map(Assignor::by_name) {
            if !assignors.contains(&assignor) {
                assignors.push(assignor);
            }
        }
        if assignors.is_empty() {
            return Err(ConfigError::new(name, Some(of.text(name)), "at least one is needed"));
        }
        let policy = of.text("group.consumer.migration.policy").to_ascii_uppercase();
        Ok(ConsumerGroupConfig {
            session_timeout_ms: between(of, "session.timeout.ms")?,
            heartbeat_interval_ms: between(of, "heartbeat.interval.ms")?,
            members_max: usize::try_from(of.unsigned("group.consumer.max.size")).unwrap_or(usize::MAX),
            assignors,
            upgrades: matches!(&*policy, "UPGRADE" | "BIDIRECTIONAL"),
            downgrades: matches!(&*policy, "DOWNGRADE" | "BIDIRECTIONAL"),
        })
    }
}

/// `group.consumer.KEY`, which must be between the keys that say its least and its most.
fn between(of: &Texts<'_>, key: &str) -> Result<u32, ConfigError> {
    let value = of.int(&format!("group.consumer.{key}"));
    let (least, most) = (format!("group.consumer.min.{key}"), format!("group.consumer.max.{key}"));
    let (min, max) = (of.int(&least), of.int(&most));
    if (min..=max).contains(&value) {
        return Ok(value.unsigned_abs());
    }
    let problem = format!("it must be between {least}, which is {min}, and {most}, which is {max}");
    Err(ConfigError::new(&format!("group.consumer.{key}"), Some(&value.to_string()), problem))
}

impl GroupConfig {
    pub(super) fn typed(of: &Texts<'_>) -> Result<GroupConfig, ConfigError> {
        // Kafka takes negative numbers for some of these; they mean as much as 0.
        let at_least_0 = |name| u32::try_from(of.int(name)).unwrap_or(0);
        let count = |name| usize::try_from(of.int(name)).unwrap_or(0);
        Ok(GroupConfig {
            initial_rebalance_delay_ms: at_least_0("group.initial.rebalance.delay.ms"),
            session_timeout_ms_min: at_least_0("group.min.session.timeout.ms"),
            session_timeout_ms_max: at_least_0("group.max.session.timeout.ms"),
            members_max: count("group.max.size"),
            consumer: ConsumerGroupConfig::typed(of)?,
            offset_metadata_bytes_max: count("offset.metadata.max.bytes"),
            retention_ms: of.unsigned("offsets.retention.minutes") * 60_000,
            retention_check_ms: of.unsigned("offsets.retention.check.interval.ms"),
            topic_partitions: of.int("offsets.topic.num.partitions"),
            topic_replication_factor: i16::try_from(of.number("offsets.topic.replication.factor"))
                .unwrap_or(1),
            topic_segment_bytes: at_least_0("offsets.topic.segment.bytes"),
        })
    }
}
