//! What is asked of consumer groups and what they answer, as values that may cross shards.
//!
//! Decides which heartbeats are refused for what they are, whatever the group.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use protocol::ErrorCode;

use super::names::{GroupEpoch, InstanceId, MemberId};
use crate::group::Assignment;
use crate::group::assignor::Assignor;

/// The first version in which members choose their ids.
const MEMBER_CHOOSES_ITS_ID: i16 = 1;

/// One ConsumerGroupHeartbeat. What is None has not changed since the member's last one.
#[derive(Debug, Clone)]
pub struct HeartbeatRequest {
    pub api_version: i16,
    /// Of a member that leaves the choice to us (version 0): a fresh one, with `has_fresh_id`.
    pub member_id: MemberId,
    pub has_fresh_id: bool,
    pub member_epoch: GroupEpoch,
    pub instance_id: Option<InstanceId>,
    pub rack_id: Option<Arc<str>>,
    /// -1: not changed.
    pub rebalance_timeout_ms: i32,
    pub subscribed_topic_names: Option<BTreeSet<Arc<str>>>,
    pub subscribed_topic_regex: Option<Arc<str>>,
    pub server_assignor: Option<Arc<str>>,
    /// What the member owns.
    pub topic_partitions: Option<Assignment>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    pub member_id: MemberId,
    pub member_epoch: GroupEpoch,
    pub heartbeat_interval_ms: i32,
    /// None: what it was.
    pub assignment: Option<Assignment>,
}

/// Why a request is refused: Kafka's error code, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub error: ErrorCode,
    pub message: String,
}

impl Refusal {
    pub fn new(error: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { error, message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.error, self.message)
    }
}

/// The broker's configs that consumer groups go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroupConfig {
    pub session_timeout_ms: i32,
    pub heartbeat_interval_ms: i32,
    pub max_size: usize,
    /// The first is the default. Never empty.
    pub assignors: Vec<Assignor>,
    pub migration_policy: MigrationPolicy,
}

/// `group.consumer.migration.policy`: which groups change their protocol while they have members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationPolicy {
    Bidirectional,
    Upgrade,
    Downgrade,
    Disabled,
}

impl MigrationPolicy {
    #[must_use]
    pub fn by_name(name: &str) -> Option<MigrationPolicy> {
        Some(match name.to_ascii_lowercase().as_str() {
            "bidirectional" => MigrationPolicy::Bidirectional,
            "upgrade" => MigrationPolicy::Upgrade,
            "downgrade" => MigrationPolicy::Downgrade,
            "disabled" => MigrationPolicy::Disabled,
            _ => return None,
        })
    }

    #[must_use]
    pub fn upgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Upgrade)
    }

    #[must_use]
    pub fn downgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Downgrade)
    }
}

impl HeartbeatRequest {
    #[must_use]
    pub fn leaves(&self) -> bool {
        self.member_epoch == GroupEpoch::LEAVES || self.member_epoch == GroupEpoch::LEAVES_FOR_A_WHILE
    }

    #[must_use]
    pub fn joins(&self) -> bool {
        self.member_epoch == GroupEpoch::ZERO
    }

    /// A member that is not sure what we know says everything, and must hear everything.
    #[must_use]
    pub(super) fn is_full(&self) -> bool {
        let subscribes = self.subscribed_topic_names.is_some() || self.subscribed_topic_regex.is_some();
        self.rebalance_timeout_ms != -1 && subscribes && self.topic_partitions.is_some()
    }

    /// Errors: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR.
    pub fn validate(&self, group_id: &str, config: &ConsumerGroupConfig) -> Result<(), Refusal> {
        let must_name_itself = self.api_version >= MEMBER_CHOOSES_ITS_ID || !self.joins();
        if must_name_itself && (self.has_fresh_id || self.member_id.as_str().is_empty()) {
            return Err(invalid("MemberId can't be empty."));
        }
        if group_id.is_empty() {
            return Err(invalid("GroupId can't be empty."));
        }
        if self.instance_id.as_ref().is_some_and(|instance_id| instance_id.as_str().is_empty()) {
            return Err(invalid("InstanceId can't be empty."));
        }
        if self.rack_id.as_ref().is_some_and(|rack_id| rack_id.is_empty()) {
            return Err(invalid("RackId can't be empty."));
        }
        match self.member_epoch.0 {
            0 if self.rebalance_timeout_ms == -1 => {
                return Err(invalid("RebalanceTimeoutMs must be provided in first request."));
            }
            0 if !self.topic_partitions.as_ref().is_some_and(Assignment::is_empty) => {
                return Err(invalid("TopicPartitions must be empty when (re-)joining."));
            }
            0 if self.subscribed_topic_names.is_none() && self.subscribed_topic_regex.is_none() => {
                let problem =
                    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
                return Err(invalid(problem));
            }
            -2 if self.instance_id.is_none() => return Err(invalid("InstanceId can't be null.")),
            ..-2 => return Err(invalid("MemberEpoch is invalid.")),
            _ => {}
        }
        match &self.server_assignor {
            Some(name) if !config.assignors.iter().any(|assignor| assignor.name() == &**name) => {
                let known: Vec<&str> = config.assignors.iter().map(|assignor| assignor.name()).collect();
                let problem = format!(
                    "ServerAssignor {name} is not supported. Supported assignors: {}.",
                    known.join(", ")
                );
                Err(Refusal::new(ErrorCode::UNSUPPORTED_ASSIGNOR, problem))
            }
            _ => Ok(()),
        }
    }
}

fn invalid(problem: &str) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, problem)
}
