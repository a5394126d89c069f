//! Consumers: fetch with any limits, with sessions or without, and check every batch that they are given.

use std::collections::BTreeMap;

use bytes::Bytes;
use penstock::model::Instant;
use protocol::ApiKey;

use super::batch::decode;
use super::port::{Pending, Port};
use super::wire::{self, FetchAnswer, FetchItem, FetchLimits, TopicName};
use super::{Alarm, Client, Io};
use crate::checkers::PartitionKey;
use crate::checkers::topics::TopicState;
use crate::network::LinkId;

/// Longer than any disk or network takes while nothing goes wrong.
const DRAIN_WAIT_MS: i32 = 2_000;

#[derive(Debug, Clone)]
pub struct ConsumerPlan {
    /// Empty: all topics.
    pub topics: Vec<String>,
    pub by_id: bool,
    pub sessions: bool,
    pub pause_ns_max: u64,
    /// Reads everything from the start to the high watermark, once.
    pub drains: bool,
}

#[derive(Debug)]
struct Position {
    name: String,
    next: i64,
    /// Where reading without a gap began.
    began: i64,
    /// The log starts behind `next`: where, must be asked.
    lost: bool,
    /// The drain has come to the high watermark.
    done: bool,
    /// The session does not know this position yet.
    untold: bool,
}

/// A partition that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    key: PartitionKey,
    from: i64,
    floor: i64,
    start_floor: i64,
}

pub enum Expects {
    Metadata { deletions: u64 },
    Fetch(Vec<Asked>),
    LogStart(Asked),
}

pub struct Consumer {
    plan: ConsumerPlan,
    port: Port<Expects>,
    positions: BTreeMap<PartitionKey, Position>,
    stale: bool,
    session: (i32, i32),
    /// What the session's last version was, so that it names topics the same way.
    session_by_id: bool,
}

impl Consumer {
    #[must_use]
    pub fn new(plan: ConsumerPlan) -> Consumer {
        Consumer {
            plan,
            port: Port::default(),
            positions: BTreeMap::new(),
            stale: true,
            session: (0, 0),
            session_by_id: true,
        }
    }

    /// For each partition, the offsets between which it was read without a gap. None: not all is read yet.
    #[must_use]
    pub fn drained(&self) -> Option<BTreeMap<PartitionKey, (i64, i64)>> {
        if self.stale || !self.positions.values().all(|position| position.done) {
            return None;
        }
        Some(self.positions.iter().map(|(key, position)| (*key, (position.began, position.next))).collect())
    }

    fn reset(&mut self, io: &mut Io<'_>) {
        self.port.close(io);
        self.forget_link();
    }

    fn forget_link(&mut self) {
        self.port.forget();
        self.forget_session();
    }

    fn forget_session(&mut self) {
        self.session = (0, 0);
        self.positions.values_mut().for_each(|position| position.untold = true);
    }

    fn ask_metadata(&mut self, io: &mut Io<'_>) {
        let version = wire::version(ApiKey::Metadata, 10, io.random);
        let names = (!self.plan.topics.is_empty()).then_some(self.plan.topics.as_slice());
        let bytes = wire::metadata(version, self.port.next_correlation_id(), names);
        let expects = Expects::Metadata { deletions: io.ledger.topics.deletions };
        self.port.send(io, ApiKey::Metadata, version, bytes, Some(expects));
    }

    fn fetch(&mut self, io: &mut Io<'_>) {
        let sessions = self.plan.sessions && self.session.1 >= 0;
        let incremental = sessions && self.session.1 > 0;
        let by_id = if incremental { self.session_by_id } else { self.plan.by_id || io.random.percent(50) };
        let version = if by_id {
            wire::version(ApiKey::Fetch, wire::FETCH_BY_ID, io.random)
        } else {
            7 + io.random.below(6) as i16
        };
        self.session_by_id = by_id;
        let mut items = Vec::new();
        let mut asked = Vec::new();
        for (key, position) in &mut self.positions {
            // Sometimes a look back, also far enough to leave the hot tail.
            let from = if !self.plan.drains && !incremental && io.random.percent(15) {
                io.random.below(position.next as u64 + 1) as i64
            } else {
                position.next
            };
            let floor = io.ledger.high_watermark(*key);
            asked.push(Asked { key: *key, from, floor, start_floor: io.ledger.log_start(*key) });
            if incremental && !position.untold {
                continue;
            }
            // What a session was told is not always where the next fetch is to begin.
            position.untold = from != position.next;
            items.push(FetchItem {
                topic: TopicName { name: position.name.clone(), topic_id: key.0 },
                partition: key.1,
                fetch_offset: from,
                bytes_max: io.random.log_uniform(1, 4 << 20) as i32,
            });
        }
        let limits = FetchLimits {
            wait_ms_max: match (self.plan.drains, io.calm) {
                (true, _) => DRAIN_WAIT_MS,
                (false, true) => 10,
                (false, false) => io.random.below(200) as i32,
            },
            bytes_min: if self.plan.drains || io.random.percent(70) {
                1
            } else {
                io.random.log_uniform(1, 1 << 20) as i32
            },
            bytes_max: io.random.log_uniform(1, 16 << 20) as i32,
            read_committed: io.random.percent(30),
            session_id: if sessions { self.session.0 } else { 0 },
            session_epoch: if sessions { self.session.1 } else { -1 },
        };
        let bytes = wire::fetch(version, self.port.next_correlation_id(), &limits, &items);
        self.port.send(io, ApiKey::Fetch, version, bytes, Some(Expects::Fetch(asked)));
    }

    fn ask_log_start(&mut self, io: &mut Io<'_>) {
        let lost = self.positions.iter().find(|(_, position)| position.lost);
        let Some((key, Position { name, next, .. })) = lost else { return };
        let version = wire::version(ApiKey::ListOffsets, 2, io.random);
        let id = self.port.next_correlation_id();
        let bytes = wire::list_offsets(version, id, name, key.1, wire::EARLIEST);
        let (floor, start_floor) = (io.ledger.high_watermark(*key), io.ledger.log_start(*key));
        let expects = Expects::LogStart(Asked { key: *key, from: *next, floor, start_floor });
        self.port.send(io, ApiKey::ListOffsets, version, bytes, Some(expects));
    }

    fn on_log_start(&mut self, io: &mut Io<'_>, asked: Asked, error: i16, offset: i64) -> bool {
        if error != 0 {
            self.stale |= error == 3;
            return error == 3;
        }
        // It was asked for by name: that of a topic whose deletion was asked for may be another's by now.
        if io.ledger.topic_state(asked.key.0) == Some(TopicState::Alive) {
            io.ledger.told_log_start(asked.key, offset, asked.start_floor, io.schedule.now().wall_ms);
        }
        if let Some(position) = self.positions.get_mut(&asked.key) {
            position.lost = false;
            position.untold = true;
            if offset > position.next {
                (position.began, position.next) = (offset, offset);
            }
        }
        true
    }

    fn act(&mut self, io: &mut Io<'_>) -> Alarm {
        if self.port.is_overdue(io.schedule.instant()) {
            self.reset(io);
        }
        if !self.port.ensure_open(io) {
            return Some(io.random.log_uniform(1_000_000, 50_000_000));
        }
        if self.port.pending.is_empty() {
            if self.stale || (!self.plan.drains && io.random.percent(2)) {
                self.ask_metadata(io);
            } else if self.positions.values().any(|position| position.lost) {
                self.ask_log_start(io);
            } else if !self.positions.is_empty() {
                self.fetch(io);
            }
        }
        Some(io.random.log_uniform(10_000, self.plan.pause_ns_max))
    }

    fn on_metadata(&mut self, io: &mut Io<'_>, topics: &[wire::TopicAnswer], deletions: u64) {
        self.stale = topics.is_empty();
        let mut there = Vec::new();
        for answer in topics {
            if answer.error != 0 {
                self.stale |= !self.plan.by_id || self.plan.topics.len() == 1;
                continue;
            }
            let TopicName { name, topic_id } = &answer.topic;
            if name.starts_with("__") {
                // The broker's own: what is in it is seen by groups.
                continue;
            }
            io.ledger.told_topic(name, *topic_id, answer.partitions, deletions);
            for partition in 0..answer.partitions {
                let key = (*topic_id, partition);
                there.push(key);
                let new = || Position {
                    name: name.clone(),
                    next: 0,
                    began: 0,
                    lost: false,
                    done: false,
                    untold: true,
                };
                self.positions.entry(key).or_insert_with(new);
            }
        }
        let before = self.positions.len();
        self.positions.retain(|key, _| there.contains(key));
        if before != there.len() {
            self.forget_session();
        }
    }

    fn on_fetched(
        &mut self,
        io: &mut Io<'_>,
        asked: &[Asked],
        sent_at: Instant,
        version: i16,
        frame: &[u8],
    ) -> Result<bool, String> {
        let fetched = wire::decode_fetch(version, frame)?;
        self.check_promptness(io, sent_at, &fetched.partitions);
        match fetched.error {
            0 => {}
            // Unknown or stale sessions; topics that the session knew by another id.
            70 | 71 | 106 => {
                self.forget_session();
                self.stale |= fetched.error == 106;
                return Ok(true);
            }
            56 => return Ok(false),
            error => return Err(format!("fetch: error {error}")),
        }
        if self.plan.sessions && self.session.1 >= 0 {
            if self.session.1 > 0 && fetched.session_id != self.session.0 {
                return Err(format!("session {} answers for {}", fetched.session_id, self.session.0));
            }
            let epoch = if fetched.session_id == 0 { 0 } else { self.session.1 + 1 };
            self.session = (fetched.session_id, epoch);
        }
        self.check_nothing_held_back(io, asked, &fetched.partitions);
        let mut fine = true;
        for answer in &fetched.partitions {
            let Some(asked) = self.asked_for(asked, answer) else {
                let (topic, partition) = (&answer.topic, answer.partition);
                return Err(format!("an answer for {topic:?} {partition}, which was not asked for"));
            };
            fine &= self.on_partition(io, *asked, answer)?;
        }
        if !self.plan.sessions {
            // Who asks for all must hear of all.
            let count = fetched.partitions.len();
            if count != asked.len() {
                return Err(format!("{count} partitions answered of {} asked for", asked.len()));
            }
        }
        Ok(fine)
    }

    /// Nothing is written while a drain reads: what it is given at the end of its patience was there at the start.
    fn check_promptness(&self, io: &mut Io<'_>, sent_at: Instant, answers: &[FetchAnswer<'_>]) {
        let waited_ns = io.schedule.instant().ns_since(sent_at);
        let is_late = self.plan.drains && waited_ns >= DRAIN_WAIT_MS as u64 * 1_000_000;
        if is_late && answers.iter().any(|answer| !answer.records.is_empty()) {
            io.ledger.violation("what is there is not waited for", format!("{waited_ns} ns"));
        }
    }

    /// Who may read a record gets one, whatever the limits and however short the patience, unless the broker that answers was told to
    /// stop: it answers at once, with what it has, what else would wait for an index. That broker is the one at the other end of
    /// the connection, not the one that runs when the answer arrives: a restart may overtake an answer (seed 56447).
    fn check_nothing_held_back(&self, io: &mut Io<'_>, asked: &[Asked], answers: &[FetchAnswer<'_>]) {
        let is_empty = answers.iter().all(|answer| answer.error == 0 && answer.records.is_empty());
        let held_back = answers.iter().find_map(|answer| {
            let from = self.asked_for(asked, answer)?.from;
            (from < answer.high_watermark).then_some((from, answer.high_watermark))
        });
        if let Some((from, end)) = held_back.filter(|_| is_empty && !self.port.saw_stop(io)) {
            io.ledger.violation("what is there is given", format!("nothing at {from}, it ends at {end}"));
        }
    }

    fn asked_for<'a>(&self, asked: &'a [Asked], answer: &FetchAnswer<'_>) -> Option<&'a Asked> {
        asked.iter().find(|asked| {
            let name = self.positions.get(&asked.key).map(|position| &position.name);
            asked.key.1 == answer.partition
                && (asked.key.0 == answer.topic.topic_id || name == Some(&answer.topic.name))
        })
    }

    fn on_partition(
        &mut self,
        io: &mut Io<'_>,
        asked: Asked,
        answer: &FetchAnswer<'_>,
    ) -> Result<bool, String> {
        let key = asked.key;
        if answer.error != 0 {
            return self.on_partition_error(io, asked, answer.error);
        }
        io.ledger.told_high_watermark(key, answer.high_watermark, asked.floor);
        let wall_ms = io.schedule.now().wall_ms;
        io.ledger.told_log_start(key, answer.log_start_offset, asked.start_floor, wall_ms);
        let mut rest = answer.records;
        let mut expected = None;
        while let Some((batch, behind)) = decode(rest).map_err(|error| format!("{key:?}: {error}"))? {
            rest = behind;
            let end = batch.last_offset() + 1;
            let is_compacted = io.ledger.compaction_of(key).is_some();
            let begins = batch.base_offset <= asked.from || is_compacted;
            if expected.is_none() && !(begins && asked.from < end) {
                let range = batch.base_offset..end;
                io.ledger.violation(
                    "a fetch begins where it was asked to",
                    format!("{key:?} {}: {range:?}", asked.from),
                );
            }
            io.ledger.observed(key, &batch, expected, answer.high_watermark);
            if self.plan.drains && is_compacted {
                io.ledger.drained(key, &batch);
            }
            expected = Some(end);
        }
        let Some(position) = self.positions.get_mut(&key) else { return Ok(true) };
        if let Some(end) = expected
            && asked.from <= position.next
            && end > position.next
        {
            position.next = end;
            position.untold = true;
        }
        position.done |= self.plan.drains && position.next == answer.high_watermark;
        Ok(true)
    }

    fn on_partition_error(&mut self, io: &mut Io<'_>, asked: Asked, error: i16) -> Result<bool, String> {
        match error {
            // Gone; UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID: created again.
            3 | 100 | 103 => {
                self.stale = true;
                Ok(true)
            }
            5 | 6 | 56 => Ok(false),
            // What is below the log start is gone, if it may be.
            1 if io.ledger.may_start_behind(asked.key, asked.from) => {
                if let Some(position) = self.positions.get_mut(&asked.key) {
                    position.lost |= position.next <= asked.from;
                    position.untold = true;
                }
                Ok(true)
            }
            error => {
                if io.ledger.topic_state(asked.key.0) == Some(TopicState::Alive) {
                    let what = format!(
                        "{:?} at {}: error {error}, known up to {}",
                        asked.key, asked.from, asked.floor
                    );
                    io.ledger.violation("what was read stays readable", what);
                }
                self.stale = true;
                Ok(false)
            }
        }
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
            Expects::Fetch(asked) => self.on_fetched(io, &asked, pending.sent_at, pending.version, frame),
            Expects::LogStart(asked) => {
                let (error, offset) = wire::decode_list_offsets(pending.version, frame)?;
                Ok(self.on_log_start(io, asked, error, offset))
            }
        }
    }
}

impl Client for Consumer {
    fn wake(&mut self, io: &mut Io<'_>) -> Alarm {
        self.act(io)
    }

    fn arrived(&mut self, io: &mut Io<'_>, link: LinkId, bytes: Bytes) -> Alarm {
        let answer = self.port.take_answer(link, &bytes)?;
        let answered = answer.and_then(|(pending, frame)| self.on_answer(io, pending, &frame));
        match answered {
            Ok(true) => Some(io.random.log_uniform(1_000, self.plan.pause_ns_max)),
            Ok(false) => {
                self.reset(io);
                Some(io.random.log_uniform(1_000_000, 300_000_000))
            }
            Err(error) => {
                io.ledger.violation("answers can be read", error);
                self.reset(io);
                Some(io.random.log_uniform(1_000_000, 300_000_000))
            }
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, link: LinkId) -> Alarm {
        if !self.port.is_current(link) {
            return None;
        }
        self.forget_link();
        Some(io.random.log_uniform(10_000, 20_000_000))
    }

    fn is_done(&self) -> bool {
        !self.plan.drains || self.drained().is_some()
    }

    fn describe(&self) -> String {
        let left: Vec<(PartitionKey, i64)> = self
            .positions
            .iter()
            .filter(|(_, position)| !position.done)
            .map(|(key, position)| (*key, position.next))
            .collect();
        let (pending, stale) = (self.port.pending.len(), self.stale);
        format!("consumer, drains {}: {pending} pending, stale {stale}, not done {left:?}", self.plan.drains)
    }

    fn as_consumer(&self) -> Option<&Consumer> {
        Some(self)
    }
}
