//! SaslAuthenticate (key 36), versions 0-2: one step of a SASL exchange.

use crate::Message;

/// The request of SaslAuthenticate (key 36).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "SaslAuthenticateRequest", api = 36, versions = "0-2", flexible = "2+")]
pub struct SaslAuthenticateRequest<'a> {
    #[kafka(versions = "0+")]
    pub auth_bytes: &'a [u8],
}

/// The response of SaslAuthenticate (key 36).
///
/// - v1: adds `session_lifetime_ms`.
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "SaslAuthenticateResponse", api = 36, versions = "0-2", flexible = "2+")]
pub struct SaslAuthenticateResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub auth_bytes: &'a [u8],
    #[kafka(versions = "1+", ignorable)]
    pub session_lifetime_ms: i64,
}
