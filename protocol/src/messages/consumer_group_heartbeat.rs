//! ConsumerGroupHeartbeat (key 68), versions 0-1: a member of a consumer group joins, reports, receives its
//! assignment, leaves (KIP-848).

use crate::{Array, Message, Struct, Uuid};

/// The request of ConsumerGroupHeartbeat (key 68).
///
/// - v1: adds `subscribed_topic_regex` (KIP-848, KIP-1082).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupHeartbeatRequest", api = 68, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupHeartbeatRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub instance_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack_id: Option<&'a str>,
    #[kafka(versions = "0+", default = -1)]
    pub rebalance_timeout_ms: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub subscribed_topic_names: Option<Array<'a, &'a str>>,
    #[kafka(versions = "1+", nullable = "1+", default = null)]
    pub subscribed_topic_regex: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub server_assignor: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub topic_partitions: Option<Array<'a, ConsumerGroupHeartbeatRequestTopicPartitions<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicPartitions")]
pub struct ConsumerGroupHeartbeatRequestTopicPartitions<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

/// The response of ConsumerGroupHeartbeat (key 68).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupHeartbeatResponse", api = 68, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupHeartbeatResponse<'a> {
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
    pub topic_partitions: Array<'a, ConsumerGroupHeartbeatResponseTopicPartitions<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicPartitions")]
pub struct ConsumerGroupHeartbeatResponseTopicPartitions<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}
