//! DescribeDelegationToken (key 41), versions 1-3: the delegation tokens of some owners.

use crate::{Array, Message, Struct};

/// The request of DescribeDelegationToken (key 41).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeDelegationTokenRequest", api = 41, versions = "1-3", flexible = "2+")]
pub struct DescribeDelegationTokenRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+")]
    pub owners: Option<Array<'a, DescribeDelegationTokenOwner<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeDelegationTokenOwner<'a> {
    #[kafka(versions = "0+")]
    pub principal_type: &'a str,
    #[kafka(versions = "0+")]
    pub principal_name: &'a str,
}

/// The response of DescribeDelegationToken (key 41).
///
/// - v2: flexible (KIP-482).
/// - v3: adds `token_requester_principal_type`, `token_requester_principal_name`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeDelegationTokenResponse", api = 41, versions = "1-3", flexible = "2+")]
pub struct DescribeDelegationTokenResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub tokens: Array<'a, DescribedDelegationToken<'a>>,
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribedDelegationToken<'a> {
    #[kafka(versions = "0+")]
    pub principal_type: &'a str,
    #[kafka(versions = "0+")]
    pub principal_name: &'a str,
    #[kafka(versions = "3+")]
    pub token_requester_principal_type: &'a str,
    #[kafka(versions = "3+")]
    pub token_requester_principal_name: &'a str,
    #[kafka(versions = "0+")]
    pub issue_timestamp: i64,
    #[kafka(versions = "0+")]
    pub expiry_timestamp: i64,
    #[kafka(versions = "0+")]
    pub max_timestamp: i64,
    #[kafka(versions = "0+")]
    pub token_id: &'a str,
    #[kafka(versions = "0+")]
    pub hmac: &'a [u8],
    #[kafka(versions = "0+")]
    pub renewers: Array<'a, DescribedDelegationTokenRenewer<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribedDelegationTokenRenewer<'a> {
    #[kafka(versions = "0+")]
    pub principal_type: &'a str,
    #[kafka(versions = "0+")]
    pub principal_name: &'a str,
}
