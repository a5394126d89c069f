//! Reads a journal from front to back, as a start does: large direct reads, so that the page cache is neither asked nor filled.
//!
//! Decides nothing. Measured: 4 MiB at a time 2.5 GB/s, through the page cache 0.35 GB/s.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::limits::BLOCK_BYTES;

use super::aligned::Aligned;

const WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// The part of one file that was read last.
#[derive(Debug, Default)]
pub struct JournalReader {
    open: Option<(PathBuf, File)>,
    buffer: Aligned,
    start: u64,
    filled: usize,
}

impl JournalReader {
    /// Fills `into`.
    ///
    /// Errors: UnexpectedEof behind the end of the file.
    pub fn read(&mut self, path: &Path, position: u64, into: &mut [u8]) -> io::Result<()> {
        self.open(path)?;
        let mut done = 0;
        while done < into.len() {
            let at = position + done as u64;
            let Some(held) = self.held(at) else {
                self.load(at / BLOCK_BYTES * BLOCK_BYTES)?;
                if self.held(at).is_none() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            };
            let take = held.len().min(into.len() - done);
            into[done..done + take].copy_from_slice(&held[..take]);
            done += take;
        }
        Ok(())
    }

    /// Forgets what was read: the file was written.
    pub fn forget(&mut self) {
        self.open = None;
        self.filled = 0;
    }

    fn held(&mut self, at: u64) -> Option<&[u8]> {
        let skip = usize::try_from(at.checked_sub(self.start)?).ok()?;
        let filled = self.filled;
        (skip < filled).then(|| &self.buffer.with_room(WINDOW_BYTES)[skip..filled])
    }

    fn load(&mut self, start: u64) -> io::Result<()> {
        let Some((_, file)) = &self.open else { return Ok(()) };
        let window = self.buffer.with_room(WINDOW_BYTES);
        (self.start, self.filled) = (start, 0);
        while self.filled < window.len() {
            match file.read_at(&mut window[self.filled..], start + self.filled as u64) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // The end of a file that is no whole blocks.
            if !self.filled.is_multiple_of(BLOCK_BYTES as usize) {
                break;
            }
        }
        Ok(())
    }

    fn open(&mut self, path: &Path) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(open, _)| open == path) {
            return Ok(());
        }
        let direct = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path);
        // Some file systems have no direct reads.
        let file = direct.or_else(|_| File::open(path))?;
        self.forget();
        self.open = Some((path.to_owned(), file));
        Ok(())
    }
}
