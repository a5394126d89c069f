//! What a consumer group waits for, and until when.
//!
//! Decides nothing about what a passed deadline means (`expiry`). All of it may be lost with the process: sessions begin anew then.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Instant;
use crate::model::consumer_group::MemberId;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The member must be heard of.
    Session(MemberId),
    /// The member must give partitions up.
    Rebalance(MemberId),
    /// The member of the classic protocol must join again.
    Join(MemberId),
    /// The member of the classic protocol must ask for its assignment.
    Sync(MemberId),
    /// Regular expressions are to be looked up among the topics.
    Regexes,
}

/// Invariants: `at` and `queue` hold the same deadlines.
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<Timer, Instant>,
    queue: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, deadline: Instant) {
        if let Some(before) = self.at.insert(timer.clone(), deadline) {
            self.queue.remove(&(before, timer.clone()));
        }
        self.queue.insert((deadline, timer));
    }

    /// One that runs already keeps its deadline.
    pub(super) fn set_unless_running(&mut self, timer: Timer, deadline: Instant) {
        if !self.at.contains_key(&timer) {
            self.set(timer, deadline);
        }
    }

    /// One that runs already may become earlier.
    pub(super) fn set_no_later(&mut self, timer: Timer, deadline: Instant) {
        if self.at.get(&timer).is_none_or(|running| *running > deadline) {
            self.set(timer, deadline);
        }
    }

    pub(super) fn cancel(&mut self, timer: &Timer) {
        if let Some(deadline) = self.at.remove(timer) {
            self.queue.remove(&(deadline, timer.clone()));
        }
    }

    pub(super) fn cancel_member(&mut self, member_id: &MemberId) {
        for timer in [Timer::Session, Timer::Rebalance, Timer::Join, Timer::Sync] {
            self.cancel(&timer(member_id.clone()));
        }
    }

    pub(super) fn cancel_all(&mut self) {
        *self = Timers::default();
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the first that has passed.
    pub(super) fn pop_passed(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.at.remove(&timer);
        Some(timer)
    }

    /// Nobody could be heard of for so long.
    pub(super) fn shift(&mut self, paused_ms: u64) {
        let later = |(timer, deadline): (Timer, Instant)| (timer, deadline.after_ms(paused_ms));
        self.at = std::mem::take(&mut self.at).into_iter().map(later).collect();
        self.queue = self.at.iter().map(|(timer, deadline)| (*deadline, timer.clone())).collect();
    }
}
