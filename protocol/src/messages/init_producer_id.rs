//! InitProducerId (key 22), versions 0-6: gives a producer its id and epoch, fencing an older one of the
//! same transactional id.

use crate::Message;

/// The request of InitProducerId (key 22).
///
/// - v1: throttled after the answer (KIP-219).
/// - v2: flexible (KIP-482).
/// - v3: adds `producer_id`, `producer_epoch`; resumes a producer (KIP-360).
/// - v4: PRODUCER_FENCED known (KIP-588).
/// - v5: TRANSACTION_ABORTABLE known (KIP-890).
/// - v6: adds `enable2_pc`, `keep_prepared_txn`; two-phase commit, not released (KIP-939).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "InitProducerIdRequest", api = 22, versions = "0-6", flexible = "2+")]
pub struct InitProducerIdRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+")]
    pub transactional_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub transaction_timeout_ms: i32,
    #[kafka(versions = "3+", default = -1)]
    pub producer_id: i64,
    #[kafka(versions = "3+", default = -1)]
    pub producer_epoch: i16,
    #[kafka(versions = "6+")]
    pub enable2_pc: bool,
    #[kafka(versions = "6+")]
    pub keep_prepared_txn: bool,
}

/// The response of InitProducerId (key 22).
///
/// - v2: flexible (KIP-482).
/// - v5: behaviour only (KIP-890).
/// - v6: adds `ongoing_txn_producer_id`, `ongoing_txn_producer_epoch` (KIP-939).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "InitProducerIdResponse", api = 22, versions = "0-6", flexible = "2+")]
pub struct InitProducerIdResponse {
    #[kafka(versions = "0+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", default = -1)]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    #[kafka(versions = "6+", default = -1)]
    pub ongoing_txn_producer_id: i64,
    #[kafka(versions = "6+", default = -1)]
    pub ongoing_txn_producer_epoch: i16,
}
