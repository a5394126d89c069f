//! Whether anybody writes to a log dir: who reads from a disk that no commit waits for may ask it for much at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::limits::QUIET_AFTER_MS;
use crate::model::LogDir;

/// When the journals of each log dir were last written to, by any shard.
#[derive(Debug)]
pub struct LastCommits {
    start: Instant,
    /// Milliseconds after `start`, and one more; 0: not yet.
    by_dir: Box<[AtomicU64]>,
}

impl LastCommits {
    pub fn new(log_dirs: usize) -> LastCommits {
        LastCommits { start: Instant::now(), by_dir: (0..log_dirs).map(|_| AtomicU64::new(0)).collect() }
    }

    pub fn note(&self, dir: LogDir, now: Instant) {
        if let Some(last) = self.by_dir.get(usize::from(dir.0)) {
            // Of two shards either is as good.
            last.store(self.millis(now) + 1, Ordering::Relaxed);
        }
    }

    pub fn is_quiet(&self, dir: LogDir, now: Instant) -> bool {
        let last = self.by_dir.get(usize::from(dir.0)).map_or(0, |last| last.load(Ordering::Relaxed));
        last == 0 || self.millis(now) >= last - 1 + QUIET_AFTER_MS
    }

    fn millis(&self, now: Instant) -> u64 {
        let since: Duration = now.saturating_duration_since(self.start);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_dir_is_quiet_until_the_first_commit_and_some_time_after_the_last() {
        let commits = LastCommits::new(2);
        let at = |millis| commits.start + Duration::from_millis(millis);
        assert!(commits.is_quiet(LogDir(0), at(0)));
        commits.note(LogDir(0), at(0));
        commits.note(LogDir(0), at(500));
        for (millis, is_quiet) in
            [(500, false), (500 + QUIET_AFTER_MS - 1, false), (500 + QUIET_AFTER_MS, true)]
        {
            assert_eq!(commits.is_quiet(LogDir(0), at(millis)), is_quiet, "after {millis} ms");
            assert!(commits.is_quiet(LogDir(1), at(millis)), "the other one, after {millis} ms");
        }
    }
}
