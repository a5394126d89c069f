//! BeginQuorumEpoch (key 53), versions 0-1: a new leader announces itself to the voters.

use crate::{Array, Message, Struct, Uuid};

/// The request of BeginQuorumEpoch (key 53).
///
/// - v1: adds `voter_id`, `voter_directory_id`, `leader_endpoints`; flexible (KIP-482) (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "BeginQuorumEpochRequest", api = 53, versions = "0-1", flexible = "1+")]
pub struct BeginQuorumEpochRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub voter_id: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, BeginQuorumEpochRequestTopicData<'a>>,
    #[kafka(versions = "1+", ignorable)]
    pub leader_endpoints: Array<'a, LeaderEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct BeginQuorumEpochRequestTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, BeginQuorumEpochRequestPartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct BeginQuorumEpochRequestPartitionData {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "1+", ignorable)]
    pub voter_directory_id: Uuid,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
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

/// The response of BeginQuorumEpoch (key 53).
///
/// - v1: adds `node_endpoints`; flexible (KIP-482) (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "BeginQuorumEpochResponse", api = 53, versions = "0-1", flexible = "1+")]
pub struct BeginQuorumEpochResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, BeginQuorumEpochResponseTopicData<'a>>,
    #[kafka(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct BeginQuorumEpochResponseTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, BeginQuorumEpochResponsePartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct BeginQuorumEpochResponsePartitionData {
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
