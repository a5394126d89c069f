//! DeleteShareGroupState (key 86), versions 0: deletes the state of share partitions.

use crate::{Array, Message, Struct, Uuid};

/// The request of DeleteShareGroupState (key 86).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteShareGroupStateRequest", api = 86, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupStateRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DeleteStateData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteStateData<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, PartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionData {
    #[kafka(versions = "0+")]
    pub partition: i32,
}

/// The response of DeleteShareGroupState (key 86).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteShareGroupStateResponse", api = 86, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupStateResponse<'a> {
    #[kafka(versions = "0+")]
    pub results: Array<'a, DeleteStateResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteStateResult<'a> {
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
