//! What precedes every request and response.

use crate::Message;

/// Precedes every request. Version 2 with flexible requests; `client_id` keeps the old encoding in both.
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RequestHeader", versions = "1-2", flexible = "2+")]
pub struct RequestHeader<'a> {
    #[kafka(versions = "0+")]
    pub request_api_key: i16,
    #[kafka(versions = "0+")]
    pub request_api_version: i16,
    #[kafka(versions = "0+")]
    pub correlation_id: i32,
    #[kafka(versions = "1+", nullable = "1+", flexible = "none")]
    pub client_id: Option<&'a str>,
}

/// Precedes every response. Version 1 with flexible responses, except those of ApiVersions.
///
/// - v1: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ResponseHeader", versions = "0-1", flexible = "1+")]
pub struct ResponseHeader {
    #[kafka(versions = "0+")]
    pub correlation_id: i32,
}
