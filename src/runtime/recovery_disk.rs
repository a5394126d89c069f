//! The files of a data directory, for recovery, before any shard runs. Segments are written by threads of their own; all else has
//! happened when it is answered.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::effect::{DiskError, SegmentName};
use crate::limits::SYNCED_ONE_BY_ONE_MAX;
use crate::model::{Offset, PartitionIndex, ShardId, TopicId, TopicPartition};
use crate::storage::RecoveryDisk;

use super::chores::{self, DELETED_SUFFIX};
use super::files::{
    LOG_START, journal_dir, journal_path, open_or_create, partition_dir, segment_path, sync_dir,
};
use super::io_threads::disk_error;
use super::journal_reader::JournalReader;
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
    /// Partitions with the mark, once the directories were listed.
    marked: Option<BTreeSet<TopicPartition>>,
}

impl DataDir {
    #[must_use]
    pub fn new(path: PathBuf) -> DataDir {
        DataDir {
            path,
            last: None,
            journal: JournalReader::default(),
            restorers: None,
            file_system: None,
            marked: None,
        }
    }

    /// Removes what a crash left of deleted partitions.
    pub fn remove_deleted(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(DELETED_SUFFIX) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
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

    fn list_log_starts(&self) -> io::Result<Vec<(TopicPartition, Vec<u8>)>> {
        let mut found = Vec::new();
        for (name, path) in entries(&self.path)? {
            let Some(topic_partition) = parse_partition(&name) else { continue };
            match fs::read(path.join(LOG_START)) {
                Ok(bytes) => found.push((topic_partition, bytes)),
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

    fn list_segments(&mut self) -> io::Result<Vec<(SegmentName, u64)>> {
        let (mut segments, mut marked) = (Vec::new(), BTreeSet::new());
        for (name, path) in entries(&self.path)? {
            let Some(topic_partition) = parse_partition(&name) else { continue };
            let mut found = list_partition(&path)?;
            if !found.of_swaps.is_empty() {
                finish_swaps(&path, &found.of_swaps)?;
                found = list_partition(&path)?;
            }
            if found.is_marked {
                marked.insert(topic_partition);
            }
            let name = |base_offset| SegmentName { topic_partition, base_offset };
            segments
                .extend(found.segments.into_iter().map(|(base_offset, length)| (name(base_offset), length)));
        }
        self.marked = Some(marked);
        Ok(segments)
    }
}

/// What a partition's directory has.
#[derive(Debug, Default)]
struct FoundFiles {
    segments: Vec<(Offset, u64)>,
    /// What a crash has left of a compaction.
    of_swaps: Vec<String>,
    is_marked: bool,
}

fn list_partition(directory: &Path) -> io::Result<FoundFiles> {
    let mut found = FoundFiles::default();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        found.is_marked |= name == DAMAGED;
        if is_of_swap(name) {
            found.of_swaps.push(name.to_owned());
        } else if let Some(base) = name.strip_suffix(".log").and_then(|base| base.parse().ok()) {
            found.segments.push((Offset(base), entry.metadata()?.len()));
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
        self.list_segments().map_err(failed("list segments"))
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
        let path = summary_path(&segment_path(&self.path, segment));
        read_front(&path, into).map_err(failed("read summary"))
    }

    fn write_summary(&mut self, segment: SegmentName, summary: &[u8]) -> Result<(), DiskError> {
        self.restore(segment, Work::Summary { bytes: summary.to_vec() })
    }

    fn remove_partition(&mut self, topic_partition: TopicPartition) -> Result<(), DiskError> {
        self.settle()?;
        // They keep its files open.
        self.restorers = None;
        self.last = None;
        chores::delete_partition(&self.path, topic_partition).map_err(failed("remove partition"))
    }

    fn damaged(&mut self) -> Result<Vec<TopicPartition>, DiskError> {
        if self.marked.is_none() {
            self.list_segments().map_err(failed("list partitions"))?;
        }
        Ok(self.marked.iter().flatten().copied().collect())
    }

    fn mark_damaged(&mut self, topic_partition: TopicPartition, why: &str) -> Result<(), DiskError> {
        self.marked = None;
        self.mark(topic_partition, why).map_err(failed("mark partition"))
    }

    fn keep_aside(&mut self, segment: SegmentName, position: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let path = segment_path(&self.path, segment).with_extension(ASIDE);
        let written =
            open_or_create(&path, OFlags::empty()).and_then(|file| file.write_all_at(bytes, position));
        written.map_err(failed("keep journal bytes aside"))
    }
}
