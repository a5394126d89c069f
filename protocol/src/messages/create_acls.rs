//! CreateAcls (key 30), versions 1-3: adds access control entries.

use crate::{Array, Message, Struct};

/// The request of CreateAcls (key 30).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "CreateAclsRequest", api = 30, versions = "1-3", flexible = "2+")]
pub struct CreateAclsRequest<'a> {
    #[kafka(versions = "0+")]
    pub creations: Array<'a, AclCreation<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AclCreation<'a> {
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "1+", default = 3)]
    pub resource_pattern_type: i8,
    #[kafka(versions = "0+")]
    pub principal: &'a str,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub operation: i8,
    #[kafka(versions = "0+")]
    pub permission_type: i8,
}

/// The response of CreateAcls (key 30).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "CreateAclsResponse", api = 30, versions = "1-3", flexible = "2+")]
pub struct CreateAclsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub results: Array<'a, AclCreationResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AclCreationResult<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
}
