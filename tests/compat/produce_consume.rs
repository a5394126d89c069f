//! What librdkafka sends is what librdkafka reads: codecs, keys, values, headers, sizes, times, acks.

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage, Timestamp};
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};

use crate::clients::{
    Delivered, PATIENCE, START, Sender, consumer, create_topic, on_1_2_and_4_shards, on_shards, read_all,
    read_from, read_to_ends, send_values, values,
};

#[test]
fn every_codec_is_read_back_as_sent() {
    on_1_2_and_4_shards(|broker| {
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let topic = format!("codec-{codec}");
            create_topic(broker, &topic, 3, &[]);
            let sender = Sender::new(broker, &[("compression.type", codec)]);
            let value = |number: usize| format!("{number} ").repeat(number);
            for number in 0..300 {
                let value = value(number);
                sender.send(BaseRecord::to(&topic).partition((number % 3) as i32).payload(value.as_bytes()));
            }
            assert!(sender.reports().iter().all(|delivered| delivered.offset.is_ok()));
            for (partition, messages) in read_all(broker, &topic, 3).iter().enumerate() {
                let sent: Vec<String> = (0..100).map(|index| value(index * 3 + partition)).collect();
                assert_eq!(values(messages), sent, "{topic}-{partition}");
            }
        }
    });
}

#[test]
fn a_topic_may_have_its_own_codec() {
    on_shards(&[2], &[], |broker| {
        for codec in ["gzip", "snappy", "lz4", "zstd", "uncompressed"] {
            let topic = format!("recompressed-{codec}");
            create_topic(broker, &topic, 1, &[("compression.type", codec)]);
            let sender = Sender::new(broker, &[("compression.type", "gzip")]);
            for value in ["first", "second", "third"] {
                sender.send(BaseRecord::to(&topic).partition(0).payload(value.as_bytes()));
            }
            sender.reports();
            let read = read_from(broker, &topic, 0, START);
            assert_eq!(values(&read), ["first", "second", "third"], "{topic}");
        }
    });
}

#[test]
fn keys_values_and_headers_may_be_null_or_empty() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "nothings", 1, &[]);
        let sender = Sender::new(broker, &[]);
        let bytes: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"\x00\xff bytes")];
        let headers = || {
            OwnedHeaders::new()
                .insert(Header { key: "twice", value: Some(b"1".as_slice()) })
                .insert(Header { key: "null", value: None::<&[u8]> })
                .insert(Header { key: "twice", value: Some(b"".as_slice()) })
        };
        for key in bytes {
            for value in bytes {
                let mut record: BaseRecord<'_, [u8], [u8]> =
                    BaseRecord::to("nothings").partition(0).headers(headers());
                record.key = key;
                record.payload = value;
                sender.send(record);
            }
        }
        sender.reports();
        let read = read_from(broker, "nothings", 0, START);
        let mut read = read.iter();
        for key in bytes {
            for value in bytes {
                let message = read.next().expect("nine records");
                assert_eq!((message.key(), message.payload()), (key, value));
                let headers: Vec<_> = message.headers().expect("sent").iter().collect();
                assert_eq!(
                    headers.iter().map(|header| (header.key, header.value)).collect::<Vec<_>>(),
                    [("twice", Some(b"1".as_slice())), ("null", None), ("twice", Some(b"".as_slice()))]
                );
            }
        }
    });
}

#[test]
fn an_idempotent_producer_keeps_its_order_on_every_partition() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "idempotent", 6, &[]);
        let sender = Sender::new(broker, &[("enable.idempotence", "true"), ("linger.ms", "0")]);
        let numbers: Vec<String> = (0..1_200).map(|number| number.to_string()).collect();
        for (index, number) in numbers.iter().enumerate() {
            let partition = (index % 6) as i32;
            sender.send(BaseRecord::to("idempotent").partition(partition).payload(number.as_bytes()));
        }
        assert!(sender.reports().iter().all(|delivered| delivered.offset.is_ok()));
        for (partition, messages) in read_all(broker, "idempotent", 6).iter().enumerate() {
            let sent: Vec<&String> = numbers.iter().skip(partition).step_by(6).collect();
            assert_eq!(values(messages), sent);
            let offsets: Vec<i64> = messages.iter().map(Message::offset).collect();
            assert_eq!(offsets, (0..200).collect::<Vec<i64>>());
        }
    });
}

#[test]
fn acks_0_1_and_all_are_three_ways_to_the_same_log() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "acks", 1, &[]);
        for (acks, offset) in [("1", 0), ("all", 1)] {
            let sender = Sender::new(broker, &[("acks", acks)]);
            sender.send(BaseRecord::to("acks").partition(0).payload(acks.as_bytes()));
            assert_eq!(sender.reports(), [Delivered { partition: 0, offset: Ok(offset) }]);
        }
        // Nobody answers: a consumer that waits is the only one to know when it arrived.
        let reader = consumer(broker, &[("enable.partition.eof", "false")]);
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset("acks", 0, Offset::Offset(2)).expect("an offset");
        reader.assign(&assignment).expect("assigned");
        let sender = Sender::new(broker, &[("acks", "0")]);
        sender.send(BaseRecord::to("acks").partition(0).payload(b"0"));
        sender.reports();
        let message = reader.poll(PATIENCE).expect("it arrives").expect("a record");
        assert_eq!((message.offset(), message.payload()), (2, Some(b"0".as_slice())));
        assert_eq!(values(&read_from(broker, "acks", 0, START)), ["1", "all", "0"]);
    });
}

#[test]
fn large_records_pass_and_too_large_ones_are_refused() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "large", 2, &[("max.message.bytes", "3000000")]);
        let sender = Sender::new(broker, &[("message.max.bytes", "10000000")]);
        let large: Vec<u8> = (0..2_900_000_u32).map(|index| (index % 251) as u8).collect();
        for partition in 0..2 {
            sender.send(BaseRecord::to("large").partition(partition).payload(&large));
        }
        let mut reports = sender.reports();
        reports.sort_by_key(|delivered| delivered.partition);
        let delivered = |partition| Delivered { partition, offset: Ok(0) };
        assert_eq!(reports, [delivered(0), delivered(1)]);
        let too_large = vec![7; 3_100_000];
        sender.send(BaseRecord::to("large").partition(1).payload(&too_large));
        let refused = Delivered { partition: 1, offset: Err(RDKafkaErrorCode::MessageSizeTooLarge) };
        assert_eq!(sender.reports(), [refused]);
        for messages in read_all(broker, "large", 2) {
            assert_eq!(messages.len(), 1);
            assert!(messages[0].payload() == Some(&large));
        }
    });
}

#[test]
fn create_time_is_the_clients_and_log_append_time_the_brokers() {
    on_1_2_and_4_shards(|broker| {
        let create: &[(&str, &str)] = &[("retention.ms", "-1")];
        let append: &[(&str, &str)] = &[("message.timestamp.type", "LogAppendTime")];
        for (topic, configs) in [("create-time", create), ("append-time", append)] {
            create_topic(broker, topic, 1, configs);
            let sender = Sender::new(broker, &[]);
            for timestamp in [1_000_000, 999_999, 1_000_001] {
                sender.send(
                    BaseRecord::to(topic).partition(0).payload(b"when".as_slice()).timestamp(timestamp),
                );
            }
            assert!(sender.reports().iter().all(|delivered| delivered.offset.is_ok()));
        }
        let times = |topic| -> Vec<Timestamp> {
            read_from(broker, topic, 0, START).iter().map(OwnedMessage::timestamp).collect()
        };
        assert_eq!(times("create-time"), [1_000_000, 999_999, 1_000_001].map(Timestamp::CreateTime));
        for timestamp in times("append-time") {
            assert!(matches!(timestamp, Timestamp::LogAppendTime(ms) if ms > 1_500_000_000_000));
        }
    });
}

#[test]
fn two_consumers_read_the_same() {
    on_1_2_and_4_shards(|broker| {
        create_topic(broker, "shared", 1, &[]);
        let sent: Vec<String> = (0..500).map(|number| format!("value {number}")).collect();
        send_values(broker, "shared", 0, &sent.iter().map(String::as_str).collect::<Vec<_>>());
        let (first, second) =
            (consumer(broker, &[]), consumer(broker, &[("fetch.message.max.bytes", "1000")]));
        std::thread::scope(|scope| {
            for reader in [&*first, &*second] {
                let sent = &sent;
                scope.spawn(move || {
                    let read = read_to_ends(reader, "shared", &[(0, START)]);
                    assert_eq!(values(&read), *sent);
                });
            }
        });
    });
}

#[test]
fn a_broker_tells_when_it_first_acknowledged() {
    on_shards(&[1], &["--admin", "127.0.0.1:0"], |broker| {
        let told = || {
            let metrics = broker.admin("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
            let of_shard = "penstock_first_acknowledged_seconds{shard=\"0\"} ";
            let line = metrics.lines().find_map(|line| line.strip_prefix(of_shard)).expect("it is told");
            line.parse::<f64>().expect("seconds")
        };
        create_topic(broker, "first", 1, &[]);
        assert!(told().abs() < f64::EPSILON, "none yet");
        send_values(broker, "first", 0, &["first"]);
        let first = told();
        assert!(first > 0.0);
        send_values(broker, "first", 0, &["second"]);
        assert!((told() - first).abs() < f64::EPSILON, "it stays");
    });
}
