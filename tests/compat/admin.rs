//! Topics and their configs through librdkafka's admin client, and what clients see of them.

use std::collections::BTreeSet;

use rdkafka::admin::{
    AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseRecord;

use crate::broker::Broker;
use crate::clients::{
    Delivered, PATIENCE, START, Sender, admin, block_on, consumer, create_topic, on_1_2_and_4_shards,
    on_shards, read_all, read_from, send_values, values,
};

const TOPICS: usize = 100;

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE))
}

/// The topics of users with their numbers of partitions, as the cluster's metadata tells them. A client with a group id has its coordinator looked for, and so the topic of all groups made.
fn topics(broker: &Broker) -> BTreeSet<(String, usize)> {
    let metadata = consumer(broker, &[]).fetch_metadata(None, PATIENCE).expect("answered");
    let users = metadata.topics().iter().filter(|topic| topic.name() != "__consumer_offsets");
    users.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect()
}

#[test]
fn topics_are_created_listed_and_deleted() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "first", 1, &[]);
        create_topic(broker, "second", 5, &[]);
        let named = |topics: &[(&str, usize)]| -> BTreeSet<(String, usize)> {
            topics.iter().map(|&(name, partitions)| (name.to_owned(), partitions)).collect()
        };
        assert_eq!(topics(broker), named(&[("first", 1), ("second", 5)]));
        send_values(broker, "first", 0, &["a"]);
        let deleted = block_on(admin(broker).delete_topics(&["first", "third"], &options()));
        assert_eq!(
            deleted.expect("answered"),
            [Ok("first".to_owned()), Err(("third".to_owned(), RDKafkaErrorCode::UnknownTopicOrPartition))]
        );
        assert_eq!(topics(broker), named(&[("second", 5)]));
        // A new topic of an old name begins anew.
        create_topic(broker, "first", 1, &[]);
        assert_eq!(send_values(broker, "first", 0, &["b"]), [0]);
        assert_eq!(values(&read_from(broker, "first", 0, START)), ["b"]);
    });
}

#[test]
fn what_cannot_be_created_is_refused_with_kafkas_error() {
    on_shards(&[2], &[], |broker| {
        create_topic(broker, "taken", 1, &[]);
        for (name, partitions, configs, expected) in [
            ("taken", 1, &[][..], RDKafkaErrorCode::TopicAlreadyExists),
            ("not allowed!", 1, &[], RDKafkaErrorCode::InvalidTopic),
            ("nonsense", 1, &[("cleanup.policy", "perhaps")], RDKafkaErrorCode::InvalidConfig),
        ] {
            let mut new = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
            for (key, value) in configs {
                new = new.set(key, value);
            }
            let results = block_on(admin(broker).create_topics([&new], &options())).expect("answered");
            assert_eq!(results, [Err((name.to_owned(), expected))]);
        }
        let new = NewTopic::new("thrice", 1, TopicReplication::Fixed(3));
        let results = block_on(admin(broker).create_topics([&new], &options())).expect("answered");
        assert_eq!(results, [Err(("thrice".to_owned(), RDKafkaErrorCode::InvalidReplicationFactor))]);
    });
}

#[test]
fn partitions_are_added_and_serve_at_once() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "grows", 2, &[]);
        send_values(broker, "grows", 1, &["before"]);
        let grow = |count| {
            let answer =
                block_on(admin(broker).create_partitions(&[NewPartitions::new("grows", count)], &options()));
            answer.expect("answered")
        };
        assert_eq!(grow(7), [Ok("grows".to_owned())]);
        assert_eq!(grow(7), [Err(("grows".to_owned(), RDKafkaErrorCode::InvalidPartitions))]);
        assert!(topics(broker).contains(&("grows".to_owned(), 7)));
        send_values(broker, "grows", 6, &["after"]);
        let read = read_all(broker, "grows", 7);
        let counts: Vec<usize> = read.iter().map(Vec::len).collect();
        assert_eq!(counts, [0, 1, 0, 0, 0, 0, 1]);
    });
}

#[test]
fn configs_are_described_and_altered() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "configured", 1, &[("retention.ms", "123456")]);
        let described = |key: &str| {
            let specifier = ResourceSpecifier::Topic("configured");
            let described = block_on(admin(broker).describe_configs([&specifier], &options()));
            let resource = described.expect("answered").remove(0).expect("described");
            let entry = resource.get(key).expect("a key of a topic");
            (entry.value.clone().expect("a value"), entry.is_default)
        };
        assert_eq!(described("retention.ms"), ("123456".to_owned(), false));
        assert_eq!(described("cleanup.policy"), ("delete".to_owned(), true));
        let alter = AlterConfig::new(ResourceSpecifier::Topic("configured")).set("max.message.bytes", "1000");
        let altered = block_on(admin(broker).alter_configs([&alter], &options())).expect("answered");
        assert!(altered[0].is_ok(), "{altered:?}");
        assert_eq!(described("max.message.bytes"), ("1000".to_owned(), false));
        // This request replaces all configs.
        assert_eq!(described("retention.ms"), ("604800000".to_owned(), true));
        // And they hold.
        let sender = Sender::new(broker, &[]);
        sender.send(BaseRecord::to("configured").partition(0).payload(&[b'x'; 2_000]));
        let refused = Delivered { partition: 0, offset: Err(RDKafkaErrorCode::MessageSizeTooLarge) };
        assert_eq!(sender.reports(), [refused]);
    });
}

#[test]
fn the_broker_describes_itself() {
    on_shards(&[2], &["--set", "num.partitions=3"], |broker| {
        let metadata = consumer(broker, &[]).fetch_metadata(None, PATIENCE).expect("answered");
        let brokers: Vec<_> = metadata.brokers().iter().map(|it| (it.host(), it.port())).collect();
        assert_eq!(brokers, [("127.0.0.1", i32::from(broker.address().port()))]);
        let specifier = ResourceSpecifier::Broker(metadata.brokers()[0].id());
        let described = block_on(admin(broker).describe_configs([&specifier], &options()));
        let resource = described.expect("answered").remove(0).expect("described");
        let value = resource.get("num.partitions").expect("a key of a broker").value.clone();
        assert_eq!(value.as_deref(), Some("3"));
    });
}

#[test]
fn an_unknown_topic_is_created_when_first_used_if_the_broker_allows_it() {
    let allowed = ["--set", "auto.create.topics.enable=true", "--set", "num.partitions=2"];
    on_shards(&[1, 2, 4], &allowed, |broker| {
        let sender = Sender::new(broker, &[]);
        for partition in [0, 1] {
            sender.send(BaseRecord::to("automatic").partition(partition).payload(b"value"));
        }
        assert!(sender.reports().iter().all(|delivered| delivered.offset == Ok(0)));
        assert!(topics(broker).contains(&("automatic".to_owned(), 2)));
    });
}

#[test]
fn an_unknown_topic_is_an_error_if_the_broker_does_not_allow_it() {
    on_shards(&[1, 2], &["--set", "auto.create.topics.enable=false"], |broker| {
        let sender = Sender::new(broker, &[("topic.metadata.propagation.max.ms", "100")]);
        sender.send(BaseRecord::to("unknown").partition(0).payload(b"value"));
        let reports = sender.reports();
        let errors = [RDKafkaErrorCode::UnknownTopic, RDKafkaErrorCode::UnknownTopicOrPartition];
        assert!(matches!(&reports[..], [Delivered { offset: Err(error), .. }] if errors.contains(error)));
        let consumer = consumer(broker, &[]);
        let metadata = consumer.fetch_metadata(Some("unknown"), PATIENCE).expect("answered");
        assert!(metadata.topics()[0].error().is_some());
        assert!(consumer.fetch_watermarks("unknown", 0, PATIENCE).is_err());
        assert_eq!(topics(broker), BTreeSet::new());
    });
}

#[test]
fn a_hundred_topics_are_created_at_once_and_all_serve() {
    on_1_2_and_4_shards(|broker| {
        let names: Vec<String> = (0..TOPICS).map(|number| format!("topic-{number}")).collect();
        let new: Vec<_> =
            names.iter().map(|name| NewTopic::new(name, 2, TopicReplication::Fixed(1))).collect();
        let results = block_on(admin(broker).create_topics(&new, &options())).expect("answered");
        assert_eq!(results, names.iter().cloned().map(Ok).collect::<Vec<_>>());
        let sender = Sender::new(broker, &[]);
        for name in &names {
            for partition in [0, 1] {
                sender.send(BaseRecord::to(name).partition(partition).payload(name.as_bytes()));
            }
        }
        let reports = sender.reports();
        assert_eq!(reports.len(), 2 * TOPICS);
        assert!(reports.iter().all(|delivered| delivered.offset == Ok(0)), "{reports:?}");
        for name in names.iter().step_by(17) {
            for messages in read_all(broker, name, 2) {
                assert_eq!(values(&messages), [name]);
            }
        }
    });
}
