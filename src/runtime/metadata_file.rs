//! The metadata log's file: read whole at the start, then appended to and synced, in order.
//!
//! An append for which there is no room leaves the file as it was, after the reserve was given up for it. Any other failed write, and
//! every failed sync, is final: the file's end is then unknown, so every later append is refused until a restart reads it again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files::{is_full_disk, sync_dir};
use super::reserve::Reserve;

const DIRECTORY: &str = "__cluster_metadata-0";
const FILE: &str = "00000000000000000000.log";

#[derive(Debug)]
pub struct MetadataFile {
    file: File,
    length: u64,
    reserve: Reserve,
    failed: bool,
}

/// Why a batch is not in the log.
#[derive(Debug)]
pub enum AppendError {
    /// It may be tried again.
    NoRoom(io::Error),
    Final(io::Error),
}

impl From<AppendError> for io::Error {
    fn from(error: AppendError) -> io::Error {
        match error {
            AppendError::NoRoom(error) | AppendError::Final(error) => error,
        }
    }
}

impl MetadataFile {
    /// Opens or creates the log and returns what is in it.
    pub fn open(data_dir: &Path, reserve: Reserve) -> io::Result<(MetadataFile, Vec<u8>)> {
        let directory = data_dir.join(DIRECTORY);
        fs::create_dir_all(&directory)?;
        let path = directory.join(FILE);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        sync_dir(&directory)?;
        sync_dir(data_dir)?;
        let bytes = fs::read(&path)?;
        Ok((MetadataFile { file, length: bytes.len() as u64, reserve, failed: false }, bytes))
    }

    /// Drops a torn tail, before the first append.
    pub fn cut_at(&mut self, length: u64) -> io::Result<()> {
        if length < self.length {
            self.file.set_len(length)?;
            self.file.sync_all()?;
            self.length = length;
        }
        Ok(())
    }

    /// The batch is durable when this returns Ok.
    pub fn append(&mut self, batch: &[u8]) -> Result<(), AppendError> {
        if self.failed {
            return Err(AppendError::Final(io::Error::from_raw_os_error(libc::EIO)));
        }
        let result = self.try_append(batch);
        match &result {
            Ok(()) => self.length += batch.len() as u64,
            Err(AppendError::NoRoom(_)) => {}
            Err(AppendError::Final(_)) => self.failed = true,
        }
        result
    }

    fn try_append(&mut self, batch: &[u8]) -> Result<(), AppendError> {
        if let Err(error) = self.write(batch) {
            if !is_full_disk(&error) {
                return Err(AppendError::Final(error));
            }
            if !self.reserve.give_up().unwrap_or(false) {
                return Err(AppendError::NoRoom(error));
            }
            tracing::warn!("no room for the metadata log: the reserve is given up for it");
            self.write(batch).map_err(|error| {
                if is_full_disk(&error) { AppendError::NoRoom(error) } else { AppendError::Final(error) }
            })?;
        }
        self.file.sync_data().map_err(AppendError::Final)
    }

    /// Writes at the end, or leaves the end where it was.
    fn write(&self, batch: &[u8]) -> io::Result<()> {
        self.file.write_all_at(batch, self.length).or_else(|error| {
            self.file.set_len(self.length)?;
            Err(error)
        })
    }
}
