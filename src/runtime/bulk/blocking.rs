//! The executor's orders by plain blocking threads, for where glommio cannot start: it refuses below 512 KiB of locked memory, which is
//! more than an old container runtime or distribution allows.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{JoinHandle, ScopedJoinHandle};

use bytes::{Bytes, BytesMut};
use crossbeam_channel::Receiver;
use rustix::fs::OFlags;

use crate::effect::SyncId;
use crate::input::Input;
use crate::limits::{JOURNAL_FILL_BYTES, SYNCED_ONE_BY_ONE_MAX};
use crate::model::ShardId;
use crate::runtime::aligned::Aligned;
use crate::runtime::chores::{create_journal_file, remove_on_error};
use crate::runtime::files::{Files, SegmentError, SegmentFile, journal_path, open_or_create};
use crate::runtime::io_threads::thread;
use crate::runtime::segment_writer::{open_to_sync, sync_dirs};
use crate::runtime::summary_file;

use super::{
    BulkDir, Order, Replies, bulk_dirs, file_system_answer, journal_file_answer, read_answer, sealed_answer,
    segment_failed,
};

/// Each takes the next order, whatever it is.
const THREADS: usize = 8;
/// Threads that share the files of one sync.
const SYNCERS: usize = 8;
const STACK_BYTES: usize = 256 * 1024;

pub fn start(
    shard: ShardId,
    files: &Files,
    replies: &Replies,
    orders: &Receiver<Order>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let dirs = bulk_dirs(files);
    let start = |index| {
        let worker = Worker { shard, dirs: Arc::clone(&dirs), replies: replies.clone() };
        let orders = orders.clone();
        thread(format!("bulk-{shard}-{index}"), STACK_BYTES, move || {
            orders.iter().for_each(|order| worker.perform(order));
        })
    };
    (0..THREADS).map(start).collect()
}

struct Worker {
    shard: ShardId,
    dirs: Arc<[BulkDir]>,
    replies: Replies,
}

impl Worker {
    fn perform(&self, order: Order) {
        self.replies.answer(match order {
            Order::Sync { sync, files } => self.sync(sync, files),
            Order::SyncSealed { file, written, summary } => {
                sealed_answer(&file, sync_sealed(&file, &written, &summary))
            }
            Order::LoadIndex { file, of, sealed } => {
                let result = summary_file::load_index(&file, of, &sealed);
                Input::IndexLoaded { file: file.id, result }
            }
            Order::Read { read, file, position, length } => {
                read_answer(read, &file, position, length, read_range(&file, position, length))
            }
            Order::PrepareJournalFile { dir, file, bytes } => {
                let result = fill(&self.dirs[usize::from(dir.0)].path, self.shard, file, bytes);
                journal_file_answer(self.shard, dir, file, result)
            }
        });
    }

    fn sync(&self, sync: SyncId, mut files: Vec<Arc<SegmentFile>>) -> Input {
        self.replies.counts.syncs.fetch_add(1, Ordering::Relaxed);
        files.retain(|file| file.write_side.unsynced().is_some());
        if files.len() > SYNCED_ONE_BY_ONE_MAX {
            let result = self.dirs[usize::from(sync.dir().0)].sync();
            if result.is_ok() {
                files.iter().for_each(|file| file.write_side.on_entries_synced());
            }
            return file_system_answer(sync, &files, result, &self.replies.counts);
        }
        let part = files.len().div_ceil(SYNCERS).max(1);
        let failed = std::thread::scope(|scope| {
            let spawn = |part| {
                std::thread::Builder::new().spawn_scoped(scope, move || sync_all(part)).map_err(|_| part)
            };
            let syncers: Vec<_> = files.chunks(part).map(spawn).collect();
            let join = |syncer: Result<ScopedJoinHandle<'_, Vec<Input>>, _>| match syncer {
                // A panic has already aborted the process.
                Ok(syncer) => syncer.join().unwrap_or_default(),
                // No thread could be had.
                Err(part) => sync_all(part),
            };
            syncers.into_iter().flat_map(join).collect::<Vec<Input>>()
        });
        failed.into_iter().next().unwrap_or(Input::SegmentsSynced { sync })
    }
}

/// Those that failed.
fn sync_all(files: &[Arc<SegmentFile>]) -> Vec<Input> {
    let sync_one = |file: &Arc<SegmentFile>| {
        let error = sync_file(file).err()?;
        Some(segment_failed(file, "sync segment", &error))
    };
    files.iter().filter_map(sync_one).collect()
}

fn sync_file(file: &SegmentFile) -> io::Result<()> {
    let Some(unsynced) = file.write_side.unsynced() else { return Ok(()) };
    let Some(opened) = unsynced.file.map_or_else(|| open_to_sync(file), |open| Ok(Some(open)))? else {
        return Ok(());
    };
    opened.sync_data()?;
    if unsynced.is_new {
        sync_dirs(&file.path(), true)?;
        file.write_side.on_entries_synced();
    }
    Ok(())
}

fn sync_sealed(file: &SegmentFile, written: &File, summary: &[u8]) -> Result<(), SegmentError> {
    written.sync_data().map_err(SegmentError::Final)?;
    let (path, is_new) = (file.path(), file.write_side.unsynced().is_some_and(|unsynced| unsynced.is_new));
    // Written anew when the seal is tried again, so that its own sync may fail for want of room.
    summary_file::write_synced(&path, summary)?;
    sync_dirs(&path, is_new).map_err(SegmentError::Final)
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
