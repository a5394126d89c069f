//! DeleteGroups (key 42), versions 0-3: deletes empty groups.

use crate::{Array, Message, Struct};

/// The request of DeleteGroups (key 42).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteGroupsRequest", api = 42, versions = "0-3", flexible = "2+")]
pub struct DeleteGroupsRequest<'a> {
    #[kafka(versions = "0+")]
    pub groups_names: Array<'a, &'a str>,
}

/// The response of DeleteGroups (key 42).
///
/// - v2: flexible (KIP-482).
/// - v3: adds `error_message`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteGroupsResponse", api = 42, versions = "0-3", flexible = "2+")]
pub struct DeleteGroupsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub results: Array<'a, DeletableGroupResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeletableGroupResult<'a> {
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "3+", nullable = "3+", default = null, ignorable)]
    pub error_message: Option<&'a str>,
}
