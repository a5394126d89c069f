//! WriteShareGroupState (key 85), versions 0-1: updates the state of share partitions.

use crate::{Array, Message, Struct, Uuid};

/// The request of WriteShareGroupState (key 85).
///
/// - v1: adds `delivery_complete_count` (KIP-1226).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "WriteShareGroupStateRequest", api = 85, versions = "0-1", flexible = "0+")]
pub struct WriteShareGroupStateRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, WriteStateData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct WriteStateData<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, PartitionData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionData<'a> {
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "0+")]
    pub state_epoch: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub start_offset: i64,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub delivery_complete_count: i32,
    #[kafka(versions = "0+")]
    pub state_batches: Array<'a, StateBatch>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct StateBatch {
    #[kafka(versions = "0+")]
    pub first_offset: i64,
    #[kafka(versions = "0+")]
    pub last_offset: i64,
    #[kafka(versions = "0+")]
    pub delivery_state: i8,
    #[kafka(versions = "0+")]
    pub delivery_count: i16,
}

/// The response of WriteShareGroupState (key 85).
///
/// - v1: behaviour only (KIP-1226).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "WriteShareGroupStateResponse", api = 85, versions = "0-1", flexible = "0+")]
pub struct WriteShareGroupStateResponse<'a> {
    #[kafka(versions = "0+")]
    pub results: Array<'a, WriteStateResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct WriteStateResult<'a> {
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
}
