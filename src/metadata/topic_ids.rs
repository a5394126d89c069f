//! Ids for new topics, from random bytes that the process was given at its start.

use crate::model::TopicId;

/// A stream of random-looking ids: as good as its seed.
#[derive(Debug, Clone)]
pub(super) struct TopicIds {
    state: u128,
}

impl TopicIds {
    /// `start` differs between runs: even a random source that repeats itself does not give an id twice.
    pub(super) fn new(random: [u8; 16], start: u64) -> TopicIds {
        TopicIds { state: u128::from_be_bytes(random) ^ (u128::from(start) << 64) }
    }

    /// The next id: of UUID version 4, and none that Kafka reserves.
    pub(super) fn next(&mut self) -> TopicId {
        loop {
            // A full-period walk over all 128-bit numbers, so no id comes twice, scrambled one-to-one.
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let mut mixed = self.state;
            for factor in
                [0xda94_2042_e4dd_58b5_bf58_476d_1ce4_e5b9_u128, 0x94d0_49bb_1331_11eb_2545_f491_4f6c_dd1d]
            {
                mixed = (mixed ^ (mixed >> 65)).wrapping_mul(factor);
            }
            let mut id = (mixed ^ (mixed >> 67)).to_be_bytes();
            id[6] = (id[6] & 0x0f) | 0x40;
            id[8] = (id[8] & 0x3f) | 0x80;
            // Kafka's ids never start with the digit `-`, because command lines would take them for options.
            if id[0] >> 2 != 62 {
                return TopicId(id);
            }
        }
    }
}
