//! Where a log starts once records are deleted, by a client or by retention, and that a killed broker starts there again.

use std::fs;
use std::time::Instant;

use rdkafka::admin::AdminOptions;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, Scratch, free_port};
use crate::clients::{
    PATIENCE, START, admin, block_on, consumer, create_topic, on_1_2_and_4_shards, on_shards, read_from,
    read_to_ends, send_values, values,
};

/// Looks for expired segments all the time.
const EAGER: [&str; 4] =
    ["--set", "log.retention.check.interval.ms=20", "--set", "log.initial.task.delay.ms=20"];

/// Per partition: the new log start, or why there is none.
fn delete_records(
    broker: &Broker,
    topic: &str,
    before: &[(i32, Offset)],
) -> Vec<Result<i64, RDKafkaErrorCode>> {
    let mut offsets = TopicPartitionList::new();
    for (partition, offset) in before {
        offsets.add_partition_offset(topic, *partition, *offset).expect("an offset");
    }
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let answer = block_on(admin(broker).delete_records(&offsets, &options)).expect("answered");
    let result = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.error() {
        Ok(()) => Ok(element.offset().to_raw().unwrap_or(-1)),
        Err(KafkaError::OffsetFetch(code)) => Err(code),
        Err(error) => panic!("{error}"),
    };
    before
        .iter()
        .map(|(partition, _)| result(answer.find_partition(topic, *partition).expect("answered")))
        .collect()
}

fn ends(broker: &Broker, topic: &str, partition: i32) -> (i64, i64) {
    consumer(broker, &[]).fetch_watermarks(topic, partition, PATIENCE).expect("answered")
}

#[test]
fn deleted_records_are_gone_and_offsets_go_on() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "cut", 4, &[]);
        for partition in 0..4 {
            send_values(broker, "cut", partition, &["a", "b", "c"]);
        }
        let before =
            [(0, Offset::Offset(2)), (1, Offset::End), (2, Offset::Offset(4)), (3, Offset::Offset(0))];
        let expected = [Ok(2), Ok(3), Err(RDKafkaErrorCode::OffsetOutOfRange), Ok(0)];
        assert_eq!(delete_records(broker, "cut", &before), expected);
        assert_eq!(
            [0, 1, 2, 3].map(|partition| ends(broker, "cut", partition)),
            [(2, 3), (3, 3), (0, 3), (0, 3)]
        );
        assert_eq!(values(&read_from(broker, "cut", 0, Offset::Beginning)), ["c"]);
        assert_eq!(values(&read_from(broker, "cut", 1, Offset::Beginning)), [""; 0]);
        // What lies below resets as the consumer says.
        let earliest = consumer(broker, &[("auto.offset.reset", "earliest")]);
        assert_eq!(values(&read_to_ends(&earliest, "cut", &[(0, START)])), ["c"]);
        assert_eq!(send_values(broker, "cut", 1, &["d"]), [3]);
        assert_eq!(values(&read_from(broker, "cut", 1, Offset::Beginning)), ["d"]);
        // Back it never goes.
        assert_eq!(delete_records(broker, "cut", &[(0, Offset::Offset(1))]), [Ok(2)]);
    });
}

#[test]
fn what_only_compaction_may_delete_is_refused() {
    on_shards(&[2], &[], |broker| {
        create_topic(broker, "compacted", 1, &[("cleanup.policy", "compact")]);
        let refused = delete_records(broker, "compacted", &[(0, Offset::End)]);
        assert_eq!(refused, [Err(RDKafkaErrorCode::PolicyViolation)]);
        create_topic(broker, "both", 1, &[("cleanup.policy", "compact,delete")]);
        assert_eq!(delete_records(broker, "both", &[(0, Offset::End)]), [Ok(0)]);
        create_topic(broker, "neither", 1, &[("cleanup.policy", "")]);
        assert_eq!(delete_records(broker, "neither", &[(0, Offset::End)]), [Ok(0)]);
    });
}

#[test]
fn a_log_start_that_was_answered_outlives_kill_9() {
    let scratch = Scratch::new();
    let port = free_port();
    let mut broker = Broker::serve_at(&scratch, 1, port, &EAGER);
    create_topic(&broker, "killed", 2, &[]);
    let mut end = 0;
    for (round, shards) in [2, 1, 4].into_iter().enumerate() {
        for partition in 0..2 {
            send_values(&broker, "killed", partition, &["a", "b", "c", "d"]);
        }
        end += 4;
        let all = delete_records(&broker, "killed", &[(0, Offset::End), (1, Offset::Offset(end - 1))]);
        broker.kill();
        assert_eq!(all, [Ok(end), Ok(end - 1)], "round {round}");
        broker = Broker::serve_at(&scratch, shards, port, &EAGER);
        assert_eq!(ends(&broker, "killed", 0), (end, end));
        assert_eq!(ends(&broker, "killed", 1), (end - 1, end));
        assert_eq!(values(&read_from(&broker, "killed", 1, Offset::Beginning)), ["d"]);
    }
    broker.stop();
}

#[test]
fn what_has_expired_goes_with_its_files_and_a_new_topic_of_the_name_begins_anew() {
    let scratch = Scratch::new();
    let broker = Broker::serve_at(&scratch, 2, 0, &EAGER);
    create_topic(&broker, "old", 1, &[("retention.ms", "1")]);
    assert_eq!(send_values(&broker, "old", 0, &["a", "b"]), [0, 1]);
    until("the log starts at its end", || ends(&broker, "old", 0) == (2, 2));
    until("no segment is left", || files(&scratch, ".log").is_empty());
    until("nor a summary", || files(&scratch, ".summary").is_empty());
    assert_eq!(send_values(&broker, "old", 0, &["c"]), [2]);
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let deleted = block_on(admin(&broker).delete_topics(&["old"], &options)).expect("answered");
    assert_eq!(deleted, [Ok("old".to_owned())]);
    create_topic(&broker, "old", 1, &[]);
    until("nothing of the old topic is left", || files(&scratch, "log-start").is_empty());
    assert_eq!(ends(&broker, "old", 0), (0, 0));
}

#[test]
fn what_a_crash_left_of_a_deleted_topic_goes_while_clients_are_served() {
    let scratch = Scratch::new();
    let broker = Broker::serve_at(&scratch, 2, 0, &EAGER);
    create_topic(&broker, "kept", 1, &[]);
    assert_eq!(send_values(&broker, "kept", 0, &["a"]), [0]);
    broker.kill();
    // One that was on its way out, and one of which the image knows nothing any more.
    let left = ["0123456789abcdef0123456789abcdef-0.deleted", "0123456789abcdef0123456789abcdef-1"];
    for name in left {
        fs::create_dir(scratch.data().join(name)).expect("a directory");
        let segment = scratch.data().join(name).join("00000000000000000000.log");
        fs::write(segment, vec![0; 3 << 20]).expect("a segment");
    }
    let broker = Broker::serve_at(&scratch, 1, 0, &EAGER);
    assert_eq!(values(&read_from(&broker, "kept", 0, Offset::Beginning)), ["a"]);
    let names = || fs::read_dir(scratch.data()).expect("the broker made it").flatten();
    until("both are gone", || {
        !names().any(|entry| entry.file_name().to_string_lossy().starts_with("0123456789"))
    });
    assert_eq!(send_values(&broker, "kept", 0, &["b"]), [1]);
}

/// Names in all partition directories that end so.
fn files(scratch: &Scratch, suffix: &str) -> Vec<String> {
    let directories = fs::read_dir(scratch.data()).expect("the broker made it").flatten();
    let of_partitions = directories.filter(|entry| entry.file_name().len() > 32);
    let entries = of_partitions.filter_map(|entry| fs::read_dir(entry.path()).ok()).flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(suffix)).collect()
}

/// Asks again until it is so; who never sees it panics after `PATIENCE`.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: not yet");
        std::thread::yield_now();
    }
}
