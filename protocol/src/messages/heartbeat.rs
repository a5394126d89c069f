//! Heartbeat (key 12), versions 0-4: a member of a classic group says it lives.

use crate::Message;

/// The request of Heartbeat (key 12).
///
/// - v3: adds `group_instance_id`.
/// - v4: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "HeartbeatRequest", api = 12, versions = "0-4", flexible = "4+")]
pub struct HeartbeatRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub generation_id: i32,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<&'a str>,
}

/// The response of Heartbeat (key 12).
///
/// - v1: adds `throttle_time_ms`.
/// - v4: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "HeartbeatResponse", api = 12, versions = "0-4", flexible = "4+")]
pub struct HeartbeatResponse {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
