//! Latencies: two significant digits from 1 microsecond to 10 minutes; what lies outside is counted at the edge.

use hdrhistogram::Histogram as Hdr;

const MAX_US: u64 = 600_000_000;

/// A distribution of durations, kept in microseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    values: Hdr<u64>,
    sum_us: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        let values = Hdr::new_with_bounds(1, MAX_US, 2).expect("constant bounds that the crate accepts");
        Histogram { values, sum_us: 0 }
    }
}

impl Histogram {
    pub fn record_ns(&mut self, ns: u64) {
        let us = (ns / 1000).clamp(1, MAX_US);
        self.values.saturating_record(us);
        self.sum_us = self.sum_us.saturating_add(us);
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.values.len()
    }

    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The value below which `quantile` (0..=1) of the durations lie.
    #[must_use]
    pub fn at_quantile_us(&self, quantile: f64) -> u64 {
        self.values.value_at_quantile(quantile)
    }

    /// How many durations were in `(previous bound, bound]`, for each of the ascending bounds, and after the last.
    #[must_use]
    pub fn counts_by_bound_us(&self, bounds: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds.len() + 1];
        for bucket in self.values.iter_recorded() {
            let index = bounds.partition_point(|bound| *bound < bucket.value_iterated_to());
            counts[index] += bucket.count_at_value();
        }
        counts
    }
}
