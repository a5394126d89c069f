//! ListTransactions (key 66), versions 0-2: the transactions a broker coordinates.

use crate::{Array, Message, Struct};

/// The request of ListTransactions (key 66).
///
/// - v1: adds `duration_filter`.
/// - v2: adds `transactional_id_pattern` (KIP-1152).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListTransactionsRequest", api = 66, versions = "0-2", flexible = "0+")]
pub struct ListTransactionsRequest<'a> {
    #[kafka(versions = "0+")]
    pub state_filters: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub producer_id_filters: Array<'a, i64>,
    #[kafka(versions = "1+", default = -1)]
    pub duration_filter: i64,
    #[kafka(versions = "2+", nullable = "2+", default = null)]
    pub transactional_id_pattern: Option<&'a str>,
}

/// The response of ListTransactions (key 66).
///
/// - v1: behaviour only (KIP-994, KIP-1152).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ListTransactionsResponse", api = 66, versions = "0-2", flexible = "0+")]
pub struct ListTransactionsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub unknown_state_filters: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub transaction_states: Array<'a, TransactionState<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TransactionState<'a> {
    #[kafka(versions = "0+")]
    pub transactional_id: &'a str,
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub transaction_state: &'a str,
}
