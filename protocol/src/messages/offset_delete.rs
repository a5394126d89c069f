//! OffsetDelete (key 47), versions 0: deletes stored offsets of a group.

use crate::{Array, Message, Struct};

/// The request of OffsetDelete (key 47).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetDeleteRequest", api = 47, versions = "0", flexible = "none")]
pub struct OffsetDeleteRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, OffsetDeleteRequestTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetDeleteRequestTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, OffsetDeleteRequestPartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetDeleteRequestPartition {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
}

/// The response of OffsetDelete (key 47).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "OffsetDeleteResponse", api = 47, versions = "0", flexible = "none")]
pub struct OffsetDeleteResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, OffsetDeleteResponseTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetDeleteResponseTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, OffsetDeleteResponsePartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OffsetDeleteResponsePartition {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
