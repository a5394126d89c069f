//! CreateDelegationToken (key 38), versions 1-3: creates a delegation token.

use crate::{Array, Message, Struct};

/// The request of CreateDelegationToken (key 38).
///
/// - v2: flexible (KIP-482).
/// - v3: adds `owner_principal_type`, `owner_principal_name`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "CreateDelegationTokenRequest", api = 38, versions = "1-3", flexible = "2+")]
pub struct CreateDelegationTokenRequest<'a> {
    #[kafka(versions = "3+", nullable = "3+")]
    pub owner_principal_type: Option<&'a str>,
    #[kafka(versions = "3+", nullable = "3+")]
    pub owner_principal_name: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub renewers: Array<'a, CreatableRenewers<'a>>,
    #[kafka(versions = "0+")]
    pub max_lifetime_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CreatableRenewers<'a> {
    #[kafka(versions = "0+")]
    pub principal_type: &'a str,
    #[kafka(versions = "0+")]
    pub principal_name: &'a str,
}

/// The response of CreateDelegationToken (key 38).
///
/// - v2: flexible (KIP-482).
/// - v3: adds `token_requester_principal_type`, `token_requester_principal_name`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "CreateDelegationTokenResponse", api = 38, versions = "1-3", flexible = "2+")]
pub struct CreateDelegationTokenResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub principal_type: &'a str,
    #[kafka(versions = "0+")]
    pub principal_name: &'a str,
    #[kafka(versions = "3+")]
    pub token_requester_principal_type: &'a str,
    #[kafka(versions = "3+")]
    pub token_requester_principal_name: &'a str,
    #[kafka(versions = "0+")]
    pub issue_timestamp_ms: i64,
    #[kafka(versions = "0+")]
    pub expiry_timestamp_ms: i64,
    #[kafka(versions = "0+")]
    pub max_timestamp_ms: i64,
    #[kafka(versions = "0+")]
    pub token_id: &'a str,
    #[kafka(versions = "0+")]
    pub hmac: &'a [u8],
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
}
