//! The state of one partition's log, and what storage tells it about its bytes.
//!
//! Decides which batches may leave memory. Appending is in `append`, reading in `read` and `lookup`.

use std::sync::Arc;

use bytes::Bytes;
use protocol::record::BatchView;

use crate::effect::FileId;
use crate::model::topic_config::TopicConfig;
use crate::model::{LeaderEpoch, Now, Offset, SealedSegment, TopicPartition};
use crate::shard_message::ProducerAnswer;

use super::checkpoint::Settled;
use super::hot_tail::HotTail;
use super::leader_epochs::LeaderEpochs;
use super::producer_state::ProducerStates;
use super::recovery::RecoveredLog;
use super::segment::{Segment, SegmentState};
use super::snapshot::Snapshot;
use super::summary::Summary;

/// One partition's log.
///
/// Lives: per partition, on the partition's shard.
/// Shape:  see the module's page.
/// Invariants: log_start <= log_end. Segments and positions follow each other without a gap, and so do offsets, unless compacted. Only the last segment
///             is active. The tail holds [written, length) of each segment that is not sealed.
#[derive(Debug)]
pub struct PartitionLog {
    topic_partition: TopicPartition,
    pub(super) config: Arc<TopicConfig>,
    pub(super) log_start: Offset,
    pub(super) log_end: Offset,
    /// Oldest first.
    pub(super) segments: Vec<Segment>,
    pub(super) tail: HotTail,
    pub(super) epochs: LeaderEpochs,
    pub(super) producers: ProducerStates,
    pub(super) settled: Settled,
}

impl PartitionLog {
    /// `RecoveredLog::default()` is the log of a new partition. It allocates nothing before its first append.
    #[must_use]
    pub fn open(
        topic_partition: TopicPartition,
        config: Arc<TopicConfig>,
        recovered: RecoveredLog,
    ) -> PartitionLog {
        let RecoveredLog { log_start, log_end, segments, epochs, producers, left_over: _ } = recovered;
        let settled = Settled { producers: producers.clone(), next_offset: log_end };
        let log = PartitionLog {
            topic_partition,
            config,
            log_start,
            log_end,
            segments,
            tail: HotTail::default(),
            epochs,
            producers,
            settled,
        };
        log.assert_invariants();
        log
    }

    #[must_use]
    pub fn topic_partition(&self) -> TopicPartition {
        self.topic_partition
    }

    #[must_use]
    pub fn config(&self) -> &Arc<TopicConfig> {
        &self.config
    }

    /// Counts from the next append on.
    pub fn set_config(&mut self, config: Arc<TopicConfig>) {
        self.config = config;
    }

    #[must_use]
    pub fn log_start_offset(&self) -> Offset {
        self.log_start
    }

    /// The offset that the next record gets.
    #[must_use]
    pub fn log_end_offset(&self) -> Offset {
        self.log_end
    }

    // What storage asks and tells.

    /// Oldest first.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    #[must_use]
    pub fn segment(&self, base: Offset) -> Option<&Segment> {
        self.segments.get(self.segment_index(base)?)
    }

    fn segment_index(&self, base: Offset) -> Option<usize> {
        self.segments.binary_search_by_key(&base, |segment| segment.base_offset).ok()
    }

    fn segment_mut(&mut self, base: Offset) -> &mut Segment {
        let index = self.segment_index(base).expect("storage names segments that the log has told it of");
        &mut self.segments[index]
    }

    /// The number of the segment's file. Before its first write, or when a sealed one is opened (again).
    pub fn set_file(&mut self, segment: Offset, file: FileId) {
        self.segment_mut(segment).file = Some(file);
    }

    /// The bytes [from, to) of a segment out of the tail, without a copy.
    ///
    /// Invariants: the tail holds them; it does for anything from the segment's `written` on.
    #[must_use]
    pub fn slices(&self, segment: Offset, from: u64, to: u64) -> Vec<Bytes> {
        self.tail.slices(segment, from, to)
    }

    /// [0, through) of the segment is in its file. Tells of a segment that was sealed meanwhile change nothing.
    pub fn on_written(&mut self, segment: Offset, through: u64) {
        let segment = self.segment_mut(segment);
        assert!(through <= segment.length, "a segment file holds no more than the segment");
        assert!(segment.file.is_some(), "a segment that was written has a file");
        segment.written = segment.written.max(through);
    }

    /// All of the segment is in its file, exactly, and synced.
    pub fn on_sealed(&mut self, segment: Offset) {
        let segment = self.segment_mut(segment);
        assert!(segment.file.is_some(), "a segment that was sealed has a file");
        segment.seal();
    }

    // Indexes of sealed segments, and the summaries that hold them.

    /// The summary of a segment that takes no more.
    #[must_use]
    pub fn summary(&self, segment: Offset) -> Summary {
        let segment = self.segment(segment).expect("storage names segments that the log has told it of");
        assert_ne!(segment.state, SegmentState::Active, "a segment is summed up at its end");
        let index = segment.index().map(|index| index.encode().freeze());
        Summary { segment: segment.sealed(), snapshot: segment.snapshot().cloned(), index }
    }

    /// Takes the index section of a segment's summary. False: it is not the segment's.
    pub fn load_index(&mut self, segment: Offset, section: &[u8]) -> bool {
        self.segment_mut(segment).load_index(section)
    }

    /// Forgets the index of a sealed segment.
    pub fn drop_index(&mut self, segment: Offset) {
        self.segment_mut(segment).drop_index();
    }

    /// Bytes of all segments, in files or not.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Batches in memory.
    #[must_use]
    pub fn tail_batches(&self) -> usize {
        self.tail.len()
    }

    /// What batches in memory cost.
    #[must_use]
    pub fn tail_bytes(&self) -> u64 {
        self.tail.bytes()
    }

    /// Drops the oldest batch in memory and says how many bytes that frees. None: nothing is there, or its segment's file
    /// does not have all of it yet.
    pub fn evict_oldest(&mut self) -> Option<u64> {
        let batch = self.tail.front()?;
        let segment = self.segment(batch.segment).expect("the tail holds batches of known segments");
        if !segment.is_in_file(batch.end()) {
            return None;
        }
        self.settled.on_batch(batch.header());
        self.tail.pop_front()
    }

    /// The log begins at `log_start`: records below it are gone for readers. Segments stay until they are forgotten.
    ///
    /// Invariants: never back, never above the log end; that the new start is durable is the caller's to know.
    pub fn advance_log_start(&mut self, log_start: Offset) {
        if log_start <= self.log_start {
            return;
        }
        assert!(log_start <= self.log_end, "the log starts at or before its end");
        self.log_start = log_start;
        self.epochs.begin_at(log_start);
        self.assert_invariants();
    }

    /// The oldest segment, if it lies wholly below the log start and in its file.
    #[must_use]
    pub fn forgettable(&self) -> Option<&Segment> {
        let oldest = self.segments.first()?;
        (oldest.state == SegmentState::Sealed && oldest.next_offset() <= self.log_start).then_some(oldest)
    }

    /// Forgets the oldest segment. Returns it, and how many of its batches were in memory with how many bytes.
    pub fn forget_oldest(&mut self) -> (Segment, usize, u64) {
        let oldest = self.segments.remove(0);
        assert!(oldest.next_offset() <= self.log_start, "what readers may ask for is not forgotten");
        let (mut batches, mut bytes) = (0, 0);
        while let Some(batch) = self.tail.front().filter(|batch| batch.segment == oldest.base_offset) {
            self.settled.on_batch(batch.header());
            batches += 1;
            bytes += self.tail.pop_front().unwrap_or(0);
        }
        self.assert_invariants();
        (oldest, batches, bytes)
    }

    /// Puts one segment in the place of those that compaction made it of. Returns them, and how many of the batches in memory went with how
    /// many bytes: where theirs stand is no longer true.
    ///
    /// Invariants: they and all before them are sealed, follow each other, and have the same offsets as the new one.
    pub fn replace_segments(&mut self, replaced: usize, new: &SealedSegment) -> (Vec<Segment>, usize, u64) {
        let first = self.segment_index(new.base_offset).expect("storage names segments that the log knows");
        let of_old = first..first + replaced;
        let all_sealed = self.segments[..of_old.end].iter().all(|one| one.state == SegmentState::Sealed);
        assert!(all_sealed, "the bytes of what is not sealed are wanted from memory");
        let last = self.segments[of_old.clone()].last().expect("at least one is replaced");
        assert_eq!(last.next_offset(), new.next_offset, "the new segment has the offsets of the old ones");
        assert!(of_old.end < self.segments.len(), "the last segment is not compacted");
        let (mut batches, mut bytes) = (0, 0);
        while let Some(batch) = self.tail.front().filter(|batch| batch.base_offset < new.next_offset) {
            self.settled.on_batch(batch.header());
            batches += 1;
            bytes += self.tail.pop_front().unwrap_or(0);
        }
        let old: Vec<Segment> = self.segments.splice(of_old, [Segment::summarized(new)]).collect();
        self.assert_invariants();
        (old, batches, bytes)
    }

    /// By producer id: the last offset of the newest batch of each, as far as it lies below `below`.
    #[must_use]
    pub fn last_batches_of_producers(&self, below: Offset) -> Vec<(i64, Offset)> {
        self.producers.last_offsets().filter(|(_, last_offset)| *last_offset < below).collect()
    }

    /// Ends the active segment: the next append begins another. Returns it, None if there is none.
    pub fn close_active(&mut self) -> Option<Offset> {
        let last = self.segments.last_mut().filter(|last| last.state == SegmentState::Active)?;
        last.close(Snapshot::of(&self.epochs, &self.producers, last.next_offset()));
        Some(last.base_offset)
    }

    /// The offset after the last batch of the segment that ends at or before `position`: what is durable, if [0, position)
    /// is. The segment's base offset if there is no such batch. Not for sealed segments, whose index may not be here.
    #[must_use]
    pub fn offset_at_position(&self, segment: Offset, position: u64) -> Offset {
        if let Some(offset) = self.tail.offset_by(segment, position) {
            return offset;
        }
        let index = self.segment(segment).and_then(|segment| segment.index());
        let batch = index.and_then(|index| index.batch_ending_by(position));
        batch.map_or(segment, |batch| batch.next_offset)
    }

    // Leaders and producers.

    /// This broker leads with `epoch` from the log end on, whether or not it will append.
    pub fn begin_leader_epoch(&mut self, epoch: LeaderEpoch) {
        self.epochs.assign(epoch, self.log_end);
    }

    /// OffsetForLeaderEpoch: the largest epoch not above `epoch` that the log knows, and the offset after its records.
    /// (-1, -1) for an epoch that is newer than all.
    #[must_use]
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> (LeaderEpoch, Offset) {
        self.epochs.end(epoch, self.log_end)
    }

    /// The epoch in which the record at `offset` was written, at the log end the current one; -1 if there is none.
    #[must_use]
    pub fn latest_epoch_at(&self, offset: Offset) -> LeaderEpoch {
        self.epochs.at(offset)
    }

    /// By producer id.
    #[must_use]
    pub fn producers(&self) -> Vec<ProducerAnswer> {
        self.producers.answers()
    }

    /// Whether the batch is of a producer that the log does not know, and not its first.
    #[must_use]
    pub fn begins_amid(&self, batch: &[u8]) -> bool {
        BatchView::parse(batch).is_ok_and(|batch| {
            batch.has_producer_id()
                && batch.base_sequence() > 0
                && !self.producers.0.contains_key(&batch.producer_id())
        })
    }

    #[must_use]
    pub fn producers_count(&self) -> usize {
        self.producers.len()
    }

    /// Forgets producers that were silent for `expiration_ms` (`producer.id.expiration.ms`), and says how many.
    pub fn expire_producers(&mut self, now: Now, expiration_ms: u64) -> usize {
        self.producers.expire(now.instant, expiration_ms)
    }

    /// What can be checked in constant time. Density of offsets and positions is asserted where batches are added.
    pub(super) fn assert_invariants(&self) {
        assert!(self.log_start <= self.log_end, "the log starts at or before its end");
        match self.segments.last() {
            Some(last) => {
                assert_eq!(last.next_offset(), self.log_end, "the last segment ends at the log end");
                assert!(last.written <= last.length, "a file holds no more than its segment");
                let index_end = last.index().map_or(last.length, |index| index.end());
                assert_eq!(last.length, index_end, "every byte of a segment belongs to a batch");
            }
            None => assert_eq!(self.log_start, self.log_end, "a log without segments is empty"),
        }
    }
}
