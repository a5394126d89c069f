//! ListOffsets (key 2), versions 1-11: the offset of a timestamp, or of a partition's beginning, end, or
//! largest timestamp.

use crate::{Array, Message, Struct};

/// The request of ListOffsets (key 2).
///
/// - v2: adds `isolation_level`.
/// - v3: throttled after the answer (KIP-219).
/// - v4: adds `current_leader_epoch`.
/// - v5: OFFSET_NOT_AVAILABLE known (KIP-207).
/// - v6: flexible (KIP-482).
/// - v7: timestamp -3, largest timestamp (KIP-734).
/// - v8: timestamp -4, local log start (KIP-405).
/// - v9: timestamp -5, last tiered offset (KIP-1005).
/// - v10: adds `timeout_ms`; asynchronous with tiered storage (KIP-1075).
/// - v11: timestamp -6, earliest pending upload (KIP-1023).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListOffsetsRequest", api = 2, versions = "1-11", flexible = "6+")]
pub struct ListOffsetsRequest<'a> {
    #[kafka(versions = "0+")]
    pub replica_id: i32,
    #[kafka(versions = "2+")]
    pub isolation_level: i8,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, ListOffsetsTopic<'a>>,
    #[kafka(versions = "10+", ignorable)]
    pub timeout_ms: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ListOffsetsTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, ListOffsetsPartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ListOffsetsPartition {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub timestamp: i64,
}

/// The response of ListOffsets (key 2).
///
/// - v2: adds `throttle_time_ms`.
/// - v4: adds `leader_epoch`.
/// - v6: flexible (KIP-482).
/// - v7: behaviour only (KIP-734).
/// - v8: behaviour only (KIP-405).
/// - v9: behaviour only (KIP-1005).
/// - v10: behaviour only (KIP-1075).
/// - v11: behaviour only (KIP-1023).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListOffsetsResponse", api = 2, versions = "1-11", flexible = "6+")]
pub struct ListOffsetsResponse<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, ListOffsetsTopicResponse<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ListOffsetsTopicResponse<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, ListOffsetsPartitionResponse>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ListOffsetsPartitionResponse {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "1+", default = -1)]
    pub timestamp: i64,
    #[kafka(versions = "1+", default = -1)]
    pub offset: i64,
    #[kafka(versions = "4+", default = -1)]
    pub leader_epoch: i32,
}
