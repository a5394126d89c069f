//! Storage against a disk that loses what was not synced.

mod full_disk;
mod model_disk;
mod retention;
mod world;

use proptest::prelude::*;

use super::*;
use crate::effect::IndexFault;
use world::{Setup, World, topic_partition};

#[test]
fn an_append_is_durable_only_when_its_commit_is() {
    let mut world = World::new(Setup { partitions: 1, ..Setup::default() }, 1);
    world.settle();
    let of = topic_partition(0);
    world.append(of);
    world.end_turn(0);
    assert_eq!(world.expected[&of].acknowledged, 0);
    assert!(world.complete_any(0), "the commit");
    assert_eq!(world.expected[&of].acknowledged, 1);
    world.check_reads(of);
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    let mut world = World::new(Setup::default(), 2);
    for _ in 0..50 {
        world.append_any();
    }
    world.settle();
    assert!(world.expected.values().all(|expected| expected.acknowledged == expected.batches.len() as i64));
    world.crash();
    world.start().expect("a crash is recovered from");
}

#[test]
fn many_times_the_ring_flows_through_it() {
    let mut world = World::new(Setup::default(), 3);
    world.run(20_000);
    world.settle();
    let counters = *world.shards[0].storage.counters();
    assert!(counters.journal.bytes > 20 * world.setup.journal_bytes_max, "{counters:?}");
    assert!(counters.files_released > 20 && counters.segments_sealed > 20, "{counters:?}");
    assert!(counters.tail_bytes <= world.setup.tail_bytes_max + 64 * 1024, "{counters:?}");
    for index in 0..world.setup.partitions {
        world.check_reads(topic_partition(index));
    }
    world.crash();
    world.start().expect("a crash is recovered from");
}

/// A file that lost bytes takes its partition offline, at this start and the next, also when the journal no longer tells; the
/// others are as they were, and nothing of the damaged one is changed.
#[test]
fn damage_takes_one_partition_offline_for_good() {
    let mut world = World::new(Setup { segment_bytes: 1 << 20, ..Setup::default() }, 14);
    world.run(3_000);
    world.settle();
    world.crash();
    world.may_be_damaged = true;
    let of = topic_partition(2);
    let last =
        world.disk.segments().expect("a list").into_iter().filter(|(name, _)| name.topic_partition == of);
    let (name, length) = last.max().expect("it has a segment");
    assert!(length > 0);
    world.disk.damage(name, 0);
    for _ in 0..3 {
        world.start().expect("the others are served");
        assert_eq!(world.offline.keys().collect::<Vec<_>>(), [&of]);
        assert_eq!(world.disk.length(name), Some(0), "untouched");
        assert_eq!(world.logs.len(), 3);
        world.run(300);
        world.settle();
        world.crash();
    }
    assert!(world.disk.damaged.contains(&of), "the journal knew, so it is marked");
    assert!(!world.disk.aside.is_empty(), "what the journal had of it is kept");
}

#[test]
fn a_stop_seals_every_segment_and_leaves_nothing_to_replay() {
    let mut world = World::new(Setup::default(), 4);
    world.run(500);
    world.shards[0].storage.stop(&mut Effects::default());
    while !world.shards[0].storage.is_stopped() {
        world.end_turn(0);
        assert!(world.complete_any(0) || world.shards[0].storage.is_stopped(), "stopping goes on");
    }
    world.crash();
    let mut completed = 0;
    recover(
        &mut world.disk.clone(),
        world::DIRECTORY,
        1,
        &|_| Keep::Here,
        &|_| ShardId(0),
        &mut |progress| {
            completed = progress.segments_completed;
        },
    )
    .expect("a stopped broker leaves an exact disk");
    assert_eq!(completed, 0);
    world.start().expect("a stopped broker starts");
}

#[test]
fn a_deleted_partition_does_not_come_back() {
    let mut world = World::new(Setup::default(), 5);
    world.run(2_000);
    world.delete(topic_partition(1));
    world.run(2_000);
    world.settle();
    world.crash();
    world.start().expect("a crash is recovered from");
    let segments = world.disk.segments().expect("a list");
    assert!(segments.iter().all(|(name, _)| name.topic_partition != topic_partition(1)));
}

fn crashes(setup: Setup, seed: u64, rounds: u64) -> Result<(), RecoveryError> {
    let mut world = World::new(setup, seed);
    for _ in 0..rounds {
        let steps = world.random.below(1_500);
        world.run(steps);
        for (of, _) in world.logs.clone() {
            world.check_reads(of);
        }
        world.crash();
        let shards = 1 + world.random.below(3) as u16;
        world.restart(shards)?;
    }
    Ok(())
}

/// A first commit whose file header was lost, and then a header with the same sequence before it.
#[test]
fn a_commit_without_its_file_header_never_lines_up_again() {
    let setup = Setup {
        shards: 2,
        journal_bytes_max: 256 * 1024,
        tail_bytes_max: 64 * 1024,
        segment_bytes: 192 * 1024,
        batch_bytes_max: 1_500,
        ..Setup::default()
    };
    for seed in [17_102_142_142_351_550_921, 1, 2, 3] {
        crashes(setup, seed, 5).expect("a crash is recovered from");
    }
}

fn setups() -> impl Strategy<Value = Setup> {
    let numbers = (1..4u16, 1..12i32, 0..4u64, 1..40u64, 0..3u32, any::<bool>());
    numbers.prop_map(|(shards, partitions, ring, batch, segment, trims)| Setup {
        shards,
        partitions,
        journal_bytes_max: (256 * 1024) << ring,
        tail_bytes_max: (64 * 1024) << ring,
        segment_bytes: (48 * 1024) << segment,
        batch_bytes_max: batch * 500,
        trims,
        mutations: Mutations::default(),
        ..Setup::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn no_crash_loses_what_was_acknowledged(setup in setups(), seed in any::<u64>()) {
        crashes(setup, seed, 5).expect("a crash is recovered from");
    }
}

#[test]
fn many_partitions_in_a_tiny_ring_always_go_on() {
    for seed in 0..6 {
        let setup = Setup {
            partitions: 200,
            journal_bytes_max: 2 * 1024 * 1024,
            tail_bytes_max: 512 * 1024,
            batch_bytes_max: [60, 600, 9_000][seed as usize % 3],
            ..Setup::default()
        };
        let mut world = World::new(setup, seed);
        for _ in 0..40 {
            for _ in 0..400 {
                world.append_any();
            }
            world.run(400);
            // All that was appended becomes durable, whatever the order of the device.
            world.settle();
            let late = world.expected.values().find(|one| one.acknowledged != one.batches.len() as i64);
            assert!(late.is_none(), "seed {seed}: {late:?}, {:?}", world.shards[0].storage.counters());
        }
        assert!(world.shards[0].storage.counters().files_released > 0);
    }
}

/// Each of many partitions gets a little, once; then one of them fills the ring again and again.
#[test]
fn a_quiet_partition_costs_no_carried_bytes_and_no_memory() {
    let setup = Setup {
        partitions: 40,
        journal_bytes_max: 4 * 1024 * 1024,
        segment_bytes: 256 * 1024 * 1024,
        batch_bytes_max: 3_000,
        index_bytes_max: 1024 * 1024,
        ..Setup::default()
    };
    let mut world = World::new(setup, 11);
    for index in 0..40 {
        world.append(topic_partition(index));
    }
    world.settle();
    let lap = |world: &mut World| {
        for _ in 0..4_000 {
            world.append(topic_partition(0));
            if world.shards[0].storage.is_full() {
                world.settle();
            }
        }
        world.settle();
        *world.shards[0].storage.counters()
    };
    let first = lap(&mut world);
    let second = lap(&mut world);
    assert!(second.files_released > first.files_released + 3, "{second:?}");
    // Only of the busy one, less than a block each time.
    let released = second.files_released - first.files_released;
    assert!(second.carried_bytes - first.carried_bytes <= released * BLOCK_BYTES, "{first:?} {second:?}");
    assert_eq!(second.segments_sealed, 0, "quiet partitions are not sealed for room");
    for index in 1..40 {
        let (_, id) = world.logs[&topic_partition(index)];
        assert_eq!(world.shards[0].storage.log(id).tail_bytes(), 0, "partition {index}");
        world.check_reads(topic_partition(index));
    }
    // They wake, and their last blocks are written again.
    for _ in 0..3 {
        for index in 0..40 {
            world.append(topic_partition(index));
        }
        lap(&mut world);
        world.crash();
        world.start().expect("a crash is recovered from");
    }
}

/// What their logs know of producers, together, is more than a journal file.
#[test]
fn many_producers_in_many_partitions_do_not_make_small_segments() {
    let setup = Setup {
        partitions: 40,
        journal_bytes_max: 4 * 1024 * 1024,
        segment_bytes: 256 * 1024 * 1024,
        batch_bytes_max: 60_000,
        index_bytes_max: 1024 * 1024,
        ..Setup::default()
    };
    let mut world = World::new(setup, 13);
    for producer in 10..90 {
        for index in 0..40 {
            world.append_by(topic_partition(index), producer);
        }
        world.settle();
    }
    let known = *world.shards[0].storage.counters();
    for _ in 0..6_000 {
        world.append_any();
        world.run(3);
    }
    world.settle();
    let counters = *world.shards[0].storage.counters();
    assert!(counters.files_released > known.files_released + 30, "{counters:?}");
    assert_eq!((counters.segments_sealed, counters.checkpoints_left_out), (0, 0), "{counters:?}");
    assert!(counters.recorded_already > 200, "{counters:?}");
    world.crash();
    world.restart_without_scans().unwrap();
    for index in 0..40 {
        world.check_reads(topic_partition(index));
    }
}

#[test]
fn a_start_after_a_crash_reads_no_byte_of_a_segment() {
    let setup = Setup { partitions: 6, segment_bytes: 64 * 1024 * 1024, ..Setup::default() };
    let mut gone_on_with = 0;
    for seed in 0..4 {
        let mut world = World::new(setup, seed);
        for round in 0..3 {
            world.run(5_000);
            let counters = *world.shards[0].storage.counters();
            assert!(counters.files_released > 3, "{counters:?}");
            // Those that the crash before left open, if their journal is gone on with: a ring without a free file is not.
            assert!(counters.segments_sealed == 0 || round > 0, "{counters:?}");
            gone_on_with += counters.segments_sealed / 6;
            world.crash();
            let started = world.restart_without_scans();
            started.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
        }
    }
    assert!(gone_on_with >= 6, "{gone_on_with} of 8");
}

/// However often it is killed, a broker does not read what it read at the start before.
#[test]
fn what_an_earlier_run_left_is_released_as_soon_as_it_is_in_segments() {
    let setup = Setup { partitions: 6, journal_bytes_max: 64 * 1024 * 1024, ..Setup::default() };
    let mut world = World::new(setup, 7);
    let mut used = Vec::new();
    for round in 0..12 {
        for _ in 0..60 {
            world.append_any();
        }
        world.settle();
        let counters = *world.shards[0].storage.counters();
        assert!(counters.journal_used_bytes * 8 < counters.journal_capacity_bytes, "{counters:?}");
        assert_eq!(counters.files_released, u64::from(round > 0), "round {round}");
        used.push(counters.journal_used_bytes);
        world.crash();
        world.restart_without_scans().unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
    let first = used[0];
    assert!(used.iter().all(|bytes| *bytes < 2 * first), "{used:?}");
}

/// Of two commits at the device the first is lost, and the next run writes the very bytes of it.
#[test]
fn what_a_crash_cut_off_never_lines_up_again() {
    let of = topic_partition(0);
    let mut world = World::new(Setup { partitions: 1, ..Setup::default() }, 3);
    for _ in 0..5 {
        world.append(of);
    }
    world.settle();
    world.crash();
    world.start().expect("a crash is recovered from");
    let started = world.disk.clone();
    world.settle();
    let completed = world.disk.clone();
    world.append(of);
    world.settle();

    let expected = world.expected.get_mut(&of).unwrap();
    expected.batches.pop();
    expected.producers.pop();
    expected.acknowledged -= 1;
    let cut_off = std::mem::replace(&mut world.disk, started);
    world.disk.take_journal_writes(&completed, &cut_off);
    for _ in 0..2 {
        world.start().expect("a crash is recovered from");
        world.settle();
        world.crash();
    }
    world.start().expect("a crash is recovered from");
}

/// More producers than a checkpoint has room for.
#[test]
fn a_log_with_too_many_producers_is_sealed_and_recovered() {
    let setup = Setup { partitions: 2, segment_bytes: 8 * 1024 * 1024, ..Setup::default() };
    let mut world = World::new(setup, 12);
    let of = topic_partition(1);
    for producer in 0..400 {
        world.append_by(of, producer);
        world.run(20);
    }
    world.settle();
    for _ in 0..400 {
        world.append(topic_partition(0));
        world.settle();
    }
    let counters = *world.shards[0].storage.counters();
    assert!(counters.segments_sealed > 0 && counters.files_released > 4, "{counters:?}");
    world.crash();
    world.start().expect("a crash is recovered from");
}

#[test]
fn a_burst_larger_than_the_ring_waits_and_is_then_durable() {
    let mut world = World::new(Setup { partitions: 8, batch_bytes_max: 20_000, ..Setup::default() }, 7);
    for index in 0..400 {
        world.append(topic_partition(index % 8));
    }
    world.settle();
    assert!(world.expected.values().all(|one| one.acknowledged == one.batches.len() as i64));
    assert!(!world.shards[0].storage.is_full());
}

/// Nobody appends while the tail is full, so nothing else would wake the storage.
#[test]
fn a_tail_full_of_ends_of_segments_becomes_smaller_by_itself() {
    let setup = Setup {
        partitions: 2_000,
        journal_bytes_max: 8 * 1024 * 1024,
        tail_bytes_max: 256 * 1024,
        batch_bytes_max: 1_500,
        ..Setup::default()
    };
    let mut world = World::new(setup, 12);
    for index in 0..2_000 {
        if !world.shards[0].storage.is_full() {
            world.append(topic_partition(index));
        }
    }
    assert!(world.shards[0].storage.is_full());
    world.settle();
    assert!(!world.shards[0].storage.is_full(), "{:?}", world.shards[0].storage.counters());
}

#[test]
fn a_batch_that_no_journal_file_could_hold_is_refused() {
    let mut world = World::new(Setup::default(), 8);
    let records = world::batch(&mut world.random, 300 * 1024);
    let (shard, id) = world.logs[&topic_partition(0)];
    let refused = world.shards[shard].storage.append(id, world::NOW, LeaderEpoch(1), records, false);
    assert_eq!(refused.unwrap_err().error, ErrorCode::MESSAGE_TOO_LARGE);
}

#[test]
fn after_a_failed_sync_nothing_is_accepted_or_acknowledged() {
    let mut world = World::new(Setup::default(), 9);
    world.settle();
    world.append(topic_partition(0));
    world.end_turn(0);
    let error = DiskError { operation: "sync", errno: 5 };
    let (mut effects, mut durable) = (Effects::default(), Vec::new());
    let storage = &mut world.shards[0].storage;
    storage.on_input(world::NOW, &Input::JournalFailed { dir: LogDir(0), error }, &mut effects, &mut durable);
    assert_eq!(storage.failed(), Some(error));
    let records = world::batch(&mut world.random, 10);
    let (_, id) = world.logs[&topic_partition(1)];
    let refused = world.shards[0].storage.append(id, world::NOW, LeaderEpoch(1), records, false);
    assert_eq!(refused.unwrap_err().error, ErrorCode::KAFKA_STORAGE_ERROR);
    world.complete_any(0);
    assert_eq!(world.expected[&topic_partition(0)].acknowledged, 0);
}

/// Every rule of `Mutations` is needed: without it some crash loses something, or an invariant breaks.
#[cfg(feature = "mutations")]
#[test]
fn every_broken_rule_is_noticed() {
    // Of the first two each stands in for the other, so they are broken together. The others are for the simulator's swarm: these
    // worlds have no idempotent producers, no summary that is not its segment's, no reader who waits, no disk that is full or
    // fails and is used on, and one log dir; nothing expires or is compacted, there are no coordinators, and nobody looks whether it is too
    // early to unlink. A crash takes all that was not synced, so that no start meets it.
    let of_coordinators = ["coordinator_", "group_", "offset_", "consumer_"];
    let others = [
        "no_chain_check",
        "ignore_file_sequence",
        "forget_producer_state",
        "summary_not_checked",
        "index_load_wakes_nobody",
        "enospc_is_success",
        "retention_by_first_timestamp",
        "unlink_unrecorded",
        "ack_after_failed_sync",
        "sync_error_is_success",
        "dir_by_hash_not_by_record",
        "replay_unsynced_journal",
        "replaced_segments_count",
        "swap_unrecorded",
        "compaction_forgets_producers",
        "tombstones_go_at_once",
        "compaction_ignores_lag",
    ];
    let mut broken: Vec<(&str, Mutations)> = Mutations::NAMES
        .iter()
        .filter(|name| !others.contains(name))
        .filter(|name| !of_coordinators.iter().any(|prefix| name.starts_with(prefix)))
        .map(|name| (*name, Mutations::named(name).unwrap()))
        .collect();
    let pair = Mutations { no_chain_check: true, ignore_file_sequence: true, ..Default::default() };
    broken.push(("no_chain_check and ignore_file_sequence", pair));
    std::panic::set_hook(Box::new(|_| {}));
    let mut unnoticed = Vec::new();
    for (name, mutations) in broken {
        let noticed = (0..200).any(|seed| {
            let mut random = model_disk::Random(seed);
            let setup = Setup {
                shards: 1 + random.below(3) as u16,
                partitions: 1 + random.below(12) as i32,
                journal_bytes_max: (256 * 1024) << random.below(3),
                segment_bytes: (48 * 1024) << random.below(4),
                batch_bytes_max: 200 + random.below(20_000),
                trims: random.one_in(2),
                mutations,
                ..Setup::default()
            };
            !matches!(std::panic::catch_unwind(|| crashes(setup, seed, 5)), Ok(Ok(())))
        });
        if !noticed {
            unnoticed.push(name);
        }
    }
    let _ = std::panic::take_hook();
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}

/// A world whose logs were sealed by a stop and opened again: no index is in memory.
fn reopened(seed: u64) -> World {
    let mut world = World::new(Setup { partitions: 1, ..Setup::default() }, seed);
    for _ in 0..100 {
        world.append(topic_partition(0));
        world.run(5);
    }
    world.settle();
    world.shards[0].storage.stop(&mut Effects::default());
    while !world.shards[0].storage.is_stopped() {
        world.end_turn(0);
        assert!(world.complete_any(0) || world.shards[0].storage.is_stopped(), "stopping goes on");
    }
    world.crash();
    world.disk.forbid_scans = true;
    world.recover().expect("a stop is started from");
    world.disk.forbid_scans = false;
    world
}

#[test]
fn a_start_after_a_stop_reads_no_batch_and_keeps_no_index() {
    let mut world = reopened(1);
    let (shard, id) = world.logs[&topic_partition(0)];
    let log = world.shards[shard].storage.log(id);
    assert!(log.segments().len() > 3 && log.log_end_offset() >= Offset(100));
    assert!(log.segments().iter().all(|segment| segment.index_bytes() == 0));
    assert_eq!(world.shards[shard].storage.counters().index_bytes, 0);
    world.check_reads(topic_partition(0));
    let counters = world.shards[shard].storage.counters();
    assert!(counters.index_loads > 3 && counters.index_bytes > 0, "{counters:?}");
}

/// Else it could be one of before a compaction, on a disk that shows what stood in a block before.
#[test]
fn a_summary_that_a_start_writes_is_there_after_a_crash() {
    for seed in 0..8 {
        let mut world = reopened(seed);
        let (topic_partition, base_offset) = (topic_partition(0), Offset(0));
        let name = SegmentName { topic_partition, base_offset };
        world.disk.put_summary(name, &[], true);
        world.crash();
        world.start().expect("a segment without a summary is read");
        let written = world.disk.summary(name).map(<[u8]>::to_vec);
        assert!(written.as_ref().is_some_and(|bytes| !bytes.is_empty()));
        world.crash();
        assert_eq!(world.disk.summary(name), written.as_deref(), "seed {seed}");
    }
}

#[test]
fn an_index_is_loaded_once_for_all_who_wait_and_not_again_at_once_if_that_fails() {
    let mut world = reopened(2);
    let (shard, id) = world.logs[&topic_partition(0)];
    let storage = &mut world.shards[shard].storage;
    let mut effects = Effects::default();
    let now = world::NOW.instant;
    assert_eq!(storage.load_index(now, id, Offset(0), &mut effects), Ok(IndexWait::Usual));
    assert_eq!(storage.load_index(now, id, Offset(0), &mut effects), Ok(IndexWait::Usual));
    assert!(storage.is_loading_index(id));
    let Some(Effect::LoadIndex { file, .. }) = effects.pop() else { panic!("a load") };
    assert!(effects.is_empty(), "one load");
    let fault = IndexFault::NotABatch { position: 77 };
    let load = storage.on_index_loaded(now, file, &Err(fault)).expect("it was asked for");
    let topic_partition = topic_partition(0);
    assert_eq!(load.failure, Some(IndexFailure { topic_partition, segment: Offset(0), fault }));
    assert!(!storage.is_loading_index(id));
    assert_eq!(storage.on_index_loaded(now, file, &Err(fault)), None, "answered twice");
    assert_eq!(storage.load_index(now, id, Offset(0), &mut effects), Err(fault));
    assert!(effects.is_empty(), "the disk is not asked again");
    let later = now.after_ms(crate::limits::INDEX_RETRY_MS);
    assert_eq!(storage.load_index(later, id, Offset(0), &mut effects), Ok(IndexWait::Usual));
    assert!(matches!(effects.pop(), Some(Effect::LoadIndex { .. })));
}

#[test]
fn an_index_is_late_when_somebody_has_wanted_it_for_long() {
    let mut world = reopened(2);
    let (shard, id) = world.logs[&topic_partition(0)];
    let storage = &mut world.shards[shard].storage;
    let mut effects = Effects::default();
    let now = world::NOW.instant;
    let wait = crate::limits::FETCH_INDEX_WAIT_MS;
    let mut ask = |after_ms| storage.load_index(now.after_ms(after_ms), id, Offset(0), &mut effects);
    assert_eq!(ask(0), Ok(IndexWait::Usual));
    assert_eq!(ask(wait - 1), Ok(IndexWait::Usual));
    assert_eq!(ask(wait), Ok(IndexWait::TooLong));
    let Some(Effect::LoadIndex { file, .. }) = effects.pop() else { panic!("a load") };
    let failed = Err(IndexFault::Disk(DiskError { operation: "open", errno: 2 }));
    storage.on_index_loaded(now, file, &failed);
    let again = wait + crate::limits::INDEX_RETRY_MS;
    let later = storage.load_index(now.after_ms(again), id, Offset(0), &mut effects);
    assert_eq!(later, Ok(IndexWait::Usual), "it is wanted anew");
}

#[test]
fn indexes_leave_memory_in_the_order_of_their_last_use() {
    let mut world = reopened(3);
    let of = topic_partition(0);
    world.check_reads(of);
    let (shard, id) = world.logs[&of];
    let storage = &mut world.shards[shard].storage;
    let resident = |storage: &Storage| -> Vec<Offset> {
        let segments = storage.log(id).segments().iter();
        segments.filter(|segment| segment.index_bytes() > 0).map(|segment| segment.base_offset).collect()
    };
    let before = resident(storage);
    assert!(before.len() >= crate::limits::INDEXES_KEPT_MIN, "{before:?}");
    // The oldest is used again; the next load drops the one after it.
    storage.on_index_used(id, before[0]);
    let missing = storage.log(id).segments().iter().find(|segment| segment.index_bytes() == 0);
    let missing = missing.expect("not all fit").base_offset;
    world.plan_at(of, missing);
    let after = resident(&world.shards[shard].storage);
    assert!(after.contains(&before[0]) && !after.contains(&before[1]), "{before:?} {after:?}");
}

#[test]
fn a_deletion_waits_for_the_load_that_is_under_way() {
    let mut world = reopened(4);
    let of = topic_partition(0);
    let (shard, id) = world.logs[&of];
    let mut effects = Effects::default();
    let now = world::NOW.instant;
    world.shards[shard].storage.load_index(now, id, Offset(0), &mut effects).expect("loads");
    let Some(Effect::LoadIndex { file, .. }) = effects.pop() else { panic!("a load") };
    world.delete(of);
    world.end_turn(shard);
    assert!(!world.has_operations(shard), "its files stay");
    let failed = Err(IndexFault::Disk(DiskError { operation: "open", errno: 2 }));
    let storage = &mut world.shards[shard].storage;
    let load = storage.on_index_loaded(now, file, &failed);
    assert_eq!(load, Some(IndexLoad { log: id, failure: None }));
    world.end_turn(shard);
    assert!(world.has_operations(shard), "the deletion");
}
