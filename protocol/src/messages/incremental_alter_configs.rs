//! IncrementalAlterConfigs (key 44), versions 0-1: sets, deletes, extends or shortens single configuration
//! entries.

use crate::{Array, Message, Struct};

/// The request of IncrementalAlterConfigs (key 44).
///
/// - v1: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "IncrementalAlterConfigsRequest", api = 44, versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsRequest<'a> {
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
    #[kafka(versions = "0+")]
    pub config_operation: i8,
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<&'a str>,
}

/// The response of IncrementalAlterConfigs (key 44).
///
/// - v1: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "IncrementalAlterConfigsResponse", api = 44, versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsResponse<'a> {
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
