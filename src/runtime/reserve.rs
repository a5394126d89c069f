//! Space that is kept back on a disk: a file of zeros that is given up when the metadata log or a log start finds no room, so that
//! topics and records can still be deleted on a full disk.
//!
//! Decides nothing about when there is room again: `disk_space` does, and has it made anew.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::RESERVE_BYTES;

use super::files::sync_dir;

const FILE: &str = "reserve";
const CHUNK_BYTES: usize = 1024 * 1024;

/// Lives: one per log dir, shared by whoever may need it and whoever makes it.
#[derive(Debug, Clone)]
pub struct Reserve {
    data_dir: PathBuf,
    /// One makes or gives up at a time.
    turn: Arc<Mutex<()>>,
}

impl Reserve {
    #[must_use]
    pub fn new(data_dir: &Path) -> Reserve {
        Reserve { data_dir: data_dir.to_owned(), turn: Arc::default() }
    }

    /// Makes the file if it is not there. Real blocks, not a hole: zeros are written.
    pub fn keep(&self) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.data_dir.join(FILE);
        if fs::metadata(&path).is_ok_and(|found| found.len() == RESERVE_BYTES) {
            return Ok(());
        }
        let made = fill(&path).and_then(|()| sync_dir(&self.data_dir));
        if made.is_err() {
            // Half a reserve is only in the way; if it cannot even be removed the next attempt writes over it.
            let _ = fs::remove_file(&path);
        }
        made
    }

    /// Gives its space back. False: there was none.
    pub fn give_up(&self) -> io::Result<bool> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::remove_file(self.data_dir.join(FILE)) {
            Ok(()) => sync_dir(&self.data_dir).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn fill(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let zeros = vec![0; CHUNK_BYTES];
    let mut left = usize::try_from(RESERVE_BYTES).expect("a few MiB");
    while left > 0 {
        let take = left.min(CHUNK_BYTES);
        file.write_all(&zeros[..take])?;
        left -= take;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_given_up_once_and_kept_again() {
        let dir = std::env::temp_dir().join(format!("penstock-reserve-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a temporary directory");
        let reserve = Reserve::new(&dir);
        assert!(!reserve.give_up().expect("nothing is there"));
        for _ in 0..2 {
            reserve.keep().expect("there is room");
            reserve.keep().expect("it is there already");
            assert_eq!(fs::metadata(dir.join(FILE)).expect("it is there").len(), RESERVE_BYTES);
            assert!(reserve.give_up().expect("it can be removed"));
        }
        assert!(!dir.join(FILE).exists());
        fs::remove_dir_all(&dir).expect("it is ours");
    }
}
