//! EndQuorumEpoch (key 54), versions 0-1: a resigning leader tells the voters.

use crate::{Array, Message, Struct, Uuid};

/// The request of EndQuorumEpoch (key 54).
///
/// - v1: adds `preferred_candidates`, `leader_endpoints`; drops `preferred_successors`; flexible
///   (KIP-482) (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "EndQuorumEpochRequest", api = 54, versions = "0-1", flexible = "1+")]
pub struct EndQuorumEpochRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, EndQuorumEpochRequestTopicData<'a>>,
    #[kafka(versions = "1+", ignorable)]
    pub leader_endpoints: Array<'a, LeaderEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct EndQuorumEpochRequestTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, EndQuorumEpochRequestPartitionData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct EndQuorumEpochRequestPartitionData<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    #[kafka(versions = "0", ignorable)]
    pub preferred_successors: Array<'a, i32>,
    #[kafka(versions = "1+", ignorable)]
    pub preferred_candidates: Array<'a, ReplicaInfo>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReplicaInfo {
    #[kafka(versions = "1+")]
    pub candidate_id: i32,
    #[kafka(versions = "1+")]
    pub candidate_directory_id: Uuid,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct LeaderEndpoint<'a> {
    #[kafka(versions = "1+")]
    pub name: &'a str,
    #[kafka(versions = "1+")]
    pub host: &'a str,
    #[kafka(versions = "1+")]
    pub port: u16,
}

/// The response of EndQuorumEpoch (key 54).
///
/// - v1: adds `node_endpoints`; flexible (KIP-482) (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "EndQuorumEpochResponse", api = 54, versions = "0-1", flexible = "1+")]
pub struct EndQuorumEpochResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, EndQuorumEpochResponseTopicData<'a>>,
    #[kafka(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct EndQuorumEpochResponseTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, EndQuorumEpochResponsePartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct EndQuorumEpochResponsePartitionData {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    #[kafka(versions = "1+")]
    pub node_id: i32,
    #[kafka(versions = "1+")]
    pub host: &'a str,
    #[kafka(versions = "1+")]
    pub port: u16,
}
