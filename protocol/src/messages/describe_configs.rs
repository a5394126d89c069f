//! DescribeConfigs (key 32), versions 1-4: the configuration of topics, brokers and other resources, with
//! its sources.

use crate::{Array, Message, Struct};

/// The request of DescribeConfigs (key 32).
///
/// - v2: throttled after the answer (KIP-219).
/// - v3: adds `include_documentation`.
/// - v4: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeConfigsRequest", api = 32, versions = "1-4", flexible = "4+")]
pub struct DescribeConfigsRequest<'a> {
    #[kafka(versions = "0+")]
    pub resources: Array<'a, DescribeConfigsResource<'a>>,
    #[kafka(versions = "1+")]
    pub include_synonyms: bool,
    #[kafka(versions = "3+")]
    pub include_documentation: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeConfigsResource<'a> {
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub configuration_keys: Option<Array<'a, &'a str>>,
}

/// The response of DescribeConfigs (key 32).
///
/// - v3: adds `config_type`, `documentation`.
/// - v4: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeConfigsResponse", api = 32, versions = "1-4", flexible = "4+")]
pub struct DescribeConfigsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub results: Array<'a, DescribeConfigsResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeConfigsResult<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "0+")]
    pub configs: Array<'a, DescribeConfigsResourceResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeConfigsResourceResult<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub read_only: bool,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub config_source: i8,
    #[kafka(versions = "0+")]
    pub is_sensitive: bool,
    #[kafka(versions = "1+", ignorable)]
    pub synonyms: Array<'a, DescribeConfigsSynonym<'a>>,
    #[kafka(versions = "3+", ignorable)]
    pub config_type: i8,
    #[kafka(versions = "3+", nullable = "3+", ignorable)]
    pub documentation: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeConfigsSynonym<'a> {
    #[kafka(versions = "1+")]
    pub name: &'a str,
    #[kafka(versions = "1+", nullable = "1+")]
    pub value: Option<&'a str>,
    #[kafka(versions = "1+")]
    pub source: i8,
}
