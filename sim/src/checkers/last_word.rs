//! When the faults have stopped: the whole log of every living partition was read, and is compared with the ledger.

use std::collections::BTreeMap;

use protocol::Uuid;

use super::topics::TopicState;
use super::{Ledger, PartitionKey};

impl Ledger {
    /// `read`: for each partition, the offsets between which it was read without a gap, from the log start on.
    pub fn last_word(&mut self, read: &BTreeMap<PartitionKey, (i64, i64)>) {
        let alive: Vec<(Uuid, String, i32)> = self
            .topics
            .by_id
            .iter()
            .filter(|(_, fate)| fate.state == TopicState::Alive)
            .map(|(id, fate)| (*id, fate.name.clone(), fate.partitions))
            .collect();
        for (topic_id, name, partitions) in alive {
            for index in 0..partitions {
                let key = (topic_id, index);
                let Some(end) = read.get(&key).copied() else {
                    self.violation("a created topic is there", format!("{name} {key:?} was not read"));
                    continue;
                };
                self.check_end(key, end);
                self.check_streams(key);
            }
        }
        // A topic whose deletion is in doubt is whole if it is still there.
        let doubtful: Vec<PartitionKey> = read
            .keys()
            .filter(|key| self.topic_state(key.0) == Some(TopicState::Doubtful))
            .copied()
            .collect();
        for key in doubtful {
            self.check_end(key, read[&key]);
            self.check_streams(key);
        }
    }

    /// Everything known to stand in the partition lies below the end that was read; the offsets are dense.
    fn check_end(&mut self, key: PartitionKey, (start, end): (i64, i64)) {
        let compaction = self.compaction_of(key);
        let Some(partition) = self.partitions.get(&key) else { return };
        let last = partition.at.keys().next_back().copied();
        let count = partition.at.range(start..).count() as i64;
        let high_watermark = partition.high_watermark;
        if let Some(last) = last
            && last >= end
        {
            let id = partition.at[&last];
            let acknowledged = self.records.get(&id).is_some_and(|fate| fate.acknowledged);
            let word = if acknowledged { "acknowledged" } else { "read" };
            self.violation(
                "acknowledged => readable",
                format!("{key:?}: {last} was {word}, the log ends at {end}"),
            );
        }
        if let Some(rule) = compaction {
            self.check_compacted(key, start, rule);
        } else if last == Some(end - 1) && count != end - start.min(end) {
            self.violation("offsets are dense", format!("{key:?}: {count} records in {start}..{end}"));
        }
        if high_watermark > end {
            self.violation(
                "acknowledged => readable",
                format!("{key:?}: high watermark {high_watermark} > {end}"),
            );
        }
    }
}
