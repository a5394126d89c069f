//! The `log-start` files of partitions: each replaced as a whole, and durably. Blocking: helper threads only.
//!
//! On a full disk the reserve is given up for it: segments below a new log start are unlinked, and that is how room is made.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{LogDir, TopicPartition};

use super::files::{LOG_START, is_full_disk, partition_dir, path_of, sync_dir};
use super::reserve::Reserve;

/// Lives: one per shard.
#[derive(Debug)]
pub struct LogStartFiles {
    /// By the numbers of the log dirs, both.
    data_dirs: Arc<[PathBuf]>,
    reserves: Arc<[Reserve]>,
}

impl LogStartFiles {
    #[must_use]
    pub fn new(data_dirs: Arc<[PathBuf]>, reserves: Arc<[Reserve]>) -> LogStartFiles {
        assert_eq!(data_dirs.len(), reserves.len(), "each log dir has a reserve");
        LogStartFiles { data_dirs, reserves }
    }

    /// The partition's log starts where `bytes` say, durably, when this returns Ok; after an error there or where it did before.
    pub fn write(&self, dir: LogDir, topic_partition: TopicPartition, bytes: &[u8]) -> io::Result<()> {
        let data_dir = path_of(&self.data_dirs, dir);
        let directory = partition_dir(data_dir, topic_partition);
        self.with_reserve(dir, || {
            if !directory.exists() {
                fs::create_dir_all(&directory)?;
                sync_dir(data_dir)?;
            }
            replace(&directory, bytes)
        })
    }

    /// Once more without the reserve if there was no room.
    fn with_reserve(&self, dir: LogDir, mut write: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        match write() {
            Err(error) if is_full_disk(&error) && self.give_up(dir) => {
                tracing::warn!("no room to write where a log starts: the reserve is given up for it");
                write()
            }
            result => result,
        }
    }

    fn give_up(&self, dir: LogDir) -> bool {
        self.reserves[usize::from(dir.0)].give_up().unwrap_or(false)
    }
}

fn replace(directory: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = directory.join("log-start.new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, directory.join(LOG_START))?;
    sync_dir(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionIndex, TopicId};

    #[test]
    fn the_reserve_is_given_up_for_a_log_start_that_finds_no_room() {
        let dir = std::env::temp_dir().join(format!("penstock-log-start-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a temporary directory");
        let reserve = Reserve::new(&dir);
        let files = LogStartFiles::new([dir.clone()].into(), [reserve.clone()].into());
        let full = || Err(io::Error::from_raw_os_error(libc::ENOSPC));
        let mut tries = 0;
        let mut finds_room_at_last = || {
            tries += 1;
            if tries == 1 { full() } else { Ok(()) }
        };
        reserve.keep().expect("there is room");
        files.with_reserve(LogDir(0), &mut finds_room_at_last).expect("with the reserve's room");
        assert!(!reserve.give_up().expect("nothing is there"), "it was given up");
        assert!(files.with_reserve(LogDir(0), full).is_err(), "there is none any more");

        let of = TopicPartition { topic_id: TopicId::ZERO, partition: PartitionIndex(3) };
        for bytes in [&b"a longer one"[..], b"short"] {
            files.write(LogDir(0), of, bytes).expect("written");
            assert_eq!(fs::read(partition_dir(&dir, of).join(LOG_START)).expect("there"), bytes);
        }
        fs::remove_dir_all(&dir).expect("it is ours");
    }
}
