//! BrokerHeartbeat (key 63), versions 0-2: a broker tells the controller that it lives and which state it
//! wants.

use crate::{Array, Message, Uuid};

/// The request of BrokerHeartbeat (key 63).
///
/// - v1: adds `offline_log_dirs`.
/// - v2: adds `cordoned_log_dirs`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "BrokerHeartbeatRequest", api = 63, versions = "0-2", flexible = "0+")]
pub struct BrokerHeartbeatRequest<'a> {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+", default = -1)]
    pub broker_epoch: i64,
    #[kafka(versions = "0+")]
    pub current_metadata_offset: i64,
    #[kafka(versions = "0+")]
    pub want_fence: bool,
    #[kafka(versions = "0+")]
    pub want_shut_down: bool,
    #[kafka(versions = "1+", tag = 0, tagged = "1+")]
    pub offline_log_dirs: Array<'a, Uuid>,
    #[kafka(versions = "2+", nullable = "2+", tag = 1, tagged = "2+", default = null)]
    pub cordoned_log_dirs: Option<Array<'a, Uuid>>,
}

/// The response of BrokerHeartbeat (key 63).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "BrokerHeartbeatResponse", api = 63, versions = "0-2", flexible = "0+")]
pub struct BrokerHeartbeatResponse {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub is_caught_up: bool,
    #[kafka(versions = "0+", default = true)]
    pub is_fenced: bool,
    #[kafka(versions = "0+")]
    pub should_shut_down: bool,
}
