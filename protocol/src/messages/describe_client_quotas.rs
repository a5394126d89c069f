//! DescribeClientQuotas (key 48), versions 0-1: the client quotas that match a filter.

use crate::{Array, Message, Struct};

/// The request of DescribeClientQuotas (key 48).
///
/// - v1: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeClientQuotasRequest", api = 48, versions = "0-1", flexible = "1+")]
pub struct DescribeClientQuotasRequest<'a> {
    #[kafka(versions = "0+")]
    pub components: Array<'a, ComponentData<'a>>,
    #[kafka(versions = "0+")]
    pub strict: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ComponentData<'a> {
    #[kafka(versions = "0+")]
    pub entity_type: &'a str,
    #[kafka(versions = "0+")]
    pub match_type: i8,
    #[kafka(versions = "0+", nullable = "0+")]
    pub r#match: Option<&'a str>,
}

/// The response of DescribeClientQuotas (key 48).
///
/// - v1: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeClientQuotasResponse", api = 48, versions = "0-1", flexible = "1+")]
pub struct DescribeClientQuotasResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub entries: Option<Array<'a, EntryData<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct EntryData<'a> {
    #[kafka(versions = "0+")]
    pub entity: Array<'a, EntityData<'a>>,
    #[kafka(versions = "0+")]
    pub values: Array<'a, ValueData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct EntityData<'a> {
    #[kafka(versions = "0+")]
    pub entity_type: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub entity_name: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ValueData<'a> {
    #[kafka(versions = "0+")]
    pub key: &'a str,
    #[kafka(versions = "0+")]
    pub value: f64,
}
