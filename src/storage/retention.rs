//! Which segments a topic's retention lets go: whole ones, the oldest first, as Kafka's log manager picks them.
//!
//! ```text
//! retention.bytes   the oldest segment goes if the others still hold as much as is to be kept
//! retention.ms      the oldest segment goes if its largest timestamp is further back than that; one from the future blocks those
//!                   behind it until its time has come
//! ```
//!
//! The clock is the wall's, as the timestamps are. If it jumps back, less expires; nothing here remembers it. A segment without
//! timestamps counts from its first append, or, if an earlier run wrote it, from when this run opened the log.
//! The active segment goes too, once all of it may: it is closed, sealed, and then unlinked like any other.

use super::{LogId, Slot, Storage};
use crate::log::{Segment, SegmentState};
use crate::model::Now;

impl Storage {
    /// Looks at one log, and lets go what may go. `log.retention.check.interval.ms` is how often this happens to it.
    pub fn retain(&mut self, id: LogId, now: Now) {
        if self.failed.is_some() || self.stopping || self.slots[id].deleted {
            return;
        }
        let slot = &self.slots[id];
        let count = self.expired_count(slot, now);
        let segments = slot.log.segments();
        let below_start =
            |segment: &Segment| segment.length > 0 && segment.next_offset() <= slot.log.log_start_offset();
        let active_goes = segments.last().is_some_and(|last| {
            last.state == SegmentState::Active && (count == segments.len() || below_start(last))
        });
        let log_start = count.checked_sub(1).map(|last| segments[last].next_offset());
        // It goes when it is sealed; what is not durable yet stays.
        if active_goes {
            self.maybe_close_active(id);
        }
        if let Some(log_start) = log_start {
            self.trim(id, log_start);
        }
    }

    /// How many of the oldest segments may go.
    fn expired_count(&self, slot: &Slot, now: Now) -> usize {
        let config = slot.log.config();
        if !config.deletes {
            return 0;
        }
        let segments = slot.log.segments();
        let size: u64 = segments.iter().map(|segment| segment.length).sum();
        let mut excess = match u64::try_from(config.retention_bytes) {
            Ok(kept) => size.saturating_sub(kept),
            Err(_) => 0,
        };
        let limited = config.retention_bytes >= 0;
        let mut count = 0;
        for segment in segments {
            let by_size = limited && excess >= segment.length;
            let goes = by_size || self.is_expired(slot, segment, config.retention_ms, now);
            if !goes || segment.length == 0 || segment.next_offset() > slot.durable_end {
                break;
            }
            excess = excess.saturating_sub(segment.length);
            count += 1;
        }
        count
    }

    fn is_expired(&self, slot: &Slot, segment: &Segment, retention_ms: i64, now: Now) -> bool {
        if retention_ms < 0 {
            return false;
        }
        let newest = if self.config.mutations.retention_by_first_timestamp() {
            segment.first_timestamp()
        } else {
            segment.max_timestamp()
        };
        let newest = match (newest, segment.first_append_ms()) {
            (0.., _) => newest,
            (_, 1..) => segment.first_append_ms(),
            _ => slot.opened_ms,
        };
        now.wall_ms.saturating_sub(newest) > retention_ms
    }
}
