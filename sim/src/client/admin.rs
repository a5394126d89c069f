//! The administrator: creates the topics, adds partitions, deletes a topic and creates it again.

use bytes::Bytes;
use protocol::{ApiKey, Uuid};

use super::port::{Pending, Port};
use super::wire;
use super::{Alarm, Client, Io};
use crate::checkers::compacted::CompactionRule;
use crate::checkers::log_start::Retention;
use crate::checkers::topics::TopicState;
use crate::network::LinkId;

#[derive(Debug, Clone)]
pub struct TopicPlan {
    pub name: String,
    pub partitions: i32,
    pub partitions_max: i32,
    pub segment_bytes: u64,
    /// May be deleted.
    pub churns: bool,
    pub retention: Retention,
    /// None: only retention takes records.
    pub compaction: Option<CompactionPlan>,
}

/// A topic whose records have keys, some of them often.
#[derive(Debug, Clone, Copy)]
pub struct CompactionPlan {
    pub keys: u64,
    pub rule: CompactionRule,
    pub segment_ms: u64,
    /// Retention counts, too.
    pub deletes: bool,
    pub dirty_ratio: &'static str,
}

#[derive(Debug, Clone)]
pub struct AdminPlan {
    pub topics: Vec<TopicPlan>,
    pub pause_ns_max: u64,
}

pub enum Expects {
    Metadata { deletions: u64 },
    Created { at: usize, deletions: u64 },
    Deleted { topic_id: Uuid },
    Partitions,
    LogEnd { key: (Uuid, i32), floor: i64 },
    LogStart { key: (Uuid, i32), floor: i64 },
    RecordsDeleted { key: (Uuid, i32), asked: i64, floor: i64 },
    AtTime { key: (Uuid, i32) },
}

/// What the administrator believes of one topic.
#[derive(Debug, Clone, Default)]
struct Known {
    topic_id: Option<Uuid>,
    partitions: i32,
}

pub struct Admin {
    plan: AdminPlan,
    port: Port<Expects>,
    known: Vec<Known>,
    stale: bool,
}

impl Admin {
    #[must_use]
    pub fn new(plan: AdminPlan) -> Admin {
        let known = vec![Known::default(); plan.topics.len()];
        Admin { plan, port: Port::default(), known, stale: true }
    }

    fn create(&mut self, at: usize, io: &mut Io<'_>) {
        let topic = &self.plan.topics[at];
        let version = wire::version(ApiKey::CreateTopics, 7, io.random);
        let id = self.port.next_correlation_id();
        let Retention { ms, bytes, .. } = topic.retention;
        let mut configs = vec![
            ("segment.bytes", topic.segment_bytes.to_string()),
            ("retention.ms", ms.unwrap_or(-1).to_string()),
            ("retention.bytes", bytes.unwrap_or(-1).to_string()),
        ];
        if let Some(CompactionPlan { rule, segment_ms, deletes, dirty_ratio, .. }) = topic.compaction {
            let policy = if deletes { "compact,delete" } else { "compact" };
            configs.push(("cleanup.policy", policy.to_owned()));
            configs.push(("segment.ms", segment_ms.to_string()));
            configs.push(("min.cleanable.dirty.ratio", dirty_ratio.to_owned()));
            configs.push(("min.compaction.lag.ms", rule.min_lag_ms.to_string()));
            configs.push(("delete.retention.ms", rule.delete_retention_ms.to_string()));
            io.ledger.compacts(&topic.name, rule);
        }
        io.ledger.rule(&topic.name, topic.retention);
        let bytes = wire::create_topic(version, id, &topic.name, topic.partitions, &configs);
        let expects = Expects::Created { at, deletions: io.ledger.topics.deletions };
        self.port.send(io, ApiKey::CreateTopics, version, bytes, Some(expects));
    }

    fn disturb(&mut self, io: &mut Io<'_>) {
        let at = io.random.below(self.plan.topics.len() as u64) as usize;
        let topic = &self.plan.topics[at];
        let Known { topic_id: Some(topic_id), partitions } = self.known[at].clone() else { return };
        let id = self.port.next_correlation_id();
        match io.random.below(13) {
            0 | 1 if topic.churns => {
                io.ledger.asked_deletion(topic_id);
                let bytes = wire::delete_topic(wire::DELETE_BY_ID, id, topic_id);
                let expects = Expects::Deleted { topic_id };
                self.port.send(io, ApiKey::DeleteTopics, wire::DELETE_BY_ID, bytes, Some(expects));
            }
            2 if partitions < topic.partitions_max => {
                let version = wire::version(ApiKey::CreatePartitions, 0, io.random);
                let bytes = wire::create_partitions(version, id, &topic.name, partitions + 1);
                self.port.send(io, ApiKey::CreatePartitions, version, bytes, Some(Expects::Partitions));
            }
            3..=6 if !topic.churns => {
                let partition = io.random.below(partitions as u64) as i32;
                let key = (topic_id, partition);
                let version = wire::version(ApiKey::ListOffsets, 2, io.random);
                let bytes = wire::list_offsets(version, id, &topic.name, partition, -1);
                let expects = Expects::LogEnd { key, floor: io.ledger.high_watermark(key) };
                self.port.send(io, ApiKey::ListOffsets, version, bytes, Some(expects));
            }
            7 if !topic.churns => {
                let partition = io.random.below(partitions as u64) as i32;
                let version = wire::version(ApiKey::ListOffsets, 1, io.random);
                let timestamp = io.schedule.now().wall_ms - io.random.below(5_000) as i64;
                let bytes = wire::list_offsets(version, id, &topic.name, partition, timestamp);
                let expects = Expects::AtTime { key: (topic_id, partition) };
                self.port.send(io, ApiKey::ListOffsets, version, bytes, Some(expects));
            }
            9 | 10 if topic.retention.by_request => {
                let partition = io.random.below(partitions as u64) as i32;
                let key = (topic_id, partition);
                let high_watermark = io.ledger.high_watermark(key);
                let offset = match io.random.below(4) {
                    0 => -1,
                    1 => high_watermark,
                    _ => io.random.below(high_watermark as u64 + 1) as i64,
                };
                // -1 is wherever the high watermark is when the request arrives.
                io.ledger.asked_log_start(key, if offset < 0 { i64::MAX } else { offset });
                let version = wire::version(ApiKey::DeleteRecords, 0, io.random);
                let bytes = wire::delete_records(version, id, &topic.name, partition, offset);
                let floor = io.ledger.log_start(key);
                let expects = Expects::RecordsDeleted { key, asked: offset, floor };
                self.port.send(io, ApiKey::DeleteRecords, version, bytes, Some(expects));
            }
            11 | 12 if !topic.churns => {
                let partition = io.random.below(partitions as u64) as i32;
                let key = (topic_id, partition);
                let version = wire::version(ApiKey::ListOffsets, 2, io.random);
                let bytes = wire::list_offsets(version, id, &topic.name, partition, wire::EARLIEST);
                let expects = Expects::LogStart { key, floor: io.ledger.log_start(key) };
                self.port.send(io, ApiKey::ListOffsets, version, bytes, Some(expects));
            }
            8 => self.stale = true,
            _ => {}
        }
    }

    fn ask_metadata(&mut self, io: &mut Io<'_>) {
        let version = wire::version(ApiKey::Metadata, 10, io.random);
        let names: Vec<String> = self.plan.topics.iter().map(|topic| topic.name.clone()).collect();
        let bytes = wire::metadata(version, self.port.next_correlation_id(), Some(&names));
        let expects = Expects::Metadata { deletions: io.ledger.topics.deletions };
        self.port.send(io, ApiKey::Metadata, version, bytes, Some(expects));
    }

    fn act(&mut self, io: &mut Io<'_>) -> Alarm {
        if self.port.is_overdue(io.schedule.instant()) {
            self.port.close(io);
            self.stale = true;
        }
        if !self.port.ensure_open(io) {
            return Some(io.random.log_uniform(1_000_000, 50_000_000));
        }
        if self.port.pending.is_empty() {
            if self.stale {
                self.ask_metadata(io);
            } else if let Some(at) = self.known.iter().position(|known| known.topic_id.is_none()) {
                self.create(at, io);
            } else if !io.calm {
                self.disturb(io);
            }
        }
        Some(io.random.log_uniform(100_000, self.plan.pause_ns_max))
    }

    fn on_metadata(&mut self, io: &mut Io<'_>, topics: &[wire::TopicAnswer], deletions: u64) {
        self.stale = false;
        for answer in topics {
            let named = |topic: &TopicPlan| topic.name == answer.topic.name;
            let Some(at) = self.plan.topics.iter().position(named) else { continue };
            if answer.error != 0 {
                self.known[at] = Known::default();
                continue;
            }
            let topic_id = answer.topic.topic_id;
            io.ledger.told_topic(&answer.topic.name, topic_id, answer.partitions, deletions);
            self.known[at] = Known { topic_id: Some(topic_id), partitions: answer.partitions };
        }
    }

    fn on_answer(&mut self, io: &mut Io<'_>, pending: Pending<Expects>, frame: &[u8]) -> Result<(), String> {
        match pending.expects {
            Expects::Metadata { deletions } => {
                self.on_metadata(io, &wire::decode_metadata(pending.version, frame)?, deletions);
            }
            Expects::Created { at, deletions } => {
                let answer = wire::decode_create_topic(pending.version, frame)?;
                self.stale = answer.error != 0;
                if answer.error == 0 {
                    let topic_id = answer.topic.topic_id;
                    io.ledger.told_topic(&answer.topic.name, topic_id, answer.partitions, deletions);
                    self.known[at] = Known { topic_id: Some(topic_id), partitions: answer.partitions };
                } else if answer.error != 36 && answer.error != 56 {
                    return Err(format!("creation of {}: error {}", answer.topic.name, answer.error));
                }
            }
            Expects::Deleted { topic_id } => {
                if wire::decode_delete_topic(pending.version, frame)? == 0 {
                    io.ledger.told_deleted(topic_id);
                }
                self.stale = true;
            }
            Expects::Partitions => {
                wire::decode_create_partitions(pending.version, frame)?;
                self.stale = true;
            }
            Expects::AtTime { key } => {
                // A read error of the disk may show; an offset must be one that can be.
                let (error, offset) = wire::decode_list_offsets(pending.version, frame)?;
                let sent = io.ledger.partitions.get(&key).map_or(0, |partition| partition.sent);
                if error == 0 && offset >= sent {
                    return Err(format!("a record of {key:?} at {offset}, {sent} were sent"));
                }
            }
            Expects::LogStart { key, floor } => {
                let (error, offset) = wire::decode_list_offsets(pending.version, frame)?;
                if error == 0 {
                    io.ledger.told_log_start(key, offset, floor, io.schedule.now().wall_ms);
                }
            }
            Expects::RecordsDeleted { key, asked, floor } => {
                let (error, low_watermark) = wire::decode_delete_records(pending.version, frame)?;
                let alive = io.ledger.topic_state(key.0) == Some(TopicState::Alive);
                match error {
                    0 => {
                        let wall_ms = io.schedule.now().wall_ms;
                        io.ledger.told_log_start(key, low_watermark, floor.max(asked), wall_ms);
                    }
                    // Timed out; the disk failed.
                    7 | 56 => {}
                    error if alive => return Err(format!("records of {key:?} below {asked}: error {error}")),
                    _ => {}
                }
            }
            Expects::LogEnd { key, floor } => {
                let (error, offset) = wire::decode_list_offsets(pending.version, frame)?;
                if error == 0 {
                    io.ledger.told_high_watermark(key, offset, floor);
                } else if error != 56 && io.ledger.topic_state(key.0) == Some(TopicState::Alive) {
                    return Err(format!("log end of {key:?}: error {error}"));
                }
            }
        }
        Ok(())
    }
}

impl Client for Admin {
    fn wake(&mut self, io: &mut Io<'_>) -> Alarm {
        self.act(io)
    }

    fn arrived(&mut self, io: &mut Io<'_>, link: LinkId, bytes: Bytes) -> Alarm {
        let answer = self.port.take_answer(link, &bytes)?;
        let answered = answer.and_then(|(pending, frame)| self.on_answer(io, pending, &frame));
        if let Err(error) = answered {
            io.ledger.violation("answers can be read", error);
            self.port.close(io);
            self.stale = true;
        }
        Some(io.random.log_uniform(10_000, self.plan.pause_ns_max))
    }

    fn closed(&mut self, io: &mut Io<'_>, link: LinkId) -> Alarm {
        if !self.port.is_current(link) {
            return None;
        }
        self.port.forget();
        self.stale = true;
        Some(io.random.log_uniform(100_000, 20_000_000))
    }

    fn is_done(&self) -> bool {
        !self.stale && self.port.pending.is_empty() && self.known.iter().all(|known| known.topic_id.is_some())
    }

    fn describe(&self) -> String {
        format!("admin: {} pending, stale {}, knows {:?}", self.port.pending.len(), self.stale, self.known)
    }
}
