//! Completes segments of an earlier run out of the journal, while the broker serves: `Effect::RestoreSegments`.
//!
//! Decides what is copied at once. A journal tells of all its segments in turn, often in batches of a hundred bytes: read and
//! written one by one, a million of them would take seconds. So what lies close together is read at once, and what follows each other
//! in a segment is written at once. Through the page cache: what is read for one batch of segments is there for the next.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rustix::fs::{Advice, fadvise};

use crate::effect::{DiskError, RestoreSegment, SegmentName};
use crate::input::{Input, SegmentOperation};
use crate::limits::{
    RESTORE_READ_BYTES, RESTORE_SKIP_BYTES, RESTORE_UNWRITTEN_BYTES_MAX, RESTORE_WRITE_BYTES,
};
use crate::model::{LogDir, ShardId};
use crate::storage::RecoveryDisk;

use super::files::{is_full_disk_errno, journal_path, path_of};
use super::io_threads::disk_error;
use super::mesh::{Mail, Postbox};
use super::recovery_disk::DataDir;

#[cfg(test)]
mod tests;

/// Segments that are completed together.
pub struct Restores {
    pub dir: LogDir,
    pub segments: Vec<RestoreSegment>,
}

pub fn restore_all(shard: ShardId, orders: &Receiver<Restores>, dirs: &Arc<[PathBuf]>, reply: &Postbox) {
    for Restores { dir, segments } in orders {
        let result = Batch::new(shard, path_of(dirs, dir)).restore(&segments);
        for RestoreSegment { file, .. } in segments {
            reply.send(Mail::Input(match result {
                Ok(()) => Input::SegmentSealed { file },
                Err(Failure::NoRoom(error)) => {
                    Input::SegmentLacksSpace { file, operation: SegmentOperation::Seal, error }
                }
                Err(Failure::Final(error)) => Input::SegmentFailed { file, error },
            }));
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    NoRoom(DiskError),
    Final(DiskError),
}

/// Lives: for one batch. One that has failed writes nothing more.
struct Batch {
    shard: ShardId,
    path: PathBuf,
    disk: DataDir,
    journal: HashMap<u32, File>,
}

impl Batch {
    fn new(shard: ShardId, path: &Path) -> Batch {
        Batch { shard, path: path.to_owned(), disk: DataDir::new(path.to_owned()), journal: HashMap::new() }
    }

    fn restore(&mut self, segments: &[RestoreSegment]) -> Result<(), Failure> {
        let written = self.copy(segments).and_then(|()| self.finish(segments));
        // What was begun ends before it may be asked for again.
        let settled = self.disk.settle();
        written.and(settled).map_err(|error| {
            if is_full_disk_errno(error.errno) { Failure::NoRoom(error) } else { Failure::Final(error) }
        })?;
        let names: Vec<_> = segments.iter().map(|segment| segment.segment).collect();
        self.disk.sync_segments(&names).map_err(Failure::Final)
    }

    /// Reads each file of the journal from its front to its end, and deals out what is of these segments.
    fn copy(&mut self, segments: &[RestoreSegment]) -> Result<(), DiskError> {
        let moves = moves(segments);
        let of_segment = |one: &RestoreSegment| Unwritten {
            segment: one.segment,
            position: one.position,
            bytes: Vec::new(),
        };
        let mut unwritten: Vec<Unwritten> = segments.iter().map(of_segment).collect();
        let (mut left, mut read, mut bytes) = (moves.as_slice(), Vec::new(), 0);
        while !left.is_empty() {
            let (span, later) = left.split_at(span_length(left));
            left = later;
            self.read(span, &mut read).map_err(|error| disk_error("read journal", &error))?;
            for one in span {
                let start = (one.from - span[0].from) as usize;
                let stroke = &mut unwritten[one.segment];
                if stroke.end() != one.to {
                    bytes -= stroke.write(&mut self.disk)?;
                    stroke.position = one.to;
                }
                stroke.bytes.extend_from_slice(&read[start..start + one.length as usize]);
                bytes += one.length as usize;
                // Orders wait in queues: large ones would be most of a ring in memory, if the segments' disk is the slower one.
                if stroke.bytes.len() >= RESTORE_WRITE_BYTES {
                    bytes -= stroke.write(&mut self.disk)?;
                }
            }
            if bytes > RESTORE_UNWRITTEN_BYTES_MAX {
                for stroke in &mut unwritten {
                    bytes -= stroke.write(&mut self.disk)?;
                }
            }
        }
        unwritten.iter_mut().try_for_each(|stroke| stroke.write(&mut self.disk).map(drop))
    }

    /// All segments have their bytes, and nothing else.
    fn finish(&mut self, segments: &[RestoreSegment]) -> Result<(), DiskError> {
        segments.iter().try_for_each(|restore| {
            self.disk.truncate_segment(restore.segment, restore.length)?;
            self.disk.write_summary(restore.segment, &restore.summary, false)
        })
    }

    /// Everything from the first of these moves to the last, which are of one file.
    fn read(&mut self, span: &[Move], into: &mut Vec<u8>) -> io::Result<()> {
        let Move { file, from, .. } = span[0];
        if !self.journal.contains_key(&file) {
            let journal = File::open(journal_path(&self.path, self.shard, file))?;
            // All of it will be read. A file system that takes no advice reads as it is asked.
            let _ = fadvise(&journal, 0, None, Advice::WillNeed);
            self.journal.insert(file, journal);
        }
        let end = span.iter().map(Move::end).max().unwrap_or_default();
        into.resize((end - u64::from(from)) as usize, 0);
        self.journal[&file].read_exact_at(into, u64::from(from))
    }
}

/// Bytes that go from a file of the journal into a segment: the one with this place in the batch.
#[derive(Debug, Clone, Copy)]
struct Move {
    file: u32,
    from: u32,
    length: u32,
    segment: usize,
    to: u64,
}

impl Move {
    fn end(&self) -> u64 {
        u64::from(self.from) + u64::from(self.length)
    }
}

/// As they lie in the journal.
fn moves(segments: &[RestoreSegment]) -> Vec<Move> {
    let of_segment = |(segment, restore)| {
        let RestoreSegment { position, pieces, .. }: &RestoreSegment = restore;
        pieces.iter().scan(*position, move |at, piece| {
            let to = *at;
            *at += u64::from(piece.length);
            Some(Move { file: piece.file, from: piece.position, length: piece.length, segment, to })
        })
    };
    let mut moves: Vec<Move> = segments.iter().enumerate().flat_map(of_segment).collect();
    moves.sort_unstable_by_key(|one| (one.file, one.from));
    moves
}

/// How many of the first moves are read at once: one at least.
fn span_length(moves: &[Move]) -> usize {
    let Some(first) = moves.first() else { return 0 };
    let mut end = first.end();
    let belongs = |one: &&Move| {
        let is_near = one.file == first.file && u64::from(one.from) <= end + RESTORE_SKIP_BYTES;
        end = end.max(one.end());
        is_near && end - u64::from(first.from) <= RESTORE_READ_BYTES
    };
    1 + moves[1..].iter().take_while(belongs).count()
}

/// Bytes that follow each other in a segment and wait for more.
struct Unwritten {
    segment: SegmentName,
    position: u64,
    bytes: Vec<u8>,
}

impl Unwritten {
    fn end(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }

    /// How many bytes there were.
    fn write(&mut self, disk: &mut DataDir) -> Result<usize, DiskError> {
        let written = self.bytes.len();
        if written > 0 {
            disk.write_segment(self.segment, self.position, &self.bytes)?;
            self.position += written as u64;
            self.bytes.clear();
        }
        Ok(written)
    }
}
