//! OffsetCommit (key 8), versions 2-10: stores the offsets a group has consumed.

use crate::{Array, Message, Struct, Uuid};

/// The request of OffsetCommit (key 8).
///
/// - v5: drops `retention_time_ms`.
/// - v6: adds `committed_leader_epoch`.
/// - v7: adds `group_instance_id`.
/// - v8: flexible (KIP-482).
/// - v9: behaviour only (KIP-848).
/// - v10: adds `topic_id`; drops `name` (KIP-848).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetCommitRequest", api = 8, versions = "2-10", flexible = "8+")]
pub struct OffsetCommitRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub generation_id_or_member_epoch: i32,
    #[kafka(versions = "1+", ignorable)]
    pub member_id: &'a str,
    #[kafka(versions = "7+", nullable = "7+", default = null)]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "2-4", default = -1, ignorable)]
    pub retention_time_ms: i64,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, OffsetCommitRequestTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetCommitRequestTopic<'a> {
    #[kafka(versions = "0-9", ignorable)]
    pub name: &'a str,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, OffsetCommitRequestPartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetCommitRequestPartition<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub committed_offset: i64,
    #[kafka(versions = "6+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[kafka(versions = "0+", nullable = "0+")]
    pub committed_metadata: Option<&'a str>,
}

/// The response of OffsetCommit (key 8).
///
/// - v3: adds `throttle_time_ms`.
/// - v8: flexible (KIP-482).
/// - v9: behaviour only (KIP-848).
/// - v10: adds `topic_id`; drops `name` (KIP-848).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetCommitResponse", api = 8, versions = "2-10", flexible = "8+")]
pub struct OffsetCommitResponse<'a> {
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, OffsetCommitResponseTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetCommitResponseTopic<'a> {
    #[kafka(versions = "0-9", ignorable)]
    pub name: &'a str,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, OffsetCommitResponsePartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetCommitResponsePartition {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
