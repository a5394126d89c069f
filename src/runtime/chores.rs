//! Slow work on the file system that nobody waits for on the data path: filling journal files, removing partitions.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use crate::model::{ShardId, TopicPartition};

use super::files::{journal_dir, journal_path, partition_dir, sync_dir};

const ZEROS: usize = 1024 * 1024;

/// Partitions on their way out: what a crash leaves here is removed at the next start.
pub const DELETED_SUFFIX: &str = ".deleted";

/// Writes a journal file full of zeros and makes it durable: its later synced overwrites change no metadata.
pub fn prepare_journal_file(data_dir: &Path, shard: ShardId, file: u32, bytes: u64) -> io::Result<()> {
    let directory = journal_dir(data_dir, shard);
    if !directory.exists() {
        fs::create_dir_all(&directory)?;
        sync_dir(&data_dir.join("journal"))?;
        sync_dir(data_dir)?;
    }
    let path = journal_path(data_dir, shard, file);
    let open = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    let zeros = vec![0; ZEROS];
    let mut at = 0;
    while at < bytes {
        let take = usize::try_from(bytes - at).map_or(ZEROS, |left| left.min(ZEROS));
        open.write_all_at(&zeros[..take], at)?;
        at += take as u64;
    }
    open.sync_all()?;
    forget_pages(&open);
    sync_dir(&directory)
}

/// Direct writes would have to drop these pages one by one later.
fn forget_pages(file: &File) {
    let _ = fadvise(file, 0, None, Advice::DontNeed);
}

/// Renames the directory away, so that it is gone at once for whoever looks, then removes it.
pub fn delete_partition(data_dir: &Path, topic_partition: TopicPartition) -> io::Result<()> {
    let directory = partition_dir(data_dir, topic_partition);
    let away = data_dir.join(format!("{topic_partition}{DELETED_SUFFIX}"));
    match fs::rename(&directory, &away) {
        Ok(()) => {}
        // Nothing was ever written for it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    sync_dir(data_dir)?;
    fs::remove_dir_all(&away)?;
    sync_dir(data_dir)
}
