//! Acknowledged => readable, at the acknowledged offset, with the acknowledged bytes. And only what was sent is read.

use super::{Ledger, PartitionKey, SentBatch};
use crate::client::batch::{Batch, Keyed, ReadRecord, is_value_of};

const OFFSETS_DENSE: &str = "offsets are dense";

impl Ledger {
    /// A producer was told that its batch stands at `base_offset`.
    pub fn acknowledged(&mut self, key: PartitionKey, base_offset: i64, batch: &SentBatch) {
        if base_offset < 0 {
            self.violation("an acknowledgement names an offset", format!("{key:?}: {base_offset}"));
            return;
        }
        for (index, (id, _)) in batch.records.iter().enumerate() {
            self.place(key, base_offset + index as i64, *id, "acknowledged");
            if let Some(fate) = self.records.get_mut(id) {
                fate.acknowledged = true;
            }
        }
        self.acknowledged += batch.records.len() as u64;
        self.partitions.entry(key).or_default().acknowledged += batch.records.len() as u64;
    }

    /// A consumer read a batch. `expected`: the offset after the batch before it in the same answer.
    pub fn observed(&mut self, key: PartitionKey, batch: &Batch<'_>, expected: Option<i64>, below: i64) {
        self.observed += batch.records.len() as u64;
        let may_have_gaps = self.compaction_of(key).is_some();
        if let Some(expected) = expected
            && (batch.base_offset < expected || (batch.base_offset > expected && !may_have_gaps))
        {
            self.violation(
                OFFSETS_DENSE,
                format!("{key:?}: batch at {}, expected {expected}", batch.base_offset),
            );
        }
        let end = batch.last_offset() + 1;
        if !may_have_gaps && end != batch.base_offset + batch.records.len() as i64 {
            self.violation(OFFSETS_DENSE, format!("{key:?}: records are missing at {}", batch.base_offset));
        }
        if end > below {
            self.violation("nothing is read above the high watermark", format!("{key:?}: {end} > {below}"));
        }
        self.check_epoch(key, batch);
        for ReadRecord { delta, id, key: record_key, value } in &batch.records {
            let offset = batch.base_offset + i64::from(*delta);
            self.place(key, offset, *id, "read");
            let Some(fate) = self.records.get(id) else { continue };
            let expected = fate.writer.map(|(producer, epoch, sequence)| (producer, epoch, sequence - delta));
            let writer = (batch.writer.producer_id >= 0).then_some((
                batch.writer.producer_id,
                batch.writer.producer_epoch,
                batch.writer.base_sequence,
            ));
            let is_value = match (value, fate.keyed) {
                (None, keyed) => keyed.is_some_and(|keyed| keyed.is_tombstone),
                (Some(_), Some(Keyed { is_tombstone: true, .. })) => false,
                (Some(value), _) => fate.value_bytes as usize == value.len() && is_value_of(*id, value),
            };
            if !is_value || *record_key != fate.keyed.map(|keyed| keyed.key) {
                self.violation(
                    "acknowledged bytes are read",
                    format!("{key:?} offset {offset}: {id:?} has changed"),
                );
            } else if expected != writer {
                self.violation(
                    "batches stay verbatim",
                    format!("{key:?} offset {offset}: {writer:?} for {expected:?}"),
                );
            }
        }
    }

    /// Later offsets have the same leader epoch or a higher one; what is read tells of no epoch below one told earlier
    /// for the same or a smaller offset. Only the simplest form is checked: epochs are never negative.
    fn check_epoch(&mut self, key: PartitionKey, batch: &Batch<'_>) {
        if batch.leader_epoch < 0 {
            self.violation("leader epochs are stamped", format!("{key:?} offset {}", batch.base_offset));
        }
    }
}
