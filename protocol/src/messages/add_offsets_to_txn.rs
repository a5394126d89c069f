//! AddOffsetsToTxn (key 25), versions 0-4: adds a group's offsets partition to a transaction.

use crate::Message;

/// The request of AddOffsetsToTxn (key 25).
///
/// - v3: flexible (KIP-482).
/// - v4: behaviour only (KIP-890).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AddOffsetsToTxnRequest", api = 25, versions = "0-4", flexible = "3+")]
pub struct AddOffsetsToTxnRequest<'a> {
    #[kafka(versions = "0+")]
    pub transactional_id: &'a str,
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
}

/// The response of AddOffsetsToTxn (key 25).
///
/// - v3: flexible (KIP-482).
/// - v4: behaviour only (KIP-890).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AddOffsetsToTxnResponse", api = 25, versions = "0-4", flexible = "3+")]
pub struct AddOffsetsToTxnResponse {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
