//! FindCoordinator (key 10), versions 0-6: which broker coordinates a group, a transactional id or a share
//! group.

use crate::{Array, Message, Struct};

/// The request of FindCoordinator (key 10).
///
/// - v1: adds `key_type`.
/// - v2: throttled after the answer (KIP-219).
/// - v3: flexible (KIP-482).
/// - v4: adds `coordinator_keys`; drops `key`; several keys at once (KIP-699).
/// - v5: TRANSACTION_ABORTABLE known (KIP-890).
/// - v6: share groups (KIP-932).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "FindCoordinatorRequest", api = 10, versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorRequest<'a> {
    #[kafka(versions = "0-3")]
    pub key: &'a str,
    #[kafka(versions = "1+")]
    pub key_type: i8,
    #[kafka(versions = "4+")]
    pub coordinator_keys: Array<'a, &'a str>,
}

/// The response of FindCoordinator (key 10).
///
/// - v1: adds `throttle_time_ms`, `error_message`.
/// - v3: flexible (KIP-482).
/// - v4: adds `coordinators`; drops `error_code`, `error_message`, `node_id`, `host`, `port` (KIP-699).
/// - v5: behaviour only (KIP-890).
/// - v6: behaviour only (KIP-932).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "FindCoordinatorResponse", api = 10, versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0-3")]
    pub error_code: i16,
    #[kafka(versions = "1-3", nullable = "1-3", ignorable)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0-3")]
    pub node_id: i32,
    #[kafka(versions = "0-3")]
    pub host: &'a str,
    #[kafka(versions = "0-3")]
    pub port: i32,
    #[kafka(versions = "4+")]
    pub coordinators: Array<'a, Coordinator<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Coordinator<'a> {
    #[kafka(versions = "4+")]
    pub key: &'a str,
    #[kafka(versions = "4+")]
    pub node_id: i32,
    #[kafka(versions = "4+")]
    pub host: &'a str,
    #[kafka(versions = "4+")]
    pub port: i32,
    #[kafka(versions = "4+")]
    pub error_code: i16,
    #[kafka(versions = "4+", nullable = "4+", ignorable)]
    pub error_message: Option<&'a str>,
}
