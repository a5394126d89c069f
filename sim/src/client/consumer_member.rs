//! A member of a consumer group of the new protocol: it beats, takes and gives up what it is told, commits, stalls, leaves, and dies.

use std::collections::BTreeSet;

use bytes::Bytes;
use penstock::model::Instant;
use protocol::{ApiKey, Uuid};

use super::group_wire as wire;
use super::member::{COORDINATOR_LOADS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR};
use super::member::{UNKNOWN_MEMBER, UNKNOWN_PARTITION, older};
use super::port::{Pending, Port};
use super::wire::version;
use super::{Alarm, Client, Io};
use crate::checkers::groups::Slot;
use crate::network::LinkId;

const GROUP_ID_NOT_FOUND: i16 = 69;
const FENCED_MEMBER_EPOCH: i16 = 110;
const STALE_MEMBER_EPOCH: i16 = 113;

#[derive(Debug, Clone)]
pub struct ConsumerMemberPlan {
    pub group: String,
    pub topic: String,
    pub partitions: i32,
    pub session_timeout_ms: u32,
    pub pause_ns_max: u64,
}

#[derive(Debug)]
pub enum Expects {
    /// `is_sure`: all that it sent before was answered, so it knows its epoch.
    Heard {
        is_sure: bool,
    },
    Left,
    Committed {
        member_id: String,
        offsets: Vec<(i32, i64)>,
        /// By partition: who could count on owning it when the request was sent, if that was another.
        others: Vec<Option<String>>,
    },
    Offsets {
        floors: Vec<(i32, i64)>,
    },
}

/// What it was and had before it changed: a thread of it that has not noticed may still commit.
#[derive(Debug, Clone)]
struct Former {
    member_id: String,
    epoch: i32,
    owned: BTreeSet<i32>,
}

pub struct ConsumerMember {
    plan: ConsumerMemberPlan,
    port: Port<Expects>,
    member_id: String,
    /// 0: it is to join.
    epoch: i32,
    topic_id: Uuid,
    owned: BTreeSet<i32>,
    /// The broker is still to hear what it owns.
    reports: bool,
    /// It says and wants to hear everything.
    is_full: bool,
    /// Of the last heartbeat that was answered: the end of the session that began when it was sent.
    until: Option<Instant>,
    former: Option<Former>,
    /// Heartbeats since the last one that was answered.
    unanswered: u32,
    /// Heartbeats in a row that changed nothing.
    beats: u32,
}

impl ConsumerMember {
    #[must_use]
    pub fn new(plan: ConsumerMemberPlan) -> ConsumerMember {
        ConsumerMember {
            plan,
            port: Port::default(),
            member_id: String::new(),
            epoch: 0,
            topic_id: Uuid::ZERO,
            owned: BTreeSet::new(),
            reports: false,
            is_full: true,
            until: None,
            former: None,
            unanswered: 0,
            beats: 0,
        }
    }

    fn slot(&self, partition: i32) -> Slot {
        (self.plan.group.clone(), partition)
    }

    fn remember(&mut self) {
        if !self.owned.is_empty() {
            let (member_id, owned) = (self.member_id.clone(), self.owned.clone());
            self.former = Some(Former { member_id, epoch: self.epoch, owned });
        }
    }

    /// It touches nothing any more, and joins again. `dies`: as another.
    fn give_up(&mut self, io: &mut Io<'_>, dies: bool) {
        self.remember();
        for partition in std::mem::take(&mut self.owned) {
            io.ledger.gave_up(&self.slot(partition), &self.member_id);
        }
        (self.epoch, self.until, self.beats) = (0, None, 0);
        if dies {
            self.member_id.clear();
        }
    }

    fn reset(&mut self, io: &mut Io<'_>) {
        self.port.close(io);
        self.on_closed(io);
    }

    /// The connection is gone; whether what was sent arrives is not known.
    fn on_closed(&mut self, io: &mut Io<'_>) {
        self.is_full = true;
        self.beats = 0;
        if io.random.percent(30) {
            self.give_up(io, true);
        }
    }

    fn act(&mut self, io: &mut Io<'_>) -> Alarm {
        if self.port.is_overdue(io.schedule.instant()) {
            self.reset(io);
        }
        if !self.port.ensure_open(io) {
            return Some(io.random.log_uniform(1_000_000, 50_000_000));
        }
        let session_ns = u64::from(self.plan.session_timeout_ms) * 1_000_000;
        if !io.calm && io.random.percent(2) {
            return Some(io.random.log_uniform(1_000_000, 3 * session_ns));
        }
        if self.port.pending.is_empty() {
            self.ask(io);
        }
        Some(io.random.log_uniform(100_000, self.plan.pause_ns_max.min(session_ns / 4)))
    }

    fn ask(&mut self, io: &mut Io<'_>) {
        if self.member_id.is_empty() {
            self.member_id = format!("member-{:016x}", io.random.draw());
            self.unanswered = 0;
        }
        match io.random.below(100) {
            0 if !io.calm => self.reset(io),
            1 if !io.calm && self.epoch > 0 => self.leave(io),
            2..=4 => self.commit_late(io),
            5..=25 if !self.owned.is_empty() => {
                self.commit(io, self.member_id.clone(), self.epoch, &self.owned.clone());
            }
            26..=40 => self.fetch(io),
            _ => self.beat(io),
        }
    }

    fn beat(&mut self, io: &mut Io<'_>) {
        let joins = self.epoch == 0;
        let tells_all = joins || self.is_full;
        let reports = tells_all || self.reports || io.random.percent(20);
        let version = version(ApiKey::ConsumerGroupHeartbeat, 0, io.random);
        let beat = wire::Beat {
            group: &self.plan.group,
            member_id: &self.member_id,
            epoch: self.epoch,
            rebalance_timeout_ms: tells_all.then_some(self.plan.session_timeout_ms as i32 * 10),
            topic: tells_all.then_some(self.plan.topic.as_str()),
            owned: reports.then_some((self.topic_id, self.owned.iter().copied().collect())),
        };
        let bytes = wire::consumer_heartbeat(version, self.port.next_correlation_id(), &beat);
        let expects = Expects::Heard { is_sure: self.unanswered == 0 && !joins };
        self.unanswered += 1;
        self.port.send(io, ApiKey::ConsumerGroupHeartbeat, version, bytes, Some(expects));
    }

    fn leave(&mut self, io: &mut Io<'_>) {
        let version = version(ApiKey::ConsumerGroupHeartbeat, 0, io.random);
        let member_id = self.member_id.clone();
        self.give_up(io, true);
        let beat = wire::Beat {
            group: &self.plan.group,
            member_id: &member_id,
            epoch: -1,
            rebalance_timeout_ms: None,
            topic: None,
            owned: None,
        };
        let bytes = wire::consumer_heartbeat(version, self.port.next_correlation_id(), &beat);
        self.port.send(io, ApiKey::ConsumerGroupHeartbeat, version, bytes, Some(Expects::Left));
    }

    fn commit_late(&mut self, io: &mut Io<'_>) {
        if let Some(Former { member_id, epoch, owned }) = self.former.clone() {
            self.commit(io, member_id, epoch, &owned);
        }
    }

    /// What others own by now must be refused, if the member has been told of a later epoch. Of one that has not, the broker may know that it
    /// gave up a partition and still keep it at the epoch that it commits with; that is enough for it, as for Kafka.
    fn commit(&mut self, io: &mut Io<'_>, member_id: String, epoch: i32, owned: &BTreeSet<i32>) {
        let now = io.schedule.instant();
        let must_be_refused = member_id == self.member_id && (epoch < self.epoch || *owned == self.owned);
        let (mut offsets, mut others) = (Vec::new(), Vec::new());
        for partition in owned {
            let slot = self.slot(*partition);
            let owner = io.ledger.owner(&slot, now).filter(|owner| must_be_refused && *owner != member_id);
            others.push(owner.map(str::to_owned));
            offsets.push((*partition, io.ledger.next_commit(&slot)));
        }
        // The only version that names topics and may be used with member epochs.
        let version = wire::COMMIT_BY_ID - 1;
        let named = wire::Named { group: &self.plan.group, member_id: &member_id, generation: epoch };
        let bytes = wire::commit(version, self.port.next_correlation_id(), named, &self.plan.topic, &offsets);
        let expects = Expects::Committed { member_id, offsets, others };
        self.port.send(io, ApiKey::OffsetCommit, version, bytes, Some(expects));
    }

    fn fetch(&mut self, io: &mut Io<'_>) {
        let partitions: Vec<i32> = (0..self.plan.partitions).collect();
        let floors =
            partitions.iter().map(|partition| (*partition, io.ledger.committed(&self.slot(*partition))));
        let expects = Expects::Offsets { floors: floors.collect() };
        let version = older(ApiKey::OffsetFetch, wire::OFFSETS_BY_ID, io);
        let id = self.port.next_correlation_id();
        let bytes = wire::fetch_offsets(version, id, &self.plan.group, &self.plan.topic, &partitions);
        self.port.send(io, ApiKey::OffsetFetch, version, bytes, Some(expects));
    }

    fn on_answer(&mut self, io: &mut Io<'_>, pending: Pending<Expects>, frame: &[u8]) -> Result<(), String> {
        let version = pending.version;
        match pending.expects {
            Expects::Heard { is_sure } => {
                let heard = wire::decode_consumer_heartbeat(version, frame)?;
                self.on_heard(io, heard, pending.sent_at, is_sure)
            }
            Expects::Left => wire::decode_consumer_heartbeat(version, frame).map(drop),
            Expects::Committed { member_id, offsets, others } => {
                let answers = wire::decode_commit(version, frame)?;
                for (((partition, error), (_, offset)), other) in answers.iter().zip(&offsets).zip(others) {
                    match (*error, other) {
                        (0, Some(owner)) => {
                            io.ledger.told_foreign_commit(&self.slot(*partition), &member_id, &owner);
                        }
                        (0, None) => io.ledger.told_committed(&self.slot(*partition), *offset),
                        (UNKNOWN_PARTITION | STALE_MEMBER_EPOCH | UNKNOWN_MEMBER | GROUP_ID_NOT_FOUND, _) => {
                        }
                        (error, _) if is_passing(error) => {}
                        (error, _) => return Err(unexpected(error)),
                    }
                }
                Ok(())
            }
            Expects::Offsets { floors } => {
                let (error, offsets) = wire::decode_fetch_offsets(version, frame)?;
                if error != 0 {
                    return if is_passing(error) { Ok(()) } else { Err(unexpected(error)) };
                }
                for ((partition, offset), (_, floor)) in offsets.iter().zip(&floors) {
                    io.ledger.told_offset(&self.slot(*partition), *offset, *floor);
                }
                Ok(())
            }
        }
    }

    fn on_heard(
        &mut self,
        io: &mut Io<'_>,
        heard: wire::Heard,
        sent_at: Instant,
        is_sure: bool,
    ) -> Result<(), String> {
        let now = io.schedule.instant();
        let until = sent_at.after_ms(u64::from(self.plan.session_timeout_ms));
        match heard.error {
            0 if now >= until => {
                // Too late to count on anything that it says.
                self.give_up(io, false);
                self.unanswered = 0;
            }
            0 => {
                // With the epoch of before: nobody commits by a new one what it has lost at that moment.
                if heard.epoch != self.epoch
                    || heard.assigned.as_ref().is_some_and(|(_, it)| *it != self.owned)
                {
                    self.remember();
                }
                (self.epoch, self.unanswered, self.is_full) = (heard.epoch, 0, false);
                (self.reports, self.beats) = (false, self.beats + 1);
                if let Some(assigned) = heard.assigned {
                    self.take(io, assigned);
                }
                for partition in &self.owned {
                    io.ledger.told_owns(&self.slot(*partition), &self.member_id, now, until);
                }
                self.until = Some(until);
            }
            error @ (UNKNOWN_MEMBER | FENCED_MEMBER_EPOCH | GROUP_ID_NOT_FOUND) => {
                if let Some(until) = self.until.filter(|_| is_sure) {
                    io.ledger.told_out(&self.member_id, error, now, until);
                }
                self.give_up(io, false);
                self.unanswered = 0;
            }
            error if is_passing(error) => {}
            error => return Err(unexpected(error)),
        }
        Ok(())
    }

    fn take(&mut self, io: &mut Io<'_>, (topic_id, assigned): (Uuid, BTreeSet<i32>)) {
        if !assigned.is_empty() {
            self.topic_id = topic_id;
        }
        if assigned == self.owned {
            return;
        }
        for gone in self.owned.difference(&assigned) {
            io.ledger.gave_up(&self.slot(*gone), &self.member_id);
        }
        self.owned = assigned;
        (self.reports, self.beats) = (true, 0);
    }
}

/// The coordinator is not there now.
fn is_passing(error: i16) -> bool {
    matches!(error, COORDINATOR_LOADS | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR)
}

fn unexpected(error: i16) -> String {
    format!("an error that no member should see: {error}")
}

impl Client for ConsumerMember {
    fn wake(&mut self, io: &mut Io<'_>) -> Alarm {
        self.act(io)
    }

    fn arrived(&mut self, io: &mut Io<'_>, link: LinkId, bytes: Bytes) -> Alarm {
        let answer = self.port.take_answer(link, &bytes)?;
        let answered = answer.and_then(|(pending, frame)| self.on_answer(io, pending, &frame));
        if let Err(error) = answered {
            io.ledger.violation("answers can be read", error);
            self.reset(io);
        }
        Some(io.random.log_uniform(10_000, self.plan.pause_ns_max))
    }

    fn closed(&mut self, io: &mut Io<'_>, link: LinkId) -> Alarm {
        if !self.port.is_current(link) {
            return None;
        }
        self.port.forget();
        self.on_closed(io);
        Some(io.random.log_uniform(100_000, 20_000_000))
    }

    fn is_done(&self) -> bool {
        self.beats >= 3
    }

    fn describe(&self) -> String {
        let ConsumerMember { member_id, epoch, owned, beats, .. } = self;
        format!("consumer {member_id:?}: epoch {epoch}, owns {owned:?}, {beats} beats")
    }
}
