//! Metadata (key 3), versions 0-13: brokers, topics, partitions and their leaders.

use crate::{Array, Message, Struct, Uuid};

/// The request of Metadata (key 3).
///
/// - v1: null is all topics, an empty array none; before, empty is all.
/// - v4: adds `allow_auto_topic_creation`; topics may be created by asking.
/// - v6: throttled after the answer (KIP-219).
/// - v8: adds `include_cluster_authorized_operations`, `include_topic_authorized_operations`.
/// - v9: flexible (KIP-482).
/// - v10: adds `topic_id`; topic ids (KIP-516).
/// - v11: drops `include_cluster_authorized_operations` (KIP-700).
/// - v12: topics may be asked for by id alone.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "MetadataRequest", api = 3, versions = "0-13", flexible = "9+")]
pub struct MetadataRequest<'a> {
    #[kafka(versions = "0+", nullable = "1+")]
    pub topics: Option<Array<'a, MetadataRequestTopic<'a>>>,
    #[kafka(versions = "4+", default = true)]
    pub allow_auto_topic_creation: bool,
    #[kafka(versions = "8-10")]
    pub include_cluster_authorized_operations: bool,
    #[kafka(versions = "8+")]
    pub include_topic_authorized_operations: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct MetadataRequestTopic<'a> {
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+", nullable = "10+")]
    pub name: Option<&'a str>,
}

/// The response of Metadata (key 3).
///
/// - v1: adds `rack`, `controller_id`, `is_internal`.
/// - v2: adds `cluster_id`.
/// - v3: adds `throttle_time_ms`.
/// - v5: adds `offline_replicas`.
/// - v7: adds `leader_epoch`.
/// - v8: adds `topic_authorized_operations`, `cluster_authorized_operations`.
/// - v9: flexible (KIP-482).
/// - v10: adds `topic_id`.
/// - v11: drops `cluster_authorized_operations` (KIP-700).
/// - v13: adds `error_code`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "MetadataResponse", api = 3, versions = "0-13", flexible = "9+")]
pub struct MetadataResponse<'a> {
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub brokers: Array<'a, MetadataResponseBroker<'a>>,
    #[kafka(versions = "2+", nullable = "2+", default = null, ignorable)]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub controller_id: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, MetadataResponseTopic<'a>>,
    #[kafka(versions = "8-10", default = i32::MIN)]
    pub cluster_authorized_operations: i32,
    #[kafka(versions = "13+", ignorable)]
    pub error_code: i16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct MetadataResponseBroker<'a> {
    #[kafka(versions = "0+")]
    pub node_id: i32,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: i32,
    #[kafka(versions = "1+", nullable = "1+", default = null, ignorable)]
    pub rack: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct MetadataResponseTopic<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "12+")]
    pub name: Option<&'a str>,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "1+", ignorable)]
    pub is_internal: bool,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, MetadataResponsePartition<'a>>,
    #[kafka(versions = "8+", default = i32::MIN)]
    pub topic_authorized_operations: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct MetadataResponsePartition<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "7+", default = -1, ignorable)]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub replica_nodes: Array<'a, i32>,
    #[kafka(versions = "0+")]
    pub isr_nodes: Array<'a, i32>,
    #[kafka(versions = "5+", ignorable)]
    pub offline_replicas: Array<'a, i32>,
}
