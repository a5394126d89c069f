//! What must be looked at now and then, a slice of partitions each turn: producers that were silent for too long.

use super::Shard;
use crate::limits::{HOUSEKEEPING_INTERVAL_MS, HOUSEKEEPING_LOGS_PER_TURN};
use crate::model::{Instant, Now};
use crate::storage::LogId;

/// Lives: one per shard.
#[derive(Debug)]
pub(super) struct Housekeeping {
    next_round: Instant,
    /// Logs of the present round that have not had their turn.
    left: Vec<LogId>,
}

impl Housekeeping {
    pub fn new(now: Now) -> Housekeeping {
        Housekeeping { next_round: now.instant.after_ms(HOUSEKEEPING_INTERVAL_MS), left: Vec::new() }
    }

    pub fn next_deadline(&self, now: Instant) -> Instant {
        if self.left.is_empty() { self.next_round } else { now }
    }
}

impl Shard {
    pub(super) fn keep_house(&mut self, now: Now) {
        if self.housekeeping.left.is_empty() {
            if now.instant < self.housekeeping.next_round {
                return;
            }
            self.housekeeping.next_round = now.instant.after_ms(HOUSEKEEPING_INTERVAL_MS);
            self.housekeeping.left = self.partitions.logs().collect();
        }
        let expiration_ms = self.config.producer_id_expiration_ms;
        let keep = self.housekeeping.left.len().saturating_sub(HOUSEKEEPING_LOGS_PER_TURN);
        for log in self.housekeeping.left.split_off(keep) {
            self.storage.log_mut(log).expire_producers(now, expiration_ms);
        }
    }
}
