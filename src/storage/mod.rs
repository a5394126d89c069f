//! What one shard keeps on one log dir: the logs of its partitions, the journal, the way of bytes into segments.
//!
//! ```text
//! append -> hot tail + journal group -> commit durable -> acknowledged
//!                                                      -> segment file (write_behind) -> evicted from the tail (tail)
//! journal file full of such bytes -> remainders carried, file free again (release)
//! ```
//!
//! This file keeps the books of each segment and takes inputs apart. Which bytes go to a segment when is decided in
//! `write_behind`, when journal space is free in `release`, what leaves memory in `tail`, what a full disk changes in `space`, what
//! a start finds in `recovery`, how sealed segments become new ones in `compact`.
//! Decides nothing about offsets (`log`) and nothing about who may append or be answered (`replication`, `shard`).

mod carry;
mod compact;
mod indexes;
mod recovery;
mod release;
mod restore;
mod retention;
mod slots;
mod space;
mod storages;
mod tail;
mod trim;
mod write_behind;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytes::BytesMut;
use protocol::error_code::ErrorCode;

pub use crate::journal::{JournalCounters, LogId};
pub use compact::CompactionLimits;
pub use indexes::{IndexFailure, IndexLoad, IndexWait};
pub use recovery::{
    JournaledSegment, Keep, RecoveredShard, RecoveryDisk, RecoveryError, RecoveryFault, RecoveryProgress,
    recover, recover_with,
};

pub use storages::{DirStart, Storages};

use crate::effect::{CommitId, DiskError, Effect, Effects, FileId, FileOrigin, SegmentName};
use crate::input::{Input, SegmentOperation};
use crate::journal::format::{EntryHeader, EntryKind};
use crate::journal::{Entry, EntryMeta, Issued, Journal, SegmentKey};
use crate::limits::BLOCK_BYTES;
use crate::log::{Appended, PartitionLog, RecoveredLog, Refused, SegmentBytes, tail_cost_bytes};
use crate::metrics::CleanerMetrics;
use crate::model::topic_config::TopicConfig;
use crate::model::{
    DurableOffset, Instant, LeaderEpoch, LogDir, Now, Offset, PartitionIndex, ShardId, TopicId,
    TopicPartition,
};
use crate::mutations::Mutations;
use carry::{Carries, carries_bytes_max};
use compact::Compactor;
use indexes::Indexes;
use release::Release;
use restore::Restore;
use slots::Slots;
use space::Space;
use tail::TailEntry;
use trim::Trim;

/// Room in the ring that releasing its oldest file takes at most: `bytes` of entries in `commits` commits, and those that say it is done.
fn release_bytes_max(bytes: u64, commits: u64) -> u64 {
    bytes + (3 + commits) * 2 * BLOCK_BYTES
}

#[derive(Debug, Clone, Copy)]
pub struct StorageConfig {
    pub shard: ShardId,
    pub dir: LogDir,
    pub directory_id: [u8; 16],
    /// What the ring may grow to.
    pub journal_bytes_max: u64,
    /// Batches kept in memory, over all partitions of the shard.
    pub tail_bytes_max: u64,
    /// Indexes of sealed segments kept in memory.
    pub index_bytes_max: u64,
    /// Below this, free on the disk, records are refused.
    pub free_bytes_min: u64,
    pub mutations: Mutations,
}

/// An append that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAppend {
    pub appended: Appended,
    /// It is durable once `Storage::durable_commit` reaches this. Of a duplicate: the original's, or a later one.
    pub commit: CommitId,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StorageCounters {
    pub journal: JournalCounters,
    pub segment_writes: u64,
    pub segment_bytes: u64,
    pub segments_sealed: u64,
    pub segment_syncs: u64,
    /// Journal files released.
    pub files_released: u64,
    /// Records written to the journal a second time.
    pub carried_bytes: u64,
    /// Checkpoints written when journal files were released.
    pub checkpoint_bytes: u64,
    /// Those that were left out: together they would have taken too much of a file.
    pub checkpoints_left_out: u64,
    /// Segments that were ended so that a release need not carry them.
    pub closed_for_room: u64,
    /// Segments that a release had nothing to do for, since a newer file recorded them.
    pub recorded_already: u64,
    pub tail_bytes: u64,
    /// Dropped from the hot tail.
    pub evicted_bytes: u64,
    pub log_starts_moved: u64,
    pub segments_unlinked: u64,
    pub cleaner: CleanerMetrics,
    /// Indexes of sealed segments in memory.
    pub index_bytes: u64,
    pub index_loads: u64,
    pub index_evictions: u64,
    pub journal_used_bytes: u64,
    pub journal_capacity_bytes: u64,
    /// Operations that found no room.
    pub space_refusals: u64,
    /// Times that all of them had gone through, and there was room again.
    pub space_ends: u64,
}

impl StorageCounters {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: &StorageCounters) -> StorageCounters {
        StorageCounters {
            journal: self.journal.plus(&other.journal),
            segment_writes: self.segment_writes + other.segment_writes,
            segment_bytes: self.segment_bytes + other.segment_bytes,
            segments_sealed: self.segments_sealed + other.segments_sealed,
            segment_syncs: self.segment_syncs + other.segment_syncs,
            files_released: self.files_released + other.files_released,
            carried_bytes: self.carried_bytes + other.carried_bytes,
            checkpoint_bytes: self.checkpoint_bytes + other.checkpoint_bytes,
            checkpoints_left_out: self.checkpoints_left_out + other.checkpoints_left_out,
            closed_for_room: self.closed_for_room + other.closed_for_room,
            recorded_already: self.recorded_already + other.recorded_already,
            tail_bytes: self.tail_bytes + other.tail_bytes,
            evicted_bytes: self.evicted_bytes + other.evicted_bytes,
            log_starts_moved: self.log_starts_moved + other.log_starts_moved,
            segments_unlinked: self.segments_unlinked + other.segments_unlinked,
            cleaner: self.cleaner.plus(&other.cleaner),
            journal_used_bytes: self.journal_used_bytes + other.journal_used_bytes,
            journal_capacity_bytes: self.journal_capacity_bytes + other.journal_capacity_bytes,
            space_refusals: self.space_refusals + other.space_refusals,
            space_ends: self.space_ends + other.space_ends,
            index_bytes: self.index_bytes + other.index_bytes,
            index_loads: self.index_loads + other.index_loads,
            index_evictions: self.index_evictions + other.index_evictions,
        }
    }
}

/// A segment whose end is not yet recorded as Sealed.
///
/// Invariants: synced <= written <= durable <= issued <= the log's length of it. written ends inside a block only after a flush: then
///             the block has zeros behind it.
#[derive(Debug)]
struct OpenSegment {
    base_offset: Offset,
    /// Bytes that are in issued commits.
    issued: u64,
    /// Bytes that are in durable commits, contiguous from 0.
    durable: u64,
    written: u64,
    synced: u64,
    /// Length of the write under way, 0: none.
    writing: u64,
    /// Write up to here even if it is little; what ends inside the last block is a flush.
    wanted: u64,
    /// The most bytes that a checkpoint of it takes.
    checkpoint: u64,
    file: Option<FileId>,
    /// The log appends no more to it.
    full: bool,
    /// Where it ends, once it is full.
    length: u64,
    sealing: bool,
    queued: bool,
    /// An earlier run left it open: it is completed out of the journal.
    journaled: bool,
    /// (journal file sequence, end of its bytes in that file), oldest first.
    residence: VecDeque<(u64, u64)>,
    /// The last SegmentEnd: the sequence of its journal file, and the end that it records.
    recorded: (u64, u64),
}

#[derive(Debug)]
struct Slot {
    topic_partition: TopicPartition,
    log: PartitionLog,
    /// Oldest first; the last may be the active one.
    unsealed: VecDeque<OpenSegment>,
    durable_end: Offset,
    last_commit: CommitId,
    /// Work of the disk under way for it: its directory must not be removed meanwhile.
    operations: u32,
    trim: Trim,
    /// Entries of the shard's tail that its batches have left behind.
    tail_gone: usize,
    /// The wall clock when this run opened it.
    opened_ms: i64,
    deleted: bool,
    /// Damaged: nothing is known of its records, and nothing may be written.
    offline: bool,
}

/// Storage of one shard and log dir.
///
/// Lives: per shard.
/// Invariants: a segment is written only with durable bytes; journal space is reused only when nothing in it is needed.
///             After a failure nothing more is issued and nothing more becomes durable.
#[derive(Debug)]
pub struct Storage {
    config: StorageConfig,
    journal: Journal,
    slots: Slots,
    recovered: BTreeMap<TopicPartition, RecoveredLog>,
    /// Damaged partitions that were not opened yet.
    offline: BTreeSet<TopicPartition>,
    files: HashMap<FileId, SegmentKey>,
    files_opened: u64,
    /// Segments with something to write or to seal.
    write_queue: VecDeque<SegmentKey>,
    writes_bytes: u64,
    seals_in_flight: u64,
    /// Sealed or restored, but the journal was not told yet.
    completed: Vec<FileId>,
    release: Option<Release>,
    restore: Restore,
    syncs_issued: u64,
    tail: VecDeque<TailEntry>,
    tail_bytes: u64,
    /// Entries of `tail` without a batch.
    tail_gone: usize,
    trim_queue: VecDeque<LogId>,
    trims_in_flight: usize,
    trimmed: Vec<(LogId, Result<(), DiskError>)>,
    /// (release mark that makes it durable, segment): sealed, in the order of the marks.
    unrecorded: VecDeque<(u64, SegmentKey)>,
    indexes: Indexes,
    compactor: Compactor,
    carries: Carries,
    /// What they may come to in one release.
    carries_bytes_max: u64,
    unsealed_count: u64,
    seal_hand: usize,
    deleting: Vec<LogId>,
    early_durable: Vec<(LogId, DurableOffset)>,
    stopping: bool,
    failed: Option<DiskError>,
    space: Space,
    counters: StorageCounters,
}

impl Storage {
    #[must_use]
    pub fn new(config: StorageConfig, recovered: RecoveredShard) -> Storage {
        let RecoveredShard { journal_files, next_sequence, continued, journaled, logs, offline, .. } =
            recovered;
        let mut journal = Journal::new(
            config.shard,
            config.dir,
            config.directory_id,
            config.journal_bytes_max,
            &journal_files,
            next_sequence,
            config.mutations,
        );
        if let Some(continued) = &continued {
            journal.go_on(continued);
        }
        let carries_bytes_max = carries_bytes_max(journal.ring().file_bytes(), journal.commit_bytes_max());
        Storage {
            config,
            journal,
            slots: Slots::new(config.dir),
            recovered: logs,
            offline: offline.into_keys().collect(),
            files: HashMap::new(),
            files_opened: 0,
            write_queue: VecDeque::new(),
            writes_bytes: 0,
            seals_in_flight: 0,
            completed: Vec::new(),
            release: None,
            restore: Restore::new(journaled),
            syncs_issued: 0,
            tail: VecDeque::new(),
            tail_bytes: 0,
            tail_gone: 0,
            trim_queue: VecDeque::new(),
            trims_in_flight: 0,
            trimmed: Vec::new(),
            unrecorded: VecDeque::new(),
            indexes: Indexes::default(),
            compactor: Compactor::default(),
            carries: Carries::default(),
            carries_bytes_max,
            unsealed_count: 0,
            seal_hand: 0,
            deleting: Vec::new(),
            early_durable: Vec::new(),
            stopping: false,
            failed: None,
            space: Space::default(),
            counters: StorageCounters::default(),
        }
    }

    /// Opens a partition with what recovery found for it, else empty. Its sealed segments get their numbers here; the files
    /// themselves need not be opened before the first read.
    pub fn open(
        &mut self,
        now: Now,
        topic_partition: TopicPartition,
        config: Arc<TopicConfig>,
        effects: &mut Effects,
    ) -> LogId {
        let mut recovered = self.recovered.remove(&topic_partition).unwrap_or_default();
        let left_over = recovered.take_left_over();
        let offline = self.offline.remove(&topic_partition);
        let mut log = PartitionLog::open(topic_partition, self.clamp(config), recovered);
        if self.config.mutations.forget_producer_state() {
            log.expire_producers(Now { instant: Instant(u64::MAX), wall_ms: 0 }, 0);
        }
        let durable_end = log.log_end_offset();
        let segments: Vec<(Offset, FileOrigin)> = log
            .segments()
            .iter()
            .map(|segment| (segment.base_offset, restore::origin(segment.state)))
            .collect();
        let id = self.slots.insert(Slot {
            topic_partition,
            log,
            unsealed: VecDeque::new(),
            durable_end,
            last_commit: CommitId(0),
            operations: 0,
            trim: Trim::new(left_over),
            tail_gone: 0,
            opened_ms: now.wall_ms,
            deleted: false,
            offline,
        });
        self.maybe_queue_trim(id);
        for (base_offset, origin) in segments {
            self.open_file(SegmentKey { log: id, base_offset }, origin, effects);
        }
        self.take_journaled(id);
        id
    }

    /// A batch that does not fit a journal file could never be made durable: the log refuses it as too large.
    fn clamp(&self, config: Arc<TopicConfig>) -> Arc<TopicConfig> {
        let bytes_max = u32::try_from(self.journal.entry_bytes_max()).unwrap_or(u32::MAX);
        if config.max_message_bytes <= bytes_max {
            return config;
        }
        Arc::new(TopicConfig { max_message_bytes: bytes_max, ..TopicConfig::clone(&config) })
    }

    fn open_file(&mut self, key: SegmentKey, origin: FileOrigin, effects: &mut Effects) -> FileId {
        self.files_opened += 1;
        let file = FileId::new(self.config.shard, self.config.dir, self.files_opened);
        self.files.insert(file, key);
        let slot = &mut self.slots[key.log];
        slot.log.set_file(key.base_offset, file);
        let segment = SegmentName { topic_partition: slot.topic_partition, base_offset: key.base_offset };
        effects.push(Effect::OpenSegment { file, segment, origin });
        file
    }

    /// Of a deleted partition: an empty log.
    #[must_use]
    pub fn log(&self, id: LogId) -> &PartitionLog {
        &self.slots[id].log
    }

    /// For what concerns the log alone: leader epochs, expiry of producers.
    pub fn log_mut(&mut self, id: LogId) -> &mut PartitionLog {
        &mut self.slots[id].log
    }

    pub fn set_config(&mut self, id: LogId, config: Arc<TopicConfig>) {
        let config = self.clamp(config);
        self.slots[id].log.set_config(config);
    }

    /// The end of what is durable of a partition.
    #[must_use]
    pub fn durable_end(&self, id: LogId) -> DurableOffset {
        DurableOffset(self.slots[id].durable_end.0)
    }

    /// Appends one batch and puts it into the open group.
    ///
    /// Errors: KAFKA_STORAGE_ERROR after a failure, while the disk lacks space, and while stopping; else what `PartitionLog::append`
    ///         refuses. For a while after the disk lacked space also for a batch that would overtake a refused one.
    pub fn append(
        &mut self,
        id: LogId,
        now: Now,
        leader_epoch: LeaderEpoch,
        records: BytesMut,
        transactional: bool,
    ) -> Result<StoredAppend, Refused> {
        let lacks_space = self.refuses(now, id, &records);
        let slot = &mut self.slots[id];
        if self.failed.is_some() || self.stopping || slot.deleted || slot.offline || lacks_space {
            let message = Some("The log directory takes no more records");
            return Err(Refused {
                error: ErrorCode::KAFKA_STORAGE_ERROR,
                record_errors: Vec::new(),
                message,
            });
        }
        let appended = slot.log.append(now, leader_epoch, records, transactional)?;
        if let Some(rolled) = appended.rolled {
            self.close_segment(SegmentKey { log: id, base_offset: rolled });
        }
        let commit = match &appended.write {
            Some(write) => {
                let write = write.clone();
                self.journal_records(id, write, appended.next_offset)
            }
            None => self.slots[id].last_commit,
        };
        Ok(StoredAppend { appended, commit })
    }

    fn journal_records(&mut self, id: LogId, write: SegmentBytes, next_offset: Offset) -> CommitId {
        let key = SegmentKey { log: id, base_offset: write.segment };
        let slot = &mut self.slots[id];
        if slot.unsealed.back().is_none_or(|last| last.base_offset != write.segment) {
            slot.unsealed.push_back(OpenSegment::new(write.segment));
            self.unsealed_count += 1;
        }
        let bytes = write.bytes.len() as u64;
        let entry = Entry {
            header: EntryHeader {
                kind: EntryKind::Data,
                length: u32::try_from(bytes).expect("a batch is smaller than a journal file"),
                topic_partition: slot.topic_partition,
                base_offset: write.segment,
                position: write.position,
            },
            payload: write.bytes,
            key,
            next_offset: Some(next_offset),
        };
        let commit = self.journal.append(entry);
        slot.last_commit = commit;
        self.tail_bytes += tail_cost_bytes(bytes);
        self.tail.push_back(TailEntry::new(id));
        self.measure_checkpoint(id);
        commit
    }

    /// Counts what a checkpoint of the log's last segment may take by now: this append may have brought a producer or an epoch.
    fn measure_checkpoint(&mut self, id: LogId) {
        let bytes_max = self.journal.release_bytes_max();
        let slot = &mut self.slots[id];
        let bytes = slot.log.checkpoint_bytes_max().min(bytes_max);
        let last = slot.unsealed.back_mut().expect("an append has an unsealed segment");
        if last.checkpoint != bytes {
            self.carries.change(last, |last| last.checkpoint = bytes);
        }
    }

    /// The log left this segment: it is sealed once all of it is durable.
    fn close_segment(&mut self, key: SegmentKey) {
        let slot = &mut self.slots[key.log];
        let length = slot.log.segment(key.base_offset).map_or(0, |segment| segment.length);
        // A segment of an earlier run is sealed already.
        let Some(segment) = slot.segment_mut(key.base_offset) else { return };
        self.carries.change(segment, |segment| (segment.full, segment.length) = (true, length));
        self.maybe_queue(key);
    }

    /// Forgets a partition; its files go once nothing is under way for it.
    pub fn delete(&mut self, id: LogId, effects: &mut Effects) {
        let slot = &mut self.slots[id];
        if slot.deleted {
            return;
        }
        slot.deleted = true;
        self.give_up_compaction(Some(id), effects);
        let slot = &mut self.slots[id];
        let (batches, bytes) = (slot.log.tail_batches(), slot.log.tail_bytes());
        for segment in std::mem::take(&mut slot.unsealed) {
            self.forget(&segment);
        }
        self.forget_restores(id);
        self.forget_tail(id, batches, bytes);
        self.deleting.push(id);
        self.finish_deletes(effects);
    }

    /// Takes a segment out of the sums.
    fn forget(&mut self, segment: &OpenSegment) {
        self.unsealed_count -= 1;
        self.carries.forget(segment);
    }

    fn finish_deletes(&mut self, effects: &mut Effects) {
        let syncing = self.release.as_ref().is_some_and(Release::is_syncing);
        let mut waiting = Vec::new();
        for id in std::mem::take(&mut self.deleting) {
            let slot = &mut self.slots[id];
            if slot.operations > 0 || syncing {
                waiting.push(id);
                continue;
            }
            let files: Vec<FileId> = slot.log.segments().iter().filter_map(|segment| segment.file).collect();
            for segment in slot.log.segments() {
                self.indexes.forget(SegmentKey { log: id, base_offset: segment.base_offset });
            }
            let topic_partition = slot.topic_partition;
            for file in &files {
                self.files.remove(file);
            }
            self.slots.remove(id);
            effects.push(Effect::DeletePartition { dir: self.config.dir, topic_partition, files });
        }
        self.deleting = waiting;
    }

    /// Everything that was appended with this commit, or an earlier one, is durable.
    #[must_use]
    pub fn durable_commit(&self) -> CommitId {
        let failed_too = self.config.mutations.ack_after_failed_sync() && self.failed.is_some();
        if self.config.mutations.ack_before_commit() || failed_too {
            return self.journal.issued();
        }
        self.journal.durable()
    }

    /// Takes the inputs that answer effects of storage; ignores all others. `durable`: partitions whose durable end moved.
    pub fn on_input(
        &mut self,
        now: Now,
        input: &Input,
        effects: &mut Effects,
        durable: &mut Vec<(LogId, DurableOffset)>,
    ) {
        durable.append(&mut self.early_durable);
        match *input {
            Input::SegmentFailed { .. }
                if self.config.mutations.sync_error_is_success() && self.finish_sync(effects) => {}
            Input::JournalFailed { error, .. } | Input::SegmentFailed { error, .. } => {
                self.failed.get_or_insert(error);
            }
            _ if self.failed.is_some() => {}
            Input::JournalCommitted { commit, .. } => {
                let done = self.journal.on_committed(commit);
                self.note_durable(&done.entries, durable);
                self.note_recorded();
            }
            Input::JournalFileReady { file, .. } => {
                self.journal.on_file_ready(file);
                self.on_room_found(now, None);
            }
            Input::JournalFileLacksSpace { file, error, .. } => {
                self.on_journal_file_lacks_space(now, file, error)
            }
            Input::SegmentWritten { file, position, length } => {
                self.on_room_found(now, self.files.get(&file).copied());
                self.on_segment_written(file, position, length);
            }
            Input::SegmentSealed { file } => {
                self.on_room_found(now, self.files.get(&file).copied());
                self.on_segment_sealed(file, effects);
            }
            Input::SegmentLacksSpace { file, operation: SegmentOperation::Write { length }, .. }
                if self.config.mutations.enospc_is_success() =>
            {
                let key = self.files.get(&file);
                let segment = key.and_then(|key| self.slots[key.log].segment(key.base_offset));
                let position = segment.map_or(0, |segment| segment.written);
                self.on_segment_written(file, position, length);
            }
            Input::SegmentLacksSpace { file, operation, error } => {
                self.on_segment_lacks_space(now, file, operation, error);
                self.maybe_tell_sealed(effects);
            }
            Input::DiskSpace { space, .. } => self.on_disk_space(now, space.usable_bytes),
            Input::SegmentsSynced { sync } => self.on_segments_synced(sync, effects),
            Input::LogStartWritten { trim, result } => self.on_log_start_written(trim, result),
            Input::SegmentsUnlinked { trim } => self.on_segments_unlinked(trim),
            Input::KeysMapped { compaction, result } => {
                self.on_keys_mapped(now, compaction, result, effects);
            }
            Input::SegmentsRewritten { compaction, ref result } => {
                self.on_segments_rewritten(now, compaction, result, effects);
            }
            Input::SegmentsSwapped { compaction, result } => {
                self.on_segments_swapped(now, compaction, result, effects);
            }
            _ => {}
        }
    }

    fn note_durable(&mut self, entries: &[EntryMeta], durable: &mut Vec<(LogId, DurableOffset)>) {
        for entry in entries {
            let Some(next_offset) = entry.next_offset else { continue };
            let slot = &mut self.slots[entry.key.log];
            let Some(segment) = slot.segment_mut(entry.key.base_offset) else { continue };
            segment.durable = segment.durable.max(entry.end);
            slot.durable_end = slot.durable_end.max(next_offset);
            let waits = slot.trim.wanted > slot.log.log_start_offset();
            self.maybe_queue(entry.key);
            if waits {
                self.maybe_queue_trim(entry.key.log);
            }
        }
        // Each partition once, with the last of its entries.
        for entry in entries {
            let slot = &self.slots[entry.key.log];
            if !slot.deleted && entry.next_offset == Some(slot.durable_end) {
                durable.push((entry.key.log, DurableOffset(slot.durable_end.0)));
            }
        }
    }

    /// What a turn leaves to do: commits, write-behind, release of journal files, eviction.
    ///
    /// To be called after the inputs that were there, also if there were none.
    pub fn end_turn(&mut self, now: Now, effects: &mut Effects) {
        if self.failed.is_some() {
            return;
        }
        self.maybe_tell_sealed(effects);
        self.commit(effects);
        self.maybe_release(effects);
        self.evict();
        self.maybe_seal_for_room();
        self.try_space(now, effects);
        self.pump_writes(effects);
        self.pump_restores(effects);
        self.pump_trims(effects);
        self.pump_compaction(now, effects);
        self.finish_deletes(effects);
        self.commit(effects);
        if !self.holds_writes() {
            self.journal.maybe_grow(self.saves_space(), effects);
        }
        self.count();
    }

    fn commit(&mut self, effects: &mut Effects) {
        while let Some(issued) = self.journal.maybe_commit(self.reserve(), effects) {
            self.on_issued(&issued);
        }
    }

    fn on_issued(&mut self, issued: &Issued) {
        for entry in &issued.entries {
            if entry.kind == EntryKind::Sealed {
                continue;
            }
            let slot = &mut self.slots[entry.key.log];
            let Some(segment) = slot.segment_mut(entry.key.base_offset) else { continue };
            let is_data = entry.kind == EntryKind::Data;
            let data_end = if is_data { entry.end } else { 0 };
            if !is_data {
                segment.recorded = (issued.sequence, entry.end);
            }
            self.carries.change(segment, |segment| segment.issued = segment.issued.max(data_end));
            match segment.residence.back_mut().filter(|(sequence, _)| *sequence == issued.sequence) {
                Some((_, end)) => *end = data_end.max(*end),
                None => {
                    segment.residence.push_back((issued.sequence, data_end));
                    self.journal.ring_mut().add_resident(issued.sequence, entry.key);
                }
            }
        }
        if self.config.mutations.ack_before_commit() {
            let mut early = std::mem::take(&mut self.early_durable);
            self.note_durable(&issued.entries, &mut early);
            self.early_durable = early;
        }
    }

    fn count(&mut self) {
        self.counters.journal = *self.journal.counters();
        self.counters.tail_bytes = self.tail_bytes;
        self.counters.journal_used_bytes = self.journal.ring().used_bytes();
        self.counters.journal_capacity_bytes = self.journal.ring().capacity();
    }

    /// Sockets should not be read: records wait for room in the ring, or more of them for the device than it is worth.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.journal.is_congested() || self.is_tail_full()
    }

    /// Whether the log can be read and written: its disk works, and recovery found it whole.
    #[must_use]
    pub fn serves(&self, id: LogId) -> bool {
        self.failed.is_none() && !self.slots[id].offline
    }

    #[must_use]
    pub fn mutations(&self) -> Mutations {
        self.config.mutations
    }

    #[must_use]
    pub fn failed(&self) -> Option<DiskError> {
        self.failed
    }

    /// Takes no more appends; what was appended becomes durable and every segment is sealed.
    pub fn stop(&mut self, effects: &mut Effects) {
        self.stopping = true;
        self.give_up_compaction(None, effects);
        for index in 0..self.slots.len() {
            let log = self.slots.id_at(index);
            if self.slots[log].deleted {
                continue;
            }
            if let Some(base_offset) = self.slots[log].log.close_active() {
                self.close_segment(SegmentKey { log, base_offset });
            }
        }
    }

    /// After `stop`: everything is sealed and recorded, or nothing more can be done because the disk failed, or lacks room: what
    /// is acknowledged is then in the journal, for the next start.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let done = self.unsealed_count == 0 && self.deleting.is_empty() && self.journal.is_flushed();
        let done = done && self.trims_in_flight == 0;
        let stuck = self.holds_writes() && self.journal.is_at_rest();
        self.stopping && (self.failed.is_some() || done || stuck)
    }

    #[must_use]
    pub fn counters(&self) -> &StorageCounters {
        &self.counters
    }

    /// Storage waits for nothing but its effects, and for room on the disk.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.space_deadline()
    }
}

impl Slot {
    /// What a log that is gone looks like.
    fn gone() -> Slot {
        let topic_partition = TopicPartition { topic_id: TopicId::ZERO, partition: PartitionIndex(-1) };
        let log = PartitionLog::open(topic_partition, Arc::default(), RecoveredLog::default());
        Slot {
            topic_partition,
            log,
            unsealed: VecDeque::new(),
            durable_end: Offset::ZERO,
            last_commit: CommitId(0),
            operations: 0,
            trim: Trim::default(),
            tail_gone: 0,
            opened_ms: 0,
            deleted: true,
            offline: false,
        }
    }

    fn segment_mut(&mut self, base_offset: Offset) -> Option<&mut OpenSegment> {
        self.unsealed.iter_mut().find(|segment| segment.base_offset == base_offset)
    }

    fn segment(&self, base_offset: Offset) -> Option<&OpenSegment> {
        self.unsealed.iter().find(|segment| segment.base_offset == base_offset)
    }
}

impl OpenSegment {
    fn new(base_offset: Offset) -> OpenSegment {
        OpenSegment {
            base_offset,
            issued: 0,
            durable: 0,
            written: 0,
            synced: 0,
            writing: 0,
            wanted: 0,
            checkpoint: 0,
            file: None,
            full: false,
            length: 0,
            sealing: false,
            queued: false,
            journaled: false,
            residence: VecDeque::new(),
            recorded: (0, 0),
        }
    }
}
