//! A journal that a start goes on with: its bytes are brought into segments while the broker serves, and not before.
//!
//! Decides whether that can be done, and what is left to do for each segment. It can if all that the journal holds is of the shard that
//! will go on with it, explains itself without a look at a segment, and leaves room: a block for the commit of the start, and what it takes
//! to release the oldest file. Else the bytes are written before anything is served, and the journal begins anew (`recovery.rs`): so it is after a start
//! with another number of shards.
//!
//! Memory: 12 bytes for each batch that is in the journal alone.

use std::collections::BTreeMap;

use super::{Found, FoundJournal, Keep, Recovery, RecoveryError, RecoveryFault, SegmentName, segment_error};
use crate::effect::{DiskError, JournalPiece};
use crate::journal::format::{CommitHeader, EntryHeader, EntryKind, FORMAT_VERSION};
use crate::journal::replay::{EntryPlace, LiveFile, ReplayEnd, ReplayPlan};
use crate::journal::{Continued, ContinuedFile, FULL_SIZE_FILES, RING_FILE_BYTES_MIN, encode_commit};
use crate::limits::BLOCK_BYTES;
use crate::log::{RecoveredLog, Replayed};
use crate::model::{Offset, ShardId, TopicPartition};
use crate::storage::release_bytes_max;
use crate::storage::restore::commits_max;

/// A segment that an earlier run left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournaledSegment {
    pub base_offset: Offset,
    /// [0, written) is in the file, synced.
    pub written: u64,
    pub length: u64,
    /// [written, length), in order.
    pub pieces: Vec<JournalPiece>,
    /// (sequence of a live file that has an entry of it, the end of its bytes there), oldest first.
    pub residence: Vec<(u64, u64)>,
}

/// A journaled segment, and whose journal that is.
#[derive(Debug)]
pub(super) struct Left {
    shard: ShardId,
    segment: JournaledSegment,
}

/// What one walk finds of one segment.
#[derive(Debug, Default)]
struct Tracked {
    found: Found,
    /// By position in the segment, in the order of the journal.
    pieces: Vec<(u64, JournalPiece)>,
    residence: Vec<(u64, u64)>,
}

type TrackedSegments = BTreeMap<SegmentName, Tracked>;

/// The journal cannot be gone on with, for a reason that whoever writes its bytes will meet again, or need not know.
struct Unfit;

impl Tracked {
    fn on_entry(&mut self, place: EntryPlace, entry: &EntryHeader, bytes: &[u8]) -> Result<(), Unfit> {
        self.found.on_entry(entry, bytes);
        let is_data = entry.kind == EntryKind::Data;
        if self.found.sealed.is_some() {
            self.pieces = Vec::new();
            return Ok(());
        }
        let end = if is_data { entry.position + u64::from(entry.length) } else { 0 };
        match self.residence.last_mut().filter(|(sequence, _)| *sequence == place.sequence) {
            Some((_, known)) => *known = end.max(*known),
            None => self.residence.push((place.sequence, end)),
        }
        if is_data && entry.length > 0 {
            let position = u32::try_from(place.position).map_err(|_| Unfit)?;
            let piece = JournalPiece { file: place.file, position, length: entry.length };
            self.pieces.push((entry.position, piece));
        }
        Ok(())
    }

    /// Each byte from what is in the file to the end, once.
    fn into_segment(mut self, base_offset: Offset) -> Result<JournaledSegment, Unfit> {
        self.pieces.sort_by_key(|(position, _)| *position);
        let (written, length) = (self.found.end, self.found.length());
        let mut pieces = Vec::new();
        let mut at = written;
        for (position, piece) in self.pieces {
            let end = position + u64::from(piece.length);
            if end <= at {
                continue;
            }
            let skip = at.checked_sub(position).and_then(|skip| u32::try_from(skip).ok()).ok_or(Unfit)?;
            let (from, left) = (piece.position + skip, piece.length - skip);
            pieces.push(JournalPiece { position: from, length: left, ..piece });
            at = end;
        }
        if at != length {
            return Err(Unfit);
        }
        pieces.shrink_to_fit();
        Ok(JournaledSegment { base_offset, written, length, pieces, residence: self.residence })
    }
}

impl Recovery<'_> {
    /// Notes what is left to do for each segment. None: it is to be brought into segments now.
    ///
    /// Errors: of the disk. Damage of any kind is left to be found by who writes the bytes.
    pub(super) fn maybe_go_on(
        &mut self,
        shard: ShardId,
        plan: &ReplayPlan,
        files: &[(u32, u64)],
        owner: &dyn Fn(TopicPartition) -> ShardId,
    ) -> Result<Option<Continued>, RecoveryError> {
        // What is appended to a file must not be newer than it says.
        let is_of_this_version = |file: &LiveFile| file.header.version == FORMAT_VERSION;
        if !plan.live.iter().all(is_of_this_version) || self.mutations.replay_stops_at_first_journal() {
            return Ok(None);
        }
        let Ok(Some((end, tracked))) = self.track(shard, plan, owner) else { return Ok(None) };
        let live: Vec<(u32, u64)> = plan.live.iter().map(|file| (file.number, file.bytes)).collect();
        if room(files, &live, end.used) < room_needed(&tracked) {
            return Ok(None);
        }
        let Ok(replayed) = self.tell(shard, plan, &tracked) else { return Ok(None) };
        let mut left = BTreeMap::new();
        for (name, tracked) in tracked {
            let Ok(segment) = tracked.into_segment(name.base_offset) else { return Ok(None) };
            left.insert(name, Left { shard, segment });
        }
        let path = format!("journal/{shard}");
        let begun = self.begin_start(shard, plan, end).map_err(super::directory_error(&path))?;
        let Some(end) = begun else { return Ok(None) };
        for (name, Left { segment, .. }) in &left {
            let longer = self.lengths.get(name).copied().unwrap_or(0).max(segment.length);
            let length = if self.mutations.trust_scanned_end() { longer } else { segment.length };
            self.lengths.insert(*name, length);
            self.so_far.segments_left += 1;
            self.so_far.bytes_left += segment.length - segment.written;
        }
        self.replayed.extend(replayed);
        self.left.extend(left);
        let newest = plan.live.len() - 1;
        let live = plan.live.iter().enumerate().map(|(index, file)| ContinuedFile {
            number: file.number,
            bytes: file.bytes,
            sequence: file.header.file_sequence,
            used: if index == newest { end.used } else { file.bytes },
        });
        Ok(Some(Continued { live: live.collect(), next_commit: end.commit, chain: end.chain }))
    }

    /// Every segment that is not sealed. None: there is none, or not all is as it should be.
    fn track(
        &mut self,
        shard: ShardId,
        plan: &ReplayPlan,
        owner: &dyn Fn(TopicPartition) -> ShardId,
    ) -> Result<Option<(ReplayEnd, TrackedSegments)>, RecoveryError> {
        let mut tracked = TrackedSegments::new();
        let (keep, mut is_fit) = (self.keep, true);
        let end = self.walk(shard, plan, &mut |_, name, place, entry, bytes| {
            if keep(name.topic_partition) == Keep::Here {
                is_fit &= owner(name.topic_partition) == shard;
                is_fit &= tracked.entry(name).or_default().on_entry(place, entry, bytes).is_ok();
            }
            Ok(())
        })?;
        let is_whole = |(name, tracked): (&SegmentName, &Tracked)| {
            !self.offline.contains_key(&name.topic_partition) && self.check(*name, &tracked.found).is_ok()
        };
        is_fit &= tracked.iter().all(is_whole);
        tracked.retain(|_, tracked| tracked.found.sealed.is_none());
        Ok(end.filter(|_| is_fit && !tracked.is_empty()).map(|end| (end, tracked)))
    }

    /// What the journal tells of their batches.
    fn tell(
        &mut self,
        shard: ShardId,
        plan: &ReplayPlan,
        tracked: &TrackedSegments,
    ) -> Result<BTreeMap<SegmentName, Replayed>, Unfit> {
        let told = tracked.iter().map(|(name, tracked)| Some((*name, tracked.found.replayed(name)?)));
        let mut replayed = told.collect::<Option<BTreeMap<SegmentName, Replayed>>>().ok_or(Unfit)?;
        let ignores = self.mutations.ignore_batches_after_checkpoint();
        let mut is_told = true;
        let walked = self.walk(shard, plan, &mut |_, name, _, entry, bytes| {
            if entry.kind == EntryKind::Data
                && !ignores
                && let Some(replayed) = replayed.get_mut(&name)
            {
                is_told &= replayed.on_data(entry.position, bytes).is_ok();
            }
            Ok(())
        });
        if walked.is_err() || !is_told {
            return Err(Unfit);
        }
        Ok(replayed)
    }

    /// Writes a commit that no run of the broker can have written before, and syncs it before any other is issued. The last run may have had
    /// commits at the device of which a later one got there whole and an earlier one did not: were the next commit to have the very
    /// bytes of the lost one, the one behind it would line up again, though it was never acknowledged.
    ///
    /// None: there is no room for it.
    fn begin_start(
        &mut self,
        shard: ShardId,
        plan: &ReplayPlan,
        end: ReplayEnd,
    ) -> Result<Option<ReplayEnd>, DiskError> {
        let (Some(oldest), Some(newest)) = (plan.live.first(), plan.live.last()) else { return Ok(None) };
        let header = CommitHeader {
            crc: 0,
            file_sequence: newest.header.file_sequence,
            commit: end.commit,
            chain: end.chain,
            body_bytes: 0,
            entries: 0,
            starts: true,
            oldest_live_sequence: oldest.header.file_sequence,
        };
        let used = end.used + header.commit_bytes();
        if used > newest.bytes {
            return Ok(None);
        }
        let encoded = encode_commit(None, &header, &[]);
        let mut bytes = encoded.pieces.concat();
        bytes.resize(BLOCK_BYTES as usize, 0);
        self.disk.write_journal(shard, newest.number, end.used, &bytes)?;
        Ok(Some(ReplayEnd { commit: end.commit + 1, chain: encoded.crc, used }))
    }

    /// What is left to do for the log that was just opened. A segment below its start is completed now: it is to go, and the log
    /// knows no more of it.
    pub(super) fn take_left(
        &mut self,
        of: TopicPartition,
        log: &RecoveredLog,
    ) -> Result<Vec<JournaledSegment>, RecoveryError> {
        let from = SegmentName { topic_partition: of, base_offset: Offset::ZERO };
        let of_it = self.left.range(from..).map(|(name, _)| *name);
        let names: Vec<SegmentName> = of_it.take_while(|name| name.topic_partition == of).collect();
        let mut left = Vec::with_capacity(names.len());
        for name in names {
            let is_known = log.segments().iter().any(|segment| segment.base_offset == name.base_offset);
            if !is_known {
                self.restore_now(name)?;
            }
            left.extend(self.left.get(&name).map(|left| left.segment.clone()));
        }
        Ok(left)
    }

    /// Brings a segment's bytes into its file, as if the journal were not gone on with.
    fn restore_now(&mut self, name: SegmentName) -> Result<(), RecoveryError> {
        let Some(Left { shard, segment }) = self.left.get_mut(&name) else { return Ok(()) };
        let written = segment.written;
        let fail = |error| segment_error(name, written, RecoveryFault::Disk(error));
        let mut bytes = Vec::new();
        for JournalPiece { file, position, length } in std::mem::take(&mut segment.pieces) {
            bytes.resize(length as usize, 0);
            self.disk.read_journal(*shard, file, u64::from(position), &mut bytes).map_err(fail)?;
            self.disk.write_segment(name, segment.written, &bytes).map_err(fail)?;
            segment.written += u64::from(length);
        }
        self.disk.truncate_segment(name, segment.length).map_err(fail)?;
        self.completed.push(name);
        self.so_far.segments_completed += 1;
        Ok(())
    }

    /// A log of this journal could not be opened: what the ring would use again must be in files first. So the journal is not gone on
    /// with after all.
    pub(super) fn restore_all(
        &mut self,
        journals: &mut [FoundJournal],
        recovered: &mut [super::RecoveredShard],
    ) -> Result<(), RecoveryError> {
        let names: Vec<SegmentName> = self.left.keys().copied().collect();
        for name in names {
            self.restore_now(name)?;
        }
        self.left.clear();
        journals.iter_mut().for_each(|journal| journal.continued = None);
        for shard in recovered {
            shard.journaled.clear();
            shard.logs.values_mut().for_each(RecoveredLog::complete_journaled);
        }
        Ok(())
    }

    /// What is in the file of a segment that is left to be completed. None: it is not.
    pub(super) fn written_of_left(&self, name: &SegmentName) -> Option<u64> {
        self.left.get(name).map(|left| left.segment.written)
    }
}

/// Where what releases the oldest file can be told: in a free file, or in the newest one, of which so much is used, unless that is the one
/// to be released. `files`: all of the ring, `live`: those of them that hold anything, oldest first.
fn room(files: &[(u32, u64)], live: &[(u32, u64)], used: u64) -> u64 {
    let left = |bytes: u64, used: u64| (bytes / BLOCK_BYTES * BLOCK_BYTES).saturating_sub(used + BLOCK_BYTES);
    // A ring that has grown does not use smaller files again.
    let larger_than = |bytes: u64| files.iter().filter(|(_, other)| *other > bytes).count();
    let is_used = |bytes: u64| bytes >= RING_FILE_BYTES_MIN && larger_than(bytes) < FULL_SIZE_FILES;
    let is_free = |number: u32| live.iter().all(|(of_live, _)| *of_live != number);
    let free = files.iter().filter(|(number, bytes)| is_free(*number) && is_used(*bytes));
    let free = free.map(|(_, bytes)| left(*bytes, 0)).max().unwrap_or(0);
    let newest = live.last().filter(|_| live.len() > 1).map_or(0, |(_, bytes)| left(*bytes, used));
    free.max(newest)
}

/// All of them are sealed before the oldest file is released.
fn room_needed(tracked: &TrackedSegments) -> u64 {
    let bytes = tracked.values().map(|one| one.found.length().saturating_sub(one.found.end)).sum();
    release_bytes_max(0, commits_max(tracked.len(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: u64 = 16 << 20;
    const FULL: u64 = 64 << 20;

    #[test]
    fn the_oldest_file_can_be_released_with_what_is_free_or_left_of_the_newest() {
        let (small, full, used) = ((0, SMALL), |number| (number, FULL), 1 << 20);
        let young = [small, full(1)];
        let grown = [small, full(1), full(2), full(3)];
        let left = FULL - used - BLOCK_BYTES;
        for (files, live, expected) in [
            (&young[..], &[small][..], FULL - BLOCK_BYTES),
            (&young, &[full(1)], SMALL - BLOCK_BYTES),
            (&young, &[small, full(1)], left),
            (&young, &[full(1), small], SMALL - used - BLOCK_BYTES),
            (&young[..1], &[small], 0),
            (&grown, &[full(1), full(2)], FULL - BLOCK_BYTES),
            (&grown, &[full(1), full(2), full(3)], left),
            // One that is too small is not used again.
            (&grown[..3], &[full(1)], FULL - BLOCK_BYTES),
            (&[full(1)], &[full(1)], 0),
            // The power went while it was being prepared.
            (&[full(1), (2, RING_FILE_BYTES_MIN - 1)], &[full(1)], 0),
            (&[full(1), (2, RING_FILE_BYTES_MIN + 1)], &[full(1)], RING_FILE_BYTES_MIN - BLOCK_BYTES),
            // What was large enough for the ring before its maximum was lowered, and is again.
            (
                &[(4, 2 * FULL), full(1), full(2), full(3), small],
                &[full(1), full(2), full(3), (4, 2 * FULL)],
                2 * FULL - used - BLOCK_BYTES,
            ),
            (
                &[(4, 2 * FULL), full(1), full(2), small],
                &[full(1), full(2), (4, 2 * FULL)],
                2 * FULL - used - BLOCK_BYTES,
            ),
            (&[(4, 2 * FULL), full(1), full(2), small], &[(4, 2 * FULL), full(1), full(2)], left),
        ] {
            assert_eq!(room(files, live, used), expected, "{live:?} of {files:?}");
        }
        assert_eq!(
            room(&grown, &[full(1), full(2), full(3)], FULL),
            0,
            "the newest is full, the small one is out of use"
        );
    }

    #[test]
    fn each_few_segments_need_a_commit() {
        let tracked = |count| -> TrackedSegments {
            let name = |partition| SegmentName {
                topic_partition: TopicPartition {
                    topic_id: crate::model::TopicId([1; 16]),
                    partition: crate::model::PartitionIndex(partition),
                },
                base_offset: Offset::ZERO,
            };
            (0..count).map(|partition| (name(partition), Tracked::default())).collect()
        };
        let needed = |count| room_needed(&tracked(count));
        assert_eq!(needed(8) - needed(0), 2 * BLOCK_BYTES);
        assert_eq!(needed(9), needed(16));
        assert!(needed(10_000) < SMALL, "10,000 partitions go on with the first file of a ring free");
    }
}
