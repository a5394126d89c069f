//! What the clients were told before the power went: topics that exist, records that are durable, and how long the device's log was
//! when they heard it.
//!
//! The bytes of a record follow from its topic, partition and number, which is its offset: whatever is read can be checked.

use std::fs;
use std::io;
use std::path::Path;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCreated {
    pub name: String,
    pub partitions: i32,
    pub log_bytes: u64,
}

/// All records of the partition below `end` were acknowledged when the log was so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub topic: usize,
    pub partition: i32,
    pub end: i64,
    pub log_bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// How long the log was when the file system had been made and mounted: the power may go from here on.
    pub made: u64,
    pub topics: Vec<TopicCreated>,
    /// By the length of the log.
    pub acknowledged: Vec<Acknowledged>,
}

impl Ledger {
    /// One line each: `made LOG_BYTES`, `topic NAME PARTITIONS LOG_BYTES`, `ack TOPIC PARTITION END LOG_BYTES`.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let topics = self
            .topics
            .iter()
            .map(|topic| format!("topic {} {} {}\n", topic.name, topic.partitions, topic.log_bytes));
        let acks = self
            .acknowledged
            .iter()
            .map(|ack| format!("ack {} {} {} {}\n", ack.topic, ack.partition, ack.end, ack.log_bytes));
        fs::write(
            path,
            std::iter::once(format!("made {}\n", self.made)).chain(topics).chain(acks).collect::<String>(),
        )
    }

    pub fn read(path: &Path) -> io::Result<Ledger> {
        let mut ledger = Ledger::default();
        for line in fs::read_to_string(path)?.lines() {
            ledger.take_line(line).ok_or_else(|| io::Error::other(format!("the ledger says {line:?}")))?;
        }
        ledger.acknowledged.sort_by_key(|ack| ack.log_bytes);
        Ok(ledger)
    }

    fn take_line(&mut self, line: &str) -> Option<()> {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            ["made", log_bytes] => self.made = log_bytes.parse().ok()?,
            ["topic", name, partitions, log_bytes] => self.topics.push(TopicCreated {
                name: name.to_owned(),
                partitions: partitions.parse().ok()?,
                log_bytes: log_bytes.parse().ok()?,
            }),
            ["ack", topic, partition, end, log_bytes] => self.acknowledged.push(Acknowledged {
                topic: topic.parse().ok()?,
                partition: partition.parse().ok()?,
                end: end.parse().ok()?,
                log_bytes: log_bytes.parse().ok()?,
            }),
            _ => return None,
        }
        Some(())
    }

    /// Topics that must be there, by their index, and for each of their partitions the end that it must have reached, when the log was
    /// so long.
    pub fn owed(&self, log_bytes: u64) -> Vec<(usize, Vec<i64>)> {
        let is_owed = |topic: &TopicCreated| topic.log_bytes <= log_bytes;
        let mut owed: Vec<Option<Vec<i64>>> = self
            .topics
            .iter()
            .map(|topic| is_owed(topic).then(|| vec![0; topic.partitions as usize]))
            .collect();
        for ack in self.acknowledged.iter().take_while(|ack| ack.log_bytes <= log_bytes) {
            let partitions = self.topics[ack.topic].partitions as usize;
            let ends = owed[ack.topic].get_or_insert_with(|| vec![0; partitions]);
            let end = &mut ends[ack.partition as usize];
            *end = ack.end.max(*end);
        }
        owed.into_iter().enumerate().filter_map(|(topic, ends)| Some((topic, ends?))).collect()
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

pub fn key(topic: usize, partition: i32, number: i64) -> String {
    format!("{topic}:{partition}:{number}")
}

/// Mostly some hundred bytes, now and then as many as 40,000.
pub fn value(topic: usize, partition: i32, number: i64) -> Vec<u8> {
    let seed = ((topic as u64) << 48) ^ (u64::from(partition as u32) << 32) ^ number as u64;
    let mut random = Random(seed);
    let length_max = if random.below(100) == 0 { 40_000 } else { 600 };
    let length = random.below(length_max) as usize;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let topic = |name: &str, log_bytes| TopicCreated { name: name.to_owned(), partitions: 2, log_bytes };
        let ack = |topic, partition, end, log_bytes| Acknowledged { topic, partition, end, log_bytes };
        Ledger {
            made: 5,
            topics: vec![topic("a", 10), topic("b", 30)],
            acknowledged: vec![ack(0, 0, 5, 20), ack(0, 1, 2, 35), ack(0, 0, 9, 40)],
        }
    }

    #[test]
    fn what_is_owed_grows_with_the_log() {
        let ledger = ledger();
        assert_eq!(ledger.owed(9), []);
        assert_eq!(ledger.owed(10), [(0, vec![0, 0])]);
        assert_eq!(ledger.owed(39), [(0, vec![5, 2]), (1, vec![0, 0])]);
        assert_eq!(ledger.owed(40), [(0, vec![9, 2]), (1, vec![0, 0])]);
    }

    #[test]
    fn a_ledger_reads_back() {
        let path = std::env::temp_dir().join(format!("power-ledger-{}", std::process::id()));
        ledger().write(&path).expect("writable");
        assert_eq!(Ledger::read(&path).expect("written"), ledger());
        fs::remove_file(path).expect("ours");
    }
}
