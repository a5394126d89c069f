//! DescribeShareGroupOffsets (key 90), versions 0-1: the start offsets of share groups.

use crate::{Array, Message, Struct, Uuid};

/// The request of DescribeShareGroupOffsets (key 90).
///
/// - v1: behaviour only (KIP-1226).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeShareGroupOffsetsRequest", api = 90, versions = "0-1", flexible = "0+")]
pub struct DescribeShareGroupOffsetsRequest<'a> {
    #[kafka(versions = "0+")]
    pub groups: Array<'a, DescribeShareGroupOffsetsRequestGroup<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsRequestGroup<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub topics: Option<Array<'a, DescribeShareGroupOffsetsRequestTopic<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsRequestTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

/// The response of DescribeShareGroupOffsets (key 90).
///
/// - v1: adds `lag` (KIP-1226).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeShareGroupOffsetsResponse", api = 90, versions = "0-1", flexible = "0+")]
pub struct DescribeShareGroupOffsetsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub groups: Array<'a, DescribeShareGroupOffsetsResponseGroup<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponseGroup<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DescribeShareGroupOffsetsResponseTopic<'a>>,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponseTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, DescribeShareGroupOffsetsResponsePartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponsePartition<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub start_offset: i64,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub lag: i64,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
}
