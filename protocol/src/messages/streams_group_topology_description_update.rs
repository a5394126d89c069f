//! StreamsGroupTopologyDescriptionUpdate (key 93), versions 0: a streams group member describes its
//! topology.

use crate::{Array, Message, Struct};

/// The request of StreamsGroupTopologyDescriptionUpdate (key 93).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "StreamsGroupTopologyDescriptionUpdateRequest", api = 93, versions = "0", flexible = "0+")]
pub struct StreamsGroupTopologyDescriptionUpdateRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+")]
    pub topology_epoch: i32,
    #[kafka(versions = "0+")]
    pub topology_description: TopologyDescription<'a>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopologyDescription<'a> {
    #[kafka(versions = "0+")]
    pub subtopologies: Array<'a, TopologyDescriptionSubtopology<'a>>,
    #[kafka(versions = "0+")]
    pub global_stores: Array<'a, TopologyDescriptionGlobalStore<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopologyDescriptionSubtopology<'a> {
    #[kafka(versions = "0+")]
    pub subtopology_id: &'a str,
    #[kafka(versions = "0+")]
    pub nodes: Array<'a, TopologyDescriptionNode<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopologyDescriptionNode<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub node_type: i8,
    #[kafka(versions = "0+")]
    pub source_topics: Array<'a, &'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub sink_topic: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub stores: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub successors: Array<'a, &'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopologyDescriptionGlobalStore<'a> {
    #[kafka(versions = "0+")]
    pub source: TopologyDescriptionNode<'a>,
    #[kafka(versions = "0+")]
    pub processor: TopologyDescriptionNode<'a>,
}

/// The response of StreamsGroupTopologyDescriptionUpdate (key 93).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "StreamsGroupTopologyDescriptionUpdateResponse", api = 93, versions = "0", flexible = "0+")]
pub struct StreamsGroupTopologyDescriptionUpdateResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
}
