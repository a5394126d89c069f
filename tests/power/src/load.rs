//! The load of a recording: producers that write down, for each acknowledgement, how long the device's log was when they had it.
//!
//! Each producer has partitions of its own and waits for each answer, so that record n of a partition lies at offset n. Topics are
//! created on the way.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::record::BatchBuilder;
use protocol::{ApiKey, Array, Records};

use crate::ledger::{Acknowledged, Ledger, Random, TopicCreated, key, value};
use crate::wire::Wire;

pub const PRODUCE_VERSION: i16 = 9;
const PRODUCERS: u64 = 4;
const BATCH_RECORDS_MAX: u64 = 8;
pub const TOPICS: usize = 8;
pub const PARTITIONS: i32 = 12;
/// Small segments, so that many are rolled and sealed.
pub const TOPIC_CONFIGS: [(&str, &str); 2] = [("segment.bytes", "1048576"), ("retention.ms", "-1")];

struct Recording<'a> {
    address: SocketAddr,
    /// Its length is what has been logged.
    log: &'a File,
    ledger: Mutex<Ledger>,
    over: AtomicBool,
}

/// Loads the broker until the device's log has grown to `log_bytes`.
pub fn record(address: SocketAddr, log: &File, log_bytes: u64, seed: u64) -> io::Result<Ledger> {
    let begun = log.metadata()?.len();
    let recording =
        Recording { address, log, ledger: Mutex::new(Ledger::default()), over: AtomicBool::new(false) };
    recording.create_topic(0)?;
    thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|number| {
                let recording = &recording;
                scope.spawn(move || {
                    let made = recording.produce(number, seed);
                    recording.over.store(true, Ordering::Relaxed);
                    made
                })
            })
            .collect();
        for topic in 1..=TOPICS {
            let until = begun + log_bytes.saturating_sub(begun) * topic as u64 / TOPICS as u64;
            while log.metadata()?.len() < until && !recording.over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
            }
            if topic < TOPICS && !recording.over.load(Ordering::Relaxed) {
                recording.create_topic(topic)?;
            }
        }
        recording.over.store(true, Ordering::Relaxed);
        producers
            .into_iter()
            .try_for_each(|producer| producer.join().unwrap_or_else(|_| Err(io::Error::other("panicked"))))
    })?;
    Ok(recording.ledger.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Recording<'_> {
    fn create_topic(&self, number: usize) -> io::Result<()> {
        let name = format!("topic-{number}");
        Wire::connect(self.address)?.create_topic(&name, PARTITIONS, &TOPIC_CONFIGS);
        let log_bytes = self.log.metadata()?.len();
        self.with_ledger(|ledger| {
            ledger.topics.push(TopicCreated { name, partitions: PARTITIONS, log_bytes })
        });
        Ok(())
    }

    fn with_ledger<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        change(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn produce(&self, producer: u64, seed: u64) -> io::Result<()> {
        let mut wire = Wire::connect(self.address)?;
        let mut random = Random(seed ^ (producer << 32));
        let mut ends = vec![[0_i64; PARTITIONS as usize]; TOPICS];
        let own: Vec<i32> =
            (0..PARTITIONS).filter(|partition| *partition as u64 % PRODUCERS == producer).collect();
        while !self.over.load(Ordering::Relaxed) {
            let topics = self.with_ledger(|ledger| ledger.topics.len());
            let topic = random.below(topics as u64) as usize;
            let first = random.below(own.len() as u64) as usize;
            let batches: Vec<(i32, i64, Vec<u8>)> = (first..=random.below(own.len() as u64) as usize)
                .map(|index| {
                    let partition = own[index];
                    let count = 1 + random.below(BATCH_RECORDS_MAX) as i64;
                    let number = ends[topic][partition as usize];
                    (partition, number + count, batch(topic, partition, number, count, None))
                })
                .collect();
            if batches.is_empty() {
                continue;
            }
            send(&mut wire, &format!("topic-{topic}"), &batches)?;
            let answer = wire.receive(ApiKey::Produce, PRODUCE_VERSION)?;
            // Right after the answer: what has been logged by now is what the acknowledgement may rely on.
            let log_bytes = self.log.metadata()?.len();
            let response: ProduceResponse<'_> = answer.decode();
            for topic in &response.responses {
                for told in &topic.partition_responses {
                    if told.error_code != 0 {
                        let what = format!("Produce is answered with error {}", told.error_code);
                        return Err(io::Error::other(what));
                    }
                }
            }
            self.with_ledger(|ledger| {
                for (partition, end, _) in &batches {
                    ends[topic][*partition as usize] = *end;
                    let (partition, end) = (*partition, *end);
                    ledger.acknowledged.push(Acknowledged { topic, partition, end, log_bytes });
                }
            });
        }
        Ok(())
    }
}

/// Records `number` and the following of a partition; `identity`: id and epoch of an idempotent producer, which counts from 0.
pub fn batch(topic: usize, partition: i32, number: i64, count: i64, identity: Option<(i64, i16)>) -> Vec<u8> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    let mut builder = BatchBuilder::new();
    if let Some((id, epoch)) = identity {
        let sequence = i32::try_from(number).expect("a scenario sends fewer");
        builder = builder.producer(id, epoch, sequence);
    }
    for number in number..number + count {
        let key = key(topic, partition, number);
        builder.append(now_ms, Some(key.as_bytes()), Some(&value(topic, partition, number)), &[]);
    }
    builder.build().to_vec()
}

/// A Produce with acks=all of (partition, anything, record batch).
pub fn send(wire: &mut Wire, topic: &str, batches: &[(i32, i64, Vec<u8>)]) -> io::Result<()> {
    let partition_data: Array<'_, _> = batches
        .iter()
        .map(|(partition, _, bytes)| PartitionProduceData {
            index: *partition,
            records: Some(Records::Wire(bytes)),
        })
        .collect();
    let topic = TopicProduceData { name: topic, partition_data, ..TopicProduceData::default() };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: Array::from(vec![topic]),
        ..ProduceRequest::default()
    };
    wire.send(ApiKey::Produce, PRODUCE_VERSION, &request).map(drop)
}
