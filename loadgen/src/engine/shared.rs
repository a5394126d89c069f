//! What the threads of a run share: who is connected, and how far they are.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::clock::{Clock, nanoseconds};
use crate::conversation::Nanoseconds;
use crate::recorder::Interval;
use crate::workload::Options;

pub struct Shared {
    pub clock: Clock,
    /// Never sleep.
    pub spin: bool,
    pub reconnect_for: Nanoseconds,
    pub presence: Presence,
    /// Threads whose lines have nothing more to do.
    pub done: AtomicUsize,
    /// Everybody leaves.
    pub quit: AtomicBool,
}

impl Shared {
    pub fn new(clock: Clock, options: &Options, presence: Presence) -> Shared {
        Shared {
            clock,
            spin: options.spin,
            reconnect_for: nanoseconds(options.reconnect_for),
            presence,
            done: AtomicUsize::new(0),
            quit: AtomicBool::new(false),
        }
    }
}

/// What one thread tells of a second.
pub struct Tick {
    pub second: u32,
    pub interval: Interval,
    pub backlog: u64,
    /// By consumer group: the sum of the positions of this thread's consumers.
    pub positions: Vec<i64>,
}

/// How many producers are connected, and for how long none was served.
#[derive(Debug, Default)]
pub struct Presence {
    connected: AtomicU32,
    first_loss: AtomicU64,
    all_gone: AtomicBool,
    outages: Mutex<Vec<Nanoseconds>>,
}

impl Presence {
    #[must_use]
    pub fn new(producers: u32) -> Presence {
        Presence { connected: AtomicU32::new(producers), ..Presence::default() }
    }

    #[must_use]
    pub fn connected(&self) -> u32 {
        self.connected.load(Ordering::Relaxed)
    }

    pub fn on_lost(&self, now: Nanoseconds) {
        let _ = self.first_loss.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        if self.connected.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all_gone.store(true, Ordering::Relaxed);
        }
    }

    pub fn on_back(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    /// Called for every acknowledgement: two loads unless all were gone.
    pub fn on_acknowledged(&self, now: Nanoseconds) {
        if self.all_gone.load(Ordering::Relaxed) && self.all_gone.swap(false, Ordering::Relaxed) {
            let since = self.first_loss.swap(0, Ordering::Relaxed);
            let outage = now.saturating_sub(since);
            self.outages.lock().unwrap_or_else(PoisonError::into_inner).push(outage);
        }
    }

    pub fn take_outages(&self) -> Vec<Nanoseconds> {
        std::mem::take(&mut self.outages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A loss of some, after which all were there again, is no beginning of an outage.
    pub fn forget_partial_loss(&self, producers: u32) {
        if self.connected() == producers && !self.all_gone.load(Ordering::Relaxed) {
            self.first_loss.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_from_the_first_loss_to_the_next_acknowledgement() {
        let presence = Presence::new(2);
        presence.on_lost(100);
        presence.on_acknowledged(150);
        presence.on_lost(200);
        presence.on_back();
        presence.on_acknowledged(1_000);
        presence.on_acknowledged(2_000);
        assert_eq!(presence.take_outages(), [900]);
        assert_eq!(presence.connected(), 1);
    }

    #[test]
    fn a_connection_that_comes_back_alone_is_no_outage() {
        let presence = Presence::new(2);
        presence.on_lost(100);
        presence.on_back();
        presence.forget_partial_loss(2);
        presence.on_lost(500);
        presence.on_lost(600);
        presence.on_acknowledged(700);
        assert_eq!(presence.take_outages(), [200]);
    }
}
