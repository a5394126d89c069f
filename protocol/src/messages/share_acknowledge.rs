//! ShareAcknowledge (key 79), versions 1-2: acknowledges acquired records (KIP-932).

use crate::{Array, Message, Struct, Uuid};

/// The request of ShareAcknowledge (key 79).
///
/// - v2: adds `is_renew_ack` (KIP-1222).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ShareAcknowledgeRequest", api = 79, versions = "1-2", flexible = "0+")]
pub struct ShareAcknowledgeRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub group_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub member_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub share_session_epoch: i32,
    #[kafka(versions = "2+")]
    pub is_renew_ack: bool,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, AcknowledgeTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AcknowledgeTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, AcknowledgePartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AcknowledgePartition<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub acknowledgement_batches: Array<'a, AcknowledgementBatch<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AcknowledgementBatch<'a> {
    #[kafka(versions = "0+")]
    pub first_offset: i64,
    #[kafka(versions = "0+")]
    pub last_offset: i64,
    #[kafka(versions = "0+")]
    pub acknowledge_types: Array<'a, i8>,
}

/// The response of ShareAcknowledge (key 79).
///
/// - v2: adds `acquisition_lock_timeout_ms` (KIP-1222).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ShareAcknowledgeResponse", api = 79, versions = "1-2", flexible = "0+")]
pub struct ShareAcknowledgeResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "2+", ignorable)]
    pub acquisition_lock_timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub responses: Array<'a, ShareAcknowledgeTopicResponse<'a>>,
    #[kafka(versions = "0+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ShareAcknowledgeTopicResponse<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, PartitionData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionData<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub current_leader: LeaderIdAndEpoch,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    #[kafka(versions = "0+")]
    pub node_id: i32,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack: Option<&'a str>,
}
