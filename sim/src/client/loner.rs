//! A consumer without a group's protocol: it commits, asks, and deletes its group, alone. So what it must be told is known exactly.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::ApiKey;

use super::group_wire as wire;
use super::member::{
    COORDINATOR_LOADS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, UNKNOWN_PARTITION, older,
};
use super::port::{Pending, Port};
use super::wire::version;
use super::{Alarm, Client, Io};
use crate::network::LinkId;

const GROUP_ID_NOT_FOUND: i16 = 69;

#[derive(Debug, Clone)]
pub struct LonerPlan {
    pub topic: String,
    pub partitions: i32,
    pub pause_ns_max: u64,
}

#[derive(Debug)]
pub enum Expects {
    Committed { offsets: Vec<(i32, i64)> },
    Deleted,
    Offsets,
}

pub struct Loner {
    plan: LonerPlan,
    port: Port<Expects>,
    /// Each group until it is not known any more what it must have.
    group: String,
    groups: u32,
    /// By partition; what is not there, is not committed.
    committed: BTreeMap<i32, i64>,
    next_offset: i64,
    /// Answers to questions since the last change.
    checks: u32,
}

impl Loner {
    #[must_use]
    pub fn new(plan: LonerPlan) -> Loner {
        Loner {
            plan,
            port: Port::default(),
            group: String::new(),
            groups: 0,
            committed: BTreeMap::new(),
            next_offset: 0,
            checks: 0,
        }
    }

    /// What it sent may arrive, or not, or later.
    fn lose_track(&mut self) {
        self.group.clear();
    }

    fn on_closed(&mut self) {
        let changes = |pending: &Pending<Expects>| !matches!(pending.expects, Expects::Offsets);
        if self.port.pending.iter().any(changes) {
            self.lose_track();
        }
        self.port.forget();
    }

    fn ask(&mut self, io: &mut Io<'_>) {
        if self.group.is_empty() {
            self.groups += 1;
            self.group = format!("loner-{}-{}", io.client.0, self.groups);
            self.committed.clear();
        }
        match io.random.below(100) {
            0..=29 if !io.calm => self.commit(io),
            30..=39 if !io.calm => self.delete(io),
            _ => self.fetch(io),
        }
    }

    fn commit(&mut self, io: &mut Io<'_>) {
        let mut offsets = Vec::new();
        for partition in 0..self.plan.partitions {
            if io.random.percent(50) {
                self.next_offset += 1;
                offsets.push((partition, self.next_offset));
            }
        }
        if offsets.is_empty() {
            return self.fetch(io);
        }
        let version = older(ApiKey::OffsetCommit, wire::COMMIT_BY_ID, io);
        let named = wire::Named { group: &self.group, member_id: "", generation: -1 };
        let bytes = wire::commit(version, self.port.next_correlation_id(), named, &self.plan.topic, &offsets);
        self.port.send(io, ApiKey::OffsetCommit, version, bytes, Some(Expects::Committed { offsets }));
    }

    fn delete(&mut self, io: &mut Io<'_>) {
        let version = version(ApiKey::DeleteGroups, 0, io.random);
        let bytes = wire::delete_group(version, self.port.next_correlation_id(), &self.group);
        self.port.send(io, ApiKey::DeleteGroups, version, bytes, Some(Expects::Deleted));
    }

    fn fetch(&mut self, io: &mut Io<'_>) {
        let partitions: Vec<i32> = (0..self.plan.partitions).collect();
        let version = older(ApiKey::OffsetFetch, wire::OFFSETS_BY_ID, io);
        let id = self.port.next_correlation_id();
        let bytes = wire::fetch_offsets(version, id, &self.group, &self.plan.topic, &partitions);
        self.port.send(io, ApiKey::OffsetFetch, version, bytes, Some(Expects::Offsets));
    }

    fn on_answer(&mut self, io: &mut Io<'_>, pending: Pending<Expects>, frame: &[u8]) -> Result<(), String> {
        let version = pending.version;
        match pending.expects {
            Expects::Committed { offsets } => {
                self.checks = 0;
                for ((partition, error), (_, offset)) in
                    wire::decode_commit(version, frame)?.iter().zip(&offsets)
                {
                    match *error {
                        0 => drop(self.committed.insert(*partition, *offset)),
                        // The topic is still to be made.
                        UNKNOWN_PARTITION => {}
                        error => return self.on_error(error),
                    }
                }
            }
            Expects::Deleted => match wire::decode_delete_group(version, frame)? {
                0 => {
                    io.ledger.groups.deletions += 1;
                    self.checks = 0;
                    self.committed.clear();
                }
                GROUP_ID_NOT_FOUND if self.committed.is_empty() => {}
                GROUP_ID_NOT_FOUND => {
                    let what = format!("{}: {:?}", self.group, self.committed);
                    io.ledger.violation("a group that has offsets is there", what);
                }
                error => return self.on_error(error),
            },
            Expects::Offsets => {
                let (error, offsets) = wire::decode_fetch_offsets(version, frame)?;
                if error != 0 {
                    return self.on_error(error);
                }
                self.checks += 1;
                for (partition, offset) in offsets {
                    let expected = self.committed.get(&partition).copied().unwrap_or(-1);
                    if offset != expected {
                        let what = format!("{} {partition}: {offset} is told, not {expected}", self.group);
                        io.ledger.violation("what was committed or deleted last is told", what);
                    }
                }
            }
        }
        Ok(())
    }

    fn on_error(&mut self, error: i16) -> Result<(), String> {
        match error {
            COORDINATOR_LOADS | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => {
                self.lose_track();
                Ok(())
            }
            error => Err(format!("an error that nobody should see: {error}")),
        }
    }
}

impl Client for Loner {
    fn wake(&mut self, io: &mut Io<'_>) -> Alarm {
        if self.port.is_overdue(io.schedule.instant()) {
            self.lose_track();
            self.port.close(io);
        }
        if !self.port.ensure_open(io) {
            return Some(io.random.log_uniform(1_000_000, 50_000_000));
        }
        if self.port.pending.is_empty() {
            self.ask(io);
        }
        Some(io.random.log_uniform(100_000, self.plan.pause_ns_max))
    }

    fn arrived(&mut self, io: &mut Io<'_>, link: LinkId, bytes: Bytes) -> Alarm {
        let answer = self.port.take_answer(link, &bytes)?;
        let answered = answer.and_then(|(pending, frame)| self.on_answer(io, pending, &frame));
        if let Err(error) = answered {
            io.ledger.violation("answers can be read", error);
            self.lose_track();
            self.port.close(io);
        }
        Some(io.random.log_uniform(10_000, self.plan.pause_ns_max))
    }

    fn closed(&mut self, io: &mut Io<'_>, link: LinkId) -> Alarm {
        if !self.port.is_current(link) {
            return None;
        }
        self.on_closed();
        Some(io.random.log_uniform(100_000, 20_000_000))
    }

    fn is_done(&self) -> bool {
        self.checks >= 2 && self.port.pending.is_empty()
    }

    fn describe(&self) -> String {
        format!("loner {:?}: {} checks", self.group, self.checks)
    }
}
