//! What the cluster is: an immutable picture, replaced as a whole.
//!
//! The controller's host makes the next one (`metadata/`) and hands it to every shard. Parts that did not change are shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::topic_config::TopicConfig;
use super::{BrokerId, DirectoryId, LeaderEpoch, PartitionIndex, TopicId, TopicPartition};

/// One topic of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicImage {
    pub name: Arc<str>,
    pub topic_id: TopicId,
    /// By partition index, dense from 0.
    pub partitions: Vec<PartitionImage>,
    /// What the user set, by Kafka's key: text as given.
    pub overrides: BTreeMap<String, String>,
    /// What they mean, together with the broker's defaults.
    pub config: Arc<TopicConfig>,
    pub internal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionImage {
    pub leader: BrokerId,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: i32,
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
    /// Where this broker's replica is.
    pub directory: DirectoryId,
}

/// One broker of the cluster with its advertised address for each listener, by the listener's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerImage {
    pub broker_id: BrokerId,
    pub rack: Option<Arc<str>>,
    pub endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub listener: Arc<str>,
    pub host: Arc<str>,
    pub port: u16,
}

/// Invariants: `topics` and `names` hold the same topics. `version` grows with each change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataImage {
    /// Offset of the last metadata record that it reflects.
    pub version: u64,
    pub cluster_id: Arc<str>,
    /// This broker's id: the controller too, on a single node.
    pub broker_id: BrokerId,
    pub brokers: Vec<BrokerImage>,
    /// Finalized feature levels, by Kafka's names.
    pub features: BTreeMap<Arc<str>, i16>,
    pub names: BTreeMap<Arc<str>, TopicId>,
    pub topics: BTreeMap<TopicId, Arc<TopicImage>>,
    /// Dynamic broker configs: (None: cluster default, or one broker) -> key -> text.
    pub broker_overrides: BTreeMap<Option<BrokerId>, BTreeMap<String, String>>,
    /// Configs of groups, whether or not there are such groups: group -> key -> text. No group without keys.
    pub group_overrides: BTreeMap<Arc<str>, BTreeMap<String, String>>,
}

impl MetadataImage {
    /// The same cluster before its first topic and its first dynamic setting: what a shard begins with, so that applying the
    /// whole image is a change in both.
    #[must_use]
    pub fn without_topics(&self) -> MetadataImage {
        let (names, topics, broker_overrides) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        MetadataImage { names, topics, broker_overrides, ..self.clone() }
    }

    /// A cluster of which nothing is known yet.
    #[must_use]
    pub fn empty(cluster_id: Arc<str>, broker_id: BrokerId) -> MetadataImage {
        MetadataImage {
            version: 0,
            cluster_id,
            broker_id,
            brokers: Vec::new(),
            features: BTreeMap::new(),
            names: BTreeMap::new(),
            topics: BTreeMap::new(),
            broker_overrides: BTreeMap::new(),
            group_overrides: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(self.names.get(name)?)
    }

    #[must_use]
    pub fn topic(&self, topic_id: TopicId) -> Option<&Arc<TopicImage>> {
        self.topics.get(&topic_id)
    }

    #[must_use]
    pub fn partition(&self, of: TopicPartition) -> Option<&PartitionImage> {
        self.topic(of.topic_id)?.partition(of.partition)
    }
}

impl TopicImage {
    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }
}
