//! ListGroups (key 16), versions 0-5: the groups a broker coordinates.

use crate::{Array, Message, Struct};

/// The request of ListGroups (key 16).
///
/// - v3: flexible (KIP-482).
/// - v4: adds `states_filter` (KIP-518).
/// - v5: adds `types_filter` (KIP-848).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListGroupsRequest", api = 16, versions = "0-5", flexible = "3+")]
pub struct ListGroupsRequest<'a> {
    #[kafka(versions = "4+")]
    pub states_filter: Array<'a, &'a str>,
    #[kafka(versions = "5+")]
    pub types_filter: Array<'a, &'a str>,
}

/// The response of ListGroups (key 16).
///
/// - v1: adds `throttle_time_ms`.
/// - v3: flexible (KIP-482).
/// - v4: adds `group_state` (KIP-518).
/// - v5: adds `group_type` (KIP-848).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListGroupsResponse", api = 16, versions = "0-5", flexible = "3+")]
pub struct ListGroupsResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub groups: Array<'a, ListedGroup<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ListedGroup<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub protocol_type: &'a str,
    #[kafka(versions = "4+", ignorable)]
    pub group_state: &'a str,
    #[kafka(versions = "5+", ignorable)]
    pub group_type: &'a str,
}
