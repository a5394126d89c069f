//! GetTelemetrySubscriptions (key 71), versions 0: which client metrics the cluster wants (KIP-714).

use crate::{Array, Message, Uuid};

/// The request of GetTelemetrySubscriptions (key 71).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "GetTelemetrySubscriptionsRequest", api = 71, versions = "0", flexible = "0+")]
pub struct GetTelemetrySubscriptionsRequest {
    #[kafka(versions = "0+")]
    pub client_instance_id: Uuid,
}

/// The response of GetTelemetrySubscriptions (key 71).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "GetTelemetrySubscriptionsResponse", api = 71, versions = "0", flexible = "0+")]
pub struct GetTelemetrySubscriptionsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub client_instance_id: Uuid,
    #[kafka(versions = "0+")]
    pub subscription_id: i32,
    #[kafka(versions = "0+")]
    pub accepted_compression_types: Array<'a, i8>,
    #[kafka(versions = "0+")]
    pub push_interval_ms: i32,
    #[kafka(versions = "0+")]
    pub telemetry_max_bytes: i32,
    #[kafka(versions = "0+")]
    pub delta_temporality: bool,
    #[kafka(versions = "0+")]
    pub requested_metrics: Array<'a, &'a str>,
}
