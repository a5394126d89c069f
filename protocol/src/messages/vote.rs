//! Vote (key 52), versions 0-2: a candidate asks for votes in a KRaft quorum.

use crate::{Array, Message, Struct, Uuid};

/// The request of Vote (key 52).
///
/// - v1: adds `voter_id`, `replica_directory_id`, `voter_directory_id` (KIP-853).
/// - v2: adds `pre_vote`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "VoteRequest", api = 52, versions = "0-2", flexible = "0+")]
pub struct VoteRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub voter_id: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, VoteRequestTopicData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct VoteRequestTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, VoteRequestPartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct VoteRequestPartitionData {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub replica_epoch: i32,
    #[kafka(versions = "0+")]
    pub replica_id: i32,
    #[kafka(versions = "1+", ignorable)]
    pub replica_directory_id: Uuid,
    #[kafka(versions = "1+", ignorable)]
    pub voter_directory_id: Uuid,
    #[kafka(versions = "0+")]
    pub last_offset_epoch: i32,
    #[kafka(versions = "0+")]
    pub last_offset: i64,
    #[kafka(versions = "2+")]
    pub pre_vote: bool,
}

/// The response of Vote (key 52).
///
/// - v1: adds `node_endpoints` (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "VoteResponse", api = 52, versions = "0-2", flexible = "0+")]
pub struct VoteResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, VoteResponseTopicData<'a>>,
    #[kafka(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct VoteResponseTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, VoteResponsePartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct VoteResponsePartitionData {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub vote_granted: bool,
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
