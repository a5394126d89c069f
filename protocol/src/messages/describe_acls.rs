//! DescribeAcls (key 29), versions 1-3: the access control entries that match a filter.

use crate::{Array, Message, Struct};

/// The request of DescribeAcls (key 29).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeAclsRequest", api = 29, versions = "1-3", flexible = "2+")]
pub struct DescribeAclsRequest<'a> {
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

/// The response of DescribeAcls (key 29).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeAclsResponse", api = 29, versions = "1-3", flexible = "2+")]
pub struct DescribeAclsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub resources: Array<'a, DescribeAclsResource<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeAclsResource<'a> {
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "1+", default = 3)]
    pub pattern_type: i8,
    #[kafka(versions = "0+")]
    pub acls: Array<'a, AclDescription<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AclDescription<'a> {
    #[kafka(versions = "0+")]
    pub principal: &'a str,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub operation: i8,
    #[kafka(versions = "0+")]
    pub permission_type: i8,
}
