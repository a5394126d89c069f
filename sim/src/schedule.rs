//! Virtual time: one queue of (instant, tie-break, event). Time jumps to the next event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use penstock::model::{Instant, LogDir, Now, ShardId};

use crate::disk::OperationId;
use crate::network::LinkId;
use crate::random::Random;

/// Counts the starts of the broker process. What belongs to an earlier life is dropped on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life(pub u32);

/// A client's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The next stage of a disk operation is over.
    Disk { life: Life, operation: OperationId },
    /// A shard has inputs.
    Turn { life: Life, shard: ShardId },
    /// The next message from one shard to another arrives.
    Mesh { life: Life, from: ShardId, to: ShardId },
    /// A deadline that a shard named may be due.
    Deadline { life: Life, shard: ShardId },
    /// Bytes arrive at the broker.
    ToBroker { link: LinkId },
    /// The broker's socket takes bytes.
    FromBroker { link: LinkId },
    /// Bytes arrive at a client.
    ToClient { link: LinkId },
    /// A client wants to do something; `turn` tells a current alarm from a superseded one.
    Client { client: ClientId, turn: u64 },
    /// The power goes.
    Crash { life: Life },
    /// An orderly stop begins.
    Stop { life: Life },
    /// The broker starts.
    Start,
    /// The disk is full from now on, or has room again.
    Space { dir: LogDir, full: bool },
}

/// Invariants: `now` never goes back; events of one instant come in an order that the seed decides.
pub struct Schedule {
    now: Instant,
    wall_skew_ms: i64,
    sequence: u64,
    random: Random,
    queue: BinaryHeap<Reverse<(Instant, u64, u64, Slot)>>,
}

/// Orders nothing: the sequence number before it is unique.
struct Slot(Event);

impl PartialEq for Slot {
    fn eq(&self, _: &Slot) -> bool {
        true
    }
}
impl Eq for Slot {}
impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Slot) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Slot {
    fn cmp(&self, _: &Slot) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// The wall clock at the start of every world: 2026-01-01.
const WALL_START_MS: i64 = 1_767_225_600_000;

impl Schedule {
    #[must_use]
    pub fn new(seed: u64) -> Schedule {
        Schedule {
            now: Instant(1),
            wall_skew_ms: 0,
            sequence: 0,
            random: Random::stream(seed, "schedule"),
            queue: BinaryHeap::new(),
        }
    }

    #[must_use]
    pub fn now(&self) -> Now {
        Now {
            instant: self.now,
            wall_ms: WALL_START_MS + (self.now.0 / 1_000_000) as i64 + self.wall_skew_ms,
        }
    }

    #[must_use]
    pub fn instant(&self) -> Instant {
        self.now
    }

    /// The wall clock jumps to so much from the truth, also backwards.
    pub fn skew_wall(&mut self, ms: i64) {
        self.wall_skew_ms = ms;
    }

    pub fn after(&mut self, ns: u64, event: Event) {
        self.at(Instant(self.now.0.saturating_add(ns)), event);
    }

    pub fn at(&mut self, instant: Instant, event: Event) {
        self.sequence += 1;
        let tie_break = self.random.draw();
        self.queue.push(Reverse((instant.max(self.now), tie_break, self.sequence, Slot(event))));
    }

    pub fn pop(&mut self) -> Option<Event> {
        let Reverse((instant, _, _, Slot(event))) = self.queue.pop()?;
        self.now = instant;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_jumps_to_the_next_event_and_never_back() {
        let mut schedule = Schedule::new(3);
        schedule.after(50, Event::Start);
        schedule.after(10, Event::Crash { life: Life(1) });
        assert_eq!(schedule.pop(), Some(Event::Crash { life: Life(1) }));
        assert_eq!(schedule.instant(), Instant(11));
        schedule.at(Instant(5), Event::Stop { life: Life(1) });
        assert_eq!(schedule.pop(), Some(Event::Stop { life: Life(1) }));
        assert_eq!(schedule.instant(), Instant(11));
        assert_eq!(schedule.pop(), Some(Event::Start));
        assert_eq!(schedule.pop(), None);
    }
}
