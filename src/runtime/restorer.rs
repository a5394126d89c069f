//! Completes segments of an earlier run out of the journal, while the broker serves: `Effect::RestoreSegments`.
//!
//! Decides nothing. Files are read and written through the page cache: many segments have their bytes side by side in the journal,
//! so what is read for one of them is there for the next.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rustix::fs::{Advice, fadvise};

use crate::effect::{DiskError, JournalPiece, RestoreSegment};
use crate::input::{Input, SegmentOperation};
use crate::model::{LogDir, ShardId};
use crate::storage::RecoveryDisk;

use super::files::{is_full_disk_errno, journal_path, path_of};
use super::io_threads::disk_error;
use super::mesh::{Mail, Postbox};
use super::recovery_disk::DataDir;

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
        let written = segments.iter().try_for_each(|segment| self.write(segment));
        // What was begun ends before it may be asked for again.
        let settled = self.disk.settle();
        written.and(settled).map_err(|error| {
            if is_full_disk_errno(error.errno) { Failure::NoRoom(error) } else { Failure::Final(error) }
        })?;
        let names: Vec<_> = segments.iter().map(|segment| segment.segment).collect();
        self.disk.sync_segments(&names).map_err(Failure::Final)
    }

    fn write(&mut self, restore: &RestoreSegment) -> Result<(), DiskError> {
        let mut at = restore.position;
        for piece in &restore.pieces {
            let bytes = self.read(piece).map_err(|error| disk_error("read journal", &error))?;
            at += bytes.len() as u64;
            self.disk.write_segment(restore.segment, at - bytes.len() as u64, &bytes)?;
        }
        self.disk.truncate_segment(restore.segment, restore.length)?;
        self.disk.write_summary(restore.segment, &restore.summary)
    }

    fn read(&mut self, piece: &JournalPiece) -> io::Result<Vec<u8>> {
        if !self.journal.contains_key(&piece.file) {
            let file = File::open(journal_path(&self.path, self.shard, piece.file))?;
            // All of it will be read. A file system that takes no advice reads as it is asked.
            let _ = fadvise(&file, 0, None, Advice::WillNeed);
            self.journal.insert(piece.file, file);
        }
        let mut bytes = vec![0; piece.length as usize];
        self.journal[&piece.file].read_exact_at(&mut bytes, u64::from(piece.position))?;
        Ok(bytes)
    }
}
