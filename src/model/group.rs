//! What clients ask of groups, and what they are told. Plain data that owns its parts: asks and answers cross shards.

use bytes::Bytes;
use protocol::error_code::ErrorCode;

use super::consumer_group::{ConsumerHeartbeatAnswer, ConsumerHeartbeatAsk, DescribedConsumerGroup, Refusal};
use super::{GenerationId, LeaderEpoch, Offset, TopicId};

/// One group's part of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupAsk {
    Join(JoinAsk),
    Sync(SyncAsk),
    Heartbeat(HeartbeatAsk),
    Leave(LeaveAsk),
    CommitOffsets(CommitAsk),
    FetchOffsets(FetchAsk),
    DeleteOffsets(DeleteOffsetsAsk),
    /// Of all groups of a coordinator.
    List(ListAsk),
    Describe {
        group_id: String,
    },
    Delete {
        group_id: String,
    },
    ConsumerHeartbeat(ConsumerHeartbeatAsk),
    DescribeConsumerGroup {
        group_id: String,
    },
}

/// What is told of success; a failure of the whole ask is an error code instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupAnswer {
    Join(JoinAnswer),
    Sync(SyncAnswer),
    HeartbeatHeard,
    /// One error for each member, in the order of the ask.
    Left(Vec<ErrorCode>),
    /// One error for each partition, in the order of the ask.
    OffsetsCommitted(Vec<ErrorCode>),
    OffsetsFetched(Vec<FetchedTopic>),
    /// One error for each partition, in the order of the ask.
    OffsetsDeleted(Vec<ErrorCode>),
    Listed(Vec<ListedGroup>),
    Described(DescribedGroup),
    Deleted,
    ConsumerHeard(Result<ConsumerHeartbeatAnswer, Refusal>),
    ConsumerGroupDescribed(DescribedConsumerGroup),
}

pub type GroupReply = Result<GroupAnswer, ErrorCode>;

impl GroupAsk {
    /// None: it concerns all groups.
    #[must_use]
    pub fn group_id(&self) -> Option<&str> {
        Some(match self {
            GroupAsk::Join(ask) => &ask.group_id,
            GroupAsk::Sync(ask) => &ask.group_id,
            GroupAsk::Heartbeat(ask) => &ask.group_id,
            GroupAsk::Leave(ask) => &ask.group_id,
            GroupAsk::CommitOffsets(ask) => &ask.group_id,
            GroupAsk::FetchOffsets(ask) => &ask.group_id,
            GroupAsk::DeleteOffsets(ask) => &ask.group_id,
            GroupAsk::ConsumerHeartbeat(ask) => &ask.group_id,
            GroupAsk::Describe { group_id }
            | GroupAsk::Delete { group_id }
            | GroupAsk::DescribeConsumerGroup { group_id } => group_id,
            GroupAsk::List(_) => return None,
        })
    }
}

impl GroupAsk {
    /// Whether its answer may come with records.
    #[must_use]
    pub fn may_write(&self) -> bool {
        !matches!(
            self,
            GroupAsk::Heartbeat(_)
                | GroupAsk::FetchOffsets(_)
                | GroupAsk::List(_)
                | GroupAsk::Describe { .. }
                | GroupAsk::DescribeConsumerGroup { .. }
        )
    }
}

/// Who sent a request, as group members are described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupClient {
    pub client_id: String,
    /// `/ADDRESS`, as Kafka shows it.
    pub client_host: String,
}

/// A way of assigning partitions that a member knows, with what the assigning member must know for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinProtocol {
    pub name: String,
    pub metadata: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinAsk {
    pub client: GroupClient,
    pub group_id: String,
    pub session_timeout_ms: u32,
    pub rebalance_timeout_ms: u32,
    /// Empty: none yet.
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub protocol_type: String,
    pub protocols: Vec<JoinProtocol>,
    /// A new member is first told its id, and joins with that (since version 4).
    pub must_know_member_id: bool,
    /// The leader may be told to keep the assignment (since version 9).
    pub may_skip_assignment: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinAnswer {
    pub error: ErrorCode,
    pub generation_id: GenerationId,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    pub member_id: String,
    /// Only the leader is told.
    pub members: Vec<JoinedMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub metadata: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncAsk {
    pub group_id: String,
    pub generation_id: GenerationId,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    /// By member id. Of the leader only.
    pub assignments: Vec<(String, Bytes)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncAnswer {
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub assignment: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatAsk {
    pub group_id: String,
    pub generation_id: GenerationId,
    pub member_id: String,
    pub group_instance_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveAsk {
    pub group_id: String,
    pub members: Vec<LeavingMember>,
}

/// With an instance id alone: whoever has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitAsk {
    pub group_id: String,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    /// Of a consumer group: the member's epoch. Negative: the committer is no member.
    pub generation_id: GenerationId,
    /// The client knows the errors of consumer groups (since version 9).
    pub knows_member_epochs: bool,
    pub retention_ms: Option<u64>,
    pub partitions: Vec<CommitPartition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPartition {
    pub topic: String,
    pub topic_id: TopicId,
    pub partition: i32,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchAsk {
    pub group_id: String,
    /// As in `CommitAsk`; None and a negative epoch: not checked.
    pub member_id: Option<String>,
    pub member_epoch: i32,
    /// Whoever is in a transaction must be waited for.
    pub require_stable: bool,
    /// None: all.
    pub topics: Option<Vec<FetchTopic>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchTopic {
    pub name: String,
    /// ZERO: by name alone.
    pub topic_id: TopicId,
    pub partitions: Vec<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedTopic {
    pub name: String,
    pub partitions: Vec<FetchedOffset>,
}

/// -1, -1 and no metadata: nothing is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedOffset {
    pub partition: i32,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
    pub error: ErrorCode,
}

impl FetchedOffset {
    #[must_use]
    pub fn none(partition: i32, error: ErrorCode) -> FetchedOffset {
        let (offset, leader_epoch) = (Offset(-1), LeaderEpoch(-1));
        FetchedOffset { partition, offset, leader_epoch, metadata: String::new(), error }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteOffsetsAsk {
    pub group_id: String,
    pub partitions: Vec<(String, i32)>,
}

/// Empty: no filter. In any case of letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListAsk {
    pub states: Vec<String>,
    pub types: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    pub group_id: String,
    pub protocol_type: String,
    pub state: &'static str,
    pub group_type: &'static str,
}

/// A classic group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedGroup {
    pub state: &'static str,
    pub protocol_type: String,
    pub protocol_name: String,
    pub members: Vec<DescribedMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client: GroupClient,
    pub metadata: Bytes,
    pub assignment: Bytes,
}
