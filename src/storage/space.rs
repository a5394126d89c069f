//! What happens while the disk has no room.
//!
//! The journal was written in advance, so what is acknowledged stays safe: only its way into segments is shut. What found no room waits
//! here and is tried again, one at a time, with growing pauses; until all of it has gone through nothing else is written to segments,
//! and records are refused. Reading and deleting go on. Below the floor records are refused before it comes to that, but all else
//! goes on.
//!
//! Decides when to try again, and when it is over. A sync that fails is no matter of room: it is final (`Storage::failed`).

use std::collections::VecDeque;

use super::write_behind::SEAL_COST_BYTES;
use super::{LogId, Storage};
use crate::effect::{CommitId, DiskError, Effects, FileId};
use crate::input::SegmentOperation;
use crate::journal::SegmentKey;
use crate::limits::{OVERTAKING_MS_MAX, SPACE_RETRY_MS_MAX, SPACE_RETRY_MS_MIN};
use crate::model::{Instant, Now};

/// Lives: one per storage.
///
/// Invariants: a segment in `segments` counts as queued, so that it is nowhere else.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Segments whose write or seal found no room.
    segments: VecDeque<SegmentKey>,
    /// The ring wanted to grow and could not.
    journal_file: bool,
    /// The disk has less free than it should, by the last word of it.
    below_floor: bool,
    /// What is being tried again.
    trial: Option<Trial>,
    retry_at: Instant,
    retry_ms: u64,
    /// When records were last refused.
    refused_at: Option<Instant>,
    told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    Segment(SegmentKey),
    JournalFile,
}

impl Space {
    /// Something waits for room.
    fn is_short(&self) -> bool {
        self.journal_file || !self.segments.is_empty() || self.trial.is_some()
    }
}

impl Storage {
    /// Records are refused for want of room.
    #[must_use]
    pub fn lacks_space(&self) -> bool {
        !self.config.mutations.enospc_is_success() && (self.space.is_short() || self.space.below_floor)
    }

    /// Whether the batch must be refused for want of room. There may be room again, and still it may be: an idempotent producer has
    /// several batches on their way, and when the first of all was refused the next must not be taken for the beginning.
    pub(super) fn refuses(&mut self, now: Now, log: LogId, batch: &[u8]) -> bool {
        if self.lacks_space() {
            self.space.refused_at = Some(now.instant);
            return true;
        }
        let Some(refused_at) = self.space.refused_at else { return false };
        if refused_at.after_ms(OVERTAKING_MS_MAX) <= now.instant {
            self.space.refused_at = None;
        }
        self.space.refused_at.is_some() && self.slots[log].log.begins_amid(batch)
    }

    /// Nothing but trials is written to segments.
    pub(super) fn holds_writes(&self) -> bool {
        self.space.is_short()
    }

    /// No file of the ring is added unless the ring cannot do without.
    pub(super) fn saves_space(&self) -> bool {
        self.space.is_short() || self.space.below_floor
    }

    /// Some: commits after this one wait for room that the disk does not have.
    #[must_use]
    pub fn stalled_after(&self) -> Option<CommitId> {
        (self.holds_writes() && self.journal.is_blocked()).then(|| self.journal.issued())
    }

    pub(super) fn on_segment_lacks_space(
        &mut self,
        now: Now,
        file: FileId,
        operation: SegmentOperation,
        error: DiskError,
    ) {
        self.writes_bytes -= match operation {
            SegmentOperation::Write { length } => length,
            SegmentOperation::Seal if self.restore.on_answered(file) => 0,
            SegmentOperation::Seal => {
                self.seals_in_flight -= 1;
                SEAL_COST_BYTES
            }
        };
        let Some(&key) = self.files.get(&file) else { return };
        let slot = &mut self.slots[key.log];
        slot.operations -= 1;
        let tried = self.space.trial.take_if(|trial| *trial == Trial::Segment(key)).is_some();
        // Deleted meanwhile: it wants no room any more.
        let Some(segment) = slot.segment_mut(key.base_offset) else { return };
        segment.writing = 0;
        segment.sealing = false;
        if segment.journaled && !tried && !self.space.segments.is_empty() {
            self.restore.wait_again(key);
            return self.wait_for_space(now, tried, error);
        }
        segment.queued = true;
        if tried {
            self.space.segments.push_front(key);
        } else {
            self.space.segments.push_back(key);
        }
        self.wait_for_space(now, tried, error);
    }

    pub(super) fn on_journal_file_lacks_space(&mut self, now: Now, file: u32, error: DiskError) {
        self.journal.on_file_lacks_space(file);
        let tried = self.space.trial.take_if(|trial| *trial == Trial::JournalFile).is_some();
        self.space.journal_file = true;
        self.wait_for_space(now, tried, error);
    }

    fn wait_for_space(&mut self, now: Now, tried: bool, error: DiskError) {
        let pause =
            if tried { (self.space.retry_ms * 2).min(SPACE_RETRY_MS_MAX) } else { SPACE_RETRY_MS_MIN };
        if tried || self.space.retry_at <= now.instant {
            self.space.retry_ms = pause;
            self.space.retry_at = now.instant.after_ms(pause);
        }
        self.counters.space_refusals += 1;
        self.tell_of_space(Some(error));
    }

    /// The disk has been asked. With enough free again nobody waits for the end of a pause.
    pub(super) fn on_disk_space(&mut self, now: Now, free_bytes: u64) {
        let floor = self.config.free_bytes_min;
        // A little more to leave than to enter: a disk that stays at the floor is one event.
        let wanted = if self.space.below_floor { floor + floor / 4 } else { floor };
        self.space.below_floor = free_bytes < wanted;
        if !self.space.below_floor {
            self.space.retry_at = self.space.retry_at.min(now.instant);
        }
        self.tell_of_space(None);
    }

    /// An operation went through: if it was the trial, the next one follows at once.
    pub(super) fn on_room_found(&mut self, now: Now, key: Option<SegmentKey>) {
        let expected = key.map_or(Trial::JournalFile, Trial::Segment);
        if self.space.trial.take_if(|trial| *trial == expected).is_some() {
            self.space.retry_at = now.instant;
            self.space.retry_ms = SPACE_RETRY_MS_MIN;
        }
        self.tell_of_space(None);
    }

    /// Tries the first of what waits again, if its time has come.
    pub(super) fn try_space(&mut self, now: Now, effects: &mut Effects) {
        while self.space.is_short() && self.space.trial.is_none() && self.space.retry_at <= now.instant {
            if let Some(key) = self.space.segments.pop_front() {
                // Deleted meanwhile, or what was wanted of it is no longer needed.
                if self.write_or_seal(key, effects) {
                    self.space.trial = Some(Trial::Segment(key));
                }
            } else {
                self.space.journal_file = false;
                if self.journal.maybe_grow(false, effects) {
                    self.space.trial = Some(Trial::JournalFile);
                }
            }
        }
        self.tell_of_space(None);
    }

    /// When the next trial is due.
    pub(super) fn space_deadline(&self) -> Option<Instant> {
        let waits = self.space.is_short() && self.space.trial.is_none() && self.failed.is_none();
        waits.then_some(self.space.retry_at)
    }

    /// One line when it begins, one when it ends.
    fn tell_of_space(&mut self, error: Option<DiskError>) {
        let lacks = self.lacks_space();
        if lacks == self.space.told {
            return;
        }
        self.space.told = lacks;
        let (shard, dir) = (self.config.shard.0, self.config.dir.0);
        if lacks {
            tracing::warn!(
                shard,
                dir,
                ?error,
                "a log dir lacks space: it takes no records until there is room again"
            );
        } else {
            self.counters.space_ends += 1;
            tracing::info!(shard, dir, "a log dir has room again: it takes records");
        }
    }
}
