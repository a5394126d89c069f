//! Members of the consumer group protocol (KIP-848): they share, hand over, come back after a crash of the broker, and meet members of the
//! classic protocol in one group.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, Scratch, free_port};
use crate::clients::{PATIENCE, consumer, create_topic, send_values};

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
