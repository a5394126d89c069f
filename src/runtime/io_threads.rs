//! Helper threads of one shard: everything that may block and is not the journal's own write.
//!
//! Segment files are spread over the writer threads by their number, so what is asked of one file happens in the order it was
//! asked. Reads, chores (zero-filling, unlinking) and the metadata log have threads of their own: none waits behind another.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::{Bytes, BytesMut};
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::effect::{DiskError, ReadId, SyncId};
use crate::input::Input;
use crate::limits::RECEIVE_BYTES;
use crate::metrics::RuntimeMetrics;
use crate::model::{ConnectionId, ShardId, TopicPartition};

use super::aligned::Aligned;
use super::chores;
use super::files::{Files, SegmentFile};
use super::mesh::{Mail, Postbox};
use super::metadata_file::MetadataFile;

const WRITERS: usize = 2;
const READERS: usize = 2;
const STACK_BYTES: usize = 256 * 1024;

/// What the writer threads have done, for the metrics.
#[derive(Debug, Default)]
pub struct SegmentCounts {
    pub writes: AtomicU64,
    pub bytes: AtomicU64,
    pub syncs: AtomicU64,
}

enum WriteJob {
    Write { file: Arc<SegmentFile>, position: u64, pieces: Vec<Bytes> },
    Sync { files: Vec<Arc<SegmentFile>>, group: Arc<SyncGroup> },
    Seal { file: Arc<SegmentFile>, position: u64, tail: Bytes, length: u64 },
}

/// One `SyncSegments`, spread over the writer threads: the last one to finish answers.
struct SyncGroup {
    sync: SyncId,
    remaining: AtomicUsize,
    failed: Mutex<Option<Input>>,
}

enum ReadJob {
    MakeResident { connection: ConnectionId, file: Arc<SegmentFile>, position: u64, length: u64 },
    Read { read: ReadId, file: Arc<SegmentFile>, position: u64, length: u64 },
}

enum Chore {
    PrepareJournalFile { file: u32, bytes: u64 },
    DeletePartition { topic_partition: TopicPartition },
}

struct MetadataAppend {
    append: u64,
    batch: Bytes,
}

/// The sending side; the shard's loop owns it.
#[derive(Debug)]
pub struct IoThreads {
    writers: Vec<Sender<WriteJob>>,
    readers: Sender<ReadJob>,
    chores: Sender<Chore>,
    metadata: Option<Sender<MetadataAppend>>,
    threads: Vec<JoinHandle<()>>,
    pub counts: Arc<SegmentCounts>,
}

impl IoThreads {
    /// Shard 0 gives the metadata log.
    pub fn start(
        shard: ShardId,
        files: &Arc<Files>,
        reply: &Postbox,
        metadata: Option<MetadataFile>,
    ) -> io::Result<IoThreads> {
        let counts = Arc::new(SegmentCounts::default());
        let mut threads = Vec::new();
        let mut writers = Vec::new();
        for index in 0..WRITERS {
            let (sender, jobs) = unbounded();
            let (reply, counts) = (reply.clone(), Arc::clone(&counts));
            let name = format!("segment-{shard}-{index}");
            threads.push(thread(name, move || write_segments(&jobs, &reply, &counts))?);
            writers.push(sender);
        }
        let (readers, jobs) = unbounded();
        for index in 0..READERS {
            let (reply, jobs) = (reply.clone(), jobs.clone());
            threads.push(thread(format!("read-{shard}-{index}"), move || read_files(&jobs, &reply))?);
        }
        let (chores, jobs) = unbounded();
        let (chores_reply, data_dir) = (reply.clone(), files.data_dir().to_path_buf());
        threads.push(thread(format!("chores-{shard}"), move || {
            run_chores(&jobs, shard, &data_dir, &chores_reply);
        })?);
        let metadata = match metadata {
            None => None,
            Some(file) => {
                let (sender, jobs) = unbounded();
                let reply = reply.clone();
                threads.push(thread(format!("metadata-{shard}"), move || append_all(&jobs, file, &reply))?);
                Some(sender)
            }
        };
        Ok(IoThreads { writers, readers, chores, metadata, threads, counts })
    }

    pub fn write(&self, file: Arc<SegmentFile>, position: u64, pieces: Vec<Bytes>) {
        self.to_writer(&file.clone(), WriteJob::Write { file, position, pieces });
    }

    pub fn seal(&self, file: Arc<SegmentFile>, position: u64, tail: Bytes, length: u64) {
        self.to_writer(&file.clone(), WriteJob::Seal { file, position, tail, length });
    }

    pub fn sync(&self, sync: SyncId, files: Vec<Arc<SegmentFile>>) {
        let mut parts: Vec<Vec<Arc<SegmentFile>>> = self.writers.iter().map(|_| Vec::new()).collect();
        for file in files {
            parts[self.writer_of(&file)].push(file);
        }
        let used = parts.iter().filter(|part| !part.is_empty()).count().max(1);
        let group = Arc::new(SyncGroup { sync, remaining: AtomicUsize::new(used), failed: Mutex::new(None) });
        let mut sent = 0;
        for (index, files) in parts.into_iter().enumerate() {
            let last_chance = index + 1 == self.writers.len() && sent == 0;
            if !files.is_empty() || last_chance {
                sent += 1;
                post(&self.writers[index], WriteJob::Sync { files, group: Arc::clone(&group) });
            }
        }
    }

    pub fn make_resident(
        &self,
        connection: ConnectionId,
        file: Arc<SegmentFile>,
        position: u64,
        length: u64,
    ) {
        post(&self.readers, ReadJob::MakeResident { connection, file, position, length });
    }

    pub fn read(&self, read: ReadId, file: Arc<SegmentFile>, position: u64, length: u64) {
        post(&self.readers, ReadJob::Read { read, file, position, length });
    }

    pub fn prepare_journal_file(&self, file: u32, bytes: u64) {
        post(&self.chores, Chore::PrepareJournalFile { file, bytes });
    }

    pub fn delete_partition(&self, topic_partition: TopicPartition) {
        post(&self.chores, Chore::DeletePartition { topic_partition });
    }

    pub fn append_metadata(&self, append: u64, batch: Bytes) {
        let metadata = self.metadata.as_ref().expect("only shard 0 hosts the controller");
        post(metadata, MetadataAppend { append, batch });
    }

    /// Finishes what was asked and ends the threads.
    pub fn stop(self) {
        let IoThreads { writers, readers, chores, metadata, threads, counts: _ } = self;
        drop((writers, readers, chores, metadata));
        for thread in threads {
            // A panic has already aborted the process.
            let _ = thread.join();
        }
    }

    fn writer_of(&self, file: &SegmentFile) -> usize {
        usize::try_from(file.id.0 % self.writers.len() as u64).expect("less than a length")
    }

    fn to_writer(&self, file: &SegmentFile, job: WriteJob) {
        post(&self.writers[self.writer_of(file)], job);
    }
}

/// The other side lives until this one is dropped, so there is always someone who listens.
fn post<T>(to: &Sender<T>, job: T) {
    let sent = to.send(job).is_ok();
    debug_assert!(sent, "a helper thread ended early");
}

fn thread(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(run)
}

/// What the operating system said, for the core.
pub fn disk_error(operation: &'static str, error: &io::Error) -> DiskError {
    DiskError { operation, errno: error.raw_os_error().unwrap_or(libc::EIO) }
}

fn write_segments(jobs: &Receiver<WriteJob>, reply: &Postbox, counts: &SegmentCounts) {
    let mut scratch = Aligned::default();
    for job in jobs {
        match job {
            WriteJob::Write { file, position, pieces } => {
                let length = pieces.iter().map(|piece| piece.len() as u64).sum();
                let mut writer = file.writer.lock().unwrap_or_else(PoisonError::into_inner);
                let result = writer.write(&file.path, &mut scratch, position, &pieces);
                counts.writes.fetch_add(1, Ordering::Relaxed);
                counts.bytes.fetch_add(length, Ordering::Relaxed);
                reply.send(Mail::Input(match result {
                    Ok(()) => Input::SegmentWritten { file: file.id, position, length },
                    Err(error) => segment_failed(&file, "write segment", &error),
                }));
            }
            WriteJob::Sync { files, group } => {
                sync_part(&files, &group);
                if group.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
                    counts.syncs.fetch_add(1, Ordering::Relaxed);
                    let failed = group.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
                    reply.send(Mail::Input(failed.unwrap_or(Input::SegmentsSynced { sync: group.sync })));
                }
            }
            WriteJob::Seal { file, position, tail, length } => {
                let mut writer = file.writer.lock().unwrap_or_else(PoisonError::into_inner);
                let result = writer.seal(&file.path, &mut scratch, position, &tail, length);
                reply.send(Mail::Input(match result {
                    Ok(()) => Input::SegmentSealed { file: file.id },
                    Err(error) => segment_failed(&file, "seal segment", &error),
                }));
            }
        }
    }
}

fn sync_part(files: &[Arc<SegmentFile>], group: &SyncGroup) {
    for file in files {
        let mut writer = file.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writer.sync(&file.path) {
            let failed = segment_failed(file, "sync segment", &error);
            *group.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed);
        }
    }
}

fn segment_failed(file: &SegmentFile, operation: &'static str, error: &io::Error) -> Input {
    tracing::error!(path = %file.path.display(), %error, "cannot {operation}");
    Input::SegmentFailed { file: file.id, error: disk_error(operation, error) }
}

fn read_files(jobs: &Receiver<ReadJob>, reply: &Postbox) {
    let mut scratch = vec![0; RECEIVE_BYTES];
    for job in jobs {
        match job {
            ReadJob::MakeResident { connection, file, position, length } => {
                let result = fault_in(&file, &mut scratch, position, length);
                reply.send(Mail::RangeResident { connection, result });
            }
            ReadJob::Read { read, file, position, length } => {
                let result = read_range(&file, position, length);
                if let Err(error) = &result {
                    tracing::error!(path = %file.path.display(), position, length, %error, "cannot read segment");
                }
                let result = result.map_err(|error| disk_error("read segment", &error));
                reply.send(Mail::Input(Input::ReadDone { read, result }));
            }
        }
    }
}

/// Reads the range through the page cache, so that `sendfile` finds every page of it.
fn fault_in(file: &SegmentFile, scratch: &mut [u8], position: u64, length: u64) -> io::Result<()> {
    let open = file.open()?;
    let end = position + length;
    let mut at = position;
    while at < end {
        let take = usize::try_from(end - at).map_or(scratch.len(), |left| left.min(scratch.len()));
        let got = open.read_at(&mut scratch[..take], at)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += got as u64;
    }
    Ok(())
}

fn read_range(file: &SegmentFile, position: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut bytes = BytesMut::zeroed(length);
    file.open()?.read_exact_at(&mut bytes, position)?;
    Ok(bytes.freeze())
}

fn run_chores(jobs: &Receiver<Chore>, shard: ShardId, data_dir: &Path, reply: &Postbox) {
    for job in jobs {
        let input = match job {
            Chore::PrepareJournalFile { file, bytes } => {
                match chores::prepare_journal_file(data_dir, shard, file, bytes) {
                    Ok(()) => Input::JournalFileReady { file },
                    Err(error) => {
                        tracing::error!(%shard, file, %error, "cannot fill a journal file with zeros");
                        Input::JournalFailed { error: disk_error("prepare journal file", &error) }
                    }
                }
            }
            Chore::DeletePartition { topic_partition } => {
                // What cannot be removed now is removed at the next start: no image names it any more.
                if let Err(error) = chores::delete_partition(data_dir, topic_partition) {
                    tracing::warn!(%topic_partition, %error, "cannot remove a deleted partition's files");
                }
                Input::PartitionDeleted { topic_partition }
            }
        };
        reply.send(Mail::Input(input));
    }
}

fn append_all(jobs: &Receiver<MetadataAppend>, mut file: MetadataFile, reply: &Postbox) {
    for MetadataAppend { append, batch } in jobs {
        let result = file.append(&batch).map_err(|error| {
            tracing::error!(%error, "cannot append to the metadata log");
            disk_error("append metadata", &error)
        });
        reply.send(Mail::Input(Input::MetadataAppended { append, result }));
    }
}

impl SegmentCounts {
    pub fn add_to(&self, metrics: &mut RuntimeMetrics) {
        metrics.segment_writes = self.writes.load(Ordering::Relaxed);
        metrics.segment_bytes = self.bytes.load(Ordering::Relaxed);
        metrics.segment_syncs = self.syncs.load(Ordering::Relaxed);
    }
}
