//! A glommio executor on a thread of its own: syncs, what is left of seals, direct reads, the filling of journal files.
//!
//! Orders come over a channel; each is a task. With nothing to do the thread sleeps in the channel and not in glommio, so an order
//! always wakes it. With work at the disk it looks for orders whenever a piece of work ends, and at each tick. The ticks are there for a
//! second reason: glommio 0.12 can park although a task is ready (docs/decisions/0001), until its next event. Each tick is such an event.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use glommio::io::BufferedFile;
use glommio::sync::Semaphore;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, PoolPlacement};
use rustix::process::{Resource, geteuid, getrlimit};

use crate::effect::{ReadId, SyncId};
use crate::input::Input;
use crate::limits::{
    BULK_MEMORY_BYTES, BULK_SYNCS_IN_FLIGHT_MAX, BULK_SYNCS_PER_SHARD_MIN, SYNCED_ONE_BY_ONE_MAX,
};
use crate::model::{LogDir, SealedSegment, ShardId, TopicPartition};
use crate::runtime::chores;
use crate::runtime::dma;
use crate::runtime::files::{Files, SegmentError, SegmentFile};
use crate::runtime::io_threads::{thread, when_locked_memory_is_back};
use crate::runtime::segment_writer::{open_to_sync, sync_dirs};
use crate::runtime::summary_file;
use crate::runtime::write_side::Unsynced;

use super::{
    BulkDir, Order, Replies, bulk_dirs, file_system_answer, journal_file_answer, read_answer, sealed_answer,
    segment_failed,
};

/// One after the other they are due every 5 ms. Each of them can get lost in a park, and the next one then ends it: all would have
/// to be lost in a row for the executor to sleep on.
const TICKS: u32 = 4;
const TICK: Duration = Duration::from_millis(5);

const PREEMPT_EVERY: Duration = Duration::from_millis(10);
/// For what has no asynchronous call: opening, summaries, syncing directories.
const BLOCKING_THREADS: usize = 2;
const STACK_BYTES: usize = 1024 * 1024;

/// Limits of locked memory below this are small: memory that exceeds them is not too much to have. The usual one is 8 MiB.
const LARGE_LIMIT_BYTES: usize = 32 * 1024 * 1024;
const PAGE_BYTES: usize = 4096;
const RINGS: usize = 3;

/// One `SyncSegments`: the last file to finish answers, once for all of them.
struct SyncGroup {
    sync: SyncId,
    remaining: Cell<usize>,
    failed: RefCell<Option<Input>>,
}

/// Lives: on the executor's thread, shared by its tasks.
struct Tasks {
    shard: ShardId,
    dirs: Arc<[BulkDir]>,
    replies: Replies,
    /// Data syncs at once, by log dir: a slow one takes nothing from the others.
    syncs: Vec<Semaphore>,
    running: Cell<usize>,
    progress: Progress,
}

/// Tells the order loop that something has ended, or that it is time to look.
#[derive(Default)]
struct Progress {
    is_made: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Ends when no sender of orders is left, and everything that was ordered is done.
pub fn start(
    shard: ShardId,
    files: &Files,
    replies: &Replies,
    orders: Receiver<Order>,
) -> io::Result<JoinHandle<()>> {
    let shards = files.shards().max(1);
    let syncs = (BULK_SYNCS_IN_FLIGHT_MAX / shards).max(BULK_SYNCS_PER_SHARD_MIN) as u64;
    let (dirs, replies) = (bulk_dirs(files), replies.clone());
    let (started, outcome) = bounded(1);
    let run = move || match executor(shard, shards) {
        Ok(executor) => {
            // The starter waits for exactly this.
            let _ = started.send(Ok(()));
            executor.run(async move {
                let tasks = Tasks {
                    shard,
                    syncs: dirs.iter().map(|_| Semaphore::new(syncs)).collect(),
                    dirs,
                    replies,
                    running: Cell::new(0),
                    progress: Progress::default(),
                };
                serve(&Rc::new(tasks), &orders).await;
            });
        }
        Err(error) => drop(started.send(Err(error))),
    };
    let thread = thread(format!("bulk-{shard}"), STACK_BYTES, run)?;
    outcome.recv().unwrap_or_else(|_| Err(io::Error::other("the bulk executor ended at its start")))?;
    Ok(thread)
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

async fn serve(tasks: &Rc<Tasks>, orders: &Receiver<Order>) {
    start_ticks(tasks);
    let mut is_open = true;
    while is_open || tasks.running.get() > 0 {
        match orders.try_recv() {
            Ok(order) => tasks.begin(order),
            Err(TryRecvError::Disconnected) if tasks.running.get() == 0 => is_open = false,
            Err(_) if tasks.running.get() > 0 => tasks.progress.wait().await,
            // Nothing is at the disk and nothing is to be done: this thread may sleep here.
            Err(_) => match orders.recv() {
                Ok(order) => tasks.begin(order),
                Err(_) => is_open = false,
            },
        }
    }
}

fn start_ticks(tasks: &Rc<Tasks>) {
    for number in 1..=TICKS {
        let tasks = Rc::clone(tasks);
        glommio::spawn_local(async move {
            glommio::timer::sleep(TICK * number).await;
            loop {
                tasks.progress.made();
                glommio::timer::sleep(TICK * TICKS).await;
            }
        })
        .detach();
    }
}

impl Tasks {
    fn begin(self: &Rc<Self>, order: Order) {
        let tasks = Rc::clone(self);
        match order {
            Order::Sync { sync, files } => self.begin_sync(sync, files),
            Order::SyncSealed { file, written, summary } => {
                self.spawn(async move { tasks.sync_sealed(&file, written, summary).await });
            }
            Order::LoadIndex { file, of, sealed } => {
                self.spawn(async move { tasks.load_index(file, of, sealed).await });
            }
            Order::Read { read, file, position, length } => {
                self.spawn(async move { tasks.read(read, file, position, length).await });
            }
            Order::PrepareJournalFile { dir, file, bytes } => {
                self.spawn(async move { tasks.prepare_journal_file(dir, file, bytes).await });
            }
        }
    }

    fn spawn(self: &Rc<Self>, work: impl Future<Output = ()> + 'static) {
        self.running.set(self.running.get() + 1);
        let tasks = Rc::clone(self);
        glommio::spawn_local(async move {
            work.await;
            tasks.running.set(tasks.running.get() - 1);
            tasks.progress.made();
        })
        .detach();
    }

    fn begin_sync(self: &Rc<Self>, sync: SyncId, files: Vec<Arc<SegmentFile>>) {
        let unsynced: Vec<(Arc<SegmentFile>, Unsynced)> = files
            .into_iter()
            .filter_map(|file| file.write_side.unsynced().map(|unsynced| (file, unsynced)))
            .collect();
        let tasks = Rc::clone(self);
        if unsynced.len() > SYNCED_ONE_BY_ONE_MAX {
            let files = unsynced.into_iter().map(|(file, _)| file).collect();
            self.spawn(async move { tasks.sync_file_system(sync, files).await });
            return;
        }
        let remaining = Cell::new(unsynced.len() + 1);
        let group = Rc::new(SyncGroup { sync, remaining, failed: RefCell::default() });
        for (file, unsynced) in unsynced {
            let (tasks, group) = (Rc::clone(self), Rc::clone(&group));
            self.spawn(async move {
                if let Err(error) = tasks.sync(&file, unsynced).await {
                    group.failed.replace(Some(segment_failed(&file, "sync segment", &error)));
                }
                tasks.finish_part(&group);
            });
        }
        self.finish_part(&group);
    }

    /// Data sync; the directories too where the file is new.
    async fn sync(&self, file: &Arc<SegmentFile>, unsynced: Unsynced) -> io::Result<()> {
        let opened = match unsynced.file {
            Some(opened) => Some(opened),
            None => {
                let file = Arc::clone(file);
                glommio::executor().spawn_blocking(move || open_to_sync(&file)).await?
            }
        };
        let Some(opened) = opened else { return Ok(()) };
        self.data_sync(file, opened).await?;
        if unsynced.is_new {
            let path = file.path();
            // Not glommio's own sync of a directory: that is a data sync, and an entry may not count as data.
            glommio::executor().spawn_blocking(move || sync_dirs(&path, true)).await?;
            file.write_side.on_entries_synced();
        }
        Ok(())
    }

    /// Through the ring: many at once need no threads of ours.
    async fn data_sync(&self, segment: &SegmentFile, file: Arc<File>) -> io::Result<()> {
        let syncs = &self.syncs[usize::from(segment.id.dir().0)];
        let _permit = syncs.acquire_permit(1).await.map_err(dma::io_error)?;
        let Ok(copy) = file.try_clone() else {
            // No descriptor is left: it takes none to sync what is open.
            return glommio::executor().spawn_blocking(move || file.sync_data()).await;
        };
        // SAFETY: it was made here, and is nobody's until this takes it.
        let copy = unsafe { BufferedFile::from_raw_fd(copy.into_raw_fd()) };
        let synced = copy.fdatasync().await.map_err(dma::io_error);
        if let Err(error) = copy.close().await {
            tracing::warn!(%error, "cannot close a file");
        }
        synced
    }

    /// All that was written of the files is at the disk already, or in its cache: the storage asks for a sync after the answers.
    async fn sync_file_system(&self, sync: SyncId, files: Vec<Arc<SegmentFile>>) {
        let dirs = Arc::clone(&self.dirs);
        let result = glommio::executor().spawn_blocking(move || dirs[usize::from(sync.dir().0)].sync()).await;
        if result.is_ok() {
            files.iter().for_each(|file| file.write_side.on_entries_synced());
        }
        self.replies.counts.syncs.fetch_add(1, Ordering::Relaxed);
        self.replies.answer(file_system_answer(sync, &files, result, &self.replies.counts));
    }

    fn finish_part(&self, group: &SyncGroup) {
        group.remaining.set(group.remaining.get() - 1);
        if group.remaining.get() == 0 {
            self.replies.counts.syncs.fetch_add(1, Ordering::Relaxed);
            let failed = group.failed.take();
            self.replies.answer(failed.unwrap_or(Input::SegmentsSynced { sync: group.sync }));
        }
    }

    /// Makes all of it durable, and then its summary.
    async fn sync_sealed(&self, file: &SegmentFile, written: Arc<File>, summary: Bytes) {
        let result = self.try_sync_sealed(file, written, summary).await;
        self.replies.answer(sealed_answer(file, result));
    }

    async fn try_sync_sealed(
        &self,
        file: &SegmentFile,
        written: Arc<File>,
        summary: Bytes,
    ) -> Result<(), SegmentError> {
        self.data_sync(file, written).await.map_err(SegmentError::Final)?;
        let (path, is_new) =
            (file.path(), file.write_side.unsynced().is_some_and(|unsynced| unsynced.is_new));
        let finish = move || {
            // Written anew when the seal is tried again, so that its own sync may fail for want of room.
            summary_file::write_synced(&path, &summary)?;
            sync_dirs(&path, is_new).map_err(SegmentError::Final)
        };
        glommio::executor().spawn_blocking(finish).await
    }

    async fn read(&self, read: ReadId, file: Arc<SegmentFile>, position: u64, length: u64) {
        let result = dma::read_range(Arc::clone(&file), position, length).await;
        self.replies.answer(read_answer(read, &file, position, length, result));
    }

    async fn load_index(&self, file: Arc<SegmentFile>, of: TopicPartition, sealed: SealedSegment) {
        let id = file.id;
        let load = move || summary_file::load_index(&file, of, &sealed);
        let result = glommio::executor().spawn_blocking(load).await;
        self.replies.answer(Input::IndexLoaded { file: id, result });
    }

    async fn prepare_journal_file(&self, dir: LogDir, file: u32, bytes: u64) {
        let data_dir = self.dirs[usize::from(dir.0)].path.clone();
        let result = chores::prepare_journal_file(data_dir, self.shard, file, bytes).await;
        self.replies.answer(journal_file_answer(self.shard, dir, file, result));
    }
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
