//! The thread that removes segments and partitions of one shard, and gives their space back piece by piece.
//!
//! Where blocks are discarded as they become free, the device is busy with that as with a write of so many bytes, and commits of the
//! journal wait: with a segment of 1 GiB, a third of a second (docs/decisions/0015). So a file loses its name first, durably, and then
//! its bytes from the end on, with pauses. A file that somebody still reads from keeps its bytes until the last one is done.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select, unbounded};

use crate::effect::TrimId;
use crate::input::Input;
use crate::limits::RECLAIM_BYTES;
use crate::model::{LogDir, Offset, ShardId, TopicPartition};

use super::descriptors::Heir;
use super::files::{SEGMENT_SUFFIXES, SegmentFile, partition_dir, path_of, sync_dir};
use super::io_threads::{post, thread};
use super::mesh::{Mail, Postbox};

/// Partitions on their way out: what a stop or a crash leaves here is removed after the next start.
const DELETED_SUFFIX: &str = ".deleted";

const STACK_BYTES: usize = 256 * 1024;

/// The longest pause between two steps.
const PAUSE_MAX: Duration = Duration::from_millis(200);

enum Job {
    Partition {
        dir: LogDir,
        topic_partition: TopicPartition,
        held: Vec<Arc<SegmentFile>>,
    },
    Segments {
        trim: TrimId,
        topic_partition: TopicPartition,
        segments: Vec<Offset>,
        held: Vec<Arc<SegmentFile>>,
    },
    /// A directory that `move_away` has made, of an earlier run.
    LeftOver(PathBuf),
}

/// The sending side; the shard's loop owns it, and the thread ends with it. A client waits for none of it.
#[derive(Debug)]
pub struct Remover {
    jobs: Sender<Job>,
    nameless: Arc<Sender<File>>,
    is_stopping: Arc<AtomicBool>,
}

impl Remover {
    pub fn start(
        shard: ShardId,
        data_dirs: Arc<[PathBuf]>,
        reply: Postbox,
    ) -> io::Result<(Remover, JoinHandle<()>)> {
        let (jobs, waiting) = unbounded();
        let (nameless, left) = unbounded();
        let remover = Remover { jobs, nameless: Arc::new(nameless), is_stopping: Arc::default() };
        let pace = Pace { is_stopping: Arc::clone(&remover.is_stopping) };
        let work = Work { data_dirs, pace, heir: remover.heir() };
        let thread =
            thread(format!("remove-{shard}"), STACK_BYTES, move || work.run(&waiting, &left, &reply))?;
        Ok((remover, thread))
    }

    pub fn delete_partition(
        &self,
        dir: LogDir,
        topic_partition: TopicPartition,
        held: Vec<Arc<SegmentFile>>,
    ) {
        post(&self.jobs, Job::Partition { dir, topic_partition, held });
    }

    pub fn unlink_segments(
        &self,
        trim: TrimId,
        topic_partition: TopicPartition,
        segments: Vec<Offset>,
        held: Vec<Arc<SegmentFile>>,
    ) {
        post(&self.jobs, Job::Segments { trim, topic_partition, segments, held });
    }

    /// Removes what `left_over` found.
    pub fn remove_left_over(&self, directories: Vec<PathBuf>) {
        directories.into_iter().for_each(|directory| post(&self.jobs, Job::LeftOver(directory)));
    }

    /// Takes files that have no name any more.
    #[must_use]
    pub fn heir(&self) -> Heir {
        Arc::downgrade(&self.nameless)
    }

    /// The broker is about to stop: what was asked for is answered at once, and what is still there is removed after the next start.
    pub fn begin_stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }
}

/// The lengths that a file of `length` bytes has on its way to `to` bytes.
pub fn cuts(length: u64, to: u64) -> impl Iterator<Item = u64> {
    let pieces = length.saturating_sub(to).div_ceil(RECLAIM_BYTES);
    (0..pieces).rev().map(move |piece| to + piece * RECLAIM_BYTES)
}

/// Removes a file that a start would remove, too, whatever of it is there.
pub fn remove_unused(path: &Path) -> io::Result<()> {
    if let Some(file) = open_large(path) {
        cuts(file.metadata()?.len(), 0).try_for_each(|length| file.set_len(length))?;
    }
    fs::remove_file(path)
}

/// Renames the directory of a partition, so that it is gone at once for whoever looks. None: nothing was ever written for it.
pub fn move_away(data_dir: &Path, topic_partition: TopicPartition) -> io::Result<Option<PathBuf>> {
    let directory = partition_dir(data_dir, topic_partition);
    let away = data_dir.join(format!("{topic_partition}{DELETED_SUFFIX}"));
    match fs::rename(&directory, &away) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            fs::remove_dir_all(&away)?;
            fs::rename(&directory, &away)?;
        }
        renamed => renamed?,
    }
    sync_dir(data_dir)?;
    Ok(Some(away))
}

/// What earlier runs and this start have moved away and not removed.
pub fn left_over(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(data_dir)?.map(|entry| Ok(entry?.path()));
    let is_away = |path: &PathBuf| path.to_string_lossy().ends_with(DELETED_SUFFIX);
    paths.filter(|path| path.as_ref().map_or(true, is_away)).collect()
}

/// Opens those files that somebody still sends from, or is about to: without a name, they live until the last one is done, and are
/// left to the heir then. Of all others only we know: no more descriptors wait for their turn than there are readers.
fn keep_for_holders(held: &[Arc<SegmentFile>]) -> BTreeMap<Offset, &SegmentFile> {
    let mut kept = BTreeMap::new();
    for file in held.iter().filter(|file| Arc::strong_count(file) > 1 || file.is_read()) {
        match file.open() {
            Ok(_) => drop(kept.insert(file.base_offset(), &**file)),
            // What was never written has no file.
            Err(error) => {
                tracing::debug!(path = %file.path().display(), %error, "cannot keep a file open");
            }
        }
    }
    kept
}

/// The file, if giving its space back at once would be felt.
fn open_large(path: &Path) -> Option<File> {
    let file = File::options().write(true).open(path).ok()?;
    let length = file.metadata().ok()?.len();
    (length > RECLAIM_BYTES).then_some(file)
}

/// Freeing blocks costs the device as much as writing them: it has as much time for others after each step.
struct Pace {
    is_stopping: Arc<AtomicBool>,
}

impl Pace {
    fn step<T>(&self, step: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = step();
        if !self.is_stopping() {
            std::thread::sleep(began.elapsed().min(PAUSE_MAX));
        }
        result
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }
}

struct Work {
    /// By the numbers of the log dirs.
    data_dirs: Arc<[PathBuf]>,
    pace: Pace,
    heir: Heir,
}

impl Work {
    fn run(&self, jobs: &Receiver<Job>, nameless: &Receiver<File>, reply: &Postbox) {
        loop {
            select! {
                recv(jobs) -> job => match job {
                    Ok(job) => self.perform(job).into_iter().for_each(|input| reply.send(Mail::Input(input))),
                    Err(_) => return,
                },
                recv(nameless) -> file => if let Ok(file) = file {
                    self.give_back_all(&file);
                },
            }
        }
    }

    /// What cannot be removed now is removed after the next start: no image names it any more, or it lies below the log start.
    fn perform(&self, job: Job) -> Option<Input> {
        match job {
            Job::Partition { dir, topic_partition, held } => {
                let data_dir = path_of(&self.data_dirs, dir);
                if let Err(error) = self.delete_partition(data_dir, topic_partition, &held) {
                    tracing::warn!(%topic_partition, %error, "cannot remove a deleted partition's files");
                }
                Some(Input::PartitionDeleted { topic_partition })
            }
            Job::Segments { trim, topic_partition, segments, held } => {
                let directory = partition_dir(path_of(&self.data_dirs, trim.dir()), topic_partition);
                if let Err(error) = self.unlink_segments(&directory, &segments, &held) {
                    tracing::warn!(%topic_partition, %error, "cannot unlink old segments");
                }
                Some(Input::SegmentsUnlinked { trim })
            }
            Job::LeftOver(directory) => {
                if let Err(error) = self.remove_directory(&directory, &BTreeMap::new()) {
                    tracing::warn!(directory = %directory.display(), %error, "cannot remove what is left of a deleted partition");
                }
                None
            }
        }
    }

    /// Unlinks segments with what lies beside them.
    fn unlink_segments(
        &self,
        directory: &Path,
        segments: &[Offset],
        held: &[Arc<SegmentFile>],
    ) -> io::Result<()> {
        let kept = keep_for_holders(held);
        let mut large = Vec::new();
        let mut result = Ok(());
        for base_offset in segments {
            // The rest keep their names, and so their bytes.
            if self.pace.is_stopping() {
                return result;
            }
            for suffix in SEGMENT_SUFFIXES {
                let path = directory.join(format!("{:020}{suffix}", base_offset.0));
                let file = if kept.contains_key(base_offset) { None } else { open_large(&path) };
                match self.pace.step(|| fs::remove_file(&path)) {
                    Ok(()) => large.extend(file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => result = Err(error),
                }
            }
        }
        if !large.is_empty() || !kept.is_empty() {
            // A name that a crash brings back has all its bytes.
            self.pace.step(|| sync_dir(directory))?;
            kept.values().for_each(|file| file.leave_to(&self.heir));
            large.iter().for_each(|file| self.give_back(file));
        }
        result
    }

    fn delete_partition(
        &self,
        data_dir: &Path,
        topic_partition: TopicPartition,
        held: &[Arc<SegmentFile>],
    ) -> io::Result<()> {
        let kept = keep_for_holders(held);
        let Some(away) = self.pace.step(|| move_away(data_dir, topic_partition))? else { return Ok(()) };
        kept.values().for_each(|file| file.leave_to(&self.heir));
        self.remove_directory(&away, &kept)?;
        sync_dir(data_dir)
    }

    /// Of the segments in `kept` the space is given back later.
    fn remove_directory(&self, directory: &Path, kept: &BTreeMap<Offset, &SegmentFile>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            if self.pace.is_stopping() {
                return Ok(());
            }
            let path = entry?.path();
            let base_offset = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).map(Offset);
            let is_kept = base_offset.is_some_and(|base_offset| kept.contains_key(&base_offset));
            let file = if is_kept { None } else { open_large(&path) };
            if self.pace.step(|| fs::remove_file(&path)).is_ok() {
                file.iter().for_each(|file| self.give_back(file));
            }
        }
        fs::remove_dir_all(directory)
    }

    /// Of a file that was open for reading only, and that nobody else has.
    fn give_back_all(&self, file: &File) {
        // Where this is not possible its space comes back all at once, when it is closed.
        let for_writing = format!("/proc/self/fd/{}", file.as_raw_fd());
        if let Some(file) = open_large(Path::new(&for_writing)) {
            self.give_back(&file);
        }
    }

    fn give_back(&self, file: &File) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        for length in cuts(length, 0) {
            if self.pace.is_stopping() || self.pace.step(|| file.set_len(length)).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
