//! Which batches leave memory: the oldest of the whole shard first, once their bytes are in segment files.
//!
//! Decides what must be written so that the tail can shrink.

use super::write_behind::block_floor;
use super::{LogId, OpenSegment, Slot, Storage};
use crate::journal::SegmentKey;

/// Batches that one turn may pass over because the end of their segment is less than a block.
const PASSED_PER_TURN_MAX: usize = 64;

/// Entries whose batches are gone are looked for when there are so many, and more than of others.
const GONE_ENTRIES_MAX: usize = 1024;

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

impl Slot {
    /// What an earlier run left open is not in the tail.
    fn oldest_in_tail(&mut self) -> Option<&mut OpenSegment> {
        self.unsealed.iter_mut().find(|segment| !segment.journaled)
    }
}

impl Storage {
    /// `batches` of the log, its oldest in memory, with `bytes` are gone without having been evicted.
    pub(super) fn forget_tail(&mut self, log: LogId, batches: usize, bytes: u64) {
        self.tail_bytes -= bytes;
        self.tail_gone += batches;
        self.slots[log].tail_gone += batches;
        if self.tail_gone > GONE_ENTRIES_MAX && self.tail_gone > self.tail.len() / 2 {
            let entries = std::mem::take(&mut self.tail);
            self.tail = entries.into_iter().filter(|entry| !self.is_gone(entry.log)).collect();
        }
    }

    /// Whether the oldest entry of the log has no batch any more; if so, that entry is thereby dropped.
    fn is_gone(&mut self, log: LogId) -> bool {
        let slot = &mut self.slots[log];
        if slot.tail_gone == 0 && !slot.deleted {
            return false;
        }
        slot.tail_gone = slot.tail_gone.saturating_sub(1);
        self.tail_gone = self.tail_gone.saturating_sub(1);
        true
    }

    /// Records wait until there is less.
    pub(super) fn is_tail_full(&self) -> bool {
        self.tail_bytes > self.config.tail_bytes_max.saturating_mul(2)
    }

    pub(super) fn evict(&mut self) {
        let mut passed = 0;
        while self.tail_bytes > self.config.tail_bytes_max && passed < PASSED_PER_TURN_MAX {
            let Some(&entry) = self.tail.front() else { return };
            if self.is_gone(entry.log) {
                self.tail.pop_front();
                continue;
            }
            if let Some(freed) = self.slots[entry.log].log.evict_oldest() {
                self.tail_bytes -= freed;
                self.counters.evicted_bytes += freed;
                self.tail.pop_front();
                continue;
            }
            if self.push_to_file(entry.log) {
                return;
            }
            // Only the remainder is left, whose block would be written twice: it gets a second round first. But where records wait for
            // room, and nothing else to come, the next turn needs a write that ends.
            passed += 1;
            if entry.passed || passed == PASSED_PER_TURN_MAX && self.is_tail_full() {
                self.flush_oldest(entry.log);
            }
            self.tail.pop_front();
            self.tail.push_back(TailEntry { passed: true, ..entry });
        }
    }

    /// Whether the log's oldest bytes are, or now will be, on their way into their file.
    fn push_to_file(&mut self, log: LogId) -> bool {
        let Some(oldest) = self.slots[log].oldest_in_tail() else { return false };
        if oldest.writing > 0 || oldest.sealing || oldest.queued {
            return true;
        }
        let through = block_floor(oldest.durable);
        if through <= oldest.written {
            return oldest.full || oldest.durable < oldest.issued;
        }
        oldest.want();
        let key = SegmentKey { log, base_offset: oldest.base_offset };
        self.maybe_queue(key);
        true
    }

    /// Writes all that is durable of the log's oldest segment, its last block padded.
    fn flush_oldest(&mut self, log: LogId) {
        let Some(oldest) = self.slots[log].oldest_in_tail() else { return };
        oldest.wanted = oldest.wanted.max(oldest.durable);
        let key = SegmentKey { log, base_offset: oldest.base_offset };
        self.maybe_queue(key);
    }
}
