//! InitializeShareGroupState (key 83), versions 0: creates the state of share partitions.

use crate::{Array, Message, Struct, Uuid};

/// The request of InitializeShareGroupState (key 83).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "InitializeShareGroupStateRequest", api = 83, versions = "0", flexible = "0+")]
pub struct InitializeShareGroupStateRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, InitializeStateData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct InitializeStateData<'a> {
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
    pub state_epoch: i32,
    #[kafka(versions = "0+")]
    pub start_offset: i64,
}

/// The response of InitializeShareGroupState (key 83).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "InitializeShareGroupStateResponse", api = 83, versions = "0", flexible = "0+")]
pub struct InitializeShareGroupStateResponse<'a> {
    #[kafka(versions = "0+")]
    pub results: Array<'a, InitializeStateResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct InitializeStateResult<'a> {
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
