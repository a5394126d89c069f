//! What one shard keeps, over all log dirs: finds the storage that a log, or an answer of the disk, belongs to.
//!
//! Decides nothing: the dir is part of every id, and of every input that has no id.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{
    CompactionLimits, IndexLoad, IndexWait, RecoveredShard, Storage, StorageConfig, StorageCounters,
    StoredAppend,
};
use crate::effect::{DiskError, Effects, FileId, IndexFault};
use crate::input::Input;
use crate::journal::LogId;
use crate::log::{PartitionLog, Refused};
use crate::model::topic_config::TopicConfig;
use crate::model::{DurableOffset, Instant, LeaderEpoch, LogDir, Now, Offset, TopicPartition};

/// One log dir as a shard begins with it.
#[derive(Debug)]
pub struct DirStart {
    pub config: StorageConfig,
    /// Err: nothing in it can be served in this run.
    pub recovered: Result<RecoveredShard, DiskError>,
}

/// Lives: per shard.
/// Invariants: one storage for each log dir, in the order of their numbers, also for those that failed.
#[derive(Debug)]
pub struct Storages(Vec<Storage>);

impl Storages {
    #[must_use]
    pub fn new(dirs: Vec<DirStart>) -> Storages {
        assert!(!dirs.is_empty(), "a broker has a log dir");
        let storages = dirs.into_iter().map(|DirStart { config, recovered }| match recovered {
            Ok(recovered) => Storage::new(config, recovered),
            Err(error) => {
                let mut storage = Storage::new(config, RecoveredShard::empty(config.shard));
                storage.failed = Some(error);
                storage
            }
        });
        Storages(storages.collect())
    }

    pub fn dirs(&self) -> impl Iterator<Item = LogDir> + use<> {
        (0..u8::try_from(self.0.len()).expect("the configuration bounds them")).map(LogDir)
    }

    #[must_use]
    pub fn dir(&self, dir: LogDir) -> &Storage {
        &self.0[usize::from(dir.0)]
    }

    fn of(&mut self, log: LogId) -> &mut Storage {
        &mut self.0[usize::from(log.dir().0)]
    }

    /// As `Storage::open`. None: the log dir that the partition was assigned to is not here, so it cannot be served.
    pub fn open(
        &mut self,
        now: Now,
        dir: Option<LogDir>,
        topic_partition: TopicPartition,
        config: Arc<TopicConfig>,
        effects: &mut Effects,
    ) -> LogId {
        let place = dir.map_or(0, |dir| usize::from(dir.0));
        if dir.is_none() {
            self.0[place].offline.insert(topic_partition);
        }
        self.0[place].open(now, topic_partition, config, effects)
    }

    #[must_use]
    pub fn log(&self, id: LogId) -> &PartitionLog {
        self.dir(id.dir()).log(id)
    }

    pub fn log_mut(&mut self, id: LogId) -> &mut PartitionLog {
        self.of(id).log_mut(id)
    }

    pub fn set_config(&mut self, id: LogId, config: Arc<TopicConfig>) {
        self.of(id).set_config(id, config);
    }

    #[must_use]
    pub fn durable_end(&self, id: LogId) -> DurableOffset {
        self.dir(id.dir()).durable_end(id)
    }

    #[must_use]
    pub fn serves(&self, id: LogId) -> bool {
        self.dir(id.dir()).serves(id)
    }

    /// As `Storage::append`; the commit is one of the log's own dir.
    pub fn append(
        &mut self,
        id: LogId,
        now: Now,
        leader_epoch: LeaderEpoch,
        records: BytesMut,
        transactional: bool,
    ) -> Result<StoredAppend, Refused> {
        self.of(id).append(id, now, leader_epoch, records, transactional)
    }

    pub fn delete(&mut self, id: LogId, effects: &mut Effects) {
        self.of(id).delete(id, effects);
    }

    /// As `Storage::retain`.
    pub fn retain(&mut self, id: LogId, now: Now) {
        self.of(id).retain(id, now);
    }

    /// As `Storage::trim`.
    pub fn trim(&mut self, id: LogId, log_start: Offset) {
        self.of(id).trim(id, log_start);
    }

    /// As `Storage::consider_compaction`.
    pub fn consider_compaction(&mut self, id: LogId, now: Now, below: Offset) {
        self.of(id).consider_compaction(id, now, below);
    }

    /// As `Storage::begin_compaction`, in each dir.
    pub fn begin_compactions(&mut self, now: Now, limits: CompactionLimits) {
        self.0.iter_mut().for_each(|storage| storage.begin_compaction(now, limits));
    }

    /// As `Storage::take_compaction_due`, of any dir.
    pub fn take_compaction_due(&mut self) -> bool {
        self.0.iter_mut().fold(false, |is_due, storage| storage.take_compaction_due() | is_due)
    }

    /// As `Storage::take_compacted`.
    pub fn take_compacted(&mut self) -> Vec<LogId> {
        self.0.iter_mut().flat_map(Storage::take_compacted).collect()
    }

    /// As `Storage::take_trimmed`.
    pub fn take_trimmed(&mut self) -> Vec<(LogId, Result<(), DiskError>)> {
        self.0.iter_mut().flat_map(Storage::take_trimmed).collect()
    }

    /// As `Storage::on_input`. Returns the dir that the input was about.
    pub fn on_input(
        &mut self,
        now: Now,
        input: &Input,
        effects: &mut Effects,
        durable: &mut Vec<(LogId, DurableOffset)>,
    ) -> Option<LogDir> {
        let dir = dir_of(input)?;
        self.0.get_mut(usize::from(dir.0))?.on_input(now, input, effects, durable);
        Some(dir)
    }

    /// As `Storage::load_index`.
    pub fn load_index(
        &mut self,
        now: Instant,
        log: LogId,
        segment: Offset,
        effects: &mut Effects,
    ) -> Result<IndexWait, IndexFault> {
        self.of(log).load_index(now, log, segment, effects)
    }

    /// As `Storage::take_hopeless`.
    pub fn take_hopeless(&mut self, dir: LogDir) -> Vec<LogId> {
        self.0[usize::from(dir.0)].take_hopeless()
    }

    #[must_use]
    pub fn is_loading_index(&self, log: LogId) -> bool {
        self.dir(log.dir()).is_loading_index(log)
    }

    /// As `Storage::on_index_loaded`.
    pub fn on_index_loaded(
        &mut self,
        now: Instant,
        file: FileId,
        result: &Result<Bytes, IndexFault>,
    ) -> Option<IndexLoad> {
        self.0.get_mut(usize::from(file.dir().0))?.on_index_loaded(now, file, result)
    }

    #[must_use]
    pub fn segment_of(&self, file: FileId) -> Offset {
        self.dir(file.dir()).segment_of(file)
    }

    #[must_use]
    pub fn wakes_index_readers(&self) -> bool {
        self.0.iter().all(Storage::wakes_index_readers)
    }

    pub fn on_index_used(&mut self, log: LogId, offset: Offset) {
        self.of(log).on_index_used(log, offset);
    }

    pub fn end_turn(&mut self, now: Now, effects: &mut Effects) {
        self.0.iter_mut().for_each(|storage| storage.end_turn(now, effects));
    }

    pub fn stop(&mut self, effects: &mut Effects) {
        self.0.iter_mut().for_each(|storage| storage.stop(effects));
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.iter().all(Storage::is_stopped)
    }

    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(Storage::next_deadline).min()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Storage> {
        self.0.iter()
    }

    /// The sums over all dirs.
    #[must_use]
    pub fn counters(&self) -> StorageCounters {
        self.0.iter().fold(StorageCounters::default(), |sum, storage| sum.plus(storage.counters()))
    }
}

fn dir_of(input: &Input) -> Option<LogDir> {
    match input {
        Input::JournalCommitted { dir, .. }
        | Input::JournalFailed { dir, .. }
        | Input::JournalFileReady { dir, .. }
        | Input::JournalFileLacksSpace { dir, .. }
        | Input::DiskSpace { dir, .. } => Some(*dir),
        Input::SegmentWritten { file, .. }
        | Input::SegmentSealed { file }
        | Input::SegmentLacksSpace { file, .. }
        | Input::SegmentFailed { file, .. } => Some(file.dir()),
        Input::SegmentsSynced { sync } => Some(sync.dir()),
        Input::LogStartWritten { trim, .. } | Input::SegmentsUnlinked { trim } => Some(trim.dir()),
        Input::KeysMapped { compaction, .. }
        | Input::SegmentsRewritten { compaction, .. }
        | Input::SegmentsSwapped { compaction, .. } => Some(compaction.dir()),
        _ => None,
    }
}
