//! Time as an argument: the core never reads a clock.

/// Monotonic nanoseconds since the process began. Deadlines and timeouts use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The instant `ms` milliseconds later; saturates, so an absurd timeout is "never".
    #[must_use]
    pub fn after_ms(self, ms: u64) -> Instant {
        Instant(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    #[must_use]
    pub fn ms_since_start(self) -> u64 {
        self.0 / 1_000_000
    }

    #[must_use]
    pub fn ns_since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Both clocks, read once per turn.
///
/// Invariants: `instant` never goes back. `wall_ms` may: only timestamps that users see are made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub instant: Instant,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}
