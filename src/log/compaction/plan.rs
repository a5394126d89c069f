//! Which part of a log may be compacted, whether that is worth it, and which segments become one.
//!
//! ```text
//! | clean | clean | partly | dirty | dirty | too young | not recorded | last |
//!                     ^ first dirty          ^ bound
//! ```
//!
//! Decides by the topic's configuration and the wall clock. Never touches the last segment, nor what is not sealed.

use super::super::PartitionLog;
use super::super::segment::{Segment, SegmentState};
use crate::limits::COMPACTED_SEGMENTS_MAX;
use crate::model::{Offset, SealedSegment};

/// The part of a log that a compaction would look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleanable {
    /// Below it the log is clean.
    pub first_dirty: Offset,
    /// Where a segment ends: what lies beyond must not be looked at.
    pub bound: Offset,
    pub clean_bytes: u64,
    pub dirty_bytes: u64,
    /// `max.compaction.lag.ms` has passed.
    pub is_overdue: bool,
}

impl Cleanable {
    /// Which of two comes first: what is overdue, then the larger share of dirty bytes.
    #[must_use]
    pub fn urgency(&self) -> (bool, u64) {
        (self.is_overdue, self.dirty_millionths())
    }

    #[must_use]
    pub fn dirty_millionths(&self) -> u64 {
        let all = u128::from(self.clean_bytes) + u128::from(self.dirty_bytes);
        (u128::from(self.dirty_bytes) * 1_000_000 / all.max(1)) as u64
    }
}

impl PartitionLog {
    /// None: nothing is to be done now. As `dirt`.
    #[must_use]
    pub fn cleanable(
        &self,
        now_ms: i64,
        below: Offset,
        is_recorded: &dyn Fn(Offset) -> bool,
    ) -> Option<Cleanable> {
        self.dirt(now_ms, below, is_recorded).filter(|dirt| self.is_worth_cleaning(dirt))
    }

    /// As its topic says.
    #[must_use]
    pub fn is_worth_cleaning(&self, dirt: &Cleanable) -> bool {
        let least_millionths = u64::from(self.config().min_cleanable_dirty_millionths);
        dirt.dirty_bytes > 0 && (dirt.is_overdue || dirt.dirty_millionths() > least_millionths)
    }

    /// What is dirty of a compacted log, as far as it is old enough. `below`: no record from there on may be looked at. `is_recorded`: may
    /// the segment with this base offset be replaced, as far as the journal is concerned?
    ///
    /// Source: Apache Kafka 4.3.1: the bytes, the ratio and both lags count as in its log cleaner.
    #[must_use]
    pub fn dirt(
        &self,
        now_ms: i64,
        below: Offset,
        is_recorded: &dyn Fn(Offset) -> bool,
    ) -> Option<Cleanable> {
        let config = self.config();
        let (_, but_last) = self.segments().split_last().filter(|_| config.compacted)?;
        let may_be_looked_at = |segment: &&Segment| {
            segment.state == SegmentState::Sealed
                && segment.next_offset() <= below
                && is_recorded(segment.base_offset)
        };
        let is_gone = |segment: &Segment| segment.next_offset() <= self.log_start_offset();
        let gone = but_last.iter().take_while(|segment| is_gone(segment));
        // One that is still to be written has its bytes in memory alone, in front of those of what follows it.
        if gone.clone().any(|segment| segment.state != SegmentState::Sealed) {
            return None;
        }
        let mut segments = but_last[gone.count()..].iter().take_while(may_be_looked_at).peekable();
        let (mut clean_bytes, mut dirty_bytes) = (0, 0);
        while let Some(clean) = segments.next_if(|segment| segment.clean_end() >= segment.next_offset()) {
            clean_bytes += clean.length;
        }
        let first = *segments.peek()?;
        let youngest_ms = now_ms.saturating_sub(config.min_compaction_lag_ms);
        let is_old_enough =
            |segment: &&Segment| config.min_compaction_lag_ms <= 0 || segment.max_timestamp() <= youngest_ms;
        let mut bound = first.base_offset;
        let mut oldest_ms = i64::MAX;
        for segment in segments.take_while(is_old_enough) {
            dirty_bytes += segment.length;
            bound = segment.next_offset();
            oldest_ms = oldest_ms.min(self.oldest_ms(segment));
        }
        let is_overdue = now_ms.saturating_sub(oldest_ms) > config.max_compaction_lag_ms;
        let first_dirty = first.base_offset.max(first.clean_end());
        Some(Cleanable { first_dirty, bound, clean_bytes, dirty_bytes, is_overdue })
    }

    /// No record of the segment is older, as far as is known. A segment rolls within the lag; so of one that an earlier run wrote no record is
    /// older than its newest one by more than that.
    fn oldest_ms(&self, segment: &Segment) -> i64 {
        match (segment.first_timestamp(), segment.max_timestamp()) {
            (first @ 0.., _) => first,
            (_, newest @ 0..) => newest.saturating_sub(self.config().max_compaction_lag_ms),
            _ => i64::MAX,
        }
    }

    /// What becomes one segment each, once the log is clean up to `clean_end`: oldest first.
    #[must_use]
    pub fn cleaning_groups(&self, clean_end: Offset) -> Vec<Vec<SealedSegment>> {
        let kept = self.segments().iter().filter(|segment| segment.next_offset() > self.log_start_offset());
        let sealed = kept.take_while(|segment| segment.base_offset < clean_end).map(Segment::sealed);
        groups(sealed, u64::from(self.config().segment_bytes))
    }
}

/// Segments that follow each other, in groups of no more than `bytes_max` bytes; a larger one by itself.
pub(super) fn groups(sealed: impl Iterator<Item = SealedSegment>, bytes_max: u64) -> Vec<Vec<SealedSegment>> {
    let mut groups: Vec<Vec<SealedSegment>> = Vec::new();
    let mut bytes = 0;
    for segment in sealed {
        let joins = groups.last().is_some_and(|group| {
            let base_offset = group.first().map_or(segment.base_offset, |first| first.base_offset);
            bytes + segment.length <= bytes_max
                && group.len() < COMPACTED_SEGMENTS_MAX
                && i32::try_from(segment.next_offset.0 - base_offset.0).is_ok()
        });
        if joins && let Some(group) = groups.last_mut() {
            group.push(segment);
            bytes += segment.length;
        } else {
            groups.push(vec![segment]);
            bytes = segment.length;
        }
    }
    groups
}
