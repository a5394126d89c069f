//! LeaveGroup (key 13), versions 0-5: members leave a classic group.

use crate::{Array, Message, Struct};

/// The request of LeaveGroup (key 13).
///
/// - v2: throttled after the answer (KIP-219).
/// - v3: adds `members`; drops `member_id`; several members at once (KIP-345).
/// - v4: flexible (KIP-482).
/// - v5: adds `reason` (KIP-800).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "LeaveGroupRequest", api = 13, versions = "0-5", flexible = "4+")]
pub struct LeaveGroupRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0-2")]
    pub member_id: &'a str,
    #[kafka(versions = "3+")]
    pub members: Array<'a, MemberIdentity<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct MemberIdentity<'a> {
    #[kafka(versions = "3+")]
    pub member_id: &'a str,
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub reason: Option<&'a str>,
}

/// The response of LeaveGroup (key 13).
///
/// - v1: adds `throttle_time_ms`.
/// - v3: adds `members`.
/// - v4: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "LeaveGroupResponse", api = 13, versions = "0-5", flexible = "4+")]
pub struct LeaveGroupResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "3+")]
    pub members: Array<'a, MemberResponse<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct MemberResponse<'a> {
    #[kafka(versions = "3+")]
    pub member_id: &'a str,
    #[kafka(versions = "3+", nullable = "3+")]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "3+")]
    pub error_code: i16,
}
