//! Which file a `FileId` means, for all shards of the process: a connection of one shard may send from another's segments.
//!
//! Files are opened when first needed, by helper threads. A `SegmentFile` lives as long as anyone sends from it: closing forgets
//! only the number. A file whose name compaction is about to give to another one is pinned: it stays open until nobody knows it any
//! more. Other descriptors are closed, the one that was used longest ago first, when the process has too many; who sends from
//! one keeps it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustix::fs::OFlags;

use crate::effect::{FileId, SegmentName};
use crate::model::{LogDir, Offset, ShardId, TopicPartition};

pub use super::descriptors::OpenFile;
use super::descriptors::{Descriptor, Descriptors, HasDescriptor, Heir, descriptors_max};
use super::last_commits::LastCommits;
use super::write_side::WriteSide;

/// The file in a partition's directory that says where its log starts.
pub const LOG_START: &str = "log-start";

/// What a segment's files end with, behind 20 digits of its base offset; the last is there if a crash left it.
pub const SEGMENT_SUFFIXES: [&str; 3] = [".log", ".summary", ".summary.new"];

/// One segment of one partition.
#[derive(Debug)]
pub struct SegmentFile {
    pub id: FileId,
    segment: SegmentName,
    data_dirs: Arc<[PathBuf]>,
    descriptor: Descriptor<SegmentFile>,
    pub write_side: WriteSide,
    /// Its name may be another file's by now.
    pinned: Mutex<Option<Arc<OpenFile>>>,
}

impl SegmentFile {
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        self.segment.base_offset
    }

    /// Made when it is wanted: a broker knows many more files than it opens.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        segment_path(path_of(&self.data_dirs, self.id.dir()), self.segment)
    }

    /// The file for reading, if it is open already. Never touches the disk.
    pub fn opened(&self) -> Option<Arc<OpenFile>> {
        // Who holds the lock is about to open it.
        self.descriptor.opened().or_else(|| self.pinned.try_lock().ok()?.clone())
    }

    /// Opens the file for reading. May block: helper threads only.
    pub fn open(self: &Arc<Self>) -> io::Result<Arc<OpenFile>> {
        if let Some(open) = self.opened() {
            return Ok(open);
        }
        // Held while it is opened: it is pinned before, and then found here, or afterwards, and then it is the right file.
        let pinned = self.lock_pinned();
        if let Some(open) = &*pinned {
            return Ok(Arc::clone(open));
        }
        let file = File::open(self.path())?;
        Ok(self.descriptor.keep(self, file, shard_of(self.id)))
    }

    /// Opens the file and keeps it open for whoever has it: its name is about to go. May block.
    pub fn pin(self: &Arc<Self>) -> io::Result<()> {
        let open = self.open()?;
        self.lock_pinned().get_or_insert(open);
        Ok(())
    }

    /// Whether anybody has it open beside the file itself. Never touches the disk.
    #[must_use]
    pub fn is_read(&self) -> bool {
        // The file's own, and this one.
        self.opened().is_some_and(|open| Arc::strong_count(&open) > 2)
    }

    /// Its name is gone: if it is open, its space is given back by `heir` when the last who has it is done.
    pub fn leave_to(&self, heir: &Heir) {
        if let Some(open) = self.opened() {
            open.leave_to(heir);
        }
    }

    fn lock_pinned(&self) -> MutexGuard<'_, Option<Arc<OpenFile>>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HasDescriptor for SegmentFile {
    fn descriptor(&self) -> &Descriptor<SegmentFile> {
        &self.descriptor
    }
}

/// The registry. Each shard changes only its own part; readers of other shards take its lock for a look-up.
#[derive(Debug)]
pub struct Files {
    data_dirs: Arc<[PathBuf]>,
    shards: Vec<RwLock<HashMap<FileId, Arc<SegmentFile>>>>,
    descriptors: Arc<Descriptors<SegmentFile>>,
    commits: Arc<LastCommits>,
}

impl Files {
    #[must_use]
    pub fn new(data_dirs: Arc<[PathBuf]>, shards: u16) -> Files {
        let descriptors = Arc::new(Descriptors::new(descriptors_max(), shards));
        let commits = Arc::new(LastCommits::new(data_dirs.len()));
        Files { data_dirs, shards: (0..shards).map(|_| RwLock::default()).collect(), descriptors, commits }
    }

    /// Segment files of the shard that are open for reading.
    #[must_use]
    pub fn open_descriptors(&self, shard: ShardId) -> u64 {
        self.descriptors.open_of(usize::from(shard.0))
    }

    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// By the numbers of the log dirs.
    #[must_use]
    pub fn data_dirs(&self) -> &Arc<[PathBuf]> {
        &self.data_dirs
    }

    #[must_use]
    pub fn commits(&self) -> &Arc<LastCommits> {
        &self.commits
    }

    pub fn open(&self, id: FileId, segment: SegmentName) {
        let descriptor = Descriptor::new(Arc::clone(&self.descriptors));
        let data_dirs = Arc::clone(&self.data_dirs);
        let file = Arc::new(SegmentFile {
            id,
            segment,
            data_dirs,
            descriptor,
            write_side: WriteSide::default(),
            pinned: Mutex::default(),
        });
        if let Some(shard) = self.shards.get(shard_of(id)) {
            shard.write().unwrap_or_else(PoisonError::into_inner).insert(id, file);
        }
    }

    /// Forgets the number. The file lives on with whoever holds it.
    pub fn close(&self, id: FileId) -> Option<Arc<SegmentFile>> {
        let shard = self.shards.get(shard_of(id))?;
        shard.write().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    #[must_use]
    pub fn find(&self, id: FileId) -> Option<Arc<SegmentFile>> {
        let shard = self.shards.get(shard_of(id))?;
        shard.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

/// The upper 16 bits name the shard.
fn shard_of(id: FileId) -> usize {
    usize::from(u16::try_from(id.0 >> 48).expect("16 bits remain"))
}

/// The log dir with this number.
#[must_use]
pub fn path_of(data_dirs: &[PathBuf], dir: LogDir) -> &Path {
    &data_dirs[usize::from(dir.0)]
}

#[must_use]
pub fn partition_dir(data_dir: &Path, topic_partition: TopicPartition) -> PathBuf {
    data_dir.join(topic_partition.to_string())
}

#[must_use]
pub fn segment_path(data_dir: &Path, segment: SegmentName) -> PathBuf {
    partition_dir(data_dir, segment.topic_partition).join(format!("{:020}.log", segment.base_offset.0))
}

#[must_use]
pub fn journal_dir(data_dir: &Path, shard: ShardId) -> PathBuf {
    data_dir.join("journal").join(shard.to_string())
}

#[must_use]
pub fn journal_path(data_dir: &Path, shard: ShardId, file: u32) -> PathBuf {
    journal_dir(data_dir, shard).join(format!("{file}.journal"))
}

/// How an operation on a segment file failed.
#[derive(Debug)]
pub enum SegmentError {
    /// There was no room. It may be tried again.
    NoRoom(io::Error),
    Final(io::Error),
}

impl From<io::Error> for SegmentError {
    /// Of anything but a sync: after a failed sync nobody knows what is on the disk, whatever the error is called.
    fn from(error: io::Error) -> SegmentError {
        if is_full_disk(&error) { SegmentError::NoRoom(error) } else { SegmentError::Final(error) }
    }
}

/// The disk, or this user's share of it, has no room.
#[must_use]
pub fn is_full_disk(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(is_full_disk_errno)
}

#[must_use]
pub fn is_full_disk_errno(errno: i32) -> bool {
    matches!(errno, libc::ENOSPC | libc::EDQUOT)
}

/// Opens the file, and creates it with its directory if it is not there.
pub fn open_or_create(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = i32::try_from(flags.bits()).expect("open flags are few");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(flags);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Makes a directory's entries durable.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
