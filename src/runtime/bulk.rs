//! The disk work of one shard that no acknowledgement waits for: segments written, synced, sealed and read, journal files filled.
//!
//! Bytes of segments go to writer threads. All else goes to a glommio executor on a thread of its own, for what waits much and
//! computes little: many syncs at once above all. Decides nothing about what is written where.
//!
//! What is asked of one segment is written in the order in which it was asked. A sync is of what was answered as written before.

mod blocking;
mod executor;
mod writers;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use crossbeam_channel::{Sender, unbounded};

use crate::effect::{FileId, ReadId, SyncId};
use crate::input::{Input, SegmentOperation};
use crate::model::{LogDir, SealedSegment, ShardId, TopicPartition};

use super::chores;
use super::descriptors::writer_descriptors_max;
use super::files::{Files, SegmentError, SegmentFile, is_full_disk};
use super::io_threads::disk_error;
use super::mesh::{Mail, Postbox};
use writers::Writers;

/// What was done, for the metrics.
#[derive(Debug, Default)]
pub struct SegmentCounts {
    pub writes: AtomicU64,
    pub bytes: AtomicU64,
    pub syncs: AtomicU64,
    /// Syncs of a whole file system among them.
    pub file_system_syncs: AtomicU64,
}

/// What is not a matter of one writer.
pub enum Order {
    Sync {
        sync: SyncId,
        files: Vec<Arc<SegmentFile>>,
    },
    /// The rest of a seal, whose bytes are `written`.
    SyncSealed {
        file: Arc<SegmentFile>,
        written: Arc<File>,
        summary: Bytes,
    },
    LoadIndex {
        file: Arc<SegmentFile>,
        of: TopicPartition,
        sealed: SealedSegment,
    },
    Read {
        read: ReadId,
        file: Arc<SegmentFile>,
        position: u64,
        length: u64,
    },
    PrepareJournalFile {
        dir: LogDir,
        file: u32,
        bytes: u64,
    },
}

/// How a segment ends: `Effect::SealSegment`.
pub struct Seal {
    pub position: u64,
    pub tail: Bytes,
    pub length: u64,
    pub summary: Bytes,
}

/// One log dir, for the bulk work of one shard.
struct BulkDir {
    path: PathBuf,
    /// The dir, open since the start: an error of writing back is told to who had the file system open before it. Each shard has
    /// its own, since each is told once. None: it could not be opened, and nothing is written to it in this run.
    file_system: Option<File>,
}

impl BulkDir {
    /// Makes all durable that was written to its file system. May block, for long.
    fn sync(&self) -> io::Result<()> {
        match &self.file_system {
            Some(file_system) => chores::sync_file_system(file_system),
            None => Err(io::Error::other("the log dir could not be opened at the start")),
        }
    }
}

fn bulk_dirs(files: &Files) -> Arc<[BulkDir]> {
    let dir = |path: &PathBuf| BulkDir { path: path.clone(), file_system: File::open(path).ok() };
    files.data_dirs().iter().map(dir).collect()
}

/// Who does what the writers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Executor,
    Threads,
}

/// What each thread answers with.
#[derive(Debug, Clone)]
struct Replies {
    postbox: Postbox,
    counts: Arc<SegmentCounts>,
}

impl Replies {
    fn answer(&self, input: Input) {
        self.postbox.send(Mail::Input(input));
    }
}

/// The sending side.
#[derive(Debug)]
pub struct Bulk {
    writers: Writers,
    others: Sender<Order>,
}

impl Bulk {
    /// Starts the threads. Dropping the sending side ends them, once everything that was ordered is done.
    pub fn start(
        by: By,
        shard: ShardId,
        files: &Files,
        postbox: &Postbox,
        counts: &Arc<SegmentCounts>,
    ) -> io::Result<(Bulk, Vec<JoinHandle<()>>)> {
        let replies = Replies { postbox: postbox.clone(), counts: Arc::clone(counts) };
        let (others, mut threads) = start_others(by, shard, files, &replies)?;
        let descriptors_max =
            usize::try_from(writer_descriptors_max()).unwrap_or(usize::MAX) / files.shards().max(1);
        let dirs = files.data_dirs().len();
        let (writers, of_writers) = Writers::start(shard, dirs, descriptors_max, &replies, &others)?;
        threads.extend(of_writers);
        Ok((Bulk { writers, others }, threads))
    }

    pub fn write(&self, file: Arc<SegmentFile>, position: u64, pieces: Vec<Bytes>) {
        self.writers.write(file, position, pieces);
    }

    pub fn seal(&self, file: Arc<SegmentFile>, seal: Seal) {
        self.writers.seal(file, seal);
    }

    pub fn close(&self, file: FileId) {
        self.writers.close(file);
    }

    pub fn order(&self, order: Order) {
        send(&self.others, order);
    }
}

/// The executor, or blocking threads where it cannot be had.
fn start_others(
    by: By,
    shard: ShardId,
    files: &Files,
    replies: &Replies,
) -> io::Result<(Sender<Order>, Vec<JoinHandle<()>>)> {
    let (sender, orders) = unbounded();
    if by == By::Threads {
        return Ok((sender, blocking::start(shard, files, replies, &orders)?));
    }
    match executor::start(shard, files, replies, orders) {
        Ok(thread) => Ok((sender, vec![thread])),
        Err(error) => {
            tracing::warn!(
                %shard,
                %error,
                "segment files are synced by blocking threads: the executor for them needs 512 KiB of locked memory \
                 (LimitMEMLOCK, or ulimit -l)"
            );
            start_others(By::Threads, shard, files, replies)
        }
    }
}

/// The other side lives until this one is dropped.
fn send<T>(to: &Sender<T>, job: T) {
    let sent = to.send(job).is_ok();
    debug_assert!(sent, "a bulk thread ended early");
}

/// After everything of a seal but what makes it durable: `result` is of that.
fn sealed_answer(file: &SegmentFile, result: Result<(), SegmentError>) -> Input {
    match result {
        Ok(()) => {
            file.write_side.end();
            Input::SegmentSealed { file: file.id }
        }
        Err(error) => {
            file.write_side.give_back();
            segment_unwritten(file, SegmentOperation::Seal, error)
        }
    }
}

fn read_answer(
    read: ReadId,
    file: &SegmentFile,
    position: u64,
    length: u64,
    result: io::Result<Bytes>,
) -> Input {
    if let Err(error) = &result {
        tracing::error!(path = %file.path().display(), position, length, %error, "cannot read segment");
    }
    Input::ReadDone { read, result: result.map_err(|error| disk_error("read segment", &error)) }
}

fn journal_file_answer(shard: ShardId, dir: LogDir, file: u32, result: io::Result<()>) -> Input {
    match result {
        Ok(()) => Input::JournalFileReady { dir, file },
        Err(error) if is_full_disk(&error) => {
            Input::JournalFileLacksSpace { dir, file, error: disk_error("prepare journal file", &error) }
        }
        Err(error) => {
            tracing::error!(%shard, %dir, file, %error, "cannot fill a journal file with zeros");
            Input::JournalFailed { dir, error: disk_error("prepare journal file", &error) }
        }
    }
}

fn file_system_answer(
    sync: SyncId,
    files: &[Arc<SegmentFile>],
    result: io::Result<()>,
    counts: &SegmentCounts,
) -> Input {
    counts.file_system_syncs.fetch_add(1, Ordering::Relaxed);
    match (result, files.first()) {
        (Err(error), Some(file)) => segment_failed(file, "sync the file system of segments", &error),
        _ => Input::SegmentsSynced { sync },
    }
}

fn segment_unwritten(file: &SegmentFile, operation: SegmentOperation, error: SegmentError) -> Input {
    let what = match operation {
        SegmentOperation::Write { .. } => "write segment",
        SegmentOperation::Seal => "seal segment",
    };
    match error {
        SegmentError::Final(error) => segment_failed(file, what, &error),
        SegmentError::NoRoom(error) => {
            Input::SegmentLacksSpace { file: file.id, operation, error: disk_error(what, &error) }
        }
    }
}

fn segment_failed(file: &SegmentFile, operation: &'static str, error: &io::Error) -> Input {
    tracing::error!(path = %file.path().display(), %error, "cannot {operation}");
    Input::SegmentFailed { file: file.id, error: disk_error(operation, error) }
}

#[cfg(test)]
mod tests;
