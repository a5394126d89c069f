//! DescribeQuorum (key 55), versions 0-2: leader, voters and observers of a KRaft quorum.

use crate::{Array, Message, Struct, Uuid};

/// The request of DescribeQuorum (key 55).
///
/// - v1: behaviour only (KIP-836).
/// - v2: behaviour only (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeQuorumRequest", api = 55, versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumRequest<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DescribeQuorumRequestTopicData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct DescribeQuorumRequestTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, DescribeQuorumRequestPartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct DescribeQuorumRequestPartitionData {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
}

/// The response of DescribeQuorum (key 55).
///
/// - v1: adds `last_fetch_timestamp`, `last_caught_up_timestamp` (KIP-836).
/// - v2: adds `error_message`, `replica_directory_id`, `nodes` (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeQuorumResponse", api = 55, versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "2+", nullable = "2+", ignorable)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DescribeQuorumResponseTopicData<'a>>,
    #[kafka(versions = "2+")]
    pub nodes: Array<'a, Node<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct DescribeQuorumResponseTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, DescribeQuorumResponsePartitionData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct DescribeQuorumResponsePartitionData<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "2+", nullable = "2+", ignorable)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub high_watermark: i64,
    #[kafka(versions = "0+")]
    pub current_voters: Array<'a, ReplicaState>,
    #[kafka(versions = "0+")]
    pub observers: Array<'a, ReplicaState>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReplicaState {
    #[kafka(versions = "0+")]
    pub replica_id: i32,
    #[kafka(versions = "2+")]
    pub replica_directory_id: Uuid,
    #[kafka(versions = "0+")]
    pub log_end_offset: i64,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub last_fetch_timestamp: i64,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub last_caught_up_timestamp: i64,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Node<'a> {
    #[kafka(versions = "2+")]
    pub node_id: i32,
    #[kafka(versions = "2+")]
    pub listeners: Array<'a, Listener<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Listener<'a> {
    #[kafka(versions = "2+")]
    pub name: &'a str,
    #[kafka(versions = "2+")]
    pub host: &'a str,
    #[kafka(versions = "2+")]
    pub port: u16,
}
