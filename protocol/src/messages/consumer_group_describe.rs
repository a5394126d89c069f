//! ConsumerGroupDescribe (key 69), versions 0-1: state and members of consumer groups (KIP-848).

use crate::{Array, Message, Struct, Uuid};

/// The request of ConsumerGroupDescribe (key 69).
///
/// - v1: behaviour only (KIP-1099).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupDescribeRequest", api = 69, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupDescribeRequest<'a> {
    #[kafka(versions = "0+")]
    pub group_ids: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub include_authorized_operations: bool,
}

/// The response of ConsumerGroupDescribe (key 69).
///
/// - v1: adds `member_type` (KIP-1099).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConsumerGroupDescribeResponse", api = 69, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupDescribeResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub groups: Array<'a, DescribedGroup<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribedGroup<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub group_id: &'a str,
    #[kafka(versions = "0+")]
    pub group_state: &'a str,
    #[kafka(versions = "0+")]
    pub group_epoch: i32,
    #[kafka(versions = "0+")]
    pub assignment_epoch: i32,
    #[kafka(versions = "0+")]
    pub assignor_name: &'a str,
    #[kafka(versions = "0+")]
    pub members: Array<'a, Member<'a>>,
    #[kafka(versions = "0+", default = i32::MIN)]
    pub authorized_operations: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Member<'a> {
    #[kafka(versions = "0+")]
    pub member_id: &'a str,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub instance_id: Option<&'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack_id: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    #[kafka(versions = "0+")]
    pub client_id: &'a str,
    #[kafka(versions = "0+")]
    pub client_host: &'a str,
    #[kafka(versions = "0+")]
    pub subscribed_topic_names: Array<'a, &'a str>,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub subscribed_topic_regex: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub assignment: Assignment<'a>,
    #[kafka(versions = "0+")]
    pub target_assignment: Assignment<'a>,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub member_type: i8,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct Assignment<'a> {
    #[kafka(versions = "0+")]
    pub topic_partitions: Array<'a, TopicPartitions<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicPartitions<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}
