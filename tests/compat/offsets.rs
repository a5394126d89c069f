//! Where a consumer may start, and what it is told about the ends of a partition.

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};

use crate::clients::{
    PATIENCE, Sender, consumer, create_topic, on_1_2_and_4_shards, read_from, read_to_ends, send_values,
    values,
};

#[test]
fn watermarks_are_the_ends_of_the_partition() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "ends", 3, &[]);
        send_values(broker, "ends", 1, &["a", "b", "c"]);
        let consumer = consumer(broker, &[]);
        let ends = |partition| consumer.fetch_watermarks("ends", partition, PATIENCE).expect("answered");
        assert_eq!((ends(0), ends(1), ends(2)), ((0, 0), (0, 3), (0, 0)));
        send_values(broker, "ends", 1, &["d"]);
        assert_eq!(ends(1), (0, 4));
    });
}

#[test]
fn a_consumer_starts_at_the_beginning_the_end_or_an_offset() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "starts", 1, &[]);
        assert_eq!(send_values(broker, "starts", 0, &["a", "b", "c"]), [0, 1, 2]);
        for (from, expected) in [
            (Offset::Beginning, &["a", "b", "c"][..]),
            (Offset::Offset(1), &["b", "c"]),
            (Offset::Offset(3), &[]),
            (Offset::OffsetTail(2), &["b", "c"]),
            (Offset::End, &[]),
        ] {
            assert_eq!(values(&read_from(broker, "starts", 0, from)), expected, "{from:?}");
        }
    });
}

#[test]
fn an_offset_beyond_the_end_resets_as_the_consumer_says() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "beyond", 1, &[]);
        send_values(broker, "beyond", 0, &["a", "b"]);
        let earliest = consumer(broker, &[("auto.offset.reset", "earliest")]);
        let read = read_to_ends(&earliest, "beyond", &[(0, Offset::Offset(7))]);
        assert_eq!(values(&read), ["a", "b"]);
        let strict = consumer(broker, &[("auto.offset.reset", "error")]);
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset("beyond", 0, Offset::Offset(7)).expect("an offset");
        strict.assign(&assignment).expect("assigned");
        let error = strict.poll(PATIENCE).expect("refused").map(drop).expect_err("no such offset");
        assert_eq!(error, KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset));
    });
}

#[test]
fn offsets_by_time_are_the_first_at_or_after() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "times", 2, &[("retention.ms", "-1")]);
        for timestamp in [1_000, 2_000, 3_000] {
            // A producer each, so that each is a batch of its own.
            let sender = Sender::new(broker, &[]);
            for step in 0..10 {
                let record = BaseRecord::to("times").partition(1).payload(b"when".as_slice());
                sender.send(record.timestamp(timestamp + step));
            }
            sender.reports();
        }
        let consumer = consumer(broker, &[]);
        let at = |partition, timestamp| {
            let mut times = TopicPartitionList::new();
            times.add_partition_offset("times", partition, Offset::Offset(timestamp)).expect("a time");
            let found = consumer.offsets_for_times(times, PATIENCE).expect("answered");
            found.elements()[0].offset()
        };
        for (timestamp, expected) in [
            (0, Offset::Offset(0)),
            (1_000, Offset::Offset(0)),
            (1_004, Offset::Offset(4)),
            (1_500, Offset::Offset(10)),
            (3_009, Offset::Offset(29)),
            (3_010, Offset::End),
        ] {
            assert_eq!(at(1, timestamp), expected, "{timestamp}");
        }
        assert_eq!(at(0, 0), Offset::End, "an empty partition");
    });
}
