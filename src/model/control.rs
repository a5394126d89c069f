//! What a client may ask of the control plane, and what it is told. Plain data, in Kafka's terms.

use std::collections::BTreeMap;

use protocol::error_code::ErrorCode;

use super::{BrokerId, PartitionIndex, TopicId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlRequest {
    CreateTopics {
        topics: Vec<NewTopic>,
        validate_only: bool,
    },
    DeleteTopics {
        topics: Vec<TopicRef>,
    },
    CreatePartitions {
        topics: Vec<NewPartitions>,
        validate_only: bool,
    },
    AlterConfigs {
        resources: Vec<ConfigChange>,
        validate_only: bool,
    },
    /// A block of producer ids for the shard that asks.
    AllocateProducerIds,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlAnswer {
    CreateTopics(Vec<TopicCreated>),
    DeleteTopics(Vec<TopicDone>),
    CreatePartitions(Vec<TopicDone>),
    AlterConfigs(Vec<ControlError>),
    ProducerIds {
        first: i64,
        count: u32,
    },
    /// The whole request failed: the metadata log cannot be written.
    Failed(ControlError),
}

/// NONE is success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlError {
    pub error: ErrorCode,
    pub message: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// -1: the broker's `num.partitions`, or as many as `assignments` has.
    pub partitions: i32,
    /// -1: the broker's default, or what `assignments` has.
    pub replication_factor: i16,
    pub assignments: Vec<(PartitionIndex, Vec<BrokerId>)>,
    pub configs: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicCreated {
    pub name: String,
    pub result: ControlError,
    pub topic_id: TopicId,
    pub partitions: i32,
    pub replication_factor: i16,
    /// What the topic sets itself.
    pub overrides: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicRef {
    Name(String),
    Id(TopicId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDone {
    pub name: Option<String>,
    pub topic_id: TopicId,
    pub result: ControlError,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartitions {
    pub name: String,
    /// The total afterwards.
    pub count: i32,
    /// One list of replicas for each new partition, or none at all.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    pub resource: ConfigResource,
    pub operations: Vec<ConfigOperation>,
    /// AlterConfigs (the old API) replaces everything that is set; IncrementalAlterConfigs changes what it names.
    pub replace_all: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResource {
    Topic(String),
    /// None: the default of all brokers.
    Broker(Option<BrokerId>),
    Group(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigOperation {
    pub key: String,
    pub kind: ConfigOperationKind,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigOperationKind {
    Set,
    Delete,
    Append,
    Subtract,
}
