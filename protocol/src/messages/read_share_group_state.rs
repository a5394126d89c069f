//! ReadShareGroupState (key 84), versions 0: the state of share partitions.

use crate::{Array, Message, Struct, Uuid};

/// The request of ReadShareGroupState (key 84).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ReadShareGroupStateRequest", api = 84, versions = "0", flexible = "0+")]
pub struct ReadShareGroupStateRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, ReadStateData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReadStateData<'a> {
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

/// The response of ReadShareGroupState (key 84).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ReadShareGroupStateResponse", api = 84, versions = "0", flexible = "0+")]
pub struct ReadShareGroupStateResponse<'a> {
    #[kafka(versions = "0+")]
    pub results: Array<'a, ReadStateResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReadStateResult<'a> {
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
    pub start_offset: i64,
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
