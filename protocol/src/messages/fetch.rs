//! Fetch (key 1), versions 4-18: reads record batches; also how followers replicate.

use crate::{Array, Message, Records, Struct, Uuid};

/// The request of Fetch (key 1).
///
/// - v5: adds `log_start_offset`.
/// - v6: KAFKA_STORAGE_ERROR known (KIP-112).
/// - v7: adds `session_id`, `session_epoch`, `forgotten_topics_data`; sessions (KIP-227).
/// - v8: throttled after the answer (KIP-219).
/// - v9: adds `current_leader_epoch` (KIP-320).
/// - v10: zstd allowed (KIP-110).
/// - v11: adds `rack_id`; fetch from the closest replica (KIP-392).
/// - v12: adds `cluster_id`, `last_fetched_epoch`; flexible (KIP-482).
/// - v13: adds `topic_id`; drops `topic` (KIP-516).
/// - v14: OFFSET_MOVED_TO_TIERED_STORAGE known (KIP-405).
/// - v15: adds `replica_state`; drops `replica_id` (KIP-903).
/// - v16: answers may name the new leader (KIP-951).
/// - v17: adds `replica_directory_id` (KIP-853).
/// - v18: adds `high_watermark` (KIP-1166).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "FetchRequest", api = 1, versions = "4-18", flexible = "12+")]
pub struct FetchRequest<'a> {
    #[kafka(versions = "12+", nullable = "12+", tag = 0, tagged = "12+", default = null, ignorable)]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "0-14", default = -1)]
    pub replica_id: i32,
    #[kafka(versions = "15+", tag = 1, tagged = "15+")]
    pub replica_state: ReplicaState,
    #[kafka(versions = "0+")]
    pub max_wait_ms: i32,
    #[kafka(versions = "0+")]
    pub min_bytes: i32,
    #[kafka(versions = "3+", default = i32::MAX, ignorable)]
    pub max_bytes: i32,
    #[kafka(versions = "4+", ignorable)]
    pub isolation_level: i8,
    #[kafka(versions = "7+", ignorable)]
    pub session_id: i32,
    #[kafka(versions = "7+", default = -1, ignorable)]
    pub session_epoch: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, FetchTopic<'a>>,
    #[kafka(versions = "7+")]
    pub forgotten_topics_data: Array<'a, ForgottenTopic<'a>>,
    #[kafka(versions = "11+", ignorable)]
    pub rack_id: &'a str,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ReplicaState {
    #[kafka(versions = "15+", default = -1)]
    pub replica_id: i32,
    #[kafka(versions = "15+", default = -1)]
    pub replica_epoch: i64,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct FetchTopic<'a> {
    #[kafka(versions = "0-12", ignorable)]
    pub topic: &'a str,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, FetchPartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct FetchPartition {
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "9+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub fetch_offset: i64,
    #[kafka(versions = "12+", default = -1)]
    pub last_fetched_epoch: i32,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    #[kafka(versions = "0+")]
    pub partition_max_bytes: i32,
    #[kafka(versions = "17+", tag = 0, tagged = "17+", ignorable)]
    pub replica_directory_id: Uuid,
    #[kafka(versions = "18+", tag = 1, tagged = "18+", default = i64::MAX, ignorable)]
    pub high_watermark: i64,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ForgottenTopic<'a> {
    #[kafka(versions = "7-12", ignorable)]
    pub topic: &'a str,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "7+")]
    pub partitions: Array<'a, i32>,
}

/// The response of Fetch (key 1).
///
/// - v5: adds `log_start_offset`.
/// - v7: adds `error_code`, `session_id`.
/// - v10: behaviour only (KIP-110).
/// - v11: adds `preferred_read_replica`.
/// - v12: adds `diverging_epoch`, `current_leader`, `snapshot_id`; flexible (KIP-482).
/// - v13: adds `topic_id`; drops `topic` (KIP-516).
/// - v14: behaviour only (KIP-405).
/// - v15: behaviour only (KIP-903).
/// - v16: adds `node_endpoints` (KIP-951).
/// - v17: behaviour only (KIP-853).
/// - v18: behaviour only (KIP-1166).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "FetchResponse", api = 1, versions = "4-18", flexible = "12+")]
pub struct FetchResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "7+", ignorable)]
    pub error_code: i16,
    #[kafka(versions = "7+")]
    pub session_id: i32,
    #[kafka(versions = "0+")]
    pub responses: Array<'a, FetchableTopicResponse<'a>>,
    #[kafka(versions = "16+", tag = 0, tagged = "16+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct FetchableTopicResponse<'a> {
    #[kafka(versions = "0-12", ignorable)]
    pub topic: &'a str,
    #[kafka(versions = "13+", ignorable)]
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
    #[kafka(versions = "0+")]
    pub high_watermark: i64,
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub last_stable_offset: i64,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    #[kafka(versions = "12+", tag = 0, tagged = "12+")]
    pub diverging_epoch: EpochEndOffset,
    #[kafka(versions = "12+", tag = 1, tagged = "12+")]
    pub current_leader: LeaderIdAndEpoch,
    #[kafka(versions = "12+", tag = 2, tagged = "12+")]
    pub snapshot_id: SnapshotId,
    #[kafka(versions = "4+", nullable = "4+", ignorable)]
    pub aborted_transactions: Option<Array<'a, AbortedTransaction>>,
    #[kafka(versions = "11+", default = -1)]
    pub preferred_read_replica: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub records: Option<Records<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct EpochEndOffset {
    #[kafka(versions = "12+", default = -1)]
    pub epoch: i32,
    #[kafka(versions = "12+", default = -1)]
    pub end_offset: i64,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    #[kafka(versions = "12+", default = -1)]
    pub leader_id: i32,
    #[kafka(versions = "12+", default = -1)]
    pub leader_epoch: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct SnapshotId {
    #[kafka(versions = "0+", default = -1)]
    pub end_offset: i64,
    #[kafka(versions = "0+", default = -1)]
    pub epoch: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AbortedTransaction {
    #[kafka(versions = "4+")]
    pub producer_id: i64,
    #[kafka(versions = "4+")]
    pub first_offset: i64,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    #[kafka(versions = "16+")]
    pub node_id: i32,
    #[kafka(versions = "16+")]
    pub host: &'a str,
    #[kafka(versions = "16+")]
    pub port: i32,
    #[kafka(versions = "16+", nullable = "16+", default = null)]
    pub rack: Option<&'a str>,
}
