//! The text that a scrape sees, and the arithmetic under it.

use super::prometheus::text;
use super::*;

fn snapshot(shard: u16) -> ShardSnapshot {
    let mut core = ShardMetrics::default();
    core.on_request(0, 100);
    core.on_response(0, 40, 300_000);
    core.on_request(0, 100);
    core.on_response(0, 40, 3_000_000_000);
    core.on_request(18, 20);
    core.first_acknowledged = Some(Instant(u64::from(shard) * 1_234_000_000));
    let mut runtime = RuntimeMetrics { connections: 7, ..RuntimeMetrics::default() };
    runtime.journal_latency.record_ns(150_000);
    core.cleaner = CleanerMetrics {
        runs: 2,
        busy_ms: 1_500,
        dirty_millionths_max: 250_000,
        ..CleanerMetrics::default()
    };
    let lag = Lag { records: 3, bytes: 70, timestamp_ms: Some(1) };
    let of = |partition, lag, age_ms| GroupLag {
        group_id: "a \"group\"".to_owned(),
        topic: format!("topic-{shard}"),
        partition: PartitionIndex(partition),
        lag,
        age_ms,
    };
    let measured = Arc::new(vec![of(0, lag, Some(2_500)), of(1, Lag::default(), None)]);
    core.lags = GroupLags { measured, omitted: 9 };
    ShardSnapshot { shard, core, runtime }
}

#[test]
fn every_line_of_the_text_carries_its_shard() {
    let text = text(vec![snapshot(0), snapshot(1)]);
    for line in [
        "penstock_api_requests_total{shard=\"0\",api=\"0\"} 2",
        "penstock_api_request_bytes_total{shard=\"1\",api=\"18\"} 20",
        "penstock_api_latency_seconds_bucket{le=\"0.0004\",shard=\"0\",api=\"0\"} 1",
        "penstock_api_latency_seconds_bucket{le=\"+Inf\",shard=\"0\",api=\"0\"} 2",
        "penstock_first_acknowledged_seconds{shard=\"0\"} 0.0",
        "penstock_first_acknowledged_seconds{shard=\"1\"} 1.234",
        "penstock_connections{shard=\"1\"} 7",
        "penstock_journal_commit_seconds_count{shard=\"0\"} 1",
        "penstock_cleaner_runs_total{shard=\"0\"} 2",
        "penstock_cleaner_seconds_total{shard=\"1\"} 1.5",
        "penstock_cleaner_dirty_ratio_max{shard=\"0\"} 0.25",
        "penstock_group_lag_omitted{shard=\"0\"} 9",
        r#"penstock_group_lag_records{group="a \"group\"",topic="topic-0",partition="0"} 3"#,
        r#"penstock_group_lag_bytes{group="a \"group\"",topic="topic-1",partition="0"} 70"#,
        r#"penstock_group_lag_seconds{group="a \"group\"",topic="topic-0",partition="0"} 2.5"#,
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let without_age = r#"penstock_group_lag_seconds{group="a \"group\"",topic="topic-0",partition="1"}"#;
    assert!(!text.contains(without_age), "{text}");
}

#[test]
fn an_api_key_beyond_the_table_is_counted_in_its_last_place() {
    let mut metrics = ShardMetrics::default();
    metrics.on_request(i16::MAX, 1);
    metrics.on_request(-1, 1);
    assert_eq!(metrics.apis.len(), API_KEYS_MAX);
    assert_eq!(metrics.apis[API_KEYS_MAX - 1].requests, 2);
}

#[test]
fn buckets_hold_every_duration_once() {
    let mut histogram = Histogram::default();
    for ns in [0, 1_000, 49_000, 60_000, 900_000_000_000_000] {
        histogram.record_ns(ns);
    }
    let counts = histogram.counts_by_bound_us(&[50, 100]);
    assert_eq!(counts, vec![3, 1, 1]);
    assert_eq!(histogram.count(), 5);
}
