//! What must be looked at now and then, a slice of partitions each turn: producers that were silent for too long, segments that have
//! expired, logs that are to be compacted.

use super::Shard;
use crate::effect::Effects;
use crate::limits::{HOUSEKEEPING_INTERVAL_MS, HOUSEKEEPING_LOGS_PER_TURN, OFFSET_MAP_BYTES_MIN};
use crate::model::{Instant, Now};
use crate::storage::{CompactionLimits, LogId};

/// Lives: one per shard.
#[derive(Debug)]
pub(super) struct Housekeeping {
    producers: Round,
    retention: Round,
    compaction: Round,
}

/// All logs, one after the other, and then nothing until the next time.
#[derive(Debug)]
struct Round {
    /// When the present round, or the last one, began.
    began: Instant,
    /// Logs of the present round that have not had their turn.
    left: Vec<LogId>,
    interval_ms: u64,
}

impl Round {
    fn next_deadline(&self, now: Instant) -> Instant {
        if self.left.is_empty() { self.began.after_ms(self.interval_ms) } else { now }
    }

    /// The next round begins at once.
    fn hasten(&mut self) {
        self.began = Instant(0);
    }

    /// The logs whose turn it is.
    fn take(&mut self, now: Instant, all: impl FnOnce() -> Vec<LogId>) -> Vec<LogId> {
        if self.left.is_empty() && now >= self.next_deadline(now) {
            self.began = now;
            self.left = all();
        }
        let keep = self.left.len().saturating_sub(HOUSEKEEPING_LOGS_PER_TURN);
        self.left.split_off(keep)
    }
}

impl Housekeeping {
    pub fn new(now: Now, retention_delay_ms: u64, cleaner_backoff_ms: u64) -> Housekeeping {
        let round = |interval_ms| Round { began: now.instant, left: Vec::new(), interval_ms };
        Housekeeping {
            producers: round(HOUSEKEEPING_INTERVAL_MS),
            retention: round(retention_delay_ms),
            compaction: round(cleaner_backoff_ms),
        }
    }

    pub fn next_deadline(&self, now: Instant) -> Instant {
        let others = self.producers.next_deadline(now).min(self.retention.next_deadline(now));
        others.min(self.compaction.next_deadline(now))
    }

    /// `log.retention.check.interval.ms` was changed: it counts from the last check on.
    pub fn set_retention_check(&mut self, interval_ms: u64) {
        self.retention.interval_ms = interval_ms;
    }

    /// The same of `log.cleaner.backoff.ms`.
    pub fn set_cleaner_backoff(&mut self, interval_ms: u64) {
        self.compaction.interval_ms = interval_ms;
    }
}

impl Shard {
    pub(super) fn keep_house(&mut self, now: Now) {
        let expiration_ms = self.config.producer_id_expiration_ms;
        let partitions = &self.partitions;
        for log in self.housekeeping.producers.take(now.instant, || partitions.logs().collect()) {
            self.storage.log_mut(log).expire_producers(now, expiration_ms);
        }
        let due = self.housekeeping.retention.take(now.instant, || partitions.logs().collect());
        if !due.is_empty() {
            self.housekeeping.set_retention_check(self.config.retention_check_ms);
        }
        for log in due {
            self.storage.retain(log, now);
        }
        if self.config.cleaner.is_enabled {
            self.maybe_compact(now);
        }
    }

    /// Looks at logs, and when all of them were looked at begins with the one that needs it most.
    fn maybe_compact(&mut self, now: Now) {
        if self.storage.take_compaction_due() {
            self.housekeeping.compaction.hasten();
        }
        let partitions = &self.partitions;
        let due = self.housekeeping.compaction.take(now.instant, || partitions.logs().collect());
        for log in &due {
            if let Some(below) = self.partitions.last_stable_offset(*log) {
                self.storage.consider_compaction(*log, now, below);
            }
        }
        if !due.is_empty() && self.housekeeping.compaction.left.is_empty() {
            let cleaner = self.config.cleaner;
            let shares = u64::from(self.shards) * self.log_dirs.len() as u64;
            let limits = CompactionLimits {
                map_bytes: (cleaner.map_bytes / shares).max(OFFSET_MAP_BYTES_MIN),
                bytes_per_second: (cleaner.bytes_per_second / u64::from(self.shards)).max(1),
            };
            self.storage.begin_compactions(now, limits);
        }
    }

    /// Segments were replaced: who waits for an index of theirs reads again, coordinators too.
    pub(super) fn wake_readers_of_compacted(&mut self, now: Now, effects: &mut Effects) {
        for log in self.storage.take_compacted() {
            if !self.storage.dir(log.dir()).mutations().coordinator_misses_swap() {
                self.seats_go_on(log);
            }
            self.tell_watchers(now, log, effects);
            self.repeat_questions(log, effects);
        }
    }
}
