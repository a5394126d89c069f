//! The thread that compacts the logs of one shard: reads, hashes, writes and swaps, one step after the other.
//!
//! Decides nothing about records or segments: `log` does, with the bytes that are read here. It takes as long as its rate allows, and
//! leaves a step when it is told to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use rustix::fs::{Advice, fadvise};

use crate::effect::{
    CleanRules, CompactedSegment, CompactionFault, CompactionId, DiskError, MappedKeys, Rewritten, SwapFault,
};
use crate::input::Input;
use crate::limits::COLD_PIECE_BYTES;
use crate::log::{CompactionDisk, OffsetMap, Summary, map_keys, rewrite};
use crate::model::{Offset, ShardId, Snapshot, TopicPartition};

use super::descriptors::Heir;
use super::files::{OpenFile, SegmentFile, partition_dir, path_of, sync_dir};
use super::io_threads::{disk_error, post, thread};
use super::mesh::{Mail, Postbox};
use super::swap_files::{SwapError, SwapFiles, unlink_merged};

/// A batch is inflated here, and compressed again.
const STACK_BYTES: usize = 1024 * 1024;

/// It looks so often whether it shall end, while it waits for its rate.
const NAP_MAX: Duration = Duration::from_millis(20);

/// How much lower than that of others its share of the processor is.
const NICENESS: i32 = 10;

/// A sealed segment, and the file that it is in.
pub type Source = (Arc<SegmentFile>, CompactedSegment);

enum Order {
    Map {
        compaction: CompactionId,
        sources: Vec<Source>,
        from: Offset,
        map_bytes: u64,
        pace: Pace,
    },
    Rewrite {
        compaction: CompactionId,
        of: TopicPartition,
        sources: Vec<Source>,
        rules: CleanRules,
        snapshot: Snapshot,
        pace: Pace,
    },
    Swap {
        compaction: CompactionId,
        of: TopicPartition,
        replaced: Vec<Offset>,
        held: Vec<Arc<SegmentFile>>,
    },
    End {
        compaction: CompactionId,
    },
}

/// The sending side; the shard's loop owns it.
#[derive(Debug)]
pub struct Compactor {
    orders: Sender<Order>,
    /// What ends the step of a compaction that is under way or waits.
    ends: Mutex<BTreeMap<CompactionId, Arc<AtomicBool>>>,
}

impl Compactor {
    pub fn start(
        shard: ShardId,
        data_dirs: Arc<[PathBuf]>,
        heir: Heir,
        reply: Postbox,
    ) -> io::Result<(Compactor, JoinHandle<()>)> {
        let (orders, waiting) = unbounded();
        let run = move || {
            // Of this thread only. Where it is not allowed it is as the others.
            let _ = rustix::process::nice(NICENESS);
            let mut work = Work { data_dirs, heir, maps: BTreeMap::new() };
            for order in waiting {
                if let Some(input) = work.perform(order) {
                    reply.send(Mail::Input(input));
                }
            }
        };
        let thread = thread(format!("compact-{shard}"), STACK_BYTES, run)?;
        Ok((Compactor { orders, ends: Mutex::default() }, thread))
    }

    pub fn map_keys(
        &self,
        compaction: CompactionId,
        sources: Vec<Source>,
        from: Offset,
        map_bytes: u64,
        bytes_per_second: u64,
    ) {
        let pace = self.pace(compaction, bytes_per_second);
        post(&self.orders, Order::Map { compaction, sources, from, map_bytes, pace });
    }

    pub fn rewrite(
        &self,
        compaction: CompactionId,
        of: TopicPartition,
        sources: Vec<Source>,
        (rules, snapshot): (CleanRules, Snapshot),
        bytes_per_second: u64,
    ) {
        let pace = self.pace(compaction, bytes_per_second);
        post(&self.orders, Order::Rewrite { compaction, of, sources, rules, snapshot, pace });
    }

    pub fn swap(
        &self,
        compaction: CompactionId,
        of: TopicPartition,
        replaced: Vec<Offset>,
        held: Vec<Arc<SegmentFile>>,
    ) {
        post(&self.orders, Order::Swap { compaction, of, replaced, held });
    }

    pub fn end(&self, compaction: CompactionId) {
        let ended = self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(&compaction);
        if let Some(ended) = ended {
            ended.store(true, Ordering::Relaxed);
        }
        post(&self.orders, Order::End { compaction });
    }

    /// Ends what is under way, and the thread after it.
    pub fn stop(self) {
        let ends = self.ends.into_inner().unwrap_or_else(PoisonError::into_inner);
        ends.into_values().for_each(|ended| ended.store(true, Ordering::Relaxed));
    }

    fn pace(&self, compaction: CompactionId, bytes_per_second: u64) -> Pace {
        let ended = Arc::new(AtomicBool::new(false));
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.insert(compaction, Arc::clone(&ended));
        Pace { ended, bytes_per_second, began: None, bytes: 0 }
    }
}

/// How fast a step may go, and whether it shall end.
struct Pace {
    ended: Arc<AtomicBool>,
    bytes_per_second: u64,
    began: Option<Instant>,
    bytes: u64,
}

impl Pace {
    fn goes_on(&mut self, bytes: u64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        let began = *self.began.get_or_insert_with(Instant::now);
        let due = Duration::try_from_secs_f64(self.bytes as f64 / self.bytes_per_second as f64);
        let due = due.unwrap_or(Duration::MAX);
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return false;
            }
            let left = due.saturating_sub(began.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(NAP_MAX));
        }
    }
}

struct Work {
    /// By the numbers of the log dirs.
    data_dirs: Arc<[PathBuf]>,
    heir: Heir,
    maps: BTreeMap<CompactionId, OffsetMap>,
}

impl Work {
    fn perform(&mut self, order: Order) -> Option<Input> {
        match order {
            Order::Map { compaction, sources, from, map_bytes, pace } => {
                let result = self.map(compaction, sources, from, map_bytes, pace);
                Some(Input::KeysMapped { compaction, result })
            }
            Order::Rewrite { compaction, of, sources, rules, snapshot, pace } => {
                let directory = partition_dir(path_of(&self.data_dirs, compaction.dir()), of);
                let summed = Summed { of, snapshot, directory: &directory };
                let result = self.rewrite(compaction, summed, &sources, &rules, pace);
                Some(Input::SegmentsRewritten { compaction, result })
            }
            Order::Swap { compaction, of, replaced, held } => {
                let directory = partition_dir(path_of(&self.data_dirs, compaction.dir()), of);
                let result = swap(&directory, &replaced, &held, &self.heir);
                Some(Input::SegmentsSwapped { compaction, result })
            }
            Order::End { compaction } => {
                self.maps.remove(&compaction);
                None
            }
        }
    }

    fn map(
        &mut self,
        compaction: CompactionId,
        sources: Vec<Source>,
        from: Offset,
        map_bytes: u64,
        pace: Pace,
    ) -> Result<MappedKeys, CompactionFault> {
        let segments: Vec<CompactedSegment> = sources.iter().map(|(_, segment)| *segment).collect();
        let end = segments.last().map_or(from, |last| last.sealed.next_offset);
        let records = u64::try_from(end.0 - from.0).unwrap_or(0);
        let mut map = OffsetMap::new(map_bytes, records);
        let mut disk = StepFiles { sources: open_all(&sources)?, new: None, written: 0, pace };
        let mapped = map_keys(&mut map, &segments, from, &mut disk)?;
        self.maps.insert(compaction, map);
        Ok(mapped)
    }

    fn rewrite(
        &mut self,
        compaction: CompactionId,
        summed: Summed<'_>,
        sources: &[Source],
        rules: &CleanRules,
        pace: Pace,
    ) -> Result<Rewritten, CompactionFault> {
        let (Some(map), Some((_, first))) = (self.maps.get(&compaction), sources.first()) else {
            return Err(CompactionFault::GivenUp);
        };
        let files = SwapFiles::new(summed.directory, first.sealed.base_offset);
        let result = write_new(map, &files, summed, sources, rules, pace);
        let is_wanted = result.as_ref().is_ok_and(|new| new.is_changed || new.sealed != first.sealed);
        if !is_wanted {
            files.discard();
        }
        result
    }
}

/// What a summary says beside its segment.
struct Summed<'a> {
    of: TopicPartition,
    snapshot: Snapshot,
    directory: &'a Path,
}

/// The files of one step. They are read and written in pieces, one at a time: a commit of the journal waits for no more.
struct StepFiles {
    sources: Vec<Arc<OpenFile>>,
    new: Option<File>,
    written: u64,
    pace: Pace,
}

impl CompactionDisk for StepFiles {
    fn read(&mut self, segment: usize, position: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let source = &self.sources[segment];
        // A hint. Whoever reads it for a client says at each range what is to be read ahead.
        let _ = fadvise(&***source, 0, None, Advice::Random);
        let mut at = position;
        for piece in into.chunks_mut(COLD_PIECE_BYTES as usize) {
            let read = source.read_exact_at(piece, at);
            read.map_err(|error| disk_error("read segment", &error))?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let Some(new) = &mut self.new else {
            return Err(DiskError { operation: "write", errno: libc::EBADF });
        };
        for piece in bytes.chunks(COLD_PIECE_BYTES as usize) {
            let written = new.write_all(piece).and_then(|()| bring_to_disk(new, self.written, piece.len()));
            written.map_err(|error| disk_error("write compacted segment", &error))?;
            self.written += piece.len() as u64;
        }
        Ok(())
    }

    fn goes_on(&mut self, bytes: u64) -> bool {
        self.pace.goes_on(bytes)
    }
}

/// Has the kernel write these bytes now, not all of a segment when it is synced. They are not durable then.
fn bring_to_disk(file: &File, position: u64, length: usize) -> io::Result<()> {
    let (Ok(position), Ok(length)) = (i64::try_from(position), i64::try_from(length)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: the call takes a descriptor and numbers.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), position, length, flags) };
    match io::Error::last_os_error() {
        // A sandbox that does not know the call: the sync at the end does all.
        error if result == 0 || error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        // An error of the disk is told once, here and not again by the sync.
        error => Err(error),
    }
}

fn failed(operation: &'static str) -> impl Fn(io::Error) -> CompactionFault {
    move |error| CompactionFault::Disk(disk_error(operation, &error))
}

fn open_all(sources: &[Source]) -> Result<Vec<Arc<OpenFile>>, CompactionFault> {
    sources.iter().map(|(file, _)| file.open().map_err(failed("open segment"))).collect()
}

/// Writes the new segment and its summary, both synced.
fn write_new(
    map: &OffsetMap,
    files: &SwapFiles<'_>,
    Summed { of, snapshot, .. }: Summed<'_>,
    sources: &[Source],
    rules: &CleanRules,
    pace: Pace,
) -> Result<Rewritten, CompactionFault> {
    let segments: Vec<CompactedSegment> = sources.iter().map(|(_, segment)| *segment).collect();
    let new = File::create(files.cleaned_log()).map_err(failed("create compacted segment"))?;
    let mut disk = StepFiles { sources: open_all(sources)?, new: Some(new), written: 0, pace };
    let rewritten = rewrite(map, rules, &segments, &mut disk)?;
    let Some(new) = disk.new else { return Err(CompactionFault::GivenUp) };
    new.sync_all().map_err(failed("sync compacted segment"))?;
    let index = Some(rewritten.index.clone());
    let summary = Summary { segment: rewritten.sealed, snapshot: Some(snapshot), index };
    let operation = "write the summary of a compacted segment";
    let mut file = File::create(files.cleaned_summary()).map_err(failed(operation))?;
    file.write_all(&summary.encode(of)).and_then(|()| file.sync_all()).map_err(failed(operation))?;
    Ok(rewritten)
}

fn swap(
    directory: &Path,
    replaced: &[Offset],
    held: &[Arc<SegmentFile>],
    heir: &Heir,
) -> Result<(), SwapFault> {
    let unchanged = |error: io::Error| SwapFault::Unchanged(disk_error("swap segments", &error));
    let Some((first, merged)) = replaced.split_first() else {
        return Err(unchanged(io::ErrorKind::InvalidInput.into()));
    };
    // Who knows one of them by its number reads it until the shard has heard of the new one.
    held.iter().try_for_each(SegmentFile::pin).map_err(unchanged)?;
    SwapFiles::new(directory, *first).swap().map_err(|error| match error {
        SwapError::Before(error) => unchanged(error),
        SwapError::Within(error) => {
            tracing::error!(directory = %directory.display(), %error, "cannot put a compacted segment in place");
            SwapFault::Unknown(disk_error("swap segments", &error))
        }
    })?;
    unlink_merged(directory, merged);
    match sync_dir(directory) {
        // No crash brings their names back.
        Ok(()) => held.iter().for_each(|file| file.leave_to(heir)),
        Err(error) => {
            tracing::warn!(directory = %directory.display(), %error, "cannot sync a partition's directory");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
