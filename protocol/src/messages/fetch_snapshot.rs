//! FetchSnapshot (key 59), versions 0-1: a part of a metadata snapshot.

use crate::{Array, Message, Records, Struct, Uuid};

/// The request of FetchSnapshot (key 59).
///
/// - v1: adds `replica_directory_id` (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "FetchSnapshotRequest", api = 59, versions = "0-1", flexible = "0+")]
pub struct FetchSnapshotRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "0+", default = -1)]
    pub replica_id: i32,
    #[kafka(versions = "0+", default = i32::MAX)]
    pub max_bytes: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, FetchSnapshotRequestTopicSnapshot<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicSnapshot")]
pub struct FetchSnapshotRequestTopicSnapshot<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, FetchSnapshotRequestPartitionSnapshot>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionSnapshot")]
pub struct FetchSnapshotRequestPartitionSnapshot {
    #[kafka(versions = "0+")]
    pub partition: i32,
    #[kafka(versions = "0+")]
    pub current_leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub snapshot_id: FetchSnapshotRequestSnapshotId,
    #[kafka(versions = "0+")]
    pub position: i64,
    #[kafka(versions = "1+", tag = 0, tagged = "1+", ignorable)]
    pub replica_directory_id: Uuid,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "SnapshotId")]
pub struct FetchSnapshotRequestSnapshotId {
    #[kafka(versions = "0+")]
    pub end_offset: i64,
    #[kafka(versions = "0+")]
    pub epoch: i32,
}

/// The response of FetchSnapshot (key 59).
///
/// - v1: adds `node_endpoints` (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "FetchSnapshotResponse", api = 59, versions = "0-1", flexible = "0+")]
pub struct FetchSnapshotResponse<'a> {
    #[kafka(versions = "0+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, FetchSnapshotResponseTopicSnapshot<'a>>,
    #[kafka(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicSnapshot")]
pub struct FetchSnapshotResponseTopicSnapshot<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, FetchSnapshotResponsePartitionSnapshot<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionSnapshot")]
pub struct FetchSnapshotResponsePartitionSnapshot<'a> {
    #[kafka(versions = "0+")]
    pub index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub snapshot_id: FetchSnapshotResponseSnapshotId,
    #[kafka(versions = "0+", tag = 0, tagged = "0+")]
    pub current_leader: LeaderIdAndEpoch,
    #[kafka(versions = "0+")]
    pub size: i64,
    #[kafka(versions = "0+")]
    pub position: i64,
    #[kafka(versions = "0+")]
    pub unaligned_records: Records<'a>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "SnapshotId")]
pub struct FetchSnapshotResponseSnapshotId {
    #[kafka(versions = "0+")]
    pub end_offset: i64,
    #[kafka(versions = "0+")]
    pub epoch: i32,
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
    #[kafka(versions = "1+")]
    pub node_id: i32,
    #[kafka(versions = "1+")]
    pub host: &'a str,
    #[kafka(versions = "1+")]
    pub port: u16,
}
