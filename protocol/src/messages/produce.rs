//! Produce (key 0), versions 3-13: appends record batches to partitions.

use crate::{Array, Message, Records, Struct, Uuid};

/// The request of Produce (key 0).
///
/// - v4: the answer may be KAFKA_STORAGE_ERROR (KIP-112).
/// - v7: zstd allowed (KIP-110).
/// - v8: answers may carry record errors (KIP-467).
/// - v9: flexible (KIP-482).
/// - v10: answers may name the new leader (KIP-951).
/// - v11: TRANSACTION_ABORTABLE known (KIP-890).
/// - v12: adds partitions to a transaction implicitly (KIP-890).
/// - v13: adds `topic_id`; drops `name` (KIP-516).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ProduceRequest", api = 0, versions = "3-13", flexible = "9+")]
pub struct ProduceRequest<'a> {
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub transactional_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub acks: i16,
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub topic_data: Array<'a, TopicProduceData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicProduceData<'a> {
    #[kafka(versions = "0-12", ignorable)]
    pub name: &'a str,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partition_data: Array<'a, PartitionProduceData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionProduceData<'a> {
    #[kafka(versions = "0+")]
    pub index: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub records: Option<Records<'a>>,
}

/// The response of Produce (key 0).
///
/// - v5: adds `log_start_offset`.
/// - v8: adds `record_errors`, `error_message` (KIP-467).
/// - v9: flexible (KIP-482).
/// - v10: adds `current_leader`, `node_endpoints` (KIP-951).
/// - v11: behaviour only (KIP-890).
/// - v12: behaviour only (KIP-890).
/// - v13: adds `topic_id`; drops `name` (KIP-516).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ProduceResponse", api = 0, versions = "3-13", flexible = "9+")]
pub struct ProduceResponse<'a> {
    #[kafka(versions = "0+")]
    pub responses: Array<'a, TopicProduceResponse<'a>>,
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "10+", tag = 0, tagged = "10+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicProduceResponse<'a> {
    #[kafka(versions = "0-12", ignorable)]
    pub name: &'a str,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partition_responses: Array<'a, PartitionProduceResponse<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionProduceResponse<'a> {
    #[kafka(versions = "0+")]
    pub index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub base_offset: i64,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub log_append_time_ms: i64,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    #[kafka(versions = "8+", ignorable)]
    pub record_errors: Array<'a, BatchIndexAndErrorMessage<'a>>,
    #[kafka(versions = "8+", nullable = "8+", default = null, ignorable)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "10+", tag = 0, tagged = "10+")]
    pub current_leader: LeaderIdAndEpoch,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct BatchIndexAndErrorMessage<'a> {
    #[kafka(versions = "8+")]
    pub batch_index: i32,
    #[kafka(versions = "8+", nullable = "8+", default = null)]
    pub batch_index_error_message: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    #[kafka(versions = "10+", default = -1)]
    pub leader_id: i32,
    #[kafka(versions = "10+", default = -1)]
    pub leader_epoch: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    #[kafka(versions = "10+")]
    pub node_id: i32,
    #[kafka(versions = "10+")]
    pub host: &'a str,
    #[kafka(versions = "10+")]
    pub port: i32,
    #[kafka(versions = "10+", nullable = "10+", default = null)]
    pub rack: Option<&'a str>,
}
