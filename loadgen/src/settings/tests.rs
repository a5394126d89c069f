//! Layers, ranges, and that a printed workload reads back.

use clap::Parser;
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::presets::PRESETS;

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    raw: RawSettings,
}

fn flags(text: &str) -> RawSettings {
    CommandLine::try_parse_from(std::iter::once("load").chain(text.split_whitespace())).unwrap().raw
}

fn workload(flags_text: &str, file: &str) -> Workload {
    settle(&flags(flags_text), Some(WorkloadFile { name: "w.toml", text: file })).unwrap().workload
}

fn refusal(flags_text: &str, file: &str) -> String {
    let error = settle(&flags(flags_text), Some(WorkloadFile { name: "w.toml", text: file })).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Usage);
    assert!(!error.fix.is_empty(), "{error}");
    error.to_string()
}

#[test]
fn nothing_said_is_the_default() {
    let settings = settle(&RawSettings::default(), None).unwrap();
    assert_eq!(settings.workload, default_workload());
    assert_eq!(settings.options.bootstrap, "127.0.0.1:9092");
    assert_eq!(settings.options.verify, Verify::On);
}

#[test]
fn flags_win_over_the_file_over_the_preset() {
    let file = "preset = 'tail-latency'\npartitions = 7\nrate = '5k'\nlinger = '2ms'";
    let mixed = workload("--partitions 9", file);
    assert_eq!((mixed.partitions, mixed.rate), (9, Rate::RecordsPerSecond(5000.0)));
    assert_eq!((mixed.records_per_batch, mixed.arrival), (1, Arrival::Poisson));
    assert_eq!((mixed.linger, mixed.record_bytes), (Duration::from_millis(2), 1024));
    assert_eq!(workload("--preset throughput --linger 0", file).in_flight, 5);
}

#[test]
fn one_way_to_say_it_silences_the_other_in_the_layers_below() {
    assert_eq!(workload("--batch-records 3", "batch-bytes = '1MiB'").records_per_batch, 3);
    assert_eq!(
        workload("--batch-bytes 16KiB --record-bytes 1000", "batch-records = 3").records_per_batch,
        16
    );
    assert_eq!(workload("--batch-bytes 10", "").records_per_batch, 1);
    let settings = settle(
        &flags("--no-verify"),
        Some(WorkloadFile { name: "w.toml", text: "verify-after = 'systemctl restart broker'" }),
    );
    assert_eq!(settings.unwrap().options.verify, Verify::Off);
}

#[test]
fn idempotence_follows_acks_unless_it_is_asked_for() {
    assert!(workload("", "").idempotent);
    assert!(!workload("--acks leader", "").idempotent);
    assert!(!workload("--in-flight 6", "").idempotent);
    assert!(!workload("--idempotent=false", "").idempotent);
    assert!(refusal("--acks 1 --idempotent", "").contains("acks = all"));
}

#[test]
fn refusals_name_key_value_range_and_a_way_out() {
    let table = [
        ("--partitions 0", "", "partitions = 0 is not in 1 to 100000"),
        ("--record-bytes 31", "", "record-bytes = 31 is not in 32 to"),
        ("--batch-records 0", "", "batch-records = 0"),
        ("--batch-records 3 --batch-bytes 1KiB", "", "two ways"),
        ("--batches-per-request 9", "", "batches-per-request = 9 with 4 partitions"),
        ("--rate max --linger 5ms", "", "linger"),
        ("--rate max --arrival poisson", "", "poisson"),
        ("--keys zipf:10:11", "", "exponent 11"),
        ("--keys round-robin:0", "", "keys = 0"),
        ("--topic a/b", "", "a/b"),
        ("--bootstrap nowhere", "", "HOST:PORT"),
        ("--duration 0s", "", "duration = 0ns is not in 1s"),
        ("--replication-factor 0", "", "replication-factor = 0"),
        ("--topic-config x", "", "KEY=VALUE"),
        ("--preset fast", "", "tail-latency"),
        ("--fetch-bytes-min 2MiB --fetch-bytes-max 1MiB", "", "fetch-bytes-min"),
        ("--no-verify --verify-after x", "", "contradict"),
        ("--topics 400 --partitions 400", "", "160000"),
        ("", "partitons = 3", "w.toml:1: unknown field `partitons`"),
        ("", "partitions = 3\nlinger = '5 parsecs'", "w.toml:2: times are written"),
        ("", "partitions = 'many'", "w.toml:1: invalid type"),
        ("", "partitions = ", "w.toml:1"),
    ];
    for (flags_text, file, expected) in table {
        let said = refusal(flags_text, file);
        assert!(said.contains(expected), "{flags_text} {file}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
}

#[test]
fn flags_with_bad_words_are_refused_by_what_they_could_be() {
    for (arguments, hint) in [
        (["load", "--linger", "5"], "5ms"),
        (["load", "--codec", "rar"], "zstd"),
        (["load", "--acks", "2"], "all"),
    ] {
        let said = CommandLine::try_parse_from(arguments).unwrap_err().to_string();
        assert!(said.contains(hint) && said.contains(arguments[1]), "{said}");
    }
}

#[test]
fn every_preset_is_a_workload_of_its_own() {
    let mut seen = vec![default_workload()];
    for preset in PRESETS {
        let workload = workload(&format!("--preset {}", preset.name), "");
        assert!(!seen.contains(&workload), "{}", preset.name);
        assert!(!preset.why.is_empty() && !preset.why.ends_with('.'));
        seen.push(workload);
    }
}

fn workloads() -> impl Strategy<Value = Workload> {
    let topics = ("[a-zA-Z0-9._-]{3,40}", 1u32..100, 1u32..1000, prop_oneof![Just(-1i16), 1i16..9]);
    let configs = prop::collection::vec(("[a-z.]{1,20}", "[ -~]{0,20}"), 0..3);
    let connections = (1u32..500, 0u32..500, 1u32..50, prop::bool::ANY, 0u32..5000);
    let sizes = (32u32..1 << 26, 1u32..1_000_000, 0u64..60_000_000_000);
    let keys = prop_oneof![
        Just(Keys::None),
        (1u32..1_000_000).prop_map(Keys::RoundRobin),
        (1u32..1_000_000, 0.0..10.0).prop_map(|(keys, exponent)| Keys::Zipf { keys, exponent }),
    ];
    let codec = prop::sample::select(vec![Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]);
    let rate = prop_oneof![
        Just(Rate::Max),
        (0.001..1e9).prop_map(Rate::RecordsPerSecond),
        (1u64..1 << 40).prop_map(|bytes| Rate::BytesPerSecond(bytes as f64)),
        (0.001..1e12).prop_map(Rate::BytesPerSecond),
    ];
    let pace = (rate, prop::bool::ANY, 1_000_000_000u64..1_000_000_000_000, 0u64..1_000_000_000_000);
    let fetch = (0u64..60_000_000_000, 1u32..1000, 1000u32..1 << 30, 1u32..1 << 30);
    let reliability =
        (prop::sample::select(vec![Acks::All, Acks::Leader, Acks::None]), 1u32..20, 0u64..1 << 63);
    (topics, configs, connections, sizes, keys, codec, pace, fetch, reliability).prop_map(
        |(topics, topic_configs, connections, sizes, keys, codec, pace, fetch, reliability)| {
            let (acks, in_flight, seed) = reliability;
            let closed = pace.0 == Rate::Max;
            Workload {
                topic: topics.0,
                topics: topics.1,
                partitions: topics.2,
                replication_factor: topics.3,
                topic_configs,
                producers: connections.0,
                consumers: connections.1,
                groups: connections.2,
                consume_from: if connections.3 { ConsumeFrom::Beginning } else { ConsumeFrom::End },
                idle_connections: connections.4,
                record_bytes: sizes.0,
                records_per_batch: sizes.1,
                batches_per_request: 1,
                linger: if closed { Duration::ZERO } else { Duration::from_nanos(sizes.2) },
                codec,
                keys,
                acks,
                in_flight,
                idempotent: acks == Acks::All && in_flight <= 5 && seed % 2 == 0,
                rate: pace.0,
                arrival: if pace.1 && !closed { Arrival::Poisson } else { Arrival::Uniform },
                duration: Duration::from_nanos(pace.2),
                warm_up: Duration::from_nanos(pace.3),
                seed,
                fetch_wait: Duration::from_nanos(fetch.0),
                fetch_bytes_min: fetch.1,
                fetch_bytes_max: fetch.2,
                partition_fetch_bytes_max: fetch.3,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_workload_written_as_a_file_reads_back(workload in workloads()) {
        let text = to_toml(&workload);
        let file = WorkloadFile { name: "w.toml", text: &text };
        let read = settle(&RawSettings::default(), Some(file)).map_err(|error| format!("{error}\n{text}")).unwrap();
        prop_assert_eq!(read.workload, workload, "{}", text);
    }
}
