//! AlterClientQuotas (key 49), versions 0-1: sets or removes client quotas.

use crate::{Array, Message, Struct};

/// The request of AlterClientQuotas (key 49).
///
/// - v1: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterClientQuotasRequest", api = 49, versions = "0-1", flexible = "1+")]
pub struct AlterClientQuotasRequest<'a> {
    #[kafka(versions = "0+")]
    pub entries: Array<'a, AlterClientQuotasRequestEntryData<'a>>,
    #[kafka(versions = "0+")]
    pub validate_only: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "EntryData")]
pub struct AlterClientQuotasRequestEntryData<'a> {
    #[kafka(versions = "0+")]
    pub entity: Array<'a, AlterClientQuotasRequestEntityData<'a>>,
    #[kafka(versions = "0+")]
    pub ops: Array<'a, OpData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "EntityData")]
pub struct AlterClientQuotasRequestEntityData<'a> {
    #[kafka(versions = "0+")]
    pub entity_type: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub entity_name: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct OpData<'a> {
    #[kafka(versions = "0+")]
    pub key: &'a str,
    #[kafka(versions = "0+")]
    pub value: f64,
    #[kafka(versions = "0+")]
    pub remove: bool,
}

/// The response of AlterClientQuotas (key 49).
///
/// - v1: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterClientQuotasResponse", api = 49, versions = "0-1", flexible = "1+")]
pub struct AlterClientQuotasResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub entries: Array<'a, AlterClientQuotasResponseEntryData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "EntryData")]
pub struct AlterClientQuotasResponseEntryData<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub entity: Array<'a, AlterClientQuotasResponseEntityData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "EntityData")]
pub struct AlterClientQuotasResponseEntityData<'a> {
    #[kafka(versions = "0+")]
    pub entity_type: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub entity_name: Option<&'a str>,
}
