//! How the oldest journal file becomes free.
//!
//! ```text
//! Writing     whole blocks of every segment that has bytes in the file go to their segment files: all that are durable, so that the release
//!             of the next files finds them there; of many blocks the last one too, though it is partial
//! Syncing     those files are synced
//!             and the last, partial block of those that got nothing since: they are quiet, and need not be carried
//! Carrying    one entry per segment records what is synced, and a checkpoint of the log; what is left over, less than a block,
//!             is written again
//! (retired)   once these are durable nothing in the file is needed
//! ```
//!
//! Decides when a file is released, and when that is safe. `journal/ring.rs` decides when it is written again.

use bytes::Bytes;

use super::write_behind::{block_floor, concat};
use super::{OpenSegment, Storage};
use crate::effect::{Effect, Effects, FileId, SyncId};
use crate::journal::format::{EntryHeader, EntryKind};
use crate::journal::{Entry, SegmentKey};
use crate::limits::BLOCK_BYTES;
use crate::mutations::Mutations;

#[derive(Debug)]
pub(super) struct Release {
    /// Of the file.
    sequence: u64,
    residents: Vec<SegmentKey>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Commits into the file are still at the device.
    Settling,
    /// The last `waiting` residents may lack blocks in their segment files.
    Writing {
        waiting: usize,
    },
    Syncing {
        sync: SyncId,
        carries: Vec<Carry>,
    },
    /// Until the journal's release entries are durable up to `mark`.
    Carrying {
        mark: u64,
    },
}

/// What will be recorded of one segment.
#[derive(Debug)]
struct Carry {
    key: SegmentKey,
    /// [0, end) is in the file; synced, once this is recorded.
    end: u64,
    /// The bytes from `end` on that only the released file holds. Taken when `end` was: the tail may lose them later.
    remainder: Bytes,
}

impl Release {
    pub(super) fn is_syncing(&self) -> bool {
        matches!(self.phase, Phase::Syncing { .. })
    }
}

impl OpenSegment {
    /// The end of its bytes in a journal file.
    fn end_in(&self, sequence: u64) -> u64 {
        let found = self.residence.iter().find(|(resident, _)| *resident == sequence);
        found.map_or(0, |(_, end)| *end)
    }

    /// A newer journal file tells that all which this one has of it is in the segment file: what has been there since the release of an
    /// older one needs nothing.
    fn is_recorded_after(&self, sequence: u64, mutations: Mutations) -> bool {
        let (recorded_in, end) = self.recorded;
        let is_covered = end >= self.end_in(sequence) || mutations.release_forgets_newer_bytes();
        let is_newer = recorded_in > sequence || mutations.release_forgets_segment_end();
        recorded_in > 0 && is_newer && is_covered
    }
}

impl Storage {
    pub(super) fn maybe_release(&mut self, effects: &mut Effects) {
        if self.release.is_none() {
            self.begin_release();
        }
        let Some(release) = &self.release else { return };
        match release.phase {
            Phase::Settling if !self.journal.writes_to(release.sequence) => {
                self.begin_writing();
                self.maybe_sync(effects);
            }
            Phase::Writing { .. } => self.maybe_sync(effects),
            Phase::Settling | Phase::Syncing { .. } | Phase::Carrying { .. } => {}
        }
        self.maybe_retire();
    }

    fn begin_release(&mut self) {
        let blocked = self.journal.is_blocked();
        let ring = self.journal.ring();
        let pressed = ring.used_bytes() * 2 > ring.capacity();
        let wanted = match ring.live_files() {
            0 => false,
            1 => blocked && !ring.is_growing() && !ring.has_dead(),
            // Of an earlier run, whose segments are complete: nothing is to be written for it, unless it found no free file at first.
            _ => blocked || pressed || ring.holds_earlier() && self.restore.is_done(),
        };
        if !wanted {
            return;
        }
        if ring.live_files() == 1 {
            self.journal.ring_mut().close_current();
        }
        let sequence = self.journal.ring().oldest_live();
        self.release = Some(Release { sequence, residents: Vec::new(), phase: Phase::Settling });
    }

    /// All of the file is durable: nothing is added to it any more.
    fn begin_writing(&mut self) {
        let sequence = self.release.as_ref().expect("a release is under way").sequence;
        let residents = self.take_unrecorded_residents(sequence);
        self.seal_instead_of_carrying(&residents);
        let carried_max = self.remainders_bytes_max();
        let mut carried = 0;
        for &key in &residents {
            let Some(segment) = self.slots[key.log].segment_mut(key.base_offset) else { continue };
            if segment.journaled {
                self.restore.hurry(key);
                continue;
            }
            segment.want();
            let end = segment.end_in(sequence);
            let remainder = end.saturating_sub(segment.wanted.max(segment.written));
            let is_quiet = segment.issued == end;
            // What is full is sealed soon, with its last block.
            if remainder > 0 && (is_quiet && !segment.full || carried + remainder > carried_max) {
                segment.wanted = segment.durable;
            } else {
                carried += remainder;
            }
            self.maybe_queue(key);
        }
        let release = self.release.as_mut().expect("a release is under way");
        release.phase = Phase::Writing { waiting: residents.len() };
        release.residents = residents;
    }

    /// The residents of the oldest file, but for those of which no newer one needs to hear.
    fn take_unrecorded_residents(&mut self, sequence: u64) -> Vec<SegmentKey> {
        let mut residents = self.journal.ring_mut().take_oldest_residents();
        residents.retain(|key| {
            // Sealed or deleted.
            let Some(segment) = self.slots[key.log].segment_mut(key.base_offset) else { return false };
            let is_done = segment.is_recorded_after(sequence, self.config.mutations);
            if is_done {
                self.counters.recorded_already += 1;
                segment.residence.retain(|(resident, _)| *resident > sequence);
            }
            !is_done
        });
        residents
    }

    /// Has the segment file what it should have of what the released file holds of it?
    fn is_in_file(&self, sequence: u64, key: SegmentKey) -> bool {
        // None: sealed or deleted.
        let Some(segment) = self.slots[key.log].segment(key.base_offset) else { return true };
        if segment.journaled {
            return self.config.mutations.restore_not_awaited();
        }
        let end = segment.end_in(sequence);
        let is_flushed = segment.wanted >= end && !self.config.mutations.skip_flush();
        segment.written >= if is_flushed { end } else { block_floor(end) }
    }

    fn maybe_sync(&mut self, effects: &mut Effects) {
        let Some(Release { sequence, residents, phase: Phase::Writing { waiting } }) = &self.release else {
            return;
        };
        let (sequence, mut left) = (*sequence, *waiting);
        while left > 0 && self.is_in_file(sequence, residents[left - 1]) {
            left -= 1;
        }
        if left > 0 {
            self.release.as_mut().expect("it was just there").phase = Phase::Writing { waiting: left };
            return;
        }
        let carries: Vec<Carry> =
            residents.iter().filter_map(|key| self.plan_carry(sequence, *key)).collect();
        let files: Vec<FileId> = carries.iter().filter_map(|carry| self.unsynced_file(carry)).collect();
        if files.is_empty() || self.config.mutations.never_sync_segments() {
            self.carry(carries);
            return;
        }
        self.syncs_issued += 1;
        self.counters.segment_syncs += files.len() as u64;
        let sync = SyncId::new(self.config.dir, self.syncs_issued);
        self.release.as_mut().expect("it was just there").phase = Phase::Syncing { sync, carries };
        effects.push(Effect::SyncSegments { sync, files });
    }

    fn plan_carry(&self, sequence: u64, key: SegmentKey) -> Option<Carry> {
        let slot = &self.slots[key.log];
        let segment = slot.segment(key.base_offset).filter(|segment| !segment.journaled)?;
        let (mut end, data_end) = (segment.written, segment.end_in(sequence));
        if self.config.mutations.skip_flush() && segment.wanted >= data_end {
            end = end.max(data_end);
        }
        let remainder = if data_end > end {
            assert!(data_end - end < BLOCK_BYTES, "whole blocks are in the segment file");
            concat(slot.log.slices(key.base_offset, end, data_end))
        } else {
            Bytes::new()
        };
        Some(Carry { key, end, remainder })
    }

    fn unsynced_file(&self, carry: &Carry) -> Option<FileId> {
        let segment = self.slots[carry.key.log].segment(carry.key.base_offset)?;
        segment.file.filter(|_| segment.synced < carry.end)
    }

    /// As if the sync under way had succeeded. False: there is none.
    pub(super) fn finish_sync(&mut self, effects: &mut Effects) -> bool {
        let Some(Release { phase: Phase::Syncing { sync, .. }, .. }) = &self.release else { return false };
        self.on_segments_synced(*sync, effects);
        true
    }

    pub(super) fn on_segments_synced(&mut self, sync: SyncId, effects: &mut Effects) {
        let Some(release) = self.release.as_mut() else { return };
        let Phase::Syncing { sync: expected, carries } = &mut release.phase else { return };
        if *expected != sync {
            return;
        }
        let carries = std::mem::take(carries);
        for carry in &carries {
            let slot = &mut self.slots[carry.key.log];
            if let Some(segment) = slot.segment_mut(carry.key.base_offset) {
                segment.synced = segment.synced.max(carry.end);
            }
        }
        self.carry(carries);
        self.finish_deletes(effects);
    }

    fn carry(&mut self, carries: Vec<Carry>) {
        let mut checkpoints_room = self.checkpoints_bytes_max();
        for Carry { key, end, remainder } in carries {
            // Sealed meanwhile: its Sealed entry is queued before what follows here. Or deleted.
            if self.slots[key.log].segment(key.base_offset).is_none() {
                continue;
            }
            self.push_segment_end(key, end, &mut checkpoints_room);
            if !remainder.is_empty() && !self.config.mutations.skip_carry() {
                self.counters.carried_bytes += remainder.len() as u64;
                self.push_release(EntryKind::Data, key, end, remainder);
            }
        }
        let mark = self.journal.release_mark();
        self.release.as_mut().expect("a release is under way").phase = Phase::Carrying { mark };
        self.maybe_retire();
    }

    /// Records that [0, end) is in the segment file, and what the log knows where its journaled bytes end. Also if nothing is in the
    /// file: with a checkpoint before it, carried Data is known to be no whole batch.
    fn push_segment_end(&mut self, key: SegmentKey, end: u64, checkpoints_room: &mut u64) {
        let mutations = self.config.mutations;
        let end = if mutations.record_padded_end() { end.next_multiple_of(BLOCK_BYTES) } else { end };
        let checkpoint = self.checkpoint(key, *checkpoints_room);
        *checkpoints_room -= checkpoint.len() as u64;
        self.counters.checkpoint_bytes += checkpoint.len() as u64;
        if checkpoint.is_empty() {
            self.counters.checkpoints_left_out += 1;
            // Rather a small segment than one that a start has to read.
            self.maybe_close_active(key.log);
        }
        self.push_release(EntryKind::SegmentEnd, key, end, checkpoint);
    }

    /// Empty: it would be too large.
    fn checkpoint(&mut self, key: SegmentKey, room: u64) -> Bytes {
        let mutations = self.config.mutations;
        let bytes_max = self.journal.release_bytes_max().min(room);
        let slot = &mut self.slots[key.log];
        let issued = slot.segment(key.base_offset).map_or(0, |segment| segment.issued);
        if slot.log.checkpoint_bytes_max() > bytes_max {
            return Bytes::new();
        }
        let mut checkpoint = slot.log.checkpoint(key.base_offset, issued);
        if mutations.checkpoint_ahead_of_data() {
            checkpoint.snapshot = slot.log.snapshot();
        }
        if mutations.checkpoint_without_producers() {
            checkpoint.snapshot.producers = Bytes::new();
        }
        Some(checkpoint.encode()).filter(|bytes| bytes.len() as u64 <= bytes_max).unwrap_or_default()
    }

    fn push_release(&mut self, kind: EntryKind, key: SegmentKey, position: u64, payload: Bytes) {
        let header = EntryHeader {
            kind,
            length: u32::try_from(payload.len()).expect("less than a block, or a bounded checkpoint"),
            topic_partition: self.slots[key.log].topic_partition,
            base_offset: key.base_offset,
            position,
        };
        self.journal.push_release(Entry { header, payload, key, next_offset: None });
    }

    fn maybe_retire(&mut self) {
        let Some(Release { sequence, phase: Phase::Carrying { mark }, .. }) = &self.release else { return };
        if self.journal.release_durable() < *mark && !self.config.mutations.reuse_space_too_early() {
            return;
        }
        let sequence = *sequence;
        assert!(self.journal.ring().oldest_live() == sequence, "files are released in order");
        let Some(Release { residents, .. }) = self.release.take() else { return };
        for key in residents {
            if let Some(segment) = self.slots[key.log].segment_mut(key.base_offset) {
                segment.residence.retain(|(resident, _)| *resident > sequence);
            }
        }
        self.journal.ring_mut().retire_oldest();
        self.counters.files_released += 1;
    }
}
