//! UpdateRaftVoter (key 82), versions 0: a voter reports its endpoints and versions (KIP-853).

use crate::{Array, Message, Struct, Uuid};

/// The request of UpdateRaftVoter (key 82).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UpdateRaftVoterRequest", api = 82, versions = "0", flexible = "0+")]
pub struct UpdateRaftVoterRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+")]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub current_leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub voter_id: i32,
    #[kafka(versions = "0+")]
    pub voter_directory_id: Uuid,
    #[kafka(versions = "0+")]
    pub listeners: Array<'a, Listener<'a>>,
    #[kafka(versions = "0+")]
    pub k_raft_version_feature: KRaftVersionFeature,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Listener<'a> {
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

/// The response of UpdateRaftVoter (key 82).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UpdateRaftVoterResponse", api = 82, versions = "0", flexible = "0+")]
pub struct UpdateRaftVoterResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", tag = 0, tagged = "0+")]
    pub current_leader: CurrentLeader<'a>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CurrentLeader<'a> {
    #[kafka(versions = "0+", default = -1)]
    pub leader_id: i32,
    #[kafka(versions = "0+", default = -1)]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: i32,
}
