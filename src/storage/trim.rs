//! How the front of a log goes: its start moves, then segments below it are unlinked.
//!
//! ```text
//! wanted      retention or a client said where the log shall start
//! writing     the new start is written; nobody hears of it
//! (moved)     it is durable: the log starts there, readers below it are told so
//! unlinking   sealed segments wholly below it, the oldest first, some at a time
//! ```
//!
//! Decides the order, and when it is safe. One step of one log is under way at a time, of few logs at once.
//! A segment goes only if the journal's Sealed entry for it is durable: until then a start would look for its file.

use super::{LogId, Storage};
use crate::effect::{DiskError, Effect, Effects, TrimId};
use crate::journal::SegmentKey;
use crate::limits::{TRIMS_IN_FLIGHT_MAX, UNLINKS_PER_TRIM_MAX};
use crate::model::Offset;

/// What is known of one log's trimming. No allocation while nothing is trimmed.
///
/// Invariants: the log's start <= wanted, or nothing is wanted.
#[derive(Debug, Default)]
pub(super) struct Trim {
    pub wanted: Offset,
    step: Step,
    /// Segments that are sealed, by a Sealed entry that is not durable yet.
    unrecorded: Vec<Offset>,
    /// Segments below the log start that an earlier run did not come to unlink.
    left_over: Vec<Offset>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Step {
    #[default]
    Idle,
    Queued,
    Writing(Offset),
    Unlinking,
}

impl Trim {
    pub(super) fn new(left_over: Vec<Offset>) -> Trim {
        Trim { left_over, ..Trim::default() }
    }

    /// Whether the journal's word that this sealed segment is sealed is durable.
    pub(super) fn is_recorded(&self, segment: Offset) -> bool {
        !self.unrecorded.contains(&segment)
    }
}

impl Storage {
    /// The log shall start at `log_start`. It does so, and `take_trimmed` tells, when that is durable; before, `log_start` itself must
    /// be: a start that is ahead of what is durable waits.
    pub fn trim(&mut self, id: LogId, log_start: Offset) {
        let slot = &mut self.slots[id];
        assert!(log_start <= slot.log.log_end_offset(), "a log starts at or before its end");
        slot.trim.wanted = slot.trim.wanted.max(log_start);
        self.maybe_queue_trim(id);
    }

    /// Logs whose start has moved since the last call, or could not be written.
    pub fn take_trimmed(&mut self) -> Vec<(LogId, Result<(), DiskError>)> {
        std::mem::take(&mut self.trimmed)
    }

    pub(super) fn maybe_queue_trim(&mut self, id: LogId) {
        let has_work = self.may_move_start(id) || self.may_unlink(id);
        let slot = &mut self.slots[id];
        if has_work && slot.trim.step == Step::Idle && !slot.deleted {
            slot.trim.step = Step::Queued;
            self.trim_queue.push_back(id);
        }
    }

    fn may_move_start(&self, id: LogId) -> bool {
        let slot = &self.slots[id];
        slot.trim.wanted > slot.log.log_start_offset() && slot.trim.wanted <= slot.durable_end
    }

    fn may_unlink(&self, id: LogId) -> bool {
        let trim = &self.slots[id].trim;
        let unrecorded_too = self.config.mutations.unlink_unrecorded();
        let oldest = self.slots[id].log.forgettable().map(|segment| segment.base_offset);
        let goes = oldest.is_some_and(|base_offset| {
            let is_recorded = unrecorded_too || trim.is_recorded(base_offset);
            let key = SegmentKey { log: id, base_offset };
            is_recorded && !self.indexes.is_loading(key) && !self.is_in_swap(key)
        });
        goes || self.may_unlink_left_over(id)
    }

    /// A segment among them may have a Sealed entry that is not durable yet.
    fn may_unlink_left_over(&self, id: LogId) -> bool {
        let trim = &self.slots[id].trim;
        !trim.left_over.is_empty()
            && (trim.unrecorded.is_empty() || self.config.mutations.unlink_unrecorded())
    }

    pub(super) fn pump_trims(&mut self, effects: &mut Effects) {
        while self.trims_in_flight < TRIMS_IN_FLIGHT_MAX && !self.stopping {
            let Some(id) = self.trim_queue.pop_front() else { return };
            // None: deleted since.
            if self.slots[id].trim.step != Step::Queued || self.slots[id].deleted {
                continue;
            }
            self.slots[id].trim.step = Step::Idle;
            if self.may_move_start(id) {
                self.write_log_start(id, effects);
            } else if self.may_unlink(id) {
                self.unlink_some(id, effects);
            }
        }
    }

    fn write_log_start(&mut self, id: LogId, effects: &mut Effects) {
        let slot = &mut self.slots[id];
        let log_start = slot.trim.wanted;
        slot.trim.step = Step::Writing(log_start);
        slot.operations += 1;
        self.trims_in_flight += 1;
        let (trim, bytes) = (TrimId(id.0), slot.log.log_start_bytes(log_start, slot.durable_end));
        let topic_partition = slot.topic_partition;
        if self.config.mutations.unlink_before_log_start() {
            slot.log.advance_log_start(log_start);
            self.unlink_some(id, effects);
        }
        effects.push(Effect::WriteLogStart { trim, topic_partition, bytes });
    }

    fn unlink_some(&mut self, id: LogId, effects: &mut Effects) {
        let topic_partition = self.slots[id].topic_partition;
        let may_unlink_left_over = self.may_unlink_left_over(id);
        let left_over = &mut self.slots[id].trim.left_over;
        let mut segments = if may_unlink_left_over { std::mem::take(left_over) } else { Vec::new() };
        let later = segments.split_off(segments.len().min(UNLINKS_PER_TRIM_MAX));
        self.slots[id].trim.left_over.extend(later);
        let mut files = Vec::new();
        while segments.len() < UNLINKS_PER_TRIM_MAX && self.may_unlink(id) {
            let (segment, batches, bytes) = self.slots[id].log.forget_oldest();
            self.forget_tail(id, batches, bytes);
            self.indexes.forget(SegmentKey { log: id, base_offset: segment.base_offset });
            segments.push(segment.base_offset);
            if let Some(file) = segment.file {
                self.files.remove(&file);
                files.push(file);
            }
        }
        if segments.is_empty() {
            return;
        }
        self.counters.segments_unlinked += segments.len() as u64;
        let slot = &mut self.slots[id];
        slot.trim.step = Step::Unlinking;
        slot.operations += 1;
        self.trims_in_flight += 1;
        effects.push(Effect::UnlinkSegments { trim: TrimId(id.0), topic_partition, segments, files });
    }

    pub(super) fn on_log_start_written(&mut self, trim: TrimId, result: Result<(), DiskError>) {
        let id = LogId(trim.0);
        self.trims_in_flight -= 1;
        let slot = &mut self.slots[id];
        slot.operations -= 1;
        let Step::Writing(log_start) = std::mem::take(&mut slot.trim.step) else {
            assert!(self.config.mutations.unlink_before_log_start(), "only a written start is answered");
            return;
        };
        if slot.deleted {
            return;
        }
        match result {
            Ok(()) => slot.log.advance_log_start(log_start),
            // Whoever wants it asks again: a client, or the next look at what has expired.
            Err(_) => slot.trim.wanted = slot.log.log_start_offset(),
        }
        self.counters.log_starts_moved += u64::from(result.is_ok());
        self.trimmed.push((id, result));
        self.maybe_queue_trim(id);
    }

    pub(super) fn on_segments_unlinked(&mut self, trim: TrimId) {
        let id = LogId(trim.0);
        self.trims_in_flight -= 1;
        let slot = &mut self.slots[id];
        slot.operations -= 1;
        if slot.trim.step == Step::Unlinking {
            slot.trim.step = Step::Idle;
        }
        self.maybe_queue_trim(id);
    }

    /// A segment is sealed; the entry that says so is durable with the release mark `mark`.
    pub(super) fn note_sealed(&mut self, key: SegmentKey, mark: u64) {
        self.slots[key.log].trim.unrecorded.push(key.base_offset);
        self.unrecorded.push_back((mark, key));
    }

    /// Sealed entries may have become durable.
    pub(super) fn note_recorded(&mut self) {
        let durable = self.journal.release_durable();
        while let Some((_, key)) = self.unrecorded.pop_front_if(|(mark, _)| *mark <= durable) {
            self.slots[key.log].trim.unrecorded.retain(|base_offset| *base_offset != key.base_offset);
            self.maybe_queue_trim(key.log);
        }
    }
}
