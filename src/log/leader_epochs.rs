//! Which leader epoch wrote which offsets.
//!
//! Decides the answers of OffsetForLeaderEpoch. Where epochs come from is decided above.

use crate::model::{LeaderEpoch, Offset};

/// "Unknown", on the wire.
const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);

/// (epoch, its first offset), oldest first.
///
/// Lives: per log. Invariants: epochs and offsets rise strictly. Source: KIP-101, KIP-279.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderEpochs(pub(super) Vec<(LeaderEpoch, Offset)>);

impl LeaderEpochs {
    pub fn latest(&self) -> LeaderEpoch {
        self.0.last().map_or(UNKNOWN, |(epoch, _)| *epoch)
    }

    /// `epoch` leads from `start` on. One that is not newer changes nothing.
    ///
    /// Invariants: `start` is the log end, so an older epoch that starts there has no records and is forgotten:
    ///             {1@0, 2@10} with 3 at 10 becomes {1@0, 3@10}.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) {
        if epoch <= self.latest() {
            return;
        }
        while self.0.last().is_some_and(|(_, last)| *last >= start) {
            self.0.pop();
        }
        self.0.push((epoch, start));
    }

    /// Forgets the epochs that begin at `offset` or later.
    pub fn end_before(&mut self, offset: Offset) {
        self.0.retain(|(_, start)| *start < offset);
    }

    /// The log begins at `log_start` from now on: {1@0, 2@10, 3@20} at 15 becomes {2@15, 3@20}.
    pub fn begin_at(&mut self, log_start: Offset) {
        let after = self.0.partition_point(|(_, start)| *start <= log_start);
        let Some(kept) = after.checked_sub(1) else { return };
        self.0.drain(..kept);
        self.0[0].1 = log_start;
    }

    /// The largest epoch not above `epoch` that wrote here, and the offset after its last record.
    ///
    /// Shape:  {1@0, 4@10}, log end 20:  0 -> (0, 0)  1 -> (1, 10)  3 -> (1, 10)  4 -> (4, 20)  5 -> (-1, -1)
    pub fn end(&self, epoch: LeaderEpoch, log_end: Offset) -> (LeaderEpoch, Offset) {
        if epoch < LeaderEpoch(0) || epoch > self.latest() {
            return (UNKNOWN, Offset(-1));
        }
        let after = self.0.partition_point(|(known, _)| *known <= epoch);
        let end = self.0.get(after).map_or(log_end, |(_, start)| *start);
        match after.checked_sub(1).and_then(|index| self.0.get(index)) {
            Some((floor, _)) => (*floor, end),
            None => (epoch, end),
        }
    }

    /// The epoch that wrote `offset`, or will write it; -1 before the first one.
    pub fn at(&self, offset: Offset) -> LeaderEpoch {
        let after = self.0.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).and_then(|index| self.0.get(index)).map_or(UNKNOWN, |(epoch, _)| *epoch)
    }
}
