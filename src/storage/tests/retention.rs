//! What retention lets go, segment by segment, and what is left of a log after it.

use super::super::*;
use super::world::{NOW, Setup, World, topic_partition};

const DAY_MS: i64 = 24 * 3_600_000;

/// One partition; every record is of `NOW`, and each sealed segment holds several.
fn world(records: u64) -> (World, LogId) {
    let setup = Setup { partitions: 1, segment_bytes: 8_000, batch_bytes_max: 2_000, ..Setup::default() };
    let mut world = World::new(setup, 5);
    for _ in 0..records {
        world.append(topic_partition(0));
        world.settle();
    }
    let (_, id) = world.logs[&topic_partition(0)];
    (world, id)
}

fn retain(world: &mut World, id: LogId, config: TopicConfig, wall_ms: i64) -> i64 {
    let storage = &mut world.shards[0].storage;
    storage.set_config(id, Arc::new(TopicConfig { segment_bytes: 8_000, ..config }));
    storage.retain(id, Now { wall_ms, ..NOW });
    world.settle();
    let log_start = world.shards[0].storage.log(id).log_start_offset().0;
    world.expected.get_mut(&topic_partition(0)).unwrap().trimmed = log_start;
    log_start
}

fn by_age(retention_ms: i64) -> TopicConfig {
    TopicConfig { retention_ms, ..TopicConfig::default() }
}

fn by_size(retention_bytes: i64) -> TopicConfig {
    TopicConfig { retention_ms: -1, retention_bytes, ..TopicConfig::default() }
}

#[test]
fn a_log_whose_records_have_all_expired_is_empty_and_goes_on_at_its_end() {
    let (mut world, id) = world(40);
    assert_eq!(retain(&mut world, id, by_age(DAY_MS), NOW.wall_ms + DAY_MS), 0, "not older than that");
    assert_eq!(retain(&mut world, id, by_age(DAY_MS), NOW.wall_ms - 9 * DAY_MS), 0, "the clock went back");
    assert_eq!(retain(&mut world, id, by_age(-1), i64::MAX), 0, "for ever");
    assert_eq!(retain(&mut world, id, by_age(DAY_MS), NOW.wall_ms + DAY_MS + 1), 40);
    assert_eq!(world.shards[0].storage.log(id).segments(), []);
    assert_eq!(world.disk.segments_count(), 0, "no file is left");
    let counters = *world.shards[0].storage.counters();
    assert!(counters.segments_unlinked > 3 && counters.log_starts_moved == 1, "{counters:?}");
    world.crash();
    world.start().expect("a crash is recovered from");
    world.append(topic_partition(0));
    world.settle();
    assert_eq!(world.expected[&topic_partition(0)].acknowledged, 41);
    world.check_reads(topic_partition(0));
}

#[test]
fn size_lets_whole_segments_go_and_keeps_as_much_as_it_says() {
    let (mut world, id) = world(60);
    let size = |world: &World| world.shards[0].storage.log(id).size_bytes();
    let before = size(&world);
    assert_eq!(retain(&mut world, id, by_size(before as i64), 0), 0);
    assert_eq!(retain(&mut world, id, by_size(-1), 0), 0);
    let kept = before / 2;
    let log_start = retain(&mut world, id, by_size(kept as i64), 0);
    let oldest = world.shards[0].storage.log(id).segments()[0].length;
    assert!(log_start > 0 && size(&world) >= kept && size(&world) - oldest < kept);
    world.check_reads(topic_partition(0));
    assert_eq!(retain(&mut world, id, by_size(0), 0), 60, "nothing is to be kept");
}

#[test]
fn what_is_not_to_be_deleted_is_not() {
    let (mut world, id) = world(10);
    for (deletes, compacted) in [(false, true), (false, false)] {
        let config = TopicConfig { deletes, compacted, retention_bytes: 0, ..by_age(0) };
        assert_eq!(retain(&mut world, id, config, i64::MAX), 0);
    }
}

/// A segment that lies below the log start is closed when it is next looked at, whatever retention says.
#[test]
fn an_active_segment_below_the_log_start_goes() {
    let (mut world, id) = world(3);
    world.expected.get_mut(&topic_partition(0)).unwrap().trimmed = 3;
    world.shards[0].storage.trim(id, Offset(3));
    world.settle();
    assert_eq!(world.shards[0].storage.log(id).segments().len(), 1, "it stays until then");
    assert_eq!(retain(&mut world, id, by_age(-1), 0), 3);
    assert_eq!((world.disk.segments_count(), world.shards[0].storage.log(id).size_bytes()), (0, 0));
}

/// What late answers and queues still name is not the log that took the place of a deleted one.
#[test]
fn the_place_of_a_deleted_log_is_used_again() {
    let setup = Setup { partitions: 8, journal_bytes_max: 4 << 20, ..Setup::default() };
    let mut world = World::new(setup, 6);
    let storage = |world: &World| world.shards[0].storage.slots.len();
    let places = storage(&world);
    world.run(2_000);
    for index in 0..4 {
        world.delete(topic_partition(index));
    }
    world.run(2_000);
    world.settle();
    for index in 4..8 {
        world.check_reads(topic_partition(index));
    }
    let mut effects = Effects::default();
    let config = Arc::new(TopicConfig::default());
    for index in 100..104 {
        let id = world.shards[0].storage.open(NOW, topic_partition(index), Arc::clone(&config), &mut effects);
        assert_eq!(world.shards[0].storage.log(id).log_end_offset(), Offset::ZERO);
    }
    assert_eq!(storage(&world), places);
}

/// Where a damaged log starts is not guessed. What its journal held is kept aside, and later starts know of that.
#[test]
fn a_damaged_log_start_takes_its_partition_offline_for_good() {
    let mut world = World::new(Setup { segment_bytes: 1 << 20, trims: true, ..Setup::default() }, 7);
    world.run(3_000);
    world.settle();
    world.crash();
    world.may_be_damaged = true;
    let (of, whole) =
        world.disk.log_starts.first_key_value().map(|(of, bytes)| (*of, bytes.clone())).unwrap();
    world.disk.log_starts.get_mut(&of).unwrap()[16] ^= 1;
    let files = |world: &mut World| {
        let all = world.disk.segments().expect("a list").into_iter();
        all.filter(|(name, _)| name.topic_partition == of).collect::<Vec<_>>()
    };
    let before = files(&mut world);
    for round in 0..3 {
        world.start().expect("the others are served");
        assert_eq!(world.offline.keys().collect::<Vec<_>>(), [&of], "round {round}");
        assert!(world.disk.damaged.contains(&of), "marked before its journal ended");
        assert_eq!(files(&mut world), before, "untouched");
        world.run(300);
        world.settle();
        world.crash();
    }
    assert!(!world.disk.aside.is_empty(), "what the journal had of it is kept");
    world.disk.log_starts.insert(of, whole);
    world.start().expect("the others are served");
    assert!(world.offline.contains_key(&of), "that bytes are missing is not forgotten");
}

#[test]
fn a_log_start_of_a_newer_binary_ends_the_start() {
    let (mut world, id) = world(3);
    retain(&mut world, id, by_age(DAY_MS), NOW.wall_ms + DAY_MS + 1);
    world.crash();
    let bytes = world.disk.log_starts.get_mut(&topic_partition(0)).unwrap();
    bytes[8] = 9;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..]);
    let crc = hasher.finalize();
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    let refused = world.start().expect_err("it is not for this binary");
    assert_eq!(refused.fault, RecoveryFault::NewerVersion(9));
}
