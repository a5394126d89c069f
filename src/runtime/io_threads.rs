//! The disk work of one shard that is not the journal's own write: what blocks or is large, off the shard's thread.
//!
//! Segments and journal files are the matter of `bulk`. Cold ranges, removal, log starts, compaction and the metadata log have
//! plain threads of their own: none waits behind another.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::effect::{DiskError, FileId, ReadId, RestoreSegment, SyncId, TrimId};
use crate::input::Input;
use crate::metrics::RuntimeMetrics;
use crate::model::{LogDir, Offset, SealedSegment, ShardId, TopicPartition};

use super::bulk::{Bulk, By, Order, Seal, SegmentCounts};
use super::cold_reader::{ColdRange, ColdReaders};
use super::compactor::Compactor;
use super::files::{Files, SegmentFile};
use super::log_start_file::LogStartFiles;
use super::mesh::{Mail, Postbox};
use super::metadata_file::{AppendError, MetadataFile};
use super::removal::Remover;
use super::reserve::Reserve;
use super::restorer::{Restores, restore_all};

const STACK_BYTES: usize = 256 * 1024;

const RING_TRIES: usize = 50;
const RING_PAUSE: Duration = Duration::from_millis(20);

struct LogStartWrite {
    trim: TrimId,
    topic_partition: TopicPartition,
    bytes: Bytes,
}

struct MetadataAppend {
    append: u64,
    batch: Bytes,
}

/// The sending side; the shard's loop owns it.
#[derive(Debug)]
pub struct IoThreads {
    bulk: Bulk,
    cold: ColdReaders,
    remover: Remover,
    log_starts: Sender<LogStartWrite>,
    compactor: Compactor,
    restores: Sender<Restores>,
    metadata: Option<Sender<MetadataAppend>>,
    threads: Vec<JoinHandle<()>>,
    counts: Arc<SegmentCounts>,
}

impl IoThreads {
    /// Shard 0 gives the metadata log.
    pub fn start(
        shard: ShardId,
        files: &Arc<Files>,
        reserves: &Arc<[Reserve]>,
        reply: &Postbox,
        metadata: Option<MetadataFile>,
    ) -> io::Result<IoThreads> {
        IoThreads::start_by(By::Executor, shard, files, reserves, reply, metadata)
    }

    pub fn start_by(
        by: By,
        shard: ShardId,
        files: &Arc<Files>,
        reserves: &Arc<[Reserve]>,
        reply: &Postbox,
        metadata: Option<MetadataFile>,
    ) -> io::Result<IoThreads> {
        let counts = Arc::new(SegmentCounts::default());
        let (bulk, mut threads) = Bulk::start(by, shard, files, reply, &counts)?;
        let (cold, cold_threads) = ColdReaders::start(shard, files.commits(), reply)?;
        threads.extend(cold_threads);
        let (remover, removal) = Remover::start(shard, Arc::clone(files.data_dirs()), reply.clone())?;
        threads.push(removal);
        let (log_starts, jobs) = unbounded();
        let starts = LogStartFiles::new(Arc::clone(files.data_dirs()), Arc::clone(reserves));
        let starts_reply = reply.clone();
        threads.push(thread(format!("starts-{shard}"), STACK_BYTES, move || {
            write_log_starts(&jobs, &starts, &starts_reply);
        })?);
        let heir = remover.heir();
        let (compactor, compaction) =
            Compactor::start(shard, Arc::clone(files.data_dirs()), heir, reply.clone())?;
        threads.push(compaction);
        let (restores, jobs) = unbounded();
        let (restores_reply, data_dirs) = (reply.clone(), Arc::clone(files.data_dirs()));
        threads.push(thread(format!("restores-{shard}"), STACK_BYTES, move || {
            restore_all(shard, &jobs, &data_dirs, &restores_reply);
        })?);
        let metadata = match metadata {
            None => None,
            Some(file) => {
                let (sender, jobs) = unbounded();
                let reply = reply.clone();
                threads.push(thread(format!("metadata-{shard}"), STACK_BYTES, move || {
                    append_all(&jobs, file, &reply);
                })?);
                Some(sender)
            }
        };
        Ok(IoThreads { bulk, cold, remover, log_starts, compactor, restores, metadata, threads, counts })
    }

    pub fn write(&self, file: Arc<SegmentFile>, position: u64, pieces: Vec<Bytes>) {
        self.bulk.write(file, position, pieces);
    }

    pub fn seal(&self, file: Arc<SegmentFile>, seal: Seal) {
        self.bulk.seal(file, seal);
    }

    pub fn load_index(&self, file: Arc<SegmentFile>, of: TopicPartition, sealed: SealedSegment) {
        self.bulk.order(Order::LoadIndex { file, of, sealed });
    }

    pub fn sync(&self, sync: SyncId, files: Vec<Arc<SegmentFile>>) {
        self.bulk.order(Order::Sync { sync, files });
    }

    /// After what was asked of the file before. A file that was sealed is closed already.
    pub fn close(&self, file: FileId) {
        self.bulk.close(file);
    }

    pub fn make_resident(&self, range: ColdRange) {
        self.cold.read(range);
    }

    pub fn read(&self, read: ReadId, file: Arc<SegmentFile>, position: u64, length: u64) {
        self.bulk.order(Order::Read { read, file, position, length });
    }

    pub fn prepare_journal_file(&self, dir: LogDir, file: u32, bytes: u64) {
        self.bulk.order(Order::PrepareJournalFile { dir, file, bytes });
    }

    pub fn delete_partition(
        &self,
        dir: LogDir,
        topic_partition: TopicPartition,
        held: Vec<Arc<SegmentFile>>,
    ) {
        self.remover.delete_partition(dir, topic_partition, held);
    }

    pub fn unlink_segments(
        &self,
        trim: TrimId,
        topic_partition: TopicPartition,
        segments: Vec<Offset>,
        held: Vec<Arc<SegmentFile>>,
    ) {
        self.remover.unlink_segments(trim, topic_partition, segments, held);
    }

    /// A stop waits for no removal.
    pub fn begin_stop(&self) {
        self.remover.begin_stop();
    }

    pub fn remove_left_over(&self, directories: Vec<PathBuf>) {
        self.remover.remove_left_over(directories);
    }

    pub fn write_log_start(&self, trim: TrimId, topic_partition: TopicPartition, bytes: Bytes) {
        post(&self.log_starts, LogStartWrite { trim, topic_partition, bytes });
    }

    #[must_use]
    pub fn compactor(&self) -> &Compactor {
        &self.compactor
    }

    pub fn restore(&self, dir: LogDir, segments: Vec<RestoreSegment>) {
        post(&self.restores, Restores { dir, segments });
    }

    pub fn append_metadata(&self, append: u64, batch: Bytes) {
        let metadata = self.metadata.as_ref().expect("only shard 0 hosts the controller");
        post(metadata, MetadataAppend { append, batch });
    }

    pub fn add_counts_to(&self, metrics: &mut RuntimeMetrics) {
        metrics.segment_writes = self.counts.writes.load(Ordering::Relaxed);
        metrics.segment_bytes = self.counts.bytes.load(Ordering::Relaxed);
        metrics.segment_syncs = self.counts.syncs.load(Ordering::Relaxed);
        metrics.file_system_syncs = self.counts.file_system_syncs.load(Ordering::Relaxed);
    }

    /// Finishes what was asked and ends the threads.
    pub fn stop(self) {
        let IoThreads { bulk, cold, remover, log_starts, compactor, restores, metadata, threads, counts: _ } =
            self;
        compactor.stop();
        remover.begin_stop();
        drop((bulk, cold, remover, log_starts, restores, metadata));
        for thread in threads {
            // A panic has already aborted the process.
            let _ = thread.join();
        }
    }
}

/// The other side lives until this one is dropped, so there is always someone who listens.
pub fn post<T>(to: &Sender<T>, job: T) {
    let sent = to.send(job).is_ok();
    debug_assert!(sent, "a helper thread ended early");
}

pub fn thread(
    name: String,
    stack_bytes: usize,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).stack_size(stack_bytes).spawn(run)
}

/// Makes a ring. Rings count as locked memory, and those of a process that has just ended are given back a moment later: a broker that
/// is restarted at once tries again for a while.
pub fn when_locked_memory_is_back<T>(make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..RING_TRIES {
        match make() {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => std::thread::sleep(RING_PAUSE),
            result => return result,
        }
    }
    make()
}

/// What the operating system said, for the core.
pub fn disk_error(operation: &'static str, error: &io::Error) -> DiskError {
    DiskError { operation, errno: error.raw_os_error().unwrap_or(libc::EIO) }
}

fn write_log_starts(jobs: &Receiver<LogStartWrite>, files: &LogStartFiles, reply: &Postbox) {
    for LogStartWrite { trim, topic_partition, bytes } in jobs {
        let result = files.write(trim.dir(), topic_partition, &bytes).map_err(|error| {
            tracing::warn!(%topic_partition, %error, "cannot write where a log starts");
            disk_error("write log start", &error)
        });
        reply.send(Mail::Input(Input::LogStartWritten { trim, result }));
    }
}

fn append_all(jobs: &Receiver<MetadataAppend>, mut file: MetadataFile, reply: &Postbox) {
    for MetadataAppend { append, batch } in jobs {
        let operation = "append metadata";
        reply.send(Mail::Input(match file.append(&batch) {
            Ok(()) => Input::MetadataAppended { append, result: Ok(()) },
            Err(AppendError::NoRoom(error)) => {
                Input::MetadataLacksSpace { append, error: disk_error(operation, &error) }
            }
            Err(AppendError::Final(error)) => {
                tracing::error!(%error, "cannot append to the metadata log: metadata cannot be changed until the next start");
                Input::MetadataAppended { append, result: Err(disk_error(operation, &error)) }
            }
        }));
    }
}
