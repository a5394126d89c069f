//! The newest offset of each key, in a table of a fixed size.
//!
//! Decides when it is full. A key is known by 128 bits of its hash, under a random key of this table: clients choose keys, and one that
//! collides with another would lose its value.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::model::Offset;

/// Two words of hash, one of offset.
const SLOT_BYTES: u64 = 24;

/// Beyond this part of the slots it takes no new key: else a look-up would pass over too many.
const LOAD: (u64, u64) = (3, 4);

/// Shape:  hash 8 | hash 8 | offset + 1, or 0 of a free slot |   open addressing, one slot after the other
/// Lives: as long as a pass over one log.
#[derive(Debug)]
pub struct OffsetMap {
    slots: Vec<[u64; 3]>,
    keys: u64,
    keys_max: u64,
    hasher: RandomState,
}

impl OffsetMap {
    /// At most `bytes` of memory, and no more than `records` may need. It holds one key at least.
    #[must_use]
    pub fn new(bytes: u64, records: u64) -> OffsetMap {
        let wanted = records.max(1).saturating_mul(LOAD.1).div_ceil(LOAD.0);
        let slots = (bytes / SLOT_BYTES).min(wanted).max(2);
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        OffsetMap {
            slots: vec![[0; 3]; slots],
            keys: 0,
            keys_max: (slots as u64 * LOAD.0 / LOAD.1).max(1),
            hasher: RandomState::new(),
        }
    }

    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.slots.len() as u64 * SLOT_BYTES
    }

    /// `key` stands at `offset`, behind all that were put before. False: there is no room for one more key.
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        let at = self.slot_of(hash);
        let is_new = self.slots[at][2] == 0;
        if is_new && self.keys >= self.keys_max {
            return false;
        }
        self.keys += u64::from(is_new);
        let stored = u64::try_from(offset.0 + 1).expect("offsets of records are not negative");
        self.slots[at] = [hash.0, hash.1, stored];
        true
    }

    /// The newest offset that was put for `key`.
    #[must_use]
    pub fn newest(&self, key: &[u8]) -> Option<Offset> {
        let [_, _, stored] = self.slots[self.slot_of(self.hash(key))];
        i64::try_from(stored).ok()?.checked_sub(1).filter(|offset| *offset >= 0).map(Offset)
    }

    /// The slot of the hash, or the free one where it belongs. There always is a free one.
    fn slot_of(&self, hash: (u64, u64)) -> usize {
        let slots = self.slots.len();
        let mut at = ((u128::from(hash.0) * slots as u128) >> 64) as usize;
        loop {
            let [first, second, stored] = self.slots[at];
            if stored == 0 || (first, second) == hash {
                return at;
            }
            at = if at + 1 == slots { 0 } else { at + 1 };
        }
    }

    fn hash(&self, key: &[u8]) -> (u64, u64) {
        let half = |number: u8| {
            let mut hasher = self.hasher.build_hasher();
            hasher.write_u8(number);
            hasher.write(key);
            hasher.finish()
        };
        (half(0), half(1))
    }
}
