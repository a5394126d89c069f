//! EndTxn (key 26), versions 0-5: commits or aborts a transaction.

use crate::Message;

/// The request of EndTxn (key 26).
///
/// - v3: flexible (KIP-482).
/// - v4: behaviour only (KIP-890).
/// - v5: behaviour only (KIP-890).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "EndTxnRequest", api = 26, versions = "0-5", flexible = "3+")]
pub struct EndTxnRequest<'a> {
    #[kafka(versions = "0+")]
    pub transactional_id: &'a str,
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    #[kafka(versions = "0+")]
    pub committed: bool,
}

/// The response of EndTxn (key 26).
///
/// - v3: flexible (KIP-482).
/// - v4: behaviour only (KIP-890).
/// - v5: adds `producer_id`, `producer_epoch` (KIP-890).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "EndTxnResponse", api = 26, versions = "0-5", flexible = "3+")]
pub struct EndTxnResponse {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub producer_id: i64,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub producer_epoch: i16,
}
