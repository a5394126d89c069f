//! The run's clock: monotonic, one for all threads, from 0; and where the wall clock was then.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use core::time::Duration;

use crate::conversation::Nanoseconds;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zero: Instant,
    unix_ms_at_zero: i64,
}

impl Clock {
    #[must_use]
    pub fn start() -> Clock {
        let unix_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Clock { zero: Instant::now(), unix_ms_at_zero: unix_ms }
    }

    #[must_use]
    pub fn now(&self) -> Nanoseconds {
        nanoseconds(self.zero.elapsed())
    }

    #[must_use]
    pub fn unix_ms_at_zero(&self) -> i64 {
        self.unix_ms_at_zero
    }
}

#[must_use]
pub fn nanoseconds(time: Duration) -> Nanoseconds {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
