//! RemoveRaftVoter (key 81), versions 0: removes a voter from the quorum (KIP-853).

use crate::{Message, Uuid};

/// The request of RemoveRaftVoter (key 81).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RemoveRaftVoterRequest", api = 81, versions = "0", flexible = "0+")]
pub struct RemoveRaftVoterRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+")]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub voter_id: i32,
    #[kafka(versions = "0+")]
    pub voter_directory_id: Uuid,
}

/// The response of RemoveRaftVoter (key 81).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RemoveRaftVoterResponse", api = 81, versions = "0", flexible = "0+")]
pub struct RemoveRaftVoterResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", ignorable)]
    pub error_message: Option<&'a str>,
}
