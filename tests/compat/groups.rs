//! Consumer groups of librdkafka: members share partitions, and what they committed outlives the broker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, Scratch, free_port};
use crate::clients::{PATIENCE, Unhurried, consumer, create_topic, on_shards, send_values};

const NO_DELAY: [&str; 2] = ["--set", "group.initial.rebalance.delay.ms=0"];

fn member(broker: &Broker, group: &str, topic: &str) -> Unhurried<BaseConsumer> {
    let settings = [
        ("group.id", group),
        ("auto.offset.reset", "earliest"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "100"),
        ("partition.assignment.strategy", "cooperative-sticky"),
    ];
    let consumer = consumer(broker, &settings);
    consumer.subscribe(&[topic]).expect("a topic");
    consumer
}

/// The next records, as they come; what a restart of the broker does to the connection is no record.
fn take(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let mut taken = Vec::new();
    let until = Instant::now() + PATIENCE;
    while taken.len() < count {
        assert!(Instant::now() < until, "only {taken:?} of {count}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                taken.push(String::from_utf8(message.payload().expect("a value").to_vec()).expect("text"));
            }
            None | Some(Err(KafkaError::PartitionEOF(_) | KafkaError::MessageConsumption(_))) => {}
            Some(Err(error)) => panic!("{error}"),
        }
    }
    taken
}

fn owned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    let assignment = consumer.assignment().expect("of a consumer");
    assignment.elements().iter().map(|element| element.partition()).collect()
}

/// Lets both poll until they own as many partitions as this.
fn wait_until_owned(consumers: &[(&BaseConsumer, usize)]) {
    let until = Instant::now() + PATIENCE;
    while consumers.iter().any(|(consumer, count)| owned(consumer).len() != *count) {
        assert!(Instant::now() < until, "the group does not become stable");
        for (consumer, _) in consumers {
            if let Some(Err(error)) = consumer.poll(Duration::from_millis(20)) {
                assert!(matches!(error, KafkaError::PartitionEOF(_)), "{error}");
            }
        }
    }
}

fn committed(consumer: &BaseConsumer, topic: &str) -> Offset {
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, 0);
    let committed = consumer.committed_offsets(asked, PATIENCE).expect("answered");
    committed.elements()[0].offset()
}

#[test]
fn a_group_goes_on_where_it_was_after_kill_9_of_the_broker() {
    let scratch = Scratch::new();
    let port = free_port();
    let broker = Broker::serve_at(&scratch, 2, port, &NO_DELAY);
    create_topic(&broker, "orders", 1, &[]);
    send_values(&broker, "orders", 0, &["a", "b", "c", "d"]);
    let stays = member(&broker, "billing", "orders");
    assert_eq!(take(&stays, 2), ["a", "b"]);
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("orders", 0, Offset::Offset(2)).expect("an offset");
    stays.commit(&offsets, CommitMode::Sync).expect("acknowledged");
    broker.kill();

    // With another number of shards the coordinator is on another one.
    let broker = Broker::serve_at(&scratch, 1, port, &NO_DELAY);
    let group = stays.fetch_group_list(Some("billing"), PATIENCE).expect("answered");
    let group = &group.groups()[0];
    assert_eq!((group.state(), group.members().len()), ("Stable", 1), "nobody need join again");
    assert_eq!(committed(&stays, "orders"), Offset::Offset(2));
    assert_eq!(take(&stays, 2), ["c", "d"]);
    stays.unsubscribe();

    let resumes = member(&broker, "billing", "orders");
    assert_eq!(take(&resumes, 2), ["c", "d"], "nothing after the commit is lost");
    let begins = member(&broker, "another", "orders");
    assert_eq!(take(&begins, 4), ["a", "b", "c", "d"]);
}

#[test]
fn members_share_the_partitions_and_take_over_from_those_that_leave() {
    on_shards(&[1, 4], &NO_DELAY, |broker| {
        create_topic(broker, "shared", 4, &[]);
        let first = member(broker, "workers", "shared");
        wait_until_owned(&[(&first, 4)]);
        let second = member(broker, "workers", "shared");
        wait_until_owned(&[(&first, 2), (&second, 2)]);
        assert_eq!(owned(&first).union(&owned(&second)).count(), 4, "nobody owns what the other owns");
        second.unsubscribe();
        wait_until_owned(&[(&first, 4)]);
    });
}
