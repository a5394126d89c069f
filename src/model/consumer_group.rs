//! Consumer groups of the new protocol (KIP-848), as they are spoken of: who is who, what is asked and what is told.
//!
//! Plain data that owns its parts: asks and answers cross shards.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use protocol::error_code::ErrorCode;

use super::{Assignment, PartitionIndex, TopicId};

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

text!(
    /// A member of a group, as long as one of its processes lives.
    MemberId
);
text!(
    /// `group.instance.id`: a static member, over restarts of its process.
    InstanceId
);

/// Counts the changes of a consumer group. A member's epoch is the one whose target it has reached; a target's, the one it is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupEpoch(pub i32);

impl GroupEpoch {
    /// Of a member that has no assignment yet, and of a target that was not made yet.
    pub const ZERO: GroupEpoch = GroupEpoch(0);
    /// What a member says that leaves.
    pub const LEAVES: GroupEpoch = GroupEpoch(-1);
    /// What a static member says that will be back.
    pub const LEAVES_FOR_A_WHILE: GroupEpoch = GroupEpoch(-2);

    #[must_use]
    pub fn next(self) -> GroupEpoch {
        GroupEpoch(self.0.saturating_add(1))
    }
}

impl fmt::Display for GroupEpoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Kafka's two built-in server-side assignors, by their names in `group.consumer.assignors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// Balanced over all topics together; what a member had, it keeps as far as balance allows.
    Uniform,
    /// Each topic is cut into ranges, in the same order of members: equal partitions of topics of equal size go to one member.
    Range,
}

impl Assignor {
    pub const ALL: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    #[must_use]
    pub fn by_name(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }
}

/// One ConsumerGroupHeartbeat. What is None has not changed since the member's last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerHeartbeatAsk {
    pub api_version: i16,
    pub group_id: String,
    /// Empty: the broker is to choose one (version 0).
    pub member_id: MemberId,
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
pub struct ConsumerHeartbeatAnswer {
    pub member_id: MemberId,
    pub member_epoch: GroupEpoch,
    pub heartbeat_interval_ms: u32,
    /// None: what it was.
    pub assignment: Option<Assignment>,
}

/// Why a request is refused: Kafka's error code, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub error: ErrorCode,
    pub message: String,
}

/// Messages quote what clients sent, which may fill a string of the wire by itself.
const MESSAGE_BYTES_MAX: usize = 1_000;

impl Refusal {
    pub fn new(error: ErrorCode, message: impl Into<String>) -> Refusal {
        let mut message = message.into();
        let end = (0..=MESSAGE_BYTES_MAX.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or(0));
        Refusal { error, message }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.error, self.message)
    }
}

/// A consumer group as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    pub state: &'static str,
    pub group_epoch: GroupEpoch,
    pub assignment_epoch: GroupEpoch,
    pub assignor: &'static str,
    pub members: Vec<DescribedConsumer>,
}

/// Partitions of topics, by name too.
pub type NamedPartitions = Vec<(TopicId, Arc<str>, Vec<PartitionIndex>)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumer {
    pub member_id: MemberId,
    pub member_epoch: GroupEpoch,
    pub instance_id: Option<InstanceId>,
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub subscribed_topic_names: Arc<BTreeSet<Arc<str>>>,
    pub subscribed_topic_regex: Option<Arc<str>>,
    /// With what it must give up: it has that still.
    pub assignment: NamedPartitions,
    pub target: NamedPartitions,
    /// It speaks the classic protocol.
    pub is_classic: bool,
}
