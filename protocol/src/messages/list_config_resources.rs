//! ListConfigResources (key 74), versions 0-1: the names of resources that have configurations.

use crate::{Array, Message, Struct};

/// The request of ListConfigResources (key 74).
///
/// - v1: adds `resource_types` (KIP-1142).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListConfigResourcesRequest", api = 74, versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesRequest<'a> {
    #[kafka(versions = "1+")]
    pub resource_types: Array<'a, i8>,
}

/// The response of ListConfigResources (key 74).
///
/// - v1: adds `resource_type` (KIP-1142).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListConfigResourcesResponse", api = 74, versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub config_resources: Array<'a, ConfigResource<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ConfigResource<'a> {
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "1+", default = 16, ignorable)]
    pub resource_type: i8,
}
