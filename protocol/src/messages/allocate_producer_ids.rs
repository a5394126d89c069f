//! AllocateProducerIds (key 67), versions 0: a broker gets a block of producer ids.

use crate::Message;

/// The request of AllocateProducerIds (key 67).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AllocateProducerIdsRequest", api = 67, versions = "0", flexible = "0+")]
pub struct AllocateProducerIdsRequest {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+", default = -1)]
    pub broker_epoch: i64,
}

/// The response of AllocateProducerIds (key 67).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AllocateProducerIdsResponse", api = 67, versions = "0", flexible = "0+")]
pub struct AllocateProducerIdsResponse {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub producer_id_start: i64,
    #[kafka(versions = "0+")]
    pub producer_id_len: i32,
}
