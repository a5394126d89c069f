//! Partitions that members own, as values: with the epochs at which they were given, and turned around, with their owners.
//!
//! Decides nothing about who may own what (`reconcile`).

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Uuid;
use protocol::messages::group_record::CurrentTopicPartitions;

use crate::model::Assignment;
use crate::model::consumer_group::{GroupEpoch, MemberId};
use crate::model::{PartitionIndex, TopicId};

/// Partitions of one member, each with the epoch at which it got it: a commit from that epoch on is its own.
///
/// Shared between its copies, as every heartbeat makes some and few change anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedPartitions {
    topics: Arc<BTreeMap<TopicId, BTreeMap<PartitionIndex, GroupEpoch>>>,
}

impl OwnedPartitions {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    #[must_use]
    pub fn epoch_of(&self, topic_id: TopicId, partition: PartitionIndex) -> Option<GroupEpoch> {
        self.topics.get(&topic_id)?.get(&partition).copied()
    }

    #[must_use]
    pub fn contains(&self, topic_id: TopicId, partition: PartitionIndex) -> bool {
        self.epoch_of(topic_id, partition).is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = (TopicId, PartitionIndex, GroupEpoch)> {
        self.topics.iter().flat_map(|(topic_id, partitions)| {
            partitions.iter().map(|(partition, epoch)| (*topic_id, *partition, *epoch))
        })
    }

    pub fn insert(&mut self, topic_id: TopicId, partition: PartitionIndex, epoch: GroupEpoch) {
        Arc::make_mut(&mut self.topics).entry(topic_id).or_default().insert(partition, epoch);
    }

    #[must_use]
    pub fn to_assignment(&self) -> Assignment {
        self.topics.iter().map(|(topic_id, partitions)| (*topic_id, partitions.keys().copied())).collect()
    }

    /// The same partitions, whatever their epochs.
    #[must_use]
    pub fn has_the_partitions_of(&self, other: &OwnedPartitions) -> bool {
        let partitions = |owned: &OwnedPartitions| {
            owned.iter().map(|(topic_id, partition, _)| (topic_id, partition)).collect::<Vec<_>>()
        };
        self == other || partitions(self) == partitions(other)
    }

    /// Are all of these among the partitions?
    #[must_use]
    pub fn contains_all(&self, partitions: &Assignment) -> bool {
        let mut topics = partitions.topics();
        topics.all(|(topic_id, partitions)| {
            partitions.iter().all(|partition| self.contains(topic_id, *partition))
        })
    }

    /// Is any of these among the partitions?
    #[must_use]
    pub fn contains_any(&self, partitions: &Assignment) -> bool {
        let mut topics = partitions.topics();
        topics.any(|(topic_id, partitions)| {
            partitions.iter().any(|partition| self.contains(topic_id, *partition))
        })
    }

    #[must_use]
    pub(super) fn to_record(&self) -> Vec<CurrentTopicPartitions<'static>> {
        let topic = |(topic_id, partitions): (&TopicId, &BTreeMap<PartitionIndex, GroupEpoch>)| {
            CurrentTopicPartitions {
                topic_id: Uuid(topic_id.0),
                partitions: partitions.keys().map(|partition| partition.0).collect(),
                assignment_epochs: Some(partitions.values().map(|epoch| epoch.0).collect()),
            }
        };
        self.topics.iter().map(topic).collect()
    }

    /// Records of Kafka before 4.3 have no epochs: then the member's is as good.
    #[must_use]
    pub(super) fn from_record<'a>(
        topics: impl IntoIterator<Item = CurrentTopicPartitions<'a>>,
        member_epoch: GroupEpoch,
    ) -> OwnedPartitions {
        let mut owned = OwnedPartitions::default();
        for topic in topics {
            let mut epochs = topic.assignment_epochs.iter().flat_map(|epochs| epochs.iter());
            for partition in &topic.partitions {
                let epoch = epochs.next().map_or(member_epoch, GroupEpoch);
                owned.insert(TopicId(topic.topic_id.0), PartitionIndex(partition), epoch);
            }
        }
        owned
    }
}

/// Who owns each partition that somebody owns: assigned, or still to be given up.
#[derive(Debug, Default)]
pub(super) struct Owners {
    topics: BTreeMap<TopicId, BTreeMap<PartitionIndex, MemberId>>,
}

impl Owners {
    pub(super) fn of(&self, topic_id: TopicId, partition: PartitionIndex) -> Option<&MemberId> {
        self.topics.get(&topic_id)?.get(&partition)
    }

    pub(super) fn add(&mut self, member_id: &MemberId, owned: &OwnedPartitions) {
        for (topic_id, partition, _) in owned.iter() {
            self.topics.entry(topic_id).or_default().insert(partition, member_id.clone());
        }
    }

    /// What has gone to another member meanwhile stays there.
    pub(super) fn remove(&mut self, member_id: &MemberId, owned: &OwnedPartitions) {
        for (topic_id, partition, _) in owned.iter() {
            let Some(partitions) = self.topics.get_mut(&topic_id) else { continue };
            if partitions.get(&partition) == Some(member_id) {
                partitions.remove(&partition);
            }
            if partitions.is_empty() {
                self.topics.remove(&topic_id);
            }
        }
    }
}
