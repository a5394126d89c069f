//! How much of a log lies behind an offset, as far as what is in memory tells: no lookup reads a file for it.
//!
//! Decides what is told of a sealed segment whose index is not here: its bytes and timestamps are taken to be spread evenly over its offsets.

use super::PartitionLog;
use super::segment::Segment;
use crate::model::{Lag, Offset};

/// What stands at an offset of a segment: the position, and the timestamp of its batch; -1: it has none.
struct Place {
    position: u64,
    timestamp_ms: i64,
}

impl PartitionLog {
    /// Of a reader that has come to `committed`, where others may read up to `end`. What lies below the log start counts as records that it
    /// will not see.
    #[must_use]
    pub fn lag(&self, committed: Offset, end: Offset) -> Lag {
        if committed >= end {
            return Lag::default();
        }
        let next = committed.max(self.log_start);
        let first = self.segments.partition_point(|segment| segment.next_offset() <= next);
        let behind = &self.segments[first..];
        let place = behind.first().map(|segment| place_in(segment, next));
        let bytes: u64 = behind.iter().map(|segment| segment.length).sum();
        Lag {
            records: u64::try_from(end.0.saturating_sub(committed.0)).unwrap_or(0),
            bytes: bytes.saturating_sub(place.as_ref().map_or(0, |place| place.position)),
            timestamp_ms: place.map(|place| place.timestamp_ms).filter(|timestamp| *timestamp >= 0),
        }
    }
}

fn place_in(segment: &Segment, offset: Offset) -> Place {
    if let Some(batch) = segment.index().and_then(|index| index.batch_holding(offset)) {
        return Place { position: batch.position, timestamp_ms: batch.max_timestamp };
    }
    let offsets = i128::from(segment.next_offset().0 - segment.base_offset.0).max(1);
    let before = i128::from((offset.0 - segment.base_offset.0).max(0));
    let share = |whole: i128| i64::try_from(whole * before / offsets).unwrap_or(0);
    let (first, newest) = (segment.first_timestamp(), segment.max_timestamp());
    let timestamp_ms = if first < 0 { newest } else { first + share(i128::from(newest) - i128::from(first)) };
    Place { position: u64::try_from(share(i128::from(segment.length))).unwrap_or(0), timestamp_ms }
}
