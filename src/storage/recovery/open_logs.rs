//! The logs of all partitions: out of the summaries of their segments, and out of what the journals told of those that they completed.
//!
//! Decides which segments must be read: those of which neither tells, and those behind the last one that tells of epochs and
//! producers. What was read, and what the journals told, is summed up again. A summary is never the only copy, so one that cannot be
//! read or written is told of and done without.

use bytes::BytesMut;

use super::{
    FoundJournal, JournaledSegment, RecoveredShard, Recovery, RecoveryError, RecoveryFault, SegmentName,
    ShardId, TopicPartition, segment_error,
};
use crate::log::{
    LeaderEpochs, LogScanner, LogStart, NoSummary, ProducerStates, RecoveredLog, Replayed,
    SUMMARY_FRONT_BYTES, SUMMARY_HEADER_BYTES, ScanError, Summary,
};
use crate::model::Offset;

/// What a log knows at the end of a segment.
type State = (LeaderEpochs, ProducerStates);

/// Segments with their lengths, and what their summaries say.
type Standing = (Vec<(SegmentName, u64)>, Vec<Option<Summary>>);

/// By how much a read of the front grows when it did not hold what was wanted.
const FRONT_GROWTH: usize = 16;

impl Recovery<'_> {
    pub(super) fn open_logs(
        &mut self,
        shard_of: &dyn Fn(TopicPartition) -> ShardId,
        journals: &mut [FoundJournal],
        recovered: &mut [RecoveredShard],
    ) -> Result<(), RecoveryError> {
        self.so_far.segments = self.lengths.len() as u64;
        let mut log_starts = std::mem::take(&mut self.log_starts);
        // Ordered by partition, then by base offset.
        let segments: Vec<(SegmentName, u64)> = std::mem::take(&mut self.lengths).into_iter().collect();
        for of_one in segments.chunk_by(|(one, _), (next, _)| one.topic_partition == next.topic_partition) {
            let topic_partition = of_one[0].0.topic_partition;
            let log_start = log_starts.remove(&topic_partition).unwrap_or_default();
            let is_left = of_one.iter().any(|(name, _)| self.written_of_left(name).is_some());
            if self.offline.contains_key(&topic_partition) {
                if is_left {
                    self.restore_all(journals, recovered)?;
                }
                continue;
            }
            match self.open_log(log_start, of_one) {
                Ok(log) => {
                    let left = self.take_left(topic_partition, &log)?;
                    hand_over(topic_partition, log, left, shard_of, recovered);
                }
                Err(newer @ RecoveryError { fault: RecoveryFault::NewerVersion(_), .. }) => {
                    return Err(newer);
                }
                Err(why) => {
                    self.offline.insert(topic_partition, why);
                    if is_left {
                        self.restore_all(journals, recovered)?;
                    }
                }
            }
        }
        // What is left has no segment.
        for (topic_partition, log_start) in log_starts {
            if !self.offline.contains_key(&topic_partition) {
                let log = self.open_log(log_start, &[])?;
                hand_over(topic_partition, log, Vec::new(), shard_of, recovered);
            }
        }
        Ok(())
    }

    fn open_log(
        &mut self,
        log_start: LogStart,
        segments: &[(SegmentName, u64)],
    ) -> Result<RecoveredLog, RecoveryError> {
        let start = log_start.offset;
        let below = |pair: &[(SegmentName, u64)]| pair[1].0.base_offset <= start;
        let (left_over, segments) =
            segments.split_at(segments.windows(2).take_while(|pair| below(pair)).count());
        let mut left_over: Vec<SegmentName> = left_over.iter().map(|(name, _)| *name).collect();
        let (segments, summaries) = self.standing(segments, &mut left_over)?;
        let segments = &segments[..];
        let (known, mut state) = self.newest_state(segments, &summaries)?;
        let mut scanner = LogScanner::from(log_start);
        // Whether the scanner knows all that the log knew where the last segment ends.
        let mut is_state_known = true;
        for (index, &(name, length)) in segments.iter().enumerate() {
            let batches_tell = known.is_none_or(|known| index > known);
            // As in `standing`, of one that had to be read to know where it ends.
            if scanner.holds(name.base_offset) && !self.mutations.replaced_segments_count() {
                left_over.push(name);
                let ends_with_it = |summary: &Summary| summary.segment.next_offset == scanner.end();
                let is_told = known == Some(index) && summaries[index].as_ref().is_some_and(ends_with_it);
                if let Some((epochs, producers)) = state.take_if(|_| is_told) {
                    scanner.set_state(epochs, producers);
                    is_state_known = true;
                }
                continue;
            }
            if let Some(replayed) = self.replayed.remove(&name) {
                is_state_known |= replayed.is_whole();
                let written = self.written_of_left(&name);
                let taken = match written {
                    Some(written) => scanner.journaled(replayed, (written, length), is_state_known),
                    None => scanner.replayed(replayed, length),
                };
                taken.map_err(|error| segment_error(name, error.position, RecoveryFault::Scan(error)))?;
                if written.is_none()
                    && let Some(summary) = scanner.summary(is_state_known)
                {
                    self.write_summary(name, &summary, false);
                }
                (self.progress)(self.so_far);
                continue;
            }
            let summary = summaries[index].as_ref().filter(|_| !batches_tell);
            let taken = match summary {
                Some(summary) => {
                    is_state_known = false;
                    scanner.summarized(&summary.segment)
                }
                None => self.scan(&mut scanner, name, length),
            };
            taken.map_err(|error| segment_error(name, error.position, RecoveryFault::Scan(error)))?;
            if let Some((epochs, producers)) = state.take_if(|_| known == Some(index)) {
                scanner.set_state(epochs, producers);
                is_state_known = true;
            }
            // Synced: else a crash could show one of before a compaction, which, if that left the length as it was, would be believed.
            if let Some(summary) = scanner.take_summary(is_state_known) {
                self.write_summary(name, &summary, true);
            }
        }
        let mut log = scanner.finish();
        left_over.iter().for_each(|name| log.leave_over(name.base_offset));
        Ok(log)
    }

    /// The segments that count, with their summaries as far as these are of them. One that begins inside of the one before it was merged
    /// into that by compaction, and is left over: it was not unlinked yet, or is back.
    fn standing(
        &mut self,
        segments: &[(SegmentName, u64)],
        left_over: &mut Vec<SegmentName>,
    ) -> Result<Standing, RecoveryError> {
        let (mut standing, mut summaries) = (Vec::with_capacity(segments.len()), Vec::new());
        let mut end = Offset::ZERO;
        for (index, &(name, length)) in segments.iter().enumerate() {
            if name.base_offset < end && !self.mutations.replaced_segments_count() {
                left_over.push(name);
                continue;
            }
            let is_newest = index + 1 == segments.len();
            let front_bytes = if is_newest { SUMMARY_FRONT_BYTES } else { SUMMARY_HEADER_BYTES };
            let is_replayed = self.replayed.contains_key(&name);
            let summary = if is_replayed { None } else { self.summary(name, length, front_bytes)? };
            end = summary.as_ref().map_or(end, |summary| summary.segment.next_offset);
            standing.push((name, length));
            summaries.push(summary);
        }
        Ok((standing, summaries))
    }

    fn scan(&mut self, scanner: &mut LogScanner, name: SegmentName, length: u64) -> Result<(), ScanError> {
        let disk = &mut *self.disk;
        self.so_far.segments_scanned += u64::from(length > 0);
        let result = scanner
            .segment(name.base_offset, length, &mut |position, into| disk.read_segment(name, position, into));
        (self.progress)(self.so_far);
        result
    }

    /// The last segment of which it is told what the log knew at its end: by its summary, or by the journal, which keeps it.
    fn newest_state(
        &mut self,
        segments: &[(SegmentName, u64)],
        summaries: &[Option<Summary>],
    ) -> Result<(Option<usize>, Option<State>), RecoveryError> {
        for (index, &(name, length)) in segments.iter().enumerate().rev() {
            if self.replayed.get(&name).is_some_and(Replayed::is_whole) {
                return Ok((Some(index), None));
            }
            let snapshot = match &summaries[index] {
                Some(summary) if index + 1 == segments.len() => summary.snapshot.clone(),
                Some(_) => self.summary(name, length, SUMMARY_FRONT_BYTES)?.and_then(|found| found.snapshot),
                None => None,
            };
            if let Some(state) = snapshot.and_then(|snapshot| snapshot.decode().ok()) {
                return Ok((Some(index), Some(state)));
            }
        }
        Ok((None, None))
    }

    /// What the summary says of the segment, if it is of this segment: with the snapshot, unless `front_bytes` are those of its header.
    fn summary(
        &mut self,
        name: SegmentName,
        length: u64,
        front_bytes: usize,
    ) -> Result<Option<Summary>, RecoveryError> {
        let (mut front_bytes, wants_snapshot) = (front_bytes, front_bytes > SUMMARY_HEADER_BYTES);
        loop {
            let mut front = BytesMut::zeroed(front_bytes);
            let read = match self.disk.read_summary(name, &mut front) {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(segment = super::segment_path(name), ?error, "cannot read the summary");
                    return Ok(None);
                }
            };
            front.truncate(read);
            let summary = match Summary::decode(name.topic_partition, &front.freeze()) {
                Ok(summary) => summary,
                Err(NoSummary::Damaged) => return Ok(None),
                Err(NoSummary::NewerVersion(version)) => {
                    let file = super::segment_path(name).replace(".log", ".summary");
                    return Err(RecoveryError {
                        file,
                        position: 8,
                        fault: RecoveryFault::NewerVersion(version),
                    });
                }
            };
            let is_cut = wants_snapshot && summary.snapshot.is_none() && read == front_bytes;
            if is_cut {
                front_bytes *= FRONT_GROWTH;
                continue;
            }
            let is_of_it =
                summary.segment.base_offset == name.base_offset && summary.segment.length == length;
            return Ok(Some(summary).filter(|_| is_of_it || self.mutations.summary_not_checked()));
        }
    }

    fn write_summary(&mut self, name: SegmentName, summary: &Summary, synced: bool) {
        let bytes = summary.encode(name.topic_partition);
        if let Err(error) = self.disk.write_summary(name, &bytes, synced) {
            tracing::warn!(segment = super::segment_path(name), ?error, "cannot write a summary");
        }
    }
}

fn hand_over(
    topic_partition: TopicPartition,
    log: RecoveredLog,
    left: Vec<JournaledSegment>,
    shard_of: &dyn Fn(TopicPartition) -> ShardId,
    recovered: &mut [RecoveredShard],
) {
    let shard = usize::from(shard_of(topic_partition).0);
    let kept = recovered.get_mut(shard).expect("shard_of names one of the shards that start");
    kept.logs.insert(topic_partition, log);
    if !left.is_empty() {
        kept.journaled.insert(topic_partition, left);
    }
}
