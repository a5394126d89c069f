//! Records of `__consumer_offsets`; `API_KEY` is the record type, which a key starts with.
//!
//! Declared are the keys and values of committed offsets, classic groups and consumer groups. How type and version are framed is decided
//! by the group coordinator, not here.

use crate::{Array, Message, Struct, Uuid};

/// A committed offset, as written before 0.9.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "LegacyOffsetCommitKey", record = 0, versions = "0", flexible = "none")]
pub struct LegacyOffsetCommitKey<'a> {
    #[kafka(versions = "0+")]
    pub group: &'a str,
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partition: i32,
}

#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "LegacyOffsetCommitValue", record = 0, versions = "0", flexible = "none")]
pub struct LegacyOffsetCommitValue<'a> {
    #[kafka(versions = "0+")]
    pub offset: i64,
    #[kafka(versions = "0+")]
    pub metadata: &'a str,
    #[kafka(versions = "0+")]
    pub commit_timestamp: i64,
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetCommitKey", record = 1, versions = "0", flexible = "none")]
pub struct OffsetCommitKey<'a> {
    #[kafka(versions = "0+")]
    pub group: &'a str,
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partition: i32,
}

/// - v1: adds `expire_timestamp`.
/// - v2: removes it.
/// - v3: adds `leader_epoch`.
/// - v4: adds `topic_id`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetCommitValue", record = 1, versions = "0-4", flexible = "4+")]
pub struct OffsetCommitValue<'a> {
    #[kafka(versions = "0+")]
    pub offset: i64,
    #[kafka(versions = "3+", default = -1, ignorable)]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub metadata: &'a str,
    #[kafka(versions = "0+")]
    pub commit_timestamp: i64,
    #[kafka(versions = "1", default = -1, ignorable)]
    pub expire_timestamp: i64,
    #[kafka(versions = "4+", tag = 0, tagged = "4+", ignorable)]
    pub topic_id: Uuid,
}

/// A classic group with its members.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "GroupMetadataKey", record = 2, versions = "0", flexible = "none")]
pub struct GroupMetadataKey<'a> {
    #[kafka(versions = "0+")]
    pub group: &'a str,
}

/// - v1: adds `rebalance_timeout`.
/// - v2: adds `current_state_timestamp`.
/// - v3: adds `group_instance_id`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "GroupMetadataValue", record = 2, versions = "0-4", flexible = "4+")]
pub struct GroupMetadataValue<'a> {
    #[kafka(versions = "0+")]
    pub protocol_type: &'a str,
    #[kafka(versions = "0+")]
    pub generation: i32,
    #[kafka(versions = "0+", nullable = "0+")]
    pub protocol: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub leader: Option<&'a str>,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub current_state_timestamp: i64,
    #[kafka(versions = "0+")]
    pub members: Array<'a, MemberMetadata<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct MemberMetadata<'a> {
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "3+", nullable = "3+", default = null, ignorable)]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub client_id: &'a str,
    #[kafka(versions = "0+")]
    pub client_host: &'a str,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub rebalance_timeout: i32,
    #[kafka(versions = "0+")]
    pub session_timeout: i32,
    #[kafka(versions = "0+")]
    pub subscription: &'a [u8],
    #[kafka(versions = "0+")]
    pub assignment: &'a [u8],
}

/// A consumer group and its epoch.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupMetadataKey", record = 3, versions = "0", flexible = "none")]
pub struct ConsumerGroupMetadataKey<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
}

#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupMetadataValue", record = 3, versions = "0", flexible = "0+")]
pub struct ConsumerGroupMetadataValue {
    #[kafka(versions = "0+")]
    pub epoch: i32,
    #[kafka(versions = "0+", tag = 0, tagged = "0+")]
    pub metadata_hash: i64,
}

/// What a consumer group knows of its topics. Superseded by `metadata_hash` of the group (KIP-1101).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupPartitionMetadataKey", record = 4, versions = "0", flexible = "none")]
pub struct ConsumerGroupPartitionMetadataKey<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
}

#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupPartitionMetadataValue", record = 4, versions = "0", flexible = "0+")]
pub struct ConsumerGroupPartitionMetadataValue<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, TopicMetadata<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicMetadata<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub num_partitions: i32,
    #[kafka(versions = "0+")]
    pub partition_metadata: Array<'a, PartitionMetadata<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionMetadata<'a> {
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "0+")]
    pub racks: Array<'a, &'a str>,
}

/// A member of a consumer group and what it subscribes to.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupMemberMetadataKey", record = 5, versions = "0", flexible = "none")]
pub struct ConsumerGroupMemberMetadataKey<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
}

#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupMemberMetadataValue", record = 5, versions = "0", flexible = "0+")]
pub struct ConsumerGroupMemberMetadataValue<'a> {
    #[kafka(versions = "0+", nullable = "0+")]
    pub instance_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub rack_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub client_id: &'a str,
    #[kafka(versions = "0+")]
    pub client_host: &'a str,
    #[kafka(versions = "0+")]
    pub subscribed_topic_names: Array<'a, &'a str>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub subscribed_topic_regex: Option<&'a str>,
    #[kafka(versions = "0+", default = -1)]
    pub rebalance_timeout_ms: i32,
    #[kafka(versions = "0+", nullable = "0+")]
    pub server_assignor: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub classic_member_metadata: Option<ClassicMemberMetadata<'a>>,
}

/// Of a member that speaks the classic protocol in a consumer group.
#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ClassicMemberMetadata<'a> {
    #[kafka(versions = "0+")]
    pub session_timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub supported_protocols: Array<'a, ClassicProtocol<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ClassicProtocol<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub metadata: &'a [u8],
}

/// The epoch for which a consumer group's target assignment was worked out.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupTargetAssignmentMetadataKey", record = 6, versions = "0", flexible = "none")]
pub struct ConsumerGroupTargetAssignmentMetadataKey<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
}

#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupTargetAssignmentMetadataValue", record = 6, versions = "0", flexible = "0+")]
pub struct ConsumerGroupTargetAssignmentMetadataValue {
    #[kafka(versions = "0+")]
    pub assignment_epoch: i32,
    #[kafka(versions = "0+", tag = 0, tagged = "0+", ignorable)]
    pub assignment_timestamp: i64,
}

/// What a member of a consumer group shall own.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupTargetAssignmentMemberKey", record = 7, versions = "0", flexible = "none")]
pub struct ConsumerGroupTargetAssignmentMemberKey<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
}

#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupTargetAssignmentMemberValue", record = 7, versions = "0", flexible = "0+")]
pub struct ConsumerGroupTargetAssignmentMemberValue<'a> {
    #[kafka(versions = "0+")]
    pub topic_partitions: Array<'a, TargetTopicPartitions<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicPartition")]
pub struct TargetTopicPartitions<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

/// What a member of a consumer group owns and must give up.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupCurrentMemberAssignmentKey", record = 8, versions = "0", flexible = "none")]
pub struct ConsumerGroupCurrentMemberAssignmentKey<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
}

#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupCurrentMemberAssignmentValue", record = 8, versions = "0", flexible = "0+")]
pub struct ConsumerGroupCurrentMemberAssignmentValue<'a> {
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    #[kafka(versions = "0+")]
    pub previous_member_epoch: i32,
    #[kafka(versions = "0+")]
    pub state: i8,
    #[kafka(versions = "0+")]
    pub assigned_partitions: Array<'a, CurrentTopicPartitions<'a>>,
    #[kafka(versions = "0+")]
    pub partitions_pending_revocation: Array<'a, CurrentTopicPartitions<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicPartitions")]
pub struct CurrentTopicPartitions<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
    #[kafka(versions = "0+", nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub assignment_epochs: Option<Array<'a, i32>>,
}

/// The topics that a regular expression of a consumer group stood for.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupRegularExpressionKey", record = 16, versions = "0", flexible = "none")]
pub struct ConsumerGroupRegularExpressionKey<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub regular_expression: &'a str,
}

#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupRegularExpressionValue", record = 16, versions = "0", flexible = "0+")]
pub struct ConsumerGroupRegularExpressionValue<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub version: i64,
    #[kafka(versions = "0+")]
    pub timestamp: i64,
}
