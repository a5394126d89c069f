//! AlterPartition (key 56), versions 2-3: a partition leader asks the controller to change the in-sync
//! replicas.

use crate::{Array, Message, Struct, Uuid};

/// The request of AlterPartition (key 56).
///
/// - v3: adds `new_isr_with_epochs`; drops `new_isr` (KIP-903).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterPartitionRequest", api = 56, versions = "2-3", flexible = "0+")]
pub struct AlterPartitionRequest<'a> {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+", default = -1)]
    pub broker_epoch: i64,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, AlterPartitionRequestTopicData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct AlterPartitionRequestTopicData<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, AlterPartitionRequestPartitionData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct AlterPartitionRequestPartitionData<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    #[kafka(versions = "0-2")]
    pub new_isr: Array<'a, i32>,
    #[kafka(versions = "3+")]
    pub new_isr_with_epochs: Array<'a, BrokerState>,
    #[kafka(versions = "1+")]
    pub leader_recovery_state: i8,
    #[kafka(versions = "0+")]
    pub partition_epoch: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct BrokerState {
    #[kafka(versions = "3+")]
    pub broker_id: i32,
    #[kafka(versions = "3+", default = -1)]
    pub broker_epoch: i64,
}

/// The response of AlterPartition (key 56).
///
/// - v3: behaviour only (KIP-903).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterPartitionResponse", api = 56, versions = "2-3", flexible = "0+")]
pub struct AlterPartitionResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, AlterPartitionResponseTopicData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct AlterPartitionResponseTopicData<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, AlterPartitionResponsePartitionData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct AlterPartitionResponsePartitionData<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    #[kafka(versions = "0+")]
    pub isr: Array<'a, i32>,
    #[kafka(versions = "1+", ignorable)]
    pub leader_recovery_state: i8,
    #[kafka(versions = "0+")]
    pub partition_epoch: i32,
}
