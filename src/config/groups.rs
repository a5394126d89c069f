//! What the keys of groups and committed offsets mean.

use std::collections::BTreeMap;

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
    pub session_timeout: Interval,
    pub heartbeat_interval: Interval,
    pub assignment_interval: Interval,
    /// How old what a regular expression stands for may become.
    pub regex_refresh_ms: u32,
    pub members_max: usize,
    /// The first is the default. Never empty.
    pub assignors: Vec<Assignor>,
    /// Classic groups become consumer groups when a member comes that speaks the new protocol.
    pub upgrades: bool,
    /// Consumer groups become classic ones when the last member has gone that speaks it.
    pub downgrades: bool,
}

/// Milliseconds that a group may set for itself, within bounds.
///
/// Invariants: min_ms <= ms <= max_ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub ms: u32,
    pub min_ms: u32,
    pub max_ms: u32,
}

/// What counts for one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupIntervals {
    pub session_timeout_ms: u32,
    pub heartbeat_interval_ms: u32,
    pub assignment_interval_ms: u32,
}

type Overrides = BTreeMap<String, String>;

impl Interval {
    /// The group's own, as far as the broker allows it now.
    fn of(self, overrides: &Overrides, name: &str) -> u32 {
        let own = overrides.get(name).and_then(|text| text.parse::<u32>().ok());
        own.map_or(self.ms, |ms| ms.clamp(self.min_ms, self.max_ms))
    }

    fn check(self, overrides: &Overrides, key: &str) -> Result<(), String> {
        let name = format!("consumer.{key}");
        let Some(ms) = overrides.get(&name).and_then(|text| text.parse::<u32>().ok()) else {
            return Ok(());
        };
        if ms < self.min_ms {
            return Err(format!("{name} must be greater than or equal to group.consumer.min.{key}"));
        }
        if ms > self.max_ms {
            return Err(format!("{name} must be less than or equal to group.consumer.max.{key}"));
        }
        Ok(())
    }
}

impl ConsumerGroupConfig {
    /// What counts for a group with these settings of its own; None: it has none.
    #[must_use]
    pub fn intervals(&self, overrides: Option<&Overrides>) -> GroupIntervals {
        let of = |interval: Interval, name| {
            overrides.map_or(interval.ms, |overrides| interval.of(overrides, name))
        };
        GroupIntervals {
            session_timeout_ms: of(self.session_timeout, "consumer.session.timeout.ms"),
            heartbeat_interval_ms: of(self.heartbeat_interval, "consumer.heartbeat.interval.ms"),
            assignment_interval_ms: of(self.assignment_interval, "consumer.assignment.interval.ms"),
        }
    }

    /// Whether a group may have these settings, each of which is of its type. The error is Kafka's sentence.
    pub fn check_group(&self, overrides: &Overrides) -> Result<(), String> {
        self.heartbeat_interval.check(overrides, "heartbeat.interval.ms")?;
        self.session_timeout.check(overrides, "session.timeout.ms")?;
        self.assignment_interval.check(overrides, "assignment.interval.ms")?;
        let intervals = self.intervals(Some(overrides));
        let sets = ["consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"];
        if sets.iter().any(|name| overrides.contains_key(*name))
            && intervals.session_timeout_ms <= intervals.heartbeat_interval_ms
        {
            let problem = "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms";
            return Err(problem.to_owned());
        }
        Ok(())
    }

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
            session_timeout: between(of, "session.timeout.ms")?,
            heartbeat_interval: between(of, "heartbeat.interval.ms")?,
            assignment_interval: between(of, "assignment.interval.ms")?,
            regex_refresh_ms: of.int("group.consumer.regex.refresh.interval.ms").unsigned_abs(),
            members_max: usize::try_from(of.unsigned("group.consumer.max.size")).unwrap_or(usize::MAX),
            assignors,
            upgrades: matches!(&*policy, "UPGRADE" | "BIDIRECTIONAL"),
            downgrades: matches!(&*policy, "DOWNGRADE" | "BIDIRECTIONAL"),
        })
    }
}

/// `group.consumer.KEY`, which must be between the keys that say its least and its most.
fn between(of: &Texts<'_>, key: &str) -> Result<Interval, ConfigError> {
    let value = of.int(&format!("group.consumer.{key}"));
    let (least, most) = (format!("group.consumer.min.{key}"), format!("group.consumer.max.{key}"));
    let (min, max) = (of.int(&least), of.int(&most));
    if (min..=max).contains(&value) {
        let (ms, min_ms, max_ms) = (value.unsigned_abs(), min.unsigned_abs(), max.unsigned_abs());
        return Ok(Interval { ms, min_ms, max_ms });
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
