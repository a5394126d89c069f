//! AlterShareGroupOffsets (key 91), versions 0: sets start offsets of a share group.

use crate::{Array, Message, Struct, Uuid};

/// The request of AlterShareGroupOffsets (key 91).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterShareGroupOffsetsRequest", api = 91, versions = "0", flexible = "0+")]
pub struct AlterShareGroupOffsetsRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, AlterShareGroupOffsetsRequestTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsRequestTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, AlterShareGroupOffsetsRequestPartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsRequestPartition {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub start_offset: i64,
}

/// The response of AlterShareGroupOffsets (key 91).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterShareGroupOffsetsResponse", api = 91, versions = "0", flexible = "0+")]
pub struct AlterShareGroupOffsetsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub responses: Array<'a, AlterShareGroupOffsetsResponseTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsResponseTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, AlterShareGroupOffsetsResponsePartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsResponsePartition<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
}
