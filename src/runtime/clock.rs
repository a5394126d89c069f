//! The two clocks, read once per turn. Nothing below `runtime` reads one itself.

use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

use crate::model::{Instant, Now};

/// Lives: one per process, copied to every shard, so that instants of different shards can be compared.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: StdInstant,
}

impl Clock {
    /// Counts from when the process began.
    #[must_use]
    pub fn since(start: StdInstant) -> Clock {
        Clock { start }
    }

    #[must_use]
    pub fn instant(self) -> Instant {
        Instant(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    #[must_use]
    pub fn now(self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { instant: self.instant(), wall_ms: i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX) }
    }
}
