//! One world: a broker, its disk, its network and its clients, from one seed, in virtual time.
//!
//! It goes through phases. Chaos: faults and crashes, until the broker has been through enough. Settling: the faults stop
//! and everything that was begun must end. Reading: the broker starts once more, everything is read and compared.

use std::collections::BTreeMap;

use penstock::effect::Effects;
use penstock::input::Input;
use penstock::model::{DiskSpace, Instant, LogDir, ShardId};
use penstock::shard::Shard;

use crate::boot::{self, BootFailure};
use crate::checkers::Ledger;
use crate::checkers::groups::Slot;
use crate::client::admin::Admin;
use crate::client::consumer::{Consumer, ConsumerPlan};
use crate::client::consumer_member::ConsumerMember;
use crate::client::loner::Loner;
use crate::client::member::{Member, MemberPlan};
use crate::client::producer::Producer;
use crate::client::{Alarm, Client, Io};
use crate::coverage::Coverage;
use crate::disk::{Completion, Disk, Fuse};
use crate::mutations::Mutation;
use crate::network::{Arrivals, ClientArrival, Network};
use crate::node::{Node, Surroundings};
use crate::plan::Plan;
use crate::random::Random;
use crate::schedule::{ClientId, Event, Life, Schedule};
use crate::trace::{Trace, WORLD};

/// A phase that lasts longer in virtual time has come to nothing.
const PHASE_NS_MAX: u64 = 600_000_000_000;
const EVENTS_MAX: u64 = 20_000_000;

/// A broker that has crashed so often is left alone.
const CRASHES_MAX: u32 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Chaos,
    Settling,
    /// The last life ends: by a crash, or by a stop.
    Ending,
    Reading,
    Done,
}

/// A client with its own stream of chance. `turn` counts its alarms: only the last one rings.
struct Seat {
    client: Box<dyn Client>,
    random: Random,
    turn: u64,
}

/// What became of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub seed: u64,
    pub hash: u64,
    pub steps: u64,
    pub crashes: u32,
    pub commits: u64,
    pub acknowledged: u64,
    pub violations: Vec<String>,
    /// The last steps, if there are violations.
    pub tail: String,
    pub coverage: Coverage,
}

pub struct World {
    seed: u64,
    plan: Plan,
    mutation: Mutation,
    schedule: Schedule,
    disk: Disk,
    network: Network,
    node: Option<Node>,
    life: Life,
    seats: Vec<Seat>,
    pub ledger: Ledger,
    pub trace: Trace,
    random: Random,
    node_random: Random,
    phase: Phase,
    phase_since: Instant,
    events: u64,
    steps: u64,
    commits: u64,
    crashes: u32,
    coverage: Coverage,
    /// The power goes when so many more stages of disk operations are over: between a write and its sync, mostly.
    stages_left: Option<u64>,
    /// The broker that runs was told that the disk is full.
    told_full: bool,
}

impl World {
    #[must_use]
    pub fn new(seed: u64, plan: Plan, mutation: Mutation) -> World {
        let mut world = World {
            seed,
            mutation,
            schedule: Schedule::new(seed),
            disk: Disk::new(seed),
            network: Network::new(seed),
            node: None,
            life: Life(0),
            seats: Vec::new(),
            ledger: Ledger::default(),
            trace: Trace::default(),
            random: Random::stream(seed, "world"),
            node_random: Random::stream(seed, "node"),
            phase: Phase::Chaos,
            phase_since: Instant(0),
            events: 0,
            steps: 0,
            commits: 0,
            crashes: 0,
            coverage: Coverage::default(),
            stages_left: None,
            told_full: false,
            plan,
        };
        world.disk.mutations = mutation.disk;
        world.disk.faults = world.plan.disk_faults;
        world.network.faults = world.plan.network_faults;
        world.seat(Box::new(Admin::new(world.plan.admin.clone())));
        for producer in world.plan.producers.clone() {
            world.seat(Box::new(Producer::new(producer)));
        }
        for consumer in world.plan.consumers.clone() {
            world.seat(Box::new(Consumer::new(consumer)));
        }
        for member in world.plan.members.clone() {
            world.seat(Box::new(Member::new(member)));
        }
        for member in world.plan.consumer_members.clone() {
            (0..member.partitions)
                .for_each(|partition| world.ledger.shares_out((member.group.clone(), partition)));
            world.seat(Box::new(ConsumerMember::new(member)));
        }
        for loner in world.plan.loners.clone() {
            world.seat(Box::new(Loner::new(loner)));
        }
        world.schedule.after(0, Event::Start);
        world.plan_full_disk();
        world
    }

    fn plan_full_disk(&mut self) {
        if self.plan.full_gap_ns_max > 0 {
            let gap = self.random.log_uniform(1_000_000, self.plan.full_gap_ns_max);
            let dir = LogDir(self.random.below(u64::from(self.plan.log_dirs)) as u8);
            self.schedule.after(gap, Event::Space { dir, full: true });
        }
    }

    /// The disk fills up, or somebody makes room. The broker may hear of the first, and hears of the second if it did.
    fn on_space(&mut self, dir: LogDir, full: bool) {
        if full && self.phase != Phase::Chaos {
            return;
        }
        let free_bytes = self.disk.fill_up(dir, full);
        if full {
            self.told_full = self.random.percent(50);
            let lasts = self.random.log_uniform(1_000_000, self.plan.full_ns_max);
            self.schedule.after(lasts, Event::Space { dir, full: false });
        } else {
            self.plan_full_disk();
        }
        if self.told_full {
            self.told_full = full;
            self.tell_space(dir, free_bytes);
        }
    }

    fn tell_space(&mut self, dir: LogDir, free_bytes: u64) {
        let shards = self.node.as_ref().map_or(0, Node::shards);
        for shard in (0..shards).map(ShardId) {
            let input = Input::DiskSpace {
                dir,
                space: DiskSpace { total_bytes: u64::MAX, usable_bytes: free_bytes },
            };
            self.input(shard, input);
        }
    }

    fn seat(&mut self, client: Box<dyn Client>) {
        let number = self.seats.len() as u16;
        let random = Random::stream(self.seed, &format!("client {number}"));
        self.seats.push(Seat { client, random, turn: 0 });
        self.schedule.after(1_000, Event::Client { client: ClientId(number), turn: 0 });
    }

    /// Runs to the end, or to the first violation.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        while self.phase != Phase::Done && self.ledger.violations.is_empty() {
            let Some(event) = self.schedule.pop() else {
                self.ledger.violation("something always happens", "no event is left".to_owned());
                break;
            };
            self.events += 1;
            self.handle(event);
            self.gather_violations();
            self.maybe_next_phase();
        }
        if self.phase == Phase::Done {
            self.check_thickness();
        }
        self.outcome()
    }

    /// A run that never meets trouble proves nothing.
    fn check_thickness(&mut self) {
        let plan = &self.plan;
        let thin =
            self.steps < plan.steps_min || self.crashes < plan.crashes_min || self.commits < plan.commits_min;
        if thin {
            let what = format!("{} steps, {} crashes, {} commits", self.steps, self.crashes, self.commits);
            self.ledger.violation("every seed is thick", what);
        }
    }

    fn gather_violations(&mut self) {
        for what in self.disk.violations.drain(..).chain(self.network.violations.drain(..)) {
            self.ledger.violation("the border is kept", what);
        }
    }

    fn is_current(&self, life: Life) -> bool {
        self.node.as_ref().is_some_and(|node| node.life == life)
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Disk { life, operation } if life == self.life => {
                let completion = self.disk.complete(life, operation, &mut self.schedule);
                if let Completion::Answer(shard, input) = completion {
                    self.input(shard, input);
                }
                self.count_stage();
            }
            Event::Turn { life, shard } if self.is_current(life) => {
                self.with_node(|node, around| node.turn(shard, around));
                self.after_turn();
            }
            Event::Mesh { life, from, to } if self.is_current(life) => {
                self.with_node(|node, around| node.message(from, to, around));
            }
            Event::Deadline { life, shard } if self.is_current(life) => {
                self.with_node(|node, around| node.deadline(shard, around));
            }
            Event::ToBroker { link } => {
                let arrivals = self.network.on_to_broker(link, &mut self.schedule);
                self.arrive(arrivals);
            }
            Event::FromBroker { link } => {
                let arrivals = self.network.on_from_broker(link, &self.disk, &mut self.schedule);
                self.arrive(arrivals);
            }
            Event::ToClient { link } => {
                let arrivals = self.network.on_to_client(link, &mut self.schedule);
                self.arrive(arrivals);
            }
            Event::Client { client, turn } => {
                if self.seats.get(usize::from(client.0)).is_some_and(|seat| seat.turn == turn) {
                    self.with_client(client, |client, io| client.wake(io));
                }
            }
            Event::Crash { life } if self.is_current(life) => self.crash(),
            Event::Stop { life } if self.is_current(life) => {
                self.with_node(Node::stop);
                let patience = if self.random.percent(30) { 20_000_000 } else { PHASE_NS_MAX / 4 };
                self.schedule.after(patience, Event::Crash { life });
            }
            Event::Start => self.start(),
            Event::Space { dir, full } => self.on_space(dir, full),
            // Of an earlier life.
            Event::Disk { .. }
            | Event::Turn { .. }
            | Event::Mesh { .. }
            | Event::Deadline { .. }
            | Event::Crash { .. }
            | Event::Stop { .. } => {}
        }
    }

    fn count_stage(&mut self) {
        let moment = self.disk.take_moment() && self.phase == Phase::Chaos;
        if moment && self.may_crash() && self.node.is_some() && self.random.percent(self.plan.moment_percent)
        {
            self.coverage.add("crashes at a chosen moment", 1);
            self.crash();
            return;
        }
        let Some(left) = &mut self.stages_left else { return };
        *left = left.saturating_sub(1);
        if *left == 0 && self.node.is_some() {
            self.coverage.add("crashes between stages of a disk operation", 1);
            self.crash();
        }
    }

    fn with_node(&mut self, act: impl FnOnce(&mut Node, &mut Surroundings<'_>)) {
        let Some(node) = &mut self.node else { return };
        let mut around = Surroundings {
            disk: &mut self.disk,
            network: &mut self.network,
            schedule: &mut self.schedule,
            trace: &mut self.trace,
            random: &mut self.node_random,
        };
        act(node, &mut around);
    }

    fn with_client(&mut self, id: ClientId, act: impl FnOnce(&mut dyn Client, &mut Io<'_>) -> Alarm) {
        let shards = self.node.as_ref().map_or(0, Node::shards);
        let thin = self.phase == Phase::Chaos && !self.is_thick();
        let Some(seat) = self.seats.get_mut(usize::from(id.0)) else { return };
        let mut io = Io {
            client: id,
            network: &mut self.network,
            schedule: &mut self.schedule,
            ledger: &mut self.ledger,
            random: &mut seat.random,
            shards,
            calm: self.phase != Phase::Chaos,
            thin,
        };
        if let Some(delay) = act(seat.client.as_mut(), &mut io) {
            seat.turn += 1;
            self.schedule.after(delay, Event::Client { client: id, turn: seat.turn });
        }
    }

    fn input(&mut self, shard: ShardId, input: Input) {
        self.with_node(|node, around| node.input(shard, input, around));
        let failed = self.node.as_ref().is_some_and(|node| node.failed);
        if failed && let Some(node) = &mut self.node {
            // Somebody notices, some time later, and restarts it.
            node.failed = false;
            let life = node.life;
            self.schedule.after(self.random.log_uniform(1_000_000, 2_000_000_000), Event::Crash { life });
        }
    }

    fn arrive(&mut self, arrivals: Arrivals) {
        for (shard, input) in arrivals.inputs {
            self.input(shard, input);
        }
        if let Some((client, link, arrival)) = arrivals.to_client {
            self.with_client(client, |client, io| match arrival {
                ClientArrival::Bytes(bytes) => client.arrived(io, link, bytes),
                ClientArrival::Closed => client.closed(io, link),
            });
        }
    }

    /// A broker that has stopped exits, and one that can serve nothing ends soon.
    fn after_turn(&mut self) {
        if let Some(node) = self.node.as_mut().filter(|node| node.ends) {
            node.ends = false;
            let life = node.life;
            self.coverage.add("node: ends as every log dir has failed", 1);
            self.schedule.after(self.random.log_uniform(1_000, 20_000_000), Event::Crash { life });
        }
        if self.node.as_ref().is_some_and(Node::is_stopped) {
            self.coverage.add("orderly stops completed", 1);
            self.end_life();
        }
    }

    fn crash(&mut self) {
        if self.phase == Phase::Chaos {
            self.crashes += 1;
        }
        self.end_life();
    }

    fn end_life(&mut self) {
        let now = self.schedule.instant();
        self.trace.step(now, WORLD, "the power goes", [u64::from(self.life.0), 0, 0]);
        if let Some(node) = self.node.take() {
            self.steps += node.counters.steps;
            self.commits += node.counters.commits;
            self.coverage.add_node(&node);
        }
        self.stages_left = None;
        self.told_full = false;
        self.network.crash(&mut self.schedule);
        self.disk.crash();
        self.life = Life(self.life.0 + 1);
        self.schedule.after(self.random.log_uniform(1_000_000, 500_000_000), Event::Start);
    }

    fn start(&mut self) {
        self.life = Life(self.life.0 + 1);
        let shards = *self.random.pick(&self.plan.shards);
        let chaos = self.phase == Phase::Chaos;
        let burns = chaos && self.random.percent(self.plan.recovery_crash_percent);
        let fuse = if burns { Some(self.random.log_uniform(1, 400)) } else { None };
        self.disk.set_fuse(Fuse::after(fuse));
        if self.plan.wall_jumps && chaos {
            // Less than what makes a timestamp of before the jump invalid.
            let before = self.schedule.now().wall_ms;
            self.schedule.skew_wall(self.random.below(2_400_000) as i64 - 1_200_000);
            self.ledger.wall_was_set(before, self.schedule.now().wall_ms);
        }
        let now = self.schedule.now();
        let around = (&mut self.disk, &mut self.random);
        let started =
            boot::start((shards, !chaos), &self.plan, self.mutation, now, around, &mut self.coverage);
        self.disk.set_fuse(Fuse::default());
        let number = u64::from(self.life.0);
        match started {
            Ok(started) => {
                self.trace.step(
                    now.instant,
                    WORLD,
                    "starts",
                    [number, u64::from(shards), started.len() as u64],
                );
                self.begin_life(started);
            }
            Err(BootFailure::PowerWent) => {
                self.trace.step(now.instant, WORLD, "the power goes during recovery", [number, 0, 0]);
                self.coverage.add("crashes during recovery", 1);
                self.disk.crash();
                self.schedule.after(self.random.log_uniform(1_000_000, 50_000_000), Event::Start);
            }
            Err(BootFailure::Refused(why)) => {
                self.ledger.violation("a broker that crashed starts", why);
            }
        }
    }

    fn begin_life(&mut self, shards: Vec<(Shard, Effects)>) {
        let life = self.life;
        let mut around = Surroundings {
            disk: &mut self.disk,
            network: &mut self.network,
            schedule: &mut self.schedule,
            trace: &mut self.trace,
            random: &mut self.node_random,
        };
        self.node = Some(Node::new(life, shards, &mut around));
        if self.phase == Phase::Chaos && self.may_crash() {
            let lasts = self.random.log_uniform(1_000_000, self.plan.life_ns_max);
            let orderly = self.random.percent(self.plan.stop_percent);
            let end = if orderly { Event::Stop { life } } else { Event::Crash { life } };
            self.schedule.after(lasts, end);
            if self.random.percent(50) {
                self.stages_left = Some(self.random.log_uniform(1, 2_000));
            }
        }
        if self.phase == Phase::Ending {
            self.enter(Phase::Reading);
            self.seats.clear();
            let sessions = self.random.percent(50);
            let drain = ConsumerPlan {
                topics: Vec::new(),
                by_id: true,
                sessions,
                pause_ns_max: 1_000_000,
                drains: true,
            };
            self.seat(Box::new(Consumer::new(drain)));
            if let Some(member) = self.plan.members.first().cloned() {
                self.seat(Box::new(Member::new(MemberPlan { audits: true, ..member })));
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_since = self.schedule.instant();
        self.trace.step(self.phase_since, WORLD, "phase", [phase as u64, 0, 0]);
    }

    /// Where each start meets a crash before its first commit, chaos would have no end.
    fn may_crash(&self) -> bool {
        self.crashes < CRASHES_MAX
    }

    fn is_thick(&self) -> bool {
        let (steps, commits) =
            self.node.as_ref().map_or((0, 0), |node| (node.counters.steps, node.counters.commits));
        self.steps + steps >= self.plan.steps_min && self.commits + commits >= self.plan.commits_min
    }

    fn maybe_next_phase(&mut self) {
        match self.phase {
            Phase::Chaos => {
                if self.is_thick() && self.crashes >= self.plan.crashes_min {
                    self.disk.faults = Default::default();
                    if let Some(dir) = self.disk.full() {
                        self.on_space(dir, false);
                    }
                    self.network.faults = Default::default();
                    self.stages_left = None;
                    self.enter(Phase::Settling);
                }
            }
            Phase::Settling => {
                let is_whole =
                    || self.seats.iter().all(|seat| seat.client.is_done()) && self.unowned().is_empty();
                if self.node.is_some() && is_whole() {
                    self.enter(Phase::Ending);
                    let orderly = self.random.percent(50);
                    let life = self.life;
                    let end = if orderly { Event::Stop { life } } else { Event::Crash { life } };
                    self.schedule.after(self.random.log_uniform(1_000, 100_000_000), end);
                }
            }
            Phase::Reading => self.maybe_finish(),
            Phase::Ending | Phase::Done => {}
        }
        self.check_patience();
    }

    /// Partitions that consumer groups do not share out.
    fn unowned(&self) -> Vec<&Slot> {
        self.ledger.unowned(self.schedule.instant())
    }

    fn check_patience(&mut self) {
        let late =
            self.schedule.instant().ns_since(self.phase_since) > PHASE_NS_MAX || self.events > EVENTS_MAX;
        if late && self.phase != Phase::Done {
            let clients: Vec<String> = self
                .seats
                .iter()
                .filter(|seat| !seat.client.is_done())
                .map(|seat| seat.client.describe())
                .collect();
            let unowned = self.unowned().len();
            let what = format!(
                "{:?} does not end after {} events, {unowned} partitions unowned: {clients:#?}",
                self.phase, self.events
            );
            self.ledger.violation("what was begun ends", what);
        }
    }

    fn maybe_finish(&mut self) {
        let drained =
            self.seats.first().and_then(|seat| seat.client.as_consumer()).and_then(Consumer::drained);
        let Some(read) = drained else { return };
        // The first is the drain; an audit may be under way beside it.
        if !self.seats.iter().skip(1).all(|seat| seat.client.is_done()) {
            return;
        }
        let read: BTreeMap<_, _> = read;
        self.ledger.last_word(&read);
        if let Some(node) = self.node.take() {
            self.steps += node.counters.steps;
            self.commits += node.counters.commits;
            self.coverage.add_node(&node);
        }
        self.enter(Phase::Done);
    }

    fn outcome(mut self) -> Outcome {
        self.coverage.add_world(&self.disk.counters, &self.network.counters, &self.ledger);
        let tail = if self.ledger.violations.is_empty() { String::new() } else { self.trace.tail() };
        Outcome {
            seed: self.seed,
            hash: self.trace.hash(),
            steps: self.steps,
            crashes: self.crashes,
            commits: self.commits,
            acknowledged: self.ledger.acknowledged,
            violations: self.ledger.violations,
            tail,
            coverage: self.coverage,
        }
    }
}
