//! TxnOffsetCommit (key 28), versions 0-6: stores a group's offsets as part of a transaction.

use crate::{Array, Message, Struct, Uuid};

/// The request of TxnOffsetCommit (key 28).
///
/// - v2: adds `committed_leader_epoch`.
/// - v3: adds `generation_id_or_member_epoch`, `member_id`, `group_instance_id`; flexible (KIP-482).
/// - v4: behaviour only (KIP-890).
/// - v5: behaviour only (KIP-890).
/// - v6: adds `topic_id`; drops `name` (KIP-1319).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "TxnOffsetCommitRequest", api = 28, versions = "0-6", flexible = "3+")]
pub struct TxnOffsetCommitRequest<'a> {
    #[kafka(versions = "0+")]
    pub transactional_id: &'a str,
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    #[kafka(versions = "3+", default = -1)]
    pub generation_id_or_member_epoch: i32,
    #[kafka(versions = "3+")]
    pub member_id: &'a str,
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, TxnOffsetCommitRequestTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TxnOffsetCommitRequestTopic<'a> {
    #[kafka(versions = "0-5", ignorable)]
    pub name: &'a str,
    #[kafka(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, TxnOffsetCommitRequestPartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TxnOffsetCommitRequestPartition<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub committed_offset: i64,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[kafka(versions = "0+", nullable = "0+")]
    pub committed_metadata: Option<&'a str>,
}

/// The response of TxnOffsetCommit (key 28).
///
/// - v3: flexible (KIP-482).
/// - v4: behaviour only (KIP-890).
/// - v5: behaviour only (KIP-890).
/// - v6: adds `topic_id`; drops `name` (KIP-1319).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "TxnOffsetCommitResponse", api = 28, versions = "0-6", flexible = "3+")]
pub struct TxnOffsetCommitResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, TxnOffsetCommitResponseTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TxnOffsetCommitResponseTopic<'a> {
    #[kafka(versions = "0-5", ignorable)]
    pub name: &'a str,
    #[kafka(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, TxnOffsetCommitResponsePartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TxnOffsetCommitResponsePartition {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
