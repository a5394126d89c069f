//! The files of a data directory, for recovery, before any shard runs. Segments are written by threads of their own; all else has
//! happened when it is answered.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::OFlags;

use crate::effect::{DiskError, SegmentName};
use crate::limits::{LIST_THREADS, LISTED_BY_ONE_MIN, SYNCED_ONE_BY_ONE_MAX};
use crate::log::{SUMMARY_HEADER_BYTES, Summary};
use crate::model::{Offset, PartitionIndex, ShardId, TopicId, TopicPartition};
use crate::storage::RecoveryDisk;

use super::catalogue::{Catalogue, FileIdentity, SummaryHeader};
use super::chores;
use super::files::{
    LOG_START, journal_dir, journal_path, open_or_create, partition_dir, segment_path, sync_dir,
};
use super::io_threads::disk_error;
use super::journal_reader::JournalReader;
use super::removal::move_away;
use super::segment_restorers::{SegmentRestorers, Work};
use super::summary_file::summary_path;
use super::swap_files::{finish_swaps, is_of_swap};

/// Tells later starts, and people, that a partition lacks bytes.
const DAMAGED: &str = "damaged";

/// Bytes that a journal held of a segment of such a partition, at their positions.
const ASIDE: &str = "journal";

/// Lives: one per start. Keeps the file that was read last open: recovery reads a file in many pieces.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    last: Option<(PathBuf, File)>,
    journal: JournalReader,
    /// From the first write on.
    restorers: Option<SegmentRestorers>,
    /// The directory, open since before that.
    file_system: Option<File>,
    /// The partitions as they were found when they were listed.
    listed: Option<Listed>,
    catalogue: Catalogue,
}

impl DataDir {
    #[must_use]
    pub fn new(path: PathBuf) -> DataDir {
        DataDir {
            catalogue: Catalogue::of(&path),
            path,
            last: None,
            journal: JournalReader::default(),
            restorers: None,
            file_system: None,
            listed: None,
        }
    }

    /// Writes the catalogue anew, out of what was read of summaries since the directory was listed: the next start need not read it again.
    pub fn keep_catalogue(&mut self) {
        self.catalogue.finish();
    }

    fn opened(&mut self, path: &Path) -> io::Result<&File> {
        let is_last = self.last.as_ref().is_some_and(|(last, _)| last == path);
        if !is_last {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            self.last = Some((path.to_owned(), file));
        }
        Ok(&self.last.as_ref().expect("set above").1)
    }

    fn restore(&mut self, segment: SegmentName, work: Work) -> Result<(), DiskError> {
        if self.file_system.is_none() {
            self.file_system = Some(File::open(&self.path).map_err(failed("open data directory"))?);
        }
        let restorers = match &self.restorers {
            Some(restorers) => restorers,
            None => {
                let started = SegmentRestorers::start(&self.path).map_err(failed("start threads"))?;
                self.restorers.insert(started)
            }
        };
        restorers.begin(segment, work)
    }

    /// Waits for what is being written.
    pub fn settle(&self) -> Result<(), DiskError> {
        self.restorers.as_ref().map_or(Ok(()), SegmentRestorers::finish)
    }

    /// Whole or not at all, after everything else in the directory.
    fn mark(&mut self, topic_partition: TopicPartition, why: &str) -> io::Result<()> {
        let directory = partition_dir(&self.path, topic_partition);
        fs::create_dir_all(&directory)?;
        for (name, path) in entries(&directory)? {
            if name.ends_with(ASIDE) {
                File::open(path)?.sync_all()?;
            }
        }
        let temporary = directory.join(".damaged.new");
        let mut file = File::create(&temporary)?;
        writeln!(file, "{why}")?;
        file.sync_all()?;
        fs::rename(&temporary, directory.join(DAMAGED))?;
        sync_dir(&directory)?;
        sync_dir(&self.path)
    }

    fn sync(&mut self, names: &[SegmentName]) -> Result<(), DiskError> {
        self.settle()?;
        match &self.file_system {
            // Open before the first of these writes, so that it hears of the errors of all of them.
            Some(file_system) if names.len() > SYNCED_ONE_BY_ONE_MAX => {
                chores::sync_file_system(file_system).map_err(failed("sync the file system of segments"))
            }
            _ if names.is_empty() => Ok(()),
            _ => {
                names.iter().try_for_each(|name| self.restore(*name, Work::Sync))?;
                self.settle()?;
                sync_dir(&self.path).map_err(failed("sync data directory"))
            }
        }
    }

    /// What all journal files take on the disk, as far as that can be seen.
    pub fn all_journal_bytes(&self) -> u64 {
        let journals = self.list_journals().unwrap_or_default();
        let files =
            journals.into_iter().flat_map(|(shard, files)| files.into_iter().map(move |file| (shard, file)));
        let length = |(shard, file)| Some(fs::metadata(journal_path(&self.path, shard, file)).ok()?.len());
        files.filter_map(length).sum()
    }

    fn list_log_starts(&mut self) -> io::Result<Vec<(TopicPartition, Vec<u8>)>> {
        let partitions: Vec<TopicPartition> = self.listed()?.with_log_start.iter().copied().collect();
        let mut found = Vec::with_capacity(partitions.len());
        for topic_partition in partitions {
            match fs::read(partition_dir(&self.path, topic_partition).join(LOG_START)) {
                Ok(bytes) => found.push((topic_partition, bytes)),
                // Removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn list_journals(&self) -> io::Result<Vec<(ShardId, Vec<u32>)>> {
        let mut journals = Vec::new();
        for (name, path) in entries(&self.path.join("journal"))? {
            let Ok(shard) = name.parse() else { continue };
            let files = entries(&path)?;
            let number = |(name, _): &(String, PathBuf)| name.strip_suffix(".journal")?.parse().ok();
            journals.push((ShardId(shard), files.iter().filter_map(number).collect()));
        }
        Ok(journals)
    }

    /// All partitions, on some threads: where nothing of the directory is in memory, each waits for the disk.
    fn list(&mut self) -> io::Result<&Listed> {
        let partitions = self.partitions()?;
        let part = partitions.len().div_ceil(LIST_THREADS).max(LISTED_BY_ONE_MIN);
        let parts = std::thread::scope(|scope| {
            let list = |part| {
                let thread = std::thread::Builder::new().name("list".to_owned());
                thread.spawn_scoped(scope, move || list_partitions(part))
            };
            let threads = partitions.chunks(part).map(list).collect::<io::Result<Vec<_>>>()?;
            let joined = threads.into_iter().map(|thread| thread.join().expect("a panic ends the process"));
            joined.collect::<io::Result<Vec<Listed>>>()
        })?;
        let all = parts.into_iter().fold(Listed::default(), Listed::and);
        Ok(self.listed.insert(all))
    }

    fn listed(&mut self) -> io::Result<&Listed> {
        if self.listed.is_none() {
            self.list()?;
        }
        Ok(self.listed.as_ref().expect("listed above"))
    }

    /// In their order, with their directories.
    fn partitions(&self) -> io::Result<Vec<(TopicPartition, PathBuf)>> {
        let paths = entries(&self.path)?.into_iter();
        let mut partitions: Vec<_> =
            paths.filter_map(|(name, path)| Some((parse_partition(&name)?, path))).collect();
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// Writes the catalogue anew beside a running broker, one partition after the other, with a call of `pause` after each.
    pub fn refresh_catalogue(&mut self, pause: &mut dyn FnMut()) -> io::Result<()> {
        let mut header = [0; SUMMARY_HEADER_BYTES];
        for (topic_partition, path) in self.partitions()? {
            // It may be deleted meanwhile.
            let Ok(found) = list_partition(&path) else { continue };
            for (segment, file) in found.named(topic_partition) {
                // What is not sealed, or gone meanwhile, has none.
                let _ = self.read_front_of_summary(segment, Some(file), &mut header);
            }
            pause();
        }
        self.keep_catalogue();
        Ok(())
    }

    fn found_file(&self, segment: SegmentName) -> Option<FoundFile> {
        let segments = &self.listed.as_ref()?.segments;
        let index = segments.binary_search_by_key(&segment, |(name, _)| *name).ok()?;
        Some(segments[index].1)
    }

    /// The front of the summary, from the catalogue if that is enough and has it. What it says of the segment's file as it was found goes
    /// into the next catalogue.
    fn read_front_of_summary(
        &mut self,
        segment: SegmentName,
        file: Option<FoundFile>,
        into: &mut [u8],
    ) -> io::Result<usize> {
        if into.len() == SUMMARY_HEADER_BYTES
            && let Some(FoundFile { identity, .. }) = file
            && let Some(header) = self.catalogue.header(segment, identity)
        {
            self.catalogue.add(segment, identity, header);
            into.copy_from_slice(&header);
            return Ok(into.len());
        }
        let read = read_front(&summary_path(&segment_path(&self.path, segment)), into)?;
        if let Some(FoundFile { length, identity }) = file
            && let Some(header) = header_of(segment, length, &into[..read])
        {
            self.catalogue.add(segment, identity, header);
        }
        Ok(read)
    }
}

/// What the summary of this segment begins with, if it is of it.
fn header_of(segment: SegmentName, length: u64, front: &[u8]) -> Option<SummaryHeader> {
    let mut header = [0; SUMMARY_HEADER_BYTES];
    let front = &front[..front.len().min(SUMMARY_HEADER_BYTES)];
    header[..front.len()].copy_from_slice(front);
    let told = Summary::decode(segment.topic_partition, &Bytes::copy_from_slice(&header)).ok()?.segment;
    let is_of_it = told.base_offset == segment.base_offset && told.length == length;
    is_of_it.then_some(header)
}

/// What the directories of partitions have, in the order of these.
#[derive(Debug, Default)]
struct Listed {
    segments: Vec<(SegmentName, FoundFile)>,
    marked: BTreeSet<TopicPartition>,
    with_log_start: BTreeSet<TopicPartition>,
}

impl Listed {
    fn and(mut self, mut next: Listed) -> Listed {
        self.segments.append(&mut next.segments);
        self.marked.append(&mut next.marked);
        self.with_log_start.append(&mut next.with_log_start);
        self
    }
}

#[derive(Debug, Clone, Copy)]
struct FoundFile {
    length: u64,
    identity: FileIdentity,
}

/// What a partition's directory has.
#[derive(Debug, Default)]
struct FoundFiles {
    segments: Vec<(Offset, FoundFile)>,
    /// What a crash has left of a compaction.
    of_swaps: Vec<String>,
    is_marked: bool,
    has_log_start: bool,
}

impl FoundFiles {
    /// In the order of their base offsets.
    fn named(mut self, topic_partition: TopicPartition) -> impl Iterator<Item = (SegmentName, FoundFile)> {
        self.segments.sort_unstable_by_key(|(base_offset, _)| *base_offset);
        let name = move |base_offset| SegmentName { topic_partition, base_offset };
        self.segments.into_iter().map(move |(base_offset, file)| (name(base_offset), file))
    }
}

fn list_partitions(partitions: &[(TopicPartition, PathBuf)]) -> io::Result<Listed> {
    let mut listed = Listed::default();
    for (topic_partition, path) in partitions {
        let mut found = list_partition(path)?;
        if !found.of_swaps.is_empty() {
            finish_swaps(path, &found.of_swaps)?;
            found = list_partition(path)?;
        }
        if found.is_marked {
            listed.marked.insert(*topic_partition);
        }
        if found.has_log_start {
            listed.with_log_start.insert(*topic_partition);
        }
        listed.segments.extend(found.named(*topic_partition));
    }
    Ok(listed)
}

fn list_partition(directory: &Path) -> io::Result<FoundFiles> {
    let mut found = FoundFiles::default();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        found.is_marked |= name == DAMAGED;
        found.has_log_start |= name == LOG_START;
        if is_of_swap(name) {
            found.of_swaps.push(name.to_owned());
        } else if let Some(base) = name.strip_suffix(".log").and_then(|base| base.parse().ok()) {
            let file = entry.metadata()?;
            let file = FoundFile { length: file.len(), identity: FileIdentity::of(&file) };
            found.segments.push((Offset(base), file));
        }
    }
    Ok(found)
}

fn read_front(path: &Path, into: &mut [u8]) -> io::Result<usize> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Names and paths in a directory; none if it is not there.
fn entries(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let found = match fs::read_dir(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    found
        .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
        .collect()
}

/// `TOPIC_ID-PARTITION`: 32 hex digits, a number.
fn parse_partition(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.split_once('-')?;
    let is_hex = topic.len() == 32 && topic.bytes().all(|byte| byte.is_ascii_hexdigit());
    let topic = is_hex.then(|| u128::from_str_radix(topic, 16).ok()).flatten()?;
    let partition = partition.parse().ok().filter(|partition| *partition >= 0)?;
    Some(TopicPartition { topic_id: TopicId(topic.to_be_bytes()), partition: PartitionIndex(partition) })
}

fn failed(operation: &'static str) -> impl Fn(io::Error) -> DiskError {
    move |error| disk_error(operation, &error)
}

impl RecoveryDisk for DataDir {
    fn journals(&mut self) -> Result<Vec<(ShardId, Vec<u32>)>, DiskError> {
        self.list_journals().map_err(failed("list journals"))
    }

    fn journal_bytes(&mut self, shard: ShardId, file: u32) -> Result<u64, DiskError> {
        let found = fs::metadata(journal_path(&self.path, shard, file));
        Ok(found.map_err(failed("find journal file"))?.len())
    }

    fn read_journal(
        &mut self,
        shard: ShardId,
        file: u32,
        position: u64,
        into: &mut [u8],
    ) -> Result<(), DiskError> {
        let path = journal_path(&self.path, shard, file);
        self.journal.read(&path, position, into).map_err(failed("read journal"))
    }

    fn write_journal(
        &mut self,
        shard: ShardId,
        file: u32,
        position: u64,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        self.journal.forget();
        let path = journal_path(&self.path, shard, file);
        let write = |file: &File| file.write_all_at(bytes, position).and_then(|()| file.sync_data());
        self.opened(&path).and_then(write).map_err(failed("write journal"))
    }

    fn remove_journal(&mut self, shard: ShardId) -> Result<(), DiskError> {
        self.journal.forget();
        self.last = None;
        let removed = fs::remove_dir_all(journal_dir(&self.path, shard));
        removed.and_then(|()| sync_dir(&self.path.join("journal"))).map_err(failed("remove journal"))
    }

    fn segments(&mut self) -> Result<Vec<(SegmentName, u64)>, DiskError> {
        self.settle()?;
        let listed = self.list().map_err(failed("list segments"))?;
        Ok(listed.segments.iter().map(|(name, file)| (*name, file.length)).collect())
    }

    fn read_segment(
        &mut self,
        segment: SegmentName,
        position: u64,
        into: &mut [u8],
    ) -> Result<(), DiskError> {
        self.settle()?;
        let path = segment_path(&self.path, segment);
        let read = self.opened(&path).and_then(|file| file.read_exact_at(into, position));
        read.map_err(failed("read segment"))
    }

    fn write_segment(&mut self, segment: SegmentName, position: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.restore(segment, Work::Write { position, bytes: bytes.to_vec() })
    }

    fn truncate_segment(&mut self, segment: SegmentName, length: u64) -> Result<(), DiskError> {
        self.restore(segment, Work::Truncate { length })
    }

    fn sync_segments(&mut self, segments: &[SegmentName]) -> Result<(), DiskError> {
        self.sync(segments)
    }

    fn log_starts(&mut self) -> Result<Vec<(TopicPartition, Vec<u8>)>, DiskError> {
        self.list_log_starts().map_err(failed("read log start"))
    }

    fn read_summary(&mut self, segment: SegmentName, into: &mut [u8]) -> Result<usize, DiskError> {
        let file = self.found_file(segment);
        self.read_front_of_summary(segment, file, into).map_err(failed("read summary"))
    }

    fn write_summary(&mut self, segment: SegmentName, summary: &[u8], synced: bool) -> Result<(), DiskError> {
        self.restore(segment, Work::Summary { bytes: summary.to_vec(), synced })
    }

    fn remove_partition(&mut self, topic_partition: TopicPartition) -> Result<(), DiskError> {
        self.settle()?;
        // They keep its files open.
        self.restorers = None;
        self.last = None;
        // Its bytes go when clients are served again.
        move_away(&self.path, topic_partition).map(drop).map_err(failed("remove partition"))
    }

    fn damaged(&mut self) -> Result<Vec<TopicPartition>, DiskError> {
        let listed = self.listed().map_err(failed("list partitions"))?;
        Ok(listed.marked.iter().copied().collect())
    }

    fn mark_damaged(&mut self, topic_partition: TopicPartition, why: &str) -> Result<(), DiskError> {
        self.mark(topic_partition, why).map_err(failed("mark partition"))?;
        if let Some(listed) = &mut self.listed {
            listed.marked.insert(topic_partition);
        }
        Ok(())
    }

    fn keep_aside(&mut self, segment: SegmentName, position: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let path = segment_path(&self.path, segment).with_extension(ASIDE);
        let written =
            open_or_create(&path, OFlags::empty()).and_then(|file| file.write_all_at(bytes, position));
        written.map_err(failed("keep journal bytes aside"))
    }
}

#[cfg(test)]
mod tests;
