//! What the summaries of a log dir say, in one file, so that a start opens one file and not one for each segment: `docs/FORMATS.md`, 2.4.
//!
//! Nothing in it is the only copy. A row speaks of a segment only while the file that it was made for is there, unchanged; where none
//! does, the summary is read. Rows lie in the order of their segments, are asked for in that order, and are written in it: neither needs
//! more memory than one row. Blocking: starts, and a thread of its own.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::effect::SegmentName;
use crate::log::SUMMARY_HEADER_BYTES;
use crate::model::{Offset, PartitionIndex, TopicId, TopicPartition};

const NAME: &str = "catalogue";
const MAGIC: [u8; 8] = *b"PSCATL01";
/// Another one is as good as none.
const VERSION: u32 = 1;

const FRONT_BYTES: usize = 16;
const ROW_BYTES: usize = 48 + SUMMARY_HEADER_BYTES;

/// The front of a summary.
pub type SummaryHeader = [u8; SUMMARY_HEADER_BYTES];

/// Which file it is, in which state: another one of this name, or this one written again, has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    inode: u64,
    modified_ns: i64,
}

impl FileIdentity {
    #[must_use]
    pub fn of(file: &Metadata) -> FileIdentity {
        let seconds = file.mtime().wrapping_mul(1_000_000_000);
        FileIdentity { inode: file.ino(), modified_ns: seconds.wrapping_add(file.mtime_nsec()) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    segment: SegmentName,
    identity: FileIdentity,
    header: SummaryHeader,
}

impl Row {
    fn encode(&self) -> [u8; ROW_BYTES] {
        let SegmentName { topic_partition, base_offset } = self.segment;
        let mut bytes = [0; ROW_BYTES];
        bytes[4..20].copy_from_slice(&topic_partition.topic_id.0);
        bytes[20..24].copy_from_slice(&topic_partition.partition.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&base_offset.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.identity.inode.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.identity.modified_ns.to_le_bytes());
        bytes[48..].copy_from_slice(&self.header);
        let crc = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// None: this was never written, or not wholly.
    fn decode(bytes: &[u8; ROW_BYTES]) -> Option<Row> {
        if u32::from_le_bytes(at(bytes, 0)) != crc32fast::hash(&bytes[4..]) {
            return None;
        }
        let topic_id = TopicId(at(bytes, 4));
        let partition = PartitionIndex(i32::from_le_bytes(at(bytes, 20)));
        let topic_partition = TopicPartition { topic_id, partition };
        Some(Row {
            segment: SegmentName { topic_partition, base_offset: Offset(i64::from_le_bytes(at(bytes, 24))) },
            identity: FileIdentity {
                inode: u64::from_le_bytes(at(bytes, 32)),
                modified_ns: i64::from_le_bytes(at(bytes, 40)),
            },
            header: at(bytes, 48),
        })
    }
}

fn at<const LENGTH: usize>(bytes: &[u8; ROW_BYTES], from: usize) -> [u8; LENGTH] {
    *bytes[from..].first_chunk().expect("within a row")
}

fn front() -> [u8; FRONT_BYTES] {
    let mut front = [0; FRONT_BYTES];
    front[..8].copy_from_slice(&MAGIC);
    front[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&front[..12]);
    front[12..].copy_from_slice(&crc.to_le_bytes());
    front
}

/// The catalogue of a log dir, and the next one, which takes its place.
#[derive(Debug)]
pub struct Catalogue {
    data_dir: PathBuf,
    /// From the first question on.
    rows: Option<Rows>,
    /// From the first row on.
    next: Option<Next>,
}

impl Catalogue {
    #[must_use]
    pub fn of(data_dir: &Path) -> Catalogue {
        Catalogue { data_dir: data_dir.to_owned(), rows: None, next: None }
    }

    /// What the summary of this segment begins with, if there is a row of this very file. Each question is about a later segment than the
    /// one before; of an earlier one nothing is known.
    pub fn header(&mut self, segment: SegmentName, identity: FileIdentity) -> Option<SummaryHeader> {
        let rows = self.rows.get_or_insert_with(|| Rows::open(&self.data_dir));
        rows.find(segment).filter(|row| row.identity == identity).map(|row| row.header)
    }

    /// A row for the next catalogue. One that comes out of order is left out.
    pub fn add(&mut self, segment: SegmentName, identity: FileIdentity, header: SummaryHeader) {
        let next = self.next.get_or_insert_with(|| Next::create(&self.data_dir));
        next.add(&Row { segment, identity, header });
    }

    /// Puts the rows that were added in the place of all others. Not synced: a crash may leave what does not check.
    pub fn finish(&mut self) {
        self.rows = None;
        let Some(next) = self.next.take() else { return };
        if let Err(error) = next.finish(&self.data_dir) {
            tracing::warn!(path = %self.data_dir.display(), %error, "cannot write the catalogue: the next start opens each summary");
        }
    }
}

impl Drop for Catalogue {
    /// A start that failed for want of room must not leave half of one: the next try needs the room.
    fn drop(&mut self) {
        if self.next.take().is_some() {
            let _ = fs::remove_file(next_path(&self.data_dir));
        }
    }
}

/// Forward through the rows of a catalogue. None, where there is none, or from damage on.
#[derive(Debug)]
struct Rows {
    file: Option<BufReader<File>>,
    /// The one that was read last.
    row: Option<Row>,
}

impl Rows {
    fn open(data_dir: &Path) -> Rows {
        let file = open(&data_dir.join(NAME)).unwrap_or_else(|error| {
            if error.kind() != ErrorKind::NotFound {
                tracing::warn!(path = %data_dir.display(), %error, "cannot read the catalogue: each summary is opened");
            }
            None
        });
        Rows { file, row: None }
    }

    fn find(&mut self, segment: SegmentName) -> Option<Row> {
        while self.row.is_none_or(|row| row.segment < segment) {
            let mut bytes = [0; ROW_BYTES];
            let is_read = self.file.as_mut()?.read_exact(&mut bytes).is_ok();
            match Row::decode(&bytes).filter(|_| is_read) {
                Some(row) => self.row = Some(row),
                None => self.file = None,
            }
        }
        self.row.filter(|row| row.segment == segment)
    }
}

/// None: this is not a catalogue that can be read.
fn open(path: &Path) -> io::Result<Option<BufReader<File>>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut found = [0; FRONT_BYTES];
    file.read_exact(&mut found)?;
    Ok(Some(file).filter(|_| found == front()))
}

/// A catalogue that is being written. What failed is told at the end.
#[derive(Debug)]
struct Next {
    file: io::Result<BufWriter<File>>,
    last: Option<SegmentName>,
}

impl Next {
    fn create(data_dir: &Path) -> Next {
        let file = File::create(next_path(data_dir)).map(BufWriter::new);
        let mut next = Next { file, last: None };
        next.write(&front());
        next
    }

    fn add(&mut self, row: &Row) {
        if self.last.is_none_or(|last| last < row.segment) {
            self.last = Some(row.segment);
            self.write(&row.encode());
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Ok(file) = &mut self.file
            && let Err(error) = file.write_all(bytes)
        {
            self.file = Err(error);
        }
    }

    fn finish(self, data_dir: &Path) -> io::Result<()> {
        let path = next_path(data_dir);
        let written = self.file.and_then(|mut file| file.flush());
        let result = written.and_then(|()| fs::rename(&path, data_dir.join(NAME)));
        if result.is_err() {
            // Half of one takes room that may be scarce. If it stays, the next one begins it anew.
            let _ = fs::remove_file(&path);
        }
        result
    }
}

fn next_path(data_dir: &Path) -> PathBuf {
    data_dir.join(format!("{NAME}.new"))
}

#[cfg(test)]
mod tests;
