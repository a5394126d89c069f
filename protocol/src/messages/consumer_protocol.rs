//! What consumers of the classic group protocol put in their opaque bytes.

use crate::{Array, Message, Struct};

/// What a consumer sends when it joins a group.
///
/// - v1: adds `owned_partitions`.
/// - v2: adds `generation_id`.
/// - v3: adds `rack_id`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerProtocolSubscription", versions = "0-3", flexible = "none")]
pub struct ConsumerProtocolSubscription<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, &'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub user_data: Option<&'a [u8]>,
    #[kafka(versions = "1+", ignorable)]
    pub owned_partitions: Array<'a, ConsumerProtocolSubscriptionTopicPartition<'a>>,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub generation_id: i32,
    #[kafka(versions = "3+", nullable = "3+", default = null, ignorable)]
    pub rack_id: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicPartition")]
pub struct ConsumerProtocolSubscriptionTopicPartition<'a> {
    #[kafka(versions = "1+")]
    pub topic: &'a str,
    #[kafka(versions = "1+")]
    pub partitions: Array<'a, i32>,
}

/// What a consumer receives as its assignment.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerProtocolAssignment", versions = "0-3", flexible = "none")]
pub struct ConsumerProtocolAssignment<'a> {
    #[kafka(versions = "0+")]
    pub assigned_partitions: Array<'a, ConsumerProtocolAssignmentTopicPartition<'a>>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub user_data: Option<&'a [u8]>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicPartition")]
pub struct ConsumerProtocolAssignmentTopicPartition<'a> {
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}
