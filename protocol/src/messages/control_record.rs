//! Values of control records: what the broker and the quorum write between the records of clients.

use crate::{Array, Message, Struct, Uuid};

/// A quorum leader was elected.
///
/// - v1: adds `voter_directory_id` (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "LeaderChangeMessage", versions = "0-1", flexible = "0+")]
pub struct LeaderChangeMessage<'a> {
    #[kafka(versions = "0+")]
    pub version: i16,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub voters: Array<'a, LeaderChangeMessageVoter>,
    #[kafka(versions = "0+")]
    pub granting_voters: Array<'a, LeaderChangeMessageVoter>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "Voter")]
pub struct LeaderChangeMessageVoter {
    #[kafka(versions = "0+")]
    pub voter_id: i32,
    #[kafka(versions = "1+")]
    pub voter_directory_id: Uuid,
}

/// Opens a metadata snapshot.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "SnapshotHeaderRecord", versions = "0", flexible = "0+")]
pub struct SnapshotHeaderRecord {
    #[kafka(versions = "0+")]
    pub version: i16,
    #[kafka(versions = "0+")]
    pub last_contained_log_timestamp: i64,
}

/// Closes a metadata snapshot.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "SnapshotFooterRecord", versions = "0", flexible = "0+")]
pub struct SnapshotFooterRecord {
    #[kafka(versions = "0+")]
    pub version: i16,
}

/// The quorum's protocol version (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "KRaftVersionRecord", versions = "0", flexible = "0+")]
pub struct KRaftVersionRecord {
    #[kafka(versions = "0+")]
    pub version: i16,
    #[kafka(versions = "0+")]
    pub k_raft_version: i16,
}

/// The voters of the quorum (KIP-853).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "VotersRecord", versions = "0", flexible = "0+")]
pub struct VotersRecord<'a> {
    #[kafka(versions = "0+")]
    pub version: i16,
    #[kafka(versions = "0+")]
    pub voters: Array<'a, VotersRecordVoter<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "Voter")]
pub struct VotersRecordVoter<'a> {
    #[kafka(versions = "0+")]
    pub voter_id: i32,
    #[kafka(versions = "0+")]
    pub voter_directory_id: Uuid,
    #[kafka(versions = "0+")]
    pub endpoints: Array<'a, Endpoint<'a>>,
    #[kafka(versions = "0+")]
    pub k_raft_version_feature: KRaftVersionFeature,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Endpoint<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct KRaftVersionFeature {
    #[kafka(versions = "0+")]
    pub min_supported_version: i16,
    #[kafka(versions = "0+")]
    pub max_supported_version: i16,
}

/// A transaction ended in this partition: the value of a commit or abort marker.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "EndTxnMarker", versions = "0", flexible = "none")]
pub struct EndTxnMarker {
    #[kafka(versions = "0+")]
    pub coordinator_epoch: i32,
}

/// The key of a control record: which kind it is.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ControlRecordTypeSchema", versions = "0", flexible = "none")]
pub struct ControlRecordTypeSchema {
    #[kafka(versions = "0+")]
    pub r#type: i16,
}
