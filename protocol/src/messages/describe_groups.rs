//! DescribeGroups (key 15), versions 0-6: state and members of classic groups.

use crate::{Array, Message, Struct};

/// The request of DescribeGroups (key 15).
///
/// - v3: adds `include_authorized_operations`.
/// - v5: flexible (KIP-482).
/// - v6: behaviour only (KIP-1043).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeGroupsRequest", api = 15, versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsRequest<'a> {
    #[kafka(versions = "0+")]
    pub groups: Array<'a, &'a str>,
    #[kafka(versions = "3+")]
    pub include_authorized_operations: bool,
}

/// The response of DescribeGroups (key 15).
///
/// - v1: adds `throttle_time_ms`.
/// - v3: adds `authorized_operations`.
/// - v4: adds `group_instance_id`.
/// - v5: flexible (KIP-482).
/// - v6: adds `error_message` (KIP-1043).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeGroupsResponse", api = 15, versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub groups: Array<'a, DescribedGroup<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribedGroup<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "6+", nullable = "6+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub group_state: &'a str,
    #[kafka(versions = "0+")]
    pub protocol_type: &'a str,
    #[kafka(versions = "0+")]
    pub protocol_data: &'a str,
    #[kafka(versions = "0+")]
    pub members: Array<'a, DescribedGroupMember<'a>>,
    #[kafka(versions = "3+", default = i32::MIN)]
    pub authorized_operations: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribedGroupMember<'a> {
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "4+", nullable = "4+", default = null, ignorable)]
    pub group_instance_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub client_id: &'a str,
    #[kafka(versions = "0+")]
    pub client_host: &'a str,
    #[kafka(versions = "0+")]
    pub member_metadata: &'a [u8],
    #[kafka(versions = "0+")]
    pub member_assignment: &'a [u8],
}
