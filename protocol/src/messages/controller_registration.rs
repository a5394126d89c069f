//! ControllerRegistration (key 70), versions 0: a controller registers with the active controller.

use crate::{Array, Message, Struct, Uuid};

/// The request of ControllerRegistration (key 70).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ControllerRegistrationRequest", api = 70, versions = "0", flexible = "0+")]
pub struct ControllerRegistrationRequest<'a> {
    #[kafka(versions = "0+")]
    pub controller_id: i32,
    #[kafka(versions = "0+")]
    pub incarnation_id: Uuid,
    #[kafka(versions = "0+")]
    pub zk_migration_ready: bool,
    #[kafka(versions = "0+")]
    pub listeners: Array<'a, Listener<'a>>,
    #[kafka(versions = "0+")]
    pub features: Array<'a, Feature<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Listener<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: u16,
    #[kafka(versions = "0+")]
    pub security_protocol: i16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Feature<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub min_supported_version: i16,
    #[kafka(versions = "0+")]
    pub max_supported_version: i16,
}

/// The response of ControllerRegistration (key 70).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ControllerRegistrationResponse", api = 70, versions = "0", flexible = "0+")]
pub struct ControllerRegistrationResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
}
