//! ShareFetch (key 78), versions 1-2: acquires records for a share group and acknowledges earlier ones
//! (KIP-932).

use crate::{Array, Message, Records, Struct, Uuid};

/// The request of ShareFetch (key 78).
///
/// - v2: adds `share_acquire_mode`, `is_renew_ack` (KIP-1206, KIP-1222).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ShareFetchRequest", api = 78, versions = "1-2", flexible = "0+")]
pub struct ShareFetchRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub group_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub member_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub share_session_epoch: i32,
    #[kafka(versions = "0+")]
    pub max_wait_ms: i32,
    #[kafka(versions = "0+")]
    pub min_bytes: i32,
    #[kafka(versions = "0+", default = i32::MAX)]
    pub max_bytes: i32,
    #[kafka(versions = "1+")]
    pub max_records: i32,
    #[kafka(versions = "1+")]
    pub batch_size: i32,
    #[kafka(versions = "2+", ignorable)]
    pub share_acquire_mode: i8,
    #[kafka(versions = "2+")]
    pub is_renew_ack: bool,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, FetchTopic<'a>>,
    #[kafka(versions = "0+")]
    pub forgotten_topics_data: Array<'a, ForgottenTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct FetchTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, FetchPartition<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct FetchPartition<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0")]
    pub partition_max_bytes: i32,
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

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ForgottenTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

/// The response of ShareFetch (key 78).
///
/// - v2: behaviour only (KIP-1206, KIP-1222).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ShareFetchResponse", api = 78, versions = "1-2", flexible = "0+")]
pub struct ShareFetchResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "1+")]
    pub acquisition_lock_timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub responses: Array<'a, ShareFetchableTopicResponse<'a>>,
    #[kafka(versions = "0+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ShareFetchableTopicResponse<'a> {
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
    pub acknowledge_error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub acknowledge_error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub current_leader: LeaderIdAndEpoch,
    #[kafka(versions = "0+", nullable = "0", default = null)]
    pub records: Option<Records<'a>>,
    #[kafka(versions = "0+")]
    pub acquired_records: Array<'a, AcquiredRecords>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AcquiredRecords {
    #[kafka(versions = "0+")]
    pub first_offset: i64,
    #[kafka(versions = "0+")]
    pub last_offset: i64,
    #[kafka(versions = "0+")]
    pub delivery_count: i16,
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
