//! Chance, from one seed: a named stream per concern, so that one more draw for the network does not reshuffle the disk.

/// xoshiro256++, seeded by splitmix64.
///
/// Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators".
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
}

pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Random {
    /// The stream `name` of `seed`.
    #[must_use]
    pub fn stream(seed: u64, name: &str) -> Random {
        let mut state = seed;
        for byte in name.bytes() {
            state = splitmix(&mut state) ^ u64::from(byte);
        }
        Random { state: std::array::from_fn(|_| splitmix(&mut state)) }
    }

    pub fn draw(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let shifted = b << 17;
        let c = c ^ a;
        let d = d ^ b;
        self.state = [a ^ d, b ^ c, c ^ shifted, d.rotate_left(45)];
        drawn
    }

    /// A number in `[0, end)`; 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(end)) >> 64) as u64
    }

    /// A number in `[from, end)`; `from` if that is empty.
    pub fn between(&mut self, from: u64, end: u64) -> u64 {
        from + self.below(end.saturating_sub(from))
    }

    /// True `percent` times in 100.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// True `times` in a million.
    pub fn per_million(&mut self, times: u64) -> bool {
        self.below(1_000_000) < times
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        assert!(!from.is_empty(), "nothing to pick from");
        &from[self.below(from.len() as u64) as usize]
    }

    /// A number whose size is as likely to be small as large: uniform in the exponent between `from` and `end`.
    pub fn log_uniform(&mut self, from: u64, end: u64) -> u64 {
        let (low, high) = (from.max(1).ilog2(), end.max(2).ilog2());
        let exponent = self.between(u64::from(low), u64::from(high) + 1);
        self.between(1 << exponent, 1 << (exponent + 1)).clamp(from, end.max(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_and_names_differ() {
        let draws = |name| {
            std::array::from_fn::<u64, 8, _>({
                let mut random = Random::stream(7, name);
                move |_| random.draw()
            })
        };
        assert_eq!(draws("disk"), draws("disk"));
        assert_ne!(draws("disk"), draws("network"));
    }

    #[test]
    fn ranges_hold() {
        let mut random = Random::stream(1, "test");
        for _ in 0..10_000 {
            assert!((5..9).contains(&random.between(5, 9)));
            assert!((100..=5_000).contains(&random.log_uniform(100, 5_000)));
        }
        assert_eq!(random.below(0), 0);
    }
}
