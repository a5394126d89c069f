//! 128-bit numbers that look random, from a seed that is.

/// A stream of numbers: as good as its seed. None comes twice.
#[derive(Debug, Clone)]
pub struct RandomIds {
    state: u128,
}

impl RandomIds {
    /// `start` differs between runs: even a random source that repeats itself does not give a number twice.
    #[must_use]
    pub fn new(random: [u8; 16], start: u64) -> RandomIds {
        RandomIds { state: u128::from_be_bytes(random) ^ (u128::from(start) << 64) }
    }

    /// A full-period walk over all 128-bit numbers, scrambled one-to-one.
    pub fn next_bytes(&mut self) -> [u8; 16] {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let mut mixed = self.state;
        for factor in
            [0xda94_2042_e4dd_58b5_bf58_476d_1ce4_e5b9_u128, 0x94d0_49bb_1331_11eb_2545_f491_4f6c_dd1d]
        {
            mixed = (mixed ^ (mixed >> 65)).wrapping_mul(factor);
        }
        (mixed ^ (mixed >> 67)).to_be_bytes()
    }

    /// With the marks of a random UUID (version 4).
    pub fn next_uuid(&mut self) -> [u8; 16] {
        let mut id = self.next_bytes();
        id[6] = (id[6] & 0x0f) | 0x40;
        id[8] = (id[8] & 0x3f) | 0x80;
        id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_id_comes_twice_and_another_start_gives_others() {
        let mut seen = BTreeSet::new();
        for start in 0..20 {
            let mut ids = RandomIds::new([7; 16], start);
            for _ in 0..100 {
                let id = ids.next_uuid();
                assert_eq!((id[6] >> 4, id[8] >> 6), (4, 2));
                assert!(seen.insert(id), "{id:?} of start {start}");
            }
        }
    }
}
