//! ElectLeaders (key 43), versions 0-2: starts leader elections of partitions.

use crate::{Array, Message, Struct};

/// The request of ElectLeaders (key 43).
///
/// - v1: adds `election_type` (KIP-460).
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ElectLeadersRequest", api = 43, versions = "0-2", flexible = "2+")]
pub struct ElectLeadersRequest<'a> {
    #[kafka(versions = "1+")]
    pub election_type: i8,
    #[kafka(versions = "0+", nullable = "0+")]
    pub topic_partitions: Option<Array<'a, TopicPartitions<'a>>>,
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicPartitions<'a> {
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

/// The response of ElectLeaders (key 43).
///
/// - v1: adds `error_code`.
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ElectLeadersResponse", api = 43, versions = "0-2", flexible = "2+")]
pub struct ElectLeadersResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "1+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub replica_election_results: Array<'a, ReplicaElectionResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReplicaElectionResult<'a> {
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partition_result: Array<'a, PartitionResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionResult<'a> {
    #[kafka(versions = "0+")]
    pub partition_id: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
}
