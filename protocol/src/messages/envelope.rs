//! Envelope (key 58), versions 0: a request that a broker forwards to the controller for a client.

use crate::Message;

/// The request of Envelope (key 58).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "EnvelopeRequest", api = 58, versions = "0", flexible = "0+")]
pub struct EnvelopeRequest<'a> {
    #[kafka(versions = "0+")]
    pub request_data: &'a [u8],
    #[kafka(versions = "0+", nullable = "0+")]
    pub request_principal: Option<&'a [u8]>,
    #[kafka(versions = "0+")]
    pub client_host_address: &'a [u8],
}

/// The response of Envelope (key 58).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "EnvelopeResponse", api = 58, versions = "0", flexible = "0+")]
pub struct EnvelopeResponse<'a> {
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub response_data: Option<&'a [u8]>,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
