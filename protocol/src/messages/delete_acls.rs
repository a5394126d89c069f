//! DeleteAcls (key 31), versions 1-3: removes the access control entries that match filters.

use crate::{Array, Message, Struct};

/// The request of DeleteAcls (key 31).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteAclsRequest", api = 31, versions = "1-3", flexible = "2+")]
pub struct DeleteAclsRequest<'a> {
    #[kafka(versions = "0+")]
    pub filters: Array<'a, DeleteAclsFilter<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteAclsFilter<'a> {
    #[kafka(versions = "0+")]
    pub resource_type_filter: i8,
    #[kafka(versions = "0+", nullable = "0+")]
    pub resource_name_filter: Option<&'a str>,
    #[kafka(versions = "1+", default = 3)]
    pub pattern_type_filter: i8,
    #[kafka(versions = "0+", nullable = "0+")]
    pub principal_filter: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub host_filter: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub operation: i8,
    #[kafka(versions = "0+")]
    pub permission_type: i8,
}

/// The response of DeleteAcls (key 31).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteAclsResponse", api = 31, versions = "1-3", flexible = "2+")]
pub struct DeleteAclsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub filter_results: Array<'a, DeleteAclsFilterResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteAclsFilterResult<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub matching_acls: Array<'a, DeleteAclsMatchingAcl<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteAclsMatchingAcl<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "1+", default = 3)]
    pub pattern_type: i8,
    #[kafka(versions = "0+")]
    pub principal: &'a str,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub operation: i8,
    #[kafka(versions = "0+")]
    pub permission_type: i8,
}
