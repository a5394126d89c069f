//! Partitions that belong to a member, as a value.
//!
//! Decides how they are kept: by topic, sorted, so that equal assignments are equal and every walk over one has the same order.

use std::collections::BTreeMap;

use super::{PartitionIndex, TopicId};

/// Partitions of topics.
///
/// Invariants: each topic's partitions are sorted and without duplicates; no topic is without partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    topics: BTreeMap<TopicId, Vec<PartitionIndex>>,
}

impl Assignment {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    #[must_use]
    pub fn contains(&self, topic_id: TopicId, partition: PartitionIndex) -> bool {
        self.partitions(topic_id).binary_search(&partition).is_ok()
    }

    /// One topic's partitions, sorted.
    #[must_use]
    pub fn partitions(&self, topic_id: TopicId) -> &[PartitionIndex] {
        self.topics.get(&topic_id).map_or(&[], Vec::as_slice)
    }

    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &[PartitionIndex])> {
        self.topics.iter().map(|(topic_id, partitions)| (*topic_id, partitions.as_slice()))
    }

    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.topics.values().map(Vec::len).sum()
    }

    /// Adds partitions in any order; those that are there already change nothing.
    pub fn add(&mut self, topic_id: TopicId, partitions: impl IntoIterator<Item = PartitionIndex>) {
        let mut partitions = partitions.into_iter().peekable();
        if partitions.peek().is_none() {
            return;
        }
        let all = self.topics.entry(topic_id).or_default();
        let sorted_until = all.len();
        all.extend(partitions);
        if !all[sorted_until.saturating_sub(1)..].is_sorted_by(|a, b| a < b) {
            all.sort_unstable();
            all.dedup();
        }
    }
}

impl<P: IntoIterator<Item = PartitionIndex>> FromIterator<(TopicId, P)> for Assignment {
    fn from_iter<I: IntoIterator<Item = (TopicId, P)>>(topics: I) -> Assignment {
        let mut assignment = Assignment::default();
        for (topic_id, partitions) in topics {
            assignment.add(topic_id, partitions);
        }
        assignment
    }
}
