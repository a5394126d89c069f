//! A member of a group: it joins, assigns if it leads, beats, commits what it owns and looks back; it stalls, leaves, and loses its mind.

use bytes::Bytes;
use protocol::ApiKey;

use super::group_wire as wire;
use super::port::{Pending, Port};
use super::wire::version;
use super::{Alarm, Client, Io};
use crate::checkers::groups::Slot;
use crate::network::LinkId;

/// Kafka's errors that a member lives with.
pub(super) const COORDINATOR_LOADS: i16 = 14;
pub(super) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
pub(super) const NOT_COORDINATOR: i16 = 16;
const ILLEGAL_GENERATION: i16 = 22;
pub(super) const UNKNOWN_MEMBER: i16 = 25;
const REBALANCE: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;
pub(super) const UNKNOWN_PARTITION: i16 = 3;

#[derive(Debug, Clone)]
pub struct MemberPlan {
    pub group: String,
    /// The topic whose partitions are shared out, and how many of them.
    pub topic: String,
    pub partitions: i32,
    pub session_timeout_ms: i32,
    pub pause_ns_max: u64,
    /// Asks for all offsets once, and does nothing else.
    pub audits: bool,
}

#[derive(Debug)]
pub enum Expects {
    Coordinator,
    Joined,
    Synced {
        generation: i32,
    },
    Heard,
    Left,
    Committed {
        offsets: Vec<(i32, i64)>,
        generation: i32,
        /// The latest generation in which anybody had been told what it owns, when this was sent.
        latest: i32,
    },
    Offsets {
        floors: Vec<(i32, i64)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Lost,
    Joining,
    Syncing,
    Stable,
    /// It was told what it wanted to know.
    Audited,
}

pub struct Member {
    plan: MemberPlan,
    port: Port<Expects>,
    state: State,
    member_id: String,
    generation: i32,
    /// Of the leader: who there is.
    members: Vec<String>,
    leads: bool,
    owned: Vec<i32>,
    /// Member id, generation and partitions of before: a thread of it that has not noticed may still commit.
    former: Option<(String, i32, Vec<i32>)>,
    /// Heartbeats in a row that nothing disturbed.
    beats: u32,
}

impl Member {
    #[must_use]
    pub fn new(plan: MemberPlan) -> Member {
        Member {
            plan,
            port: Port::default(),
            state: State::Lost,
            member_id: String::new(),
            generation: -1,
            members: Vec::new(),
            leads: false,
            owned: Vec::new(),
            former: None,
            beats: 0,
        }
    }

    fn slot(&self, partition: i32) -> Slot {
        (self.plan.group.clone(), partition)
    }

    /// It owns nothing that it knows of any more. `forgets`: nor who it is, so that what it sent is of an earlier generation.
    fn lose(&mut self, state: State, forgets: bool) {
        if !self.owned.is_empty() {
            self.former = Some((self.member_id.clone(), self.generation, self.owned.clone()));
        }
        if forgets {
            self.member_id.clear();
        }
        self.state = state;
        self.owned.clear();
        self.beats = 0;
    }

    /// The connection is gone: whether what was sent arrives is not known.
    fn reset(&mut self, io: &mut Io<'_>) {
        self.port.close(io);
        self.lose(State::Lost, true);
    }

    fn act(&mut self, io: &mut Io<'_>) -> Alarm {
        if self.port.is_overdue(io.schedule.instant()) {
            self.reset(io);
        }
        if !self.port.ensure_open(io) {
            return Some(io.random.log_uniform(1_000_000, 50_000_000));
        }
        let stalls = !io.calm && io.random.percent(2);
        if stalls {
            let session_ns = u64::try_from(self.plan.session_timeout_ms).unwrap_or(0) * 1_000_000;
            return Some(io.random.log_uniform(1_000_000, 3 * session_ns));
        }
        if self.port.pending.is_empty() {
            self.ask(io);
        }
        let session_ns = u64::try_from(self.plan.session_timeout_ms).unwrap_or(0) * 1_000_000;
        Some(io.random.log_uniform(100_000, self.plan.pause_ns_max.min(session_ns / 4)))
    }

    fn ask(&mut self, io: &mut Io<'_>) {
        match self.state {
            State::Lost => {
                let version = version(ApiKey::FindCoordinator, 0, io.random);
                let bytes =
                    wire::find_coordinator(version, self.port.next_correlation_id(), &self.plan.group);
                self.port.send(io, ApiKey::FindCoordinator, version, bytes, Some(Expects::Coordinator));
            }
            State::Joining if self.plan.audits => self.fetch(io),
            State::Joining => self.join(io),
            State::Syncing => self.sync(io),
            State::Stable => self.work(io),
            State::Audited => {}
        }
    }

    fn join(&mut self, io: &mut Io<'_>) {
        let version = version(ApiKey::JoinGroup, 0, io.random);
        let join = wire::Join {
            group: &self.plan.group,
            member_id: &self.member_id,
            session_timeout_ms: self.plan.session_timeout_ms,
            rebalance_timeout_ms: self.plan.session_timeout_ms * 2,
        };
        let bytes = wire::join(version, self.port.next_correlation_id(), &join);
        self.port.send(io, ApiKey::JoinGroup, version, bytes, Some(Expects::Joined));
    }

    fn named(&self) -> wire::Named<'_> {
        wire::Named { group: &self.plan.group, member_id: &self.member_id, generation: self.generation }
    }

    /// The leader deals the partitions out, one to each in turn.
    fn sync(&mut self, io: &mut Io<'_>) {
        let mut assignments: Vec<(String, Vec<u8>)> = Vec::new();
        if self.leads {
            assignments.extend(self.members.iter().map(|member_id| (member_id.clone(), Vec::new())));
            for partition in 0..self.plan.partitions {
                let at = partition as usize % assignments.len().max(1);
                if let Some((_, assignment)) = assignments.get_mut(at) {
                    assignment.extend_from_slice(&partition.to_be_bytes());
                }
            }
        }
        let version = version(ApiKey::SyncGroup, 0, io.random);
        let id = self.port.next_correlation_id();
        let bytes = wire::sync(version, id, self.named(), &assignments);
        let expects = Expects::Synced { generation: self.generation };
        self.port.send(io, ApiKey::SyncGroup, version, bytes, Some(expects));
    }

    fn work(&mut self, io: &mut Io<'_>) {
        match io.random.below(100) {
            0 if !io.calm => self.reset(io),
            1 if !io.calm => {
                let version = version(ApiKey::LeaveGroup, 0, io.random);
                let bytes = wire::leave(version, self.port.next_correlation_id(), self.named());
                self.port.send(io, ApiKey::LeaveGroup, version, bytes, Some(Expects::Left));
            }
            2..=4 if self.former.is_some() => {
                let former = self.former.clone();
                former.into_iter().for_each(|(member_id, generation, owned)| {
                    self.commit(io, &member_id, generation, &owned);
                });
            }
            2..=30 if !self.owned.is_empty() => {
                self.commit(io, &self.member_id.clone(), self.generation, &self.owned.clone());
            }
            31..=45 => self.fetch(io),
            _ => {
                let version = version(ApiKey::Heartbeat, 0, io.random);
                let bytes = wire::heartbeat(version, self.port.next_correlation_id(), self.named());
                self.port.send(io, ApiKey::Heartbeat, version, bytes, Some(Expects::Heard));
            }
        }
    }

    fn commit(&mut self, io: &mut Io<'_>, member_id: &str, generation: i32, owned: &[i32]) {
        let owned = owned.iter().map(|partition| (*partition, self.slot(*partition)));
        let offsets: Vec<(i32, i64)> =
            owned.map(|(partition, slot)| (partition, io.ledger.next_commit(&slot))).collect();
        let version = older(ApiKey::OffsetCommit, wire::COMMIT_BY_ID, io);
        let id = self.port.next_correlation_id();
        let named = wire::Named { group: &self.plan.group, member_id, generation };
        let bytes = wire::commit(version, id, named, &self.plan.topic, &offsets);
        let latest = io.ledger.latest_generation(&self.plan.group);
        let expects = Expects::Committed { offsets, generation, latest };
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
            Expects::Coordinator => match wire::decode_find_coordinator(version, frame)? {
                0 => self.state = State::Joining,
                error => self.on_error(error)?,
            },
            Expects::Joined => self.on_joined(wire::decode_join(version, frame)?)?,
            Expects::Synced { generation } => {
                let (error, assignment) = wire::decode_sync(version, frame)?;
                if error != 0 {
                    return self.on_error(error);
                }
                let (partitions, _) = assignment.as_chunks::<4>();
                self.owned = partitions.iter().map(|partition| i32::from_be_bytes(*partition)).collect();
                for partition in &self.owned {
                    io.ledger.told_owner(&self.slot(*partition), generation, &self.member_id);
                }
                io.ledger.told_generation(&self.plan.group, generation);
                self.state = State::Stable;
            }
            Expects::Heard => match wire::decode_heartbeat(version, frame)? {
                0 => self.beats += 1,
                error => self.on_error(error)?,
            },
            Expects::Left => match wire::decode_leave(version, frame)? {
                0 => self.lose(State::Lost, true),
                error => self.on_error(error)?,
            },
            Expects::Committed { offsets, generation, latest } => {
                for ((partition, error), (_, offset)) in
                    wire::decode_commit(version, frame)?.iter().zip(&offsets)
                {
                    match *error {
                        0 if generation < latest => {
                            io.ledger.told_old_commit(&self.slot(*partition), generation, latest);
                        }
                        0 => io.ledger.told_committed(&self.slot(*partition), *offset),
                        // Of one that it was before.
                        UNKNOWN_MEMBER | ILLEGAL_GENERATION if generation != self.generation => {}
                        // The topic is still to be made.
                        UNKNOWN_PARTITION => {}
                        error => return self.on_error(error),
                    }
                }
            }
            Expects::Offsets { floors } => {
                let (error, offsets) = wire::decode_fetch_offsets(version, frame)?;
                if error != 0 {
                    return self.on_error(error);
                }
                if offsets.len() != floors.len() {
                    return Err(format!("{} offsets of {}", offsets.len(), floors.len()));
                }
                for ((partition, offset), (_, floor)) in offsets.iter().zip(&floors) {
                    io.ledger.told_offset(&self.slot(*partition), *offset, *floor);
                }
                if self.plan.audits {
                    self.state = State::Audited;
                }
            }
        }
        Ok(())
    }

    fn on_joined(&mut self, joined: wire::Joined) -> Result<(), String> {
        match joined.error {
            0 => {
                self.member_id = joined.member_id;
                self.generation = joined.generation;
                self.leads = joined.leads;
                self.members = joined.members;
                self.state = State::Syncing;
                if self.leads && self.members.is_empty() {
                    return Err("a leader that is not told who there is".to_owned());
                }
                Ok(())
            }
            MEMBER_ID_REQUIRED => {
                self.member_id = joined.member_id;
                Ok(())
            }
            error => self.on_error(error),
        }
    }

    fn on_error(&mut self, error: i16) -> Result<(), String> {
        match error {
            COORDINATOR_LOADS | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => {
                // A commit that is not acknowledged may have been recorded, so a later one of this generation may not be lower.
                if self.state != State::Stable {
                    self.lose(State::Lost, false);
                }
                Ok(())
            }
            REBALANCE => {
                self.lose(State::Joining, false);
                Ok(())
            }
            UNKNOWN_MEMBER | ILLEGAL_GENERATION => {
                self.lose(State::Joining, true);
                Ok(())
            }
            error => Err(format!("an error that no member should see: {error}")),
        }
    }
}

/// A version that still has names of topics.
pub(super) fn older(api_key: ApiKey, before: i16, io: &mut Io<'_>) -> i16 {
    let least = api_key.supported().expect("the broker serves what the clients use").min;
    least + io.random.below((before - least) as u64) as i16
}

impl Client for Member {
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
        self.lose(State::Lost, true);
        Some(io.random.log_uniform(100_000, 20_000_000))
    }

    fn is_done(&self) -> bool {
        if self.plan.audits { self.state == State::Audited } else { self.beats >= 3 }
    }

    fn describe(&self) -> String {
        let Member { state, member_id, generation, beats, .. } = self;
        format!("member {member_id:?}: {state:?}, generation {generation}, {beats} beats")
    }
}
