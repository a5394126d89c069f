//! OffsetFetch (key 9), versions 1-10: the offsets a group has stored.

use crate::{Array, Message, Struct, Uuid};

/// The request of OffsetFetch (key 9).
///
/// - v6: flexible (KIP-482).
/// - v7: adds `require_stable`.
/// - v8: adds `groups`; drops `group_id`, `topics`, `name`, `partition_indexes`.
/// - v9: adds `member_id`, `member_epoch` (KIP-848).
/// - v10: adds `topic_id`; drops `name` (KIP-848).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetFetchRequest", api = 9, versions = "1-10", flexible = "6+")]
pub struct OffsetFetchRequest<'a> {
    #[kafka(versions = "0-7")]
    pub group_id: &'a str,
    #[kafka(versions = "0-7", nullable = "2-7")]
    pub topics: Option<Array<'a, OffsetFetchRequestTopic<'a>>>,
    #[kafka(versions = "8+")]
    pub groups: Array<'a, OffsetFetchRequestGroup<'a>>,
    #[kafka(versions = "7+")]
    pub require_stable: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetFetchRequestTopic<'a> {
    #[kafka(versions = "0-7")]
    pub name: &'a str,
    #[kafka(versions = "0-7")]
    pub partition_indexes: Array<'a, i32>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetFetchRequestGroup<'a> {
    #[kafka(versions = "8+")]
    pub group_id: &'a str,
    #[kafka(versions = "9+", nullable = "9+", default = null, ignorable)]
    pub member_id: Option<&'a str>,
    #[kafka(versions = "9+", default = -1, ignorable)]
    pub member_epoch: i32,
    #[kafka(versions = "8+", nullable = "8+")]
    pub topics: Option<Array<'a, OffsetFetchRequestTopics<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetFetchRequestTopics<'a> {
    #[kafka(versions = "8-9", ignorable)]
    pub name: &'a str,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "8+")]
    pub partition_indexes: Array<'a, i32>,
}

/// The response of OffsetFetch (key 9).
///
/// - v2: adds `error_code`.
/// - v3: adds `throttle_time_ms`.
/// - v5: adds `committed_leader_epoch`.
/// - v6: flexible (KIP-482).
/// - v8: adds `groups`; drops `topics`, `name`, `partitions`, `partition_index`, `committed_offset`,
///   `committed_leader_epoch`, ....
/// - v9: behaviour only (KIP-848).
/// - v10: adds `topic_id`; drops `name` (KIP-848).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetFetchResponse", api = 9, versions = "1-10", flexible = "6+")]
pub struct OffsetFetchResponse<'a> {
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0-7")]
    pub topics: Array<'a, OffsetFetchResponseTopic<'a>>,
    #[kafka(versions = "2-7", ignorable)]
    pub error_code: i16,
    #[kafka(versions = "8+")]
    pub groups: Array<'a, OffsetFetchResponseGroup<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetFetchResponseTopic<'a> {
    #[kafka(versions = "0-7")]
    pub name: &'a str,
    #[kafka(versions = "0-7")]
    pub partitions: Array<'a, OffsetFetchResponsePartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetFetchResponsePartition<'a> {
    #[kafka(versions = "0-7")]
    pub partition_index: i32,
    #[kafka(versions = "0-7")]
    pub committed_offset: i64,
    #[kafka(versions = "5-7", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[kafka(versions = "0-7", nullable = "0-7")]
    pub metadata: Option<&'a str>,
    #[kafka(versions = "0-7")]
    pub error_code: i16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetFetchResponseGroup<'a> {
    #[kafka(versions = "8+")]
    pub group_id: &'a str,
    #[kafka(versions = "8+")]
    pub topics: Array<'a, OffsetFetchResponseTopics<'a>>,
    #[kafka(versions = "8+")]
    pub error_code: i16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetFetchResponseTopics<'a> {
    #[kafka(versions = "8-9", ignorable)]
    pub name: &'a str,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "8+")]
    pub partitions: Array<'a, OffsetFetchResponsePartitions<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetFetchResponsePartitions<'a> {
    #[kafka(versions = "8+")]
    pub partition_index: i32,
    #[kafka(versions = "8+")]
    pub committed_offset: i64,
    #[kafka(versions = "8+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[kafka(versions = "8+", nullable = "8+")]
    pub metadata: Option<&'a str>,
    #[kafka(versions = "8+")]
    pub error_code: i16,
}
