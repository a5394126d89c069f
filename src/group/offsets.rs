//! Committed offsets of all groups of one partition of `__consumer_offsets`.
//!
//! Decides what is stored, what is found, and what has expired. Who may commit is decided by the groups.

use std::collections::BTreeMap;

use protocol::Uuid;
use protocol::error_code::ErrorCode;
use protocol::messages::group_record::OffsetCommitValue;

use super::records;
use crate::coordinator::{CoordinatorRecord, View};
use crate::model::group::{CommitAsk, FetchAsk, FetchTopic, FetchedOffset, FetchedTopic};
use crate::model::{LeaderEpoch, Offset, TopicId};

/// One committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Committed {
    offset: Offset,
    leader_epoch: LeaderEpoch,
    metadata: Box<str>,
    commit_ms: i64,
    /// The committer said until when. None: the group's retention counts.
    expire_ms: Option<i64>,
    /// ZERO: committed by name.
    topic_id: TopicId,
}

type Topics = BTreeMap<String, BTreeMap<i32, Committed>>;

/// When offsets of a group are of no more use.
#[derive(Debug, Clone, Copy)]
pub struct Expiry {
    pub wall_ms: i64,
    pub retention_ms: u64,
    /// Since when the group has no members. None: each offset counts from its commit.
    pub unused_since: Option<i64>,
}

/// Lives: in a group coordinator. Changes by `replay` alone.
/// Invariants: no group without topics, no topic without partitions; `topics` counts the groups of each topic, `count` the offsets.
#[derive(Debug, Default)]
pub struct Offsets {
    groups: BTreeMap<String, Topics>,
    topics: BTreeMap<String, usize>,
    count: usize,
}

impl Offsets {
    /// Takes a record: an offset, or (None) its end.
    pub fn replay(
        &mut self,
        group_id: &str,
        topic: &str,
        partition: i32,
        value: Option<&OffsetCommitValue<'_>>,
    ) {
        match value {
            Some(value) => self.insert(group_id, topic, partition, value),
            None => self.remove(group_id, topic, partition),
        }
    }

    fn insert(&mut self, group_id: &str, topic: &str, partition: i32, value: &OffsetCommitValue<'_>) {
        let committed = Committed {
            offset: Offset(value.offset),
            leader_epoch: LeaderEpoch(value.leader_epoch),
            metadata: value.metadata.into(),
            commit_ms: value.commit_timestamp,
            expire_ms: Some(value.expire_timestamp).filter(|ms| *ms != -1),
            topic_id: TopicId(value.topic_id.0),
        };
        // The group and topic are there nearly always: no key is made then.
        let known = self.groups.get_mut(group_id).and_then(|topics| topics.get_mut(topic));
        if let Some(partitions) = known {
            self.count += usize::from(partitions.insert(partition, committed).is_none());
            return;
        }
        *self.topics.entry(topic.to_owned()).or_default() += 1;
        let topics = self.groups.entry(group_id.to_owned()).or_default();
        topics.entry(topic.to_owned()).or_default().insert(partition, committed);
        self.count += 1;
    }

    fn remove(&mut self, group_id: &str, topic: &str, partition: i32) {
        let Some(topics) = self.groups.get_mut(group_id) else { return };
        let Some(partitions) = topics.get_mut(topic) else { return };
        self.count -= usize::from(partitions.remove(&partition).is_some());
        if !partitions.is_empty() {
            return;
        }
        topics.remove(topic);
        if topics.is_empty() {
            self.groups.remove(group_id);
        }
        if let Some(groups) = self.topics.get_mut(topic) {
            *groups -= 1;
            if *groups == 0 {
                self.topics.remove(topic);
            }
        }
    }

    /// As if nothing of the group had been replayed.
    pub(super) fn forget(&mut self, group_id: &str) {
        let committed = self.groups.get(group_id).into_iter().flatten();
        let known = committed.flat_map(|(topic, partitions)| {
            partitions.keys().map(|partition| (topic.clone(), *partition)).collect::<Vec<_>>()
        });
        for (topic, partition) in known.collect::<Vec<(String, i32)>>() {
            self.remove(group_id, &topic, partition);
        }
    }

    /// All of them: group, topic, partition, and where it stands.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, i32, Offset)> {
        self.groups.iter().flat_map(|(group_id, topics)| {
            topics.iter().flat_map(move |(topic, partitions)| {
                partitions.iter().map(move |(partition, committed)| {
                    (group_id.as_str(), topic.as_str(), *partition, committed.offset)
                })
            })
        })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    #[must_use]
    pub fn has_group(&self, group_id: &str) -> bool {
        self.groups.contains_key(group_id)
    }

    /// One error for each partition: OFFSET_METADATA_TOO_LARGE.
    pub fn commit(view: View<'_>, ask: &CommitAsk, records: &mut Vec<CoordinatorRecord>) -> Vec<ErrorCode> {
        let metadata_bytes_max = view.config.groups.offset_metadata_bytes_max;
        let wall_ms = view.now.wall_ms;
        let retention_ms = ask.retention_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        let expire_ms = retention_ms.map_or(-1, |ms| wall_ms.saturating_add(ms));
        let commit = |partition: &crate::model::group::CommitPartition| {
            if partition.metadata.len() > metadata_bytes_max {
                return ErrorCode::OFFSET_METADATA_TOO_LARGE;
            }
            let value = OffsetCommitValue {
                offset: partition.offset.0,
                leader_epoch: partition.leader_epoch.0,
                metadata: &partition.metadata,
                commit_timestamp: wall_ms,
                expire_timestamp: expire_ms,
                topic_id: Uuid(partition.topic_id.0),
            };
            records.push(records::offset_commit(
                &ask.group_id,
                &partition.topic,
                partition.partition,
                &value,
            ));
            ErrorCode::NONE
        };
        ask.partitions.iter().map(commit).collect()
    }

    #[must_use]
    pub fn fetch(&self, ask: &FetchAsk) -> Vec<FetchedTopic> {
        let committed = self.groups.get(&ask.group_id);
        match &ask.topics {
            Some(topics) => topics.iter().map(|topic| fetch_topic(committed, topic)).collect(),
            None => committed
                .into_iter()
                .flatten()
                .map(|(name, partitions)| whole_topic(name, partitions))
                .collect(),
        }
    }

    /// Tombstones of those of these partitions that are committed.
    pub fn delete(&self, group_id: &str, topic: &str, partition: i32, records: &mut Vec<CoordinatorRecord>) {
        let topics = self.groups.get(group_id);
        let known =
            topics.and_then(|topics| topics.get(topic)).is_some_and(|known| known.contains_key(&partition));
        if known {
            records.push(records::offset_commit_tombstone(group_id, topic, partition));
        }
    }

    /// Tombstones of all that the group has.
    pub fn delete_all(&self, group_id: &str, records: &mut Vec<CoordinatorRecord>) {
        for (topic, partitions) in self.groups.get(group_id).into_iter().flatten() {
            let of = |partition: &i32| records::offset_commit_tombstone(group_id, topic, *partition);
            records.extend(partitions.keys().map(of));
        }
    }

    /// Somebody has offsets of a topic that is not there any more.
    #[must_use]
    pub fn has_deleted_topics(&self, view: View<'_>) -> bool {
        self.topics.keys().any(|topic| !view.image.names.contains_key(topic.as_str()))
    }

    /// Tombstones, at most `max`, of offsets of deleted topics and of those that have expired; `expiry` of a topic: None while it is
    /// consumed. True: the group has offsets left.
    pub fn sweep(
        &self,
        view: View<'_>,
        group_id: &str,
        expiry: &dyn Fn(&str) -> Option<Expiry>,
        max: usize,
        records: &mut Vec<CoordinatorRecord>,
    ) -> bool {
        let mut stays = false;
        let mut found = 0;
        for (topic, partitions) in self.groups.get(group_id).into_iter().flatten() {
            let deleted = !view.image.names.contains_key(topic.as_str());
            let expiry = expiry(topic);
            for (partition, committed) in partitions {
                let expired = expiry.is_some_and(|expiry| committed.has_expired(expiry));
                if found < max && (deleted || expired) {
                    found += 1;
                    records.push(records::offset_commit_tombstone(group_id, topic, *partition));
                } else {
                    stays = true;
                }
            }
        }
        stays
    }
}

impl Committed {
    fn has_expired(&self, expiry: Expiry) -> bool {
        match self.expire_ms {
            Some(expire_ms) => expiry.wall_ms >= expire_ms,
            None => {
                let unused_ms = expiry.wall_ms.saturating_sub(expiry.unused_since.unwrap_or(self.commit_ms));
                u64::try_from(unused_ms).is_ok_and(|unused_ms| unused_ms >= expiry.retention_ms)
            }
        }
    }

    fn fetched(&self, partition: i32) -> FetchedOffset {
        FetchedOffset {
            partition,
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: self.metadata.to_string(),
            error: ErrorCode::NONE,
        }
    }
}

/// An offset of a topic that had the same name counts only where nobody knows better.
fn fetch_topic(committed: Option<&Topics>, topic: &FetchTopic) -> FetchedTopic {
    let partitions = committed.and_then(|topics| topics.get(&topic.name));
    let is_of = |committed: &&Committed| {
        let ids = [committed.topic_id, topic.topic_id];
        ids.contains(&TopicId::ZERO) || committed.topic_id == topic.topic_id
    };
    let fetch = |partition: &i32| {
        let committed = partitions.and_then(|partitions| partitions.get(partition)).filter(is_of);
        match committed {
            Some(committed) => committed.fetched(*partition),
            None => FetchedOffset::none(*partition, ErrorCode::NONE),
        }
    };
    FetchedTopic { name: topic.name.clone(), partitions: topic.partitions.iter().map(fetch).collect() }
}

fn whole_topic(name: &str, partitions: &BTreeMap<i32, Committed>) -> FetchedTopic {
    let partitions = partitions.iter().map(|(partition, committed)| committed.fetched(*partition));
    FetchedTopic { name: name.to_owned(), partitions: partitions.collect() }
}
