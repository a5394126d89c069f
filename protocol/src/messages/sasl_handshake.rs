//! SaslHandshake (key 17), versions 0-1: chooses the SASL mechanism of a connection.

use crate::{Array, Message};

/// The request of SaslHandshake (key 17).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "SaslHandshakeRequest", api = 17, versions = "0-1", flexible = "none")]
pub struct SaslHandshakeRequest<'a> {
    #[kafka(versions = "0+")]
    pub mechanism: &'a str,
}

/// The response of SaslHandshake (key 17).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "SaslHandshakeResponse", api = 17, versions = "0-1", flexible = "none")]
pub struct SaslHandshakeResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub mechanisms: Array<'a, &'a str>,
}
