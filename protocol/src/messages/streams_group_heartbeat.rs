//! StreamsGroupHeartbeat (key 88), versions 0-1: a member of a streams group joins, reports, receives its
//! tasks, leaves (KIP-1071).

use crate::{Array, Message, Struct};

/// The request of StreamsGroupHeartbeat (key 88).
///
/// - v1: behaviour only (KIP-1331).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "StreamsGroupHeartbeatRequest", api = 88, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupHeartbeatRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    #[kafka(versions = "0+")]
    pub endpoint_information_epoch: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub instance_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack_id: Option<&'a str>,
    #[kafka(versions = "0+", default = -1)]
    pub rebalance_timeout_ms: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub topology: Option<Topology<'a>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub active_tasks: Option<Array<'a, StreamsGroupHeartbeatRequestTaskIds<'a>>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub standby_tasks: Option<Array<'a, StreamsGroupHeartbeatRequestTaskIds<'a>>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub warmup_tasks: Option<Array<'a, StreamsGroupHeartbeatRequestTaskIds<'a>>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub process_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub user_endpoint: Option<StreamsGroupHeartbeatRequestEndpoint<'a>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub client_tags: Option<Array<'a, KeyValue<'a>>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub task_offsets: Option<Array<'a, TaskOffset<'a>>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub task_end_offsets: Option<Array<'a, TaskOffset<'a>>>,
    #[kafka(versions = "0+")]
    pub shutdown_application: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Topology<'a> {
    #[kafka(versions = "0+")]
    pub epoch: i32,
    #[kafka(versions = "0+")]
    pub subtopologies: Array<'a, Subtopology<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Subtopology<'a> {
    #[kafka(versions = "0+")]
    pub subtopology_id: &'a str,
    #[kafka(versions = "0+")]
    pub source_topics: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub source_topic_regex: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub state_changelog_topics: Array<'a, TopicInfo<'a>>,
    #[kafka(versions = "0+")]
    pub repartition_sink_topics: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub repartition_source_topics: Array<'a, TopicInfo<'a>>,
    #[kafka(versions = "0+")]
    pub copartition_groups: Array<'a, CopartitionGroup<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicInfo<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: i32,
    #[kafka(versions = "0+")]
    pub replication_factor: i16,
    #[kafka(versions = "0+")]
    pub topic_configs: Array<'a, KeyValue<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct KeyValue<'a> {
    #[kafka(versions = "0+")]
    pub key: &'a str,
    #[kafka(versions = "0+")]
    pub value: &'a str,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CopartitionGroup<'a> {
    #[kafka(versions = "0+")]
    pub source_topics: Array<'a, i16>,
    #[kafka(versions = "0+")]
    pub source_topic_regex: Array<'a, i16>,
    #[kafka(versions = "0+")]
    pub repartition_source_topics: Array<'a, i16>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TaskIds")]
pub struct StreamsGroupHeartbeatRequestTaskIds<'a> {
    #[kafka(versions = "0+")]
    pub subtopology_id: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "Endpoint")]
pub struct StreamsGroupHeartbeatRequestEndpoint<'a> {
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TaskOffset<'a> {
    #[kafka(versions = "0+")]
    pub subtopology_id: &'a str,
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "0+")]
    pub offset: i64,
}

/// The response of StreamsGroupHeartbeat (key 88).
///
/// - v1: adds `acceptable_recovery_lag`, `topology_description_required`; drops
///   `acceptable_recovery_lag_legacy` (KIP-1331).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "StreamsGroupHeartbeatResponse", api = 88, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupHeartbeatResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    #[kafka(versions = "0+")]
    pub heartbeat_interval_ms: i32,
    #[kafka(versions = "0")]
    pub acceptable_recovery_lag_legacy: i32,
    #[kafka(versions = "0+")]
    pub task_offset_interval_ms: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub acceptable_recovery_lag: i64,
    #[kafka(versions = "0+", nullable = "0+")]
    pub status: Option<Array<'a, Status<'a>>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub active_tasks: Option<Array<'a, StreamsGroupHeartbeatResponseTaskIds<'a>>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub standby_tasks: Option<Array<'a, StreamsGroupHeartbeatResponseTaskIds<'a>>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub warmup_tasks: Option<Array<'a, StreamsGroupHeartbeatResponseTaskIds<'a>>>,
    #[kafka(versions = "1+")]
    pub topology_description_required: bool,
    #[kafka(versions = "0+")]
    pub endpoint_information_epoch: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub partitions_by_user_endpoint: Option<Array<'a, EndpointToPartitions<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Status<'a> {
    #[kafka(versions = "0+")]
    pub status_code: i8,
    #[kafka(versions = "0+")]
    pub status_detail: &'a str,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TaskIds")]
pub struct StreamsGroupHeartbeatResponseTaskIds<'a> {
    #[kafka(versions = "0+")]
    pub subtopology_id: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct EndpointToPartitions<'a> {
    #[kafka(versions = "0+")]
    pub user_endpoint: StreamsGroupHeartbeatResponseEndpoint<'a>,
    #[kafka(versions = "0+")]
    pub active_partitions: Array<'a, TopicPartition<'a>>,
    #[kafka(versions = "0+")]
    pub standby_partitions: Array<'a, TopicPartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "Endpoint")]
pub struct StreamsGroupHeartbeatResponseEndpoint<'a> {
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicPartition<'a> {
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}
