//! DescribeTopicPartitions (key 75), versions 0: the partitions of topics, page by page.

use crate::{Array, Message, Struct, Uuid};

/// The request of DescribeTopicPartitions (key 75).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeTopicPartitionsRequest", api = 75, versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsRequest<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, TopicRequest<'a>>,
    #[kafka(versions = "0+", default = 2000)]
    pub response_partition_limit: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub cursor: Option<DescribeTopicPartitionsRequestCursor<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicRequest<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "Cursor")]
pub struct DescribeTopicPartitionsRequestCursor<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partition_index: i32,
}

/// The response of DescribeTopicPartitions (key 75).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeTopicPartitionsResponse", api = 75, versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsResponse<'a> {
    #[kafka(versions = "0+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DescribeTopicPartitionsResponseTopic<'a>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub next_cursor: Option<DescribeTopicPartitionsResponseCursor<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeTopicPartitionsResponseTopic<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub name: Option<&'a str>,
    #[kafka(versions = "0+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+", ignorable)]
    pub is_internal: bool,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, DescribeTopicPartitionsResponsePartition<'a>>,
    #[kafka(versions = "0+", default = i32::MIN)]
    pub topic_authorized_operations: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeTopicPartitionsResponsePartition<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+", default = -1, ignorable)]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub replica_nodes: Array<'a, i32>,
    #[kafka(versions = "0+")]
    pub isr_nodes: Array<'a, i32>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub eligible_leader_replicas: Option<Array<'a, i32>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub last_known_elr: Option<Array<'a, i32>>,
    #[kafka(versions = "0+", ignorable)]
    pub offline_replicas: Array<'a, i32>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "Cursor")]
pub struct DescribeTopicPartitionsResponseCursor<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partition_index: i32,
}
