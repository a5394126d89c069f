//! Small structures outside the request protocol.

use crate::Message;

/// An entry of a transaction index file.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AbortedTxn", versions = "0", flexible = "none")]
pub struct AbortedTxn {
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub first_offset: i64,
    #[kafka(versions = "0+")]
    pub last_offset: i64,
    #[kafka(versions = "0+")]
    pub last_stable_offset: i64,
}

/// A principal inside a forwarded request.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DefaultPrincipalData", versions = "0", flexible = "0+")]
pub struct DefaultPrincipalData<'a> {
    #[kafka(versions = "0+")]
    pub r#type: &'a str,
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub token_authenticated: bool,
}
