//! What the shards ask of the disk while they run: stages, latencies, errors, and the input that answers each.

use bytes::Bytes;
use penstock::effect::{
    CommitId, CompactionId, DiskError, Effect, FileId, FileOrigin, IndexFault, JournalCommit, ReadId,
    RestoreSegment, SegmentName, SyncId, TrimId,
};
use penstock::input::{Input, SegmentOperation};
use penstock::log::{Summary, index_of_summary};
use penstock::model::{LogDir, Offset, SealedSegment, ShardId, TopicPartition};

use super::compaction::CompactionStep;
use super::{BLOCK, Disk, File, FileName, Open};
use crate::schedule::{Event, Life, Schedule};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(u64);

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const ENOENT: i32 = 2;
const NO_ROOM: DiskError = DiskError { operation: "write", errno: ENOSPC };

pub(super) enum Operation {
    CommitWrite { shard: ShardId, commit: JournalCommit },
    CommitSync { shard: ShardId, dir: LogDir, commit: CommitId, file: u32, through: u64, told: bool },
    Prepare { shard: ShardId, dir: LogDir, file: u32, bytes: u64 },
    Write { shard: ShardId, file: FileId, position: u64, bytes: Vec<u8>, whole: u64 },
    Sync { shard: ShardId, sync: SyncId, files: Vec<(FileId, Option<usize>)>, through: u64 },
    SealWrite { shard: ShardId, file: FileId, seal: Seal },
    SealSync { shard: ShardId, file: FileId, index: usize, through: u64, summary: Bytes },
    SummarySync { shard: ShardId, file: FileId, told: bool },
    LoadIndex { shard: ShardId, file: FileId, index: Option<usize>, sealed: SealedSegment },
    Read { shard: ShardId, read: ReadId, file: FileId, index: Option<usize>, position: u64, length: u64 },
    Delete { shard: ShardId, dir: LogDir, topic_partition: TopicPartition },
    LogStart { shard: ShardId, trim: TrimId, topic_partition: TopicPartition, bytes: Bytes },
    Unlink { shard: ShardId, trim: TrimId, topic_partition: TopicPartition, segments: Vec<Offset> },
    Metadata { append: u64, batch: Bytes },
    Compaction { shard: ShardId, compaction: CompactionId, step: CompactionStep },
}

pub(super) struct Seal {
    position: u64,
    tail: Bytes,
    length: u64,
    summary: Bytes,
}

/// What the end of a stage means to the world.
pub enum Completion {
    /// Another stage follows.
    Continues,
    Answer(ShardId, Input),
}

pub(super) fn join(pieces: &[Bytes]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        bytes.extend_from_slice(piece);
    }
    bytes
}

impl Disk {
    /// Takes an effect that concerns the disk; gives back any other.
    pub fn submit(
        &mut self,
        life: Life,
        shard: ShardId,
        effect: Effect,
        schedule: &mut Schedule,
    ) -> Option<Effect> {
        let operation = match effect {
            Effect::CommitJournal(commit) => {
                self.check_commit(shard, &commit);
                self.unrecorded.submitted(shard, &commit);
                Operation::CommitWrite { shard, commit }
            }
            Effect::PrepareJournalFile { dir, file, bytes } => Operation::Prepare { shard, dir, file, bytes },
            Effect::OpenSegment { file, segment, origin } => {
                self.open_segment(file, segment, origin);
                return None;
            }
            Effect::CloseSegment { file } => {
                self.close_all(vec![file]);
                return None;
            }
            Effect::WriteSegment { file, position, pieces } => {
                let mut bytes = join(&pieces);
                self.check_segment_write(file, position, bytes.len() as u64);
                let whole = bytes.len() as u64;
                bytes.resize(((position + whole).next_multiple_of(BLOCK) - position) as usize, 0);
                Operation::Write { shard, file, position, bytes, whole }
            }
            Effect::SyncSegments { sync, files } => self.plan_sync(shard, sync, files),
            Effect::SealSegment { file, position, tail, length, summary } => {
                self.plan_seal(shard, file, Seal { position, tail, length, summary })
            }
            Effect::RestoreSegments { dir, segments } => {
                self.begin_restores(life, (shard, dir), segments, schedule);
                return None;
            }
            Effect::LoadIndex { file, of: _, sealed } => {
                Operation::LoadIndex { shard, file, index: self.lease(file), sealed }
            }
            Effect::ReadSegment { read, file, position, length } => {
                Operation::Read { shard, read, file, index: self.lease(file), position, length }
            }
            Effect::DeletePartition { dir, topic_partition, files } => {
                self.close_all(files);
                Operation::Delete { shard, dir, topic_partition }
            }
            Effect::WriteLogStart { trim, topic_partition, bytes } => {
                Operation::LogStart { shard, trim, topic_partition, bytes }
            }
            Effect::UnlinkSegments { trim, topic_partition, segments, files } => {
                self.check_unlink(topic_partition, &segments);
                self.close_all(files);
                Operation::Unlink { shard, trim, topic_partition, segments }
            }
            Effect::AppendMetadata { append, batch } => Operation::Metadata { append, batch },
            effect @ (Effect::MapKeys { .. }
            | Effect::RewriteSegments { .. }
            | Effect::SwapSegments { .. }
            | Effect::EndCompaction { .. }) => {
                let (compaction, step) = self.compaction_step(shard, effect)?;
                Operation::Compaction { shard, compaction, step }
            }
            other => return Some(other),
        };
        self.begin(life, operation, schedule);
        None
    }

    fn begin_restores(
        &mut self,
        life: Life,
        (shard, dir): (ShardId, LogDir),
        segments: Vec<RestoreSegment>,
        schedule: &mut Schedule,
    ) {
        for segment in segments {
            let operation = self.restore(shard, dir, segment);
            self.begin(life, operation, schedule);
        }
    }

    /// Many segments are restored side by side: were each of them a good moment for a crash, none would ever be complete.
    fn is_moment(&self, file: FileId) -> bool {
        !self.restoring.contains(&file) || file.0.is_multiple_of(8)
    }

    fn plan_sync(&self, shard: ShardId, sync: SyncId, files: Vec<FileId>) -> Operation {
        let files = files.into_iter().map(|file| (file, self.lease(file))).collect();
        Operation::Sync { shard, sync, files, through: self.stamp }
    }

    fn plan_seal(&mut self, shard: ShardId, file: FileId, seal: Seal) -> Operation {
        let Seal { position, length, .. } = seal;
        let (end, block_end) = (position + seal.tail.len() as u64, position / BLOCK * BLOCK + BLOCK);
        let follows = self.open.get(&file).is_some_and(|open| open.end == position);
        if !follows || end != length || end > block_end {
            self.violations.push(format!("seal of {file:?}: tail ends at {end}, length {length}"));
        }
        self.check_summary(file, length, &seal.summary);
        Operation::SealWrite { shard, file, seal }
    }

    /// What the journal holds of a segment is read at once: it does not change before this is answered.
    fn restore(&mut self, shard: ShardId, dir: LogDir, restore: RestoreSegment) -> Operation {
        let RestoreSegment { file, segment: name, position, pieces, length, summary } = restore;
        self.restoring.insert(file);
        let mut tail = Vec::new();
        for piece in pieces {
            let mut bytes = vec![0; piece.length as usize];
            let found = self.find(FileName::Journal(dir, shard, piece.file));
            if !found.is_some_and(|found| found.read(u64::from(piece.position), &mut bytes)) {
                self.violations.push(format!("{name:?} is restored from {piece:?}, which is not there"));
            }
            tail.extend_from_slice(&bytes);
        }
        let told = Summary::decode(name.topic_partition, &summary);
        let fits =
            |told: &Summary| told.segment.base_offset == name.base_offset && told.segment.length == length;
        if !told.as_ref().is_ok_and(fits) {
            self.violations.push(format!("the summary of {name:?} is not of its {length} bytes: {told:?}"));
        }
        Operation::SealWrite { shard, file, seal: Seal { position, tail: tail.into(), length, summary } }
    }

    fn close_all(&mut self, files: Vec<FileId>) {
        for file in files {
            self.open.remove(&file);
            self.closed.insert(file);
        }
    }

    fn begin(&mut self, life: Life, operation: Operation, schedule: &mut Schedule) {
        self.next_operation += 1;
        let id = OperationId(self.next_operation);
        let metadata = matches!(operation, Operation::Metadata { .. });
        self.operations.insert(id, operation);
        if metadata {
            self.metadata_queue.push(id);
            if self.metadata_queue.len() > 1 {
                return;
            }
        }
        self.schedule(life, id, schedule);
    }

    fn schedule(&mut self, life: Life, operation: OperationId, schedule: &mut Schedule) {
        let slow = self.random.per_million(self.faults.slow);
        let latency = if slow {
            self.random.between(10_000_000, 500_000_000)
        } else {
            self.random.log_uniform(15_000, 3_000_000)
        };
        schedule.after(latency, Event::Disk { life, operation });
    }

    fn check_commit(&mut self, shard: ShardId, commit: &JournalCommit) {
        let bytes: u64 = commit.pieces.iter().map(|piece| piece.len() as u64).sum();
        if !commit.position.is_multiple_of(BLOCK)
            || !commit.length.is_multiple_of(BLOCK)
            || bytes > commit.length
        {
            let (position, length) = (commit.position, commit.length);
            self.violations.push(format!("commit of {bytes} bytes at {position} padded to {length}"));
        }
        let end = commit.position + commit.length;
        match self.find(FileName::Journal(commit.dir, shard, commit.file)) {
            Some(file) if file.length() >= end => {}
            _ => self
                .violations
                .push(format!("commit up to {end} of an unprepared journal file {}", commit.file)),
        }
    }

    fn check_segment_write(&mut self, file: FileId, position: u64, length: u64) {
        let end = self.open.get_mut(&file).map(|open| std::mem::replace(&mut open.end, position + length));
        if end != Some(position) || length == 0 {
            self.violations.push(format!("segment write of {length} bytes at {position}, after {end:?}"));
        }
        let sealed = self.lease(file).is_some_and(|index| self.files[index].sealed);
        if sealed {
            self.violations.push(format!("a sealed segment is written: {file:?} at {position}"));
        }
        if !self.open.contains_key(&file) {
            self.violations.push(format!("a segment that is not open is written: {file:?} at {position}"));
        }
    }

    fn check_unlink(&mut self, topic_partition: TopicPartition, segments: &[Offset]) {
        for &base_offset in segments {
            let name = SegmentName { topic_partition, base_offset };
            if self.unrecorded.contains(name) {
                self.violations
                    .push(format!("{name:?} is unlinked, and no journal says yet that it is sealed"));
            }
        }
    }

    fn open_segment(&mut self, file: FileId, name: SegmentName, origin: FileOrigin) {
        let found = self.names.get(&FileName::Segment(file.dir(), name)).copied();
        if origin == FileOrigin::Sealed && found.is_none() {
            self.violations.push(format!("{name:?} is opened as existing and does not exist"));
        }
        if origin == FileOrigin::New && found.is_some() {
            self.violations.push(format!("{name:?} is opened as new and exists"));
        }
        if let Some(earlier) = self.open.insert(file, Open { name, file: found, end: 0 }) {
            self.violations.push(format!("{file:?} names {name:?} and {:?}", earlier.name));
        }
    }

    /// One stage of an operation is over.
    pub fn complete(&mut self, life: Life, id: OperationId, schedule: &mut Schedule) -> Completion {
        let Some(operation) = self.operations.remove(&id) else { return Completion::Continues };
        match operation {
            Operation::CommitWrite { shard, commit } => {
                self.commit_written(life, id, shard, commit, schedule)
            }
            Operation::CommitSync { shard, dir, commit, file, through, told } => {
                self.commit_synced((shard, dir), commit, file, through, told)
            }
            Operation::Prepare { shard, dir, file, .. } if self.lacks_room(dir) => {
                Completion::Answer(shard, Input::JournalFileLacksSpace { dir, file, error: NO_ROOM })
            }
            Operation::Prepare { shard, dir, file, bytes } => {
                self.counters.journal_files += 1;
                if let Some(index) = self.names.remove(&FileName::Journal(dir, shard, file)) {
                    self.unlinked.push((FileName::Journal(dir, shard, file), index));
                }
                self.insert(FileName::Journal(dir, shard, file), File::zeroed(bytes));
                self.synced_directory();
                Completion::Answer(shard, Input::JournalFileReady { dir, file })
            }
            Operation::Write { shard, file, position, bytes, whole } => {
                self.segment_written(shard, file, position, &bytes, whole)
            }
            Operation::Sync { shard, sync, files, through } => {
                self.segments_synced(shard, sync, &files, through)
            }
            Operation::SealWrite { shard, file, seal } => {
                self.seal_written(life, id, (shard, file), seal, schedule)
            }
            Operation::SealSync { shard, file, index, through, summary } => {
                let answer = self.seal_synced(file, index, through, summary);
                let fails =
                    matches!(answer, Some(Input::SegmentFailed { .. } | Input::SegmentLacksSpace { .. }));
                if !fails {
                    let told = answer.is_some();
                    self.operations.insert(id, Operation::SummarySync { shard, file, told });
                    self.schedule(life, id, schedule);
                }
                answer.map_or(Completion::Continues, |answer| Completion::Answer(shard, answer))
            }
            Operation::SummarySync { shard, file, told } => self.summary_synced(shard, file, told),
            Operation::LoadIndex { shard, file, index, sealed } => {
                let result = self.index_loaded(file, index, &sealed);
                Completion::Answer(shard, Input::IndexLoaded { file, result })
            }
            Operation::Read { shard, read, file, index, position, length } => {
                let result = self.segment_read(file, index, position, length);
                Completion::Answer(shard, Input::ReadDone { read, result })
            }
            Operation::Delete { shard, dir, topic_partition } => {
                self.counters.deletes += 1;
                self.unlink_partition(dir, topic_partition);
                Completion::Answer(shard, Input::PartitionDeleted { topic_partition })
            }
            Operation::LogStart { shard, trim, topic_partition, bytes } => {
                let result = self.log_start_written(trim.dir(), topic_partition, &bytes);
                Completion::Answer(shard, Input::LogStartWritten { trim, result })
            }
            Operation::Unlink { shard, trim, topic_partition, segments } => {
                self.moment = true;
                self.unlink_segments(trim.dir(), topic_partition, &segments);
                Completion::Answer(shard, Input::SegmentsUnlinked { trim })
            }
            Operation::Metadata { append, batch } => self.metadata_appended(life, append, &batch, schedule),
            Operation::Compaction { shard, compaction, step } => {
                Completion::Answer(shard, self.complete_compaction((shard, compaction), step))
            }
        }
    }

    /// Whether an operation that takes room finds none: on a full disk, what was allocated before may still do.
    pub(super) fn lacks_room(&mut self, dir: LogDir) -> bool {
        let lacks = self.full == Some(dir) && self.random.percent(80);
        self.counters.no_room += u64::from(lacks);
        lacks
    }

    pub(super) fn fails(&mut self, per_million: u64) -> bool {
        let fails = self.random.per_million(per_million);
        self.counters.errors += u64::from(fails);
        fails
    }

    fn commit_written(
        &mut self,
        life: Life,
        id: OperationId,
        shard: ShardId,
        commit: JournalCommit,
        schedule: &mut Schedule,
    ) -> Completion {
        self.apply_commit(shard, &commit);
        // The first write into a file of the ring.
        self.moment |= commit.position == 0;
        let told = self.mutations.complete_before_sync;
        let dir = commit.dir;
        let sync = Operation::CommitSync {
            shard,
            dir,
            commit: commit.commit,
            file: commit.file,
            through: self.stamp,
            told,
        };
        self.operations.insert(id, sync);
        self.schedule(life, id, schedule);
        if told {
            return Completion::Answer(shard, Input::JournalCommitted { dir, commit: commit.commit });
        }
        Completion::Continues
    }

    fn apply_commit(&mut self, shard: ShardId, commit: &JournalCommit) {
        let mut bytes = join(&commit.pieces);
        bytes.resize(commit.length as usize, 0);
        let stamp = self.stamp();
        if let Some(file) = self.find_mut(FileName::Journal(commit.dir, shard, commit.file)) {
            file.write(stamp, commit.position, &bytes);
        }
    }

    fn commit_synced(
        &mut self,
        (shard, dir): (ShardId, LogDir),
        commit: CommitId,
        file: u32,
        through: u64,
        told: bool,
    ) -> Completion {
        self.counters.commits += 1;
        let last = self.last_commit.entry((dir, shard)).or_default();
        self.counters.commits_out_of_order += u64::from(*last > commit.0);
        *last = commit.0.max(*last);
        let fails = self.fails(self.faults.journal_error);
        let never = self.mutations.never_sync;
        let name = FileName::Journal(dir, shard, file);
        if let Some(index) = self.names.get(&name).copied() {
            if fails {
                self.files[index].fail_sync(through, &mut self.random);
            } else if !never {
                self.files[index].sync(through);
                self.unrecorded.durable((dir, shard), commit);
            }
        }
        if told {
            return Completion::Continues;
        }
        if fails && !self.mutations.ignore_sync_errors {
            let error = DiskError { operation: "fdatasync", errno: EIO };
            return Completion::Answer(shard, Input::JournalFailed { dir, error });
        }
        Completion::Answer(shard, Input::JournalCommitted { dir, commit })
    }

    fn segment_written(
        &mut self,
        shard: ShardId,
        file: FileId,
        position: u64,
        bytes: &[u8],
        whole: u64,
    ) -> Completion {
        self.counters.segment_writes += 1;
        if self.lacks_room(file.dir()) {
            let short = &bytes[..(self.random.below(bytes.len() as u64) / BLOCK * BLOCK) as usize];
            self.apply_write(file, position, short);
            // It is asked for again.
            if let Some(open) = self.open.get_mut(&file) {
                open.end = position;
            }
            let operation = SegmentOperation::Write { length: whole };
            return Completion::Answer(shard, Input::SegmentLacksSpace { file, operation, error: NO_ROOM });
        }
        if self.fails(self.faults.segment_error) {
            let short = &bytes[..(self.random.below(bytes.len() as u64) / BLOCK * BLOCK) as usize];
            self.apply_write(file, position, short);
            let error = DiskError { operation: "pwritev", errno: EIO };
            return Completion::Answer(shard, Input::SegmentFailed { file, error });
        }
        self.apply_write(file, position, bytes);
        Completion::Answer(shard, Input::SegmentWritten { file, position, length: whole })
    }

    /// The file of an open segment, created now if it is the first time.
    fn create(&mut self, file: FileId) -> Option<usize> {
        let open = self.open.get(&file)?;
        if open.file.is_some() {
            return open.file;
        }
        let index = self.insert(FileName::Segment(file.dir(), open.name), File::default());
        self.open.get_mut(&file)?.file = Some(index);
        Some(index)
    }

    fn apply_write(&mut self, file: FileId, position: u64, bytes: &[u8]) {
        let stamp = self.stamp();
        let within = if self.mutations.forget_last_block { position % BLOCK } else { 0 };
        if let Some(index) = self.create(file) {
            self.files[index].write(stamp, position - within, &[&vec![0; within as usize], bytes].concat());
        }
    }

    fn segments_synced(
        &mut self,
        shard: ShardId,
        sync: SyncId,
        files: &[(FileId, Option<usize>)],
        through: u64,
    ) -> Completion {
        self.counters.segment_syncs += 1;
        self.moment = true;
        if let Some((file, index)) = files.first()
            && self.fails(self.faults.segment_error.max(self.faults.segment_sync_error))
        {
            if let Some(index) = index {
                self.files[*index].fail_sync(through, &mut self.random);
            }
            let error = DiskError { operation: "fdatasync", errno: EIO };
            return Completion::Answer(shard, Input::SegmentFailed { file: *file, error });
        }
        if !self.mutations.never_sync {
            for index in files.iter().filter_map(|(_, index)| *index) {
                self.files[index].sync(through);
                self.files[index].linked = true;
            }
            self.synced_directory();
        }
        Completion::Answer(shard, Input::SegmentsSynced { sync })
    }

    fn seal_written(
        &mut self,
        life: Life,
        id: OperationId,
        (shard, file): (ShardId, FileId),
        Seal { position, tail, length, summary }: Seal,
        schedule: &mut Schedule,
    ) -> Completion {
        if self.lacks_room(file.dir()) {
            let operation = SegmentOperation::Seal;
            return Completion::Answer(shard, Input::SegmentLacksSpace { file, operation, error: NO_ROOM });
        }
        self.apply_write(file, position, &tail);
        let stamp = self.stamp();
        let Some(index) = self.lease(file) else {
            let error = DiskError { operation: "open", errno: ENOENT };
            self.violations.push(format!("{file:?} is sealed and not open"));
            return Completion::Answer(shard, Input::SegmentFailed { file, error });
        };
        if self.files[index].length() < length {
            self.violations.push(format!("{file:?} is sealed at {length}: its file is shorter"));
        }
        self.files[index].truncate(stamp, length);
        self.files[index].sealed = true;
        self.moment |= self.is_moment(file);
        let sync = Operation::SealSync { shard, file, index, through: self.stamp, summary };
        self.operations.insert(id, sync);
        self.schedule(life, id, schedule);
        Completion::Continues
    }

    /// The segment is exact and durable; now its summary is written. None: nothing is told yet.
    fn seal_synced(&mut self, file: FileId, index: usize, through: u64, summary: Bytes) -> Option<Input> {
        self.counters.seals += 1;
        if self.lacks_room(file.dir()) {
            // The segment is exact and synced, but for its summary there is no room.
            self.files[index].sync(through);
            let operation = SegmentOperation::Seal;
            return Some(Input::SegmentLacksSpace { file, operation, error: NO_ROOM });
        }
        if self.fails(self.faults.segment_error) {
            self.files[index].fail_sync(through, &mut self.random);
            let error = DiskError { operation: "fsync", errno: EIO };
            return Some(Input::SegmentFailed { file, error });
        }
        if !self.mutations.never_sync {
            self.files[index].sync(through);
            self.files[index].linked = true;
            self.synced_directory();
        }
        let name = self.open.get(&file)?.name;
        self.moment |= self.is_moment(file);
        self.summaries.replace(name, summary, false);
        if !self.mutations.seal_before_summary {
            return None;
        }
        self.summaries.promise(name);
        Some(Input::SegmentSealed { file })
    }

    fn index_loaded(
        &mut self,
        file: FileId,
        index: Option<usize>,
        sealed: &SealedSegment,
    ) -> Result<Bytes, IndexFault> {
        let fails = self.fails(self.faults.read_error);
        let name = self.open.get(&file).map(|open| open.name);
        let result = match name.filter(|_| !fails) {
            Some(name) => self.load_index(name, index, sealed),
            None => Err(IndexFault::Disk(DiskError { operation: "read", errno: EIO })),
        };
        if let Err(IndexFault::NotABatch { position }) = result {
            self.violations.push(format!("{name:?} has no batch at {position}: {sealed:?}"));
        }
        result
    }

    fn segment_read(
        &mut self,
        file: FileId,
        index: Option<usize>,
        position: u64,
        length: u64,
    ) -> Result<Bytes, DiskError> {
        let bytes = index.and_then(|index| self.read_leased(index, position, length));
        if bytes.is_none() {
            self.violations.push(format!("read of {length} bytes at {position} of {file:?}: not there"));
        }
        self.counters.reads += 1;
        let fails = self.fails(self.faults.read_error);
        bytes.filter(|_| !fails).ok_or(DiskError { operation: "read", errno: EIO })
    }

    fn summary_synced(&mut self, shard: ShardId, file: FileId, told: bool) -> Completion {
        if let Some(open) = self.open.get(&file) {
            self.summaries.sync(open.name);
            self.summaries.promise(open.name);
            self.unrecorded.sealed(open.name);
        }
        if told { Completion::Continues } else { Completion::Answer(shard, Input::SegmentSealed { file }) }
    }

    fn check_summary(&mut self, file: FileId, length: u64, summary: &Bytes) {
        let Some(name) = self.open.get(&file).map(|open| open.name) else { return };
        let told = Summary::decode(name.topic_partition, summary);
        let fits = told.as_ref().is_ok_and(|told| {
            let segment = &told.segment;
            segment.base_offset == name.base_offset
                && segment.length == length
                && told.snapshot.is_some()
                && index_of_summary(segment, told).is_some()
        });
        if !fits {
            self.violations.push(format!("the summary of {file:?} is not of its {length} bytes: {told:?}"));
        }
    }

    pub(super) fn unlink_partition(&mut self, dir: LogDir, topic_partition: TopicPartition) {
        let names: Vec<FileName> = self.names.keys().copied().collect();
        for name in names {
            if matches!(name, FileName::Segment(of, segment) if of == dir && segment.topic_partition == topic_partition)
            {
                self.unlink(name);
            }
        }
        self.log_starts.remove(&(dir, topic_partition));
        self.summaries.remove(topic_partition);
    }

    fn log_start_written(
        &mut self,
        dir: LogDir,
        topic_partition: TopicPartition,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        if self.lacks_room(dir) {
            return Err(DiskError { operation: "write", errno: ENOSPC });
        }
        self.counters.log_starts += 1;
        self.moment = true;
        let fails = self.fails(self.faults.segment_error);
        let synced = !self.mutations.never_sync && !self.mutations.log_start_not_synced && !fails;
        let file = self.log_starts.entry((dir, topic_partition)).or_default();
        file.current = Some(bytes.to_vec());
        if synced {
            file.durable.clone_from(&file.current);
            // The rename is made durable by a sync of the directory.
            self.synced_directory();
        }
        if fails { Err(DiskError { operation: "fsync", errno: EIO }) } else { Ok(()) }
    }

    fn unlink_segments(&mut self, dir: LogDir, topic_partition: TopicPartition, segments: &[Offset]) {
        for &base_offset in segments {
            self.counters.segments_unlinked += 1;
            let name = SegmentName { topic_partition, base_offset };
            self.unlink(FileName::Segment(dir, name));
            self.summaries.unlink(name);
        }
    }

    fn metadata_appended(
        &mut self,
        life: Life,
        append: u64,
        batch: &Bytes,
        schedule: &mut Schedule,
    ) -> Completion {
        self.counters.metadata_appends += 1;
        self.metadata_queue.remove(0);
        if let Some(next) = self.metadata_queue.first().copied() {
            self.schedule(life, next, schedule);
        }
        if self.lacks_room(LogDir(0)) {
            return Completion::Answer(ShardId(0), Input::MetadataLacksSpace { append, error: NO_ROOM });
        }
        self.metadata.extend_from_slice(batch);
        let result = if self.fails(self.faults.metadata_error) {
            Err(DiskError { operation: "fdatasync", errno: EIO })
        } else {
            if !self.mutations.never_sync {
                self.metadata_durable = self.metadata.len();
            }
            Ok(())
        };
        Completion::Answer(ShardId(0), Input::MetadataAppended { append, result })
    }

    /// The power goes while the operation is under way: it was done, without being synced.
    pub(super) fn interrupt(&mut self, operation: Operation) {
        match operation {
            Operation::CommitWrite { shard, commit } => self.apply_commit(shard, &commit),
            Operation::Write { file, position, bytes, .. } => self.apply_write(file, position, &bytes),
            Operation::SealWrite { file, seal: Seal { position, tail, length, .. }, .. } => {
                self.apply_write(file, position, &tail);
                let stamp = self.stamp();
                if let Some(index) = self.lease(file) {
                    self.files[index].truncate(stamp, length);
                }
            }
            Operation::Prepare { shard, dir, file, bytes } => {
                let name = FileName::Journal(dir, shard, file);
                // One that was there is emptied first, which is not durable.
                if self.find(name).is_none() || self.random.percent(50) {
                    let written = self.random.between(0, bytes / BLOCK + 1) * BLOCK;
                    self.names.remove(&name);
                    self.insert(name, File::zeroed(written));
                }
            }
            Operation::Delete { dir, topic_partition, .. } => self.unlink_partition(dir, topic_partition),
            Operation::LogStart { trim, topic_partition, bytes, .. } => {
                self.log_starts.entry((trim.dir(), topic_partition)).or_default().current =
                    Some(bytes.to_vec());
            }
            Operation::Unlink { trim, topic_partition, segments, .. } => {
                let count = self.random.below(segments.len() as u64 + 1) as usize;
                self.unlink_segments(trim.dir(), topic_partition, &segments[..count]);
            }
            Operation::Metadata { batch, .. } => self.metadata.extend_from_slice(&batch),
            Operation::Compaction { shard, compaction, step } => {
                self.interrupt_compaction((shard, compaction), &step);
            }
            Operation::CommitSync { .. }
            | Operation::Sync { .. }
            | Operation::SealSync { .. }
            | Operation::SummarySync { .. }
            | Operation::LoadIndex { .. }
            | Operation::Read { .. } => {}
        }
    }
}
