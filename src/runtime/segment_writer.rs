//! Writes segment files: direct I/O in whole blocks, space fallocated ahead in growing steps, exact length when sealed.
//!
//! What ends inside a block is padded with zeros; what then begins there is written with the block's bytes in front, so that
//! they are on the disk before, while and after the block is written again.
//!
//! Lives on a bulk executor: the copy into DMA buffers, the allocation of blocks and the syncs cost the shards nothing. The
//! core decides what is written where; nothing here looks at bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use glommio::io::{DmaBuffer, DmaFile};
use glommio::sync::Semaphore;

use rustix::fs::OFlags;

use crate::limits::{BLOCK_BYTES, BULK_WRITE_BYTES};

use super::bulk::Seal;
use super::dma::{self, Opened};
use super::files::{SegmentError, open_or_create, sync_dir};
use super::summary_file;

/// Space is allocated in steps as large as what the file has, between these bounds: a slow partition wastes little, a fast one
/// rarely changes metadata.
const ALLOCATE_BYTES_MIN: u64 = 64 * 1024;
const ALLOCATE_BYTES_MAX: u64 = 64 * 1024 * 1024;

const BLOCK: usize = 4096;
const _: () = assert!(BLOCK as u64 == BLOCK_BYTES);

/// How much of all files of an executor, in one log dir, may be at the disk at once.
pub struct DiskShare {
    pub writes: Rc<Semaphore>,
    pub syncs: Semaphore,
}

/// The writing side of one segment. Empty until the first write, and again after the seal.
///
/// Invariants: one operation at a time; an operation that has returned has nothing left at the disk.
#[derive(Default)]
pub struct SegmentWriter {
    file: Option<Rc<DmaFile>>,
    allocated: u64,
    /// The bytes of the last block, where the last write ended inside one.
    last_block: Bytes,
    /// The directory entries are not durable yet.
    is_new: bool,
    /// Closed for want of descriptors: what was written may not be synced.
    parked: bool,
}

impl SegmentWriter {
    /// A sync of the whole file system has made the directory entries durable.
    pub fn on_file_system_synced(&mut self) {
        self.is_new = false;
    }

    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// There is nothing that a later order could need to know.
    pub fn is_done(&self) -> bool {
        self.file.is_none() && !self.parked
    }

    /// Gives back the descriptor; the next order opens the file again.
    pub async fn park(&mut self) {
        if self.is_open() {
            self.close().await;
            self.parked = true;
        }
    }

    /// Writes `pieces` from `position` on, which is where the write before ended, and zeros up to the block. Not synced.
    pub async fn write(
        &mut self,
        path: &Path,
        share: &DiskShare,
        position: u64,
        pieces: &[Bytes],
    ) -> io::Result<()> {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let file = self.open(path).await?;
        let front = self.front(path, position).await?;
        let last = last_block(&front, pieces, position + length);
        let end = (position + length).next_multiple_of(BLOCK_BYTES);
        self.allocate(end).await?;
        let mut pieces = Pieces { front: &front, pieces, within: 0 };
        let mut writes = Vec::new();
        let mut at = position - front.len() as u64;
        while at < end {
            let permit = share.writes.acquire_static_permit(1).await.map_err(dma::io_error)?;
            let take = (end - at).min(BULK_WRITE_BYTES as u64);
            let mut buffer = file.alloc_dma_buffer(usize::try_from(take).expect("at most one buffer"));
            pieces.fill(&mut buffer);
            let file = Rc::clone(&file);
            writes.push(glommio::spawn_local(async move {
                let result = dma::write_all(&file, Rc::new(buffer), at).await;
                drop(permit);
                result
            }));
            at += take;
        }
        let mut result = Ok(());
        for write in writes {
            result = result.and(write.await);
        }
        result?;
        // Only now: what failed is perhaps asked for again.
        self.last_block = last;
        Ok(())
    }

    /// Data sync; the directories too where the file is new.
    pub async fn sync(&mut self, path: &Path, share: &DiskShare) -> io::Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let file = self.open(path).await?;
        let permit = share.syncs.acquire_permit(1).await.map_err(dma::io_error)?;
        file.fdatasync().await.map_err(dma::io_error)?;
        drop((permit, file));
        self.sync_new(path).await
    }

    /// Writes the last, partial block, cuts the file to `length`, makes all of it durable, and then its summary.
    pub async fn seal(&mut self, path: &Path, share: &DiskShare, seal: Seal) -> Result<(), SegmentError> {
        let Seal { position, tail, length, summary } = seal;
        let file = self.open(path).await?;
        if !tail.is_empty() {
            let front = self.front(path, position).await?;
            assert!(front.len() + tail.len() <= BLOCK, "at most the last block");
            let mut block = dma::zeros(&file, BLOCK);
            block.as_bytes_mut()[..front.len()].copy_from_slice(&front);
            block.as_bytes_mut()[front.len()..front.len() + tail.len()].copy_from_slice(&tail);
            dma::write_all(&file, Rc::new(block), position - front.len() as u64).await?;
        }
        file.truncate(length).await.map_err(dma::io_error)?;
        let permit = share.syncs.acquire_permit(1).await.map_err(dma::io_error)?;
        let synced = file.fdatasync().await.map_err(dma::io_error);
        drop((permit, file));
        synced.map_err(SegmentError::Final)?;
        let (path, is_new) = (path.to_path_buf(), self.is_new);
        let finish = move || {
            // Written anew when the seal is tried again, so that its own sync may fail for want of room.
            summary_file::write_synced(&path, &summary)?;
            sync_dirs(&path, is_new).map_err(SegmentError::Final)
        };
        glommio::executor().spawn_blocking(finish).await?;
        self.close().await;
        Ok(())
    }

    /// Forgets the file. What was not synced stays so.
    pub async fn close(&mut self) {
        let open = std::mem::take(self).file;
        if let Some(file) = open.and_then(|file| Rc::try_unwrap(file).ok()) {
            dma::close(file).await;
        }
    }

    async fn open(&mut self, path: &Path) -> io::Result<Rc<DmaFile>> {
        if let Some(file) = &self.file {
            return Ok(Rc::clone(file));
        }
        let path = path.to_path_buf();
        let direct = dma::open(move || create(&path)).await?;
        let file = Rc::new(direct.file);
        *self = SegmentWriter {
            file: Some(Rc::clone(&file)),
            allocated: direct.length,
            last_block: Bytes::new(),
            is_new: true,
            parked: false,
        };
        Ok(file)
    }

    /// What stands in front of `position` in its block.
    async fn front(&mut self, path: &Path, position: u64) -> io::Result<Bytes> {
        if self.last_block.len() as u64 == position % BLOCK_BYTES {
            return Ok(std::mem::take(&mut self.last_block));
        }
        let path = path.to_path_buf();
        glommio::executor().spawn_blocking(move || read_front(&path, position)).await
    }

    async fn allocate(&mut self, end: u64) -> io::Result<()> {
        if end <= self.allocated {
            return Ok(());
        }
        let upto = allocation_end(self.allocated, end);
        match self.allocate_to(upto).await {
            Ok(()) => self.allocated = upto,
            // A file system without fallocate extends by writing: slower, not wrong.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            // Room for the bytes themselves may still be there.
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && upto > end => {
                self.allocate_to(end).await?;
                self.allocated = end;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn allocate_to(&self, end: u64) -> io::Result<()> {
        let file = self.file.as_ref().expect("the caller opened it");
        file.pre_allocate(end, false).await.map_err(dma::io_error)
    }

    async fn sync_new(&mut self, path: &Path) -> io::Result<()> {
        if !self.is_new {
            return Ok(());
        }
        let path = path.to_path_buf();
        // Not glommio's own sync of a directory: that is a data sync, and an entry may not count as data.
        glommio::executor().spawn_blocking(move || sync_dirs(&path, true)).await?;
        self.is_new = false;
        Ok(())
    }
}

fn create(path: &Path) -> io::Result<Opened> {
    Ok(Opened { file: open_or_create(path, OFlags::empty())?, writes: true })
}

/// How far to allocate when `end` is needed.
pub fn allocation_end(allocated: u64, end: u64) -> u64 {
    end.max(allocated + allocated.clamp(ALLOCATE_BYTES_MIN, ALLOCATE_BYTES_MAX))
}

/// Makes the entries of the file's directory durable; `is_new`: the entry of that directory, too.
pub fn sync_dirs(path: &Path, is_new: bool) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    sync_dir(directory)?;
    if is_new { sync_dir(directory.parent().ok_or(io::ErrorKind::InvalidInput)?) } else { Ok(()) }
}

/// Reads what stands in front of `position` in its block.
pub fn read_front(path: &Path, position: u64) -> io::Result<Bytes> {
    let block = position / BLOCK_BYTES * BLOCK_BYTES;
    let mut front = vec![0; usize::try_from(position - block).expect("less than a block")];
    File::open(path)?.read_exact_at(&mut front, block)?;
    Ok(front.into())
}

/// The bytes of the block in which `end` lies, up to it, after a write of `front` and `pieces` that ends there.
pub fn last_block(front: &Bytes, pieces: &[Bytes], end: u64) -> Bytes {
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

/// What is left of a list of pieces.
struct Pieces<'a> {
    /// Before the first piece.
    front: &'a [u8],
    pieces: &'a [Bytes],
    /// Bytes of the first piece that are gone.
    within: usize,
}

impl Pieces<'_> {
    /// The next bytes, and zeros behind the last one.
    fn fill(&mut self, buffer: &mut DmaBuffer) {
        let front = std::mem::take(&mut self.front);
        let (head, mut room) = buffer.as_bytes_mut().split_at_mut(front.len());
        head.copy_from_slice(front);
        while !room.is_empty() {
            let Some((piece, rest)) = self.pieces.split_first() else {
                room.fill(0);
                return;
            };
            let take = room.len().min(piece.len() - self.within);
            room[..take].copy_from_slice(&piece[self.within..self.within + take]);
            room = &mut room[take..];
            self.within += take;
            if self.within == piece.len() {
                (self.pieces, self.within) = (rest, 0);
            }
        }
    }
}
