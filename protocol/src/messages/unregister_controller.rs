//! UnregisterController (key 94), versions 0: removes a controller's registration.

use crate::Message;

/// The request of UnregisterController (key 94).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UnregisterControllerRequest", api = 94, versions = "0", flexible = "0+")]
pub struct UnregisterControllerRequest {
    #[kafka(versions = "0+")]
    pub controller_id: i32,
}

/// The response of UnregisterController (key 94).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UnregisterControllerResponse", api = 94, versions = "0", flexible = "0+")]
pub struct UnregisterControllerResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
}
