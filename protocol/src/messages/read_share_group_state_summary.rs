//! ReadShareGroupStateSummary (key 87), versions 0-1: start offsets of share partitions, without the state
//! batches.

use crate::{Array, Message, Struct, Uuid};

/// The request of ReadShareGroupStateSummary (key 87).
///
/// - v1: behaviour only (KIP-1226).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ReadShareGroupStateSummaryRequest", api = 87, versions = "0-1", flexible = "0+")]
pub struct ReadShareGroupStateSummaryRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, ReadStateSummaryData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReadStateSummaryData<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, PartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionData {
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
}

/// The response of ReadShareGroupStateSummary (key 87).
///
/// - v1: adds `delivery_complete_count` (KIP-1226).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ReadShareGroupStateSummaryResponse", api = 87, versions = "0-1", flexible = "0+")]
pub struct ReadShareGroupStateSummaryResponse<'a> {
    #[kafka(versions = "0+")]
    pub results: Array<'a, ReadStateSummaryResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReadStateSummaryResult<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, PartitionResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionResult<'a> {
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub state_epoch: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub start_offset: i64,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub delivery_complete_count: i32,
}
