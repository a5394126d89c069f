//! The log start never goes back, over crashes too, and moves only as somebody allowed: a client, or the topic's retention.

use super::{Ledger, PartitionKey};

/// What may be deleted of a topic's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    pub ms: Option<i64>,
    pub bytes: Option<i64>,
    /// A client may ask for it.
    pub by_request: bool,
}

/// What a record takes in its segment beside its value, at most.
const RECORD_OVERHEAD_BYTES: i64 = 200;

impl Ledger {
    pub fn rule(&mut self, topic: &str, retention: Retention) {
        self.retention.insert(topic.to_owned(), retention);
    }

    /// The wall clock of the broker stands there.
    pub fn saw_wall(&mut self, wall_ms: i64) {
        self.wall_ms_max = self.wall_ms_max.max(wall_ms);
    }

    /// The wall clock of the broker was set from there to there.
    pub fn wall_was_set(&mut self, from_ms: i64, to_ms: i64) {
        self.saw_wall(from_ms);
        self.wall_set_back_ms += (from_ms - to_ms).max(0);
    }

    /// A request to delete what lies below `offset` is about to be sent.
    pub fn asked_log_start(&mut self, key: PartitionKey, offset: i64) {
        let partition = self.partitions.entry(key).or_default();
        partition.log_start_asked = partition.log_start_asked.max(offset);
    }

    /// The highest that any client was told.
    #[must_use]
    pub fn log_start(&self, key: PartitionKey) -> i64 {
        self.partitions.get(&key).map_or(0, |partition| partition.log_start)
    }

    /// Whether a reader at `offset` may be told that the log starts behind it.
    #[must_use]
    pub fn may_start_behind(&self, key: PartitionKey, offset: i64) -> bool {
        let Some(partition) = self.partitions.get(&key) else { return false };
        let name = self.topics.by_id.get(&key.0).map_or("", |fate| &fate.name);
        let expires = self.retention.get(name).is_some_and(|rule| rule.ms.is_some() || rule.bytes.is_some());
        expires || offset < partition.log_start_asked.max(partition.log_start)
    }

    /// `floor`: what was the highest told when the request was sent.
    pub fn told_log_start(&mut self, key: PartitionKey, log_start: i64, floor: i64, wall_ms: i64) {
        self.saw_wall(wall_ms);
        if log_start < floor {
            self.violation("the log start never goes back", format!("{key:?}: {log_start} after {floor}"));
        }
        let known = self.log_start(key);
        if log_start <= known {
            return;
        }
        self.log_starts_moved += 1;
        let asked = {
            let partition = self.partitions.entry(key).or_default();
            partition.log_start = log_start;
            partition.log_start_asked
        };
        // Of what compaction has dropped, nothing is left to be too young.
        if log_start > asked && self.compaction_of(key).is_none() {
            self.check_allowed(key, known.max(asked), log_start);
        }
    }

    /// Records from `from` on and below `log_start` are gone, and no client asked for that.
    fn check_allowed(&mut self, key: PartitionKey, from: i64, log_start: i64) {
        let name = self.topics.by_id.get(&key.0).map(|fate| fate.name.clone()).unwrap_or_default();
        let retention = self.retention.get(&name).copied().unwrap_or_default();
        let Some(partition) = self.partitions.get(&key) else { return };
        let gone = partition.at.range(from..log_start);
        let mut too_young = gone.filter_map(|(offset, id)| {
            let written = self.records.get(id)?.timestamp_ms;
            let expired = retention.ms.is_some_and(|ms| self.wall_ms_max - written > ms);
            (!expired).then_some((*offset, written))
        });
        let Some((offset, written)) = too_young.next_back() else { return };
        // By size, when it was the oldest: what lies behind it was enough.
        if retention.bytes.is_none_or(|bytes| self.bytes_left(key, offset + 1) < bytes) {
            let now = self.wall_ms_max;
            let what = format!(
                "{key:?} offset {offset} of {written}: the log starts at {log_start}, {retention:?}, now {now}"
            );
            self.violation("only what may go is deleted", what);
        }
    }

    /// Bytes that may be left in the partition, at most.
    fn bytes_left(&self, key: PartitionKey, log_start: i64) -> i64 {
        let mine = self.records.values().filter(|fate| fate.partition == key);
        let left = mine.filter(|fate| fate.offset.is_none_or(|offset| offset >= log_start));
        left.map(|fate| i64::from(fate.value_bytes) + RECORD_OVERHEAD_BYTES).sum()
    }
}
