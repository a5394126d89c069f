//! AlterPartitionReassignments (key 45), versions 0-1: starts or cancels moving partitions to other brokers.

use crate::{Array, Message, Struct};

/// The request of AlterPartitionReassignments (key 45).
///
/// - v1: adds `allow_replication_factor_change`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterPartitionReassignmentsRequest", api = 45, versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsRequest<'a> {
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
    #[kafka(versions = "1+", default = true)]
    pub allow_replication_factor_change: bool,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, ReassignableTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReassignableTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, ReassignablePartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReassignablePartition<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub replicas: Option<Array<'a, i32>>,
}

/// The response of AlterPartitionReassignments (key 45).
///
/// - v1: adds `allow_replication_factor_change`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterPartitionReassignmentsResponse", api = 45, versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "1+", default = true, ignorable)]
    pub allow_replication_factor_change: bool,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub responses: Array<'a, ReassignableTopicResponse<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReassignableTopicResponse<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, ReassignablePartitionResponse<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReassignablePartitionResponse<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
}
