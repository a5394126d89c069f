//! ShareGroupHeartbeat (key 76), versions 1: a member of a share group joins, reports, receives its
//! assignment, leaves (KIP-932).

use crate::{Array, Message, Struct, Uuid};

/// The request of ShareGroupHeartbeat (key 76).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ShareGroupHeartbeatRequest", api = 76, versions = "1", flexible = "0+")]
pub struct ShareGroupHeartbeatRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub subscribed_topic_names: Option<Array<'a, &'a str>>,
}

/// The response of ShareGroupHeartbeat (key 76).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ShareGroupHeartbeatResponse", api = 76, versions = "1", flexible = "0+")]
pub struct ShareGroupHeartbeatResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub member_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    #[kafka(versions = "0+")]
    pub heartbeat_interval_ms: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub assignment: Option<Assignment<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Assignment<'a> {
    #[kafka(versions = "0+")]
    pub topic_partitions: Array<'a, TopicPartitions<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicPartitions<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}
