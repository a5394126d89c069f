//! Producers: idempotent and not, any acks, several requests in flight, retrying after a lost connection.
//!
//! An idempotent producer sends the same bytes again until they are acknowledged, in order. One that is not never sends
//! a record twice: what it does not hear of may stand or not, once.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::ApiKey;

use super::batch::{Keyed, Writer, encode};
use super::port::{Pending, Port};
use super::wire::{self, ProduceAnswer, ProduceItem, TopicName};
use super::{Alarm, Client, Io};
use crate::checkers::{PartitionKey, SentBatch};
use crate::network::LinkId;
use crate::random::Random;

/// Kafka remembers as many batches of a producer: more in flight cannot be recognised as duplicates.
const BATCHES_IN_FLIGHT_MAX: usize = 5;

#[derive(Debug, Clone)]
pub struct ProducerPlan {
    pub idempotent: bool,
    pub acks: i16,
    pub requests_in_flight_max: usize,
    pub topics: Vec<String>,
    /// One of them may be deleted and created again: name it by id only.
    pub by_id: bool,
    pub records_max: u64,
    pub value_bytes_max: u64,
    pub batch_bytes_max: u64,
    pub pause_ns_max: u64,
    /// Compacted topics, and how many keys they have.
    pub keys: Vec<(String, u64)>,
    /// It begins no more batches than this, once the world has seen enough.
    pub batches_max: u64,
}

struct Outgoing {
    batch: SentBatch,
    bytes: Bytes,
    /// It was sent on the connection that is open now.
    on_link: bool,
}

struct Target {
    key: PartitionKey,
    name: String,
    next_sequence: i32,
    queue: VecDeque<Outgoing>,
}

pub enum Expects {
    Metadata { deletions: u64 },
    ProducerId,
    Produce(Vec<PartitionKey>),
}

pub struct Producer {
    plan: ProducerPlan,
    port: Port<Expects>,
    targets: Vec<Target>,
    stale: bool,
    producer: Option<(i64, i16)>,
    begun: u64,
}

/// Of a compacted topic: some keys often, and now and then a tombstone.
fn keys_of(plan: &[(String, u64)], topic: &str, count: usize, random: &mut Random) -> Vec<Keyed> {
    let Some((_, keys)) = plan.iter().find(|(name, _)| name == topic) else { return Vec::new() };
    let keyed = |_| Keyed { key: random.log_uniform(1, *keys + 1), is_tombstone: random.percent(15) };
    (0..count).map(keyed).collect()
}

impl Producer {
    #[must_use]
    pub fn new(plan: ProducerPlan) -> Producer {
        Producer { plan, port: Port::default(), targets: Vec::new(), stale: true, producer: None, begun: 0 }
    }

    fn reset(&mut self, io: &mut Io<'_>) {
        self.port.close(io);
        self.forget_link(io);
    }

    fn forget_link(&mut self, io: &mut Io<'_>) {
        self.port.forget();
        for target in &mut self.targets {
            target.queue.iter_mut().for_each(|outgoing| outgoing.on_link = false);
            if !self.plan.idempotent {
                target.queue.clear();
            }
        }
        self.stale |= io.random.percent(30);
    }

    fn ask_metadata(&mut self, io: &mut Io<'_>) {
        let version = wire::version(ApiKey::Metadata, 10, io.random);
        let bytes = wire::metadata(version, self.port.next_correlation_id(), Some(&self.plan.topics));
        let expects = Expects::Metadata { deletions: io.ledger.topics.deletions };
        self.port.send(io, ApiKey::Metadata, version, bytes, Some(expects));
    }

    fn ask_producer_id(&mut self, io: &mut Io<'_>) {
        let version = wire::version(ApiKey::InitProducerId, 0, io.random);
        let bytes = wire::init_producer_id(version, self.port.next_correlation_id());
        self.port.send(io, ApiKey::InitProducerId, version, bytes, Some(Expects::ProducerId));
    }

    /// The next batch for a target: one to send again, or a new one.
    fn next_batch(&mut self, at: usize, io: &mut Io<'_>) -> Option<Bytes> {
        let target = &mut self.targets[at];
        if let Some(outgoing) = target.queue.iter_mut().find(|outgoing| !outgoing.on_link) {
            outgoing.on_link = true;
            return Some(outgoing.bytes.clone());
        }
        let full = self.plan.idempotent && target.queue.len() >= BATCHES_IN_FLIGHT_MAX;
        if io.calm || full || (self.begun >= self.plan.batches_max && !io.thin) {
            return None;
        }
        self.begun += 1;
        let count = io.random.between(1, self.plan.records_max + 1);
        let mut room = self.plan.batch_bytes_max;
        let mut records = Vec::new();
        for _ in 0..count {
            let value_bytes = io.random.log_uniform(1, self.plan.value_bytes_max) - 1;
            if value_bytes + 40 > room {
                break;
            }
            room -= value_bytes + 40;
            records.push((io.ledger.new_record(), value_bytes as u32));
        }
        if records.is_empty() {
            records.push((io.ledger.new_record(), 10));
        }
        let writer = match (self.plan.idempotent, self.producer) {
            (true, Some((producer_id, producer_epoch))) => {
                Writer { producer_id, producer_epoch, base_sequence: target.next_sequence }
            }
            _ => Writer::NOBODY,
        };
        target.next_sequence += records.len() as i32;
        let timestamp_ms = io.schedule.now().wall_ms;
        let keys = keys_of(&self.plan.keys, &target.name, records.len(), io.random);
        let bytes = encode(&records, &keys, writer, timestamp_ms);
        let batch = SentBatch { records, keys, writer, timestamp_ms };
        io.ledger.sent(target.key, &batch);
        if self.plan.acks != 0 {
            target.queue.push_back(Outgoing { batch, bytes: bytes.clone(), on_link: true });
        }
        Some(bytes)
    }

    fn produce(&mut self, io: &mut Io<'_>) -> bool {
        let wanted = io.random.between(1, 4).min(self.targets.len() as u64);
        let start = io.random.below(self.targets.len() as u64) as usize;
        let mut items = Vec::new();
        let mut keys = Vec::new();
        for step in 0..self.targets.len() {
            if items.len() as u64 >= wanted {
                break;
            }
            let at = (start + step) % self.targets.len();
            if let Some(batch) = self.next_batch(at, io) {
                let Target { key, name, .. } = &self.targets[at];
                let topic = TopicName { name: name.clone(), topic_id: key.0 };
                items.push(ProduceItem { topic, partition: key.1, batch });
                keys.push(*key);
            }
        }
        if items.is_empty() {
            return false;
        }
        let at_least = if self.plan.by_id { wire::PRODUCE_BY_ID } else { 0 };
        let version = wire::version(ApiKey::Produce, at_least, io.random);
        let bytes = wire::produce(version, self.port.next_correlation_id(), self.plan.acks, &items);
        let expects = (self.plan.acks != 0).then_some(Expects::Produce(keys));
        self.port.send(io, ApiKey::Produce, version, bytes, expects);
        true
    }

    fn act(&mut self, io: &mut Io<'_>) -> Alarm {
        if self.port.is_overdue(io.schedule.instant()) {
            self.reset(io);
        }
        if !self.port.ensure_open(io) {
            return Some(io.random.log_uniform(1_000_000, 50_000_000));
        }
        let busy = self.port.pending.iter().any(|pending| !matches!(pending.expects, Expects::Produce(_)));
        if self.stale || self.targets.is_empty() {
            if self.port.pending.is_empty() {
                self.ask_metadata(io);
            }
        } else if self.plan.idempotent && self.producer.is_none() {
            if self.port.pending.is_empty() {
                self.ask_producer_id(io);
            }
        } else if !busy
            && self.port.pending.len() < self.plan.requests_in_flight_max
            && self.port.takes_more(io)
        {
            self.produce(io);
        }
        Some(io.random.log_uniform(10_000, self.plan.pause_ns_max))
    }

    fn on_answer(
        &mut self,
        io: &mut Io<'_>,
        pending: Pending<Expects>,
        frame: &[u8],
    ) -> Result<bool, String> {
        match pending.expects {
            Expects::Metadata { deletions } => {
                self.on_metadata(io, &wire::decode_metadata(pending.version, frame)?, deletions);
                Ok(true)
            }
            Expects::ProducerId => {
                let (error, producer_id, epoch) = wire::decode_init_producer_id(pending.version, frame)?;
                if error == 0 {
                    io.ledger.told_producer_id(producer_id);
                    self.producer = Some((producer_id, epoch));
                }
                Ok(error == 0)
            }
            Expects::Produce(keys) => {
                let answers = wire::decode_produce(pending.version, frame)?;
                if answers.len() != keys.len() {
                    return Err(format!("{} answers to {} batches", answers.len(), keys.len()));
                }
                let mut fine = true;
                for answer in &answers {
                    let named = |key: &&PartitionKey| {
                        let name =
                            self.targets.iter().find(|target| target.key == **key).map(|target| &target.name);
                        key.1 == answer.partition
                            && (key.0 == answer.topic.topic_id || name == Some(&answer.topic.name))
                    };
                    let key = keys
                        .iter()
                        .find(named)
                        .copied()
                        .ok_or_else(|| format!("an answer for {answer:?}"))?;
                    fine &= self.on_produced(io, key, answer);
                }
                Ok(fine)
            }
        }
    }

    fn on_metadata(&mut self, io: &mut Io<'_>, topics: &[wire::TopicAnswer], deletions: u64) {
        self.stale = false;
        for answer in topics {
            if answer.error != 0 {
                self.stale = true;
                continue;
            }
            let TopicName { name, topic_id } = &answer.topic;
            io.ledger.told_topic(name, *topic_id, answer.partitions, deletions);
            self.targets.retain(|target| target.name != *name || target.key.0 == *topic_id);
            for partition in 0..answer.partitions {
                let key = (*topic_id, partition);
                if !self.targets.iter().any(|target| target.key == key) {
                    let (name, queue) = (name.clone(), VecDeque::new());
                    self.targets.push(Target { key, name, next_sequence: 0, queue });
                }
            }
        }
        if self.plan.by_id && topics.iter().any(|topic| topic.error != 0) {
            let gone =
                |name: &String| topics.iter().any(|topic| topic.error != 0 && topic.topic.name == *name);
            self.targets.retain(|target| !gone(&target.name));
            self.stale = self.targets.is_empty();
        }
    }

    /// False: something went wrong that a new connection may mend.
    fn on_produced(&mut self, io: &mut Io<'_>, key: PartitionKey, answer: &ProduceAnswer) -> bool {
        let idempotent = self.plan.idempotent;
        let Some(target) = self.targets.iter_mut().find(|target| target.key == key) else { return true };
        let Some(at) = target.queue.iter().position(|outgoing| outgoing.on_link) else { return true };
        if answer.error == 0 {
            // Answers come in order, so the oldest batch on this connection is the one.
            if let Some(outgoing) = target.queue.remove(at) {
                if answer.log_start_offset > 0 {
                    let wall_ms = io.schedule.now().wall_ms;
                    io.ledger.told_log_start(key, answer.log_start_offset, 0, wall_ms);
                }
                io.ledger.acknowledged(key, answer.base_offset, &outgoing.batch);
            }
            return true;
        }
        io.ledger.refused += 1;
        match answer.error {
            // Gone, or created again.
            3 | 100 => self.stale = true,
            // LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR
            5 | 6 | 7 | 56 => {}
            // OUT_OF_ORDER_SEQUENCE_NUMBER is due only to a batch whose predecessor was refused.
            45 if idempotent && at > 0 => {}
            error => {
                let deleting =
                    io.ledger.topic_state(key.0) != Some(crate::checkers::topics::TopicState::Alive);
                if !deleting {
                    let what = format!("{key:?}: error {error} {} for a valid batch", answer.message);
                    io.ledger.violation("valid batches are taken", what);
                }
            }
        }
        if idempotent {
            target.queue[at].on_link = false;
        } else {
            target.queue.remove(at);
        }
        false
    }
}

impl Client for Producer {
    fn wake(&mut self, io: &mut Io<'_>) -> Alarm {
        self.act(io)
    }

    fn arrived(&mut self, io: &mut Io<'_>, link: LinkId, bytes: Bytes) -> Alarm {
        if !self.port.is_current(link) {
            return None;
        }
        self.port.receive(&bytes);
        let mut fine = true;
        loop {
            let answered = match self.port.next_answer() {
                Ok(None) => break,
                Ok(Some((pending, frame))) => self.on_answer(io, pending, &frame),
                Err(error) => Err(error),
            };
            match answered {
                Ok(good) => fine &= good,
                Err(error) => {
                    io.ledger.violation("answers can be read", error);
                    fine = false;
                    break;
                }
            }
        }
        if !fine {
            self.reset(io);
            return Some(io.random.log_uniform(1_000_000, 300_000_000));
        }
        Some(io.random.log_uniform(1_000, self.plan.pause_ns_max))
    }

    fn closed(&mut self, io: &mut Io<'_>, link: LinkId) -> Alarm {
        if !self.port.is_current(link) {
            return None;
        }
        self.forget_link(io);
        Some(io.random.log_uniform(10_000, 20_000_000))
    }

    fn is_done(&self) -> bool {
        self.port.pending.is_empty() && self.targets.iter().all(|target| target.queue.is_empty())
    }

    fn describe(&self) -> String {
        let queued: Vec<(PartitionKey, usize)> =
            self.targets.iter().map(|target| (target.key, target.queue.len())).collect();
        let (pending, producer) = (self.port.pending.len(), self.producer);
        format!(
            "producer {producer:?}: {pending} requests pending, batches queued {queued:?}, stale {}",
            self.stale
        )
    }
}
