//! SyncGroup (key 14), versions 0-5: the leader of a classic group hands out the assignment, members receive
//! it.

use crate::{Array, Message, Struct};

/// The request of SyncGroup (key 14).
///
/// - v3: adds `group_instance_id`.
/// - v4: flexible (KIP-482).
/// - v5: adds `protocol_type`, `protocol_name` (KIP-559).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "SyncGroupRequest", api = 14, versions = "0-5", flexible = "4+")]
pub struct SyncGroupRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub generation_id: i32,
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_type: Option<&'a str>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_name: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub assignments: Array<'a, SyncGroupRequestAssignment<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct SyncGroupRequestAssignment<'a> {
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+")]
    pub assignment: &'a [u8],
}

/// The response of SyncGroup (key 14).
///
/// - v1: adds `throttle_time_ms`.
/// - v4: flexible (KIP-482).
/// - v5: adds `protocol_type`, `protocol_name` (KIP-559).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "SyncGroupResponse", api = 14, versions = "0-5", flexible = "4+")]
pub struct SyncGroupResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_type: Option<&'a str>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_name: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub assignment: &'a [u8],
}
