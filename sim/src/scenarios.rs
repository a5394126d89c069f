//! Named worlds: that a seed repeats itself, that a few rules are noticed, and everything that once found something.

use crate::checkers::log_start::Retention;
use crate::client::admin::TopicPlan;
use crate::client::loner::LonerPlan;
use crate::disk::DiskFaults;
use crate::mutations::Mutation;
use crate::plan::Plan;
use crate::run_seed;
use crate::world::World;

fn check(seed: u64, plan: Plan) {
    let outcome = World::new(seed, plan, Mutation::default()).run();
    assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}\n{}", outcome.tail);
    assert!(outcome.steps >= 500 && outcome.crashes >= 2 && outcome.commits >= 20, "seed {seed}");
}

fn topic(name: &str, partitions: i32, churns: bool) -> TopicPlan {
    TopicPlan {
        name: name.to_owned(),
        partitions,
        partitions_max: partitions,
        segment_bytes: 1 << 20,
        churns,
        retention: Retention::default(),
        compaction: None,
    }
}

#[test]
fn a_seed_repeats_itself_exactly() {
    for seed in [1, 2, 3, 4] {
        let (first, second) = (run_seed(seed, Mutation::default()), run_seed(seed, Mutation::default()));
        assert_eq!((first.hash, first.steps, first.commits), (second.hash, second.steps, second.commits));
        assert_eq!(first.violations, second.violations);
    }
}

#[test]
fn seeds_are_fine_and_thick() {
    for seed in 100..140 {
        check(seed, Plan::of_seed(seed));
    }
}

#[test]
fn a_mutation_is_caught() {
    for name in ["disk_never_syncs", "forget_producer_state", "skip_carry"] {
        let mutation = Mutation::named(name).expect("exists");
        // A broken broker may also fail an assertion of its own: that counts.
        let caught = |seed| std::panic::catch_unwind(|| !run_seed(seed, mutation).violations.is_empty());
        assert!((1..40).any(|seed| caught(seed).unwrap_or(true)), "{name}");
    }
}

/// What compaction told the journal took the room that the ring keeps for what frees it.
#[test]
fn a_crowded_ring_keeps_its_room_from_compaction() {
    let mut plan = Plan::of_seed(83);
    (plan.shards, plan.log_dirs, plan.journal_bytes_max) = (vec![1], 1, 256 << 10);
    check(83, plan);
}

/// What was carried out of one file filled the next: the reserve for more partitions than the ring had room for could
/// never be kept, and no record was written again.
#[test]
fn a_ring_too_small_for_its_partitions_goes_on() {
    for seed in 1..8 {
        let mut plan = Plan::of_seed(seed);
        plan.shards = vec![1];
        plan.journal_bytes_max = 283_613;
        plan.leave_groups_out();
        plan.admin.topics = vec![topic("steady-0", 8, false), topic("steady-1", 12, false)];
        for producer in &mut plan.producers {
            producer.topics = vec!["steady-0".to_owned(), "steady-1".to_owned()];
            producer.batch_bytes_max = 27_192;
            producer.value_bytes_max = 20_000;
            producer.requests_in_flight_max = 5;
        }
        for consumer in &mut plan.consumers {
            consumer.topics = vec!["steady-0".to_owned()];
        }
        check(seed, plan);
    }
}

/// Full segments none of whose records were in the journal yet were counted as if their seals would free room: so nothing else was
/// closed, what had to stay free was more than there was, and no record was written again.
#[test]
fn segments_that_wait_for_the_ring_free_nothing_of_it() {
    check(301_732, Plan::of_seed(301_732));
}

/// Many segments were sealed one after the other, each told the journal so in a block of its own, and nothing was left of what the ring
/// keeps free for releasing its oldest file.
#[test]
fn many_seals_leave_a_crowded_ring_its_room() {
    check(301_834, Plan::of_seed(301_834));
}

/// A fetch was planned on one shard and sent by another, and between them the topic was deleted and its files closed.
#[test]
fn a_topic_deleted_under_a_fetch_across_shards_costs_a_connection_at_most() {
    for seed in 1..7 {
        let mut plan = Plan::of_seed(seed);
        plan.shards = vec![2, 4];
        plan.leave_groups_out();
        plan.admin.topics = vec![topic("steady-0", 4, false), topic("churning", 4, true)];
        plan.admin.pause_ns_max = 1_000_000;
        for producer in &mut plan.producers {
            producer.topics = vec!["steady-0".to_owned(), "churning".to_owned()];
            producer.by_id = true;
        }
        for consumer in &mut plan.consumers {
            consumer.topics = vec!["churning".to_owned()];
            consumer.by_id = true;
        }
        check(seed, plan);
    }
}

/// A full disk kept the ring from growing. It took itself for half empty, told of each seal alone, and had no block left for what frees it.
#[test]
fn a_ring_that_cannot_grow_tells_of_several_seals_at_once() {
    check(6_044_729, Plan::of_seed(6_044_729));
}

/// A seal had cut and synced its segment, and found no room for the summary. Then its last block was wanted, and the segment was written
/// once more before the seal was tried again. And a broker that stops answers a fetch without the index that it waits for: it had
/// stopped, and the next one ran, when such an answer arrived.
#[test]
fn what_a_full_disk_or_a_stop_interrupts_goes_on_where_it_was() {
    for seed in [102_830, 102_630, 56_447] {
        check(seed, Plan::of_seed(seed));
    }
}

/// A journal was removed because there were fewer shards, in part: its ended header was gone, a file with a cleared header
/// came back. With more shards again its sequences began anew, and its old commits were replayed over newer bytes.
#[test]
fn what_is_left_of_a_removed_journal_stays_dead() {
    for seed in 1..60 {
        let mut plan = Plan::of_seed(seed);
        plan.shards = vec![2, 1, 3];
        plan.crashes_min = 8;
        plan.life_ns_max = 30_000_000;
        plan.disk_faults = Default::default();
        plan.recovery_crash_percent = if seed % 2 == 0 { 60 } else { 0 };
        check(seed, plan);
    }
}

/// A log start was written together with what the log knew of its producers, batches included that were not durable yet. After a
/// crash those were taken for duplicates, and acknowledged.
#[test]
fn a_log_start_remembers_no_batch_that_is_not_there() {
    for seed in 1..40 {
        let mut plan = Plan::of_seed(seed);
        let retention = Retention { ms: None, bytes: None, by_request: true };
        plan.leave_groups_out();
        plan.admin.topics = vec![TopicPlan { retention, ..topic("steady-0", 6, false) }];
        plan.admin.pause_ns_max = 1_000_000;
        plan.retention_check_ms = 5;
        for producer in &mut plan.producers {
            producer.topics = vec!["steady-0".to_owned()];
            producer.idempotent = true;
            producer.acks = -1;
            producer.requests_in_flight_max = 1;
        }
        for consumer in &mut plan.consumers {
            consumer.topics = vec!["steady-0".to_owned()];
        }
        plan.life_ns_max = 60_000_000;
        check(seed, plan);
    }
}

/// A disk was full for longer than a fetch waits for an index: who asked for what a start had found in the journal alone was told, again
/// and again, that there was nothing.
#[test]
fn who_cannot_read_for_want_of_room_is_not_told_that_there_is_nothing() {
    for seed in 1..16 {
        let mut plan = Plan::of_seed(seed);
        plan.leave_groups_out();
        plan.admin.topics = vec![topic("steady-0", 4, false)];
        (plan.full_gap_ns_max, plan.full_ns_max) = (100_000_000, 60_000_000_000);
        // A slow disk would do nothing in the moments between.
        plan.disk_faults.slow = 0;
        (plan.life_ns_max, plan.moment_percent, plan.stop_percent) = (30_000_000_000, 0, 0);
        for producer in &mut plan.producers {
            producer.topics = vec!["steady-0".to_owned()];
        }
        for consumer in &mut plan.consumers {
            consumer.topics = vec!["steady-0".to_owned()];
        }
        check(seed, plan);
    }
}

/// A coordinator that was being loaded waited for a segment while compaction replaced it, heard nothing of its successor, and answered
/// COORDINATOR_LOAD_IN_PROGRESS for ever.
#[test]
fn a_coordinator_hears_of_the_segment_that_replaces_its_own() {
    let plan = |seed| {
        let mut plan = Plan::of_seed(seed);
        (plan.shards, plan.log_dirs, plan.full_gap_ns_max) = (vec![1], 1, 0);
        (plan.cleaner_backoff_ms, plan.roll_ms) = (1, 2);
        plan.disk_faults = DiskFaults { slow: 300_000, ..DiskFaults::default() };
        (plan.life_ns_max, plan.crashes_min, plan.index_bytes_max) = (1_000_000_000, 20, 256);
        let topic = plan.admin.topics.first().expect("there is a topic that stays");
        let (topic, partitions) = (topic.name.clone(), topic.partitions);
        plan.loners = vec![LonerPlan { topic, partitions, pause_ns_max: 200_000 }];
        plan
    };
    let mutation = Mutation::named("coordinator_misses_swap").expect("exists");
    let outcome = World::new(14, plan(14), mutation).run();
    assert!(!outcome.violations.is_empty(), "this world shows it");
    (10..16).for_each(|seed| check(seed, plan(seed)));
}

/// A segment whose records had all been deleted was still to be written when compaction replaced what follows it, and its bytes went from
/// memory with theirs.
#[test]
fn compaction_leaves_the_bytes_of_what_is_still_to_be_written() {
    check(5_012_873, Plan::of_seed(5_012_873));
}

/// A journal was gone on with for the room in a file that its ring does not use: the power had gone while that was being prepared. What seeds
/// mean has changed since, and this world no longer shows it; the rule is held by the table in `storage/recovery/continued.rs`.
#[test]
fn a_file_that_a_power_cut_left_short_is_no_room() {
    check(5_100_261, Plan::of_seed(5_100_261));
}
