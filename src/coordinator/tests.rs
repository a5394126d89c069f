//! A host with the simplest coordinator there is: sums by name.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::record::{self, BatchBuilder};

use super::*;
use crate::config::RawConfig;
use crate::effect::CommitId;
use crate::model::{BrokerId, Offset};
use crate::mutations::Mutations;

const BATCH_BYTES_MAX: u32 = 400;

/// An ask is a name and a number: adds, and tells the sum. `park`: is answered at the next deadline only.
#[derive(Debug, Default)]
struct Sums {
    sums: BTreeMap<String, i64>,
    parked: Vec<Ticket>,
    forgotten: Vec<Ticket>,
    loaded: bool,
}

impl Coordinator for Sums {
    type Ask = (&'static str, i64);
    type Answer = i64;

    fn replay(
        &mut self,
        _view: View<'_>,
        _timestamp_ms: i64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), NotReplayed> {
        let name = String::from_utf8(key.to_vec()).map_err(|_| NotReplayed { reason: "no name" })?;
        match value {
            Some(value) => {
                let sum = value.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
                self.sums.insert(name, sum.ok_or(NotReplayed { reason: "no sum" })?);
            }
            None => {
                self.sums.remove(&name);
            }
        }
        Ok(())
    }

    fn on_loaded(&mut self, _view: View<'_>, _decision: &mut Decision<i64>) {
        self.loaded = true;
    }

    fn handle(
        &mut self,
        _view: View<'_>,
        ticket: Ticket,
        ask: (&'static str, i64),
        decision: &mut Decision<i64>,
    ) {
        let (name, number) = ask;
        match name {
            "park" => self.parked.push(ticket),
            "read" => decision.answer(ticket, self.sums.values().sum()),
            // More names than fit a batch.
            "many" => {
                decision.records.extend((0..number).map(|index| sum(&format!("many{index}"), index)));
                decision.answer(ticket, number);
            }
            "large" => {
                let value = Some(Bytes::from(vec![0; 500]));
                decision.records.push(CoordinatorRecord { key: Bytes::from_static(b"large"), value });
                decision.answer(ticket, 0);
            }
            name => {
                let total = self.sums.get(name).unwrap_or(&0) + number;
                decision.records.push(sum(name, total));
                decision.answer(ticket, total);
            }
        }
    }

    fn forget(&mut self, _view: View<'_>, ticket: Ticket, _decision: &mut Decision<i64>) {
        self.parked.retain(|parked| *parked != ticket);
        self.forgotten.push(ticket);
    }

    fn on_time(&mut self, _view: View<'_>, decision: &mut Decision<i64>) {
        decision.answers.extend(self.parked.drain(..).map(|ticket| (ticket, -1)));
    }

    fn on_pause(&mut self, _paused_ms: u64) {}

    fn on_image(&mut self, _view: View<'_>, _decision: &mut Decision<i64>) {}

    fn next_deadline(&self) -> Option<Instant> {
        (!self.parked.is_empty()).then_some(Instant(5))
    }
}

fn sum(name: &str, sum: i64) -> CoordinatorRecord {
    let value = Some(Bytes::copy_from_slice(&sum.to_be_bytes()));
    CoordinatorRecord { key: Bytes::copy_from_slice(name.as_bytes()), value }
}

struct World {
    host: Host<Sums>,
    image: MetadataImage,
    config: Config,
    tickets: u64,
}

impl World {
    fn new() -> World {
        let mut world = World {
            host: Host::new(Sums::default(), Offset::ZERO),
            image: MetadataImage::empty("c".into(), BrokerId(1)),
            config: Config::validate(&RawConfig::default()).unwrap(),
            tickets: 0,
        };
        world.host.set_batch_bytes_max(BATCH_BYTES_MAX);
        world
    }

    fn loaded() -> World {
        let mut world = World::new();
        let (view, host) = world.split(0);
        host.on_loaded(view);
        world
    }

    fn split(&mut self, ns: u64) -> (View<'_>, &mut Host<Sums>) {
        let now = Now { instant: Instant(ns), wall_ms: 1000 };
        (
            View { now, image: &self.image, config: &self.config, mutations: Mutations::default() },
            &mut self.host,
        )
    }

    fn ask(&mut self, name: &'static str, number: i64) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let (view, host) = self.split(0);
        host.ask(view, ticket, (name, number));
        ticket
    }

    fn append(&mut self, commit: u64) -> Vec<Bytes> {
        let batches = self.host.take_batches();
        self.host.on_appended((!batches.is_empty()).then_some(CommitId(commit)));
        batches
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let (view, host) = self.split(0);
        host.load(view, bytes).map_err(|unloadable| unloadable.reason)
    }
}

/// A batch of sums at this offset.
fn batch(base_offset: i64, names: &[(&str, i64)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().base_offset(base_offset);
    for (name, number) in names {
        builder.append(1, Some(name.as_bytes()), Some(&number.to_be_bytes()), &[]);
    }
    builder.build().to_vec()
}

#[test]
fn answers_wait_for_the_commit_of_all_that_was_decided_before_them() {
    let mut world = World::loaded();
    let added = world.ask("a", 2);
    let read = world.ask("read", 0);
    assert!(world.host.has_batches() && world.host.release(CommitId(9)).is_empty());
    assert_eq!(world.append(3).len(), 1);
    let later = world.ask("read", 0);
    assert!(world.append(0).is_empty());
    assert_eq!(world.host.release(CommitId(2)), []);
    assert_eq!(world.host.release(CommitId(3)), [(added, 2), (read, 2), (later, 2)]);
    let free = world.ask("read", 0);
    world.append(0);
    assert_eq!(world.host.release(CommitId(3)), [(free, 2)]);
}

#[test]
fn what_a_turn_decides_makes_as_few_batches_as_fit() {
    let mut world = World::loaded();
    for number in 0..3 {
        world.ask("a", number);
    }
    let batches = world.append(1);
    let counts: Vec<usize> = batches.iter().map(|bytes| record::batches(bytes).count()).collect();
    assert_eq!((counts, batches[0].len() <= BATCH_BYTES_MAX as usize), (vec![1], true));
    // A decision that fits no batch makes several, and its answer waits for all.
    let many = world.ask("many", 40);
    let batches = world.append(2);
    assert!(batches.len() > 1 && batches.iter().all(|bytes| bytes.len() <= BATCH_BYTES_MAX as usize));
    assert_eq!(world.host.release(CommitId(2)).last(), Some(&(many, 40)));
}

#[test]
fn a_record_that_fits_no_batch_breaks_the_host() {
    let mut world = World::loaded();
    assert_eq!(world.host.take_broken(), None);
    let large = world.ask("large", 0);
    assert_eq!(world.host.take_broken(), Some(vec![large]));
}

#[test]
fn a_parked_answer_comes_with_time_unless_it_is_forgotten() {
    let mut world = World::loaded();
    let (stays, goes) = (world.ask("park", 0), world.ask("park", 0));
    let (view, host) = world.split(4);
    host.on_time(view);
    host.forget(view, goes);
    world.append(0);
    assert_eq!(world.host.release(CommitId(0)), []);
    let (view, host) = world.split(5);
    host.on_time(view);
    world.append(0);
    assert_eq!(world.host.release(CommitId(0)), [(stays, -1)]);
    // An answer that waits for its commit is not given either.
    let added = world.ask("a", 1);
    world.append(1);
    let (view, host) = world.split(5);
    host.forget(view, added);
    assert_eq!(world.host.release(CommitId(1)), []);
}

#[test]
fn a_partition_is_loaded_batch_by_batch_whatever_it_is_cut_into() {
    let mut bytes = batch(0, &[("a", 1), ("b", 2)]);
    let cut = bytes.len() + 20;
    bytes.extend(batch(2, &[("a", 5)]));
    let mut world = World::new();
    assert_eq!(world.load(&bytes[..cut]), Ok(()));
    assert_eq!(world.host.phase(), Phase::Loading { next: Offset(2) });
    assert_eq!(world.load(&bytes[cut - 20..]), Ok(()));
    let (view, host) = world.split(0);
    host.on_loaded(view);
    let read = world.ask("read", 0);
    world.append(0);
    assert_eq!(world.host.release(CommitId(0)), [(read, 7)]);
}

#[test]
fn records_below_the_next_offset_are_not_replayed_twice() {
    let mut world = World::new();
    world.load(&batch(0, &[("a", 1)])).unwrap();
    world.load(&batch(0, &[("a", 9), ("b", 2)])).unwrap();
    let (view, host) = world.split(0);
    host.on_loaded(view);
    let read = world.ask("read", 0);
    world.append(0);
    assert_eq!(world.host.release(CommitId(0)), [(read, 3)]);
}

#[test]
fn what_cannot_be_loaded_is_told() {
    let whole = batch(0, &[("a", 1)]);
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let mut other_format = whole.clone();
    other_format[16] = 1;
    for (bytes, reason) in [
        (&damaged, "a batch is damaged"),
        (&other_format, "no batch stands where one must"),
        (&whole[..30].to_vec(), "the batch that holds the next offset is not whole"),
    ] {
        assert_eq!(World::new().load(bytes), Err(reason));
    }
    // A record that only the coordinator does not understand is left out.
    let mut builder = BatchBuilder::new();
    builder.append(1, Some(b"a"), Some(b"short"), &[]);
    builder.append(1, None, Some(b"no key"), &[]);
    assert_eq!(World::new().load(&builder.build()), Ok(()));
}
