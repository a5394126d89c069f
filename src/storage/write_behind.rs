//! The way of durable bytes into segment files: in order per segment, one operation per segment at a time. In whole blocks; of a
//! partition that has gone quiet the last block too, padded, and written again when it wakes. And of one that is written since
//! others want it, for room in the ring or in memory: else its newest batch could not leave memory before the next lap.
//!
//! Decides when a segment is written and sealed. Bytes whose commit is not durable are not there for this file.

use bytes::{Bytes, BytesMut};

use super::{OpenSegment, Storage};
use crate::effect::{Effect, Effects, FileId, FileOrigin};
use crate::journal::{LogId, SegmentKey};
use crate::limits::{BLOCK_BYTES, SEALS_TOLD_TOGETHER, SEGMENT_WRITE_BYTES, SEGMENT_WRITES_BYTES_MAX};

/// The largest single write.
const WRITE_BYTES_MAX: u64 = 2 * SEGMENT_WRITE_BYTES;

/// A write that others wanted takes the last, partial block with it if it has so much besides: that costs it a quarter at most.
const LAST_BLOCK_TAKEN_BYTES: u64 = 4 * BLOCK_BYTES;

/// What a seal counts for among the bytes under way: it is a truncate and two syncs, whatever its length.
pub(super) const SEAL_COST_BYTES: u64 = 64 * 1024;

const _: () = assert!(WRITE_BYTES_MAX <= SEGMENT_WRITES_BYTES_MAX);

pub(super) fn block_floor(bytes: u64) -> u64 {
    bytes / BLOCK_BYTES * BLOCK_BYTES
}

impl OpenSegment {
    /// How far it should be written, if `durable` bytes of its `length` may be: with the last, partial block if that is wanted, unless
    /// it comes with the seal.
    fn through(&self, durable: u64, length: u64) -> u64 {
        let blocks = block_floor(durable);
        if self.full && self.durable == length {
            return blocks;
        }
        if self.wanted > blocks.max(self.written) || self.written < self.wanted && self.takes_last_block() {
            durable
        } else {
            blocks
        }
    }

    /// Whether a write that is wanted takes all that is durable, and not whole blocks only. What is full gets its last one with the seal.
    fn takes_last_block(&self) -> bool {
        !self.full && block_floor(self.durable).saturating_sub(self.written) >= LAST_BLOCK_TAKEN_BYTES
    }

    /// Makes it wanted as far as it is worth a write.
    pub(super) fn want(&mut self) {
        let through = if self.takes_last_block() { self.durable } else { block_floor(self.durable) };
        self.wanted = self.wanted.max(through);
    }
}

impl Storage {
    /// Queues the segment if there is something to do for it.
    pub(super) fn maybe_queue(&mut self, key: SegmentKey) {
        let write_bytes = self.write_bytes();
        let Some(length) = self.log(key.log).segment(key.base_offset).map(|segment| segment.length) else {
            return;
        };
        let undurable_too = self.config.mutations.write_undurable_bytes();
        let Some(segment) = self.slots[key.log].segment_mut(key.base_offset) else { return };
        if segment.queued || segment.sealing || segment.writing > 0 || segment.journaled {
            return;
        }
        let through = segment.through(if undurable_too { length } else { segment.durable }, length);
        let to_write = through - segment.written.min(through);
        let to_seal = segment.full && segment.durable == length;
        if to_seal || to_write >= write_bytes || (to_write > 0 && segment.written < segment.wanted) {
            segment.queued = true;
            self.write_queue.push_back(key);
        }
    }

    /// What makes a write worth it: less where the ring itself is small.
    fn write_bytes(&self) -> u64 {
        block_floor(self.journal.ring().capacity() / 32).clamp(BLOCK_BYTES, SEGMENT_WRITE_BYTES)
    }

    pub(super) fn pump_writes(&mut self, effects: &mut Effects) {
        while self.writes_bytes < SEGMENT_WRITES_BYTES_MAX && !self.holds_writes() {
            let Some(key) = self.write_queue.pop_front() else { return };
            self.write_or_seal(key, effects);
        }
    }

    /// Whether something was begun.
    pub(super) fn write_or_seal(&mut self, key: SegmentKey, effects: &mut Effects) -> bool {
        let undurable_too = self.config.mutations.write_undurable_bytes();
        let slot = &mut self.slots[key.log];
        let length = slot.log.segment(key.base_offset).map_or(0, |segment| segment.length);
        // Deleted since it was queued.
        let Some(segment) = slot.segment_mut(key.base_offset) else { return false };
        segment.queued = false;
        if segment.journaled {
            self.start_restore(vec![key], effects);
            return true;
        }
        assert!(segment.writing == 0 && !segment.sealing, "one operation per segment at a time");
        assert!(segment.durable <= length, "no more is durable than was appended");
        let through = segment.through(if undurable_too { length } else { segment.durable }, length);
        let (from, to) = (segment.written, through.min(block_floor(segment.written + WRITE_BYTES_MAX)));
        if to > from {
            segment.writing = to - from;
            self.start_write(key, from, to, effects);
        } else if segment.full && segment.durable == length {
            segment.sealing = true;
            self.start_seal(key, from, length, effects);
        } else {
            return false;
        }
        true
    }

    fn file_of(&mut self, key: SegmentKey, effects: &mut Effects) -> FileId {
        let slot = &mut self.slots[key.log];
        slot.operations += 1;
        let known = slot.segment(key.base_offset).and_then(|segment| segment.file);
        known.unwrap_or_else(|| {
            let file = self.open_file(key, FileOrigin::New, effects);
            let segment = self.slots[key.log].segment_mut(key.base_offset);
            segment.expect("only unsealed segments are written").file = Some(file);
            file
        })
    }

    fn start_write(&mut self, key: SegmentKey, from: u64, to: u64, effects: &mut Effects) {
        assert!(to > from, "there is something to write");
        let file = self.file_of(key, effects);
        let pieces = self.log(key.log).slices(key.base_offset, from, to);
        self.writes_bytes += to - from;
        self.counters.segment_writes += 1;
        self.counters.segment_bytes += to - from;
        effects.push(Effect::WriteSegment { file, position: from, pieces });
    }

    fn start_seal(&mut self, key: SegmentKey, position: u64, length: u64, effects: &mut Effects) {
        assert!(length >= position, "a segment file is not longer than its segment");
        let file = self.file_of(key, effects);
        let tail = concat(self.log(key.log).slices(key.base_offset, position, length));
        self.writes_bytes += SEAL_COST_BYTES;
        self.seals_in_flight += 1;
        let length = if self.config.mutations.seal_without_truncate() {
            length.next_multiple_of(BLOCK_BYTES)
        } else {
            length
        };
        let log = self.log(key.log);
        let summary = log.summary(key.base_offset).encode(log.topic_partition());
        effects.push(Effect::SealSegment { file, position, tail, length, summary });
    }

    pub(super) fn on_segment_written(&mut self, file: FileId, position: u64, length: u64) {
        self.writes_bytes -= length;
        let Some(&key) = self.files.get(&file) else { return };
        let slot = &mut self.slots[key.log];
        slot.operations -= 1;
        let Some(segment) = slot.segment_mut(key.base_offset) else { return };
        assert!(
            segment.written == position && segment.writing == length,
            "writes of a segment come back in order"
        );
        segment.written = position + length;
        segment.writing = 0;
        slot.log.on_written(key.base_offset, position + length);
        self.maybe_queue(key);
    }

    pub(super) fn on_segment_sealed(&mut self, file: FileId, effects: &mut Effects) {
        if !self.restore.on_answered(file) {
            self.seals_in_flight -= 1;
            self.writes_bytes -= SEAL_COST_BYTES;
        }
        self.completed.push(file);
        self.maybe_tell_sealed(effects);
    }

    /// Tells the journal of what is sealed, of several at once where room in the ring is scarce: each of them could take a block of it, and
    /// together they would take the room that it keeps for releasing a file.
    pub(super) fn maybe_tell_sealed(&mut self, effects: &mut Effects) {
        if self.completed.is_empty() {
            return;
        }
        let deleted = |file: &mut FileId| self.files.get(file).is_none_or(|key| self.slots[key.log].deleted);
        let of_deleted: Vec<FileId> = self.completed.extract_if(.., deleted).collect();
        for file in of_deleted {
            self.end_seal(file);
        }
        if self.completed.len() < SEALS_TOLD_TOGETHER && self.tells_more_soon() {
            return;
        }
        for file in std::mem::take(&mut self.completed) {
            match self.end_seal(file) {
                Some(key) if self.restore.remove(key) => self.load_awaited_index(key, effects),
                Some(key) => self.keep_index(key),
                None => {}
            }
        }
    }

    /// Others will be sealed, and the journal should hear of them together: those under way while the ring is more than half full, as large
    /// as it is now; all that are to be sealed once the room for releasing a file is all that is left. A full disk seals them one at a time.
    fn tells_more_soon(&self) -> bool {
        let ring = self.journal.ring();
        let is_pressed = ring.used_bytes() * 2 > ring.bytes() || self.journal.is_blocked();
        let under_way = self.seals_in_flight > 0 || self.restore.is_under_way();
        let to_come = self.carries.closing() > self.completed.len() as u64;
        is_pressed && under_way || to_come && !ring.has_room(BLOCK_BYTES, self.reserve())
    }

    /// The segment is exact and synced. None: its partition was deleted meanwhile.
    pub(super) fn end_seal(&mut self, file: FileId) -> Option<SegmentKey> {
        let key = *self.files.get(&file)?;
        let slot = &mut self.slots[key.log];
        slot.operations -= 1;
        let index = slot.unsealed.iter().position(|segment| segment.base_offset == key.base_offset)?;
        let segment = slot.unsealed.remove(index).expect("its position was just found");
        slot.log.on_sealed(key.base_offset);
        self.forget(&segment);
        self.counters.segments_sealed += 1;
        let mark = self.push_sealed(key, segment.durable);
        self.note_sealed(key, mark);
        Some(key)
    }

    /// Ends the active segment if all of it is durable.
    pub(super) fn maybe_close_active(&mut self, log: LogId) -> bool {
        if !self.is_active_settled(log) {
            return false;
        }
        let Some(base_offset) = self.slots[log].log.close_active() else { return false };
        self.close_segment(SegmentKey { log, base_offset });
        true
    }

    pub(super) fn is_active_settled(&self, log: LogId) -> bool {
        let slot = &self.slots[log];
        let length = slot.log.segments().last().map_or(0, |segment| segment.length);
        slot.unsealed.back().is_some_and(|last| !last.full && last.durable == length && length > 0)
    }
}

/// The pieces of less than a block as one.
pub(super) fn concat(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}
