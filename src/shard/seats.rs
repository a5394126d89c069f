//! Coordinators at work on this shard: loaded from their partitions, asked, their records appended, their answers let go.
//!
//! Decides when a seat is loaded, appended for, and thrown away. Everything is of one kind to it: to add another kind of coordinator is to
//! add it to `Seated`, and to `seat_coordinators` the topic that it lives in.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use protocol::Piece;
use protocol::error_code::ErrorCode;

use super::Shard;
use crate::coordinator::{Coordinator, Decision, Host, NotReplayed, Phase, Ticket, View};
use crate::effect::{CommitId, DiskError, Effect, Effects, FileId, ReadId};
use crate::group::{GroupCoordinator, OFFSETS_TOPIC};
use crate::limits::{
    COORDINATOR_BATCH_BYTES_MAX, COORDINATOR_LOAD_BYTES_PER_TURN, COORDINATOR_READ_BYTES,
    COORDINATOR_RETRY_MS, PAUSE_MS_MIN, SPACE_RETRY_MS_MAX,
};
use crate::model::{Instant, LeaderEpoch, LogDir, Now, Offset, PartitionIndex, TopicPartition};
use crate::shard_message::{CoordinatorAnswer, CoordinatorAsk, ReadItem};
use crate::stdx::RandomIds;
use crate::storage::LogId;

/// Any coordinator.
#[derive(Debug)]
pub(super) enum Seated {
    Groups(GroupCoordinator),
}

/// One coordinator with its partition.
#[derive(Debug)]
pub(super) struct Seat {
    host: Host<Seated>,
    log: LogId,
    load: Load,
}

/// How far the loading of a seat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// The next slice can be read.
    Ready,
    Reading(ReadId),
    /// For an index, or for records that are appended and not durable.
    Waiting,
    /// It failed, and is tried again.
    Failed {
        until: Instant,
    },
    /// The log dir of the partition cannot be read any more.
    Offline,
    Loaded,
}

impl Seated {
    fn new(ids: RandomIds) -> Seated {
        Seated::Groups(GroupCoordinator::new(ids))
    }

    fn with<T>(
        &mut self,
        decision: &mut Decision<<Seated as Coordinator>::Answer>,
        decide: impl FnOnce(&mut GroupCoordinator, &mut Decision<<GroupCoordinator as Coordinator>::Answer>) -> T,
    ) -> T {
        let Seated::Groups(groups) = self;
        let mut decided = Decision::default();
        let result = decide(groups, &mut decided);
        decision.records.extend(decided.records);
        let answers = decided.answers.into_iter();
        decision
            .answers
            .extend(answers.map(|(ticket, answer)| (ticket, answer.map(CoordinatorAnswer::Group))));
        result
    }
}

impl Coordinator for Seated {
    type Ask = CoordinatorAsk;
    type Answer = Result<CoordinatorAnswer, ErrorCode>;

    fn replay(
        &mut self,
        view: View<'_>,
        timestamp_ms: i64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), NotReplayed> {
        let Seated::Groups(groups) = self;
        groups.replay(view, timestamp_ms, key, value)
    }

    fn on_loaded(&mut self, view: View<'_>, decision: &mut Decision<Self::Answer>) {
        self.with(decision, |groups, decided| groups.on_loaded(view, decided));
    }

    fn handle(
        &mut self,
        view: View<'_>,
        ticket: Ticket,
        ask: CoordinatorAsk,
        decision: &mut Decision<Self::Answer>,
    ) {
        let CoordinatorAsk::Group(ask) = ask;
        self.with(decision, |groups, decided| groups.handle(view, ticket, ask, decided));
    }

    fn forget(&mut self, view: View<'_>, ticket: Ticket, decision: &mut Decision<Self::Answer>) {
        self.with(decision, |groups, decided| groups.forget(view, ticket, decided));
    }

    fn on_time(&mut self, view: View<'_>, decision: &mut Decision<Self::Answer>) {
        self.with(decision, |groups, decided| groups.on_time(view, decided));
    }

    fn on_pause(&mut self, paused_ms: u64) {
        let Seated::Groups(groups) = self;
        groups.on_pause(paused_ms);
    }

    fn on_image(&mut self, view: View<'_>, decision: &mut Decision<Self::Answer>) {
        self.with(decision, |groups, decided| groups.on_image(view, decided));
    }

    fn next_deadline(&self) -> Option<Instant> {
        let Seated::Groups(groups) = self;
        groups.next_deadline()
    }
}

impl Shard {
    /// What coordinators may look at, and a seat of theirs.
    fn at_seat<T>(
        &mut self,
        now: Now,
        seat: TopicPartition,
        work: impl FnOnce(View<'_>, &mut Seat) -> T,
    ) -> Option<T> {
        let entry = self.coordinators.seats.get_mut(&seat)?;
        let mutations = self.storage.dir(entry.log.dir()).mutations();
        Some(work(View { now, image: &self.image, config: &self.config, mutations }, entry))
    }

    /// Those coordinators of groups that know all of their partition.
    pub(super) fn group_coordinators(&self) -> impl Iterator<Item = &GroupCoordinator> {
        let loaded = self.coordinators.seats.values().filter_map(|entry| entry.host.loaded());
        loaded.map(|Seated::Groups(groups)| groups)
    }

    /// The image has changed: coordinators come and go with the partitions of their topics.
    pub(super) fn seat_coordinators(&mut self, now: Now, effects: &mut Effects) {
        let topic = self.image.topic_by_name(OFFSETS_TOPIC).cloned();
        let partitions = topic.iter().flat_map(|topic| {
            let count = i32::try_from(topic.partitions.len()).expect("Kafka counts partitions in 32 bits");
            (0..count).map(|partition| TopicPartition {
                topic_id: topic.topic_id,
                partition: PartitionIndex(partition),
            })
        });
        let owned: BTreeSet<TopicPartition> =
            partitions.filter(|of| self.partitions.get(*of).is_some()).collect();
        let known = self.coordinators.seats.keys().copied();
        let gone: Vec<TopicPartition> = known.filter(|seat| !owned.contains(seat)).collect();
        for seat in gone {
            self.coordinators.seats.remove(&seat);
            self.coordinators.loading.remove(&seat);
            self.coordinators.stalled.retain(|_, stalled| *stalled != seat);
            self.refuse_tickets(now, seat, ErrorCode::NOT_COORDINATOR, effects);
        }
        let bytes_max =
            topic.map_or(0, |topic| topic.config.max_message_bytes.min(COORDINATOR_BATCH_BYTES_MAX));
        for seat in owned {
            if !self.coordinators.seats.contains_key(&seat) {
                self.take_seat(seat);
            }
            self.at_seat(now, seat, |view, entry| {
                entry.host.set_batch_bytes_max(bytes_max);
                entry.host.on_image(view);
            });
            self.coordinators.touched.insert(seat);
        }
    }

    /// A coordinator that knows nothing yet.
    fn take_seat(&mut self, seat: TopicPartition) {
        let Some(partition) = self.partitions.get(seat) else { return };
        let log = partition.log;
        let ids = RandomIds::new(self.coordinators.ids.next_bytes(), 0);
        let bytes_max = self.coordinators.seats.get(&seat).map(|entry| entry.host.batch_bytes_max());
        let mut host = Host::new(Seated::new(ids), Offset::ZERO);
        if let Some(bytes_max) = bytes_max {
            host.set_batch_bytes_max(bytes_max);
        }
        self.coordinators.seats.insert(seat, Seat { host, log, load: Load::Ready });
        self.coordinators.stalled.remove(&log);
        self.coordinators.loading.insert(seat);
    }

    /// What it believes is not what its partition says, or may not be: it begins anew.
    fn reload_seat(&mut self, now: Now, seat: TopicPartition, effects: &mut Effects) {
        self.take_seat(seat);
        self.refuse_tickets(now, seat, ErrorCode::COORDINATOR_NOT_AVAILABLE, effects);
    }

    fn refuse_tickets(&mut self, now: Now, seat: TopicPartition, error: ErrorCode, effects: &mut Effects) {
        for ticket in self.coordinators.tickets_of(seat) {
            self.answer_ticket(now, ticket, Err(error), effects);
        }
    }

    pub(super) fn ask_seat(
        &mut self,
        now: Now,
        seat: TopicPartition,
        ticket: Ticket,
        ask: CoordinatorAsk,
        effects: &mut Effects,
    ) {
        let refusal = match self.coordinators.seats.get(&seat).map(|entry| entry.load) {
            None => Some(ErrorCode::NOT_COORDINATOR),
            // To try and be refused would cost a reload.
            Some(Load::Loaded) if ask.may_write() && self.is_held(seat) => {
                Some(ErrorCode::COORDINATOR_NOT_AVAILABLE)
            }
            Some(Load::Loaded) => None,
            Some(Load::Offline | Load::Failed { .. }) => Some(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            Some(Load::Ready | Load::Reading(_) | Load::Waiting) => {
                Some(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
            }
        };
        if let Some(error) = refusal {
            self.answer_ticket(now, ticket, Err(error), effects);
            return;
        }
        self.at_seat(now, seat, |view, entry| entry.host.ask(view, ticket, ask));
        self.coordinators.touched.insert(seat);
    }

    /// While its disk lacks room nothing can be recorded, so nothing is decided: time stands still for its members.
    fn is_held(&self, seat: TopicPartition) -> bool {
        let entry = self.coordinators.seats.get(&seat);
        entry.is_some_and(|entry| self.storage.dir(entry.log.dir()).lacks_space())
    }

    pub(super) fn forget_ticket(&mut self, now: Now, seat: TopicPartition, ticket: Ticket) {
        self.at_seat(now, seat, |view, entry| entry.host.forget(view, ticket));
        self.coordinators.touched.insert(seat);
    }

    /// If the shard was to be awake long ago, nobody could be heard meanwhile: members of groups get the time since the last turn back.
    pub(super) fn notice_pause(&mut self, now: Now) {
        let Some(deadline) = self.coordinators.deadline else { return };
        if now.instant.ns_since(deadline) / 1_000_000 < PAUSE_MS_MIN {
            return;
        }
        let paused_ms = now.instant.ns_since(self.turn) / 1_000_000;
        tracing::warn!(paused_ms, "the shard stood still: sessions of group members are prolonged");
        self.coordinators.seats.values_mut().for_each(|entry| entry.host.on_pause(paused_ms));
        self.coordinators.deadline = Some(now.instant);
    }

    /// The last part of a turn: time, loading, and the records of all that was decided in it.
    pub(super) fn end_coordination(&mut self, now: Now, effects: &mut Effects) {
        if self.stopping {
            self.coordinators.deadline = None;
            return;
        }
        let is_due = self.coordinators.deadline.is_some_and(|deadline| deadline <= now.instant);
        if self.coordinators.touched.is_empty() && self.coordinators.loading.is_empty() && !is_due {
            return;
        }
        if is_due {
            self.wake_seats(now);
        }
        self.load_seats(now, effects);
        for seat in std::mem::take(&mut self.coordinators.touched) {
            if !self.is_held(seat) {
                self.at_seat(now, seat, |view, entry| entry.host.on_time(view));
            }
            self.append_decided(now, seat, effects);
        }
        self.set_deadline();
    }

    fn wake_seats(&mut self, now: Now) {
        let coordinators = &mut self.coordinators;
        for (seat, entry) in &mut coordinators.seats {
            if matches!(entry.load, Load::Failed { until } if until <= now.instant) {
                entry.load = Load::Ready;
                coordinators.loading.insert(*seat);
            }
            if entry.host.next_deadline().is_some_and(|deadline| deadline <= now.instant) {
                coordinators.touched.insert(*seat);
            }
        }
    }

    fn set_deadline(&mut self) {
        let (coordinators, storage) = (&mut self.coordinators, &self.storage);
        let retry = self.turn.after_ms(SPACE_RETRY_MS_MAX);
        let of_seat = |entry: &Seat| match entry.load {
            Load::Failed { until } => Some(until),
            _ if storage.dir(entry.log.dir()).lacks_space() => {
                entry.host.next_deadline().map(|deadline| deadline.max(retry))
            }
            _ => entry.host.next_deadline(),
        };
        let seats = coordinators.seats.values().filter_map(of_seat);
        let loading = (!coordinators.loading.is_empty()).then_some(self.turn);
        coordinators.deadline = seats.chain(loading).min();
    }

    /// Reads and replays some more of those partitions that are not known yet.
    fn load_seats(&mut self, now: Now, effects: &mut Effects) {
        let mut left = COORDINATOR_LOAD_BYTES_PER_TURN;
        while left > 0 {
            let Some(seat) = self.coordinators.loading.pop_first() else { return };
            let bytes = self.load_slice(now, seat, effects);
            left = left.saturating_sub(bytes.max(1));
            if self.coordinators.seats.get(&seat).is_some_and(|entry| entry.load == Load::Ready) {
                self.coordinators.loading.insert(seat);
            }
        }
    }

    /// How many bytes were replayed at once.
    fn load_slice(&mut self, now: Now, seat: TopicPartition, effects: &mut Effects) -> u64 {
        let Some(partition) = self.partitions.get(seat) else { return 0 };
        let Some(entry) = self.coordinators.seats.get_mut(&seat) else { return 0 };
        if !self.storage.serves(partition.log) {
            entry.load = Load::Offline;
            return 0;
        }
        let log = self.storage.log(partition.log);
        entry.host.skip_to(log.log_start_offset());
        let Phase::Loading { next } = entry.host.phase() else { return 0 };
        if next >= partition.high_watermark() {
            if next >= log.log_end_offset() {
                self.finish_load(now, seat);
            } else {
                entry.load = Load::Waiting;
                self.coordinators.stalled.insert(partition.log, seat);
            }
            return 0;
        }
        let item = ReadItem {
            index: 0,
            topic_partition: seat,
            fetch_offset: next.0,
            current_leader_epoch: LeaderEpoch(-1),
            last_fetched_epoch: LeaderEpoch(-1),
            bytes_max: COORDINATOR_READ_BYTES,
        };
        let one_batch = self.storage.dir(partition.log.dir()).mutations().coordinator_loads_one_batch();
        if one_batch && next > log.log_start_offset() {
            self.finish_load(now, seat);
            return 0;
        }
        let limit = if one_batch { 1 } else { COORDINATOR_READ_BYTES };
        let result = partition.read(log, &item, false, limit, true);
        let log = partition.log;
        if result.error != ErrorCode::NONE {
            self.fail_load(now, seat, next, result.error.name());
        } else if let Some(segment) = result.needs_index {
            entry.load = Load::Waiting;
            self.coordinators.stalled.insert(log, seat);
            if self.storage.load_index(now.instant, log, segment, effects).is_err() {
                self.fail_load(now, seat, next, "the index of a segment cannot be had");
            }
        } else if let Some(Piece::File(range)) = result.pieces.first() {
            let read = self.lookups.next_read_id();
            entry.load = Load::Reading(read);
            self.coordinators.reads.insert(read, seat);
            let (file, position, length) = (FileId(range.file), range.position, range.length);
            effects.push(Effect::ReadSegment { read, file, position, length });
        } else {
            let bytes = joined(result.pieces);
            self.replay_slice(now, seat, &bytes);
            return bytes.len() as u64;
        }
        0
    }

    fn replay_slice(&mut self, now: Now, seat: TopicPartition, bytes: &[u8]) {
        let replayed = self.at_seat(now, seat, |view, entry| {
            entry.load = Load::Ready;
            entry.host.load(view, bytes)
        });
        if let Some(Err(unloadable)) = replayed {
            self.fail_load(now, seat, unloadable.at, unloadable.reason);
        }
    }

    fn finish_load(&mut self, now: Now, seat: TopicPartition) {
        self.at_seat(now, seat, |view, entry| {
            entry.load = Load::Loaded;
            entry.host.on_loaded(view);
        });
        self.coordinators.touched.insert(seat);
    }

    /// Nothing that was replayed is kept: it is tried again from the beginning.
    fn fail_load(&mut self, now: Now, seat: TopicPartition, at: Offset, reason: &'static str) {
        tracing::error!(partition = %seat, offset = at.0, reason, "a coordinator's partition cannot be loaded");
        self.take_seat(seat);
        self.coordinators.loading.remove(&seat);
        if let Some(entry) = self.coordinators.seats.get_mut(&seat) {
            entry.load = Load::Failed { until: now.instant.after_ms(COORDINATOR_RETRY_MS) };
        }
    }

    /// More of this log is durable, or an index of it is here.
    pub(super) fn seats_go_on(&mut self, log: LogId) {
        if self.coordinators.stalled.is_empty() {
            return;
        }
        let Some(seat) = self.coordinators.stalled.remove(&log) else { return };
        if let Some(entry) = self.coordinators.seats.get_mut(&seat)
            && entry.load == Load::Waiting
        {
            entry.load = Load::Ready;
            self.coordinators.loading.insert(seat);
        }
    }

    pub(super) fn on_read_done(
        &mut self,
        now: Now,
        read: ReadId,
        result: Result<Bytes, DiskError>,
        effects: &mut Effects,
    ) {
        let Some(seat) = self.coordinators.reads.remove(&read) else {
            self.on_lookup_read(read, result, effects);
            return;
        };
        let Some(entry) = self.coordinators.seats.get(&seat) else { return };
        let Phase::Loading { next } = entry.host.phase() else { return };
        if entry.load != Load::Reading(read) {
            return;
        }
        match result {
            Ok(bytes) => {
                self.replay_slice(now, seat, &bytes);
                if self.coordinators.seats.get(&seat).is_some_and(|entry| entry.load == Load::Ready) {
                    self.coordinators.loading.insert(seat);
                }
            }
            Err(error) => {
                tracing::warn!(partition = %seat, ?error, "a segment of a coordinator cannot be read");
                self.fail_load(now, seat, next, "a segment cannot be read");
            }
        }
    }

    /// Whether records of coordinators wait for room in the dir. None are appended any more while the shard stops.
    pub(super) fn has_decided_records(&self, dir: LogDir) -> bool {
        let mut waiting =
            self.coordinators.touched.iter().filter_map(|seat| self.coordinators.seats.get(seat));
        !self.stopping && waiting.any(|entry| entry.log.dir() == dir && entry.host.has_batches())
    }

    /// Appends the records of this turn. While the journal has no room they wait, and with them the answers.
    fn append_decided(&mut self, now: Now, seat: TopicPartition, effects: &mut Effects) {
        let Some(partition) = self.partitions.get(seat) else { return };
        let (log, epoch) = (partition.log, partition.leader_epoch);
        let Some(entry) = self.coordinators.seats.get_mut(&seat) else { return };
        if let Some(tickets) = entry.host.take_broken() {
            for ticket in tickets {
                self.answer_ticket(now, ticket, Err(ErrorCode::UNKNOWN_SERVER_ERROR), effects);
            }
            self.reload_seat(now, seat, effects);
            return;
        }
        let storage = self.storage.dir(log.dir());
        if entry.host.has_batches() && storage.is_full() && !storage.lacks_space() {
            self.coordinators.touched.insert(seat);
            return;
        }
        let mut last = None;
        for batch in entry.host.take_batches() {
            match self.storage.append(log, now, epoch, BytesMut::from(batch), false) {
                Ok(stored) if self.partitions.has_durable_acks(log) => last = last.max(Some(stored.commit)),
                Ok(stored) => {
                    self.partitions.on_appended_without_durability(log, stored.appended.next_offset);
                    self.tell_watchers(now, log, effects);
                }
                Err(refused) => {
                    tracing::warn!(partition = %seat, error = %refused.error, "a coordinator's records are refused");
                    self.reload_seat(now, seat, effects);
                    return;
                }
            }
        }
        if let Some(entry) = self.coordinators.seats.get_mut(&seat) {
            entry.host.on_appended(last);
        }
        self.release_seat(now, seat, effects);
    }

    /// A commit of this dir is durable.
    pub(super) fn release_coordinated(&mut self, now: Now, dir: LogDir, effects: &mut Effects) {
        let seats = self.coordinators.seats.iter().filter(|(_, entry)| entry.log.dir() == dir);
        let waiting = seats.filter(|(_, entry)| entry.host.has_answers());
        for seat in waiting.map(|(seat, _)| *seat).collect::<Vec<TopicPartition>>() {
            self.release_seat(now, seat, effects);
        }
    }

    fn release_seat(&mut self, now: Now, seat: TopicPartition, effects: &mut Effects) {
        let Some(entry) = self.coordinators.seats.get_mut(&seat) else { return };
        let storage = self.storage.dir(entry.log.dir());
        let mut durable = storage.durable_commit();
        if storage.mutations().coordinator_answers_before_commit() {
            durable = CommitId(u64::MAX);
        }
        for (ticket, answer) in entry.host.release(durable) {
            self.answer_ticket(now, ticket, answer, effects);
        }
    }

    /// What was appended will not become durable, or not soon: nobody may go on as if it were.
    pub(super) fn fail_coordinators(&mut self, now: Now, effects: &mut Effects) {
        for dir in self.storage.dirs() {
            let storage = self.storage.dir(dir);
            let (stalled_after, has_failed) = (storage.stalled_after(), storage.failed().is_some());
            if stalled_after.is_none() && !has_failed {
                continue;
            }
            let concerned = |entry: &Seat| {
                let stalled = stalled_after.is_some_and(|last| entry.host.reaches_beyond(last));
                entry.log.dir() == dir && entry.load != Load::Offline && (stalled || has_failed)
            };
            let seats = self.coordinators.seats.iter().filter(|(_, entry)| concerned(entry));
            for seat in seats.map(|(seat, _)| *seat).collect::<Vec<TopicPartition>>() {
                self.reload_seat(now, seat, effects);
                if has_failed && let Some(entry) = self.coordinators.seats.get_mut(&seat) {
                    entry.load = Load::Offline;
                    self.coordinators.loading.remove(&seat);
                }
            }
            self.set_deadline();
        }
    }
}

/// One buffer of batches that lie in memory one by one.
fn joined(pieces: Vec<Piece>) -> Bytes {
    let mut bytes = pieces.into_iter().map_while(|piece| match piece {
        Piece::Bytes(bytes) => Some(bytes),
        Piece::File(_) => None,
    });
    let Some(first) = bytes.next() else { return Bytes::new() };
    let Some(second) = bytes.next() else { return first };
    let mut all = BytesMut::from(&first[..]);
    all.extend_from_slice(&second);
    bytes.for_each(|bytes| all.extend_from_slice(&bytes));
    all.freeze()
}
