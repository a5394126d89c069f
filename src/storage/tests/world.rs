//! Shards with real `Storage` over the model disk, what was acknowledged beside them, and every effect answered at random.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::Piece;
use protocol::record::BatchBuilder;

use super::super::*;
use super::model_disk::{ModelDisk, Random};
use crate::effect::{IndexFault, JournalCommit, RestoreSegment, SyncId, TrimId};
use crate::log::{LogScanner, LogStart, ReadPlan, Summary, Unread, index_of_batches, index_of_summary};
use crate::model::{DiskSpace, LogDir, PartitionIndex, SealedSegment, TopicId};

pub const DIRECTORY: [u8; 16] = [9; 16];
pub const NOW: Now = Now { instant: Instant(1_000_000_000), wall_ms: 1_000 };

pub fn topic_partition(index: i32) -> TopicPartition {
    TopicPartition { topic_id: TopicId([3; 16]), partition: PartitionIndex(index) }
}

/// One record; `value_bytes` of it are random, so that no batch equals another.
pub fn batch(random: &mut Random, value_bytes: u64) -> BytesMut {
    batch_of(BatchBuilder::new(), random, value_bytes)
}

/// Of an idempotent producer, by id and sequence.
pub fn batch_by(random: &mut Random, (id, sequence): (i64, i32), value_bytes: u64) -> BytesMut {
    batch_of(BatchBuilder::new().producer(id, 0, sequence), random, value_bytes)
}

fn batch_of(mut builder: BatchBuilder, random: &mut Random, value_bytes: u64) -> BytesMut {
    let value: Vec<u8> = (0..value_bytes).map(|_| random.next() as u8).collect();
    builder.append(1_000, None, Some(&value), &[]);
    BytesMut::from(&builder.build()[..])
}

#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub shards: u16,
    pub partitions: i32,
    pub journal_bytes_max: u64,
    pub tail_bytes_max: u64,
    pub index_bytes_max: u64,
    pub segment_bytes: u32,
    pub batch_bytes_max: u64,
    /// Log starts are moved now and then.
    pub trims: bool,
    pub mutations: Mutations,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            shards: 1,
            partitions: 4,
            journal_bytes_max: 512 * 1024,
            tail_bytes_max: 128 * 1024,
            index_bytes_max: 2 * 1024,
            segment_bytes: 96 * 1024,
            batch_bytes_max: 6_000,
            trims: false,
            mutations: Mutations::default(),
        }
    }
}

#[derive(Debug)]
enum Operation {
    Commit(JournalCommit),
    Prepare {
        file: u32,
        bytes: u64,
    },
    Write {
        file: FileId,
        position: u64,
        bytes: Vec<u8>,
    },
    Sync {
        sync: SyncId,
        files: Vec<FileId>,
    },
    Seal {
        file: FileId,
        position: u64,
        tail: Bytes,
        length: u64,
        summary: Bytes,
    },
    /// With the bytes that its pieces name.
    Restore {
        restore: RestoreSegment,
        bytes: Vec<u8>,
    },
    LoadIndex {
        file: FileId,
        of: TopicPartition,
        sealed: SealedSegment,
    },
    LogStart {
        trim: TrimId,
        of: TopicPartition,
        bytes: Vec<u8>,
    },
    Unlink {
        trim: TrimId,
        of: TopicPartition,
        segments: Vec<Offset>,
    },
    Delete(TopicPartition),
}

pub struct ShardWorld {
    pub storage: Storage,
    operations: Vec<Operation>,
    files: HashMap<FileId, SegmentName>,
    /// Where the writes of each file end.
    ends: HashMap<FileId, u64>,
}

/// What a partition must hold: every batch that was appended, and how far it was acknowledged.
#[derive(Debug, Default)]
pub struct Expected {
    pub batches: Vec<Bytes>,
    /// Of each batch; -1: none.
    pub producers: Vec<i64>,
    pub acknowledged: i64,
    waiting: Vec<(CommitId, i64)>,
    /// As far as anybody could see.
    pub log_start: i64,
    /// As far as it was asked for.
    pub trimmed: i64,
    deleted: bool,
}

pub struct World {
    pub setup: Setup,
    pub now: Now,
    /// What takes room fails.
    pub full: bool,
    /// Damage was done on purpose: partitions that it took offline are not looked at.
    pub may_be_damaged: bool,
    pub offline: BTreeMap<TopicPartition, RecoveryError>,
    pub random: Random,
    pub disk: ModelDisk,
    pub shards: Vec<ShardWorld>,
    pub logs: BTreeMap<TopicPartition, (usize, LogId)>,
    pub expected: BTreeMap<TopicPartition, Expected>,
}

fn shard_of(shards: u16, of: TopicPartition) -> ShardId {
    ShardId((of.partition.0 as u16) % shards)
}

impl World {
    pub fn new(setup: Setup, seed: u64) -> World {
        let mut world = World {
            setup,
            now: NOW,
            full: false,
            may_be_damaged: false,
            offline: BTreeMap::new(),
            random: Random(seed),
            disk: ModelDisk::default(),
            shards: Vec::new(),
            logs: BTreeMap::new(),
            expected: (0..setup.partitions)
                .map(|index| (topic_partition(index), Expected::default()))
                .collect(),
        };
        world.start().expect("an empty disk recovers");
        world
    }

    /// Recovers and opens everything; checks what came back.
    pub fn start(&mut self) -> Result<(), RecoveryError> {
        self.recover()?;
        let logs: Vec<_> = self.logs.keys().copied().collect();
        logs.into_iter().for_each(|of| self.check_recovered(of));
        Ok(())
    }

    /// The same without a look at what came back.
    pub fn recover(&mut self) -> Result<(), RecoveryError> {
        let (shards, mutations) = (self.setup.shards, self.setup.mutations);
        let exists = |of| self.expected.get(&of).is_some_and(|expected| !expected.deleted);
        let keep = |of: TopicPartition| if exists(of) { Keep::Here } else { Keep::Nowhere };
        let recovered = recover_with(
            &mut self.disk,
            DIRECTORY,
            shards,
            &keep,
            &|of| shard_of(shards, of),
            &mut |_| {},
            mutations,
        )?;
        self.offline = recovered.iter().flat_map(|shard| shard.offline.clone()).collect();
        if let Some(why) = self.offline.values().next().filter(|_| !self.may_be_damaged) {
            return Err(why.clone());
        }
        for shard in &recovered {
            let journaled = |of| shard.journaled.get(of).map_or(&[][..], |journaled| journaled);
            shard.logs.iter().for_each(|(of, log)| {
                self.check_against_scan(shard.shard, *of, log, journaled(of));
            });
        }
        self.shards = recovered
            .into_iter()
            .map(|recovered| {
                let config = StorageConfig {
                    shard: recovered.shard,
                    dir: LogDir(0),
                    directory_id: DIRECTORY,
                    journal_bytes_max: self.setup.journal_bytes_max,
                    tail_bytes_max: self.setup.tail_bytes_max,
                    index_bytes_max: self.setup.index_bytes_max,
                    free_bytes_min: 1_000,
                    mutations,
                };
                let storage = Storage::new(config, recovered);
                ShardWorld { storage, operations: Vec::new(), files: HashMap::new(), ends: HashMap::new() }
            })
            .collect();
        let config = TopicConfig { segment_bytes: self.setup.segment_bytes, ..TopicConfig::default() };
        let config = Arc::new(config);
        self.logs.clear();
        let partitions: Vec<_> =
            self.expected.iter().filter(|(_, expected)| !expected.deleted).map(|(of, _)| *of).collect();
        for of in partitions {
            let shard = usize::from(shard_of(shards, of).0);
            let mut effects = Effects::default();
            let id = self.shards[shard].storage.open(NOW, of, Arc::clone(&config), &mut effects);
            self.logs.insert(of, (shard, id));
            self.take_effects(shard, effects);
            if self.offline.contains_key(&of) {
                self.logs.remove(&of);
                assert!(!self.shards[shard].storage.serves(id), "a damaged partition is not served");
            }
        }
        Ok(())
    }

    /// What journals and summaries say of a log is what its log start and a walk over its batches tell.
    fn check_against_scan(
        &self,
        shard: ShardId,
        of: TopicPartition,
        log: &RecoveredLog,
        journaled: &[JournaledSegment],
    ) {
        let mut disk = self.disk.clone();
        for segment in journaled {
            let name = SegmentName { topic_partition: of, base_offset: segment.base_offset };
            let bytes = disk.read_pieces(shard, &segment.pieces);
            disk.write(name, segment.written, &bytes, 0);
            disk.truncate(name, segment.length);
        }
        disk.forbid_scans = false;
        let log_start = disk.log_starts.get(&of).map(|bytes| LogStart::decode(bytes).expect("whole"));
        let mut scanner = LogScanner::from(log_start.unwrap_or_default());
        let first = log.segments().first().map_or(log.log_end_offset(), |first| first.base_offset);
        let segments = disk.segments().expect("a list").into_iter();
        let kept = segments.filter(|(name, _)| name.topic_partition == of && name.base_offset >= first);
        for (name, length) in kept {
            let mut read = |position, into: &mut [u8]| disk.read_segment(name, position, into);
            scanner.segment(name.base_offset, length, &mut read).expect("a recovered segment is in order");
        }
        let scanned = scanner.finish();
        let known = |log: &RecoveredLog| {
            let segments = log.segments().iter();
            let segments: Vec<_> = segments
                .map(|one| (one.base_offset, one.length, one.next_offset(), one.max_timestamp()))
                .collect();
            (segments, log.log_start_offset(), log.log_end_offset(), log.snapshot())
        };
        assert_eq!(known(log), known(&scanned), "{of}");
    }

    fn check_recovered(&mut self, of: TopicPartition) {
        let (shard, id) = self.logs[&of];
        let end = self.shards[shard].storage.log(id).log_end_offset().0;
        let expected = self.expected.get_mut(&of).unwrap();
        assert!(
            end >= expected.acknowledged,
            "{of}: {} acknowledged, {end} recovered",
            expected.acknowledged
        );
        assert!(end <= expected.batches.len() as i64, "{of}: more was recovered than was appended");
        let start = self.shards[shard].storage.log(id).log_start_offset().0;
        let allowed = expected.log_start..=expected.trimmed;
        assert!(allowed.contains(&start), "{of}: the log starts at {start}, allowed {allowed:?}");
        expected.batches.truncate(end as usize);
        expected.producers.truncate(end as usize);
        expected.acknowledged = end;
        expected.waiting.clear();
        self.check_reads(of);
    }

    /// Plans a read as the shard does: indexes are loaded, and read again.
    fn plan(&mut self, of: TopicPartition, from: Offset, below: Offset) -> ReadPlan {
        let (shard, id) = self.logs[&of];
        loop {
            let log = self.shards[shard].storage.log(id);
            let segment = match log.plan_read(from, below, 64 * 1024) {
                Ok(plan) => return plan,
                Err(Unread::NeedsIndex { segment }) => segment,
                Err(Unread::Error(error)) => panic!("{of}: what is durable cannot be read: {error:?}"),
            };
            let mut effects = Effects::default();
            let storage = &mut self.shards[shard].storage;
            storage.load_index(NOW.instant, id, segment, &mut effects).expect("it can be loaded");
            let Some(Effect::LoadIndex { file, of, sealed }) = effects.pop() else {
                self.await_index(shard, id);
                continue;
            };
            let input = self.perform(shard, Operation::LoadIndex { file, of, sealed });
            let Input::IndexLoaded { file, result } = input else { panic!("a load is answered") };
            let storage = &mut self.shards[shard].storage;
            let load = storage.on_index_loaded(NOW.instant, file, &result).expect("it was asked for");
            assert_eq!((load.log, load.failure), (id, None));
            let counters = storage.counters();
            assert!(counters.index_bytes <= self.setup.index_bytes_max + 64 * 1024, "{counters:?}");
        }
    }

    /// The segment is completed from the journal first; then its index comes without being asked for again.
    fn await_index(&mut self, shard: usize, log: LogId) {
        assert!(self.shards[shard].storage.is_loading_index(log), "whoever was promised an index gets it");
        while self.shards[shard].storage.is_loading_index(log) {
            self.end_turn(shard);
            assert!(self.complete_any(shard), "something is under way that ends with the index");
        }
    }

    /// Reads one batch.
    pub fn plan_at(&mut self, of: TopicPartition, from: Offset) {
        let below = Offset(self.expected[&of].acknowledged);
        self.plan(of, from, below);
    }

    /// All that is durable reads as it was appended.
    pub fn check_reads(&mut self, of: TopicPartition) {
        let (shard, id) = self.logs[&of];
        let below = Offset(self.expected[&of].acknowledged);
        let mut bytes = Vec::new();
        let mut from = self.shards[shard].storage.log(id).log_start_offset();
        while from < below {
            let plan = self.plan(of, from, below);
            let expected = &self.expected[&of];
            let start = bytes.len();
            for piece in &plan.pieces {
                match piece {
                    Piece::Bytes(tail) => bytes.extend_from_slice(tail),
                    Piece::File(range) => {
                        let name = self.shards[shard].files[&FileId(range.file)];
                        bytes.extend(self.disk.read(name, range.position, range.length));
                    }
                }
            }
            let mut read = start;
            while let Some(batch) = expected.batches.get(from.0 as usize) {
                if read + batch.len() > bytes.len() {
                    break;
                }
                assert_eq!(&bytes[read..read + batch.len()], &batch[..], "{of} at offset {}", from.0);
                read += batch.len();
                from = from.plus(1);
            }
            assert!(read > start, "{of}: a read from {} gives a whole batch", from.0);
            bytes.truncate(read);
        }
    }

    pub fn append(&mut self, of: TopicPartition) {
        let bytes = 1 + self.random.below(self.setup.batch_bytes_max);
        let producer = self.random.below(4) as i64 - 1;
        self.append_bytes(of, producer, bytes);
    }

    pub fn append_by(&mut self, of: TopicPartition, producer: i64) {
        self.append_bytes(of, producer, 10);
    }

    fn append_bytes(&mut self, of: TopicPartition, producer: i64, bytes: u64) {
        let expected = self.expected.get_mut(&of).unwrap();
        let sequence = expected.producers.iter().filter(|one| **one == producer).count() as i32;
        let builder = BatchBuilder::new();
        let builder = if producer < 0 { builder } else { builder.producer(producer, 0, sequence) };
        let records = batch_of(builder, &mut self.random, bytes);
        let (shard, id) = self.logs[&of];
        let storage = &mut self.shards[shard].storage;
        let stored =
            storage.append(id, NOW, LeaderEpoch(1), records, false).expect("a good batch is accepted");
        let expected = self.expected.get_mut(&of).unwrap();
        let write = stored.appended.write.expect("no duplicates here");
        assert_eq!(stored.appended.base_offset.0, expected.batches.len() as i64);
        expected.batches.push(write.bytes);
        expected.producers.push(producer);
        expected.waiting.push((stored.commit, stored.appended.next_offset.0));
    }

    /// Asks for a log start somewhere below what is acknowledged.
    pub fn trim_any(&mut self) {
        let of = topic_partition(self.random.below(self.setup.partitions as u64) as i32);
        let Some(&(shard, id)) = self.logs.get(&of) else { return };
        let expected = self.expected.get_mut(&of).unwrap();
        let all = self.random.one_in(2);
        let log_start = if all {
            expected.acknowledged
        } else {
            self.random.below(expected.acknowledged as u64 + 1) as i64
        };
        expected.trimmed = expected.trimmed.max(log_start);
        self.shards[shard].storage.trim(id, Offset(log_start));
    }

    /// What readers could be told of log starts now.
    fn look_at_starts(&mut self) {
        for (of, (shard, id)) in &self.logs {
            let start = self.shards[*shard].storage.log(*id).log_start_offset().0;
            let expected = self.expected.get_mut(of).unwrap();
            assert!(start >= expected.log_start, "{of}: the log start went back");
            expected.log_start = start;
        }
    }

    pub fn append_any(&mut self) {
        let partition = self.random.below(self.setup.partitions as u64) as i32;
        let of = topic_partition(partition);
        let Some(&(shard, _)) = self.logs.get(&of) else { return };
        let storage = &self.shards[shard].storage;
        if !storage.is_full() && !storage.lacks_space() {
            self.append(of);
        }
    }

    pub fn delete(&mut self, of: TopicPartition) {
        let (shard, id) = self.logs.remove(&of).unwrap();
        self.expected.get_mut(&of).unwrap().deleted = true;
        let mut effects = Effects::default();
        self.shards[shard].storage.delete(id, &mut effects);
        self.take_effects(shard, effects);
    }

    pub fn end_turn(&mut self, shard: usize) {
        let mut effects = Effects::default();
        self.shards[shard].storage.end_turn(self.now, &mut effects);
        self.take_effects(shard, effects);
        self.acknowledge(shard);
    }

    fn acknowledge(&mut self, shard: usize) {
        let durable = self.shards[shard].storage.durable_commit();
        for (of, expected) in &mut self.expected {
            if self.logs.get(of).is_none_or(|(on, _)| *on != shard) {
                continue;
            }
            while expected.waiting.first().is_some_and(|(commit, _)| *commit <= durable) {
                expected.acknowledged = expected.waiting.remove(0).1;
            }
        }
    }

    fn take_effects(&mut self, shard: usize, mut effects: Effects) {
        let world = &mut self.shards[shard];
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::CommitJournal(commit) => world.operations.push(Operation::Commit(commit)),
                Effect::PrepareJournalFile { file, bytes, .. } => {
                    world.operations.push(Operation::Prepare { file, bytes });
                }
                Effect::OpenSegment { file, segment, origin } => {
                    let exists = origin == FileOrigin::Sealed;
                    assert!(!exists || self.disk.length(segment).is_some(), "a recovered segment is there");
                    assert!(world.files.insert(file, segment).is_none(), "file numbers are never used twice");
                }
                Effect::WriteSegment { file, position, pieces } => {
                    let bytes = pieces.concat();
                    let end = world.ends.insert(file, position + bytes.len() as u64);
                    assert_eq!(end.unwrap_or(0), position, "a write begins where the one before ended");
                    world.operations.push(Operation::Write { file, position, bytes });
                }
                Effect::SyncSegments { sync, files } => {
                    world.operations.push(Operation::Sync { sync, files })
                }
                Effect::SealSegment { file, position, tail, length, summary } => {
                    world.operations.push(Operation::Seal { file, position, tail, length, summary });
                }
                Effect::RestoreSegments { segments, .. } => {
                    for restore in segments {
                        let bytes = self.disk.read_pieces(ShardId(shard as u16), &restore.pieces);
                        world.operations.push(Operation::Restore { restore, bytes });
                    }
                }
                Effect::LoadIndex { file, of, sealed } => {
                    world.operations.push(Operation::LoadIndex { file, of, sealed });
                }
                Effect::WriteLogStart { trim, topic_partition: of, bytes } => {
                    world.operations.push(Operation::LogStart { trim, of, bytes: bytes.to_vec() });
                }
                Effect::UnlinkSegments { trim, topic_partition: of, segments, files } => {
                    files.iter().for_each(|file| assert!(world.files.remove(file).is_some()));
                    world.operations.push(Operation::Unlink { trim, of, segments });
                }
                Effect::CloseSegment { file } => assert!(world.files.remove(&file).is_some()),
                Effect::DeletePartition { topic_partition, files, .. } => {
                    files.iter().for_each(|file| assert!(world.files.remove(file).is_some()));
                    world.operations.push(Operation::Delete(topic_partition));
                }
                other => panic!("storage never asks for {other:?}"),
            }
        }
    }

    pub fn has_operations(&self, shard: usize) -> bool {
        !self.shards[shard].operations.is_empty()
    }

    /// Finishes any one operation.
    pub fn complete_any(&mut self, shard: usize) -> bool {
        if !self.has_operations(shard) {
            return false;
        }
        let index = self.random.below(self.shards[shard].operations.len() as u64) as usize;
        let operation = self.shards[shard].operations.swap_remove(index);
        let input = self.perform(shard, operation);
        let (mut effects, mut durable) = (Effects::default(), Vec::new());
        let storage = &mut self.shards[shard].storage;
        if let Input::IndexLoaded { file, result } = &input {
            storage.on_index_loaded(self.now.instant, *file, result);
        }
        storage.on_input(self.now, &input, &mut effects, &mut durable);
        self.take_effects(shard, effects);
        self.acknowledge(shard);
        self.look_at_starts();
        for (id, end) in durable {
            let told = self.logs.iter().find(|(_, at)| **at == (shard, id)).map(|(of, _)| *of);
            if let Some(of) = told {
                assert_eq!(self.expected[&of].acknowledged, end.0, "both ways of telling agree");
            }
        }
        true
    }

    fn perform(&mut self, shard: usize, operation: Operation) -> Input {
        let ahead = self.random.below(3) * 16 * 1024;
        let shard_id = ShardId(shard as u16);
        let files = &self.shards[shard].files;
        let error = DiskError { operation: "write", errno: 28 };
        match operation {
            Operation::Prepare { file, .. } if self.full => {
                Input::JournalFileLacksSpace { dir: LogDir(0), file, error }
            }
            Operation::Write { file, position, bytes } if self.full => {
                let written = bytes.len().min(BLOCK_BYTES as usize);
                self.disk.write(files[&file], position, &bytes[..written], 0);
                self.shards[shard].ends.insert(file, position);
                let operation = SegmentOperation::Write { length: bytes.len() as u64 };
                Input::SegmentLacksSpace { file, operation, error }
            }
            Operation::Restore { restore: RestoreSegment { file, .. }, .. } if self.full => {
                Input::SegmentLacksSpace { file, operation: SegmentOperation::Seal, error }
            }
            Operation::Seal { file, .. } if self.full => {
                Input::SegmentLacksSpace { file, operation: SegmentOperation::Seal, error }
            }
            Operation::Commit(commit) => {
                let mut bytes = commit.pieces.concat();
                bytes.resize(commit.length as usize, 0);
                self.disk.commit(shard_id, commit.file, commit.position, &bytes, true);
                Input::JournalCommitted { dir: LogDir(0), commit: commit.commit }
            }
            Operation::Prepare { file, bytes } => {
                self.disk.prepare_journal(shard_id, file, bytes);
                Input::JournalFileReady { dir: LogDir(0), file }
            }
            Operation::Write { file, position, bytes } => {
                self.disk.write(files[&file], position, &bytes, ahead);
                Input::SegmentWritten { file, position, length: bytes.len() as u64 }
            }
            Operation::Sync { sync, files: numbers } => {
                // Who was sealed and trimmed since has nothing to sync.
                numbers.iter().filter_map(|file| files.get(file)).for_each(|name| self.disk.sync(*name));
                Input::SegmentsSynced { sync }
            }
            Operation::Seal { file, position, tail, length, summary } => {
                self.complete_segment(files[&file], (position, &tail), length, &summary, 0);
                Input::SegmentSealed { file }
            }
            Operation::Restore { restore, bytes } => {
                let RestoreSegment { file, segment, position, length, summary, .. } = restore;
                self.complete_segment(segment, (position, &bytes), length, &summary, ahead);
                Input::SegmentSealed { file }
            }
            Operation::LogStart { trim, of, bytes } => {
                self.disk.write_log_start(of, bytes);
                Input::LogStartWritten { trim, result: Ok(()) }
            }
            Operation::Unlink { trim, of, segments } => {
                segments.into_iter().for_each(|base_offset| self.disk.unlink(of, base_offset));
                Input::SegmentsUnlinked { trim }
            }
            Operation::LoadIndex { file, of, sealed } => {
                let name = files[&file];
                Input::IndexLoaded { file, result: self.index(name, of, &sealed) }
            }
            Operation::Delete(topic_partition) => {
                self.disk.delete(topic_partition);
                Input::PartitionDeleted { topic_partition }
            }
        }
    }

    fn complete_segment(
        &mut self,
        segment: SegmentName,
        (position, bytes): (u64, &[u8]),
        length: u64,
        summary: &[u8],
        ahead: u64,
    ) {
        self.disk.write(segment, position, bytes, ahead);
        self.disk.truncate(segment, length);
        self.disk.sync(segment);
        self.disk.put_summary(segment, summary, true);
    }

    fn index(
        &mut self,
        name: SegmentName,
        of: TopicPartition,
        sealed: &SealedSegment,
    ) -> Result<Bytes, IndexFault> {
        let found = self.disk.summary(name).map(Bytes::copy_from_slice);
        let found = found.and_then(|bytes| Summary::decode(of, &bytes).ok());
        if let Some(section) = found.as_ref().and_then(|found| index_of_summary(sealed, found)) {
            return Ok(section);
        }
        let disk = &mut self.disk;
        let mut read = |position, into: &mut [u8]| disk.read_segment(name, position, into);
        let built = index_of_batches(sealed, found, &mut read)?;
        disk.put_summary(name, &built.encode(of), true);
        Ok(built.index.expect("it was just built"))
    }

    /// The power goes: what is under way may have happened in part.
    pub fn crash(&mut self) {
        for shard in 0..self.shards.len() {
            for operation in std::mem::take(&mut self.shards[shard].operations) {
                let files = &self.shards[shard].files;
                match operation {
                    Operation::Commit(commit) => {
                        let mut bytes = commit.pieces.concat();
                        bytes.resize(commit.length as usize, 0);
                        self.disk.commit(ShardId(shard as u16), commit.file, commit.position, &bytes, false);
                    }
                    Operation::Write { file, position, bytes } => {
                        self.disk.write(files[&file], position, &bytes, 8192);
                    }
                    Operation::Seal { file, position, tail, length, summary } => {
                        self.disk.write(files[&file], position, &tail, 0);
                        if self.random.one_in(2) {
                            self.disk.truncate(files[&file], length);
                            self.disk.put_summary(files[&file], &summary, false);
                        }
                    }
                    Operation::Restore { restore, bytes } => {
                        self.disk.write(restore.segment, restore.position, &bytes, 8192);
                        if self.random.one_in(2) {
                            self.disk.truncate(restore.segment, restore.length);
                            self.disk.put_summary(restore.segment, &restore.summary, false);
                        }
                    }
                    Operation::LogStart { of, bytes, .. } => {
                        if self.random.one_in(2) {
                            self.disk.write_log_start(of, bytes);
                        }
                    }
                    Operation::Unlink { of, segments, .. } => {
                        let count = self.random.below(segments.len() as u64 + 1) as usize;
                        segments[..count].iter().for_each(|base_offset| self.disk.unlink(of, *base_offset));
                    }
                    Operation::Delete(of) => self.disk.delete(of),
                    Operation::Prepare { .. } | Operation::Sync { .. } | Operation::LoadIndex { .. } => {}
                }
            }
        }
        self.disk.crash(&mut self.random);
    }

    /// Starts again, with the power going now and then in the middle of recovery.
    pub fn restart(&mut self, shards: u16) -> Result<(), RecoveryError> {
        self.setup.shards = shards;
        for _ in 0..self.random.below(4) {
            self.disk.fuse = Some(self.random.below(12));
            let result = self.start();
            self.disk.fuse = None;
            match result {
                Ok(()) => {
                    // The fuse held; nothing ran after it, so the power may go here too.
                    self.crash();
                }
                Err(RecoveryError { fault: RecoveryFault::Disk(error), .. })
                    if error.operation == "power" =>
                {
                    self.disk.crash(&mut self.random);
                }
                Err(error) => return Err(error),
            }
        }
        self.start()
    }

    /// Starts again, as above; recovery may not read a byte of a segment.
    pub fn restart_without_scans(&mut self) -> Result<(), RecoveryError> {
        self.disk.forbid_scans = true;
        for _ in 0..self.random.below(4) {
            self.disk.fuse = Some(self.random.below(12));
            // Whether the fuse held or not, the power goes.
            let _ = self.recover();
            self.disk.fuse = None;
            self.disk.crash(&mut self.random);
        }
        let result = self.recover();
        self.disk.forbid_scans = false;
        let logs: Vec<_> = self.logs.keys().copied().collect();
        logs.into_iter().for_each(|of| self.check_recovered(of));
        result
    }

    /// Ends turns and finishes operations until nothing is left to do.
    pub fn settle(&mut self) {
        for shard in 0..self.shards.len() {
            loop {
                self.end_turn(shard);
                if !self.complete_any(shard) {
                    break;
                }
            }
        }
    }

    pub fn told_of_space(&mut self, shard: usize, free_bytes: u64) {
        let input = Input::DiskSpace {
            dir: LogDir(0),
            space: DiskSpace { total_bytes: u64::MAX, usable_bytes: free_bytes },
        };
        let (mut effects, mut durable) = (Effects::default(), Vec::new());
        self.shards[shard].storage.on_input(self.now, &input, &mut effects, &mut durable);
    }

    /// Some random steps.
    pub fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            let shard = self.random.below(self.shards.len() as u64) as usize;
            if self.setup.trims && self.random.one_in(40) {
                self.trim_any();
            }
            match self.random.below(8) {
                0..4 => self.append_any(),
                4 => self.end_turn(shard),
                _ => {
                    self.complete_any(shard);
                }
            }
        }
    }
}
