//! The segments that an earlier run left open: they are completed out of the journal while the broker serves.
//!
//! ```text
//! journaled   the log knows the segment, [0, written) is in its file, the rest in live journal files; nobody can read it yet
//! restoring   its bytes are being copied, with those of others
//! (sealed)    exact, synced, with its summary: a Sealed entry tells the journal so, and whoever waited for its index gets it
//! ```
//!
//! Decides the order: what somebody waits for first, then as the journal's files are to be released. How bytes get from one file
//! to the other is `runtime/`'s.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bytes::Bytes;

use super::{JournaledSegment, LogId, OpenSegment, Storage};
use crate::effect::{Effect, Effects, FileId, FileOrigin, JournalPiece, RestoreSegment, SegmentName};
use crate::journal::format::{EntryHeader, EntryKind};
use crate::journal::{Entry, SegmentKey};
use crate::limits::{RESTORE_BYTES_MAX, RESTORE_SEGMENTS_MAX, SEALS_TOLD_TOGETHER};
use crate::log::SegmentState;
use crate::model::TopicPartition;

/// Lives: one per shard and log dir, empty soon after the start.
#[derive(Debug, Default)]
pub(super) struct Restore {
    /// Of partitions that were not opened yet.
    journaled: BTreeMap<TopicPartition, Vec<JournaledSegment>>,
    /// Where the bytes are that a segment's file lacks.
    pieces: HashMap<SegmentKey, Vec<JournalPiece>>,
    /// Those that somebody waits for.
    urgent: VecDeque<SegmentKey>,
    /// All others; by the oldest journal file that has bytes of them, once all partitions are open.
    waiting: VecDeque<SegmentKey>,
    is_sorted: bool,
    in_flight: HashSet<FileId>,
    /// Of all pieces.
    bytes: u64,
}

fn bytes_of(pieces: &[JournalPiece]) -> u64 {
    pieces.iter().map(|piece| u64::from(piece.length)).sum()
}

/// What a segment that a start finds has of its file.
pub(super) fn origin(state: SegmentState) -> FileOrigin {
    match state {
        SegmentState::Journaled => FileOrigin::LeftOpen,
        SegmentState::Active | SegmentState::Full | SegmentState::Sealed => FileOrigin::Sealed,
    }
}

impl Restore {
    pub(super) fn new(journaled: BTreeMap<TopicPartition, Vec<JournaledSegment>>) -> Restore {
        Restore { journaled, ..Restore::default() }
    }

    /// Somebody waits for this segment.
    pub(super) fn hurry(&mut self, key: SegmentKey) {
        if self.pieces.contains_key(&key) {
            self.urgent.push_back(key);
        }
    }

    /// Whether this was the answer for a segment that was restored.
    pub(super) fn on_answered(&mut self, file: FileId) -> bool {
        self.in_flight.remove(&file)
    }

    fn insert(&mut self, key: SegmentKey, pieces: Vec<JournalPiece>) {
        self.bytes += bytes_of(&pieces);
        self.pieces.insert(key, pieces);
        self.waiting.push_back(key);
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, key: SegmentKey) -> bool {
        let pieces = self.pieces.remove(&key);
        self.bytes -= pieces.as_deref().map_or(0, bytes_of);
        pieces.is_some()
    }

    /// Some are being copied.
    pub(super) fn is_under_way(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Nothing is left of the earlier run.
    pub(super) fn is_done(&self) -> bool {
        self.pieces.is_empty() && self.journaled.is_empty() && self.in_flight.is_empty()
    }

    /// Commits that are still to come for Sealed entries of restored segments, at most.
    pub(super) fn commits_max(&self) -> u64 {
        commits_max(self.pieces.len(), self.bytes)
    }

    /// The segment found no room. One of all that wait for it is tried again by itself; this one waits for what becomes of that.
    pub(super) fn wait_again(&mut self, key: SegmentKey) {
        self.waiting.push_front(key);
    }

    fn next(&mut self) -> Option<SegmentKey> {
        loop {
            let key = self.urgent.pop_front().or_else(|| self.waiting.pop_front())?;
            // It stands in both queues, or in one of them twice; or its partition was deleted.
            if self.pieces.contains_key(&key) {
                return Some(key);
            }
        }
    }
}

/// Commits that the Sealed entries of so many segments take at most, with so many bytes to be restored.
pub(super) fn commits_max(segments: usize, bytes: u64) -> u64 {
    segments.div_ceil(SEALS_TOLD_TOGETHER) as u64 + bytes / RESTORE_BYTES_MAX
}

impl Storage {
    /// Takes over what an earlier run left open of a partition.
    pub(super) fn take_journaled(&mut self, log: LogId) {
        let Some(segments) = self.restore.journaled.remove(&self.slots[log].topic_partition) else { return };
        for JournaledSegment { base_offset, written, length, pieces, residence } in segments {
            let key = SegmentKey { log, base_offset };
            let Some(file) = self.slots[log].log.segment(base_offset).map(|segment| segment.file) else {
                // It lies below the log start, and recovery completed it.
                let mark = self.push_sealed(key, length);
                self.note_sealed(key, mark);
                continue;
            };
            for (sequence, _) in &residence {
                self.journal.ring_mut().add_resident(*sequence, key);
            }
            let segment = OpenSegment {
                issued: length,
                durable: length,
                written,
                synced: written,
                file,
                full: true,
                length,
                journaled: true,
                residence: residence.into(),
                ..OpenSegment::new(base_offset)
            };
            self.unsealed_count += 1;
            self.carries.count(&segment);
            self.slots[log].unsealed.push_back(segment);
            self.restore.insert(key, pieces);
        }
    }

    /// Copies some of them, if none are being copied.
    pub(super) fn pump_restores(&mut self, effects: &mut Effects) {
        if !self.restore.in_flight.is_empty() || self.restore.pieces.is_empty() || self.holds_writes() {
            return;
        }
        self.sort_restores();
        let (mut keys, mut bytes) = (Vec::new(), 0);
        while keys.len() < RESTORE_SEGMENTS_MAX && bytes < RESTORE_BYTES_MAX {
            let Some(key) = self.restore.next() else { break };
            // It found no room, and is tried again by itself; or it is complete, and the journal will hear of it soon.
            let segment = self.slots[key.log].segment(key.base_offset);
            let is_free = segment.is_some_and(|one| !one.queued && !one.sealing);
            if is_free && !keys.contains(&key) {
                bytes += bytes_of(&self.restore.pieces[&key]);
                keys.push(key);
            }
        }
        self.start_restore(keys, effects);
    }

    /// The files of the journal are released oldest first.
    fn sort_restores(&mut self) {
        if std::mem::replace(&mut self.restore.is_sorted, true) {
            return;
        }
        let mut waiting: Vec<SegmentKey> = std::mem::take(&mut self.restore.waiting).into();
        waiting.sort_by_key(|key| {
            let segment = self.slots[key.log].segment(key.base_offset);
            segment.and_then(|segment| segment.residence.front().copied()).unwrap_or_default()
        });
        self.restore.waiting = waiting.into();
    }

    pub(super) fn start_restore(&mut self, keys: Vec<SegmentKey>, effects: &mut Effects) {
        let cut_short = self.config.mutations.restore_cut_short();
        let mut segments = Vec::with_capacity(keys.len());
        for key in keys {
            let slot = &mut self.slots[key.log];
            let Some(segment) = slot.segment_mut(key.base_offset) else { continue };
            let Some(mut pieces) = self.restore.pieces.get(&key).cloned() else { continue };
            segment.sealing = true;
            let (position, length) = (segment.written, segment.durable);
            let file = segment.file.expect("what an earlier run left open has a number");
            slot.operations += 1;
            if cut_short {
                pieces.pop();
            }
            let name = SegmentName { topic_partition: slot.topic_partition, base_offset: key.base_offset };
            let summary = slot.log.summary(key.base_offset).encode(slot.topic_partition);
            self.restore.in_flight.insert(file);
            segments.push(RestoreSegment { file, segment: name, position, pieces, length, summary });
        }
        if !segments.is_empty() {
            effects.push(Effect::RestoreSegments { dir: self.config.dir, segments });
        }
    }

    /// The segment is complete: its index can be had.
    pub(super) fn load_awaited_index(&mut self, key: SegmentKey, effects: &mut Effects) {
        if self.indexes.take_awaited(key) {
            self.ask_for_index(key, effects);
        }
    }

    /// The partition is being deleted.
    pub(super) fn forget_restores(&mut self, log: LogId) {
        let of_it: Vec<SegmentKey> =
            self.restore.pieces.keys().filter(|key| key.log == log).copied().collect();
        for key in of_it {
            self.restore.remove(key);
        }
    }

    /// Tells the journal that a segment needs it no more.
    pub(super) fn push_sealed(&mut self, key: SegmentKey, length: u64) -> u64 {
        let header = EntryHeader {
            kind: EntryKind::Sealed,
            length: 0,
            topic_partition: self.slots[key.log].topic_partition,
            base_offset: key.base_offset,
            position: length,
        };
        self.journal.push_release(Entry { header, payload: Bytes::new(), key, next_offset: None })
    }
}
