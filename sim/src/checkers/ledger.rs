//! What the world knows about every record: where it was sent, who wrote it, where it was acknowledged or seen.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use super::compacted::{CompactionRule, Drained};
use super::groups::Groups;
use super::log_start::Retention;
use super::ownership::Ownership;
use super::topics::Topics;
use crate::client::batch::{Keyed, RecordId, Writer};

/// A partition for ever: the topic's id, not its name.
pub type PartitionKey = (Uuid, i32);

#[derive(Debug, Clone)]
pub struct RecordFate {
    pub partition: PartitionKey,
    pub value_bytes: u32,
    /// Where it stands, once anybody knows.
    pub offset: Option<i64>,
    pub acknowledged: bool,
    pub timestamp_ms: i64,
    /// Of an idempotent writer; the sequence is the record's own.
    pub writer: Option<(i64, i16, i32)>,
    /// In a compacted topic.
    pub keyed: Option<Keyed>,
}

/// A batch as it was sent.
#[derive(Debug, Clone)]
pub struct SentBatch {
    pub records: Vec<(RecordId, u32)>,
    /// One for each record, or none at all.
    pub keys: Vec<Keyed>,
    pub writer: Writer,
    pub timestamp_ms: i64,
}

#[derive(Debug, Default)]
pub struct Partition {
    /// Offset -> the record that was acknowledged or read there.
    pub at: BTreeMap<i64, RecordId>,
    pub acknowledged: u64,
    /// Records that were sent to it, or may have been.
    pub sent: i64,
    /// The highest that any client was told.
    pub high_watermark: i64,
    /// The highest that any client was told.
    pub log_start: i64,
    /// The highest that any client asked for.
    pub log_start_asked: i64,
}

#[derive(Debug, Default)]
pub struct Ledger {
    next_record: u64,
    pub records: BTreeMap<RecordId, RecordFate>,
    pub partitions: BTreeMap<PartitionKey, Partition>,
    pub topics: Topics,
    pub producer_ids: BTreeSet<i64>,
    pub violations: Vec<String>,
    pub acknowledged: u64,
    pub duplicates_acknowledged: u64,
    pub observed: u64,
    pub refused: u64,
    pub log_starts_moved: u64,
    /// By topic name.
    pub retention: BTreeMap<String, Retention>,
    pub groups: Groups,
    pub ownership: Ownership,
    /// By topic name.
    pub compaction: BTreeMap<String, CompactionRule>,
    /// Of compacted topics.
    pub drained: BTreeMap<PartitionKey, Drained>,
    /// The latest that the broker's wall clock ever showed.
    pub wall_ms_max: i64,
    /// How far it was ever set back, in all.
    pub wall_set_back_ms: i64,
}

impl Ledger {
    pub fn violation(&mut self, invariant: &'static str, what: String) {
        if self.violations.len() < 20 {
            self.violations.push(format!("{invariant}: {what}"));
        }
    }

    pub fn new_record(&mut self) -> RecordId {
        self.next_record += 1;
        RecordId(self.next_record)
    }

    /// A batch is about to be sent, for the first time.
    pub fn sent(&mut self, partition: PartitionKey, batch: &SentBatch) {
        self.partitions.entry(partition).or_default().sent += batch.records.len() as i64;
        for (index, (id, value_bytes)) in batch.records.iter().enumerate() {
            let writer = (batch.writer.producer_id >= 0).then(|| {
                let Writer { producer_id, producer_epoch, base_sequence } = batch.writer;
                (producer_id, producer_epoch, base_sequence + index as i32)
            });
            let fate = RecordFate {
                partition,
                value_bytes: *value_bytes,
                offset: None,
                acknowledged: false,
                timestamp_ms: batch.timestamp_ms,
                writer,
                keyed: batch.keys.get(index).copied(),
            };
            self.records.insert(*id, fate);
        }
    }

    /// Somebody knows that `id` stands at `offset`.
    ///
    /// Invariants: one record for each offset, one offset for each record, for ever.
    pub(super) fn place(&mut self, key: PartitionKey, offset: i64, id: RecordId, how: &'static str) {
        let partition = self.partitions.entry(key).or_default();
        if let Some(before) = partition.at.insert(offset, id)
            && before != id
        {
            self.violation(
                "offsets never change",
                format!("{key:?} offset {offset}: {before:?}, then {how} {id:?}"),
            );
        }
        let Some(fate) = self.records.get_mut(&id) else {
            self.violation(
                "only what was sent is read",
                format!("{key:?} offset {offset}: {id:?} was never sent"),
            );
            return;
        };
        if fate.partition != key {
            let sent = fate.partition;
            self.violation(
                "only what was sent is read",
                format!("{id:?} was sent to {sent:?}, {how} in {key:?}"),
            );
            return;
        }
        match fate.offset {
            Some(earlier) if earlier != offset => {
                self.violation(
                    "a record stands once",
                    format!("{key:?} {id:?}: at {earlier} and {how} at {offset}"),
                );
            }
            _ => fate.offset = Some(offset),
        }
    }
}
