//! The table of keys, what text means, and what is refused.

use std::collections::BTreeMap;

use super::meta_properties::MetaProperties;
use super::*;
use crate::model::BrokerId;
use crate::model::topic_config::{TimestampType, TopicCompression, TopicConfig};

fn config(text: &str) -> Result<Config, String> {
    let mut raw = RawConfig::default();
    raw.set_from_properties(text, "test.properties").map_err(|error| error.to_string())?;
    Config::validate(&raw).map_err(|error| error.to_string())
}

fn overrides(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_table_is_sorted_and_its_defaults_are_valid() {
    for keys in [broker_keys::BROKER_KEYS, kept_broker_keys::KEPT_BROKER_KEYS, topic_keys::TOPIC_KEYS] {
        assert!(keys.is_sorted_by(|a, b| a.name < b.name));
        for key in keys {
            if let Some(default) = key.default {
                assert_eq!(key.canonical(default).as_deref(), Ok(default), "{}", key.name);
            }
        }
    }
    for key in broker_keys::BROKER_KEYS {
        assert!(
            kept_broker_keys::KEPT_BROKER_KEYS.iter().all(|kept| kept.name != key.name),
            "{} is there twice",
            key.name
        );
    }
}

#[test]
fn a_topic_key_has_the_default_of_its_broker_key() {
    let config = config("").unwrap();
    for key in topic_keys().filter(|key| !key.synonyms.is_empty()) {
        let (value, _) = config.topic_value(&BTreeMap::new(), key).unwrap();
        assert_eq!(Some(value.as_str()), key.default, "{}", key.name);
        for synonym in key.synonyms {
            assert!(broker_key(synonym.name).is_some(), "{}", synonym.name);
        }
    }
    assert_eq!(config.topic_defaults, TopicConfig::default());
}

#[test]
fn values_are_checked_by_type_and_range() {
    for (name, value, expect) in [
        ("retention.ms", "-1", Ok("-1")),
        ("retention.ms", " 5 ", Ok("5")),
        ("retention.ms", "+5", Ok("5")),
        ("retention.ms", "-2", Err("allowed: >= -1")),
        ("retention.ms", "abc", Err("expected a number of type long")),
        ("retention.ms", "", Err("expected a number of type long")),
        ("retention.ms", "1e3", Err("expected a number of type long")),
        ("retention.ms", "9223372036854775808", Err("expected a number of type long")),
        ("segment.bytes", "2147483648", Err("expected a number of type int")),
        ("segment.bytes", "1000", Err("allowed: >= 1048576")),
        ("cleanup.policy", "foo", Err("allowed: any of compact, delete")),
        ("cleanup.policy", "Delete", Err("allowed: any of compact, delete")),
        ("cleanup.policy", "", Ok("")),
        ("cleanup.policy", "compact, delete", Ok("compact,delete")),
        ("cleanup.policy", "compact,compact", Ok("compact")),
        ("cleanup.policy", "compact,", Err("an element of the list is empty")),
        ("compression.gzip.level", "0", Err("allowed: 1 to 9, or -1")),
        ("compression.gzip.level", "-1", Ok("-1")),
        ("compression.type", "zip", Err("allowed: one of uncompressed, zstd, lz4, snappy, gzip, producer")),
        ("preallocate", "TRUE", Ok("true")),
        ("preallocate", "yes", Err("expected true or false")),
        ("durable.acks", "false", Ok("false")),
        ("min.cleanable.dirty.ratio", "1.5", Err("allowed: 0 to 1")),
        ("min.cleanable.dirty.ratio", "NaN", Err("allowed: 0 to 1")),
        ("min.cleanable.dirty.ratio", "0.25", Ok("0.25")),
        ("leader.replication.throttled.replicas", "*", Ok("*")),
        ("leader.replication.throttled.replicas", "0:1,2:3", Ok("0:1,2:3")),
        (
            "leader.replication.throttled.replicas",
            "0-1",
            Err("allowed: *, or PARTITION:BROKER,PARTITION:BROKER,..."),
        ),
        (
            "leader.replication.throttled.replicas",
            "*,0:1",
            Err("allowed: *, or PARTITION:BROKER,PARTITION:BROKER,..."),
        ),
        ("leader.replication.throttled.replicas", "", Ok("")),
    ] {
        let got = check_topic_value(name, value).map_err(|error| error.problem);
        assert_eq!(got, expect.map(|text| Some(text.to_owned())).map_err(str::to_owned), "{name}={value}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    for (line, expect) in [
        (
            "log.retension.ms=1",
            "log.retension.ms: no such key; nearest: log.retention.ms (test.properties:1)",
        ),
        ("nosuchthing=1", "nosuchthing: no such key (test.properties:1)"),
        (
            "retention.bytes=1",
            "retention.bytes: a key of topics, not of brokers; nearest: log.retention.bytes (test.properties:1)",
        ),
        ("num.partitions=0", "num.partitions=0: allowed: >= 1 (test.properties:1)"),
        ("\nnum.partitions=x", "num.partitions=x: expected a number of type int (test.properties:2)"),
        ("ssl.key.password=\\u00", "test.properties: line 1: \\u needs four hex digits"),
    ] {
        assert_eq!(config(line).unwrap_err(), expect, "{line}");
    }
    let unknown = check_topic_value("retenton.ms", "1").unwrap_err();
    assert_eq!(unknown.to_string(), "retenton.ms: no such key; nearest: retention.ms");
}

#[test]
fn keys_of_kafka_without_effect_are_taken_with_one_warning_each() {
    let mut raw = RawConfig::default();
    let text = "num.io.threads=3\nnum.network.threads=3\nsuper.users=User:a\nlistener.name.x.ssl.keystore.type=JKS\nnum.partitions=2\nmessage.format.version=1";
    let warnings =
        raw.set_from_properties("num.io.threads=3\nnum.network.threads=3\nsuper.users=User:a", "f").unwrap();
    let lines: Vec<&str> = warnings.iter().map(|warning| warning.0.as_str()).collect();
    // num.network.threads is set to its default: nothing to say.
    assert_eq!(
        lines,
        [
            "num.io.threads has no effect in penstock (f:1)",
            "super.users has no effect in penstock: clients are neither authenticated nor authorized (f:3)",
        ]
    );
    assert!(raw.set_from_properties(text, "f").is_err());
    assert!(raw.set("listener.name.x.ssl.keystore.type", "JKS", Origin::CommandLine).unwrap().is_some());
    assert_eq!(raw.set_assignment("num.partitions=7"), Ok(None));
    assert_eq!(
        raw.set_assignment("num.partitions").unwrap_err().to_string(),
        "num.partitions: expected KEY=VALUE (command line)"
    );
    assert_eq!(Config::validate(&raw).unwrap().num_partitions, 7);
}

#[test]
fn defaults_make_a_broker() {
    let config = config("").unwrap();
    assert_eq!(
        config.listeners,
        [Listener {
            name: "PLAINTEXT".into(),
            host: String::new(),
            port: 9092,
            advertised_host: String::new(),
            advertised_port: 9092,
        }]
    );
    assert_eq!(
        (config.node_id, config.num_partitions, config.default_replication_factor),
        (BrokerId(1), 1, 1)
    );
    assert!(config.auto_create_topics && config.delete_topics);
    assert_eq!(config.connection_idle_ms_max, Some(600_000));
    assert_eq!(config.fetch_bytes_max, 57_671_680);
}

#[test]
fn listeners_of_kafkas_example_file_are_understood() {
    let config = config(
        "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://:9093,EXTERNAL://0.0.0.0:9094,V6://[::1]:9095\n\
         advertised.listeners=PLAINTEXT://localhost:9092,EXTERNAL://kafka.example.org:19094\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,external:PLAINTEXT,V6:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\nprocess.roles=broker,controller\nnode.id=3",
    )
    .unwrap();
    let lines: Vec<String> = config
        .listeners
        .iter()
        .map(|l| format!("{} {} {} {} {}", l.name, l.host, l.port, l.advertised_host, l.advertised_port))
        .collect();
    assert_eq!(
        lines,
        [
            "PLAINTEXT 127.0.0.1 9092 localhost 9092",
            "EXTERNAL 0.0.0.0 9094 kafka.example.org 19094",
            "V6 ::1 9095 ::1 9095",
        ]
    );
}

#[test]
fn contradictions_are_refused() {
    for (text, expect) in [
        ("listeners=SSL://:9092", "listener SSL asks for SSL, but only PLAINTEXT can be served"),
        ("listeners=X://:9092", "it lacks listener X; add X:PLAINTEXT"),
        ("listeners=", "no listener for clients"),
        ("listeners=PLAINTEXT://:70000", "is not NAME://HOST:PORT"),
        ("listeners=PLAINTEXT", "is not NAME://HOST:PORT"),
        ("listeners=PLAINTEXT://::1:9092", "is not NAME://HOST:PORT"),
        ("listeners=PLAINTEXT://:1,PLAINTEXT://:2", "two listeners are named PLAINTEXT"),
        ("advertised.listeners=OTHER://a:1", "there is no listener named OTHER"),
        ("advertised.listeners=PLAINTEXT://0.0.0.0:1", "clients cannot connect to 0.0.0.0"),
        ("process.roles=broker", "this broker is its own controller"),
        ("log.dirs=/a,/b\nmetadata.log.dir=/c", "allowed: one of log.dirs"),
        ("node.id=1\nbroker.id=2", "it must equal node.id, which is 1"),
        ("cluster.id=short", "22 digits"),
        ("default.replication.factor=0", "allowed: 1 to 32767"),
        (
            "log.cleaner.min.compaction.lag.ms=10\nlog.cleaner.max.compaction.lag.ms=5",
            "log.cleaner.min.compaction.lag.ms=10: must not exceed",
        ),
    ] {
        let error = config(text).unwrap_err();
        assert!(error.contains(expect), "{text}: {error}");
    }
    assert_eq!(config("broker.id=5").unwrap().node_id, BrokerId(5));
}

#[test]
fn log_dirs_are_named_in_order_and_each_counts_once() {
    let check = |text: &str, dirs: &[&str], metadata: usize| {
        let config = config(text).unwrap();
        assert_eq!(config.log_dirs, dirs, "{text}");
        assert_eq!(config.metadata_log_dir, metadata, "{text}");
    };
    check("log.dir=/a", &["/a"], 0);
    check("log.dir=/a\nlog.dirs=/c,/b", &["/c", "/b"], 0);
    check("log.dirs=/a,/b,/a", &["/a", "/b"], 0);
    check("log.dirs=/a,/b,/c\nmetadata.log.dir=/c", &["/a", "/b", "/c"], 2);
}

#[test]
fn the_finer_unit_wins_and_topics_override_brokers() {
    let retention = |text: &str| config(text).unwrap().topic_defaults.retention_ms;
    assert_eq!(retention("log.retention.hours=2"), 7_200_000);
    assert_eq!(retention("log.retention.hours=2\nlog.retention.minutes=3"), 180_000);
    assert_eq!(retention("log.retention.hours=2\nlog.retention.minutes=3\nlog.retention.ms=4"), 4);
    assert_eq!(retention("log.retention.hours=-1"), -1);
    let config = config("log.segment.bytes=2000000\nlog.message.timestamp.type=LogAppendTime").unwrap();
    let typed = config
        .topic_config(&overrides(&[
            ("compression.type", "zstd"),
            ("cleanup.policy", "compact"),
            ("durable.acks", "false"),
        ]))
        .unwrap();
    assert_eq!(typed.segment_bytes, 2_000_000);
    assert_eq!(typed.timestamp_type, TimestampType::LogAppendTime);
    assert_eq!(typed.compression, TopicCompression::Zstd { level: 3 });
    assert!(typed.compacted && !typed.deletes && !typed.durable_acks);
}

#[test]
fn topic_settings_are_checked_together() {
    let config = config("").unwrap();
    for (pairs, expect) in [
        (
            vec![("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")],
            "min.compaction.lag.ms=10: must not exceed max.compaction.lag.ms, which is 5",
        ),
        (
            vec![("remote.storage.enable", "true")],
            "remote.storage.enable=true: there is no tiered storage in penstock; allowed: false",
        ),
        (vec![("nosuch", "1")], "nosuch: no such key"),
    ] {
        assert_eq!(config.topic_config(&overrides(&pairs)).unwrap_err().to_string(), expect);
    }
    // Removed in 4.0: means nothing, harms nothing.
    assert!(config.topic_config(&overrides(&[("message.format.version", "2.0")])).is_ok());
}

#[test]
fn dynamic_values_win_over_static_ones() {
    let config = config("log.retention.ms=1\nmin.insync.replicas=5").unwrap();
    let key = topic_key("retention.ms").unwrap();
    let dynamic = BTreeMap::from([
        (
            None,
            overrides(&[
                ("log.retention.ms", "2"),
                ("min.insync.replicas", "3"),
                ("gone.in.this.version", "1"),
            ]),
        ),
        (Some(BrokerId(1)), overrides(&[("log.retention.ms", "3"), ("min.insync.replicas", "4")])),
        (Some(BrokerId(2)), overrides(&[("log.retention.ms", "9")])),
    ]);
    let dynamic = config.with_dynamic(&dynamic);
    let none = BTreeMap::new();
    assert_eq!(config.topic_value(&none, key), Some(("1".to_owned(), Source::StaticBroker)));
    assert_eq!(dynamic.topic_value(&none, key), Some(("3".to_owned(), Source::DynamicBroker)));
    assert_eq!(dynamic.topic_defaults.retention_ms, 3);
    // One broker's value of this key does not count, and neither does the file's.
    assert_eq!(
        (config.topic_defaults.min_insync_replicas, dynamic.topic_defaults.min_insync_replicas),
        (1, 3)
    );
    let listed: Vec<_> = dynamic
        .topic_synonyms(&none, key)
        .into_iter()
        .map(|line| format!("{}={} {}", line.name, line.value, line.source.code()))
        .collect();
    assert_eq!(
        listed,
        ["log.retention.ms=3 2", "log.retention.ms=2 3", "log.retention.ms=1 4", "log.retention.hours=168 5"]
    );
}

#[test]
fn synonyms_before_the_key_itself_are_not_listed() {
    let config = config("").unwrap();
    let none = BTreeMap::new();
    for name in [
        "retention.ms",
        "flush.ms",
        "segment.ms",
        "segment.jitter.ms",
        "remote.storage.enable",
        "leader.replication.throttled.replicas",
    ] {
        assert_eq!(config.topic_synonyms(&none, topic_key(name).unwrap()), [], "{name}");
    }
    let listed = config.topic_synonyms(&none, topic_key("segment.bytes").unwrap());
    assert_eq!(
        listed,
        [SynonymValue {
            name: "log.segment.bytes".into(),
            value: "1073741824".into(),
            source: Source::Default
        }]
    );
}

#[test]
fn meta_properties_round_trip_and_refuse_what_is_wrong() {
    let text = "#\n#Sat Nov 21 09:22:53 UTC 2026\nnode.id=1\ndirectory.id=l8apqoB40yLO2p1hpK2yww\nversion=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n";
    let properties = MetaProperties::parse(text).unwrap();
    assert_eq!((properties.node_id, properties.cluster_id.as_str()), (1, "AAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!(MetaProperties::parse(&properties.to_string()), Ok(properties));
    for (from, to, key) in [
        ("node.id=1\n", "", "node.id"),
        ("node.id=1", "node.id=-1", "node.id"),
        ("version=1", "version=0", "version"),
        ("cluster.id=AAAAAAAAAAAAAAAAAAAAAA", "cluster.id=", "cluster.id"),
        ("l8apqoB40yLO2p1hpK2yww", "x", "directory.id"),
        ("l8apqoB40yLO2p1hpK2yww", "AAAAAAAAAAAAAAAAAAAAAA", "directory.id"),
    ] {
        assert_eq!(MetaProperties::parse(&text.replace(from, to)).unwrap_err().key, key);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", name in "[a-z.]{0,30}") {
        let _ = config(&text);
        let _ = MetaProperties::parse(&text);
        let _ = check_topic_value(&name, &text);
        for key in topic_keys().chain(broker_keys()) {
            let _ = key.canonical(&text);
        }
    }
}
