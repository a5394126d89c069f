//! The files of a compaction: how a rewritten segment takes the place of others, and what a start makes of a swap that was cut short.
//! `docs/FORMATS.md`, 2.3. Blocking: helper threads and starts only.
//!
//! ```text
//! BASE.log.cleaned   BASE.summary.cleaned    written and synced; nothing reads them
//! BASE.log.swap                              the new segment stands, whatever else is there
//! BASE.log           BASE.summary            it is where it belongs
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::Offset;

use super::files::{SEGMENT_SUFFIXES, sync_dir};
use super::removal::remove_unused;

const LOG: &str = ".log";
const SUMMARY: &str = ".summary";
pub const CLEANED: &str = ".cleaned";
const SWAP: &str = ".swap";

/// Where the swap of one base offset works: a partition's directory and the digits that its files begin with.
#[derive(Debug)]
pub struct SwapFiles<'a> {
    directory: &'a Path,
    base: String,
}

/// How a swap ended that did not succeed.
#[derive(Debug)]
pub enum SwapError {
    /// The old segments stand.
    Before(io::Error),
    /// Nobody knows which stand, until the next start.
    Within(io::Error),
}

impl<'a> SwapFiles<'a> {
    #[must_use]
    pub fn new(directory: &'a Path, base_offset: Offset) -> SwapFiles<'a> {
        SwapFiles { directory, base: format!("{:020}", base_offset.0) }
    }

    #[must_use]
    pub fn cleaned_log(&self) -> PathBuf {
        self.path(LOG, CLEANED)
    }

    #[must_use]
    pub fn cleaned_summary(&self) -> PathBuf {
        self.path(SUMMARY, CLEANED)
    }

    fn path(&self, kind: &str, state: &str) -> PathBuf {
        self.directory.join(format!("{}{kind}{state}", self.base))
    }

    /// Removes what was written and is not wanted.
    pub fn discard(&self) {
        for path in [self.cleaned_log(), self.cleaned_summary()] {
            if let Err(error) = remove_unused(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "cannot remove what compaction left");
            }
        }
    }

    /// Puts the cleaned files, which are synced, in the place of the segment of the same base offset.
    pub fn swap(&self) -> Result<(), SwapError> {
        self.rename(SUMMARY, CLEANED, SWAP).map_err(SwapError::Before)?;
        // From here on an error may have come after the deed.
        self.rename(LOG, CLEANED, SWAP).map_err(SwapError::Within)?;
        self.finish().map_err(SwapError::Within)
    }

    /// The rest of a swap whose `.log.swap` is there.
    fn finish(&self) -> io::Result<()> {
        match self.rename(SUMMARY, SWAP, "") {
            // It was finished as far as this.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
        self.rename(LOG, SWAP, "")
    }

    fn rename(&self, kind: &str, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(kind, from), self.path(kind, to))?;
        sync_dir(self.directory)
    }
}

/// Unlinks the other segments that were merged. What cannot be unlinked is found by the next start.
pub fn unlink_merged(directory: &Path, merged: &[Offset]) {
    for base_offset in merged {
        for suffix in SEGMENT_SUFFIXES {
            let path = directory.join(format!("{:020}{suffix}", base_offset.0));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "cannot unlink a compacted segment");
                }
                _ => {}
            }
        }
    }
}

/// Whether a file in a partition's directory is of a compaction that a crash ended.
#[must_use]
pub fn is_of_swap(name: &str) -> bool {
    name.ends_with(CLEANED) || name.ends_with(SWAP)
}

/// Finishes the swaps of a directory that had begun to stand, and removes what is left of all others. May be repeated after a crash at any
/// step. `names`: of the files for which `is_of_swap`.
pub fn finish_swaps(directory: &Path, names: &[String]) -> io::Result<()> {
    for name in names {
        let base = name
            .strip_suffix(SWAP)
            .and_then(|name| name.strip_suffix(LOG))
            .and_then(|base| base.parse().ok());
        if let Some(base_offset) = base {
            SwapFiles::new(directory, Offset(base_offset)).finish()?;
        }
    }
    for name in names {
        match fs::remove_file(directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_dir(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state that a crash can leave between the steps of a swap, by the files with their contents.
    const STATES: [(&[(&str, &str)], &str); 8] = [
        (&[("log", "old"), ("summary", "old"), ("log.cleaned", "ne")], "old"),
        (&[("log", "old"), ("summary", "old"), ("log.cleaned", "new"), ("summary.cleaned", "new")], "old"),
        (&[("log", "old"), ("summary", "old"), ("log.cleaned", "new"), ("summary.swap", "new")], "old"),
        (&[("log", "old"), ("summary", "old"), ("log.swap", "new"), ("summary.swap", "new")], "new"),
        (&[("log", "old"), ("summary", "new"), ("log.swap", "new")], "new"),
        (&[("log", "new"), ("summary", "new")], "new"),
        (&[("log", "old"), ("summary", "old"), ("summary.swap", "new")], "old"),
        (&[("log", "old"), ("summary", "old")], "old"),
    ];

    #[test]
    fn a_start_finds_either_the_old_segment_or_the_new_one() {
        let root = std::env::temp_dir().join(format!("penstock-swap-{}", std::process::id()));
        for (number, (files, expected)) in STATES.iter().enumerate() {
            let directory = root.join(number.to_string());
            fs::create_dir_all(&directory).expect("a temporary directory");
            let base = "00000000000000000042";
            for (name, content) in *files {
                fs::write(directory.join(format!("{base}.{name}")), content).expect("writes");
            }
            let names = |directory: &Path| -> Vec<String> {
                let entries = fs::read_dir(directory).expect("it is there");
                let names =
                    entries.map(|entry| entry.expect("listed").file_name().into_string().expect("ascii"));
                let mut names: Vec<String> = names.collect();
                names.sort();
                names
            };
            // Twice: a crash may follow.
            for _ in 0..2 {
                let left: Vec<String> =
                    names(&directory).into_iter().filter(|name| is_of_swap(name)).collect();
                finish_swaps(&directory, &left).expect("finishes");
                assert_eq!(names(&directory), [format!("{base}.log"), format!("{base}.summary")], "{number}");
                for kind in ["log", "summary"] {
                    let found = fs::read_to_string(directory.join(format!("{base}.{kind}"))).expect("reads");
                    assert_eq!(found, *expected, "state {number}, {kind}");
                }
            }
        }
        fs::remove_dir_all(&root).expect("it is ours");
    }

    #[test]
    fn a_swap_puts_both_files_in_place() {
        let directory = std::env::temp_dir().join(format!("penstock-swap-whole-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a temporary directory");
        let files = SwapFiles::new(&directory, Offset(7));
        fs::write(directory.join("00000000000000000007.log"), "old").expect("writes");
        assert!(matches!(files.swap(), Err(SwapError::Before(_))), "nothing was written for it");
        fs::write(files.cleaned_log(), "new").expect("writes");
        fs::write(files.cleaned_summary(), "new").expect("writes");
        files.swap().expect("swaps");
        for name in ["00000000000000000007.log", "00000000000000000007.summary"] {
            assert_eq!(fs::read_to_string(directory.join(name)).expect("there"), "new");
        }
        assert_eq!(fs::read_dir(&directory).expect("there").count(), 2);
        fs::remove_dir_all(&directory).expect("it is ours");
    }
}
