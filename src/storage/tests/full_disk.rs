//! A disk without room: what is refused, what goes on, how it ends.

use super::super::*;
use super::model_disk::Random;
use super::world::{Setup, World, batch_by, topic_partition};
use crate::model::DiskSpace;

/// A full disk refuses records, loses none, and is over when what it refused has gone through.
#[test]
fn a_full_disk_is_waited_out() {
    let mut world = World::new(Setup::default(), 11);
    world.run(2_000);
    world.full = true;
    world.run(4_000);
    world.settle();
    assert!(world.shards[0].storage.lacks_space());
    let due = world.shards[0].storage.next_deadline().expect("it is tried again");
    assert!(due > world.now.instant);
    let refusals = world.shards[0].storage.counters().space_refusals;
    world.now.instant = due;
    world.settle();
    assert_eq!(world.shards[0].storage.counters().space_refusals, refusals + 1, "one at a time");
    let later = world.shards[0].storage.next_deadline().expect("it is tried again");
    assert!(later.ns_since(due) == 2 * crate::limits::SPACE_RETRY_MS_MIN * 1_000_000, "after a longer pause");
    for index in 0..world.setup.partitions {
        world.check_reads(topic_partition(index));
    }
    world.full = false;
    world.now.instant = later;
    world.settle();
    assert!(!world.shards[0].storage.lacks_space(), "it is over");
    assert_eq!(world.shards[0].storage.next_deadline(), None);
    world.run(4_000);
    world.settle();
    assert!(world.expected.values().all(|expected| expected.acknowledged == expected.batches.len() as i64));
    world.crash();
    world.start().expect("a crash is recovered from");
}

/// The first of two batches on their way was refused: the second is not taken for the beginning, though there is room again.
#[test]
fn a_batch_does_not_overtake_one_that_found_no_room() {
    let mut world = World::new(Setup::default(), 12);
    let (_, id) = world.logs[&topic_partition(1)];
    let mut now = world.now;
    let storage = &mut world.shards[0].storage;
    let tell = |storage: &mut Storage, usable_bytes| {
        let input =
            Input::DiskSpace { dir: LogDir(0), space: DiskSpace { total_bytes: u64::MAX, usable_bytes } };
        storage.on_input(now, &input, &mut Effects::default(), &mut Vec::new());
    };
    let append = |storage: &mut Storage, now, sequence| {
        let records = batch_by(&mut Random(1), (7, sequence), 10);
        storage.append(id, now, LeaderEpoch(1), records, false).map(|_| ()).map_err(|refused| refused.error)
    };
    let refused = Err(ErrorCode::KAFKA_STORAGE_ERROR);
    tell(storage, 0);
    assert_eq!(append(storage, now, 0), refused);
    tell(storage, u64::MAX);
    assert_eq!(append(storage, now, 1), refused, "it would overtake the first");
    assert_eq!(append(storage, now, 0), Ok(()));
    assert_eq!(append(storage, now, 1), Ok(()));
    // A producer that was forgotten goes on with any sequence, but not at once.
    storage.log_mut(id).expire_producers(Now { instant: Instant(u64::MAX), wall_ms: 0 }, 0);
    assert_eq!(append(storage, now, 2), refused);
    now.instant = now.instant.after_ms(crate::limits::OVERTAKING_MS_MAX);
    assert_eq!(append(storage, now, 2), Ok(()));
}

#[test]
fn a_crash_on_a_full_disk_loses_nothing_acknowledged() {
    for seed in 20..30 {
        let mut world = World::new(Setup::default(), seed);
        world.run(3_000);
        world.full = true;
        world.run(3_000);
        world.crash();
        world.full = false;
        world.start().expect("a crash is recovered from");
    }
}

#[test]
fn below_the_floor_records_are_refused_and_segments_written() {
    let mut world = World::new(Setup::default(), 12);
    world.run(500);
    world.told_of_space(0, 999);
    assert!(world.shards[0].storage.lacks_space());
    world.settle();
    assert_eq!(world.shards[0].storage.next_deadline(), None, "nothing waits");
    world.told_of_space(0, 1_100);
    assert!(world.shards[0].storage.lacks_space(), "not enough more than the floor");
    world.told_of_space(0, 1_250);
    assert!(!world.shards[0].storage.lacks_space());
}

#[test]
fn a_stop_on_a_full_disk_ends() {
    let mut world = World::new(Setup::default(), 13);
    world.run(3_000);
    world.full = true;
    world.run(3_000);
    world.shards[0].storage.stop(&mut Effects::default());
    while !world.shards[0].storage.is_stopped() {
        world.end_turn(0);
        assert!(world.complete_any(0) || world.shards[0].storage.is_stopped(), "stopping goes on");
    }
    world.crash();
    world.full = false;
    world.start().expect("the journal has what the segments lack");
}

/// Room comes for one segment at a time. Each would tell the journal of its seal in a block of its own, and nothing would be left of what
/// the ring keeps for releasing a file: with segments of an earlier run, and with those of this one.
#[test]
fn a_crowded_ring_hears_of_several_that_a_full_disk_lets_through_one_at_a_time() {
    let mut crowded = 0;
    for seed in 0..8 {
        let (journal_bytes_max, segment_bytes) = (1 << 19 << (seed % 2), 8_000 << (seed % 3));
        let setup = Setup { partitions: 150, journal_bytes_max, segment_bytes, ..Setup::default() };
        let mut world = World::new(setup, seed);
        world.run(1_000 + seed * 100);
        world.full = true;
        world.run(2_000);
        if seed % 4 < 2 {
            world.crash();
            world.recover().expect("a crash is recovered from");
        }
        close_all(&mut world);
        crowded += let_through_one_by_one(&mut world);
        world.full = false;
        world.run(1_000);
        world.settle();
        let late = world.expected.values().find(|one| one.acknowledged != one.batches.len() as i64);
        assert!(late.is_none(), "seed {seed}: {late:?}");
    }
    assert!(crowded > 0, "some ring was at its last blocks");
}

fn close_all(world: &mut World) {
    let World { logs, shards, .. } = world;
    for (shard, id) in logs.values() {
        shards[*shard].storage.maybe_close_active(*id);
    }
    world.settle();
}

/// Each trial finds room, and nothing else. How often several waited to be told.
fn let_through_one_by_one(world: &mut World) -> u64 {
    let mut told_together = 0;
    while world.shards[0].storage.lacks_space() {
        world.now.instant = world.shards[0].storage.next_deadline().expect("it is tried again");
        world.end_turn(0);
        world.full = false;
        while world.complete_any(0) {}
        world.full = true;
        told_together += u64::from(world.shards[0].storage.completed.len() > 1);
        world.settle();
    }
    told_together
}
