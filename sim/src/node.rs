//! The running broker: its shards, their turns, and what their effects do to the world.
//!
//! This is what `runtime/` is to the real broker. It decides when a shard has its turn and how many inputs that turn has;
//! it decides nothing else.

use std::collections::{BTreeMap, VecDeque};

use penstock::effect::{Effect, Effects};
use penstock::input::Input;
use penstock::limits::TURN_INPUTS_MAX;
use penstock::model::{DiskSpace, Instant, LogDir, ShardId};
use penstock::shard::Shard;
use penstock::shard_message::ShardMessage;

use crate::disk::Disk;
use crate::network::Network;
use crate::random::Random;
use crate::schedule::{Event, Life, Schedule};
use crate::trace::Trace;

struct Host {
    shard: Shard,
    inputs: VecDeque<Input>,
    turn_due: bool,
    /// The earliest deadline that an event is under way for.
    alarm: Option<Instant>,
    stopped: bool,
}

/// What the effects of a turn may touch.
pub struct Surroundings<'a> {
    pub disk: &'a mut Disk,
    pub network: &'a mut Network,
    pub schedule: &'a mut Schedule,
    pub trace: &'a mut Trace,
    pub random: &'a mut Random,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeCounters {
    /// Inputs that shards were given.
    pub steps: u64,
    pub turns: u64,
    pub messages: u64,
    pub journal_failures: u64,
    pub segment_failures: u64,
    pub commits: u64,
    pub ticks: u64,
    pub stops: u64,
}

/// Lives: from a start to the crash or the end of the stop that follows.
pub struct Node {
    pub life: Life,
    hosts: Vec<Host>,
    /// Ordered for each pair of shards.
    mesh: BTreeMap<(ShardId, ShardId), VecDeque<ShardMessage>>,
    pub counters: NodeCounters,
    /// A disk error made (part of) it useless.
    pub failed: bool,
    /// It has given up.
    pub ends: bool,
}

impl Node {
    /// `effects`: what each shard wanted when it was made.
    pub fn new(life: Life, shards: Vec<(Shard, Effects)>, around: &mut Surroundings<'_>) -> Node {
        let mut node = Node {
            life,
            hosts: Vec::new(),
            mesh: BTreeMap::new(),
            counters: NodeCounters::default(),
            failed: false,
            ends: false,
        };
        let mut wanted = Vec::new();
        for (shard, effects) in shards {
            node.hosts.push(Host {
                shard,
                inputs: VecDeque::new(),
                turn_due: false,
                alarm: None,
                stopped: false,
            });
            wanted.push(effects);
        }
        for index in 0..node.shards() {
            let space = DiskSpace { total_bytes: 1 << 40, usable_bytes: 1 << 39 };
            node.input(ShardId(index), Input::DiskSpace { dir: LogDir(0), space }, around);
        }
        for (index, mut effects) in wanted.into_iter().enumerate() {
            node.deliver(ShardId(index as u16), &mut effects, around);
            node.wake(ShardId(index as u16), around);
            node.set_alarm(index, around.schedule);
        }
        node
    }

    #[must_use]
    pub fn shards(&self) -> u16 {
        self.hosts.len() as u16
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.hosts.iter().all(|host| host.stopped)
    }

    pub fn shard(&self, index: u16) -> Option<&Shard> {
        self.hosts.get(usize::from(index)).map(|host| &host.shard)
    }

    /// Something has happened to a shard.
    pub fn input(&mut self, shard: ShardId, input: Input, around: &mut Surroundings<'_>) {
        match &input {
            Input::JournalCommitted { .. } => self.counters.commits += 1,
            Input::JournalFailed { .. } => {
                self.counters.journal_failures += 1;
                self.failed = true;
            }
            Input::SegmentFailed { .. } => {
                self.counters.segment_failures += 1;
                self.failed = true;
            }
            Input::MetadataAppended { result: Err(_), .. } => self.failed = true,
            Input::Tick => self.counters.ticks += 1,
            _ => {}
        }
        let Some(host) = self.hosts.get_mut(usize::from(shard.0)) else { return };
        host.inputs.push_back(input);
        self.wake(shard, around);
    }

    fn wake(&mut self, shard: ShardId, around: &mut Surroundings<'_>) {
        let host = &mut self.hosts[usize::from(shard.0)];
        if !host.turn_due {
            host.turn_due = true;
            let delay = around.random.log_uniform(200, 60_000);
            around.schedule.after(delay, Event::Turn { life: self.life, shard });
        }
    }

    /// Everyone is told to stop.
    pub fn stop(&mut self, around: &mut Surroundings<'_>) {
        self.counters.stops += 1;
        around.network.on_stop();
        for index in 0..self.shards() {
            self.input(ShardId(index), Input::Stop, around);
        }
    }

    /// A turn: some of the inputs that are there, then its end.
    pub fn turn(&mut self, shard: ShardId, around: &mut Surroundings<'_>) {
        let index = usize::from(shard.0);
        let now = around.schedule.now();
        let host = &mut self.hosts[index];
        host.turn_due = false;
        let there = host.inputs.len().min(TURN_INPUTS_MAX) as u64;
        let count = if around.random.percent(60) { there } else { around.random.below(there + 1) };
        let mut effects = Effects::default();
        for input in host.inputs.drain(..count as usize) {
            around.trace.input(now.instant, shard.0, &input);
            self.counters.steps += 1;
            host.shard.step(now, input, &mut effects);
        }
        host.shard.end_turn(now, &mut effects);
        self.counters.turns += 1;
        let more = !host.inputs.is_empty();
        self.deliver(shard, &mut effects, around);
        if more {
            self.wake(shard, around);
        }
        self.set_alarm(index, around.schedule);
    }

    fn set_alarm(&mut self, index: usize, schedule: &mut Schedule) {
        let host = &mut self.hosts[index];
        let Some(deadline) = host.shard.next_deadline() else { return };
        if host.alarm.is_none_or(|alarm| deadline < alarm) {
            host.alarm = Some(deadline);
            schedule.at(deadline, Event::Deadline { life: self.life, shard: ShardId(index as u16) });
        }
    }

    /// A deadline is due, unless it has moved.
    pub fn deadline(&mut self, shard: ShardId, around: &mut Surroundings<'_>) {
        let now = around.schedule.instant();
        let host = &mut self.hosts[usize::from(shard.0)];
        if host.alarm.is_some_and(|alarm| alarm <= now) {
            host.alarm = None;
        }
        if host.shard.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.input(shard, Input::Tick, around);
        } else {
            self.set_alarm(usize::from(shard.0), around.schedule);
        }
    }

    /// The next message of a pair arrives.
    pub fn message(&mut self, from: ShardId, to: ShardId, around: &mut Surroundings<'_>) {
        let Some(message) = self.mesh.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return };
        self.counters.messages += 1;
        self.input(to, Input::Shard { from, message }, around);
    }

    fn deliver(&mut self, shard: ShardId, effects: &mut Effects, around: &mut Surroundings<'_>) {
        let now = around.schedule.instant();
        while let Some(effect) = effects.pop() {
            around.trace.effect(now, shard.0, &effect);
            let Some(effect) = around.disk.submit(self.life, shard, effect, around.schedule) else {
                continue;
            };
            match effect {
                Effect::Send { connection, pieces } => {
                    around.network.send(shard, connection, pieces, around.disk, around.schedule);
                }
                Effect::Close { connection } => {
                    around.network.close_effect(shard, connection, around.schedule);
                }
                Effect::Pause { connection } => {
                    around.network.pause(shard, connection, true, around.schedule);
                }
                Effect::Resume { connection } => {
                    around.network.pause(shard, connection, false, around.schedule);
                }
                Effect::TellShard { to, message } => {
                    self.mesh.entry((shard, to)).or_default().push_back(message);
                    let delay = around.random.log_uniform(500, 100_000);
                    around.schedule.after(delay, Event::Mesh { life: self.life, from: shard, to });
                }
                Effect::Stopped => self.hosts[usize::from(shard.0)].stopped = true,
                Effect::NothingToServe => self.ends = true,
                other => around.disk.violations.push(format!("nobody takes the effect {other:?}")),
            }
        }
    }
}
