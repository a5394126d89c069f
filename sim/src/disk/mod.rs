//! The disk that lies: files by name, operations that take time, and what is left of both when the power goes.
//!
//! It decides nothing about formats. What a crash may do to one file is `file.rs`; what recovery may ask, and the fuse
//! that ends it, is `recovery.rs`. The disk belongs to the world and survives the broker.

mod compaction;
mod file;
mod operation;
mod recovery;
mod summary;
mod unrecorded;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use penstock::effect::{DiskError, FileId, SegmentName};
use penstock::model::{LogDir, ShardId, TopicPartition};

pub use compaction::CompactionCounters;
pub use file::{BLOCK, Block, Damage, File, Loss};
pub use operation::{Completion, OperationId};
pub use recovery::Fuse;
pub use summary::SummaryCounters;

use crate::random::Random;
use compaction::Compactions;
use operation::Operation;
use summary::Summaries;
use unrecorded::Unrecorded;

/// Stale blocks that are remembered: of unlinked files, and of prepared files before they were filled.
const STALE_BLOCKS_MAX: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    Journal(LogDir, ShardId, u32),
    Segment(LogDir, SegmentName),
}

/// Lies that no disk tells unless it is broken: mutations of the world below the broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskMutations {
    /// A sync returns and has done nothing.
    pub never_sync: bool,
    /// A journal commit is reported when it is written, not when it is synced.
    pub complete_before_sync: bool,
    /// A failed journal sync is reported as success.
    pub ignore_sync_errors: bool,
    /// A log start is reported when it is written, not when it is synced.
    pub log_start_not_synced: bool,
    /// A segment write that begins inside a block has zeros in front of it: not the disk's lie, but the writer's.
    pub forget_last_block: bool,
    /// A seal is answered before its summary is written and synced.
    pub seal_before_summary: bool,
    /// A compacted segment is put in place without a sync of its bytes.
    pub swap_not_synced: bool,
    /// Compaction drops the newest record of each key: the lie of the thread that reads.
    pub compaction_drops_latest: bool,
}

/// How often the disk misbehaves within what a disk may do. Times in a million.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskFaults {
    pub journal_error: u64,
    pub segment_error: u64,
    /// Beside `segment_error`: what a release of a journal file waits for fails.
    pub segment_sync_error: u64,
    pub read_error: u64,
    pub metadata_error: u64,
    /// A summary is not found when an index is loaded.
    pub summary_lost: u64,
    /// An operation that takes up to half a second.
    pub slow: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskCounters {
    pub summaries: SummaryCounters,
    pub commits: u64,
    pub commits_out_of_order: u64,
    pub segment_writes: u64,
    pub segment_syncs: u64,
    pub seals: u64,
    pub reads: u64,
    pub deletes: u64,
    pub journal_files: u64,
    pub metadata_appends: u64,
    pub errors: u64,
    /// Times that it was full, and operations that found no room.
    pub full: u64,
    pub no_room: u64,
    pub damage: Damage,
    pub files_vanished: u64,
    pub files_reappeared: u64,
    pub metadata_torn: u64,
    pub journals_removed: u64,
    pub partitions_removed: u64,
    pub log_starts: u64,
    pub log_starts_lost: u64,
    pub segments_unlinked: u64,
    pub segments_truncated: u64,
    pub compactions: CompactionCounters,
}

/// A `log-start` file: replaced as a whole, so it is the old one or the new one.
#[derive(Debug, Clone, Default)]
struct LogStartFile {
    current: Option<Vec<u8>>,
    durable: Option<Vec<u8>>,
}

/// A segment that the running broker has given a number to.
struct Open {
    name: SegmentName,
    /// Index into `files`; none until the first write creates it.
    file: Option<usize>,
    /// Where the writes that were asked for end.
    end: u64,
}

pub struct Disk {
    random: Random,
    pub faults: DiskFaults,
    pub mutations: DiskMutations,
    pub counters: DiskCounters,
    /// Rules of the border that the broker broke.
    pub violations: Vec<String>,
    /// Orders writes and syncs.
    stamp: u64,
    /// Files are never removed from here: whoever sends from an unlinked one may finish.
    files: Vec<File>,
    names: BTreeMap<FileName, usize>,
    /// Files of segments that are completed from the journal in this life.
    restoring: BTreeSet<FileId>,
    /// Unlinked since the last directory sync: may be back after a crash.
    unlinked: Vec<(FileName, usize)>,
    stale: Vec<(u64, Block)>,
    log_starts: BTreeMap<(LogDir, TopicPartition), LogStartFile>,
    summaries: Summaries,
    compactions: Compactions,
    unrecorded: Unrecorded,
    metadata: Vec<u8>,
    metadata_durable: usize,
    open: BTreeMap<FileId, Open>,
    closed: BTreeSet<FileId>,
    next_operation: u64,
    operations: BTreeMap<OperationId, Operation>,
    /// Appends of metadata are done one after the other.
    metadata_queue: Vec<OperationId>,
    last_commit: BTreeMap<(LogDir, ShardId), u64>,
    fuse: Fuse,
    /// Nothing that takes room succeeds in this log dir.
    full: Option<LogDir>,
    /// The log dir that recovery is about.
    recovers: LogDir,
    /// Partitions that recovery marked.
    damaged: BTreeSet<(LogDir, TopicPartition)>,
    /// Something has just happened that recovery must be able to follow: a good moment for a crash.
    moment: bool,
}

impl Disk {
    #[must_use]
    pub fn new(seed: u64) -> Disk {
        Disk {
            random: Random::stream(seed, "disk"),
            faults: DiskFaults::default(),
            mutations: DiskMutations::default(),
            counters: DiskCounters::default(),
            violations: Vec::new(),
            stamp: 0,
            files: Vec::new(),
            names: BTreeMap::new(),
            unlinked: Vec::new(),
            stale: Vec::new(),
            log_starts: BTreeMap::new(),
            summaries: Summaries::new(seed),
            compactions: Compactions::default(),
            unrecorded: Unrecorded::default(),
            metadata: Vec::new(),
            metadata_durable: 0,
            open: BTreeMap::new(),
            closed: BTreeSet::new(),
            restoring: BTreeSet::new(),
            next_operation: 0,
            operations: BTreeMap::new(),
            metadata_queue: Vec::new(),
            last_commit: BTreeMap::new(),
            fuse: Fuse::default(),
            full: None,
            recovers: LogDir(0),
            damaged: BTreeSet::new(),
            moment: false,
        }
    }

    /// Whether the last stage of an operation was one after which a crash is interesting.
    pub fn take_moment(&mut self) -> bool {
        std::mem::take(&mut self.moment)
    }

    /// Somebody fills a log dir, or makes room. Returns how much is free, for the broker.
    pub fn fill_up(&mut self, dir: LogDir, full: bool) -> u64 {
        self.counters.full += u64::from(full && self.full.is_none());
        self.full = full.then_some(dir);
        if full { 0 } else { u64::MAX / 2 }
    }

    #[must_use]
    pub fn full(&self) -> Option<LogDir> {
        self.full
    }

    /// Recovery works on this log dir from now on.
    pub fn recover_dir(&mut self, dir: LogDir) {
        self.recovers = dir;
    }

    fn stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    fn insert(&mut self, name: FileName, file: File) -> usize {
        self.files.push(file);
        let index = self.files.len() - 1;
        self.names.insert(name, index);
        index
    }

    fn find(&self, name: FileName) -> Option<&File> {
        self.names.get(&name).map(|index| &self.files[*index])
    }

    fn find_mut(&mut self, name: FileName) -> Option<&mut File> {
        self.names.get(&name).map(|index| &mut self.files[*index])
    }

    fn unlink(&mut self, name: FileName) {
        if let Some(index) = self.names.remove(&name) {
            let blocks: Vec<(u64, Block)> =
                self.files[index].blocks().map(|(at, block)| (at, block.clone())).collect();
            for block in blocks.into_iter().take(STALE_BLOCKS_MAX / 4) {
                self.remember_stale(block);
            }
            self.unlinked.push((name, index));
        }
    }

    fn remember_stale(&mut self, block: (u64, Block)) {
        if self.stale.len() < STALE_BLOCKS_MAX {
            self.stale.push(block);
        } else {
            let at = self.random.below(STALE_BLOCKS_MAX as u64) as usize;
            self.stale[at] = block;
        }
    }

    /// A directory was synced. File systems with a journal of metadata commit in order, so all earlier unlinks hold.
    fn synced_directory(&mut self) {
        self.unlinked.clear();
    }

    /// The index of an open segment's file, for a send that may outlive its name.
    #[must_use]
    pub fn lease(&self, file: FileId) -> Option<usize> {
        self.open.get(&file)?.file
    }

    /// Whether this life had the file open and closed it.
    #[must_use]
    pub fn was_closed(&self, file: FileId) -> bool {
        self.closed.contains(&file)
    }

    /// Reads what a send takes from a leased file now.
    #[must_use]
    pub fn read_leased(&self, index: usize, position: u64, length: u64) -> Option<Bytes> {
        let mut bytes = vec![0; length as usize];
        self.files[index].read(position, &mut bytes).then(|| Bytes::from(bytes))
    }

    /// The metadata log as it is, for the start of a broker.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    pub fn cut_metadata(&mut self, length: usize) {
        self.metadata.truncate(length);
        self.metadata_durable = self.metadata_durable.min(length);
    }

    /// Partition directories and journals that are there, as lines for a failure report.
    #[must_use]
    pub fn listing(&self) -> Vec<String> {
        self.names
            .iter()
            .map(|(name, index)| format!("{name:?}: {} bytes", self.files[*index].length()))
            .collect()
    }

    /// The power goes: what is under way happens, or happens in part, or not; then each file takes its damage.
    pub fn crash(&mut self) {
        let operations = std::mem::take(&mut self.operations);
        let mut metadata_ends = false;
        for operation in operations.into_values() {
            // Appends of metadata are done in order: none without those before it.
            let metadata = matches!(operation, Operation::Metadata { .. });
            if self.random.percent(60) && !(metadata && metadata_ends) {
                self.interrupt(operation);
            } else {
                metadata_ends |= metadata;
            }
        }
        self.compactions.crash();
        self.metadata_queue.clear();
        self.open.clear();
        self.closed.clear();
        self.restoring.clear();
        self.last_commit.clear();
        self.unrecorded = Unrecorded::default();
        self.fuse = Fuse::default();
        self.restore_unlinked();
        self.crash_files();
        self.crash_log_starts();
        self.summaries.crash(&mut self.counters.summaries);
        self.crash_metadata();
        self.collect_files();
    }

    fn restore_unlinked(&mut self) {
        for (name, index) in std::mem::take(&mut self.unlinked) {
            if !self.names.contains_key(&name) && self.random.percent(40) {
                self.names.insert(name, index);
                self.counters.files_reappeared += 1;
            }
        }
    }

    fn crash_files(&mut self) {
        let loss = *self.random.pick(&[
            Loss::KeepAll,
            Loss::LoseAll,
            Loss::Suffix,
            Loss::AnySubset,
            Loss::AnySubset,
        ]);
        // A segment that grew new blocks which are lost shows what stood there before: mostly its own kind.
        let stale = std::mem::take(&mut self.stale);
        let names: Vec<(FileName, usize)> = self.names.iter().map(|(name, index)| (*name, *index)).collect();
        for (name, index) in names {
            if !self.files[index].linked && loss != Loss::KeepAll && self.random.percent(50) {
                self.names.remove(&name);
                self.counters.files_vanished += 1;
                continue;
            }
            let segment = matches!(name, FileName::Segment(..));
            if self.files[index].is_synced() && self.files[index].sealed {
                continue;
            }
            let damage = self.files[index].crash(loss, segment, &stale, &mut self.random);
            let total = &mut self.counters.damage;
            total.kept += damage.kept;
            total.lost += damage.lost;
            total.torn += damage.torn;
            total.stale += damage.stale;
        }
        self.stale = stale;
    }

    fn crash_log_starts(&mut self) {
        for file in self.log_starts.values_mut() {
            if file.current != file.durable {
                if self.random.percent(50) {
                    file.durable.clone_from(&file.current);
                } else {
                    file.current.clone_from(&file.durable);
                    self.counters.log_starts_lost += 1;
                }
            }
        }
        self.log_starts.retain(|_, file| file.current.is_some());
    }

    /// The unsynced end of the metadata log is kept in part, and part of that part may be zeros.
    fn crash_metadata(&mut self) {
        let durable = self.metadata_durable;
        if self.metadata.len() > durable {
            let kept = self.random.between(durable as u64, self.metadata.len() as u64 + 1) as usize;
            self.metadata.truncate(kept);
            if kept > durable && self.random.percent(30) {
                let from = self.random.between(durable as u64, kept as u64) as usize;
                self.metadata[from..].fill(0);
            }
            self.counters.metadata_torn += 1;
        }
        self.metadata_durable = self.metadata.len();
    }

    /// Forgets what no name leads to.
    fn collect_files(&mut self) {
        let live: BTreeSet<usize> = self.names.values().copied().collect();
        for (index, file) in self.files.iter_mut().enumerate() {
            if !live.contains(&index) {
                *file = File::default();
            }
        }
    }
}
