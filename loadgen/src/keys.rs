//! Keys of records: which is due next, and the partition it belongs to.
//!
//! Decides partitions as Kafka's clients do, so that a topic written by others and by us has each key in one place.

use std::sync::Arc;

use crate::chance::Chance;
use crate::workload::Keys;

const ZIPF_STREAM: u64 = 0x6b65_7973;

/// All keys of a workload and where they go. One for all threads.
#[derive(Clone, Debug)]
pub struct KeySpace {
    /// Partition of each key.
    partitions: Vec<u32>,
    /// Keys of each partition, no more than a batch can use.
    of_partition: Vec<Vec<u32>>,
    /// Sum of the weights up to and with each key; empty where keys take turns.
    cumulated: Vec<f64>,
}

impl KeySpace {
    /// None: the workload has no keys. `keys_per_partition_max`: how many of them templates will want.
    #[must_use]
    pub fn new(keys: Keys, partitions: u32, keys_per_partition_max: usize) -> Option<Arc<KeySpace>> {
        let (count, exponent) = match keys {
            Keys::None => return None,
            Keys::RoundRobin(count) => (count, None),
            Keys::Zipf { keys, exponent } => (keys, Some(exponent)),
        };
        let of_key = |key: u32| partition_of(&key_bytes(key), partitions);
        let partition_of_keys: Vec<u32> = (0..count).map(of_key).collect();
        let mut of_partition = vec![Vec::new(); partitions as usize];
        for (key, partition) in (0..count).zip(&partition_of_keys) {
            let list: &mut Vec<u32> = &mut of_partition[*partition as usize];
            if list.len() < keys_per_partition_max {
                list.push(key);
            }
        }
        let mut sum = 0.0;
        let weight = |exponent: f64, key: u32| (f64::from(key) + 1.0).powf(-exponent);
        let cumulated = exponent.map_or_else(Vec::new, |exponent| {
            let sums = (0..count).map(|key| {
                sum += weight(exponent, key);
                sum
            });
            sums.collect()
        });
        Some(Arc::new(KeySpace { partitions: partition_of_keys, of_partition, cumulated }))
    }

    #[must_use]
    pub fn partition(&self, key: u32) -> u32 {
        self.partitions[key as usize]
    }

    /// Keys that belong to this partition, for the records of its batches.
    #[must_use]
    pub fn keys_of(&self, partition: u32) -> &[u32] {
        &self.of_partition[partition as usize]
    }
}

/// The keys of one connection, in the order in which they are due.
#[derive(Clone, Debug)]
pub struct KeyTurns {
    space: Arc<KeySpace>,
    next: u32,
    chance: Chance,
}

impl KeyTurns {
    /// `connection` of `connections`: they begin at different keys.
    #[must_use]
    pub fn new(space: Arc<KeySpace>, seed: u64, connection: u32, connections: u32) -> KeyTurns {
        let keys = space.partitions.len() as u64;
        let next = (u64::from(connection) * keys / u64::from(connections.max(1))) as u32;
        KeyTurns { space, next, chance: Chance::new(seed ^ ZIPF_STREAM, u64::from(connection)) }
    }

    /// The partition of the key that is due.
    pub fn take_partition(&mut self) -> u32 {
        let key = match self.space.cumulated.last() {
            None => {
                let key = self.next;
                self.next = (key + 1) % self.space.partitions.len() as u32;
                key
            }
            Some(sum) => {
                let at = self.chance.fraction() * sum;
                let key = self.space.cumulated.partition_point(|cumulated| *cumulated <= at);
                key.min(self.space.partitions.len() - 1) as u32
            }
        };
        self.space.partition(key)
    }
}

/// A key on the wire: its number in eight hexadecimal digits.
#[must_use]
pub fn key_bytes(key: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digit = key >> (28 - 4 * index) & 15;
        *byte = b"0123456789abcdef"[digit as usize];
    }
    bytes
}

/// The partition that Kafka's clients choose for a key.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// MurmurHash2 with Kafka's seed.
fn murmur2(data: &[u8]) -> u32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kafkas_clients() {
        let known: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key) as i32, hash, "{key:?}");
        }
    }

    #[test]
    fn keys_take_turns_and_stay_in_their_partition() {
        let space = KeySpace::new(Keys::RoundRobin(100), 7, 1_000).expect("there are keys");
        let mut turns = KeyTurns::new(Arc::clone(&space), 1, 0, 4);
        for key in (0..100).chain(0..5) {
            assert_eq!(turns.take_partition(), partition_of(&key_bytes(key), 7));
        }
        let listed: usize = (0..7).map(|partition| space.keys_of(partition).len()).sum();
        assert_eq!(listed, 100);
        assert_eq!(key_bytes(0x00c0_ffee), *b"00c0ffee");
    }

    #[test]
    fn the_first_key_of_zipf_is_the_most_frequent() {
        let space = KeySpace::new(Keys::Zipf { keys: 1_000, exponent: 1.1 }, 1_000_003, 1).expect("keys");
        let mut turns = KeyTurns::new(Arc::clone(&space), 1, 0, 1);
        let first = space.partition(0);
        let second = space.partition(1);
        let drawn: Vec<u32> = (0..100_000).map(|_| turns.take_partition()).collect();
        let count = |partition| drawn.iter().filter(|drawn| **drawn == partition).count() as f64;
        let ratio = count(first) / count(second);
        assert!((ratio - 2f64.powf(1.1)).abs() < 0.2, "{ratio}");
    }
}
