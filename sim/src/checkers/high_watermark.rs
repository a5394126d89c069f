//! The high watermark never goes back, whoever is told it, over crashes too.

use super::{Ledger, PartitionKey};

impl Ledger {
    /// `floor`: what was the highest told when the request was sent. Answers may cross on the network, but the answer to
    /// a later request never tells less.
    pub fn told_high_watermark(&mut self, key: PartitionKey, high_watermark: i64, floor: i64) {
        if high_watermark < floor {
            self.violation(
                "the high watermark never goes back",
                format!("{key:?}: {floor}, then {high_watermark}"),
            );
        }
        let partition = self.partitions.entry(key).or_default();
        let sent = partition.sent;
        partition.high_watermark = partition.high_watermark.max(high_watermark);
        if high_watermark > sent {
            let what = format!("{key:?}: high watermark {high_watermark}, {sent} records were sent");
            self.violation("a log holds no more than was sent", what);
        }
    }

    /// The highest that any client was told.
    #[must_use]
    pub fn high_watermark(&self, key: PartitionKey) -> i64 {
        self.partitions.get(&key).map_or(0, |partition| partition.high_watermark)
    }
}
