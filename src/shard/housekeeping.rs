//! What must be looked at now and then, a slice of partitions each turn: producers that were silent for too long, segments that have
//! expired.

use super::Shard;
use crate::limits::{HOUSEKEEPING_INTERVAL_MS, HOUSEKEEPING_LOGS_PER_TURN};
use crate::model::{Instant, Now};
use crate::storage::LogId;

/// Lives: one per shard.
#[derive(Debug)]
pub(super) struct Housekeeping {
    producers: Round,
    retention: Round,
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
    pub fn new(now: Now, retention_delay_ms: u64) -> Housekeeping {
        let round = |interval_ms| Round { began: now.instant, left: Vec::new(), interval_ms };
        Housekeeping { producers: round(HOUSEKEEPING_INTERVAL_MS), retention: round(retention_delay_ms) }
    }

    pub fn next_deadline(&self, now: Instant) -> Instant {
        self.producers.next_deadline(now).min(self.retention.next_deadline(now))
    }

    /// `log.retention.check.interval.ms` was changed: it counts from the last check on.
    pub fn set_retention_check(&mut self, interval_ms: u64) {
        self.retention.interval_ms = interval_ms;
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
    }
}
