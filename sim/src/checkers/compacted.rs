//! What compaction may take of a log: records that a later one of the same key outdoes, and tombstones whose time is over. Judged when the
//! faults have stopped and the whole log was read once more, in order.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, PartitionKey};
use crate::client::batch::{Batch, Keyed};

/// What a topic's configuration promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionRule {
    pub min_lag_ms: i64,
    pub delete_retention_ms: i64,
}

/// What the last reading found in one partition.
#[derive(Debug, Default)]
pub struct Drained {
    offsets: BTreeSet<i64>,
    /// By producer: where its last batch ends, with records or without.
    producers: BTreeMap<i64, i64>,
}

impl Ledger {
    pub fn compacts(&mut self, topic: &str, rule: CompactionRule) {
        self.compaction.insert(topic.to_owned(), rule);
    }

    /// None: the topic is not compacted.
    #[must_use]
    pub fn compaction_of(&self, key: PartitionKey) -> Option<CompactionRule> {
        let fate = self.topics.by_id.get(&key.0)?;
        self.compaction.get(&fate.name).copied()
    }

    /// The last reading was given this batch.
    pub fn drained(&mut self, key: PartitionKey, batch: &Batch<'_>) {
        let drained = self.drained.entry(key).or_default();
        let offsets = batch.records.iter().map(|record| batch.base_offset + i64::from(record.delta));
        drained.offsets.extend(offsets);
        if batch.writer.producer_id >= 0 {
            let end = drained.producers.entry(batch.writer.producer_id).or_insert(-1);
            *end = batch.last_offset().max(*end);
        }
    }

    pub(super) fn check_compacted(&mut self, key: PartitionKey, start: i64, rule: CompactionRule) {
        let Some(partition) = self.partitions.get(&key) else { return };
        let drained = self.drained.remove(&key).unwrap_or_default();
        let mut problems = Vec::new();
        // By key: where its newest record stands.
        let mut newest: BTreeMap<u64, i64> = BTreeMap::new();
        let mut last_of_producer: BTreeMap<i64, i64> = BTreeMap::new();
        for (offset, id) in &partition.at {
            let Some(fate) = self.records.get(id) else { continue };
            if let Some(Keyed { key, .. }) = fate.keyed {
                newest.insert(key, *offset);
            }
            if let Some((producer_id, ..)) = fate.writer {
                last_of_producer.insert(producer_id, *offset);
            }
        }
        for (offset, id) in partition.at.range(start..) {
            let Some(fate) = self.records.get(id).filter(|_| !drained.offsets.contains(offset)) else {
                continue;
            };
            let Some(keyed) = fate.keyed else { continue };
            let age_ms = self.wall_ms_max - fate.timestamp_ms;
            let is_outdone = newest.get(&keyed.key).is_some_and(|newest| newest > offset);
            // Its time began when it was first cleaned, by a clock that may have stood wrong.
            let retained_ms = age_ms + self.wall_set_back_ms;
            let is_old_tombstone = keyed.is_tombstone && retained_ms >= rule.delete_retention_ms;
            if !is_outdone && !is_old_tombstone && !self.may_be_outdone(key, keyed.key) {
                problems.push(format!("{key:?} offset {offset}, key {}: {id:?} is gone", keyed.key));
            } else if age_ms < rule.min_lag_ms {
                problems.push(format!("{key:?} offset {offset}: gone {age_ms} ms after it was written"));
            }
        }
        for (producer_id, offset) in last_of_producer.into_iter().filter(|(_, offset)| *offset >= start) {
            if drained.producers.get(&producer_id).is_none_or(|end| *end < offset) {
                problems
                    .push(format!("{key:?}: the last batch of producer {producer_id}, at {offset}, is gone"));
            }
        }
        if let Some(problem) = problems.into_iter().next() {
            self.violation("the latest value of every key stays", problem);
        }
    }

    /// A tombstone of the key was sent of which nobody knows whether it stood: it may have come and gone.
    fn may_be_outdone(&self, key: PartitionKey, of: u64) -> bool {
        self.records.values().any(|fate| {
            let is_of_key = fate.keyed.is_some_and(|keyed| keyed.key == of && keyed.is_tombstone);
            fate.partition == key && fate.offset.is_none() && is_of_key
        })
    }
}
