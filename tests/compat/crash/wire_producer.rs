//! An idempotent producer without a library: its own sequences, five requests in flight, and after a lost connection the
//! same requests again in the same order.
//!
//! What it relies on is all that idempotence promises: a batch that was appended before is answered with the offset of then.

use std::collections::VecDeque;
use std::io;

use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::record::BatchBuilder;
use protocol::{ApiKey, Array, ErrorCode, Records};

use super::PARTITIONS;
use super::ledger::{Ledger, key, value};
use super::load::{Load, Random};
use crate::wire::Wire;

const PRODUCE_VERSION: i16 = 9;
const IN_FLIGHT_MAX: usize = 5;
const BATCH_RECORDS_MAX: u64 = 8;
const TIMESTAMP: i64 = 1_700_000_000_000;

struct Batch {
    partition: i32,
    /// Of its first record; the sequence, too.
    number: i64,
    count: i64,
    bytes: Vec<u8>,
}

struct Producer<'l> {
    load: &'l Load,
    topic: &'l str,
    identity: (i64, i16),
    random: Random,
    next: Vec<i64>,
    /// Sent, or to be sent again; oldest first.
    in_flight: VecDeque<Vec<Batch>>,
    ledger: Ledger,
}

/// Produces until there shall be no more, then until all is acknowledged.
pub fn produce(load: &Load, topic: &str, identity: (i64, i16)) -> Ledger {
    let _over = load.over_if_panicking();
    let mut producer = Producer {
        load,
        topic,
        identity,
        random: Random::new(load.seed ^ 1),
        next: vec![0; PARTITIONS as usize],
        in_flight: VecDeque::new(),
        ledger: Ledger::new(),
    };
    loop {
        let start = load.wait_until_up().expect("over before this producer was done");
        if producer.on_one_connection(start).is_ok() {
            return producer.ledger;
        }
    }
}

impl Producer<'_> {
    /// Err: the connection ended. Ok: all is done.
    fn on_one_connection(&mut self, start: u32) -> io::Result<()> {
        let mut wire = Wire::connect(self.load.address)?;
        for batches in &self.in_flight {
            send(&mut wire, self.topic, batches)?;
        }
        loop {
            while self.in_flight.len() < IN_FLIGHT_MAX && !self.load.is_no_more() {
                let batches = self.new_request();
                self.in_flight.push_back(batches);
                send(&mut wire, self.topic, self.in_flight.back().expect("just pushed"))?;
            }
            if self.in_flight.is_empty() {
                return Ok(());
            }
            let answer = wire.receive(ApiKey::Produce, PRODUCE_VERSION)?;
            let batches = self.in_flight.pop_front().expect("an answer to a request");
            let records = self.on_answer(&batches, &answer.decode());
            self.load.acknowledged(start, records);
        }
    }

    /// A batch for each of some partitions.
    fn new_request(&mut self) -> Vec<Batch> {
        let first = self.random.below(PARTITIONS as u64) as i32;
        let count = 1 + self.random.below(PARTITIONS as u64) as i32;
        (0..count).map(|step| self.new_batch((first + step) % PARTITIONS)).collect()
    }

    fn new_batch(&mut self, partition: i32) -> Batch {
        let count = 1 + self.random.below(BATCH_RECORDS_MAX) as i64;
        let number = self.next[partition as usize];
        self.next[partition as usize] += count;
        let (id, epoch) = self.identity;
        let sequence = i32::try_from(number).expect("a test sends less than 2^31 records");
        let mut builder = BatchBuilder::new().producer(id, epoch, sequence);
        for number in number..number + count {
            let timestamp = TIMESTAMP + number;
            builder.append(timestamp, Some(&key(partition, number)), Some(&value(partition, number)), &[]);
        }
        Batch { partition, number, count, bytes: builder.build().to_vec() }
    }

    /// Every batch of the request must have been taken, now or before. Returns how many records that are.
    fn on_answer(&mut self, batches: &[Batch], response: &ProduceResponse<'_>) -> u64 {
        let topic = response.responses.iter().next().expect("the one topic of the request");
        assert_eq!(topic.partition_responses.len(), batches.len());
        let mut records = 0;
        for (partition, batch) in topic.partition_responses.iter().zip(batches) {
            let error = ErrorCode::try_from(partition.error_code).expect("a code of Kafka's");
            let batch_name = format!("{}-{}, sequence {}", self.topic, batch.partition, batch.number);
            assert_eq!((partition.index, error), (batch.partition, ErrorCode::NONE), "{batch_name}");
            assert_eq!(partition.base_offset, batch.number, "{batch_name}: not at its offset");
            for index in 0..batch.count {
                let (number, offset) = (batch.number + index, partition.base_offset + index);
                self.ledger.acknowledge(batch.partition, number, Some(offset));
            }
            records += batch.count as u64;
        }
        records
    }
}

fn send(wire: &mut Wire, topic: &str, batches: &[Batch]) -> io::Result<()> {
    let partition_data: Array<'_, _> = batches
        .iter()
        .map(|batch| PartitionProduceData {
            index: batch.partition,
            records: Some(Records::Wire(&batch.bytes)),
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
