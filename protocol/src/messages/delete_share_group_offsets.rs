//! DeleteShareGroupOffsets (key 92), versions 0: deletes a share group's offsets of topics.

use crate::{Array, Message, Struct, Uuid};

/// The request of DeleteShareGroupOffsets (key 92).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteShareGroupOffsetsRequest", api = 92, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupOffsetsRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DeleteShareGroupOffsetsRequestTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteShareGroupOffsetsRequestTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
}

/// The response of DeleteShareGroupOffsets (key 92).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteShareGroupOffsetsResponse", api = 92, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupOffsetsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub responses: Array<'a, DeleteShareGroupOffsetsResponseTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteShareGroupOffsetsResponseTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
}
