//! AlterConfigs (key 33), versions 0-2: replaces the whole configuration of resources.

use crate::{Array, Message, Struct};

/// The request of AlterConfigs (key 33).
///
/// - v1: throttled after the answer (KIP-219).
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterConfigsRequest", api = 33, versions = "0-2", flexible = "2+")]
pub struct AlterConfigsRequest<'a> {
    #[kafka(versions = "0+")]
    pub resources: Array<'a, AlterConfigsResource<'a>>,
    #[kafka(versions = "0+")]
    pub validate_only: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterConfigsResource<'a> {
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "0+")]
    pub configs: Array<'a, AlterableConfig<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterableConfig<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<&'a str>,
}

/// The response of AlterConfigs (key 33).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterConfigsResponse", api = 33, versions = "0-2", flexible = "2+")]
pub struct AlterConfigsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub responses: Array<'a, AlterConfigsResourceResponse<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterConfigsResourceResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
}
