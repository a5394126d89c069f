//! An idempotent producer's records stand in its log once, in the order of their sequence, without a gap.

use std::collections::BTreeMap;

use super::{Ledger, PartitionKey};

impl Ledger {
    pub fn told_producer_id(&mut self, producer_id: i64) {
        if producer_id < 0 || !self.producer_ids.insert(producer_id) {
            self.violation("a producer id is given once", format!("{producer_id}"));
        }
    }

    /// Checks every stream of one partition by what is known to stand where. `complete`: all of the log was read.
    pub fn check_streams(&mut self, key: PartitionKey) {
        let mut streams: BTreeMap<(i64, i16), Vec<(i64, i32)>> = BTreeMap::new();
        let Some(partition) = self.partitions.get(&key) else { return };
        let log_start = partition.log_start;
        for (offset, id) in &partition.at {
            if let Some(fate) = self.records.get(id)
                && let Some((producer_id, epoch, sequence)) = fate.writer
            {
                streams.entry((producer_id, epoch)).or_default().push((*offset, sequence));
            }
        }
        for (stream, records) in streams {
            let (mut expected, mut before) = (0, -1);
            for (offset, sequence) in records {
                // Of what lies below the log start, nobody need have heard.
                let may_jump = before + 1 < log_start;
                if sequence != expected && !(may_jump && sequence > expected) {
                    let what = format!(
                        "{key:?} {stream:?}: offset {offset} has sequence {sequence}, expected {expected}"
                    );
                    self.violation("idempotent: once and in order", what);
                    break;
                }
                (expected, before) = (sequence + 1, offset);
            }
        }
    }
}
