//! JoinGroup (key 11), versions 0-9: a member enters a rebalance of a classic group.

use crate::{Array, Message, Struct};

/// The request of JoinGroup (key 11).
///
/// - v1: adds `rebalance_timeout_ms`.
/// - v5: adds `group_instance_id`.
/// - v6: flexible (KIP-482).
/// - v8: adds `reason` (KIP-800).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "JoinGroupRequest", api = 11, versions = "0-9", flexible = "6+")]
pub struct JoinGroupRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub session_timeout_ms: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub rebalance_timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "5+", nullable = "5+", default = null)]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub protocol_type: &'a str,
    #[kafka(versions = "0+")]
    pub protocols: Array<'a, JoinGroupRequestProtocol<'a>>,
    #[kafka(versions = "8+", nullable = "8+", default = null, ignorable)]
    pub reason: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct JoinGroupRequestProtocol<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub metadata: &'a [u8],
}

/// The response of JoinGroup (key 11).
///
/// - v2: adds `throttle_time_ms`.
/// - v5: adds `group_instance_id`.
/// - v6: flexible (KIP-482).
/// - v7: adds `protocol_type` (KIP-559).
/// - v9: adds `skip_assignment`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "JoinGroupResponse", api = 11, versions = "0-9", flexible = "6+")]
pub struct JoinGroupResponse<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", default = -1)]
    pub generation_id: i32,
    #[kafka(versions = "7+", nullable = "7+", default = null, ignorable)]
    pub protocol_type: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "7+")]
    pub protocol_name: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub leader: &'a str,
    #[kafka(versions = "9+")]
    pub skip_assignment: bool,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+")]
    pub members: Array<'a, JoinGroupResponseMember<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct JoinGroupResponseMember<'a> {
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub metadata: &'a [u8],
}
