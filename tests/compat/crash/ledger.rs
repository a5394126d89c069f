//! What a producer was told: every acknowledged record, with its offset and a hash of its bytes. And what records look like.

use super::PARTITIONS;
use super::load::Random;
use super::tail::Tail;

#[derive(Clone, Copy)]
struct Acknowledged {
    /// None: the answer was "a duplicate", which names no offset.
    offset: Option<i64>,
    hash: u32,
}

/// By partition, then by the number of the record.
pub struct Ledger {
    partitions: Vec<Vec<Option<Acknowledged>>>,
}

impl Ledger {
    pub fn new() -> Ledger {
        Ledger { partitions: vec![Vec::new(); PARTITIONS as usize] }
    }

    /// Each record is acknowledged once.
    pub fn acknowledge(&mut self, partition: i32, number: i64, offset: Option<i64>) {
        let records = &mut self.partitions[partition as usize];
        let index = number as usize;
        if records.len() <= index {
            records.resize(index + 1, None);
        }
        assert!(records[index].is_none(), "record {number} of partition {partition} acknowledged twice");
        let hash = hash(&key(partition, number), &value(partition, number));
        records[index] = Some(Acknowledged { offset, hash });
    }

    pub fn len(&self) -> usize {
        self.partitions.iter().flatten().flatten().count()
    }

    /// Compares one record that was read with what was acknowledged.
    pub fn check(&self, topic: &str, partition: i32, number: i64, offset: i64, hash: u32) {
        let acknowledged = self.partitions[partition as usize].get(number as usize).copied().flatten();
        let acknowledged = acknowledged
            .unwrap_or_else(|| panic!("{topic}-{partition} holds record {number}, never acknowledged"));
        if let Some(told) = acknowledged.offset {
            assert_eq!(
                told, offset,
                "{topic}-{partition}: record {number} is not where its producer was told"
            );
        }
        assert_eq!(acknowledged.hash, hash, "{topic}-{partition}: the bytes of record {number}");
    }

    /// All was read that was acknowledged.
    pub fn check_ends(&self, topic: &str, tail: &Tail) {
        for (partition, records) in self.partitions.iter().enumerate() {
            let end = tail.position(topic, partition as i32);
            assert_eq!(end, records.len() as i64, "{topic}-{partition}: its end, and what was acknowledged");
            let unknown = records.iter().position(Option::is_none);
            assert_eq!(
                unknown, None,
                "{topic}-{partition}: a record that its producer never heard about again"
            );
        }
    }
}

pub fn key(partition: i32, number: i64) -> Vec<u8> {
    format!("{partition}:{number}").into_bytes()
}

/// The number in a key.
pub fn number(partition: i32, key: &[u8]) -> i64 {
    let text = std::str::from_utf8(key).expect("keys are text");
    let (of, number) = text.split_once(':').expect("two numbers");
    assert_eq!(of, partition.to_string(), "a record of another partition");
    number.parse().expect("a number")
}

/// Bytes that follow from where the record belongs: mostly some hundred, now and then as many as 40,000.
pub fn value(partition: i32, number: i64) -> Vec<u8> {
    let mut random = Random::new((u64::from(partition as u32) << 48) ^ number as u64);
    let length_max = if random.below(200) == 0 { 40_000 } else { 400 };
    let length = random.below(length_max) as usize;
    (0..length).map(|_| random.below(256) as u8).collect()
}

pub fn hash(key: &[u8], value: &[u8]) -> u32 {
    protocol::record::crc32c(&[key, b"=", value].concat())
}
