//! glommio's direct files as the bulk executor uses them: opening without a race, whole writes, whole reads, errors as `io::Error`.
//!
//! Lives: on a bulk executor's thread only. Decides nothing about what is written where.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use glommio::GlommioError;
use glommio::io::{DmaBuffer, DmaFile, OpenOptions};

use crate::limits::{BLOCK_BYTES, BULK_READ_BYTES, BULK_READS_AHEAD};

use super::files::SegmentFile;

/// What a blocking closure opened for `open`.
pub struct Opened {
    pub file: File,
    pub writes: bool,
}

/// Opens through a helper thread what `open` opens there, and again as a direct file.
///
/// glommio opens by path and then looks at the path once more, and a path that is gone by then ends the process. So it is given the
/// descriptor's own name in /proc, which stays as long as the descriptor does, whoever renames or removes the file.
pub async fn open(open: impl FnOnce() -> io::Result<Opened> + Send + 'static) -> io::Result<DmaFile> {
    let Opened { file, writes } = glommio::executor().spawn_blocking(open).await?;
    let direct = OpenOptions::new().read(!writes).write(writes).dma_open(name_of(&file)).await;
    direct.map_err(io_error)
}

fn name_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// An error of closing says nothing that a sync has not said.
pub async fn close(file: DmaFile) {
    if let Err(error) = file.close().await {
        tracing::warn!(%error, "cannot close a file");
    }
}

pub fn io_error(error: GlommioError<()>) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::other(error.to_string()),
    }
}

pub fn zeros(file: &DmaFile, length: usize) -> DmaBuffer {
    let mut buffer = file.alloc_dma_buffer(length);
    buffer.as_bytes_mut().fill(0);
    buffer
}

/// Writes all of `buffer` at `position`, or fails.
pub async fn write_all(file: &DmaFile, buffer: Rc<DmaBuffer>, position: u64) -> io::Result<()> {
    let length = buffer.len();
    // A direct write that came out short has met the end of something: the same bytes once more, to hear of what.
    for _ in 0..2 {
        if file.write_rc_at(Rc::clone(&buffer), position).await.map_err(io_error)? == length {
            return Ok(());
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOSPC))
}

/// Reads the range by direct reads, some of them ahead of the one that is waited for.
pub async fn read_range(segment: Arc<SegmentFile>, position: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    let run = move || {
        let file = segment.open()?.try_clone()?;
        Ok(Opened { file, writes: false })
    };
    let file = Rc::new(open(run).await?);
    let result = read_all(&file, position, length).await;
    if let Ok(file) = Rc::try_unwrap(file) {
        close(file).await;
    }
    result
}

async fn read_all(file: &Rc<DmaFile>, position: u64, length: usize) -> io::Result<Bytes> {
    let end = position + length as u64;
    let mut next = position / BLOCK_BYTES * BLOCK_BYTES;
    let mut skip = usize::try_from(position - next).expect("less than a block");
    let mut bytes = BytesMut::with_capacity(length);
    let mut ahead = VecDeque::new();
    loop {
        while next < end && ahead.len() < BULK_READS_AHEAD {
            let take = (end - next).next_multiple_of(BLOCK_BYTES).min(BULK_READ_BYTES as u64);
            let (file, at) = (Rc::clone(file), next);
            let take_bytes = usize::try_from(take).expect("at most one read");
            ahead.push_back(glommio::spawn_local(async move { file.read_at_aligned(at, take_bytes).await }));
            next += take;
        }
        let Some(read) = ahead.pop_front() else { break };
        let read = read.await.map_err(io_error)?;
        let wanted = (length - bytes.len()).min(BULK_READ_BYTES - skip);
        let Some(part) = read.get(skip..skip + wanted) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        bytes.put_slice(part);
        skip = 0;
    }
    Ok(bytes.freeze())
}
