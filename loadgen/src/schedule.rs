//! When requests are due: fixed before the run, moved by nothing. Only the end may come forward: what is due after it is not due then.
//!
//! Decides the moments and the number of records of each request of one connection. Without a linger a request is handed over
//! whole; with one its records come one by one and it closes when it is full or when its first record has waited that long.

use crate::chance::Chance;
use crate::conversation::Nanoseconds;
use crate::window::ScheduleEnd;
use crate::workload::Arrival;

/// What one request owes to the schedule.
///
/// Invariants: `first <= last <= closes`. Without a linger all three are one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The moment at which the request is to be written: its intended one.
    pub closes: Nanoseconds,
    /// The moments of its first and last record; those between are spread evenly. Of a Poisson process that is their
    /// distribution too, given the two.
    pub first: Nanoseconds,
    pub last: Nanoseconds,
    pub records: u32,
}

/// One connection's share of the rate.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Of this connection.
    pub records_per_second: f64,
    /// A request with so many is full.
    pub records_per_request: u32,
    /// 0: requests are handed over whole.
    pub linger: Nanoseconds,
    pub arrival: Arrival,
    pub start: Nanoseconds,
    /// Nothing is due from here on.
    pub end: ScheduleEnd,
    /// Which part of an interval uniform arrivals are late by: keeps connections from acting at the same moments. In 0..1.
    pub phase: f64,
}

#[derive(Clone, Debug)]
pub struct Schedule {
    pace: Pace,
    arrivals: Arrivals,
    /// The next arrival, taken and not yet part of a request.
    next_arrival: f64,
    next_due: Option<Due>,
}

impl Schedule {
    /// `records_per_second` is above 0.
    #[must_use]
    pub fn new(pace: Pace, chance: Chance) -> Schedule {
        let whole = pace.linger == 0;
        let records = if whole { f64::from(pace.records_per_request) } else { 1.0 };
        let interval = records * 1e9 / pace.records_per_second;
        let mut arrivals = Arrivals { interval, phase: pace.phase, taken: 0, at: 0.0, chance };
        let next_arrival = arrivals.take(pace.arrival);
        let mut schedule = Schedule { pace, arrivals, next_arrival, next_due: None };
        schedule.next_due = schedule.plan();
        schedule
    }

    /// The next request; None: the schedule is over.
    #[must_use]
    pub fn peek(&self) -> Option<Due> {
        self.next_due.filter(|due| due.first < self.pace.end.moment())
    }

    pub fn take(&mut self) -> Option<Due> {
        let due = self.peek()?;
        self.next_due = self.plan();
        Some(due)
    }

    /// How many requests are due before `now` and not taken; looks at no more than `most`.
    #[must_use]
    pub fn backlog(&self, now: Nanoseconds, most: u64) -> u64 {
        let Some(due) = self.peek() else { return 0 };
        let late = now.min(self.pace.end.moment()).saturating_sub(due.closes);
        if now < due.closes {
            return 0;
        }
        let request_interval = f64::from(self.pace.records_per_request) * 1e9
            / self.pace.records_per_second.max(f64::MIN_POSITIVE);
        (1 + (late as f64 / request_interval) as u64).min(most)
    }

    fn plan(&mut self) -> Option<Due> {
        let first = self.moment(self.next_arrival);
        if first >= self.pace.end.moment() {
            return None;
        }
        self.next_arrival = self.arrivals.take(self.pace.arrival);
        if self.pace.linger == 0 {
            return Some(Due { closes: first, first, last: first, records: self.pace.records_per_request });
        }
        let latest = first + self.pace.linger;
        let mut due = Due { closes: latest, first, last: first, records: 1 };
        while due.records < self.pace.records_per_request {
            let moment = self.moment(self.next_arrival);
            if moment > latest || moment >= self.pace.end.moment() {
                return Some(due);
            }
            due.last = moment;
            due.records += 1;
            self.next_arrival = self.arrivals.take(self.pace.arrival);
        }
        due.closes = due.last;
        Some(due)
    }

    fn moment(&self, arrival: f64) -> Nanoseconds {
        self.pace.start + arrival as Nanoseconds
    }
}

/// Nanoseconds since the start, first to last.
#[derive(Clone, Debug)]
struct Arrivals {
    interval: f64,
    phase: f64,
    taken: u64,
    at: f64,
    chance: Chance,
}

impl Arrivals {
    fn take(&mut self, arrival: Arrival) -> f64 {
        match arrival {
            // A product, not a sum: rounding does not add up over a long run.
            Arrival::Uniform => self.at = (self.taken as f64 + self.phase) * self.interval,
            Arrival::Poisson => self.at += self.chance.exponential(self.interval),
        }
        self.taken += 1;
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn pace() -> Pace {
        Pace {
            records_per_second: 1_000.0,
            records_per_request: 10,
            linger: 0,
            arrival: Arrival::Uniform,
            start: 5_000,
            end: ScheduleEnd::at(5_000 + SECOND),
            phase: 0.5,
        }
    }

    fn all(pace: Pace, seed: u64) -> Vec<Due> {
        let mut schedule = Schedule::new(pace, Chance::new(seed, 0));
        std::iter::from_fn(|| schedule.take()).collect()
    }

    #[test]
    fn uniform_requests_are_evenly_apart_from_their_phase_on() {
        let due = all(pace(), 1);
        assert_eq!(due.len(), 100);
        for (index, due) in due.iter().enumerate() {
            let at = 5_000 + 5_000_000 + index as u64 * 10_000_000;
            assert_eq!(*due, Due { closes: at, first: at, last: at, records: 10 });
        }
    }

    #[test]
    fn poisson_requests_have_their_rate_and_a_seed_repeats_them() {
        let pace = Pace { arrival: Arrival::Poisson, end: ScheduleEnd::at(5_000 + 100 * SECOND), ..pace() };
        let due = all(pace.clone(), 3);
        assert!((9_500..10_500).contains(&due.len()), "{}", due.len());
        assert!(due.windows(2).all(|pair| pair[0].closes <= pair[1].closes));
        assert_eq!(due, all(pace.clone(), 3));
        assert_ne!(due, all(pace, 4));
    }

    #[test]
    fn a_request_with_linger_closes_full_or_in_time() {
        // Records are 1 ms apart: within 4 ms come five, the first among them.
        let lingered = all(Pace { linger: 4_000_000, ..pace() }, 1);
        assert_eq!(lingered.len(), 200);
        let first = 5_000 + 500_000;
        assert_eq!(
            lingered[0],
            Due { closes: first + 4_000_000, first, last: first + 4_000_000, records: 5 }
        );
        // Ten are there after 9 ms, before a linger of 50 ms is over.
        let full = all(Pace { linger: 50_000_000, ..pace() }, 1);
        assert_eq!(full.len(), 100);
        assert_eq!(full[0], Due { closes: first + 9_000_000, first, last: first + 9_000_000, records: 10 });
    }

    #[test]
    fn every_record_of_the_rate_is_in_one_request() {
        for arrival in [Arrival::Uniform, Arrival::Poisson] {
            for linger in [1_000_000, 3_500_000, 20_000_000] {
                let due = all(Pace { linger, arrival, ..pace() }, 9);
                let records: u32 = due.iter().map(|due| due.records).sum();
                if arrival == Arrival::Uniform {
                    assert_eq!(records, 1_000, "{linger}");
                }
                for pair in due.windows(2) {
                    assert!(pair[0].last <= pair[1].first);
                    assert!(pair[0].closes <= pair[0].first + linger);
                    assert!((1..=10).contains(&pair[0].records));
                }
            }
        }
    }

    #[test]
    fn what_is_due_after_an_end_that_came_forward_is_not_due() {
        let pace = pace();
        let mut schedule = Schedule::new(pace.clone(), Chance::new(1, 0));
        let taken = schedule.take().expect("the first of a hundred");
        let next = schedule.peek().expect("the second");
        pace.end.bring_forward(next.first + 1);
        assert_eq!(schedule.backlog(5_000 + SECOND, 1_000), 1);
        assert_eq!(schedule.take(), Some(next));
        assert_eq!((schedule.peek(), schedule.take(), taken.records), (None, None, 10));
        assert_eq!(schedule.backlog(5_000 + SECOND, 1_000), 0);
    }

    #[test]
    fn the_backlog_is_what_is_due_and_not_taken() {
        let mut schedule = Schedule::new(pace(), Chance::new(1, 0));
        assert_eq!(schedule.backlog(5_000, 1_000), 0);
        assert_eq!(schedule.backlog(5_000 + 5_000_000, 1_000), 1);
        assert_eq!(schedule.backlog(5_000 + 34_000_000, 1_000), 3);
        schedule.take();
        assert_eq!(schedule.backlog(5_000 + 34_000_000, 1_000), 2);
        assert_eq!(schedule.backlog(5_000 + 90 * SECOND, 1_000), 99);
    }
}
