//! A log out of its segments: takes what their summaries say, or walks the batch headers and rebuilds what is kept in memory.
//!
//! Decides whether headers follow each other: inside of a segment offsets may be missing, as compaction leaves them. Does not decide where a file ends (the journal did, before) and does not
//! read records or check CRCs.

use std::fmt;

use protocol::record::{BATCH_HEADER_BYTES, BatchHeader, LEADING_BYTES};

use crate::effect::DiskError;
use crate::model::{LeaderEpoch, Offset, SealedSegment};

use super::leader_epochs::LeaderEpochs;
use super::log_start::LogStart;
use super::offset_index::OffsetIndex;
use super::producer_state::ProducerStates;
use super::replayed::Replayed;
use super::segment::{NewBatch, Segment, SegmentState};
use super::snapshot::Snapshot;
use super::summary::Summary;

/// One read: thousands of headers of small batches, and not much for nothing where batches are large.
const CHUNK_BYTES: u64 = 64 * 1024;

/// What `PartitionLog::open` needs. The default is a new partition's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RecoveredLog {
    pub(super) log_start: Offset,
    pub(super) log_end: Offset,
    pub(super) segments: Vec<Segment>,
    pub(super) epochs: LeaderEpochs,
    pub(super) producers: ProducerStates,
    /// Base offsets of segments below the log start that are still there, oldest first.
    pub(super) left_over: Vec<Offset>,
}

impl RecoveredLog {
    /// The log starts at `log_start`, as was made durable once. What lies below is dropped; a log of which nothing is left begins and
    /// ends there.
    fn begin_at(&mut self, log_start: Offset) {
        let kept = self.segments.partition_point(|segment| segment.next_offset() <= log_start);
        self.left_over.extend(self.segments.drain(..kept).map(|segment| segment.base_offset));
        self.log_start = self.log_start.max(log_start);
        self.log_end = self.log_end.max(log_start);
        if self.segments.is_empty() {
            self.log_start = self.log_end;
        }
        self.epochs.begin_at(self.log_start);
    }

    /// A segment below the log start that need not be read.
    pub fn leave_over(&mut self, base_offset: Offset) {
        self.left_over.push(base_offset);
    }

    /// All of its journaled segments are exact and synced by now.
    pub fn complete_journaled(&mut self) {
        for segment in self.segments.iter_mut().filter(|segment| segment.state == SegmentState::Journaled) {
            segment.seal();
        }
    }

    #[must_use]
    pub fn take_left_over(&mut self) -> Vec<Offset> {
        let mut left_over = std::mem::take(&mut self.left_over);
        left_over.sort_unstable();
        left_over
    }

    #[must_use]
    pub fn log_start_offset(&self) -> Offset {
        self.log_start
    }

    #[must_use]
    pub fn log_end_offset(&self) -> Offset {
        self.log_end
    }

    /// What the log knows at its end.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.epochs, &self.producers, self.log_end)
    }

    /// Oldest first, all of them sealed or journaled.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

/// Why a segment's bytes are not its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanFault {
    Disk(DiskError),
    /// The segment does not begin where the one before it ends.
    SegmentGap {
        expected: Offset,
    },
    /// Larger than any segment that this broker writes.
    SegmentTooLong {
        length: u64,
    },
    Magic(i8),
    BatchLength(i32),
    /// The batch runs over the end of the segment, or less than a header is left.
    Cut {
        left: u64,
    },
    BaseOffset {
        expected: Offset,
        found: Offset,
    },
    LastOffsetDelta(i32),
    /// The journal has bytes here that are not the batch which begins at `expected`.
    NotABatch {
        expected: u64,
    },
}

/// Where a scan had to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanError {
    /// Base offset of the segment.
    pub segment: Offset,
    /// Of the batch, in the file.
    pub position: u64,
    pub fault: ScanFault,
}

impl fmt::Display for ScanError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "segment {:020} at byte {}: ", self.segment.0, self.position)?;
        match self.fault {
            ScanFault::Disk(error) => write!(out, "{} failed with errno {}", error.operation, error.errno),
            ScanFault::SegmentGap { expected } => {
                write!(out, "the segment before it ends at offset {}", expected.0)
            }
            ScanFault::SegmentTooLong { length } => write!(out, "{length} bytes are more than a segment has"),
            ScanFault::Magic(magic) => write!(out, "magic {magic} is not 2"),
            ScanFault::BatchLength(length) => write!(out, "batch length {length} is below that of a header"),
            ScanFault::Cut { left } => {
                write!(out, "the batch needs more than the {left} bytes that are left")
            }
            ScanFault::BaseOffset { expected, found } => {
                write!(out, "base offset {} where {} was expected", found.0, expected.0)
            }
            ScanFault::NotABatch { expected } => write!(out, "no batch, but one should begin at {expected}"),
            ScanFault::LastOffsetDelta(delta) => write!(out, "last offset delta {delta} cannot be"),
        }
    }
}

impl std::error::Error for ScanError {}

/// Reads bytes of the segment at a position, all that were asked for.
pub type ReadAt<'a> = dyn FnMut(u64, &mut [u8]) -> Result<(), DiskError> + 'a;

/// Takes the segments of one partition, oldest first.
///
/// Invariants: an error is final: the partition is offline, and the scanner is of no more use.
#[derive(Debug, Default)]
pub struct LogScanner {
    log: RecoveredLog,
    has_segment: bool,
    start: LogStart,
    chunk: Chunk,
}

impl LogScanner {
    #[must_use]
    pub fn new() -> LogScanner {
        LogScanner::default()
    }

    /// A log that is known to begin at `start`. What it knew of batches that are gone counts still.
    #[must_use]
    pub fn from(start: LogStart) -> LogScanner {
        LogScanner { start, ..LogScanner::default() }
    }

    /// Walks the segment of `length` bytes that begins at `base_offset`. An empty one only says where the log ends.
    ///
    /// Errors: the first header that cannot be, with its position.
    pub fn segment(
        &mut self,
        base_offset: Offset,
        length: u64,
        read: &mut ReadAt<'_>,
    ) -> Result<(), ScanError> {
        self.check_place(base_offset, length)?;
        if !self.has_segment {
            self.know_start(base_offset);
        }
        let mut segment = Segment::new(base_offset, SegmentState::Full);
        self.chunk.clear();
        while segment.length < length {
            let position = segment.length;
            let fail = |fault| ScanError { segment: base_offset, position, fault };
            let header = self.chunk.header(position, length, read).map_err(fail)?;
            let batch = check(&End::of(&segment), &header, length - position, Gaps::Allowed).map_err(fail)?;
            segment.push(batch);
            self.log
                .epochs
                .assign(LeaderEpoch(header.partition_leader_epoch()), Offset(header.base_offset()));
            self.log.producers.on_batch(&header, None);
        }
        segment.seal();
        self.add(segment);
        Ok(())
    }

    /// Takes a segment as its summary says, without a look at its batches and without its index.
    ///
    /// Errors: it does not begin where the one before it ends.
    pub fn summarized(&mut self, sealed: &SealedSegment) -> Result<(), ScanError> {
        self.check_place(sealed.base_offset, sealed.length)?;
        if !self.has_segment {
            self.know_start(sealed.base_offset);
        }
        self.add(Segment::summarized(sealed));
        Ok(())
    }

    /// What the log knows where the last segment ends, whatever its batches said so far.
    pub fn set_state(&mut self, epochs: LeaderEpochs, producers: ProducerStates) {
        self.log.epochs = epochs;
        self.log.producers = producers;
    }

    /// The summary of the segment that was taken last, which gives up its index; `with_state` if all batches before are known.
    /// None if it is empty.
    pub fn take_summary(&mut self, with_state: bool) -> Option<Summary> {
        let log = &mut self.log;
        let last = log.segments.last_mut().filter(|last| last.next_offset() == log.log_end)?;
        let index = last.index()?.encode().freeze();
        last.drop_index();
        let snapshot = with_state.then(|| Snapshot::of(&log.epochs, &log.producers, log.log_end));
        Some(Summary { segment: last.sealed(), snapshot, index: Some(index) })
    }

    /// The offset after the last segment.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.log.log_end
    }

    /// Whether the segments so far hold this offset.
    #[must_use]
    pub fn holds(&self, offset: Offset) -> bool {
        self.has_segment && offset < self.log.log_end
    }

    fn check_place(&self, base_offset: Offset, length: u64) -> Result<(), ScanError> {
        let fail = |fault| Err(ScanError { segment: base_offset, position: 0, fault });
        if self.has_segment && base_offset != self.log.log_end {
            return fail(ScanFault::SegmentGap { expected: self.log.log_end });
        }
        if u32::try_from(length).is_err() {
            return fail(ScanFault::SegmentTooLong { length });
        }
        if base_offset < Offset::ZERO {
            return fail(ScanFault::BaseOffset { expected: Offset::ZERO, found: base_offset });
        }
        Ok(())
    }

    fn know_start(&mut self, first: Offset) {
        (self.log.epochs, self.log.producers) = self.start.clone().known_at(first);
    }

    /// Takes a segment that a journal completed, without a look at its file and without its index: what the log knows behind it was
    /// in the journal.
    ///
    /// Errors: it does not begin where the one before it ends; the journal's batches are not all of it.
    pub fn replayed(&mut self, replayed: Replayed, length: u64) -> Result<(), ScanError> {
        let sealed = replayed.sealed();
        if sealed.length != length {
            let fault = ScanFault::NotABatch { expected: sealed.length };
            return Err(ScanError { segment: sealed.base_offset, position: length, fault });
        }
        self.summarized(&sealed)?;
        replayed.apply(&mut self.log.epochs, &mut self.log.producers);
        Ok(())
    }

    /// Takes a segment that is completed later, out of the journal: [0, written) of it is in its file. What the log knows behind it
    /// was in the journal. `with_state`: all batches before are known.
    ///
    /// Errors: as `replayed`.
    pub fn journaled(
        &mut self,
        replayed: Replayed,
        (written, length): (u64, u64),
        with_state: bool,
    ) -> Result<(), ScanError> {
        let sealed = replayed.sealed();
        let known_before = self.log.segments.len();
        self.replayed(replayed, length)?;
        let snapshot = with_state.then(|| self.log.snapshot());
        if self.log.segments.len() > known_before
            && let Some(last) = self.log.segments.last_mut()
        {
            *last = Segment::journaled(&sealed, written, snapshot);
        }
        Ok(())
    }

    /// The summary of the segment that was taken last, as far as it is known without its index.
    pub fn summary(&self, with_state: bool) -> Option<Summary> {
        let last = self.log.segments.last().filter(|last| last.next_offset() == self.log.log_end)?;
        let snapshot = with_state.then(|| self.log.snapshot());
        Some(Summary { snapshot, ..Summary::new(last.sealed()) })
    }

    fn add(&mut self, segment: Segment) {
        if !self.has_segment {
            self.has_segment = true;
            self.log.log_start = segment.base_offset;
        }
        self.log.log_end = segment.next_offset();
        if segment.length > 0 {
            self.log.segments.push(segment);
        }
    }

    /// The log, all segments sealed.
    #[must_use]
    pub fn finish(mut self) -> RecoveredLog {
        self.log.begin_at(self.start.offset);
        if self.log.segments.is_empty() {
            // Those that were taken were unlinked once, and some of them are back.
            self.know_start(self.start.offset);
            self.log.epochs.begin_at(self.log.log_start);
        }
        // A quiet partition stays as it is now.
        self.log.segments.shrink_to_fit();
        self.log
    }
}

/// The part of a segment that was read last.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    start: u64,
}

impl Chunk {
    /// Forgets what was read, keeps the memory.
    fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The header at `position` of a segment of `length` bytes, read together with what follows if it is not here.
    fn header(
        &mut self,
        position: u64,
        length: u64,
        read: &mut ReadAt<'_>,
    ) -> Result<BatchHeader, ScanFault> {
        if let Some(header) = self.header_held(position) {
            return Ok(header);
        }
        let left = length - position;
        self.bytes.clear();
        self.bytes.resize(left.min(CHUNK_BYTES) as usize, 0);
        self.start = position;
        if let Err(error) = read(position, &mut self.bytes) {
            self.bytes.clear();
            return Err(ScanFault::Disk(error));
        }
        self.header_held(position).ok_or(ScanFault::Cut { left })
    }

    fn header_held(&self, position: u64) -> Option<BatchHeader> {
        let at = usize::try_from(position.checked_sub(self.start)?).ok()?;
        BatchHeader::at_front_of(self.bytes.get(at..)?).copied()
    }
}

/// Where the next batch of a segment belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub base_offset: Offset,
    pub next_offset: Offset,
    pub length: u64,
}

impl End {
    fn of(segment: &Segment) -> End {
        let (base_offset, next_offset) = (segment.base_offset, segment.next_offset());
        End { base_offset, next_offset, length: segment.length }
    }
}

/// Whether offsets may be missing before a batch: compaction leaves gaps inside of a segment, never between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gaps {
    None,
    Allowed,
}

/// The largest timestamp of the records that the batch still has; -1: none. What compaction has emptied only tells of its producer.
pub(super) fn max_timestamp_of(header: &BatchHeader) -> i64 {
    if header.records_count() == 0 { -1 } else { header.max_timestamp() }
}

/// May a batch with this header stand at the end of a segment, with `left` bytes left?
pub(super) fn check(
    segment: &End,
    header: &BatchHeader,
    left: u64,
    gaps: Gaps,
) -> Result<NewBatch, ScanFault> {
    if header.magic() != 2 {
        return Err(ScanFault::Magic(header.magic()));
    }
    let batch_length = header.batch_length();
    let length = u64::try_from(batch_length)
        .map(|batch_length| batch_length + LEADING_BYTES as u64)
        .ok()
        .filter(|length| *length >= BATCH_HEADER_BYTES as u64)
        .ok_or(ScanFault::BatchLength(batch_length))?;
    if length > left {
        return Err(ScanFault::Cut { left });
    }
    let (expected, found) = (segment.next_offset, Offset(header.base_offset()));
    if found < expected || (found > expected && gaps == Gaps::None) {
        return Err(ScanFault::BaseOffset { expected, found });
    }
    let delta = header.last_offset_delta();
    let last_offset = found.0.checked_add(i64::from(delta)).filter(|last| *last < i64::MAX);
    let last_offset = last_offset.map(Offset).filter(|last| *last >= found);
    let end = segment.length + length;
    match last_offset {
        Some(last_offset) if OffsetIndex::can_hold(segment.base_offset, last_offset, end) => {
            let max_timestamp = max_timestamp_of(header);
            Ok(NewBatch { last_offset, length, max_timestamp, wall_ms: 0 })
        }
        _ => Err(ScanFault::LastOffsetDelta(delta)),
    }
}
