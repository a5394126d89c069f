//! DescribeUserScramCredentials (key 50), versions 0: which SCRAM credentials users have.

use crate::{Array, Message, Struct};

/// The request of DescribeUserScramCredentials (key 50).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeUserScramCredentialsRequest", api = 50, versions = "0", flexible = "0+")]
pub struct DescribeUserScramCredentialsRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+")]
    pub users: Option<Array<'a, UserName<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct UserName<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
}

/// The response of DescribeUserScramCredentials (key 50).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeUserScramCredentialsResponse", api = 50, versions = "0", flexible = "0+")]
pub struct DescribeUserScramCredentialsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub results: Array<'a, DescribeUserScramCredentialsResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeUserScramCredentialsResult<'a> {
    #[kafka(versions = "0+")]
    pub user: &'a str,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub credential_infos: Array<'a, CredentialInfo>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct CredentialInfo {
    #[kafka(versions = "0+")]
    pub mechanism: i8,
    #[kafka(versions = "0+")]
    pub iterations: i32,
}
