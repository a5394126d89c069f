//! When a run is measured, and how it ends before its time.
//!
//! Decides what "in the measured part" means while the end may still move. Who asks for a stop (a signal, a test) is not decided here.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::conversation::Nanoseconds;

/// Somebody's wish that the run end now, with a report. It stays: runs that would follow are not begun.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Wished by the first SIGINT or SIGTERM of this process; the second one ends the process at once.
    pub fn on_signals() -> io::Result<Stop> {
        let stop = Stop::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down, and raises it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop.0))?;
            flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    pub fn wish(&self) {
        self.0.store(true, Ordering::Release);
    }

    #[must_use]
    pub fn is_wished(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The moment from which on nothing is due.
///
/// Lives: one for a run, shared by all its threads.
/// Invariants: it only comes forward.
#[derive(Clone, Debug)]
pub struct ScheduleEnd(Arc<AtomicU64>);

impl ScheduleEnd {
    #[must_use]
    pub fn at(moment: Nanoseconds) -> ScheduleEnd {
        ScheduleEnd(Arc::new(AtomicU64::new(moment)))
    }

    #[must_use]
    pub fn moment(&self) -> Nanoseconds {
        self.0.load(Ordering::Relaxed)
    }

    pub fn bring_forward(&self, moment: Nanoseconds) {
        self.0.fetch_min(moment, Ordering::Relaxed);
    }
}

/// The moments of a run.
///
/// Shape:  start ... warm-up ... | begin ... the measured part ... | end      half-open
///         A run that is stopped in its warm-up has no measured part: its end is before its begin.
#[derive(Clone, Debug)]
pub struct Window {
    pub start: Nanoseconds,
    pub begin: Nanoseconds,
    pub end: ScheduleEnd,
}

impl Window {
    #[must_use]
    pub fn contains(&self, at: Nanoseconds) -> bool {
        (self.begin..self.end.moment()).contains(&at)
    }

    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.end.moment().saturating_sub(self.begin) as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_comes_forward_for_all_who_share_it() {
        let window = Window { start: 0, begin: 10, end: ScheduleEnd::at(100) };
        let shared = window.clone();
        assert!(shared.contains(10) && shared.contains(60) && !shared.contains(9));
        window.end.bring_forward(60);
        window.end.bring_forward(80);
        assert!(shared.contains(59) && !shared.contains(60));
        window.end.bring_forward(5);
        assert!(!shared.contains(5) && !shared.contains(10));
        assert_eq!(shared.seconds(), 0.0);
    }

    #[test]
    fn a_wish_to_stop_is_heard_by_all_who_have_a_copy() {
        let stop = Stop::default();
        let copy = stop.clone();
        assert!(!copy.is_wished());
        stop.wish();
        assert!(copy.is_wished());
    }
}
