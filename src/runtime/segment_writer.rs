//! Writes segment files: direct I/O in whole blocks, space fallocated ahead in growing steps, exact length when sealed.
//!
//! What ends inside a block is padded with zeros; what then begins there is written with the block's bytes in front, so that
//! they are on the disk before, while and after the block is written again.
//!
//! Lives: on the one writer thread that all writes of its segment go by. Syncs come from other threads: what they have to know is
//! the file's `WriteSide`. The core decides what is written where; nothing here looks at bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;

use crate::limits::{BLOCK_BYTES, BULK_WRITE_BYTES};

use super::aligned::Aligned;
use super::bulk::Seal;
use super::files::{SegmentFile, open_or_create, sync_dir};
use super::removal::cuts;

/// Space is allocated in steps as large as what the file has, between these bounds: a slow partition wastes little, a fast one
/// rarely changes metadata.
const ALLOCATE_BYTES_MIN: u64 = 64 * 1024;
const ALLOCATE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Opens it to sync what was written before it was closed. May block. None: it has been sealed meanwhile, and is gone.
pub fn open_to_sync(segment: &SegmentFile) -> io::Result<Option<Arc<File>>> {
    match File::open(segment.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && segment.write_side.unsynced().is_none() => {
            Ok(None)
        }
        opened => Ok(Some(Arc::new(opened?))),
    }
}

/// The writing side of one segment. Empty until the first write.
#[derive(Debug, Default)]
pub struct SegmentWriter {
    file: Option<Arc<File>>,
    allocated: u64,
    /// The bytes of the last block, where the last write ended inside one.
    last_block: Bytes,
}

impl SegmentWriter {
    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Gives back the descriptor; the next order opens the file again.
    pub fn park(&mut self, segment: &SegmentFile) {
        *self = SegmentWriter::default();
        segment.write_side.give_back();
    }

    /// Writes `pieces` from `position` on, which is where the write before ended, and zeros up to the block. Not synced.
    pub fn write(
        &mut self,
        segment: &SegmentFile,
        scratch: &mut Aligned,
        position: u64,
        pieces: &[Bytes],
    ) -> io::Result<()> {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let file = self.open(segment)?;
        let front = self.front(segment, position)?;
        self.allocate(&file, (position + length).next_multiple_of(BLOCK_BYTES))?;
        let scratch = scratch.with_room(BULK_WRITE_BYTES);
        scratch[..front.len()].copy_from_slice(&front);
        let (mut at, mut filled) = (position - front.len() as u64, front.len());
        for mut piece in pieces.iter().map(|piece| &piece[..]) {
            while !piece.is_empty() {
                let take = piece.len().min(scratch.len() - filled);
                scratch[filled..filled + take].copy_from_slice(&piece[..take]);
                filled += take;
                piece = &piece[take..];
                if filled == scratch.len() {
                    write_all(&file, scratch, at)?;
                    at += filled as u64;
                    filled = 0;
                }
            }
        }
        write_padded(&file, scratch, filled, at)?;
        // Only now: what failed is perhaps asked for again.
        self.last_block = last_block(&front, pieces, position + length);
        Ok(())
    }

    /// Writes the last, partial block and cuts the file to its length. It is to be synced then.
    pub fn finish(
        &mut self,
        segment: &SegmentFile,
        scratch: &mut Aligned,
        seal: &Seal,
    ) -> io::Result<Arc<File>> {
        let Seal { position, tail, length, summary: _ } = seal;
        let file = self.open(segment)?;
        if !tail.is_empty() {
            let front = self.front(segment, *position)?;
            let filled = front.len() + tail.len();
            assert!(filled as u64 <= BLOCK_BYTES, "at most the last block");
            let block = scratch.with_room(BULK_WRITE_BYTES);
            block[..front.len()].copy_from_slice(&front);
            block[front.len()..filled].copy_from_slice(tail);
            write_padded(&file, block, filled, position - front.len() as u64)?;
        }
        for length in cuts(file.metadata()?.len(), *length) {
            file.set_len(length)?;
        }
        Ok(file)
    }

    fn open(&mut self, segment: &SegmentFile) -> io::Result<Arc<File>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(open_or_create(&segment.path(), OFlags::DIRECT)?);
        let allocated = file.metadata()?.len();
        segment.write_side.begin(&file);
        *self = SegmentWriter { file: Some(Arc::clone(&file)), allocated, last_block: Bytes::new() };
        Ok(file)
    }

    /// What stands in front of `position` in its block.
    fn front(&mut self, segment: &SegmentFile, position: u64) -> io::Result<Bytes> {
        if self.last_block.len() as u64 == position % BLOCK_BYTES {
            return Ok(std::mem::take(&mut self.last_block));
        }
        let block = position / BLOCK_BYTES * BLOCK_BYTES;
        let mut front = vec![0; usize::try_from(position - block).expect("less than a block")];
        File::open(segment.path())?.read_exact_at(&mut front, block)?;
        Ok(front.into())
    }

    fn allocate(&mut self, file: &File, end: u64) -> io::Result<()> {
        if end <= self.allocated {
            return Ok(());
        }
        let upto = allocation_end(self.allocated, end);
        match fallocate(file, FallocateFlags::empty(), 0, upto) {
            Ok(()) => self.allocated = upto,
            // A file system without fallocate extends by writing: slower, not wrong.
            Err(Errno::OPNOTSUPP) => {}
            // Room for the bytes themselves may still be there.
            Err(Errno::NOSPC) if upto > end => {
                fallocate(file, FallocateFlags::empty(), 0, end)?;
                self.allocated = end;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// The first `filled` bytes of the scratch, and zeros up to the block.
fn write_padded(file: &File, scratch: &mut [u8], filled: usize, at: u64) -> io::Result<()> {
    if filled == 0 {
        return Ok(());
    }
    let padded =
        usize::try_from((filled as u64).next_multiple_of(BLOCK_BYTES)).expect("no more than the scratch");
    scratch[filled..padded].fill(0);
    write_all(file, &scratch[..padded], at)
}

/// Writes all of `blocks`, or fails.
fn write_all(file: &File, blocks: &[u8], at: u64) -> io::Result<()> {
    // A direct write that came out short has met the end of something: the same bytes once more, to hear of what.
    for _ in 0..2 {
        match file.write_at(blocks, at) {
            Ok(length) if length == blocks.len() => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOSPC))
}

/// How far to allocate when `end` is needed.
fn allocation_end(allocated: u64, end: u64) -> u64 {
    end.max(allocated + allocated.clamp(ALLOCATE_BYTES_MIN, ALLOCATE_BYTES_MAX))
}

/// Makes the entries of the file's directory durable; `is_new`: the entry of that directory, too.
pub fn sync_dirs(path: &Path, is_new: bool) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    sync_dir(directory)?;
    if is_new { sync_dir(directory.parent().ok_or(io::ErrorKind::InvalidInput)?) } else { Ok(()) }
}

/// The bytes of the block in which `end` lies, up to it, after a write of `front` and `pieces` that ends there.
fn last_block(front: &Bytes, pieces: &[Bytes], end: u64) -> Bytes {
    let length = usize::try_from(end % BLOCK_BYTES).expect("less than a block");
    let mut block = BytesMut::zeroed(length);
    let mut left = length;
    for piece in pieces.iter().rev().chain([front]) {
        let take = left.min(piece.len());
        block[left - take..left].copy_from_slice(&piece[piece.len() - take..]);
        left -= take;
        if left == 0 {
            break;
        }
    }
    block.freeze()
}
