//! Writes segment files: direct I/O in whole blocks, space fallocated ahead in growing steps, exact length when sealed.
//!
//! Lives on helper threads: the copy into aligned memory, the allocation of blocks and the syncs cost the executors nothing. The
//! core decides what is written where; nothing here looks at bytes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{FallocateFlags, OFlags, fallocate};

use crate::limits::BLOCK_BYTES;

use super::aligned::Aligned;
use super::files::sync_dir;

/// Space is allocated in steps as large as what the file has, between these bounds: a slow partition wastes little, a fast one
/// rarely changes metadata.
const ALLOCATE_BYTES_MIN: u64 = 64 * 1024;
const ALLOCATE_BYTES_MAX: u64 = 64 * 1024 * 1024;

const SCRATCH_BYTES: usize = 1024 * 1024;
const BLOCK: usize = 4096;
const _: () = assert!(BLOCK as u64 == BLOCK_BYTES && SCRATCH_BYTES.is_multiple_of(BLOCK));

/// The writing side of one segment. Empty until the first write, and again after the seal.
#[derive(Debug, Default)]
pub struct SegmentWriter {
    file: Option<File>,
    allocated: u64,
    /// The directory entries are not durable yet.
    is_new: bool,
}

impl SegmentWriter {
    /// Writes `pieces` from `position` on. Not synced.
    pub fn write(
        &mut self,
        path: &Path,
        scratch: &mut Aligned,
        position: u64,
        pieces: &[Bytes],
    ) -> io::Result<()> {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        assert!(position.is_multiple_of(BLOCK_BYTES) && length.is_multiple_of(BLOCK_BYTES), "whole blocks");
        self.open(path)?;
        self.allocate(position + length)?;
        let file = self.file.as_ref().expect("opened above");
        let scratch = scratch.with_room(SCRATCH_BYTES);
        let mut at = position;
        let mut filled = 0;
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
        file.write_all_at(&scratch[..filled], at)
    }

    /// Data sync; the directories too where the file is new.
    pub fn sync(&mut self, path: &Path) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        self.sync_new(path)
    }

    /// Writes the last, partial block, cuts the file to `length`, and makes all of it durable.
    pub fn seal(
        &mut self,
        path: &Path,
        scratch: &mut Aligned,
        position: u64,
        tail: &[u8],
        length: u64,
    ) -> io::Result<()> {
        assert!(position.is_multiple_of(BLOCK_BYTES) && tail.len() <= BLOCK, "at most the last block");
        self.open(path)?;
        let file = self.file.as_ref().expect("opened above");
        if !tail.is_empty() {
            let block = scratch.with_room(BLOCK);
            block[..tail.len()].copy_from_slice(tail);
            block[tail.len()..].fill(0);
            file.write_all_at(block, position)?;
        }
        file.set_len(length)?;
        file.sync_all()?;
        self.sync_new(path)?;
        *self = SegmentWriter::default();
        Ok(())
    }

    fn open(&mut self, path: &Path) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        std::fs::create_dir_all(directory)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let flags = i32::try_from(OFlags::DIRECT.bits()).expect("an open flag");
        let file = options.custom_flags(flags).open(path)?;
        self.allocated = file.metadata()?.len();
        self.is_new = true;
        self.file = Some(file);
        Ok(())
    }

    fn allocate(&mut self, end: u64) -> io::Result<()> {
        if end <= self.allocated {
            return Ok(());
        }
        let step = self.allocated.clamp(ALLOCATE_BYTES_MIN, ALLOCATE_BYTES_MAX);
        let upto = end.max(self.allocated + step);
        let file = self.file.as_ref().expect("the caller opened it");
        match fallocate(file, FallocateFlags::empty(), self.allocated, upto - self.allocated) {
            Ok(()) => self.allocated = upto,
            // A file system without fallocate extends by writing: slower, not wrong.
            Err(rustix::io::Errno::OPNOTSUPP) => {}
            // Room for the bytes themselves may still be there.
            Err(rustix::io::Errno::NOSPC) if upto > end => {
                fallocate(file, FallocateFlags::empty(), self.allocated, end - self.allocated)?;
                self.allocated = end;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn sync_new(&mut self, path: &Path) -> io::Result<()> {
        if !self.is_new {
            return Ok(());
        }
        let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        sync_dir(directory)?;
        sync_dir(directory.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        self.is_new = false;
        Ok(())
    }
}
