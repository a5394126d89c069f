//! AddRaftVoter (key 80), versions 0-1: adds a voter to the quorum (KIP-853).

use crate::{Array, Message, Struct, Uuid};

/// The request of AddRaftVoter (key 80).
///
/// - v1: adds `ack_when_committed`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AddRaftVoterRequest", api = 80, versions = "0-1", flexible = "0+")]
pub struct AddRaftVoterRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+")]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub voter_id: i32,
    #[kafka(versions = "0+")]
    pub voter_directory_id: Uuid,
    #[kafka(versions = "0+")]
    pub listeners: Array<'a, Listener<'a>>,
    #[kafka(versions = "1+", default = true)]
    pub ack_when_committed: bool,
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

/// The response of AddRaftVoter (key 80).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AddRaftVoterResponse", api = 80, versions = "0-1", flexible = "0+")]
pub struct AddRaftVoterResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", ignorable)]
    pub error_message: Option<&'a str>,
}
