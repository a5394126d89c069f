//! ExpireDelegationToken (key 40), versions 1-2: changes when a delegation token expires.

use crate::Message;

/// The request of ExpireDelegationToken (key 40).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ExpireDelegationTokenRequest", api = 40, versions = "1-2", flexible = "2+")]
pub struct ExpireDelegationTokenRequest<'a> {
    #[kafka(versions = "0+")]
    pub hmac: &'a [u8],
    #[kafka(versions = "0+")]
    pub expiry_time_period_ms: i64,
}

/// The response of ExpireDelegationToken (key 40).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ExpireDelegationTokenResponse", api = 40, versions = "1-2", flexible = "2+")]
pub struct ExpireDelegationTokenResponse {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub expiry_timestamp_ms: i64,
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
}
