//! RenewDelegationToken (key 39), versions 1-2: prolongs a delegation token.

use crate::Message;

/// The request of RenewDelegationToken (key 39).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RenewDelegationTokenRequest", api = 39, versions = "1-2", flexible = "2+")]
pub struct RenewDelegationTokenRequest<'a> {
    #[kafka(versions = "0+")]
    pub hmac: &'a [u8],
    #[kafka(versions = "0+")]
    pub renew_period_ms: i64,
}

/// The response of RenewDelegationToken (key 39).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RenewDelegationTokenResponse", api = 39, versions = "1-2", flexible = "2+")]
pub struct RenewDelegationTokenResponse {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub expiry_timestamp_ms: i64,
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
}
