//! Seeded random numbers: the same seed makes the same run.

/// SplitMix64: one addition and one mix for each number.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// `stream` keeps apart what has one seed and must not move together, such as connections.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Chance {
        let mut chance = Chance { state: seed };
        let start = chance.number() ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93);
        Chance { state: start }
    }

    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From 0 (inclusive) to 1 (exclusive).
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Time to the next event of a Poisson process whose events are `mean` apart.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.fraction()).ln() * mean
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.number().to_le_bytes()[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_streams_differ() {
        let numbers = |seed, stream| {
            let mut chance = Chance::new(seed, stream);
            (0..4).map(|_| chance.number()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7, 0), numbers(7, 0));
        assert_ne!(numbers(7, 0), numbers(7, 1));
        assert_ne!(numbers(7, 0), numbers(8, 0));
    }

    #[test]
    fn exponential_times_have_their_mean() {
        let mut chance = Chance::new(1, 1);
        let sum: f64 = (0..100_000).map(|_| chance.exponential(50.0)).sum();
        assert!((sum / 100_000.0 - 50.0).abs() < 1.0, "{sum}");
    }
}
