//! StreamsGroupDescribe (key 89), versions 0-1: state, topology and members of streams groups (KIP-1071).

use crate::{Array, Message, Struct};

/// The request of StreamsGroupDescribe (key 89).
///
/// - v1: adds `include_topology_description` (KIP-1331).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "StreamsGroupDescribeRequest", api = 89, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupDescribeRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_ids: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub include_authorized_operations: bool,
    #[kafka(versions = "1+")]
    pub include_topology_description: bool,
}

/// The response of StreamsGroupDescribe (key 89).
///
/// - v1: adds `topology_description`, `topology_description_status`, `assignor_name` (KIP-1331,
///   KIP-1357).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "StreamsGroupDescribeResponse", api = 89, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupDescribeResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub groups: Array<'a, DescribedGroup<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribedGroup<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub group_state: &'a str,
    #[kafka(versions = "0+")]
    pub group_epoch: i32,
    #[kafka(versions = "0+")]
    pub assignment_epoch: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub topology: Option<Topology<'a>>,
    #[kafka(versions = "0+")]
    pub members: Array<'a, Member<'a>>,
    #[kafka(versions = "0+", default = i32::MIN)]
    pub authorized_operations: i32,
    #[kafka(versions = "1+", nullable = "1+", default = null)]
    pub topology_description: Option<TopologyDescription<'a>>,
    #[kafka(versions = "1+")]
    pub topology_description_status: i8,
    #[kafka(versions = "1+", nullable = "1+", default = null, ignorable)]
    pub assignor_name: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Topology<'a> {
    #[kafka(versions = "0+")]
    pub epoch: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub subtopologies: Option<Array<'a, Subtopology<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Subtopology<'a> {
    #[kafka(versions = "0+")]
    pub subtopology_id: &'a str,
    #[kafka(versions = "0+")]
    pub source_topics: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub repartition_sink_topics: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub state_changelog_topics: Array<'a, TopicInfo<'a>>,
    #[kafka(versions = "0+")]
    pub repartition_source_topics: Array<'a, TopicInfo<'a>>,
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
pub struct Member<'a> {
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub instance_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub client_id: &'a str,
    #[kafka(versions = "0+")]
    pub client_host: &'a str,
    #[kafka(versions = "0+")]
    pub topology_epoch: i32,
    #[kafka(versions = "0+")]
    pub process_id: &'a str,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub user_endpoint: Option<Endpoint<'a>>,
    #[kafka(versions = "0+")]
    pub client_tags: Array<'a, KeyValue<'a>>,
    #[kafka(versions = "0+")]
    pub task_offsets: Array<'a, TaskOffset<'a>>,
    #[kafka(versions = "0+")]
    pub task_end_offsets: Array<'a, TaskOffset<'a>>,
    #[kafka(versions = "0+")]
    pub assignment: Assignment<'a>,
    #[kafka(versions = "0+")]
    pub target_assignment: Assignment<'a>,
    #[kafka(versions = "0+")]
    pub is_classic: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Endpoint<'a> {
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

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Assignment<'a> {
    #[kafka(versions = "0+")]
    pub active_tasks: Array<'a, TaskIds<'a>>,
    #[kafka(versions = "0+")]
    pub standby_tasks: Array<'a, TaskIds<'a>>,
    #[kafka(versions = "0+")]
    pub warmup_tasks: Array<'a, TaskIds<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TaskIds<'a> {
    #[kafka(versions = "0+")]
    pub subtopology_id: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopologyDescription<'a> {
    #[kafka(versions = "1+")]
    pub subtopologies: Array<'a, TopologyDescriptionSubtopology<'a>>,
    #[kafka(versions = "1+")]
    pub global_stores: Array<'a, TopologyDescriptionGlobalStore<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopologyDescriptionSubtopology<'a> {
    #[kafka(versions = "1+")]
    pub subtopology_id: &'a str,
    #[kafka(versions = "1+")]
    pub nodes: Array<'a, TopologyDescriptionNode<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopologyDescriptionNode<'a> {
    #[kafka(versions = "1+")]
    pub name: &'a str,
    #[kafka(versions = "1+")]
    pub node_type: i8,
    #[kafka(versions = "1+")]
    pub source_topics: Array<'a, &'a str>,
    #[kafka(versions = "1+", nullable = "1+", default = null)]
    pub sink_topic: Option<&'a str>,
    #[kafka(versions = "1+")]
    pub stores: Array<'a, &'a str>,
    #[kafka(versions = "1+")]
    pub successors: Array<'a, &'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopologyDescriptionGlobalStore<'a> {
    #[kafka(versions = "1+")]
    pub source: TopologyDescriptionNode<'a>,
    #[kafka(versions = "1+")]
    pub processor: TopologyDescriptionNode<'a>,
}
