//! PushTelemetry (key 72), versions 0: client metrics (KIP-714).

use crate::{Message, Uuid};

/// The request of PushTelemetry (key 72).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "PushTelemetryRequest", api = 72, versions = "0", flexible = "0+")]
pub struct PushTelemetryRequest<'a> {
    #[kafka(versions = "0+")]
    pub client_instance_id: Uuid,
    #[kafka(versions = "0+")]
    pub subscription_id: i32,
    #[kafka(versions = "0+")]
    pub terminating: bool,
    #[kafka(versions = "0+")]
    pub compression_type: i8,
    #[kafka(versions = "0+")]
    pub metrics: &'a [u8],
}

/// The response of PushTelemetry (key 72).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "PushTelemetryResponse", api = 72, versions = "0", flexible = "0+")]
pub struct PushTelemetryResponse {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
