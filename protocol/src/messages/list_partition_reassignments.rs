//! ListPartitionReassignments (key 46), versions 0: the partition moves in progress.

use crate::{Array, Message, Struct};

/// The request of ListPartitionReassignments (key 46).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListPartitionReassignmentsRequest", api = 46, versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsRequest<'a> {
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub topics: Option<Array<'a, ListPartitionReassignmentsTopics<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ListPartitionReassignmentsTopics<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partition_indexes: Array<'a, i32>,
}

/// The response of ListPartitionReassignments (key 46).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListPartitionReassignmentsResponse", api = 46, versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, OngoingTopicReassignment<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OngoingTopicReassignment<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, OngoingPartitionReassignment<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OngoingPartitionReassignment<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub replicas: Array<'a, i32>,
    #[kafka(versions = "0+")]
    pub adding_replicas: Array<'a, i32>,
    #[kafka(versions = "0+")]
    pub removing_replicas: Array<'a, i32>,
}
