//! Members of the consumer group protocol (KIP-848): they share, hand over, come back after a crash of the broker, and meet members of the
//! classic protocol in one group.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use protocol::{ApiKey, Array};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, Scratch, free_port};
use crate::clients::{PATIENCE, consumer, create_topic, send_values};
use crate::wire::Wire;

const TOPIC: &str = "shared";
/// Members are to be heard of often, so that nothing here takes seconds.
const ARGUMENTS: &[&str] = &[
    "--set",
    "group.consumer.min.heartbeat.interval.ms=50",
    "--set",
    "group.consumer.heartbeat.interval.ms=50",
    "--set",
    "group.initial.rebalance.delay.ms=0",
];

fn member(broker: &Broker, protocol: &str) -> impl std::ops::Deref<Target = BaseConsumer> + use<> {
    let mut configs = vec![
        ("group.id", "g"),
        ("group.protocol", protocol),
        ("enable.partition.eof", "false"),
        ("auto.offset.reset", "earliest"),
    ];
    if protocol == "classic" {
        // What a sticky assignor remembers in assignments would be lost: such a group is not moved a second time.
        configs.push(("partition.assignment.strategy", "range"));
        configs.push(("heartbeat.interval.ms", "100"));
    }
    let member = consumer(broker, &configs);
    member.subscribe(&[TOPIC]).expect("subscribed");
    member
}

fn owned(member: &BaseConsumer) -> BTreeSet<i32> {
    let assignment = member.assignment().expect("a consumer has one");
    assignment.elements_for_topic(TOPIC).iter().map(|partition| partition.partition()).collect()
}

/// Polls all of them until each has so many partitions.
fn until_each_has(members: &[&BaseConsumer], counts: &[usize]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for member in members {
            is_record(member.poll(Duration::from_millis(10)));
        }
        let sizes: Vec<usize> = members.iter().map(|member| owned(member).len()).collect();
        if sizes == counts {
            let all: BTreeSet<i32> = members.iter().flat_map(|member| owned(member)).collect();
            assert_eq!(all.len(), counts.iter().sum::<usize>(), "a partition has two owners");
            return;
        }
        assert!(Instant::now() < deadline, "{sizes:?} instead of {counts:?}");
    }
}

/// What a restart of the broker does to the connection is no record.
fn is_record(polled: Option<Result<BorrowedMessage<'_>, KafkaError>>) -> bool {
    match polled {
        Some(Ok(_)) => true,
        None | Some(Err(KafkaError::MessageConsumption(_))) => false,
        Some(Err(error)) => panic!("{error}"),
    }
}

fn records(member: &BaseConsumer, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    let mut left = count;
    while left > 0 {
        assert!(Instant::now() < deadline, "{left} of {count} records did not come");
        left -= usize::from(is_record(member.poll(Duration::from_millis(100))));
    }
}

#[test]
fn members_share_partitions_and_hand_them_over() {
    for shards in [1, 2] {
        let scratch = Scratch::new();
        let broker = Broker::serve_at(&scratch, shards, 0, ARGUMENTS);
        create_topic(&broker, TOPIC, 4, &[]);
        let first = member(&broker, "consumer");
        until_each_has(&[&first], &[4]);
        let second = member(&broker, "consumer");
        until_each_has(&[&first, &second], &[2, 2]);
        let kept = owned(&first);
        drop(second);
        until_each_has(&[&first], &[4]);
        assert!(kept.is_subset(&owned(&first)));
    }
}

#[test]
fn a_group_goes_on_where_it_was_after_a_crash_of_the_broker() {
    let scratch = Scratch::new();
    let port = free_port();
    let broker = Broker::serve_at(&scratch, 2, port, ARGUMENTS);
    create_topic(&broker, TOPIC, 2, &[]);
    send_values(&broker, TOPIC, 0, &["a", "b", "c"]);
    let first = member(&broker, "consumer");
    records(&first, 3);
    let mut done = TopicPartitionList::new();
    done.add_partition_offset(TOPIC, 0, Offset::Offset(2)).expect("an offset");
    first.commit(&done, CommitMode::Sync).expect("committed");
    broker.kill();
    let broker = Broker::serve_at(&scratch, 2, port, ARGUMENTS);
    send_values(&broker, TOPIC, 1, &["d"]);
    // The member is still one: it has its partitions, and may commit.
    records(&first, 1);
    assert_eq!(owned(&first).len(), 2);
    first.commit(&done, CommitMode::Sync).expect("committed");
    drop(first);
    let second = member(&broker, "consumer");
    let found = second.committed_offsets(done, PATIENCE).expect("answered");
    assert_eq!(found.elements()[0].offset(), Offset::Offset(2));
}

#[test]
fn members_of_both_protocols_share_a_group() {
    let scratch = Scratch::new();
    let broker = Broker::serve_at(&scratch, 2, 0, ARGUMENTS);
    create_topic(&broker, TOPIC, 4, &[]);
    let old = member(&broker, "classic");
    until_each_has(&[&old], &[4]);
    let new = member(&broker, "consumer");
    until_each_has(&[&old, &new], &[2, 2]);
    drop(new);
    until_each_has(&[&old], &[4]);
    let new = member(&broker, "consumer");
    until_each_has(&[&old, &new], &[2, 2]);
    drop(old);
    until_each_has(&[&new], &[4]);
}

/// Kafka's number for groups as resources.
const GROUP: i8 = 32;
const INTERVAL: &str = "consumer.heartbeat.interval.ms";

fn set_interval(wire: &mut Wire, value: &str) -> i16 {
    let config = AlterableConfig { name: INTERVAL, config_operation: 0, value: Some(value) };
    let resource =
        AlterConfigsResource { resource_type: GROUP, resource_name: "g", configs: vec![config].into() };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource].into(), validate_only: false };
    let answer = wire.ask(ApiKey::IncrementalAlterConfigs, 1, &request).expect("the broker runs");
    let response: IncrementalAlterConfigsResponse<'_> = answer.decode();
    response.responses.iter().next().expect("one resource").error_code
}

fn told_interval(wire: &mut Wire) -> String {
    let resource =
        DescribeConfigsResource { resource_type: GROUP, resource_name: "g", configuration_keys: None };
    let request = DescribeConfigsRequest {
        resources: vec![resource].into(),
        include_synonyms: false,
        include_documentation: false,
    };
    let answer = wire.ask(ApiKey::DescribeConfigs, 4, &request).expect("the broker runs");
    let response: DescribeConfigsResponse<'_> = answer.decode();
    let result = response.results.iter().next().expect("one resource");
    let row = result.configs.iter().find(|row| row.name == INTERVAL).expect("a key of groups");
    row.value.expect("a number").to_owned()
}

/// What a member is told when it joins; the coordinator may have to be loaded first.
fn heartbeat_interval_ms(wire: &mut Wire) -> i32 {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g",
        member_id: "m",
        member_epoch: 0,
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec![TOPIC].into()),
        topic_partitions: Some(Array::empty()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = wire.ask(ApiKey::ConsumerGroupHeartbeat, 1, &request).expect("the broker runs");
        let response: ConsumerGroupHeartbeatResponse<'_> = answer.decode();
        if response.error_code == 0 {
            return response.heartbeat_interval_ms;
        }
        assert!(Instant::now() < deadline, "{:?}", response.error_message);
    }
}

#[test]
fn settings_of_a_group_count_at_once_and_after_a_crash() {
    let scratch = Scratch::new();
    let port = free_port();
    let broker = Broker::serve_at(&scratch, 2, port, &[]);
    create_topic(&broker, TOPIC, 1, &[]);
    let mut wire = Wire::connect(broker.address()).expect("it listens");
    assert_eq!((heartbeat_interval_ms(&mut wire), told_interval(&mut wire)), (5_000, "5000".to_owned()));
    assert_eq!(set_interval(&mut wire, "4000"), 40, "below group.consumer.min.heartbeat.interval.ms");
    assert_eq!(set_interval(&mut wire, "7000"), 0);
    assert_eq!((heartbeat_interval_ms(&mut wire), told_interval(&mut wire)), (7_000, "7000".to_owned()));
    broker.kill();
    let broker = Broker::serve_at(&scratch, 3, port, &[]);
    let mut wire = Wire::connect(broker.address()).expect("it listens");
    assert_eq!((heartbeat_interval_ms(&mut wire), told_interval(&mut wire)), (7_000, "7000".to_owned()));
}
