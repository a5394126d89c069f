//! What a start does before any partition opens: brings the journals' bytes into segments, seals these, ends the journals.
//!
//! Decides what was acknowledged: what the chain of a journal holds, and nothing else. Runs before the shards, one step after
//! the other, on files that nobody else touches. A crash at any step is followed by the same recovery: a journal ends, in one
//! block write, only after all its segments are exact and synced.
//!
//! Memory: one commit, a few words per segment that a journal names, and what the logs know without their indexes.

mod continued;
mod open_logs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use crate::effect::{DiskError, SegmentName};
use crate::journal::Continued;
use crate::journal::format::{EntryHeader, EntryKind, FORMAT_VERSION, FileHeader};
use crate::journal::replay::{
    EntryPlace, LiveFile, ReplayEnd, ReplayError, ReplayFault, ReplayPlan, plan, replay,
};
use crate::limits::BLOCK_BYTES;
use crate::log::{Checkpoint, LogStart, LogStartFault, RecoveredLog, Replayed, ScanError};
use crate::model::{ShardId, TopicPartition};
use crate::mutations::Mutations;
pub use continued::JournaledSegment;
use continued::Left;

/// The files of a data directory before the shards run. Every call has finished when it returns, but for writes, truncations and
/// summaries of segments: these have when `sync_segments`, `segments` or a read of a segment returns; until then any call may tell that one
/// failed.
pub trait RecoveryDisk {
    /// Every journal with the numbers of its files.
    fn journals(&mut self) -> Result<Vec<(ShardId, Vec<u32>)>, DiskError>;
    fn journal_bytes(&mut self, shard: ShardId, file: u32) -> Result<u64, DiskError>;
    fn read_journal(
        &mut self,
        shard: ShardId,
        file: u32,
        position: u64,
        into: &mut [u8],
    ) -> Result<(), DiskError>;
    /// Writes whole blocks over what is there, and syncs. One block is written wholly or not at all.
    fn write_journal(
        &mut self,
        shard: ShardId,
        file: u32,
        position: u64,
        bytes: &[u8],
    ) -> Result<(), DiskError>;
    fn remove_journal(&mut self, shard: ShardId) -> Result<(), DiskError>;
    /// Every segment file with its length.
    fn segments(&mut self) -> Result<Vec<(SegmentName, u64)>, DiskError>;
    fn read_segment(&mut self, segment: SegmentName, position: u64, into: &mut [u8])
    -> Result<(), DiskError>;
    /// Creates the file and its directory if they are not there. Need not be synced.
    fn write_segment(&mut self, segment: SegmentName, position: u64, bytes: &[u8]) -> Result<(), DiskError>;
    fn truncate_segment(&mut self, segment: SegmentName, length: u64) -> Result<(), DiskError>;
    /// Syncs the files, their summaries and the directories that lead to them.
    fn sync_segments(&mut self, segments: &[SegmentName]) -> Result<(), DiskError>;
    /// The `log-start` files of all partitions that have one.
    fn log_starts(&mut self) -> Result<Vec<(TopicPartition, Vec<u8>)>, DiskError>;
    /// Fills `into` with the first bytes of the segment's summary, and says how many there were: fewer only at its end, 0 if there is
    /// none.
    fn read_summary(&mut self, segment: SegmentName, into: &mut [u8]) -> Result<usize, DiskError>;
    /// Puts a summary in the place of one that may be there, as a whole. Unless its bytes are to be synced first, that may wait for
    /// `sync_segments`, and a crash may show any bytes.
    fn write_summary(&mut self, segment: SegmentName, summary: &[u8], synced: bool) -> Result<(), DiskError>;
    fn remove_partition(&mut self, topic_partition: TopicPartition) -> Result<(), DiskError>;
    /// Partitions that an earlier start marked.
    fn damaged(&mut self) -> Result<Vec<TopicPartition>, DiskError>;
    /// Marks the partition, for people and for later starts. Durable, with all that was kept aside for it.
    fn mark_damaged(&mut self, topic_partition: TopicPartition, why: &str) -> Result<(), DiskError>;
    /// Writes bytes that belong to a segment into a file beside it, at the same position.
    fn keep_aside(&mut self, segment: SegmentName, position: u64, bytes: &[u8]) -> Result<(), DiskError>;
}

/// Whether a partition belongs into the directory that is recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Here,
    /// It is assigned to another log dir: what lies here is neither used nor touched.
    Elsewhere,
    /// Its topic is gone: what lies here is removed.
    Nowhere,
}

/// What recovery hands to one shard.
#[derive(Debug, Clone)]
pub struct RecoveredShard {
    pub shard: ShardId,
    /// Files of the ring that are there, with their sizes; nothing in them is needed.
    pub journal_files: Vec<(u32, u64)>,
    /// The first file sequence that this run may use, unless it goes on with a journal.
    pub next_sequence: u64,
    /// The journal to go on with. None: a new one begins.
    pub continued: Option<Continued>,
    /// Segments that are completed from that journal while the broker runs, oldest first.
    pub journaled: BTreeMap<TopicPartition, Vec<JournaledSegment>>,
    pub logs: BTreeMap<TopicPartition, RecoveredLog>,
    /// Partitions that cannot be served, and why. Nothing of theirs may be changed, but by deleting the topic.
    pub offline: BTreeMap<TopicPartition, RecoveryError>,
}

impl RecoveredShard {
    /// A shard that finds nothing.
    #[must_use]
    pub fn empty(shard: ShardId) -> RecoveredShard {
        RecoveredShard {
            shard,
            journal_files: Vec::new(),
            next_sequence: 1,
            continued: None,
            journaled: BTreeMap::new(),
            logs: BTreeMap::new(),
            offline: BTreeMap::new(),
        }
    }
}

/// How far recovery is, for whoever waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecoveryProgress {
    pub journals: u64,
    pub journals_replayed: u64,
    /// Segments that were completed from a journal.
    pub segments_completed: u64,
    /// Segments that will be completed while the broker runs, and their bytes that are in the journal alone.
    pub segments_left: u64,
    pub bytes_left: u64,
    pub bytes_replayed: u64,
    pub segments: u64,
    /// Segments that had no good summary.
    pub segments_scanned: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryFault {
    Disk(DiskError),
    Journal(ReplayFault),
    /// The journal holds later bytes of the segment, but not these.
    Hole {
        until: u64,
    },
    /// The file is shorter than what the journal says is in it.
    ShortSegment {
        recorded: u64,
    },
    /// The file has another length than the journal recorded when it was sealed.
    SealedLength {
        recorded: u64,
        found: u64,
    },
    Scan(ScanError),
    LogStart(LogStartFault),
    /// A newer binary wrote this file.
    NewerVersion(u32),
    /// An earlier start found damage, and said so in this file.
    MarkedDamaged,
}

/// Why a partition is offline, or a start was given up. Nothing was shortened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryError {
    /// Below the data directory.
    pub file: String,
    pub position: u64,
    pub fault: RecoveryFault,
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at byte {}: ", self.file, self.position)?;
        match &self.fault {
            RecoveryFault::Disk(error) => {
                write!(out, "{} failed with errno {}", error.operation, error.errno)
            }
            RecoveryFault::Journal(fault) => fault.fmt(out),
            RecoveryFault::Hole { until } => write!(out, "the journal lacks the bytes up to {until}"),
            RecoveryFault::ShortSegment { recorded } => {
                write!(out, "the journal recorded {recorded} bytes, the file ends before")
            }
            RecoveryFault::SealedLength { recorded, found } => {
                write!(out, "sealed with {recorded} bytes, the file has {found}")
            }
            RecoveryFault::Scan(error) => error.fmt(out),
            RecoveryFault::LogStart(fault) => write!(out, "no log start: {fault:?}"),
            RecoveryFault::NewerVersion(version) => {
                write!(out, "version {version} was written by a newer binary: start that one")
            }
            RecoveryFault::MarkedDamaged => write!(
                out,
                "an earlier start found damage; this file says what. Restore the partition's files, then remove it"
            ),
        }
    }
}

impl std::error::Error for RecoveryError {}

/// A replay error before its journal is named.
enum Stop {
    Replay(ReplayError),
    Recovery(RecoveryError),
}

impl From<ReplayError> for Stop {
    fn from(error: ReplayError) -> Stop {
        Stop::Replay(error)
    }
}

fn segment_path(name: SegmentName) -> String {
    format!("{}/{:020}.log", name.topic_partition, name.base_offset.0)
}

fn segment_error(name: SegmentName, position: u64, fault: RecoveryFault) -> RecoveryError {
    RecoveryError { file: segment_path(name), position, fault }
}

fn journal_error(shard: ShardId, error: ReplayError) -> RecoveryError {
    let file = format!("journal/{shard}/{}.journal", error.file);
    let fault = match error.fault {
        ReplayFault::Disk(error) => RecoveryFault::Disk(error),
        fault => RecoveryFault::Journal(fault),
    };
    RecoveryError { file, position: error.position, fault }
}

fn directory_error(file: &str) -> impl Fn(DiskError) -> RecoveryError + '_ {
    move |error| RecoveryError { file: file.to_owned(), position: 0, fault: RecoveryFault::Disk(error) }
}

/// Recovers a data directory for `shards` shards, whatever their number was before. `keep`: does the
/// partition exist, and is this its place?
///
/// Invariants: nothing that was acknowledged is lost; may be repeated after a crash at any step. What a crash cannot explain in one
///             partition takes that partition offline, and nothing of it is changed.
/// Errors: damage to a journal, or a disk that fails, with file and position. No log of the directory can then be served.
pub fn recover(
    disk: &mut dyn RecoveryDisk,
    directory_id: [u8; 16],
    shards: u16,
    keep: &dyn Fn(TopicPartition) -> Keep,
    shard_of: &dyn Fn(TopicPartition) -> ShardId,
    progress: &mut dyn FnMut(RecoveryProgress),
) -> Result<Vec<RecoveredShard>, RecoveryError> {
    recover_with(disk, directory_id, shards, keep, shard_of, progress, Mutations::default())
}

/// `recover` with rules switched off, for tests of tests.
pub fn recover_with(
    disk: &mut dyn RecoveryDisk,
    directory_id: [u8; 16],
    shards: u16,
    keep: &dyn Fn(TopicPartition) -> Keep,
    shard_of: &dyn Fn(TopicPartition) -> ShardId,
    progress: &mut dyn FnMut(RecoveryProgress),
    mutations: Mutations,
) -> Result<Vec<RecoveredShard>, RecoveryError> {
    let mut recovery = Recovery {
        disk,
        directory_id,
        keep,
        progress,
        so_far: RecoveryProgress::default(),
        lengths: BTreeMap::new(),
        log_starts: BTreeMap::new(),
        replayed: BTreeMap::new(),
        left: BTreeMap::new(),
        completed: Vec::new(),
        offline: BTreeMap::new(),
        mutations,
    };
    recovery.list_segments()?;
    let mut recovered: Vec<RecoveredShard> =
        (0..shards).map(|shard| RecoveredShard::empty(ShardId(shard))).collect();
    let mut journals = recovery.journals(shards, shard_of)?;
    recovery.open_logs(shard_of, &mut journals, &mut recovered)?;
    recovery.sync_completed()?;
    recovery.end_journals(journals, &mut recovered)?;
    for (topic_partition, why) in recovery.offline {
        let shard = usize::from(shard_of(topic_partition).0);
        let owner = recovered.get_mut(shard).expect("shard_of names one of the shards that start");
        owner.offline.insert(topic_partition, why);
    }
    Ok(recovered)
}

struct Recovery<'a> {
    disk: &'a mut dyn RecoveryDisk,
    directory_id: [u8; 16],
    keep: &'a dyn Fn(TopicPartition) -> Keep,
    progress: &'a mut dyn FnMut(RecoveryProgress),
    so_far: RecoveryProgress,
    /// Of the segment files of partitions that exist.
    lengths: BTreeMap<SegmentName, u64>,
    log_starts: BTreeMap<TopicPartition, LogStart>,
    /// What the journals told of the segments that they completed. Not of those that have to be read.
    replayed: BTreeMap<SegmentName, Replayed>,
    /// What is left to do for segments of journals that are gone on with.
    left: BTreeMap<SegmentName, Left>,
    /// The segments that the journals completed: exact, not yet synced.
    completed: Vec<SegmentName>,
    offline: BTreeMap<TopicPartition, RecoveryError>,
    mutations: Mutations,
}

/// A journal whose entries are in segments, or that is gone on with.
struct FoundJournal {
    shard: ShardId,
    files: Vec<(u32, u64)>,
    plan: ReplayPlan,
    continued: Option<Continued>,
}

/// What a journal says of one segment.
#[derive(Debug, Default)]
struct Found {
    sealed: Option<u64>,
    /// The length that it had before a compaction, which may not have come to its end.
    sealed_before: Option<u64>,
    /// [0, end) is in the file.
    end: u64,
    known: Known,
    /// Where the journal's Data stands in the segment: ascending, disjoint, not adjacent.
    held: Vec<(u64, u64)>,
}

/// From where a journal tells of every batch of a segment.
#[derive(Debug, Default)]
enum Known {
    #[default]
    FromItsBeginning,
    From(Box<Checkpoint>),
    /// The segment must be read.
    Nowhere,
}

impl Found {
    fn on_entry(&mut self, entry: &EntryHeader, bytes: &[u8]) {
        match entry.kind {
            EntryKind::Data => self.hold(entry.position, entry.position + u64::from(entry.length)),
            EntryKind::SegmentEnd => {
                self.end = self.end.max(entry.position);
                self.known = match Checkpoint::decode(bytes) {
                    Ok(checkpoint) => Known::From(Box::new(checkpoint)),
                    Err(_) => Known::Nowhere,
                };
            }
            EntryKind::Sealed => {
                self.sealed = Some(entry.position);
                self.sealed_before = bytes.first_chunk().map(|before| u64::from_le_bytes(*before));
            }
        }
    }

    /// What is known before the first batch behind the checkpoint. None: the segment must be read.
    fn replayed(&self, name: &SegmentName) -> Option<Replayed> {
        let checkpoint = match &self.known {
            Known::FromItsBeginning => None,
            Known::From(checkpoint) => Some(&**checkpoint),
            Known::Nowhere => return None,
        };
        let replayed = Replayed::new(name.base_offset, checkpoint);
        if replayed.is_err() {
            tracing::warn!(segment = segment_path(*name), "the journal's checkpoint of it cannot be read");
        }
        replayed.ok()
    }

    fn hold(&mut self, from: u64, to: u64) {
        if from == to {
            return;
        }
        let start = self.held.partition_point(|(_, end)| *end < from);
        let stop = self.held.partition_point(|(begin, _)| *begin <= to);
        let merged =
            self.held[start..stop].iter().fold((from, to), |all, one| (all.0.min(one.0), all.1.max(one.1)));
        self.held.splice(start..stop, [merged]);
    }

    fn length(&self) -> u64 {
        self.held.last().map_or(self.end, |(_, to)| self.end.max(*to))
    }

    /// The bytes that neither the file nor the journal has.
    fn hole(&self) -> Option<(u64, u64)> {
        let (from, _) =
            self.held.iter().copied().find(|(_, to)| *to >= self.end.max(1)).unwrap_or((self.end, 0));
        if from > self.end {
            return Some((self.end, from));
        }
        let beyond: Vec<_> = self.held.iter().filter(|(_, to)| *to > self.end).collect();
        beyond.windows(2).map(|pair| (pair[0].1, pair[1].0)).next()
    }
}

impl Recovery<'_> {
    fn list_segments(&mut self) -> Result<(), RecoveryError> {
        let all = self.disk.segments().map_err(directory_error("."))?;
        let mut gone = BTreeSet::new();
        let mut elsewhere = BTreeSet::new();
        for (name, length) in all {
            match (self.keep)(name.topic_partition) {
                Keep::Here => drop(self.lengths.insert(name, length)),
                Keep::Nowhere => drop(gone.insert(name.topic_partition)),
                Keep::Elsewhere => drop(elsewhere.insert(name.topic_partition)),
            }
        }
        for (topic_partition, bytes) in self.disk.log_starts().map_err(directory_error("."))? {
            match (self.keep)(topic_partition) {
                Keep::Here if self.mutations.ignore_log_start() => {}
                Keep::Here => self.take_log_start(topic_partition, &bytes)?,
                Keep::Nowhere => drop(gone.insert(topic_partition)),
                Keep::Elsewhere => drop(elsewhere.insert(topic_partition)),
            }
        }
        for topic_partition in elsewhere {
            tracing::warn!(
                %topic_partition,
                "a partition that is assigned to another log dir has files here, too: they are left alone and not used"
            );
        }
        for topic_partition in gone {
            let removed = self.disk.remove_partition(topic_partition);
            removed.map_err(directory_error(&topic_partition.to_string()))?;
        }
        for topic_partition in self.disk.damaged().map_err(directory_error("."))? {
            if (self.keep)(topic_partition) == Keep::Elsewhere {
                continue;
            }
            if (self.keep)(topic_partition) == Keep::Nowhere {
                let removed = self.disk.remove_partition(topic_partition);
                removed.map_err(directory_error(&topic_partition.to_string()))?;
                continue;
            }
            let file = format!("{topic_partition}/damaged");
            let why = RecoveryError { file, position: 0, fault: RecoveryFault::MarkedDamaged };
            self.offline.insert(topic_partition, why);
        }
        Ok(())
    }

    fn take_log_start(&mut self, of: TopicPartition, bytes: &[u8]) -> Result<(), RecoveryError> {
        let file = format!("{of}/log-start");
        match LogStart::decode(bytes) {
            Ok(log_start) => drop(self.log_starts.insert(of, log_start)),
            Err(LogStartFault::NewerVersion(version)) => {
                let fault = RecoveryFault::NewerVersion(version);
                return Err(RecoveryError { file, position: 8, fault });
            }
            Err(fault) => {
                let fault = RecoveryFault::LogStart(fault);
                self.offline.insert(of, RecoveryError { file, position: 0, fault });
            }
        }
        Ok(())
    }

    /// Brings what all journals hold into segments, unless that can wait.
    fn journals(
        &mut self,
        shards: u16,
        owner: &dyn Fn(TopicPartition) -> ShardId,
    ) -> Result<Vec<FoundJournal>, RecoveryError> {
        let mut journals = self.disk.journals().map_err(directory_error("journal"))?;
        journals.sort();
        self.so_far.journals = journals.len() as u64;
        let mut replayed = Vec::with_capacity(journals.len());
        for (index, (shard, numbers)) in journals.into_iter().enumerate() {
            let path = format!("journal/{shard}");
            let mut files = Vec::with_capacity(numbers.len());
            for number in numbers {
                let bytes = self.disk.journal_bytes(shard, number).map_err(directory_error(&path))?;
                files.push((number, bytes));
            }
            files.sort_unstable();
            let (disk, directory_id, mutations) = (&mut *self.disk, self.directory_id, self.mutations);
            let mut read = |file, position, into: &mut [u8]| disk.read_journal(shard, file, position, into);
            let plan = plan(shard, directory_id, &files, &mut read, mutations)
                .map_err(|error| journal_error(shard, error))?;
            if !mutations.replay_unsynced_journal() {
                self.make_sure(shard, &plan).map_err(directory_error(&path))?;
            }
            let mut continued = None;
            if shard.0 < shards {
                continued = self.maybe_go_on(shard, &plan, &files, owner)?;
            }
            if continued.is_none() && (index == 0 || !mutations.replay_stops_at_first_journal()) {
                self.replay_journal(shard, &plan)?;
            }
            replayed.push(FoundJournal { shard, files, plan, continued });
            self.so_far.journals_replayed += 1;
            (self.progress)(self.so_far);
        }
        Ok(replayed)
    }

    /// Nothing may follow from what a power cut could still take away. The process may have been killed before a sync, or have ended
    /// since one failed: then no other sync helps, but writing the same bytes once more.
    fn make_sure(&mut self, shard: ShardId, plan: &ReplayPlan) -> Result<(), DiskError> {
        let Some(newest) = plan.live.last() else { return Ok(()) };
        let Range { start, end } = plan.unsure;
        let length = usize::try_from(end - start).expect("a few commits fit memory");
        let mut bytes = vec![0; length.max(BLOCK_BYTES as usize)];
        self.disk.read_journal(shard, newest.number, start, &mut bytes)?;
        self.disk.write_journal(shard, newest.number, start, &bytes)
    }

    /// Makes durable what the journals completed, with its summaries.
    fn sync_completed(&mut self) -> Result<(), RecoveryError> {
        let completed = std::mem::take(&mut self.completed);
        let synced = self.disk.sync_segments(&completed);
        synced.map_err(|error| match completed.first() {
            Some(first) => segment_error(*first, 0, RecoveryFault::Disk(error)),
            None => directory_error(".")(error),
        })
    }

    /// All that the journals held is exact and synced elsewhere: they begin anew, but for those that are gone on with.
    fn end_journals(
        &mut self,
        journals: Vec<FoundJournal>,
        recovered: &mut [RecoveredShard],
    ) -> Result<(), RecoveryError> {
        for FoundJournal { shard, mut files, plan, continued } in journals {
            if continued.is_some() {
                files.retain(|(number, _)| !plan.live.iter().any(|live| live.number == *number));
                let kept = &mut recovered[usize::from(shard.0)];
                (kept.journal_files, kept.continued) = (files, continued);
                continue;
            }
            let path = format!("journal/{shard}");
            let next_sequence = self.end_journal(shard, &plan, &files).map_err(directory_error(&path))?;
            match recovered.get_mut(usize::from(shard.0)) {
                Some(kept) => {
                    kept.journal_files = files;
                    kept.next_sequence = next_sequence;
                }
                None => self.disk.remove_journal(shard).map_err(directory_error(&path))?,
            }
        }
        Ok(())
    }

    /// Two walks: the first finds out what there is of each segment, the second writes it. So no entry is kept in memory.
    fn replay_journal(&mut self, shard: ShardId, plan: &ReplayPlan) -> Result<(), RecoveryError> {
        let mut found: BTreeMap<SegmentName, Found> = BTreeMap::new();
        let keep = self.keep;
        self.walk(shard, plan, &mut |_, name, _, entry, bytes| {
            if keep(name.topic_partition) == Keep::Here {
                found.entry(name).or_default().on_entry(entry, bytes);
            }
            Ok(())
        })?;
        let mut newly_offline = BTreeMap::new();
        for (name, segment) in &found {
            let why = match self.offline.get(&name.topic_partition) {
                None => self.check(*name, segment).err(),
                // No journal has heard of it yet.
                Some(why) => Some(why.clone()).filter(|why| matches!(why.fault, RecoveryFault::LogStart(_))),
            };
            if let Some(why) = why {
                newly_offline.entry(name.topic_partition).or_insert(why);
            }
        }
        self.offline.extend(newly_offline.iter().map(|(of, why)| (*of, why.clone())));
        found.retain(|_, segment| segment.sealed.is_none());
        self.write_found(shard, plan, &found)?;
        // The journal is about to end: from then on only the mark tells that bytes are missing.
        for (topic_partition, why) in newly_offline {
            let marked = self.disk.mark_damaged(topic_partition, &why.to_string());
            marked.map_err(directory_error(&topic_partition.to_string()))?;
        }
        for (name, segment) in &found {
            if !self.offline.contains_key(&name.topic_partition) {
                self.cut(*name, segment.length())?;
            }
        }
        Ok(())
    }

    /// Brings what the journal holds into segments, and notes what it tells of them.
    fn write_found(
        &mut self,
        shard: ShardId,
        plan: &ReplayPlan,
        found: &BTreeMap<SegmentName, Found>,
    ) -> Result<(), RecoveryError> {
        let Recovery { disk, progress, so_far, replayed, offline, mutations, .. } = self;
        let mutations = *mutations;
        if plan.live.iter().all(|file| file.header.has_checkpoints()) {
            let told = found.iter().filter_map(|(name, segment)| Some((*name, segment.replayed(name)?)));
            replayed.extend(told);
        }
        walk(&mut **disk, mutations, shard, plan, &mut |disk, name, _, entry, bytes| {
            let Some(segment) = found.get(&name).filter(|_| entry.kind == EntryKind::Data) else {
                return Ok(());
            };
            let failed = |position| move |error| segment_error(name, position, RecoveryFault::Disk(error));
            if offline.contains_key(&name.topic_partition) {
                return disk.keep_aside(name, entry.position, bytes).map_err(failed(entry.position));
            }
            let told = replayed.get_mut(&name).filter(|_| !mutations.ignore_batches_after_checkpoint());
            if let Some(Err(fault)) = told.map(|told| told.on_data(entry.position, bytes)) {
                tracing::warn!(segment = segment_path(name), ?fault, "the journal does not tell all of it");
                replayed.remove(&name);
            }
            let skip = segment.end.saturating_sub(entry.position);
            let Some(rest) = usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)) else {
                return Ok(());
            };
            so_far.bytes_replayed += rest.len() as u64;
            progress(*so_far);
            let at = entry.position + skip;
            disk.write_segment(name, at, rest).map_err(failed(at))
        })
        .map(drop)
    }

    fn walk(
        &mut self,
        shard: ShardId,
        plan: &ReplayPlan,
        visit: &mut VisitSegment<'_>,
    ) -> Result<Option<ReplayEnd>, RecoveryError> {
        walk(self.disk, self.mutations, shard, plan, visit)
    }

    fn check(&self, name: SegmentName, segment: &Found) -> Result<(), RecoveryError> {
        let length = self.lengths.get(&name).copied();
        if let Some(recorded) = segment.sealed {
            // None: a sealed segment may have been deleted since.
            let is_wrong = |found: &u64| *found != recorded && Some(*found) != segment.sealed_before;
            return match length.filter(is_wrong) {
                Some(found) => {
                    Err(segment_error(name, recorded, RecoveryFault::SealedLength { recorded, found }))
                }
                None => Ok(()),
            };
        }
        if length.unwrap_or(0) < segment.end {
            let fault = RecoveryFault::ShortSegment { recorded: segment.end };
            return Err(segment_error(name, length.unwrap_or(0), fault));
        }
        match segment.hole() {
            Some((from, until)) => Err(segment_error(name, from, RecoveryFault::Hole { until })),
            None => Ok(()),
        }
    }

    /// Makes the segment exact.
    fn cut(&mut self, name: SegmentName, length: u64) -> Result<(), RecoveryError> {
        let fail = |error| segment_error(name, length, RecoveryFault::Disk(error));
        let longer = self.lengths.get(&name).copied().unwrap_or(0).max(length);
        let length = if self.mutations.trust_scanned_end() { longer } else { length };
        self.disk.truncate_segment(name, length).map_err(fail)?;
        self.completed.push(name);
        self.lengths.insert(name, length);
        self.so_far.segments_completed += 1;
        (self.progress)(self.so_far);
        Ok(())
    }

    /// Writes the header of a file that holds nothing and says that all others are dead; then clears theirs, so that no
    /// damage to this one brings them back. Returns the first sequence that is free.
    fn end_journal(
        &mut self,
        shard: ShardId,
        plan: &ReplayPlan,
        files: &[(u32, u64)],
    ) -> Result<u64, DiskError> {
        let is_live = |number: u32| plan.live.iter().any(|live| live.number == number);
        let free = files.iter().find(|(number, bytes)| !is_live(*number) && *bytes >= BLOCK_BYTES);
        let oldest = plan.live.first().map(|&LiveFile { number, bytes, .. }| (number, bytes));
        let Some((last, _)) = free.copied().or(oldest) else { return Ok(plan.next_sequence) };
        let header = FileHeader {
            version: FORMAT_VERSION,
            file_sequence: plan.next_sequence,
            oldest_live_sequence: plan.next_sequence,
            first_commit: 1,
            chain: 0,
            shard,
            directory_id: self.directory_id,
        };
        let mut block = vec![0; BLOCK_BYTES as usize];
        let encoded = header.encode();
        block[..encoded.len()].copy_from_slice(&encoded);
        self.disk.write_journal(shard, last, 0, &block)?;
        block.fill(0);
        for &(number, _) in files.iter().filter(|(number, bytes)| *number != last && *bytes >= BLOCK_BYTES) {
            self.disk.write_journal(shard, number, 0, &block)?;
        }
        Ok(plan.next_sequence.saturating_add(1))
    }
}

type VisitSegment<'a> = dyn FnMut(&mut dyn RecoveryDisk, SegmentName, EntryPlace, &EntryHeader, &[u8]) -> Result<(), RecoveryError>
    + 'a;

/// Every entry of a journal, with the segment that it names.
fn walk(
    disk: &mut dyn RecoveryDisk,
    mutations: Mutations,
    shard: ShardId,
    plan: &ReplayPlan,
    visit: &mut VisitSegment<'_>,
) -> Result<Option<ReplayEnd>, RecoveryError> {
    let disk = std::cell::RefCell::new(disk);
    let mut read =
        |file, position, into: &mut [u8]| disk.borrow_mut().read_journal(shard, file, position, into);
    let mut each = |place: EntryPlace, entry: &EntryHeader, bytes: &[u8]| {
        let name = SegmentName { topic_partition: entry.topic_partition, base_offset: entry.base_offset };
        visit(&mut **disk.borrow_mut(), name, place, entry, bytes).map_err(Stop::Recovery)
    };
    replay::<Stop>(plan, &mut read, mutations, &mut each).map_err(|stop| match stop {
        Stop::Replay(error) => journal_error(shard, error),
        Stop::Recovery(error) => error,
    })
}
