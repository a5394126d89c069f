//! OffsetForLeaderEpoch (key 23), versions 2-4: where a leader epoch ends in the log.

use crate::{Array, Message, Struct};

/// The request of OffsetForLeaderEpoch (key 23).
///
/// - v3: adds `replica_id`.
/// - v4: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetForLeaderEpochRequest", api = 23, versions = "2-4", flexible = "4+")]
pub struct OffsetForLeaderEpochRequest<'a> {
    #[kafka(versions = "3+", default = -2, ignorable)]
    pub replica_id: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, OffsetForLeaderTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetForLeaderTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, OffsetForLeaderPartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetForLeaderPartition {
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
}

/// The response of OffsetForLeaderEpoch (key 23).
///
/// - v4: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetForLeaderEpochResponse", api = 23, versions = "2-4", flexible = "4+")]
pub struct OffsetForLeaderEpochResponse<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, OffsetForLeaderTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetForLeaderTopicResult<'a> {
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, EpochEndOffset>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct EpochEndOffset {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub leader_epoch: i32,
    #[kafka(versions = "0+", default = -1)]
    pub end_offset: i64,
}
