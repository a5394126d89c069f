//! AlterUserScramCredentials (key 51), versions 0: sets or deletes SCRAM credentials.

use crate::{Array, Message, Struct};

/// The request of AlterUserScramCredentials (key 51).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterUserScramCredentialsRequest", api = 51, versions = "0", flexible = "0+")]
pub struct AlterUserScramCredentialsRequest<'a> {
    #[kafka(versions = "0+")]
    pub deletions: Array<'a, ScramCredentialDeletion<'a>>,
    #[kafka(versions = "0+")]
    pub upsertions: Array<'a, ScramCredentialUpsertion<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ScramCredentialDeletion<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub mechanism: i8,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ScramCredentialUpsertion<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub mechanism: i8,
    #[kafka(versions = "0+")]
    pub iterations: i32,
    #[kafka(versions = "0+")]
    pub salt: &'a [u8],
    #[kafka(versions = "0+")]
    pub salted_password: &'a [u8],
}

/// The response of AlterUserScramCredentials (key 51).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterUserScramCredentialsResponse", api = 51, versions = "0", flexible = "0+")]
pub struct AlterUserScramCredentialsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub results: Array<'a, AlterUserScramCredentialsResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterUserScramCredentialsResult<'a> {
    #[kafka(versions = "0+")]
    pub user: &'a str,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
}
