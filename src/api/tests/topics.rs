//! Metadata, CreateTopics, DeleteTopics, CreatePartitions, DescribeTopicPartitions.

use protocol::messages::create_partitions::CreatePartitionsTopic;
use protocol::messages::create_topics::CreatableTopicConfig;
use protocol::messages::delete_topics::DeleteTopicState;
use protocol::messages::describe_topic_partitions::{DescribeTopicPartitionsRequestCursor, TopicRequest};
use protocol::messages::metadata::MetadataRequestTopic;

use super::*;
use crate::model::{PartitionIndex, TopicId};

fn names_asked<'a>(names: &[&'a str]) -> Option<Array<'a, MetadataRequestTopic<'a>>> {
    let topic = |name: &&'a str| MetadataRequestTopic { name: Some(*name), ..Default::default() };
    Some(names.iter().map(topic).collect())
}

fn metadata(
    world: &mut World,
    version: i16,
    request: &MetadataRequest<'_>,
) -> Vec<(Option<&'static str>, i16, usize)> {
    let answer: MetadataResponse<'static> = world.ask(ApiKey::Metadata, version, request);
    answer.topics.iter().map(|topic| (topic.name, topic.error_code, topic.partitions.len())).collect()
}

fn id_of(world: &World, name: &str) -> Uuid {
    Uuid(world.image.names[name].0)
}

#[test]
fn all_topics_are_null_and_before_version_1_empty() {
    let mut world = World::with_topics(&[("b", 2), ("a", 1)]);
    let all = vec![(Some("a"), 0, 1), (Some("b"), 0, 2)];
    let (null, empty) = (None, Some(Array::empty()));
    for (version, topics, expect) in [
        (0, empty.clone(), all.clone()),
        (1, empty.clone(), vec![]),
        (1, null.clone(), all.clone()),
        (13, empty, vec![]),
        (13, null, all),
    ] {
        let request = MetadataRequest { topics, ..Default::default() };
        assert_eq!(metadata(&mut world, version, &request), expect, "{version}");
    }
}

#[test]
fn metadata_tells_brokers_leaders_and_replicas() {
    let mut world = World::with_topics(&[("a", 2)]);
    world.listener = 1;
    let request = MetadataRequest { topics: names_asked(&["a", "a"]), ..Default::default() };
    let answer: MetadataResponse<'_> = world.ask(ApiKey::Metadata, 13, &request);
    let brokers: Vec<_> = answer.brokers.iter().map(|b| (b.node_id, b.host, b.port, b.rack)).collect();
    assert_eq!(brokers, [(1, "outside", 9093, Some("r1"))]);
    assert_eq!((answer.cluster_id, answer.controller_id), (Some("AAAAAAAAAAAAAAAAAAAAAA"), 1));
    assert_eq!(answer.topics.len(), 1);
    let topic = answer.topics.iter().next().unwrap();
    assert_eq!((topic.topic_id, topic.is_internal), (id_of(&world, "a"), false));
    for (partition, index) in topic.partitions.iter().zip(0..) {
        assert_eq!((partition.partition_index, partition.leader_id, partition.error_code), (index, 1, 0));
        assert!(partition.leader_epoch >= 0);
        assert_eq!(partition.replica_nodes.iter().collect::<Vec<_>>(), [1]);
        assert_eq!(partition.isr_nodes.iter().collect::<Vec<_>>(), [1]);
        assert!(partition.offline_replicas.is_empty());
    }
}

/// As of a failed log dir of Kafka's: no leader, and this broker's replica offline.
#[test]
fn a_partition_whose_disk_failed_has_no_leader() {
    let mut world = World::with_topics(&[("a", 2)]);
    let topic_id = world.image.topic_by_name("a").expect("just made").topic_id;
    world.offline.insert(TopicPartition { topic_id, partition: PartitionIndex(1) });
    let request = MetadataRequest { topics: names_asked(&["a"]), ..Default::default() };
    let answer: MetadataResponse<'_> = world.ask(ApiKey::Metadata, 13, &request);
    let partitions = &answer.topics.iter().next().expect("the topic").partitions;
    let rows: Vec<(i16, i32, usize)> = partitions
        .iter()
        .map(|row| (row.error_code, row.leader_id, row.offline_replicas.iter().count()))
        .collect();
    assert_eq!(rows, [(0, 1, 0), (ErrorCode::LEADER_NOT_AVAILABLE as i16, -1, 1)]);
}

#[test]
fn operations_are_told_when_asked_for() {
    let mut world = World::with_topics(&[("a", 1)]);
    for (version, asked, cluster, topic) in [
        (8, true, 8096, 3576),
        (10, true, 8096, 3576),
        (10, false, i32::MIN, i32::MIN),
        (13, true, i32::MIN, 3576),
    ] {
        let request = MetadataRequest {
            topics: names_asked(&["a"]),
            include_cluster_authorized_operations: asked && version <= 10,
            include_topic_authorized_operations: asked,
            ..Default::default()
        };
        let answer: MetadataResponse<'_> = world.ask(ApiKey::Metadata, version, &request);
        assert_eq!(answer.cluster_authorized_operations, cluster, "{version}");
        assert_eq!(answer.topics.iter().next().unwrap().topic_authorized_operations, topic, "{version}");
    }
}

#[test]
fn unknown_topics_are_made_if_request_and_broker_allow() {
    let names = ["new", "a", "a b", "", "__consumer_offsets", "new.2"];
    for (setting, version, allowed, made) in [
        ("true", 0, true, true),
        ("true", 4, true, true),
        ("true", 13, true, true),
        ("true", 13, false, false),
        ("false", 13, true, false),
    ] {
        let mut world = World::new(&format!("auto.create.topics.enable={setting}\nnum.partitions=3"));
        let topics = vec![new_topic("a", 1)].into();
        let request = CreateTopicsRequest { topics, ..Default::default() };
        let _: CreateTopicsResponse<'_> = world.ask(ApiKey::CreateTopics, 7, &request);
        let request = MetadataRequest {
            topics: names_asked(&names),
            allow_auto_topic_creation: allowed,
            ..Default::default()
        };
        let new = if made { (0, 3) } else { (3, 0) };
        let expect = [
            (Some("new"), new.0, new.1),
            (Some("a"), 0, 1),
            (Some("a b"), 17, 0),
            (Some(""), 17, 0),
            (Some("__consumer_offsets"), 3, 0),
            (Some("new.2"), new.0, new.1),
        ];
        assert_eq!(metadata(&mut world, version, &request), expect, "{setting} {version} {allowed}");
    }
}

#[test]
fn a_topic_that_cannot_be_made_has_an_error() {
    let mut world = World::with_topics(&[("a.b", 1)]);
    let request = MetadataRequest { topics: names_asked(&["a_b", "c"]), ..Default::default() };
    assert_eq!(metadata(&mut world, 12, &request), [(Some("a_b"), 17, 0), (Some("c"), 0, 1)]);
    world.fails = true;
    let request = MetadataRequest { topics: names_asked(&["d"]), ..Default::default() };
    assert_eq!(metadata(&mut world, 12, &request), [(Some("d"), 3, 0)]);
}

#[test]
fn topics_are_asked_for_by_id_from_version_12_on() {
    let mut world = World::with_topics(&[("a", 1), ("b", 1)]);
    let (a, none) = (id_of(&world, "a"), Uuid::ZERO);
    for (version, topics, expect) in [
        (10, vec![(Some("a"), none)], vec![(Some("a"), 0, 1)]),
        (10, vec![(Some("a"), a)], vec![(Some("a"), 42, 0)]),
        (11, vec![(None, a)], vec![(Some(""), 42, 0)]),
        (12, vec![(None, a), (None, a)], vec![(Some("a"), 0, 1)]),
        (12, vec![(None, Uuid([9; 16])), (None, a)], vec![(None, 100, 0), (Some("a"), 0, 1)]),
        (12, vec![(Some("b"), none), (None, a)], vec![(Some("a"), 0, 1)]),
        (13, vec![(None, none)], vec![(Some(""), 42, 0)]),
    ] {
        let topic = |(name, topic_id)| MetadataRequestTopic { name, topic_id };
        let asked = topics.clone().into_iter().map(topic).collect();
        let request = MetadataRequest { topics: Some(asked), ..Default::default() };
        assert_eq!(metadata(&mut world, version, &request), expect, "{version} {topics:?}");
    }
}

#[test]
fn created_topics_are_described_from_version_5_on() {
    for (version, validate_only) in [(2, false), (4, false), (5, false), (6, true), (7, false), (7, true)] {
        let mut world = World::new("num.partitions=4");
        let config = CreatableTopicConfig { name: "retention.ms", value: Some("1000") };
        let topic = CreatableTopic { configs: vec![config].into(), ..new_topic("a", -1) };
        let request = CreateTopicsRequest { topics: vec![topic].into(), validate_only, ..Default::default() };
        let answer: CreateTopicsResponse<'_> = world.ask(ApiKey::CreateTopics, version, &request);
        let topic = answer.topics.iter().next().unwrap();
        assert_eq!((topic.name, topic.error_code, topic.error_message), ("a", 0, None));
        assert_eq!(world.image.names.contains_key("a"), !validate_only);
        if version < 5 {
            continue;
        }
        assert_eq!((topic.num_partitions, topic.replication_factor), (4, 1));
        assert_eq!(topic.topic_config_error_code, 0);
        let configs: Vec<_> = topic.configs.iter().flatten().collect();
        let row =
            |name| configs.iter().find(|row| row.name == name).map(|row| (row.value, row.config_source));
        assert_eq!(row("retention.ms"), Some((Some("1000"), 1)));
        assert_eq!(row("cleanup.policy"), Some((Some("delete"), 5)));
        assert_eq!(row("min.insync.replicas"), Some((Some("1"), 3)));
        assert_eq!(configs.len(), crate::config::topic_keys().count());
        let is_told = version >= 7 && !validate_only;
        assert_eq!(topic.topic_id, if is_told { id_of(&world, "a") } else { Uuid::ZERO });
    }
}

#[test]
fn each_topic_of_a_request_has_one_result() {
    let mut world = World::with_topics(&[("a", 1)]);
    let topics = ["b", "a", "c", "b", "a b"].map(|name| new_topic(name, 1)).to_vec();
    let request = CreateTopicsRequest { topics: topics.into(), ..Default::default() };
    let answer: CreateTopicsResponse<'_> = world.ask(ApiKey::CreateTopics, 7, &request);
    let results: Vec<_> = answer.topics.iter().map(|topic| (topic.name, topic.error_code)).collect();
    assert_eq!(results, [("a", 36), ("c", 0), ("a b", 17), ("b", 42)]);
    world.fails = true;
    let request = CreateTopicsRequest { topics: vec![new_topic("d", 1)].into(), ..Default::default() };
    let answer: CreateTopicsResponse<'_> = world.ask(ApiKey::CreateTopics, 2, &request);
    let topic = answer.topics.iter().next().unwrap();
    assert_eq!((topic.name, topic.error_code), ("d", ErrorCode::KAFKA_STORAGE_ERROR as i16));
    assert_eq!(topic.error_message, Some("the log cannot be written"));
}

#[test]
fn names_too_long_for_a_message_are_answered() {
    let mut world = World::new("");
    let long: &'static str = String::leak("é".repeat(16_383));
    let config = CreatableTopicConfig { name: long, value: Some("1") };
    let topic = CreatableTopic { configs: vec![config].into(), ..new_topic("a", 1) };
    let request =
        CreateTopicsRequest { topics: vec![new_topic(long, 1), topic].into(), ..Default::default() };
    let answer: CreateTopicsResponse<'_> = world.ask(ApiKey::CreateTopics, 7, &request);
    let results: Vec<_> = answer.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(results, [17, 40]);
    let request = DeleteTopicsRequest { topic_names: vec![long].into(), ..Default::default() };
    let answer: DeleteTopicsResponse<'_> = world.ask(ApiKey::DeleteTopics, 5, &request);
    assert_eq!(answer.responses.iter().next().unwrap().error_code, 3);
}

#[test]
fn topics_are_deleted_by_name_or_by_id() {
    let mut world = World::with_topics(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
    let ids = ["a", "b", "c", "d"].map(|name| id_of(&world, name));
    let none = Uuid::ZERO;
    let topics = [
        (Some("a"), none),
        (None, ids[1]),
        (Some("c"), ids[2]),
        (None, none),
        (Some("x"), none),
        (None, Uuid([9; 16])),
        (Some("d"), none),
        (None, ids[3]),
    ];
    let topics = topics.map(|(name, topic_id)| DeleteTopicState { name, topic_id });
    let request = DeleteTopicsRequest { topics: topics.to_vec().into(), ..Default::default() };
    let answer: DeleteTopicsResponse<'_> = world.ask(ApiKey::DeleteTopics, 6, &request);
    let results: Vec<_> = answer.responses.iter().map(|r| (r.name, r.topic_id, r.error_code)).collect();
    assert_eq!(
        results,
        [
            (Some("a"), ids[0], 0),
            (Some("b"), ids[1], 0),
            (Some("x"), none, 3),
            (None, Uuid([9; 16]), 100),
            (Some("c"), ids[2], 42),
            (None, none, 42),
            (Some("d"), none, 42),
        ]
    );
    let left: Vec<TopicId> = world.image.topics.keys().copied().collect();
    assert_eq!(left.len(), 2);
}

#[test]
fn deletion_by_name_in_old_versions() {
    for (settings, version, error) in
        [("", 1, 0), ("", 5, 0), ("delete.topic.enable=false", 2, 42), ("delete.topic.enable=false", 3, 73)]
    {
        let mut world = World::new(settings);
        let request = CreateTopicsRequest { topics: vec![new_topic("a", 1)].into(), ..Default::default() };
        let _: CreateTopicsResponse<'_> = world.ask(ApiKey::CreateTopics, 7, &request);
        let request = DeleteTopicsRequest { topic_names: vec!["a", "x", "x"].into(), ..Default::default() };
        let answer: DeleteTopicsResponse<'_> = world.ask(ApiKey::DeleteTopics, version, &request);
        let results: Vec<_> = answer.responses.iter().map(|r| (r.name, r.error_code)).collect();
        assert_eq!(results, [(Some("a"), error), (Some("x"), 42)], "{settings} {version}");
    }
}

#[test]
fn partitions_are_added() {
    let mut world = World::with_topics(&[("a", 2), ("b", 1)]);
    let topic = |name, count| CreatePartitionsTopic { name, count, assignments: None };
    for (topics, validate_only, expect, count) in [
        (vec![topic("a", 3)], true, vec![("a", 0)], 2),
        (vec![topic("a", 3), topic("x", 3)], false, vec![("a", 0), ("x", 3)], 3),
        (vec![topic("a", 3)], false, vec![("a", 37)], 3),
        (vec![topic("a", 4), topic("b", 1), topic("a", 5)], false, vec![("b", 37), ("a", 42)], 3),
    ] {
        let request = CreatePartitionsRequest { topics: topics.into(), validate_only, ..Default::default() };
        let answer: CreatePartitionsResponse<'_> = world.ask(ApiKey::CreatePartitions, 3, &request);
        let results: Vec<_> = answer.results.iter().map(|r| (r.name, r.error_code)).collect();
        assert_eq!(results, expect);
        assert_eq!(world.image.topic_by_name("a").unwrap().partitions.len(), count);
    }
}

type Page = (Vec<(&'static str, i16, Vec<i32>)>, Option<(&'static str, i32)>);

fn page(world: &mut World, names: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> Page {
    let request = DescribeTopicPartitionsRequest {
        topics: names.iter().map(|name| TopicRequest { name }).collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(topic_name, partition_index)| DescribeTopicPartitionsRequestCursor {
            topic_name,
            partition_index,
        }),
    };
    let answer: DescribeTopicPartitionsResponse<'static> =
        world.ask(ApiKey::DescribeTopicPartitions, 0, &request);
    let topics = answer.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| partition.partition_index).collect();
        (topic.name.unwrap(), topic.error_code, partitions)
    });
    (topics.collect(), answer.next_cursor.map(|cursor| (cursor.topic_name, cursor.partition_index)))
}

#[test]
fn partitions_are_described_page_by_page() {
    let mut world = World::with_topics(&[("t1", 3), ("t2", 3), ("t3", 2)]);
    let (t1, t2, t3) = (("t1", 0, vec![0, 1, 2]), ("t2", 0, vec![0, 1, 2]), ("t3", 0, vec![0, 1]));
    let named = ["t3", "t1", "t2", "t1"];
    for (names, limit, cursor, expect, next) in [
        (&[][..], 2000, None, vec![t1.clone(), t2.clone(), t3.clone()], None),
        (&named, 4, None, vec![t1.clone(), ("t2", 0, vec![0])], Some(("t2", 1))),
        (&named, 3, None, vec![t1.clone()], Some(("t2", 0))),
        (&named, 4, Some(("t2", 1)), vec![("t2", 0, vec![1, 2]), t3.clone()], None),
        (&named, 4, Some(("t2", 9)), vec![("t2", 0, vec![]), t3.clone()], None),
        (&[], 4, Some(("t2", 0)), vec![t2.clone(), ("t3", 0, vec![0])], Some(("t3", 1))),
        (&[], 4, Some(("t22", 1)), vec![t3.clone()], None),
        (&["t1"], 0, None, vec![("t1", 0, vec![0])], Some(("t1", 1))),
        (&["t1"], -5, Some(("t1", 2)), vec![("t1", 0, vec![2])], None),
        (&["t1", "t15", "t2"], 3, None, vec![t1.clone()], Some(("t15", 0))),
        (&["t1", "t15"], 4, None, vec![t1.clone(), ("t15", 3, vec![])], None),
        (&["x", "y"], 1, None, vec![("x", 3, vec![]), ("y", 3, vec![])], None),
        (&["a b"], 1, None, vec![("a b", 17, vec![])], None),
        (&["t3", "t1"], 9, Some(("t2", 0)), vec![("t3", 42, vec![]), ("t1", 42, vec![])], None),
        (&["t1"], 9, Some(("t1", -1)), vec![("t1", 42, vec![])], None),
    ] {
        assert_eq!(page(&mut world, names, limit, cursor), (expect, next), "{names:?} {limit} {cursor:?}");
    }
}

#[test]
fn every_version_can_say_everything() {
    let mut world = World::with_topics(&[("a", 2)]);
    for version in 0..=13 {
        let request = MetadataRequest {
            topics: names_asked(&["a", "x", "a b"]),
            allow_auto_topic_creation: version < 4,
            include_topic_authorized_operations: version >= 8,
            include_cluster_authorized_operations: (8..=10).contains(&version),
        };
        let found = metadata(&mut world, version, &request);
        assert_eq!(found.iter().map(|(_, error, _)| *error).collect::<Vec<_>>(), [0, 0, 17], "{version}");
    }
    for version in 2..=7 {
        let topics = ["b", "a", "c", "c"].map(|name| new_topic(name, 1)).to_vec().into();
        let request = CreateTopicsRequest { topics, ..Default::default() };
        let answer: CreateTopicsResponse<'_> = world.ask(ApiKey::CreateTopics, version, &request);
        let errors: Vec<_> = answer.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(errors, [0, 36, 42], "{version}");
        let request = if version < 7 {
            DeleteTopicsRequest { topic_names: vec!["b", "y"].into(), ..Default::default() }
        } else {
            let topics = ["b", "y"].map(|name| DeleteTopicState { name: Some(name), ..Default::default() });
            DeleteTopicsRequest { topics: topics.to_vec().into(), ..Default::default() }
        };
        let answer: DeleteTopicsResponse<'_> = world.ask(ApiKey::DeleteTopics, version - 1, &request);
        let errors: Vec<_> = answer.responses.iter().map(|topic| topic.error_code).collect();
        assert_eq!(errors, [0, 3], "{version}");
    }
    for version in 0..=3 {
        let topic = |name| CreatePartitionsTopic { name, count: 1, assignments: None };
        let topics = vec![topic("a"), topic("y")].into();
        let request = CreatePartitionsRequest { topics, ..Default::default() };
        let answer: CreatePartitionsResponse<'_> = world.ask(ApiKey::CreatePartitions, version, &request);
        let errors: Vec<_> = answer.results.iter().map(|topic| topic.error_code).collect();
        assert_eq!(errors, [37, 3], "{version}");
    }
}
