//! The metadata log's file: read whole at the start, then appended to and synced, in order.
//!
//! A failed write or sync is final: the file's end is then unknown, so every later append is refused until a restart reads it again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files::sync_dir;

const DIRECTORY: &str = "__cluster_metadata-0";
const FILE: &str = "00000000000000000000.log";

#[derive(Debug)]
pub struct MetadataFile {
    file: File,
    length: u64,
    failed: bool,
}

impl MetadataFile {
    /// Opens or creates the log and returns what is in it.
    pub fn open(data_dir: &Path) -> io::Result<(MetadataFile, Vec<u8>)> {
        let directory = data_dir.join(DIRECTORY);
        fs::create_dir_all(&directory)?;
        let path = directory.join(FILE);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        sync_dir(&directory)?;
        sync_dir(data_dir)?;
        let bytes = fs::read(&path)?;
        Ok((MetadataFile { file, length: bytes.len() as u64, failed: false }, bytes))
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
    pub fn append(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let result = self.file.write_all_at(batch, self.length).and_then(|()| self.file.sync_data());
        match &result {
            Ok(()) => self.length += batch.len() as u64,
            Err(_) => self.failed = true,
        }
        result
    }
}
