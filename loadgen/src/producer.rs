//! The mind of one connection that produces.
//!
//! Decides which batches go into the next request, what an answer means for each of them, and what happens to those that a lost
//! connection took along. Open loop: a late broker moves no intended moment.
//!
//! A producer that is idempotent sends again, in sequence order and with the same sequences, what was lost or may be tried again:
//! it waits until nothing is in flight, then sends those batches, and goes on when they are acknowledged. After a batch that is
//! refused for good it asks for a fresh producer id, because the sequences after it would have a hole. Others never send again
//! what may have reached the broker.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use protocol::frame::{RequestHeader, encode_request};
use protocol::messages::init_producer_id::InitProducerIdRequest;
use protocol::{ApiKey, Piece as EncodedPiece};

use crate::conversation::{Conversation, Nanoseconds, Next, Outgoing, Piece, Request};
use crate::error::LoadError;
use crate::keys::KeyTurns;
use crate::ledger::SentBatch;
use crate::recorder::{Acknowledged, Recorder};
use crate::schedule::{Due, Schedule};
use crate::stamp::Stamp;
use crate::template::{Filling, ProducerSequence, Templates};
use crate::window::ScheduleEnd;

mod answer;
#[cfg(test)]
mod tests;

/// How long the broker is left alone before what it could not do is tried again.
const RETRY_AFTER_NS: Nanoseconds = 50_000_000;
/// For how long after the schedule what was due before its end is still sent: left out, the slowest would not be measured.
const OVERDUE_FOR_NS: Nanoseconds = 1_000_000_000;
/// Keys that are drawn at most until one belongs to a partition of this connection.
const DRAWS_MAX: u32 = 10_000;

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Acknowledged {
        base_offset: i64,
    },
    /// The broker has had it before and does not say where.
    AcknowledgedElsewhere,
    /// It may be there or not.
    Unknown,
    Refused,
}

/// Where ends of batches are told: the ledger.
pub trait Ends {
    /// Told once for each batch. `partition` counts through all topics. Returns when the batch was read, if it was read before
    /// it could be known.
    fn on_end(&mut self, partition: usize, sent: SentBatch, end: End) -> Option<Nanoseconds>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub topic: u32,
    pub partition: u32,
}

#[derive(Debug)]
pub enum Pacing {
    /// Until this moment there are always as many requests in flight as are allowed.
    Closed {
        start: Nanoseconds,
        end: ScheduleEnd,
    },
    Open(Schedule),
}

/// What is settled before the connection begins.
#[derive(Debug)]
pub struct Plan {
    pub connection: u32,
    pub run: u32,
    /// Which histograms of the recorder are its own.
    pub slot: usize,
    pub topics: Arc<Vec<String>>,
    /// Of each topic.
    pub partitions: u32,
    /// Those that it may produce to, in the order of their turns; by topic, then partition.
    pub targets: Vec<Target>,
    pub keys: Option<KeyTurns>,
    pub pacing: Pacing,
    pub in_flight: u32,
    pub records_per_batch: u32,
    pub batches_per_request: u32,
    /// Nothing is answered.
    pub acks_none: bool,
    /// Id and epoch of an idempotent producer.
    pub idempotent: Option<(i64, i16)>,
    pub produce_version: i16,
    pub init_producer_id_version: i16,
    pub client_id: String,
    /// Wall clock at moment 0 of the run.
    pub unix_ms_at_zero: i64,
    /// By topic-partition, with a codec: the last timestamp that a batch has taken.
    pub timestamps: Option<Arc<Vec<AtomicI64>>>,
}

/// Where the next batch of a target stands.
#[derive(Clone, Copy, Debug)]
struct Course {
    target: Target,
    /// Of the stamp.
    sequence: u32,
    base_sequence: i32,
}

/// One batch on its way.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Index into `courses`.
    course: usize,
    sent: SentBatch,
    bytes: u64,
    timestamp_ms: i64,
    sequence: ProducerSequence,
    due: Due,
    ready: Nanoseconds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With so many parts.
    Produce(usize),
    InitProducerId,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    correlation_id: i32,
    kind: Kind,
    /// None: still in this process.
    written: Option<Nanoseconds>,
    /// Room in the socket came at this moment, which is later than the request was ready.
    room_since: Nanoseconds,
    takes_place: bool,
}

/// The way to a fresh producer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FreshId {
    NotNeeded,
    Needed,
    Asked,
}

pub struct Producer<E> {
    plan: Plan,
    templates: Rc<RefCell<Templates>>,
    recorder: Rc<RefCell<Recorder>>,
    ends: E,
    courses: Vec<Course>,
    /// Index into `courses` by topic-partition.
    course_of: Vec<Option<u32>>,
    next_turn: usize,
    /// The moment at which each free place became free, first to last.
    free_places: VecDeque<Nanoseconds>,
    in_flight: VecDeque<InFlight>,
    /// Of the requests in flight, in their order.
    parts: VecDeque<Part>,
    written: usize,
    next_correlation_id: i32,
    again: Vec<Part>,
    again_at: Nanoseconds,
    fresh_id: FreshId,
    connected_at: Nanoseconds,
    /// From here on nothing is sent that was not sent before.
    overdue_until: Option<Nanoseconds>,
    /// There is nothing more to send.
    stopped: bool,
    /// Of one request, while it is made.
    fillings: Vec<Filling>,
    chosen: Vec<usize>,
}

impl<E: Ends> Producer<E> {
    /// `plan.targets` is not empty and ascends.
    pub fn new(
        plan: Plan,
        templates: Rc<RefCell<Templates>>,
        recorder: Rc<RefCell<Recorder>>,
        ends: E,
    ) -> Producer<E> {
        let start = match &plan.pacing {
            Pacing::Closed { start, .. } => *start,
            Pacing::Open(_) => 0,
        };
        let mut course_of = vec![None; plan.topics.len() * plan.partitions as usize];
        for (index, target) in plan.targets.iter().enumerate() {
            course_of[(target.topic * plan.partitions + target.partition) as usize] = Some(index as u32);
        }
        let courses =
            plan.targets.iter().map(|target| Course { target: *target, sequence: 0, base_sequence: 0 });
        Producer {
            courses: courses.collect(),
            course_of,
            // Connections begin at different partitions.
            next_turn: plan.connection as usize * plan.batches_per_request as usize % plan.targets.len(),
            free_places: vec![start; plan.in_flight as usize].into(),
            in_flight: VecDeque::new(),
            parts: VecDeque::new(),
            written: 0,
            next_correlation_id: 1,
            again: Vec::new(),
            again_at: 0,
            fresh_id: FreshId::NotNeeded,
            connected_at: 0,
            overdue_until: None,
            stopped: false,
            fillings: Vec::new(),
            chosen: Vec::new(),
            plan,
            templates,
            recorder,
            ends,
        }
    }

    /// Requests that are due and have not been handed to the kernel.
    #[must_use]
    pub fn backlog(&self, now: Nanoseconds) -> u64 {
        let not_taken = match &self.plan.pacing {
            Pacing::Closed { .. } => 0,
            Pacing::Open(schedule) => schedule.backlog(now, u64::MAX),
        };
        not_taken + (self.in_flight.len() - self.written) as u64 + self.again.len() as u64
    }

    /// All that was due was sent, and all that was sent has its end.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.stopped && self.in_flight.is_empty() && self.again.is_empty()
    }

    /// No answer will come any more: what has no end by now has none, and what was due and never sent is counted as due.
    pub fn on_abandoned(&mut self) {
        for part in self.parts.drain(..).chain(self.again.drain(..)) {
            let partition = Self::partition_of(&self.plan, &self.courses, &part);
            self.ends.on_end(partition, part.sent, End::Unknown);
            self.recorder.borrow_mut().on_error("NO_ANSWER", 1);
        }
        self.in_flight.clear();
        self.written = 0;
        if let Pacing::Open(schedule) = &mut self.plan.pacing {
            let mut recorder = self.recorder.borrow_mut();
            while let Some(due) = schedule.take() {
                if recorder.window().contains(due.closes) {
                    recorder.on_due(u64::from(due.records));
                }
            }
        }
    }

    fn partition_of(plan: &Plan, courses: &[Course], part: &Part) -> usize {
        let target = courses[part.course].target;
        (target.topic * plan.partitions + target.partition) as usize
    }

    /// The next request of the schedule at `now`, or when to look again.
    fn next_due(&mut self, now: Nanoseconds) -> Result<Due, Next> {
        match &mut self.plan.pacing {
            Pacing::Closed { start, end } => {
                let moment = self.free_places.front().copied().unwrap_or(now);
                if now < *start {
                    return Err(Next::At(*start));
                }
                if now >= end.moment() {
                    return Err(Next::OnAnswer);
                }
                let records = self.plan.records_per_batch * self.plan.batches_per_request;
                Ok(Due { closes: moment, first: moment, last: moment, records })
            }
            Pacing::Open(schedule) => match schedule.peek() {
                None => Err(Next::OnAnswer),
                Some(due) if due.closes > now => Err(Next::At(due.closes)),
                Some(due) => {
                    schedule.take();
                    Ok(due)
                }
            },
        }
    }

    /// The partitions of the next request, without two of a kind, into `chosen`.
    fn choose(&mut self, batches: usize) {
        self.chosen.clear();
        let batches = batches.min(self.courses.len());
        match &mut self.plan.keys {
            None => {
                for _ in 0..batches {
                    self.chosen.push(self.next_turn);
                    self.next_turn = (self.next_turn + 1) % self.courses.len();
                }
            }
            Some(keys) => {
                let mut draws = 0;
                while self.chosen.len() < batches && draws < DRAWS_MAX {
                    draws += 1;
                    let topic = self.next_turn as u32 % self.plan.topics.len() as u32;
                    let place = topic * self.plan.partitions + keys.take_partition();
                    if let Some(course) = self.course_of[place as usize]
                        && !self.chosen.contains(&(course as usize))
                    {
                        self.chosen.push(course as usize);
                        self.next_turn = self.next_turn.wrapping_add(1);
                    }
                }
                if self.chosen.is_empty() {
                    self.chosen.push(0);
                }
            }
        }
        // Batches of one topic lie together.
        self.chosen.sort_unstable();
    }

    fn send_new(&mut self, due: Due, now: Nanoseconds, outgoing: &mut Outgoing) {
        let place_free = self.free_places.pop_front().unwrap_or(now);
        if self.recorder.borrow().window().contains(due.closes) {
            self.recorder.borrow_mut().on_due(u64::from(due.records));
        }
        let ready = due.closes.max(place_free).max(self.connected_at);
        self.choose((self.plan.batches_per_request).min(due.records).max(1) as usize);
        let chosen = std::mem::take(&mut self.chosen);
        let first_part = self.parts.len();
        for (index, course_index) in chosen.iter().enumerate() {
            // The records of a request are dealt out evenly.
            let share = |index: usize| due.records * index as u32 / chosen.len() as u32;
            let records = share(index + 1) - share(index);
            let part = self.make_part(*course_index, records, due, ready, now);
            self.parts.push_back(part);
        }
        self.chosen = chosen;
        self.write_request(first_part, true, outgoing);
    }

    fn make_part(
        &mut self,
        course: usize,
        records: u32,
        due: Due,
        ready: Nanoseconds,
        now: Nanoseconds,
    ) -> Part {
        let place = &mut self.courses[course];
        let now_ms = self.plan.unix_ms_at_zero + (now / 1_000_000) as i64;
        let timestamp_ms = match &self.plan.timestamps {
            None => now_ms,
            Some(timestamps) => {
                let index = place.target.topic * self.plan.partitions + place.target.partition;
                let next = |last: i64| Some(now_ms.max(last + 1));
                let last = &timestamps[index as usize];
                let before = last
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
                    .expect("there is always a next timestamp");
                now_ms.max(before + 1)
            }
        };
        let sequence =
            self.plan.idempotent.map_or(ProducerSequence::NONE, |(producer_id, producer_epoch)| {
                ProducerSequence { producer_id, producer_epoch, base_sequence: place.base_sequence }
            });
        let sent = SentBatch {
            connection: self.plan.connection,
            sequence: place.sequence,
            crc: 0,
            records,
            intended_ns: due.closes,
        };
        place.sequence = place.sequence.wrapping_add(1);
        // Sequences go from i32::MAX to 0.
        place.base_sequence = ((i64::from(place.base_sequence) + i64::from(records)) & 0x7fff_ffff) as i32;
        Part { course, sent, bytes: 0, timestamp_ms, sequence, due, ready }
    }

    /// Makes a request of the parts from `first_part` on.
    fn write_request(&mut self, first_part: usize, takes_place: bool, outgoing: &mut Outgoing) {
        self.fillings.clear();
        for part in self.parts.range(first_part..) {
            let target = self.courses[part.course].target;
            self.fillings.push(Filling {
                stamp: Stamp {
                    run: self.plan.run,
                    connection: self.plan.connection,
                    sequence: part.sent.sequence,
                    intended_ns: part.sent.intended_ns,
                    partition: target.partition,
                    topic: target.topic,
                },
                records: part.sent.records,
                timestamp_ms: part.timestamp_ms,
                sequence: part.sequence,
            });
        }
        let mut request = outgoing.spare.pop().unwrap_or_default();
        let mut templates = self.templates.borrow_mut();
        let parts = &mut self.parts;
        templates.write(self.next_correlation_id, &self.fillings, &mut request, |index, crc, bytes| {
            let part = &mut parts[first_part + index];
            part.sent.crc = crc;
            part.bytes = bytes as u64;
        });
        drop(templates);
        outgoing.requests.push_back(request);
        let parts = self.parts.len() - first_part;
        self.note_request(Kind::Produce(parts), takes_place);
    }

    fn note_request(&mut self, kind: Kind, takes_place: bool) {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        self.in_flight.push_back(InFlight {
            correlation_id,
            kind,
            written: None,
            room_since: 0,
            takes_place,
        });
    }

    /// What comes before anything new: batches to send again, a producer id. None: nothing of that kind.
    fn recover(&mut self, now: Nanoseconds, outgoing: &mut Outgoing) -> Option<Next> {
        if self.again.is_empty() && self.fresh_id == FreshId::NotNeeded {
            // Nothing new overtakes what was sent again.
            let is_sent_again = self.in_flight.front().is_some_and(|request| !request.takes_place);
            return is_sent_again.then_some(Next::OnAnswer);
        }
        if !self.in_flight.is_empty() {
            return Some(Next::OnAnswer);
        }
        if now < self.again_at {
            return Some(Next::At(self.again_at));
        }
        if self.fresh_id != FreshId::NotNeeded {
            // With other sequences the broker could not tell a copy of these from a new batch.
            for part in std::mem::take(&mut self.again) {
                self.end(&part, End::Unknown);
            }
            self.ask_for_id(outgoing);
            return Some(Next::OnAnswer);
        }
        self.again.sort_by_key(|part| (part.course, part.sent.sequence));
        let count = self.again.len().min(self.plan.in_flight as usize);
        let parts: Vec<Part> = self.again.drain(..count).collect();
        for part in parts {
            // That it waited until now was not the generator's doing.
            self.parts.push_back(Part { ready: now, ..part });
            self.write_request(self.parts.len() - 1, false, outgoing);
        }
        Some(Next::OnAnswer)
    }

    fn ask_for_id(&mut self, outgoing: &mut Outgoing) {
        let header = RequestHeader {
            api_key: ApiKey::InitProducerId.key(),
            api_version: self.plan.init_producer_id_version,
            correlation_id: self.next_correlation_id,
            client_id: Some(&self.plan.client_id),
        };
        let encoded = encode_request(header, &id_request()).expect("all fields are in all versions");
        let mut bytes = Vec::new();
        for piece in encoded {
            if let EncodedPiece::Bytes(part) = piece {
                bytes.extend_from_slice(&part);
            }
        }
        outgoing.requests.push_back(Request { pieces: vec![Piece::Own(bytes)] });
        self.note_request(Kind::InitProducerId, false);
        self.fresh_id = FreshId::Asked;
    }

    fn end(&mut self, part: &Part, end: End) {
        let partition = Self::partition_of(&self.plan, &self.courses, part);
        if let Some(read_at) = self.ends.on_end(partition, part.sent, end) {
            self.recorder.borrow_mut().on_end_to_end(read_at, part.sent.intended_ns);
        }
    }

    /// Records what an answered (with acks=0: written) request has acknowledged.
    fn record(&mut self, request: &InFlight, acknowledged: Nanoseconds, all: &AcknowledgedParts) {
        let Some(part) = all.first else { return };
        let written = request.written.unwrap_or(acknowledged);
        self.recorder.borrow_mut().on_acknowledged(&Acknowledged {
            slot: self.plan.slot,
            intended: part.due.closes,
            ready: part.ready.max(request.room_since).min(written),
            written,
            acknowledged,
            first: part.due.first,
            last: part.due.last,
            batches: all.batches,
            records: all.records,
            bytes: all.bytes,
        });
    }

    fn free_place(&mut self, request: &InFlight, now: Nanoseconds) {
        if request.takes_place {
            self.free_places.push_back(now);
        }
    }
}

/// Asks for a new producer id, for an idempotent producer without transactions.
#[must_use]
pub fn id_request() -> InitProducerIdRequest<'static> {
    InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        enable2_pc: false,
        keep_prepared_txn: false,
    }
}

/// The parts of one request that were acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct AcknowledgedParts {
    first: Option<Part>,
    batches: u32,
    records: u32,
    bytes: u64,
}

impl AcknowledgedParts {
    fn add(&mut self, part: &Part) {
        self.first.get_or_insert(*part);
        self.batches += 1;
        self.records += part.sent.records;
        self.bytes += part.bytes;
    }
}

impl<E: Ends> Conversation for Producer<E> {
    fn poll(&mut self, now: Nanoseconds, outgoing: &mut Outgoing) -> Next {
        if let Some(next) = self.recover(now, outgoing) {
            return next;
        }
        self.stopped |= self.overdue_until.is_some_and(|until| now >= until);
        while !self.stopped && !self.free_places.is_empty() {
            match self.next_due(now) {
                Ok(due) => self.send_new(due, now, outgoing),
                Err(Next::OnAnswer) => {
                    self.stopped = true;
                    break;
                }
                Err(next) => return next,
            }
        }
        if self.stopped && self.in_flight.is_empty() { Next::Finished } else { Next::OnAnswer }
    }

    fn on_written(&mut self, at: Nanoseconds, room_since: Nanoseconds, requests: usize) {
        for request in self.in_flight.range_mut(self.written..self.written + requests) {
            request.written = Some(at);
            request.room_since = room_since;
        }
        self.written += requests;
        if !self.plan.acks_none {
            return;
        }
        while self.written > 0 {
            let Some(request) = self.in_flight.pop_front() else { return };
            self.written -= 1;
            let Kind::Produce(parts) = request.kind else { continue };
            let mut all = AcknowledgedParts::default();
            for part in self.parts.drain(..parts).collect::<Vec<_>>() {
                all.add(&part);
                self.end(&part, End::Unknown);
            }
            self.record(&request, at, &all);
            self.free_place(&request, at);
        }
    }

    fn on_answer(&mut self, now: Nanoseconds, answer: &[u8]) -> Result<(), LoadError> {
        self.take_answer(now, answer)
    }

    fn on_disconnected(&mut self, now: Nanoseconds) {
        while let Some(request) = self.in_flight.pop_front() {
            self.free_place(&request, now);
            let Kind::Produce(parts) = request.kind else {
                self.fresh_id = FreshId::Needed;
                continue;
            };
            for part in self.parts.drain(..parts).collect::<Vec<_>>() {
                if self.plan.idempotent.is_some() || request.written.is_none() {
                    self.again.push(part);
                } else {
                    self.recorder.borrow_mut().on_error("DISCONNECTED", 1);
                    self.end(&part, End::Unknown);
                }
            }
        }
        self.written = 0;
        self.again_at = now;
    }

    fn on_connected(&mut self, now: Nanoseconds) {
        self.connected_at = now;
    }

    fn on_stop(&mut self, now: Nanoseconds) {
        self.overdue_until = Some(now + OVERDUE_FOR_NS);
    }
}
