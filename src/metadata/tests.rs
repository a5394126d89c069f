//! Rules of the controller by table; replay of every prefix of a log.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use protocol::Uuid;
use protocol::error_code::ErrorCode;
use protocol::messages::metadata_record::{NoOpRecord, TopicRecord};
use protocol::record::{BatchBuilder, batches};

use super::batch::RecordBuffer;
use super::topic_ids::TopicIds;
use super::*;
use crate::config::{Config, RawConfig};
use crate::model::control::*;
use crate::model::metadata_image::Endpoint;
use crate::model::{BrokerId, DirectoryId, Instant, PartitionIndex, TopicId};

const NOW: Now = Now { instant: Instant(0), wall_ms: 1_795_252_975_881 };

fn config(text: &str) -> Arc<Config> {
    let mut raw = RawConfig::default();
    raw.set_from_properties(text, "test").unwrap();
    Arc::new(Config::validate(&raw).unwrap())
}

/// A controller with the log that it has written.
struct World {
    controller: Controller,
    config: Arc<Config>,
    log: Vec<u8>,
    directories: Vec<DirectoryId>,
}

fn replay(log: &[u8], config: &Arc<Config>) -> Result<(Controller, u64), MetadataError> {
    Controller::replay(log, "AAAAAAAAAAAAAAAAAAAAAA", BrokerId(1), config.clone(), [7; 16])
}

impl World {
    fn new(text: &str) -> World {
        let config = config(text);
        let (controller, end) = replay(&[], &config).unwrap();
        assert_eq!(end, 0);
        let directories = vec![DirectoryId([2; 16])];
        let mut world = World { controller, config, log: Vec::new(), directories };
        world.start();
        world
    }

    fn start(&mut self) {
        let incarnation = Incarnation {
            incarnation_id: Uuid([1; 16]),
            directories: self.directories.clone(),
            endpoints: vec![Endpoint { listener: "PLAINTEXT".into(), host: "localhost".into(), port: 9092 }],
        };
        let batch = self.controller.start(NOW, &incarnation);
        self.log.extend_from_slice(&batch);
    }

    fn restart(&mut self) {
        let (controller, end) = replay(&self.log, &self.config).unwrap();
        assert_eq!(end, self.log.len() as u64);
        self.controller = controller;
        self.start();
    }

    fn ask(&mut self, request: ControlRequest) -> ControlAnswer {
        let before = self.controller.image();
        let decision = self.controller.handle(NOW, request);
        match decision.batch {
            Some(batch) => self.log.extend_from_slice(&batch),
            None => assert_eq!(before, self.controller.image()),
        }
        decision.answer
    }

    fn create(&mut self, topics: Vec<NewTopic>) -> Vec<(ErrorCode, String)> {
        let ControlAnswer::CreateTopics(answers) =
            self.ask(ControlRequest::CreateTopics { topics, validate_only: false })
        else {
            panic!("another answer")
        };
        answers.into_iter().map(|answer| told(answer.result)).collect()
    }

    fn create_one(&mut self, name: &str) {
        assert_eq!(self.create(vec![topic(name)]), [(ErrorCode::NONE, String::new())]);
    }

    fn alter(
        &mut self,
        resource: ConfigResource,
        operations: &[(&str, ConfigOperationKind, Option<&str>)],
    ) -> (ErrorCode, String) {
        let operations = operations.iter().map(|(key, kind, value)| ConfigOperation {
            key: (*key).to_owned(),
            kind: *kind,
            value: value.map(str::to_owned),
        });
        let change = ConfigChange { resource, operations: operations.collect(), replace_all: false };
        let ControlAnswer::AlterConfigs(mut answers) =
            self.ask(ControlRequest::AlterConfigs { resources: vec![change], validate_only: false })
        else {
            panic!("another answer")
        };
        told(answers.remove(0))
    }
}

fn told(result: ControlError) -> (ErrorCode, String) {
    (result.error, result.message.unwrap_or_default())
}

fn topic(name: &str) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        partitions: 1,
        replication_factor: 1,
        assignments: Vec::new(),
        configs: BTreeMap::new(),
    }
}

fn assigned(partitions: &[(i32, &[i32])]) -> NewTopic {
    let assignments = partitions
        .iter()
        .map(|(index, brokers)| (PartitionIndex(*index), brokers.iter().map(|id| BrokerId(*id)).collect()))
        .collect();
    NewTopic { partitions: -1, replication_factor: -1, assignments, ..topic("assigned") }
}

fn with(name: &str, key: &str, value: Option<&str>) -> NewTopic {
    NewTopic { configs: BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]), ..topic(name) }
}

/// A log with every kind of record that the controller writes.
fn busy_world() -> World {
    let mut world = World::new("num.partitions=3\nbroker.rack=r1");
    world.create(vec![
        NewTopic { partitions: -1, replication_factor: -1, ..topic("a") },
        with("b", "retention.ms", Some("5")),
    ]);
    world.create(vec![with("a.b_c", "cleanup.policy", Some("compact")), topic("a_b.c")]);
    world.alter(
        ConfigResource::Topic("a".into()),
        &[("segment.bytes", ConfigOperationKind::Set, Some("2000000"))],
    );
    world.alter(ConfigResource::Broker(None), &[("log.retention.ms", ConfigOperationKind::Set, Some("777"))]);
    world.ask(ControlRequest::AllocateProducerIds);
    world.restart();
    let topics = vec![NewPartitions { name: "b".into(), count: 4, assignments: None }];
    world.ask(ControlRequest::CreatePartitions { topics, validate_only: false });
    world.ask(ControlRequest::DeleteTopics { topics: vec![TopicRef::Name("a".into())] });
    world.alter(ConfigResource::Broker(None), &[("log.retention.ms", ConfigOperationKind::Delete, None)]);
    world.create_one("a");
    world
}

#[test]
fn a_replayed_log_gives_the_image_that_was_decided() {
    let world = busy_world();
    let (replayed, end) = replay(&world.log, &world.config).unwrap();
    assert_eq!(end, world.log.len() as u64);
    assert_eq!(replayed.image(), world.controller.image());
}

#[test]
fn every_prefix_of_the_log_replays_to_the_state_of_its_whole_batches() {
    let world = busy_world();
    let mut ends = vec![0];
    let mut walk = batches(&world.log);
    while walk.next().is_some() {
        ends.push(walk.position());
    }
    let mut images: BTreeMap<usize, Arc<MetadataImage>> = BTreeMap::new();
    for length in 0..=world.log.len() {
        let (replayed, end) = replay(&world.log[..length], &world.config).unwrap();
        let whole = *ends.iter().rfind(|end| **end <= length).unwrap();
        assert_eq!(end, whole as u64, "prefix {length}");
        let image = images.entry(whole).or_insert_with(|| replayed.image());
        assert_eq!(*image, replayed.image());
    }
    assert_eq!(images.len(), ends.len());
}

#[test]
fn a_torn_tail_is_cut_and_damage_in_the_middle_is_an_error() {
    let world = busy_world();
    let last = {
        let mut walk = batches(&world.log);
        let mut starts = vec![0];
        while walk.next().is_some() {
            starts.push(walk.position());
        }
        starts[starts.len() - 2]
    };
    for tail in [vec![0; 5000], vec![0xff; 100], vec![2; 64]] {
        let log = [world.log.as_slice(), &tail].concat();
        assert_eq!(replay(&log, &world.config).unwrap().1, world.log.len() as u64);
    }
    for position in last..world.log.len() {
        let mut log = world.log.clone();
        log[position] ^= 0x10;
        // A flipped epoch is outside the CRC; it is harmless upwards.
        match replay(&log, &world.config) {
            Ok((_, end)) => assert!(end == last as u64 || end == log.len() as u64, "byte {position}"),
            Err(error) => assert!(position < last + 17, "byte {position}: {error}"),
        }
    }
    let mut log = world.log.clone();
    log[100] ^= 0x10;
    let error = replay(&log, &world.config).unwrap_err();
    assert_eq!(error.position, 0);
    assert!(error.problem.contains("damaged in the middle"), "{error}");
}

#[test]
fn what_is_not_understood_stops_the_start() {
    let world = World::new("");
    let next = i64::try_from(world.controller.image().version).unwrap() + 1;
    let value_of = |value: &[u8]| {
        let mut batch = BatchBuilder::new().base_offset(next).leader_epoch(1);
        batch.append(0, None, Some(value), &[]);
        [world.log.as_slice(), &batch.build()].concat()
    };
    for (value, expect) in [
        (vec![1, 18, 0, 0], "record type 18, version 0 is not supported"),
        (vec![1, 2, 9, 0], "record type 2, version 9 is not supported"),
        (vec![2, 20, 0, 0], "frame version 2"),
        (vec![1, 20, 0, 0, 0], "1 bytes too many"),
        (vec![1], "more bytes needed"),
        (vec![], "more bytes needed"),
        // metadata.version 31
        (
            [&[1, 12, 0, 17][..], b"metadata.version", &[0, 31, 0]].concat(),
            "metadata.version 31 is not supported (allowed: 25 to 30)",
        ),
    ] {
        let error = replay(&value_of(&value), &world.config).unwrap_err();
        assert_eq!((error.position, error.offset), (world.log.len() as u64, Some(next)));
        assert!(error.problem.contains(expect), "{error}");
    }
    assert!(replay(&value_of(&[1, 20, 0, 0]), &world.config).is_ok());
    let mut records = RecordBuffer::new(0, 1, 0);
    records.push(&NoOpRecord {});
    let error = replay(&records.finish().unwrap(), &world.config).unwrap_err();
    assert!(error.problem.contains("does not begin with its metadata.version"), "{error}");
    let mut records = RecordBuffer::new(next, 1, 0);
    records.push(&TopicRecord { name: "x", topic_id: Uuid::ZERO });
    let log = [world.log.as_slice(), &records.finish().unwrap()].concat();
    assert!(replay(&log, &world.config).is_err());
    let other = Controller::replay(&world.log, "x", BrokerId(2), world.config.clone(), [0; 16]).unwrap_err();
    assert!(other.problem.contains("belongs to broker 1, this is broker 2"), "{other}");
}

#[test]
fn every_start_raises_every_leader_epoch_and_the_broker_epoch() {
    let mut world = World::new("");
    world.create(vec![NewTopic { partitions: 2, ..topic("t") }]);
    let broker_epoch = world.controller.state.broker_epoch;
    for start in 1..4 {
        world.restart();
        let image = world.controller.image();
        for partition in &image.topic_by_name("t").unwrap().partitions {
            assert_eq!((partition.leader_epoch.0, partition.partition_epoch), (start, start));
            assert_eq!(partition.leader, BrokerId(1));
        }
    }
    assert!(world.controller.state.broker_epoch > broker_epoch);
    assert_eq!(world.controller.image().brokers[0].endpoints[0].port, 9092);
}

#[test]
fn names_and_counts_of_new_topics_are_checked_as_kafka_does() {
    use ErrorCode::*;
    let mut world = World::new("");
    world.create_one("ok");
    world.create_one("a.b_c");
    let long = "a".repeat(250);
    for (new, expect) in [
        (topic("ok"), TOPIC_ALREADY_EXISTS),
        (topic(""), INVALID_TOPIC_EXCEPTION),
        (topic("."), INVALID_TOPIC_EXCEPTION),
        (topic(".."), INVALID_TOPIC_EXCEPTION),
        (topic("a/b"), INVALID_TOPIC_EXCEPTION),
        (topic("ä"), INVALID_TOPIC_EXCEPTION),
        (topic(&long), INVALID_TOPIC_EXCEPTION),
        (topic("a_b.c"), INVALID_TOPIC_EXCEPTION),
        (topic("__cluster_metadata"), TOPIC_AUTHORIZATION_FAILED),
        (NewTopic { partitions: 0, ..topic("n") }, INVALID_PARTITIONS),
        (NewTopic { partitions: -2, ..topic("n") }, INVALID_PARTITIONS),
        (NewTopic { partitions: 10_001, ..topic("n") }, POLICY_VIOLATION),
        (NewTopic { partitions: i32::MAX, ..topic("n") }, POLICY_VIOLATION),
        (NewTopic { replication_factor: 0, ..topic("n") }, INVALID_REPLICATION_FACTOR),
        (NewTopic { replication_factor: -2, ..topic("n") }, INVALID_REPLICATION_FACTOR),
        (NewTopic { replication_factor: 2, ..topic("n") }, INVALID_REPLICATION_FACTOR),
        (assigned(&[(1, &[1])]), INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[(0, &[1]), (2, &[1])]), INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[(0, &[1, 1])]), INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[(0, &[])]), INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[(0, &[9])]), INVALID_REPLICA_ASSIGNMENT),
        (NewTopic { partitions: 1, ..assigned(&[(0, &[1])]) }, INVALID_REQUEST),
        (with("n", "nosuch", Some("1")), INVALID_CONFIG),
        (with("n", "retention.ms", None), INVALID_CONFIG),
        (with("n", "retention.ms", Some("-2")), INVALID_CONFIG),
        (with("n", "remote.storage.enable", Some("true")), INVALID_CONFIG),
        (with("n", "message.format.version", Some("2.0")), NONE),
        (assigned(&[(1, &[1]), (0, &[1])]), NONE),
        (topic(&long[..249]), NONE),
    ] {
        let text = format!("{new:?}");
        assert_eq!(world.create(vec![new])[0].0, expect, "{text}");
    }
    let image = world.controller.image();
    assert_eq!(image.topic_by_name("assigned").unwrap().partitions.len(), 2);
    assert!(image.topic_by_name("n").unwrap().overrides.is_empty());
}

#[test]
fn a_topic_that_is_named_twice_or_collides_within_its_request_is_refused() {
    use ErrorCode::*;
    let mut world = World::new("");
    let answers = world.create(vec![topic("d"), topic("x.y"), topic("d"), topic("x_y"), topic("e")]);
    let codes: Vec<ErrorCode> = answers.into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [INVALID_REQUEST, NONE, INVALID_REQUEST, INVALID_TOPIC_EXCEPTION, NONE]);
}

#[test]
fn validate_only_changes_nothing() {
    let mut world = World::new("");
    let length = world.log.len();
    let ControlAnswer::CreateTopics(answers) =
        world.ask(ControlRequest::CreateTopics { topics: vec![topic("v")], validate_only: true })
    else {
        panic!("another answer")
    };
    assert_eq!(
        (answers[0].result.error, answers[0].partitions, answers[0].topic_id),
        (ErrorCode::NONE, 1, TopicId::ZERO)
    );
    world.create_one("v");
    let topics = vec![NewPartitions { name: "v".into(), count: 4, assignments: None }];
    world.ask(ControlRequest::CreatePartitions { topics, validate_only: true });
    assert_eq!(world.controller.image().topic_by_name("v").unwrap().partitions.len(), 1);
    assert!(world.log.len() > length);
}

#[test]
fn a_deleted_topic_comes_back_with_another_id_and_its_name_is_free() {
    let mut world = World::new("");
    world.create_one("t.t");
    let first = world.controller.image().topic_by_name("t.t").unwrap().topic_id;
    let delete = |topics| ControlRequest::DeleteTopics { topics };
    for (topics, expect) in [
        (vec![TopicRef::Name("no".into())], vec![ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]),
        (vec![TopicRef::Id(TopicId([9; 16]))], vec![ErrorCode::UNKNOWN_TOPIC_ID]),
        (vec![TopicRef::Id(first), TopicRef::Name("t.t".into())], vec![ErrorCode::INVALID_REQUEST; 2]),
        (vec![TopicRef::Id(first)], vec![ErrorCode::NONE]),
    ] {
        let ControlAnswer::DeleteTopics(answers) = world.ask(delete(topics)) else {
            panic!("another answer")
        };
        assert_eq!(answers.iter().map(|answer| answer.result.error).collect::<Vec<_>>(), expect);
    }
    world.create_one("t_t");
    assert_ne!(world.controller.image().topic_by_name("t_t").unwrap().topic_id, first);
    let mut closed = World::new("delete.topic.enable=false");
    closed.create_one("t");
    let ControlAnswer::DeleteTopics(answers) = closed.ask(delete(vec![TopicRef::Name("t".into())])) else {
        panic!("another answer")
    };
    assert_eq!(answers[0].result.error, ErrorCode::TOPIC_DELETION_DISABLED);
}

#[test]
fn partitions_are_only_added() {
    use ErrorCode::*;
    let mut world = World::new("");
    world.create_one("t");
    let told = |lists: &[&[i32]]| {
        Some(lists.iter().map(|ids| ids.iter().map(|id| BrokerId(*id)).collect()).collect())
    };
    for (name, count, assignments, expect) in [
        ("no", 3, None, UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 1, None, INVALID_PARTITIONS),
        ("t", 0, None, INVALID_PARTITIONS),
        ("t", -1, None, INVALID_PARTITIONS),
        ("t", 20_000, None, POLICY_VIOLATION),
        ("t", 3, told(&[&[1]]), INVALID_REPLICA_ASSIGNMENT),
        ("t", 2, told(&[&[1, 2]]), INVALID_REPLICA_ASSIGNMENT),
        ("t", 2, told(&[&[7]]), INVALID_REPLICA_ASSIGNMENT),
        ("t", 2, told(&[&[]]), INVALID_REPLICA_ASSIGNMENT),
        ("t", 2, told(&[&[1]]), NONE),
        ("t", 5, None, NONE),
    ] {
        let topics = vec![NewPartitions { name: name.into(), count, assignments }];
        let ControlAnswer::CreatePartitions(answers) =
            world.ask(ControlRequest::CreatePartitions { topics, validate_only: false })
        else {
            panic!("another answer")
        };
        assert_eq!(answers[0].result.error, expect, "{name} {count}");
    }
    assert_eq!(world.controller.image().topic_by_name("t").unwrap().partitions.len(), 5);
}

#[test]
fn topic_settings_change_one_by_one() {
    use ConfigOperationKind::*;
    use ErrorCode::*;
    let mut world = World::new("");
    world.create_one("t");
    for (key, kind, value, expect, after) in [
        ("retention.ms", Set, Some("5000"), NONE, Some("5000")),
        ("retention.ms", Set, None, INVALID_REQUEST, Some("5000")),
        ("retention.ms", Set, Some(""), INVALID_CONFIG, Some("5000")),
        ("retention.ms", Append, Some("5"), INVALID_CONFIG, Some("5000")),
        ("retention.ms", Delete, Some("ignored"), NONE, None),
        ("cleanup.policy", Append, Some("compact"), NONE, Some("delete,compact")),
        ("cleanup.policy", Append, Some("compact"), NONE, Some("delete,compact")),
        ("cleanup.policy", Subtract, Some("delete"), NONE, Some("compact")),
        ("cleanup.policy", Subtract, Some("compact"), NONE, Some("")),
        ("cleanup.policy", Append, Some("nonsense"), INVALID_CONFIG, Some("")),
        ("nosuch", Set, Some("5"), INVALID_CONFIG, None),
        ("nosuch", Delete, None, NONE, None),
        ("nosuch", Append, Some("a"), INVALID_CONFIG, None),
        ("message.downconversion.enable", Set, Some("true"), NONE, None),
        ("", Set, Some("true"), INVALID_REQUEST, None),
    ] {
        let (code, message) = world.alter(ConfigResource::Topic("t".into()), &[(key, kind, value)]);
        assert_eq!(code, expect, "{key} {kind:?} {value:?}: {message}");
        let image = world.controller.image();
        assert_eq!(image.topic_by_name("t").unwrap().overrides.get(key).map(String::as_str), after, "{key}");
    }
    let unknown = world.alter(ConfigResource::Topic("no".into()), &[("retention.ms", Set, Some("5"))]);
    assert_eq!(unknown.0, UNKNOWN_TOPIC_OR_PARTITION);
    let twice = [("retention.ms", Set, Some("5")), ("retention.ms", Delete, None)];
    assert_eq!(world.alter(ConfigResource::Topic("t".into()), &twice).0, INVALID_REQUEST);
    assert!(!world.controller.image().topic_by_name("t").unwrap().config.deletes);
}

#[test]
fn the_old_alter_configs_replaces_everything() {
    let mut world = World::new("");
    world.create(vec![with("t", "retention.ms", Some("5"))]);
    let operation = ConfigOperation {
        key: "segment.bytes".into(),
        kind: ConfigOperationKind::Set,
        value: Some("2000000".into()),
    };
    let change = ConfigChange {
        resource: ConfigResource::Topic("t".into()),
        operations: vec![operation],
        replace_all: true,
    };
    world.ask(ControlRequest::AlterConfigs { resources: vec![change], validate_only: false });
    let image = world.controller.image();
    let topic = image.topic_by_name("t").unwrap();
    assert_eq!(topic.overrides, BTreeMap::from([("segment.bytes".to_owned(), "2000000".to_owned())]));
    assert_eq!((topic.config.segment_bytes, topic.config.retention_ms), (2_000_000, 604_800_000));
}

/// Source: Apache Kafka 4.3.1, asked: error codes and messages.
#[test]
fn settings_of_groups_change_within_the_bounds_of_the_broker() {
    use ConfigOperationKind::*;
    use ErrorCode::*;
    let mut world = World::new("group.consumer.max.heartbeat.interval.ms=50000");
    let group = ConfigResource::Group("g".to_owned());
    let (session, heartbeat) = ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms");
    for (key, kind, value, error, message) in [
        (session, Set, Some("50000"), NONE, ""),
        (session, Set, Some("44000"), INVALID_CONFIG, "must be greater than or equal to group.consumer.min"),
        (session, Set, Some("70000"), INVALID_CONFIG, "must be less than or equal to group.consumer.max"),
        (session, Set, Some("abc"), INVALID_CONFIG, "Invalid value abc for configuration consumer.session"),
        (session, Set, Some("0"), INVALID_CONFIG, "Invalid value 0 for configuration consumer.session"),
        (heartbeat, Set, Some("4000"), INVALID_CONFIG, "group.consumer.min.heartbeat.interval.ms"),
        (heartbeat, Set, Some("50000"), INVALID_CONFIG, "must be greater than consumer.heartbeat.interval"),
        (heartbeat, Append, Some("6000"), INVALID_CONFIG, "is not a list"),
        (heartbeat, Set, Some(" 6000 "), NONE, ""),
        ("consumer.assignment.interval.ms", Set, Some("15001"), INVALID_CONFIG, "must be less than"),
        ("consumer.assignment.interval.ms", Set, Some("0"), NONE, ""),
        ("consumer.assignment.interval.ms", Delete, None, NONE, ""),
        ("no.such.key", Set, Some("1"), INVALID_CONFIG, "Unknown group config name: no.such.key"),
        ("retention.ms", Set, Some("1"), INVALID_CONFIG, "Unknown group config name: retention.ms"),
        ("no.such.key", Delete, None, NONE, ""),
    ] {
        let told = world.alter(group.clone(), &[(key, kind, value)]);
        assert!(told.0 == error && told.1.contains(message), "{key} {kind:?} {value:?}: {told:?}");
    }
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = BTreeMap::from([pair(heartbeat, "6000"), pair(session, "50000")]);
    assert_eq!(world.controller.image().group_overrides["g"], expected);
    world.restart();
    assert_eq!(world.controller.image().group_overrides["g"], expected);
    for key in [session, heartbeat] {
        world.alter(group.clone(), &[(key, Delete, None)]);
    }
    assert!(world.controller.image().group_overrides.is_empty());
}

#[test]
fn broker_settings_change_where_kafka_lets_them() {
    use ConfigOperationKind::*;
    use ErrorCode::*;
    let mut world = World::new("");
    world.create_one("t");
    let (one, all) = (ConfigResource::Broker(Some(BrokerId(1))), ConfigResource::Broker(None));
    for (resource, key, kind, value, expect) in [
        (&one, "log.retention.ms", Set, Some("777"), NONE),
        (&all, "log.retention.ms", Set, Some("888"), NONE),
        (&all, "log.retention.hours", Set, Some("1"), INVALID_REQUEST),
        (&one, "num.partitions", Set, Some("3"), INVALID_REQUEST),
        (&one, "nosuchbroker", Set, Some("3"), INVALID_CONFIG),
        (&one, "nosuchbroker", Delete, None, NONE),
        (&ConfigResource::Broker(Some(BrokerId(9))), "log.retention.ms", Set, Some("3"), INVALID_REQUEST),
        (&one, "message.max.bytes", Set, Some("-1"), INVALID_REQUEST),
        (&all, "ssl.keystore.type", Set, Some("JKS"), INVALID_REQUEST),
        (&all, "cordoned.log.dirs", Set, Some("*"), INVALID_REQUEST),
        (&one, "max.connections", Set, Some("1000"), NONE),
        (&one, "min.insync.replicas", Set, Some("2"), INVALID_CONFIG),
        (&all, "min.insync.replicas", Set, Some("2"), NONE),
        (&all, "min.insync.replicas", Delete, None, INVALID_CONFIG),
        (&one, "leader.replication.throttled.rate", Set, Some("1000"), NONE),
        (&one, "log.cleaner.min.compaction.lag.ms", Set, Some("9223372036854775807"), NONE),
        (&one, "log.cleaner.max.compaction.lag.ms", Set, Some("5"), INVALID_REQUEST),
    ] {
        let (code, message) = world.alter(resource.clone(), &[(key, kind, value)]);
        assert_eq!(code, expect, "{key} {kind:?} {value:?}: {message}");
    }
    let typed = world.controller.image().topic_by_name("t").unwrap().config.clone();
    assert_eq!((typed.retention_ms, typed.min_insync_replicas), (777, 2));
    assert_eq!(world.alter(one, &[("log.retention.ms", Delete, None)]).0, NONE);
    assert_eq!(world.controller.image().topic_by_name("t").unwrap().config.retention_ms, 888);
}

#[test]
fn dynamic_settings_are_news_to_a_shard_that_starts() {
    let mut world = World::new("");
    let set = ConfigOperationKind::Set;
    world.alter(ConfigResource::Broker(None), &[("log.retention.ms", set, Some("888"))]);
    world.restart();
    let image = world.controller.image();
    assert_ne!(image.without_topics().broker_overrides, image.broker_overrides);
    let config = world.config.with_dynamic(&image.broker_overrides);
    assert_eq!(config.topic_defaults.retention_ms, 888);
}

#[test]
fn producer_ids_come_in_blocks_and_never_twice() {
    let mut world = World::new("");
    let mut firsts = Vec::new();
    for restart in [false, false, true] {
        if restart {
            world.restart();
        }
        let ControlAnswer::ProducerIds { first, count } = world.ask(ControlRequest::AllocateProducerIds)
        else {
            panic!("another answer")
        };
        assert_eq!(count, 1000);
        firsts.push(first);
    }
    assert_eq!(firsts, [0, 1000, 2000]);
}

#[test]
fn a_thousand_topics_are_one_append() {
    let mut world = World::new("");
    let topics: Vec<NewTopic> =
        (0..1000).map(|n| NewTopic { partitions: 10, ..topic(&format!("topic-{n}")) }).collect();
    let before = world.log.len();
    assert!(world.create(topics).iter().all(|(code, _)| *code == ErrorCode::NONE));
    assert_eq!(batches(&world.log[before..]).count(), 1);
    assert_eq!(world.controller.image().topics.len(), 1000);
    // Topics without overrides share one typed config.
    let image = world.controller.image();
    let mut configs = image.topics.values().map(|topic| Arc::as_ptr(&topic.config));
    let first = configs.next().unwrap();
    assert!(configs.all(|config| config == first));
}

#[test]
fn topic_ids_are_distinct_and_none_that_kafka_reserves() {
    let mut ids = TopicIds::new([0; 16], 0);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20_000 {
        let id = ids.next();
        assert!(seen.insert(id));
        assert!(!Uuid(id.0).to_string().starts_with('-'));
        assert_eq!((id.0[6] >> 4, id.0[8] >> 6), (4, 2));
    }
}

#[test]
fn internal_topics_are_marked() {
    let mut world = World::new("");
    world.create_one("__consumer_offsets");
    world.create_one("__mine");
    let image = world.controller.image();
    assert!(image.topic_by_name("__consumer_offsets").unwrap().internal);
    assert!(!image.topic_by_name("__mine").unwrap().internal);
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), cut in 0usize..4000, at in 0usize..4000) {
        let world = busy_world();
        let _ = replay(&bytes, &world.config);
        let mut log = world.log.clone();
        let at = at.min(log.len());
        log.truncate(log.len().min(cut.max(at)));
        log.splice(at.min(log.len()).., bytes);
        let _ = replay(&log, &world.config);
    }
}

/// For `kafka-dump-log.sh --cluster-metadata-decoder`: writes a log with every kind of record where the variable says.
#[test]
#[expect(clippy::disallowed_methods, reason = "a file for Kafka's own tool")]
fn a_log_for_kafkas_dump_tool() {
    let log: Bytes = busy_world().log.into();
    if let Some(path) = std::env::var_os("PENSTOCK_METADATA_LOG") {
        std::fs::write(path, &log).expect("the file can be written");
    }
}

/// What found no room in the log has not happened: the controller goes on as if it had read the log again.
#[test]
fn a_change_that_was_not_recorded_is_taken_back() {
    let mut world = busy_world();
    world.create_one("d.d");
    let (log, image, mark) = (world.log.clone(), world.controller.image(), world.controller.mark());
    world.create(vec![topic("e.e"), topic("f")]);
    world.ask(ControlRequest::DeleteTopics {
        topics: image.topics.keys().map(|topic_id| TopicRef::Id(*topic_id)).collect(),
    });
    world.ask(ControlRequest::AllocateProducerIds);
    let default = ConfigResource::Broker(None);
    world.alter(default, &[("log.retention.ms", ConfigOperationKind::Set, Some("77"))]);
    world.controller.roll_back(mark);
    world.log = log;
    assert_eq!(*world.controller.image(), *image);
    let mut again = replay(&world.log, &world.config).unwrap().0;
    let first = |answer| match answer {
        ControlAnswer::ProducerIds { first, .. } => first,
        other => panic!("{other:?}"),
    };
    let expected = first(again.handle(NOW, ControlRequest::AllocateProducerIds).answer);
    assert_eq!(first(world.ask(ControlRequest::AllocateProducerIds)), expected);
    assert_eq!(world.create(vec![topic("e_e")]), [(ErrorCode::NONE, String::new())], "its like was not made");
    assert_eq!(world.create(vec![topic("d_d")])[0].0, ErrorCode::INVALID_TOPIC_EXCEPTION, "its like was");
    world.restart();
}

/// The log dir with the fewest partitions gets the next one, but none that failed; a start gives those without a place to the dir
/// that was the only one.
#[test]
fn a_partition_has_its_place_in_its_record() {
    let (first, second) = (DirectoryId([2; 16]), DirectoryId([3; 16]));
    let mut world = World::new("num.partitions=3");
    world.create(vec![NewTopic { partitions: 3, ..topic("a") }]);
    world.directories = vec![first, second];
    world.restart();
    world.create(vec![NewTopic { partitions: 5, ..topic("b") }]);
    let places = |world: &World, name| -> Vec<DirectoryId> {
        let image = world.controller.image();
        let topic = image.topic_by_name(name).expect("it was made");
        topic.partitions.iter().map(|partition| partition.directory).collect()
    };
    assert_eq!(places(&world, "a"), [first; 3]);
    assert_eq!(places(&world, "b"), [second, second, second, first, second]);
    world.controller.avoid_dir(second);
    world.create(vec![NewTopic { partitions: 2, ..topic("c") }]);
    assert_eq!(places(&world, "c"), [first; 2]);
    world.controller.avoid_dir(first);
    world.create_one("d");
    assert_eq!(places(&world, "d"), [first], "there is nowhere else");
    let image = world.controller.image();
    world.directories = vec![second];
    world.restart();
    for name in ["a", "b", "c", "d"] {
        let before = &image.topic_by_name(name).expect("it was made").partitions;
        let before: Vec<DirectoryId> = before.iter().map(|partition| partition.directory).collect();
        assert_eq!(places(&world, name), before, "a dir that is missing keeps its partitions");
    }
}
