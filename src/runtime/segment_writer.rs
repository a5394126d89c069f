//! Writes segment files: direct I/O in whole blocks, space fallocated ahead in growing steps, exact length when sealed.
//!
//! Lives on a bulk executor: the copy into DMA buffers, the allocation of blocks and the syncs cost the shards nothing. The
//! core decides what is written where; nothing here looks at bytes.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use glommio::io::{DmaBuffer, DmaFile};
use glommio::sync::Semaphore;

use crate::limits::{BLOCK_BYTES, BULK_WRITE_BYTES};

use super::bulk::Seal;
use super::dma::{self, Opened};
use super::files::{SegmentError, sync_dir};
use super::summary_file;

/// Space is allocated in steps as large as what the file has, between these bounds: a slow partition wastes little, a fast one
/// rarely changes metadata.
const ALLOCATE_BYTES_MIN: u64 = 64 * 1024;
const ALLOCATE_BYTES_MAX: u64 = 64 * 1024 * 1024;

const BLOCK: usize = 4096;
const _: () = assert!(BLOCK as u64 == BLOCK_BYTES);

/// How much of all files of an executor may be at the disk at once.
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
    /// The directory entries are not durable yet.
    is_new: bool,
    /// Closed for want of descriptors: what was written may not be synced.
    parked: bool,
}

impl SegmentWriter {
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

    /// Writes `pieces` from `position` on. Not synced.
    pub async fn write(
        &mut self,
        path: &Path,
        share: &DiskShare,
        position: u64,
        pieces: &[Bytes],
    ) -> io::Result<()> {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        assert!(position.is_multiple_of(BLOCK_BYTES) && length.is_multiple_of(BLOCK_BYTES), "whole blocks");
        let file = self.open(path).await?;
        self.allocate(position + length).await?;
        let mut pieces = Pieces { pieces, within: 0 };
        let mut writes = Vec::new();
        let (mut at, end) = (position, position + length);
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
        result
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
        assert!(position.is_multiple_of(BLOCK_BYTES) && tail.len() <= BLOCK, "at most the last block");
        let file = self.open(path).await?;
        if !tail.is_empty() {
            let mut block = dma::zeros(&file, BLOCK);
            block.as_bytes_mut()[..tail.len()].copy_from_slice(&tail);
            dma::write_all(&file, Rc::new(block), position).await?;
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
            is_new: true,
            parked: false,
        };
        Ok(file)
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
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(directory)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    Ok(Opened { file, writes: true })
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

/// What is left of a list of pieces.
struct Pieces<'a> {
    pieces: &'a [Bytes],
    /// Bytes of the first piece that are gone.
    within: usize,
}

impl Pieces<'_> {
    /// The next bytes; there are as many.
    fn fill(&mut self, buffer: &mut DmaBuffer) {
        let mut room = buffer.as_bytes_mut();
        while !room.is_empty() {
            let (piece, rest) = self.pieces.split_first().expect("the pieces are as long as all buffers");
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
