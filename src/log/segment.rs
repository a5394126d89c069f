//! One segment of a log, and when it takes no more.
//!
//! Decides when to roll. Does not decide when bytes are written or sealed: it is told.

use crate::effect::FileId;
use crate::model::topic_config::TopicConfig;
use crate::model::{Offset, SealedSegment};

use super::offset_index::OffsetIndex;
use super::snapshot::Snapshot;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentState {
    /// The last one; appends go here.
    Active,
    /// Takes no more, but its end is not yet in its file.
    Full,
    /// An earlier run appended to it. Its end is in the journal alone, and where its batches stand is not known.
    Journaled,
    /// All of it is in its file, exactly, and synced. Never written again.
    Sealed,
}

/// Invariants: written <= length; written == length if Sealed; its offsets are dense from `base_offset`, unless it was compacted: then
///             some are missing, but its last batch ends at `next_offset`. Only a sealed segment may be without its index, which then
///             is in its summary, and a journaled one, which gets it when it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Names it on disk.
    pub base_offset: Offset,
    /// Bytes of its batches, wherever they are.
    pub length: u64,
    /// Bytes of it that are in the file: whole blocks until it is sealed.
    pub written: u64,
    pub state: SegmentState,
    /// Set before the first write, or when a file of an earlier run is opened.
    pub file: Option<FileId>,
    next_offset: Offset,
    max_timestamp: i64,
    clean_end: Offset,
    index: Option<Box<OffsetIndex>>,
    /// From the close of the segment to its seal.
    snapshot: Option<Box<Snapshot>>,
    first_append: FirstAppend,
}

/// What the age of a segment counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FirstAppend {
    wall_ms: i64,
    /// `max_timestamp` of the first batch; -1: none.
    timestamp: i64,
}

/// A batch that looks for a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewBatch {
    pub last_offset: Offset,
    pub length: u64,
    pub max_timestamp: i64,
    pub wall_ms: i64,
}

impl Segment {
    pub(super) fn new(base_offset: Offset, state: SegmentState) -> Segment {
        Segment {
            base_offset,
            length: 0,
            written: 0,
            state,
            file: None,
            next_offset: base_offset,
            max_timestamp: -1,
            clean_end: base_offset,
            index: Some(Box::new(OffsetIndex::new(base_offset))),
            snapshot: None,
            first_append: FirstAppend { wall_ms: 0, timestamp: -1 },
        }
    }

    /// A sealed segment as its summary says, without its index.
    pub(super) fn summarized(sealed: &SealedSegment) -> Segment {
        Segment {
            base_offset: sealed.base_offset,
            length: sealed.length,
            written: sealed.length,
            state: SegmentState::Sealed,
            file: None,
            next_offset: sealed.next_offset,
            max_timestamp: sealed.max_timestamp,
            clean_end: sealed.clean_end,
            index: None,
            snapshot: None,
            first_append: FirstAppend { wall_ms: 0, timestamp: -1 },
        }
    }

    /// A segment that an earlier run left open: [0, written) is in its file, the rest in the journal. `snapshot`: what the log knew at
    /// its end.
    pub(super) fn journaled(sealed: &SealedSegment, written: u64, snapshot: Option<Snapshot>) -> Segment {
        assert!(written <= sealed.length, "a file holds no more than its segment");
        Segment {
            written,
            state: SegmentState::Journaled,
            snapshot: snapshot.map(Box::new),
            ..Segment::summarized(sealed)
        }
    }

    /// What its summary says, once it takes no more.
    #[must_use]
    pub fn sealed(&self) -> SealedSegment {
        SealedSegment {
            base_offset: self.base_offset,
            next_offset: self.next_offset,
            length: self.length,
            max_timestamp: self.max_timestamp,
            clean_end: self.clean_end,
        }
    }

    /// Where its batches stand, if that is in memory.
    pub(super) fn index(&self) -> Option<&OffsetIndex> {
        self.index.as_deref()
    }

    /// Where its batches with a base offset below `offset` end. None: its index is needed and not here.
    pub(super) fn position_below(&self, offset: Offset) -> Option<u64> {
        if offset >= self.next_offset {
            return Some(self.length);
        }
        if offset <= self.base_offset {
            return Some(0);
        }
        self.index().map(|index| index.position_below(offset))
    }

    /// The largest timestamp of its batches that end behind `from` and have a base offset below `offset`. None: its index is needed
    /// and not here.
    pub(super) fn max_timestamp_between(&self, from: Offset, offset: Offset) -> Option<i64> {
        if from <= self.base_offset && offset >= self.next_offset {
            return Some(self.max_timestamp);
        }
        self.index().map(|index| index.max_timestamp_between(from, offset))
    }

    /// Takes what was read for it. False: it is not the index of this segment.
    pub(super) fn load_index(&mut self, section: &[u8]) -> bool {
        let index = OffsetIndex::decode(self.base_offset, self.next_offset, self.length, section);
        let index = index.filter(|index| index.max_timestamp() == self.max_timestamp);
        let is_loaded = index.is_some();
        if is_loaded {
            self.index = index.map(Box::new);
        }
        is_loaded
    }

    /// Forgets the index.
    pub(super) fn drop_index(&mut self) {
        assert_eq!(self.state, SegmentState::Sealed, "only what is sealed has its index in a summary");
        self.index = None;
    }

    /// Memory that dropping the index would free.
    #[must_use]
    pub fn index_bytes(&self) -> u64 {
        self.index.as_ref().map_or(0, |index| index.bytes())
    }

    /// The offset after its last batch: the base of the next segment.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// Up to here compaction has been through. Its base offset: it never was compacted.
    #[must_use]
    pub fn clean_end(&self) -> Offset {
        self.clean_end
    }

    /// -1: no record has one.
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// The wall clock at the first append of this run; 0: an earlier run wrote it.
    #[must_use]
    pub fn first_append_ms(&self) -> i64 {
        self.first_append.wall_ms
    }

    /// The largest timestamp of its first batch; -1: it has none.
    #[must_use]
    pub fn first_timestamp(&self) -> i64 {
        self.first_append.timestamp
    }

    /// What the log knew where this segment ends, from its close until it is sealed.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_deref()
    }

    /// Is everything below `position` in the file?
    pub(super) fn is_in_file(&self, position: u64) -> bool {
        position <= self.written
    }

    /// Adds a batch at the end. Offsets that are missing before it count as its own.
    pub(super) fn push(&mut self, batch: NewBatch) {
        if self.length == 0 {
            self.first_append = FirstAppend { wall_ms: batch.wall_ms, timestamp: batch.max_timestamp };
        }
        let offsets = batch.last_offset.0 + 1 - self.next_offset().0;
        let length = u32::try_from(batch.length).expect("a batch length is an i32 on the wire");
        let offsets = u32::try_from(offsets).expect("a last offset delta is an i32 on the wire");
        let index = self.index.as_mut().expect("a segment that takes batches has its index");
        index.push(offsets, length, batch.max_timestamp);
        self.length = index.end();
        self.next_offset = index.next_offset();
        self.max_timestamp = index.max_timestamp();
    }

    /// Must `batch` go to a new segment?
    ///
    /// The age is the distance of timestamps, as far as the first batch has one; so a replay of old records rolls as it
    /// did when they were new. Else it is the wall clock's, which may jump: it then rolls early, which harms nobody.
    /// Source: Kafka's topic configs `segment.bytes`, `segment.ms` and `max.compaction.lag.ms`; `segment.jitter.ms` is not kept.
    pub(super) fn must_roll(&self, config: &TopicConfig, batch: NewBatch) -> bool {
        if self.state != SegmentState::Active {
            return true;
        }
        if self.length == 0 {
            return false;
        }
        let end = self.length + batch.length;
        let age_ms = if self.first_append.timestamp >= 0 {
            batch.max_timestamp.saturating_sub(self.first_append.timestamp)
        } else {
            batch.wall_ms.saturating_sub(self.first_append.wall_ms)
        };
        end > u64::from(config.segment_bytes)
            || u64::try_from(age_ms).is_ok_and(|age_ms| age_ms > config.roll_ms())
            || !OffsetIndex::can_hold(self.base_offset, batch.last_offset, end)
    }

    /// `snapshot`: what the log knows here.
    pub(super) fn close(&mut self, snapshot: Snapshot) {
        assert_eq!(self.state, SegmentState::Active, "only the active segment becomes full");
        self.state = SegmentState::Full;
        self.snapshot = Some(Box::new(snapshot));
        self.shrink();
    }

    pub(super) fn seal(&mut self) {
        assert_ne!(self.state, SegmentState::Active, "a segment that takes appends is not sealed");
        self.state = SegmentState::Sealed;
        self.written = self.length;
        self.snapshot = None;
        self.shrink();
    }

    fn shrink(&mut self) {
        if let Some(index) = &mut self.index {
            index.shrink();
        }
    }
}
