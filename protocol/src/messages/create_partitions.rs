//! CreatePartitions (key 37), versions 0-3: adds partitions to topics.

use crate::{Array, Message, Struct};

/// The request of CreatePartitions (key 37).
///
/// - v1: throttled after the answer (KIP-219).
/// - v2: flexible (KIP-482).
/// - v3: THROTTLING_QUOTA_EXCEEDED known (KIP-599).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "CreatePartitionsRequest", api = 37, versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsRequest<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, CreatePartitionsTopic<'a>>,
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub validate_only: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatePartitionsTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub count: i32,
    #[kafka(versions = "0+", nullable = "0+")]
    pub assignments: Option<Array<'a, CreatePartitionsAssignment<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatePartitionsAssignment<'a> {
    #[kafka(versions = "0+")]
    pub broker_ids: Array<'a, i32>,
}

/// The response of CreatePartitions (key 37).
///
/// - v2: flexible (KIP-482).
/// - v3: behaviour only (KIP-599).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "CreatePartitionsResponse", api = 37, versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub results: Array<'a, CreatePartitionsTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatePartitionsTopicResult<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
}
