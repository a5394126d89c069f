//! Which batches leave memory: the oldest of the whole shard first, once their bytes are in segment files.
//!
//! Decides what must be written so that the tail can shrink.

use super::write_behind::block_floor;
use super::{LogId, Storage};
use crate::journal::SegmentKey;

/// Batches that one turn may pass over because the end of their segment is less than a block.
const PASSED_PER_TURN_MAX: usize = 64;

/// One batch in memory, in order of arrival: the oldest one of its log when this comes to the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct TailEntry {
    log: LogId,
    /// It could not go before, as the remainder of its segment is less than a block.
    passed: bool,
}

impl TailEntry {
    pub(super) fn new(log: LogId) -> TailEntry {
        TailEntry { log, passed: false }
    }
}

impl Storage {
    pub(super) fn evict(&mut self) {
        let mut passed = 0;
        while self.tail_bytes > self.config.tail_bytes_max && passed < PASSED_PER_TURN_MAX {
            let Some(&entry) = self.tail.front() else { return };
            let slot = &mut self.slots[entry.log];
            if slot.deleted {
                self.tail.pop_front();
                continue;
            }
            if let Some(freed) = slot.log.evict_oldest() {
                self.tail_bytes -= freed;
                self.counters.evicted_bytes += freed;
                self.tail.pop_front();
                continue;
            }
            if self.push_to_file(entry.log) {
                return;
            }
            // Only the remainder is left, whose block would be written twice: it gets a second round first.
            if entry.passed {
                self.flush_oldest(entry.log);
            }
            self.tail.pop_front();
            self.tail.push_back(TailEntry { passed: true, ..entry });
            passed += 1;
        }
    }

    /// Whether the log's oldest bytes are, or now will be, on their way into their file.
    fn push_to_file(&mut self, log: LogId) -> bool {
        let Some(oldest) = self.slots[log].unsealed.front_mut() else { return false };
        if oldest.writing > 0 || oldest.sealing || oldest.queued {
            return true;
        }
        let through = block_floor(oldest.durable);
        if through <= oldest.written {
            return oldest.full || oldest.durable < oldest.issued;
        }
        oldest.wanted = oldest.wanted.max(through);
        let key = SegmentKey { log, base_offset: oldest.base_offset };
        self.maybe_queue(key);
        true
    }

    /// Writes all that is durable of the log's oldest segment, its last block padded.
    fn flush_oldest(&mut self, log: LogId) {
        let Some(oldest) = self.slots[log].unsealed.front_mut() else { return };
        oldest.wanted = oldest.wanted.max(oldest.durable);
        let key = SegmentKey { log, base_offset: oldest.base_offset };
        self.maybe_queue(key);
    }
}
