//! Which heartbeats are refused for what they are, whatever the group.

use protocol::error_code::ErrorCode;

use crate::config::ConsumerGroupConfig;
use crate::model::Assignment;
use crate::model::consumer_group::{ConsumerHeartbeatAsk, GroupEpoch, Refusal};

/// The first version in which members choose their ids.
const MEMBER_CHOOSES_ITS_ID: i16 = 1;

impl ConsumerHeartbeatAsk {
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
    pub fn validate(&self, config: &ConsumerGroupConfig) -> Result<(), Refusal> {
        let must_name_itself = self.api_version >= MEMBER_CHOOSES_ITS_ID || !self.joins();
        if must_name_itself && self.member_id.as_str().is_empty() {
            return Err(invalid("MemberId can't be empty."));
        }
        if self.group_id.is_empty() {
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
