//! The bulk executor of one shard: a glommio executor on a thread of its own, for all disk work that no acknowledgement waits for.
//!
//! Orders come over a channel. What is asked of one segment happens in the order it was asked, one task per file that has work;
//! files overlap, within the bounds of `DiskShare`. Decides nothing about what is written where.
//!
//! With nothing to do the thread sleeps in the channel and not in glommio, so an order always wakes it. With work at the disk it
//! looks for orders whenever a piece of work ends, and at each tick. The ticks are there for a second reason: glommio 0.12 can
//! park although a task is ready (docs/decisions/0001), until its next event. Each tick is such an event.

mod blocking;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};
use glommio::sync::Semaphore;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, PoolPlacement};
use rustix::process::{Resource, geteuid, getrlimit};

use crate::effect::{FileId, ReadId, SyncId};
use crate::input::{Input, SegmentOperation};
use crate::limits::{
    BULK_MEMORY_BYTES, BULK_SYNCS_IN_FLIGHT_MAX, BULK_SYNCS_PER_SHARD_MIN, BULK_WRITES_IN_FLIGHT_MAX,
    SYNCED_ONE_BY_ONE_MAX,
};
use crate::model::{LogDir, SealedSegment, ShardId, TopicPartition};

use super::chores;
use super::descriptors::writer_descriptors_max;
use super::dma;
use super::files::{Files, SegmentError, SegmentFile, is_full_disk};
use super::io_threads::{disk_error, thread, when_locked_memory_is_back};
use super::mesh::{Mail, Postbox};
use super::segment_writer::{DiskShare, SegmentWriter};
use super::summary_file;

/// One after the other they are due every 5 ms. Each of them can get lost in a park, and the next one then ends it: all would have
/// to be lost in a row for the executor to sleep on.
const TICKS: u32 = 4;
const TICK: Duration = Duration::from_millis(5);

const PREEMPT_EVERY: Duration = Duration::from_millis(10);
/// For what has no asynchronous call: opening with missing directories, truncating, syncing directories.
const BLOCKING_THREADS: usize = 2;
const STACK_BYTES: usize = 1024 * 1024;

/// Limits of locked memory below this are small: memory that exceeds them is not too much to have. The usual one is 8 MiB.
const LARGE_LIMIT_BYTES: usize = 32 * 1024 * 1024;
const PAGE_BYTES: usize = 4096;
const RINGS: usize = 3;

/// What the bulk executor has done, for the metrics.
#[derive(Debug, Default)]
pub struct SegmentCounts {
    pub writes: AtomicU64,
    pub bytes: AtomicU64,
    pub syncs: AtomicU64,
    /// Syncs of a whole file system among them.
    pub file_system_syncs: AtomicU64,
}

pub enum Order {
    Write { file: Arc<SegmentFile>, position: u64, pieces: Vec<Bytes> },
    Seal { file: Arc<SegmentFile>, seal: Seal },
    LoadIndex { file: Arc<SegmentFile>, of: TopicPartition, sealed: SealedSegment },
    Sync { sync: SyncId, files: Vec<Arc<SegmentFile>> },
    Close { file: FileId },
    Read { read: ReadId, file: Arc<SegmentFile>, position: u64, length: u64 },
    PrepareJournalFile { dir: LogDir, file: u32, bytes: u64 },
}

/// How a segment ends: `Effect::SealSegment`.
pub struct Seal {
    pub position: u64,
    pub tail: Bytes,
    pub length: u64,
    pub summary: Bytes,
}

/// What is to be done to one segment, after all that was asked of it before.
enum Job {
    Write {
        position: u64,
        pieces: Vec<Bytes>,
    },
    Seal(Seal),
    Sync(Rc<SyncGroup>),
    /// Others need the descriptor more.
    Park,
    Close,
}

/// One `SyncSegments`: the last file to finish answers, once for all of them.
struct SyncGroup {
    sync: SyncId,
    remaining: Cell<usize>,
    failed: RefCell<Option<Input>>,
}

/// A segment that is being written.
struct Written {
    file: Arc<SegmentFile>,
    jobs: RefCell<VecDeque<Job>>,
    /// With the task that works on the jobs, while there is one.
    writer: RefCell<Option<SegmentWriter>>,
    /// Its place in `Bulk::idle`.
    idle_since: Cell<u64>,
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

/// Lives: on the bulk executor's thread, shared by its tasks.
struct Bulk {
    shard: ShardId,
    dirs: Arc<[BulkDir]>,
    reply: Postbox,
    counts: Arc<SegmentCounts>,
    /// By log dir: a slow one takes nothing from the others.
    shares: Vec<DiskShare>,
    written: RefCell<HashMap<FileId, Rc<Written>>>,
    /// Segments that are open and have nothing to do, by the end of their last work.
    idle: RefCell<BTreeMap<u64, FileId>>,
    idle_max: usize,
    idles: Cell<u64>,
    tasks: Cell<usize>,
    progress: Progress,
}

/// Tells the order loop that something has ended, or that it is time to look.
#[derive(Default)]
struct Progress {
    is_made: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Executor,
    Threads,
}

/// Starts the executor, or blocking threads where it cannot be had. Dropping the sender ends it, once everything that was ordered
/// is done.
pub fn start(
    by: By,
    shard: ShardId,
    files: &Files,
    reply: &Postbox,
    counts: &Arc<SegmentCounts>,
) -> io::Result<(Sender<Order>, JoinHandle<()>)> {
    if by == By::Threads {
        return blocking::start(shard, files, reply.clone(), Arc::clone(counts));
    }
    start_executor(shard, files, reply.clone(), Arc::clone(counts)).or_else(|error| {
        tracing::warn!(
            %shard,
            %error,
            "segment files are written by blocking threads: the executor for them needs 512 KiB of locked memory (LimitMEMLOCK, \
             or ulimit -l)"
        );
        start(By::Threads, shard, files, reply, counts)
    })
}

fn start_executor(
    shard: ShardId,
    files: &Files,
    reply: Postbox,
    counts: Arc<SegmentCounts>,
) -> io::Result<(Sender<Order>, JoinHandle<()>)> {
    let shards = files.shards().max(1);
    let syncs = (BULK_SYNCS_IN_FLIGHT_MAX / shards).max(BULK_SYNCS_PER_SHARD_MIN) as u64;
    let dirs = bulk_dirs(files);
    let idle_max = writers_max(shards);
    let (orders, waiting) = unbounded();
    let (started, outcome) = bounded(1);
    let run = move || match executor(shard, shards) {
        Ok(executor) => {
            // The starter waits for exactly this.
            let _ = started.send(Ok(()));
            executor.run(async move {
                let share = |_: &BulkDir| DiskShare {
                    writes: Rc::new(Semaphore::new(BULK_WRITES_IN_FLIGHT_MAX as u64)),
                    syncs: Semaphore::new(syncs),
                };
                let shares = dirs.iter().map(share).collect();
                let bulk = Bulk {
                    shard,
                    dirs,
                    reply,
                    counts,
                    shares,
                    written: RefCell::default(),
                    idle: RefCell::default(),
                    idle_max,
                    idles: Cell::new(0),
                    tasks: Cell::new(0),
                    progress: Progress::default(),
                };
                serve(&Rc::new(bulk), &waiting).await;
            });
        }
        Err(error) => drop(started.send(Err(error))),
    };
    let thread = thread(format!("bulk-{shard}"), STACK_BYTES, run)?;
    outcome.recv().unwrap_or_else(|_| Err(io::Error::other("the bulk executor ended at its start")))?;
    Ok((orders, thread))
}

/// Segments that one shard keeps open for writing though nothing is written to them.
fn writers_max(shards: usize) -> usize {
    usize::try_from(writer_descriptors_max()).unwrap_or(usize::MAX) / shards.max(1)
}

fn executor(shard: ShardId, shards: usize) -> io::Result<LocalExecutor> {
    when_locked_memory_is_back(|| make_executor(shard, shards))
}

fn make_executor(shard: ShardId, shards: usize) -> io::Result<LocalExecutor> {
    LocalExecutorBuilder::new(Placement::Unbound)
        .name(&format!("bulk-{shard}"))
        .io_memory(io_memory(shards))
        .preempt_timer(PREEMPT_EVERY)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(BLOCKING_THREADS))
        .make()
        .map_err(dma::io_error)
}

/// glommio registers this memory with its three rings if the user's limit of locked memory allows, and works without if not. No gain
/// of registering was ever measured, and what it locks is missing when the next ring is made, by this process or the user's next
/// one. So it takes half of a large limit for all shards together; under a small one it is made too large to be registered.
fn io_memory(shards: usize) -> usize {
    let limit = getrlimit(Resource::Memlock).current.and_then(|limit| usize::try_from(limit).ok());
    match limit {
        // Not limited.
        Some(_) if geteuid().is_root() => BULK_MEMORY_BYTES,
        Some(limit) if limit >= LARGE_LIMIT_BYTES => (limit / 2 / RINGS / shards).min(BULK_MEMORY_BYTES),
        Some(limit) => BULK_MEMORY_BYTES.max(limit + PAGE_BYTES),
        None => BULK_MEMORY_BYTES,
    }
}

async fn serve(bulk: &Rc<Bulk>, orders: &Receiver<Order>) {
    start_ticks(bulk);
    let mut is_open = true;
    while is_open || bulk.tasks.get() > 0 {
        match orders.try_recv() {
            Ok(order) => bulk.begin(order),
            Err(TryRecvError::Disconnected) if bulk.tasks.get() == 0 => is_open = false,
            Err(_) if bulk.tasks.get() > 0 => bulk.progress.wait().await,
            // Nothing is at the disk and nothing is to be done: this thread may sleep here.
            Err(_) => match orders.recv() {
                Ok(order) => bulk.begin(order),
                Err(_) => is_open = false,
            },
        }
    }
    let written = std::mem::take(&mut *bulk.written.borrow_mut());
    for written in written.into_values() {
        let writer = written.writer.take();
        if let Some(mut writer) = writer {
            writer.close().await;
        }
    }
}

fn start_ticks(bulk: &Rc<Bulk>) {
    for number in 1..=TICKS {
        let bulk = Rc::clone(bulk);
        glommio::spawn_local(async move {
            glommio::timer::sleep(TICK * number).await;
            loop {
                bulk.progress.made();
                glommio::timer::sleep(TICK * TICKS).await;
            }
        })
        .detach();
    }
}

impl Bulk {
    fn begin(self: &Rc<Self>, order: Order) {
        match order {
            Order::Write { file, position, pieces } => self.queue(file, Job::Write { position, pieces }),
            Order::Seal { file, seal } => self.queue(file, Job::Seal(seal)),
            Order::LoadIndex { file, of, sealed } => {
                let bulk = Rc::clone(self);
                self.spawn(async move { bulk.load_index(file, of, sealed).await });
            }
            Order::Sync { sync, files } => self.begin_sync(sync, files),
            Order::Close { file } => {
                let written = self.written.borrow().get(&file).map(|written| Arc::clone(&written.file));
                if let Some(file) = written {
                    self.queue(file, Job::Close);
                }
            }
            Order::Read { read, file, position, length } => {
                let bulk = Rc::clone(self);
                self.spawn(async move { bulk.read(read, file, position, length).await });
            }
            Order::PrepareJournalFile { dir, file, bytes } => {
                let bulk = Rc::clone(self);
                self.spawn(async move { bulk.prepare_journal_file(dir, file, bytes).await });
            }
        }
    }

    fn spawn(self: &Rc<Self>, work: impl Future<Output = ()> + 'static) {
        self.tasks.set(self.tasks.get() + 1);
        let bulk = Rc::clone(self);
        glommio::spawn_local(async move {
            work.await;
            bulk.tasks.set(bulk.tasks.get() - 1);
            bulk.progress.made();
        })
        .detach();
    }

    fn queue(self: &Rc<Self>, file: Arc<SegmentFile>, job: Job) {
        let written = Rc::clone(self.written.borrow_mut().entry(file.id).or_insert_with(|| {
            Rc::new(Written {
                file,
                jobs: RefCell::default(),
                writer: RefCell::new(Some(SegmentWriter::default())),
                idle_since: Cell::new(0),
            })
        }));
        written.jobs.borrow_mut().push_back(job);
        let writer = written.writer.borrow_mut().take();
        if let Some(writer) = writer {
            self.idle.borrow_mut().remove(&written.idle_since.get());
            let bulk = Rc::clone(self);
            self.spawn(async move { bulk.work_on(&written, writer).await });
        }
    }

    /// Whoever has been idle longest gives up its descriptor, if there are too many.
    fn park_surplus(self: &Rc<Self>) {
        while self.idle.borrow().len() > self.idle_max {
            let Some((_, longest)) = self.idle.borrow_mut().pop_first() else { return };
            let file = self.written.borrow().get(&longest).map(|written| Arc::clone(&written.file));
            if let Some(file) = file {
                self.queue(file, Job::Park);
            }
        }
    }

    /// Does all that is queued for one segment.
    async fn work_on(self: &Rc<Self>, written: &Written, mut writer: SegmentWriter) {
        loop {
            let job = written.jobs.borrow_mut().pop_front();
            let Some(job) = job else { break };
            self.perform(&written.file, &mut writer, job).await;
            self.progress.made();
        }
        if writer.is_done() {
            self.written.borrow_mut().remove(&written.file.id);
            return;
        }
        if writer.is_open() {
            self.idles.set(self.idles.get() + 1);
            written.idle_since.set(self.idles.get());
            self.idle.borrow_mut().insert(self.idles.get(), written.file.id);
        }
        written.writer.replace(Some(writer));
        self.park_surplus();
    }

    async fn perform(&self, file: &SegmentFile, writer: &mut SegmentWriter, job: Job) {
        let share = &self.shares[usize::from(file.id.dir().0)];
        match job {
            Job::Write { position, pieces } => {
                let length = pieces.iter().map(|piece| piece.len() as u64).sum();
                let result = writer.write(&file.path(), share, position, &pieces).await;
                self.counts.writes.fetch_add(1, Ordering::Relaxed);
                self.counts.bytes.fetch_add(length, Ordering::Relaxed);
                self.answer(match result {
                    Ok(()) => Input::SegmentWritten { file: file.id, position, length },
                    Err(error) => segment_unwritten(file, SegmentOperation::Write { length }, error.into()),
                });
            }
            Job::Seal(seal) => {
                let result = writer.seal(&file.path(), share, seal).await;
                self.answer(match result {
                    Ok(()) => Input::SegmentSealed { file: file.id },
                    Err(error) => segment_unwritten(file, SegmentOperation::Seal, error),
                });
            }
            Job::Sync(group) => {
                if let Err(error) = writer.sync(&file.path(), share).await {
                    group.failed.replace(Some(segment_failed(file, "sync segment", &error)));
                }
                self.finish_part(&group);
            }
            Job::Park => writer.park().await,
            Job::Close => writer.close().await,
        }
    }

    fn begin_sync(self: &Rc<Self>, sync: SyncId, mut files: Vec<Arc<SegmentFile>>) {
        // What nobody writes here has nothing to sync: it was sealed.
        files.retain(|file| self.written.borrow().contains_key(&file.id));
        if files.len() > SYNCED_ONE_BY_ONE_MAX {
            let bulk = Rc::clone(self);
            self.spawn(async move { bulk.sync_file_system(sync, files).await });
            return;
        }
        let group =
            Rc::new(SyncGroup { sync, remaining: Cell::new(files.len() + 1), failed: RefCell::default() });
        for file in files {
            self.queue(file, Job::Sync(Rc::clone(&group)));
        }
        self.finish_part(&group);
    }

    /// All that was written of the files is at the disk already, or in its cache: the storage asks for a sync after the answers.
    async fn sync_file_system(&self, sync: SyncId, files: Vec<Arc<SegmentFile>>) {
        let dirs = Arc::clone(&self.dirs);
        let result = glommio::executor().spawn_blocking(move || dirs[usize::from(sync.dir().0)].sync()).await;
        if result.is_ok() {
            for written in files.iter().filter_map(|file| self.written.borrow().get(&file.id).cloned()) {
                // One that is at work syncs its directories itself, later.
                if let Some(writer) = written.writer.borrow_mut().as_mut() {
                    writer.on_file_system_synced();
                }
            }
        }
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        self.answer(file_system_answer(sync, &files, result, &self.counts));
    }

    fn finish_part(&self, group: &SyncGroup) {
        group.remaining.set(group.remaining.get() - 1);
        if group.remaining.get() == 0 {
            self.counts.syncs.fetch_add(1, Ordering::Relaxed);
            self.answer(group.failed.take().unwrap_or(Input::SegmentsSynced { sync: group.sync }));
        }
    }

    async fn read(&self, read: ReadId, file: Arc<SegmentFile>, position: u64, length: u64) {
        let result = dma::read_range(Arc::clone(&file), position, length).await;
        self.answer(read_answer(read, &file, position, length, result));
    }

    async fn load_index(&self, file: Arc<SegmentFile>, of: TopicPartition, sealed: SealedSegment) {
        let id = file.id;
        let load = move || summary_file::load_index(&file, of, &sealed);
        let result = glommio::executor().spawn_blocking(load).await;
        self.answer(Input::IndexLoaded { file: id, result });
    }

    async fn prepare_journal_file(&self, dir: LogDir, file: u32, bytes: u64) {
        let data_dir = self.dirs[usize::from(dir.0)].path.clone();
        let result = chores::prepare_journal_file(data_dir, self.shard, file, bytes).await;
        self.answer(journal_file_answer(self.shard, dir, file, result));
    }

    fn answer(&self, input: Input) {
        self.reply.send(Mail::Input(input));
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

impl Progress {
    fn made(&self) {
        self.is_made.set(true);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|context| {
            if self.is_made.replace(false) {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests;
