//! UnregisterBroker (key 64), versions 0: removes a broker's registration.

use crate::Message;

/// The request of UnregisterBroker (key 64).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UnregisterBrokerRequest", api = 64, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerRequest {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
}

/// The response of UnregisterBroker (key 64).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UnregisterBrokerResponse", api = 64, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
}
