//! The same orders by plain blocking threads, for where glommio cannot start: it refuses below 512 KiB of locked memory, which is
//! more than an old container runtime or distribution allows.
//!
//! Segments are spread over the threads by their number, so what is asked of one happens in order, and as many syncs overlap as
//! there are threads.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::{Bytes, BytesMut};
use crossbeam_channel::{Receiver, Sender, unbounded};
use rustix::fs::{FallocateFlags, OFlags, fallocate};

use crate::effect::{FileId, SyncId};
use crate::input::{Input, SegmentOperation};
use crate::limits::{BLOCK_BYTES, BULK_WRITE_BYTES, JOURNAL_FILL_BYTES, SYNCED_ONE_BY_ONE_MAX};
use crate::model::ShardId;
use crate::runtime::aligned::Aligned;
use crate::runtime::chores::{create_journal_file, remove_on_error};
use crate::runtime::files::{Files, SegmentError, SegmentFile, journal_path, open_or_create};
use crate::runtime::io_threads::thread;
use crate::runtime::mesh::{Mail, Postbox};
use crate::runtime::segment_writer::{allocation_end, last_block, read_front, sync_dirs};
use crate::runtime::summary_file;

use super::{
    BulkDir, Order, Seal, SegmentCounts, bulk_dirs, file_system_answer, journal_file_answer, read_answer,
    segment_failed, segment_unwritten, writers_max,
};

const BLOCK: usize = BLOCK_BYTES as usize;
const WRITERS: usize = 8;
const STACK_BYTES: usize = 256 * 1024;

enum Job {
    Write { file: Arc<SegmentFile>, position: u64, pieces: Vec<Bytes> },
    Seal { file: Arc<SegmentFile>, seal: Seal },
    Sync { files: Vec<Arc<SegmentFile>>, group: Arc<SyncGroup> },
    Close { file: FileId },
}

/// One `SyncSegments`: the last thread to finish its part answers.
struct SyncGroup {
    sync: SyncId,
    remaining: AtomicUsize,
    failed: Mutex<Option<Input>>,
}

/// Gives the orders to the threads.
struct Router {
    writers: Vec<Sender<Job>>,
    /// Reads, and the filling of journal files together with syncs of the whole file system: one at a time each.
    readers: Sender<Order>,
    fillers: Sender<Order>,
}

/// What each thread answers with.
#[derive(Clone)]
struct Reply {
    postbox: Postbox,
    counts: Arc<SegmentCounts>,
}

/// Dropping the sender ends the threads, once everything that was ordered is done; the handle is of the last one to end.
pub fn start(
    shard: ShardId,
    files: &Files,
    postbox: Postbox,
    counts: Arc<SegmentCounts>,
) -> io::Result<(Sender<Order>, JoinHandle<()>)> {
    let reply = Reply { postbox, counts };
    let mut threads = Vec::new();
    let mut writers = Vec::new();
    let open_max = writers_max(files.shards() * WRITERS).max(1);
    for index in 0..WRITERS {
        let (sender, jobs) = unbounded();
        let reply = reply.clone();
        let name = format!("segment-{shard}-{index}");
        threads.push(thread(name, STACK_BYTES, move || write_segments(&jobs, open_max, &reply))?);
        writers.push(sender);
    }
    let mut others = Vec::new();
    for name in ["cold", "fill"] {
        let (sender, orders) = unbounded();
        let (reply, dirs) = (reply.clone(), bulk_dirs(files));
        let run = move || read_and_fill(&orders, shard, &dirs, &reply);
        threads.push(thread(format!("{name}-{shard}"), STACK_BYTES, run)?);
        others.push(sender);
    }
    let [readers, fillers] = <[_; 2]>::try_from(others).expect("two were made");
    let router = Router { writers, readers, fillers };
    let (orders, waiting) = unbounded();
    let route = move || {
        for order in waiting {
            router.route(order);
        }
        drop(router);
        for thread in threads {
            // A panic has already aborted the process.
            let _ = thread.join();
        }
    };
    Ok((orders, thread(format!("bulk-{shard}"), STACK_BYTES, route)?))
}

impl Router {
    fn route(&self, order: Order) {
        match order {
            Order::Write { file, position, pieces } => {
                self.post(file.id, Job::Write { file, position, pieces });
            }
            Order::Seal { file, seal } => self.post(file.id, Job::Seal { file, seal }),
            Order::Close { file } => self.post(file, Job::Close { file }),
            Order::Sync { sync, files } if files.len() > SYNCED_ONE_BY_ONE_MAX => {
                send(&self.fillers, Order::Sync { sync, files });
            }
            Order::Sync { sync, files } => self.sync(sync, files),
            order @ (Order::Read { .. } | Order::LoadIndex { .. }) => send(&self.readers, order),
            order @ Order::PrepareJournalFile { .. } => send(&self.fillers, order),
        }
    }

    /// Every thread takes part, with no file perhaps.
    fn sync(&self, sync: SyncId, files: Vec<Arc<SegmentFile>>) {
        let mut parts: Vec<Vec<Arc<SegmentFile>>> = self.writers.iter().map(|_| Vec::new()).collect();
        for file in files {
            parts[self.writer_of(file.id)].push(file);
        }
        let remaining = AtomicUsize::new(parts.len());
        let group = Arc::new(SyncGroup { sync, remaining, failed: Mutex::new(None) });
        for (writer, files) in self.writers.iter().zip(parts) {
            send(writer, Job::Sync { files, group: Arc::clone(&group) });
        }
    }

    fn post(&self, file: FileId, job: Job) {
        send(&self.writers[self.writer_of(file)], job);
    }

    fn writer_of(&self, file: FileId) -> usize {
        usize::try_from(file.0 % self.writers.len() as u64).expect("less than a length")
    }
}

fn send<T>(to: &Sender<T>, job: T) {
    let sent = to.send(job).is_ok();
    debug_assert!(sent, "a writer thread ended early");
}

impl Reply {
    fn answer(&self, input: Input) {
        self.postbox.send(Mail::Input(input));
    }
}

fn write_segments(jobs: &Receiver<Job>, open_max: usize, reply: &Reply) {
    let mut scratch = Aligned::default();
    let mut writers: HashMap<FileId, Writer> = HashMap::new();
    for job in jobs {
        // All at once, so that it is rare to have to look at all.
        if writers.len() > open_max
            && writers.values().filter(|writer| writer.file.is_some()).count() > open_max
        {
            writers.values_mut().for_each(Writer::park);
        }
        match job {
            Job::Write { file, position, pieces } => {
                let length = pieces.iter().map(|piece| piece.len() as u64).sum();
                let writer = writers.entry(file.id).or_default();
                let result = writer.write(&file.path(), &mut scratch, position, &pieces);
                reply.counts.writes.fetch_add(1, Ordering::Relaxed);
                reply.counts.bytes.fetch_add(length, Ordering::Relaxed);
                reply.answer(match result {
                    Ok(()) => Input::SegmentWritten { file: file.id, position, length },
                    Err(error) => segment_unwritten(&file, SegmentOperation::Write { length }, error.into()),
                });
            }
            Job::Seal { file, seal } => {
                let mut writer = writers.remove(&file.id).unwrap_or_default();
                let result = writer.seal(&file.path(), &mut scratch, &seal);
                reply.answer(match result {
                    Ok(()) => Input::SegmentSealed { file: file.id },
                    Err(error) => segment_unwritten(&file, SegmentOperation::Seal, error),
                });
            }
            Job::Close { file } => drop(writers.remove(&file)),
            Job::Sync { files, group } => sync_part(&mut writers, &files, &group, reply),
        }
    }
}

fn sync_part(
    writers: &mut HashMap<FileId, Writer>,
    files: &[Arc<SegmentFile>],
    group: &SyncGroup,
    reply: &Reply,
) {
    for file in files {
        let Some(writer) = writers.get_mut(&file.id) else { continue };
        if let Err(error) = writer.sync(&file.path()) {
            let failed = segment_failed(file, "sync segment", &error);
            *group.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed);
        }
    }
    if group.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
        reply.counts.syncs.fetch_add(1, Ordering::Relaxed);
        let failed = group.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        reply.answer(failed.unwrap_or(Input::SegmentsSynced { sync: group.sync }));
    }
}

fn read_and_fill(orders: &Receiver<Order>, shard: ShardId, dirs: &[BulkDir], reply: &Reply) {
    for order in orders {
        reply.answer(match order {
            Order::Read { read, file, position, length } => {
                read_answer(read, &file, position, length, read_range(&file, position, length))
            }
            Order::LoadIndex { file, of, sealed } => {
                let result = summary_file::load_index(&file, of, &sealed);
                Input::IndexLoaded { file: file.id, result }
            }
            Order::PrepareJournalFile { dir, file, bytes } => {
                let result = fill(&dirs[usize::from(dir.0)].path, shard, file, bytes);
                journal_file_answer(shard, dir, file, result)
            }
            Order::Sync { sync, files } => {
                reply.counts.syncs.fetch_add(1, Ordering::Relaxed);
                file_system_answer(sync, &files, dirs[usize::from(sync.dir().0)].sync(), &reply.counts)
            }
            _ => unreachable!("the router sends all others to the writers"),
        });
    }
}

fn read_range(file: &Arc<SegmentFile>, position: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut bytes = BytesMut::zeroed(length);
    file.open()?.read_exact_at(&mut bytes, position)?;
    Ok(bytes.freeze())
}

fn fill(data_dir: &Path, shard: ShardId, file: u32, bytes: u64) -> io::Result<()> {
    let path = journal_path(data_dir, shard, file);
    remove_on_error(&path, try_fill(data_dir, shard, &path, bytes))
}

fn try_fill(data_dir: &Path, shard: ShardId, path: &Path, bytes: u64) -> io::Result<()> {
    create_journal_file(data_dir, shard, path)?;
    let file = open_or_create(path, OFlags::DIRECT)?;
    let mut scratch = Aligned::default();
    let zeros = scratch.with_room(JOURNAL_FILL_BYTES);
    let mut at = 0;
    while at < bytes {
        let take = usize::try_from(bytes - at).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_all_at(&zeros[..take], at)?;
        at += take as u64;
    }
    file.sync_all()
}

/// The writing side of one segment. Empty until the first write.
#[derive(Default)]
struct Writer {
    file: Option<File>,
    allocated: u64,
    /// The bytes of the last block, where the last write ended inside one.
    last_block: Bytes,
    /// The directory entries are not durable yet.
    is_new: bool,
    /// Closed for want of descriptors: what was written may not be synced.
    parked: bool,
}

impl Writer {
    fn write(
        &mut self,
        path: &Path,
        scratch: &mut Aligned,
        position: u64,
        pieces: &[Bytes],
    ) -> io::Result<()> {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.open(path)?;
        let front = self.front(path, position)?;
        self.allocate((position + length).next_multiple_of(BLOCK_BYTES))?;
        let file = self.file.as_ref().expect("opened above");
        let scratch = scratch.with_room(BULK_WRITE_BYTES);
        scratch[..front.len()].copy_from_slice(&front);
        let (mut at, mut filled) = (position - front.len() as u64, front.len());
        for mut piece in pieces.iter().map(|piece| &piece[..]) {
            while !piece.is_empty() {
                let take = piece.len().min(scratch.len() - filled);
                scratch[filled..filled + take].copy_from_slice(&piece[..take]);
                filled += take;
                piece = &piece[take..];
                if filled == scratch.len() {
                    file.write_all_at(scratch, at)?;
                    at += filled as u64;
                    filled = 0;
                }
            }
        }
        let padded = filled.next_multiple_of(BLOCK);
        scratch[filled..padded].fill(0);
        file.write_all_at(&scratch[..padded], at)?;
        // Only now: what failed is perhaps asked for again.
        self.last_block = last_block(&front, pieces, position + length);
        Ok(())
    }

    /// What stands in front of `position` in its block.
    fn front(&mut self, path: &Path, position: u64) -> io::Result<Bytes> {
        if self.last_block.len() as u64 == position % BLOCK_BYTES {
            return Ok(std::mem::take(&mut self.last_block));
        }
        read_front(path, position)
    }

    fn park(&mut self) {
        if self.file.take().is_some() {
            self.parked = true;
        }
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        if self.parked {
            self.open(path)?;
        }
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        if self.is_new {
            sync_dirs(path, true)?;
            self.is_new = false;
        }
        Ok(())
    }

    fn seal(
        &mut self,
        path: &Path,
        scratch: &mut Aligned,
        Seal { position, tail, length, summary }: &Seal,
    ) -> Result<(), SegmentError> {
        self.open(path)?;
        let front = if tail.is_empty() { Bytes::new() } else { self.front(path, *position)? };
        let file = self.file.as_ref().expect("opened above");
        if !tail.is_empty() {
            let length = front.len() + tail.len();
            let block = scratch.with_room(length.next_multiple_of(BLOCK));
            block[..front.len()].copy_from_slice(&front);
            block[front.len()..length].copy_from_slice(tail);
            block[length..].fill(0);
            file.write_all_at(block, position - front.len() as u64)?;
        }
        file.set_len(*length)?;
        file.sync_data().map_err(SegmentError::Final)?;
        // Written anew when the seal is tried again, so that its own sync may fail for want of room.
        summary_file::write_synced(path, summary)?;
        sync_dirs(path, self.is_new).map_err(SegmentError::Final)?;
        self.is_new = false;
        Ok(())
    }

    fn open(&mut self, path: &Path) -> io::Result<()> {
        if self.file.is_none() {
            let file = open_or_create(path, OFlags::DIRECT)?;
            let allocated = file.metadata()?.len();
            *self =
                Writer { file: Some(file), allocated, last_block: Bytes::new(), is_new: true, parked: false };
        }
        Ok(())
    }

    fn allocate(&mut self, end: u64) -> io::Result<()> {
        if end <= self.allocated {
            return Ok(());
        }
        let file = self.file.as_ref().expect("the caller opened it");
        let upto = allocation_end(self.allocated, end);
        match fallocate(file, FallocateFlags::empty(), 0, upto) {
            Ok(()) => self.allocated = upto,
            // A file system without fallocate extends by writing: slower, not wrong.
            Err(rustix::io::Errno::OPNOTSUPP) => {}
            // Room for the bytes themselves may still be there.
            Err(rustix::io::Errno::NOSPC) if upto > end => {
                fallocate(file, FallocateFlags::empty(), 0, end)?;
                self.allocated = end;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
