//! BrokerRegistration (key 62), versions 0-4: a broker registers with the controller.

use crate::{Array, Message, Struct, Uuid};

/// The request of BrokerRegistration (key 62).
///
/// - v1: adds `is_migrating_zk_broker`.
/// - v2: adds `log_dirs` (KIP-858).
/// - v3: adds `previous_broker_epoch` (KIP-966).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "BrokerRegistrationRequest", api = 62, versions = "0-4", flexible = "0+")]
pub struct BrokerRegistrationRequest<'a> {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+")]
    pub cluster_id: &'a str,
    #[kafka(versions = "0+")]
    pub incarnation_id: Uuid,
    #[kafka(versions = "0+")]
    pub listeners: Array<'a, Listener<'a>>,
    #[kafka(versions = "0+")]
    pub features: Array<'a, Feature<'a>>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub rack: Option<&'a str>,
    #[kafka(versions = "1+")]
    pub is_migrating_zk_broker: bool,
    #[kafka(versions = "2+", ignorable)]
    pub log_dirs: Array<'a, Uuid>,
    #[kafka(versions = "3+", default = -1, ignorable)]
    pub previous_broker_epoch: i64,
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

/// The response of BrokerRegistration (key 62).
///
/// - v2: behaviour only (KIP-966).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "BrokerRegistrationResponse", api = 62, versions = "0-4", flexible = "0+")]
pub struct BrokerRegistrationResponse {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", default = -1)]
    pub broker_epoch: i64,
}
