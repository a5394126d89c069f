//! How far groups are behind, as a scrape of the real process tells it.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::Broker;
use crate::clients::{PATIENCE, consumer, create_topic, on_shards, send_values};

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// The value of a gauge of `group` in partition 0 of `topic`; None: it is not told.
fn lag(broker: &Broker, unit: &str, group: &str, topic: &str) -> Option<f64> {
    let metrics = broker.admin("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    let name = format!("penstock_group_lag_{unit}{{group=\"{group}\",topic=\"{topic}\",partition=\"0\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.map(|value| value.parse().expect("a number"))
}

/// Lags are measured every few seconds: asks until this one is told as it must be.
fn wait_for(broker: &Broker, unit: &str, group: &str, is_right: impl Fn(f64) -> bool) {
    let until = Instant::now() + PATIENCE;
    let idle = consumer(broker, &[]);
    loop {
        let told = lag(broker, unit, group, "orders");
        if told.is_some_and(&is_right) {
            return;
        }
        assert!(Instant::now() < until, "{unit} of {group}: {told:?}");
        assert!(idle.poll(Duration::from_millis(100)).is_none(), "it has no partitions");
    }
}

fn commit(broker: &Broker, group: &str, offset: i64) {
    let consumer = consumer(broker, &[("group.id", group)]);
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("orders", 0, Offset::Offset(offset)).expect("an offset");
    consumer.commit(&offsets, CommitMode::Sync).expect("acknowledged");
}

#[test]
fn lag_is_told_in_records_bytes_and_seconds() {
    // On several shards a coordinator asks the shard of the partition.
    on_shards(&[1, 3], &ADMIN, |broker| {
        create_topic(broker, "orders", 1, &[]);
        send_values(broker, "orders", 0, &["a", "b", "c", "d"]);
        commit(broker, "behind", 1);
        commit(broker, "done \"quoted\"", 4);
        wait_for(broker, "records", "behind", |records| records == 3.0);
        wait_for(broker, "bytes", "behind", |bytes| bytes > 0.0);
        wait_for(broker, "seconds", "behind", |seconds| seconds > 0.0);
        for unit in ["records", "bytes", "seconds"] {
            wait_for(broker, unit, "done \\\"quoted\\\"", |lag| lag == 0.0);
        }
        send_values(broker, "orders", 0, &["e"]);
        wait_for(broker, "records", "behind", |records| records == 4.0);
        commit(broker, "behind", 5);
        wait_for(broker, "records", "behind", |records| records == 0.0);
    });
}

#[test]
fn a_group_with_a_very_long_name_is_counted_and_not_told() {
    on_shards(&[1], &ADMIN, |broker| {
        create_topic(broker, "orders", 1, &[]);
        send_values(broker, "orders", 0, &["a"]);
        let (longest, too_long) = ("n".repeat(256), "n".repeat(257));
        commit(broker, &too_long, 0);
        commit(broker, &longest, 0);
        wait_for(broker, "records", &longest, |records| records == 1.0);
        assert_eq!(lag(broker, "records", &too_long, "orders"), None);
        let metrics = broker.admin("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
        assert!(metrics.contains("penstock_group_lag_omitted{shard=\"0\"} 1\n"), "{metrics}");
    });
}
