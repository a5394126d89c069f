//! DeleteTopics (key 20), versions 1-6: deletes topics by name or id.

use crate::{Array, Message, Struct, Uuid};

/// The request of DeleteTopics (key 20).
///
/// - v2: throttled after the answer (KIP-219).
/// - v3: TOPIC_DELETION_DISABLED known.
/// - v4: flexible (KIP-482).
/// - v5: behaviour only (KIP-599).
/// - v6: adds `topics`; drops `topic_names`; by id (KIP-516).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteTopicsRequest", api = 20, versions = "1-6", flexible = "4+")]
pub struct DeleteTopicsRequest<'a> {
    #[kafka(versions = "6+")]
    pub topics: Array<'a, DeleteTopicState<'a>>,
    #[kafka(versions = "0-5", ignorable)]
    pub topic_names: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteTopicState<'a> {
    #[kafka(versions = "6+", nullable = "6+", default = null)]
    pub name: Option<&'a str>,
    #[kafka(versions = "6+")]
    pub topic_id: Uuid,
}

/// The response of DeleteTopics (key 20).
///
/// - v4: flexible (KIP-482).
/// - v5: adds `error_message` (KIP-599).
/// - v6: adds `topic_id`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteTopicsResponse", api = 20, versions = "1-6", flexible = "4+")]
pub struct DeleteTopicsResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub responses: Array<'a, DeletableTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeletableTopicResult<'a> {
    #[kafka(versions = "0+", nullable = "6+")]
    pub name: Option<&'a str>,
    #[kafka(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub error_message: Option<&'a str>,
}
