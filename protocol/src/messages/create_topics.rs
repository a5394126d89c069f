//! CreateTopics (key 19), versions 2-7: creates topics, or checks that it could.

use crate::{Array, Message, Struct, Uuid};

/// The request of CreateTopics (key 19).
///
/// - v3: throttled after the answer (KIP-219).
/// - v4: -1 is the broker's default partition count and replication factor (KIP-464).
/// - v5: flexible (KIP-482) (KIP-525).
/// - v6: THROTTLING_QUOTA_EXCEEDED known (KIP-599).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "CreateTopicsRequest", api = 19, versions = "2-7", flexible = "5+")]
pub struct CreateTopicsRequest<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, CreatableTopic<'a>>,
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
    #[kafka(versions = "1+")]
    pub validate_only: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatableTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub num_partitions: i32,
    #[kafka(versions = "0+")]
    pub replication_factor: i16,
    #[kafka(versions = "0+")]
    pub assignments: Array<'a, CreatableReplicaAssignment<'a>>,
    #[kafka(versions = "0+")]
    pub configs: Array<'a, CreatableTopicConfig<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatableReplicaAssignment<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub broker_ids: Array<'a, i32>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatableTopicConfig<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<&'a str>,
}

/// The response of CreateTopics (key 19).
///
/// - v4: behaviour only (KIP-464).
/// - v5: adds `topic_config_error_code`, `num_partitions`, `replication_factor`, `configs`; flexible
///   (KIP-482) (KIP-525).
/// - v6: behaviour only (KIP-599).
/// - v7: adds `topic_id`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "CreateTopicsResponse", api = 19, versions = "2-7", flexible = "5+")]
pub struct CreateTopicsResponse<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, CreatableTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatableTopicResult<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "7+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "1+", nullable = "1+", ignorable)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "5+", tag = 0, tagged = "5+", ignorable)]
    pub topic_config_error_code: i16,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub num_partitions: i32,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub replication_factor: i16,
    #[kafka(versions = "5+", nullable = "5+", ignorable)]
    pub configs: Option<Array<'a, CreatableTopicConfigs<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatableTopicConfigs<'a> {
    #[kafka(versions = "5+")]
    pub name: &'a str,
    #[kafka(versions = "5+", nullable = "5+")]
    pub value: Option<&'a str>,
    #[kafka(versions = "5+")]
    pub read_only: bool,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub config_source: i8,
    #[kafka(versions = "5+")]
    pub is_sensitive: bool,
}
