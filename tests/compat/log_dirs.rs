//! Several log dirs: where partitions live, and one dir that dies while the others serve.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use protocol::messages::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::record::BatchBuilder;
use protocol::{ApiKey, Array, ErrorCode, Records};
use rdkafka::message::Message;

use crate::broker::{Broker, Scratch};
use crate::clients::{create_topic, read_all, send_values, values};
use crate::wire::Wire;

const PARTITIONS: i32 = 8;
const VALUE_BYTES: usize = 300_000;
/// Of a partition whose disk is gone: its segment is full long before.
const ROUNDS_MAX: usize = 100;

/// What was acknowledged is in the log dir that its partition was given, and is read from there after a kill, with fewer shards.
#[test]
fn partitions_of_several_log_dirs_survive_a_kill() {
    let (scratch, second) = (Scratch::new(), Scratch::new());
    let dirs = format!("log.dirs={},{}", scratch.data().display(), second.data().display());
    let arguments = ["--set", &dirs];
    let broker = Broker::serve_at(&scratch, 2, 0, &arguments);
    create_topic(&broker, "spread", 6, &[]);
    let sent: Vec<String> = (0..60).map(|number| format!("value {number}")).collect();
    for (number, value) in sent.iter().enumerate() {
        let offsets = send_values(&broker, "spread", (number % 6) as i32, &[value]);
        assert_eq!(offsets, [(number / 6) as i64]);
    }
    broker.kill();
    let broker = Broker::serve_at(&scratch, 1, 0, &arguments);
    for (partition, messages) in read_all(&broker, "spread", 6).iter().enumerate() {
        let expected: Vec<&String> = sent.iter().skip(partition).step_by(6).collect();
        assert_eq!(values(messages), expected, "spread-{partition}");
    }
    broker.stop();
    for dir in [scratch.data(), second.data()] {
        let found = fs::read_dir(&dir).expect("it is a log dir");
        let partitions = found
            .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().len() > 33));
        assert_eq!(partitions.count(), 3, "{}", dir.display());
    }
}

fn code(error: i16) -> ErrorCode {
    ErrorCode::try_from(error).expect("a code of Kafka's")
}

/// By log dir: its error, and the partitions of the topic that it says it has.
fn described(wire: &mut Wire, topic: &str) -> BTreeMap<String, (ErrorCode, BTreeSet<i32>)> {
    let request = DescribeLogDirsRequest { topics: None };
    let answer = wire.ask(ApiKey::DescribeLogDirs, 4, &request).expect("the broker runs");
    let response: DescribeLogDirsResponse<'_> = answer.decode();
    let mut dirs = BTreeMap::new();
    for dir in response.results.iter() {
        let of_topic = dir.topics.iter().filter(|found| found.name == topic);
        let mut partitions = BTreeSet::new();
        of_topic.for_each(|found| partitions.extend(found.partitions.iter().map(|of| of.partition_index)));
        dirs.insert(dir.log_dir.to_owned(), (code(dir.error_code), partitions));
    }
    dirs
}

/// The error of each partition, in order, and how many of its replicas are offline.
fn described_partitions(wire: &mut Wire, topic: &str) -> Vec<(ErrorCode, usize)> {
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let answer = wire.ask(ApiKey::Metadata, 9, &request).expect("the broker runs");
    let response: MetadataResponse<'_> = answer.decode();
    let found = response.topics.iter().find(|found| found.name == Some(topic)).expect("it was created");
    let mut partitions: Vec<_> = found
        .partitions
        .iter()
        .map(|of| (of.partition_index, (code(of.error_code), of.offline_replicas.len())))
        .collect();
    partitions.sort_unstable_by_key(|(partition, _)| *partition);
    partitions.into_iter().map(|(_, described)| described).collect()
}

fn value(partition: i32, number: usize) -> String {
    format!("{partition}/{number}/{}", "x".repeat(VALUE_BYTES))
}

/// One record for every partition; their errors, in order. Err: the connection ended.
fn try_produce_round(wire: &mut Wire, topic: &str, number: usize) -> io::Result<Vec<ErrorCode>> {
    let batches: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let mut builder = BatchBuilder::new();
            builder.append(1_700_000_000_000, None, Some(value(partition, number).as_bytes()), &[]);
            builder.build()
        })
        .collect();
    let mut partition_data = Vec::new();
    for (index, batch) in (0..).zip(&batches) {
        partition_data.push(PartitionProduceData { index, records: Some(Records::Wire(batch)) });
    }
    let partition_data = Array::from(partition_data);
    let data = TopicProduceData { name: topic, partition_data, ..TopicProduceData::default() };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: Array::from(vec![data]),
        ..ProduceRequest::default()
    };
    let answer = wire.ask(ApiKey::Produce, 9, &request)?;
    let response: ProduceResponse<'_> = answer.decode();
    let topic = response.responses.iter().next().expect("the one topic of the request");
    Ok(topic.partition_responses.iter().map(|of| code(of.error_code)).collect())
}

fn produce_round(wire: &mut Wire, topic: &str, number: usize) -> Vec<ErrorCode> {
    try_produce_round(wire, topic, number).expect("the broker runs")
}

/// Puts a file in the place of a log dir: whatever is opened there fails. Returns where the dir is now.
fn take_away(log_dir: &Path) -> PathBuf {
    let away = log_dir.with_extension("away");
    fs::rename(log_dir, &away).expect("ours");
    fs::write(log_dir, "not a directory").expect("ours");
    away
}

fn put_back(log_dir: &Path, away: &Path) {
    fs::remove_file(log_dir).expect("ours");
    fs::rename(away, log_dir).expect("ours");
}

/// What lives in the second log dir is refused from its death on, also in
/// requests that ask for more than that; all else is served; and nothing of what was acknowledged is lost.
#[test]
fn a_log_dir_that_dies_takes_its_partitions_along_and_no_others() {
    let (scratch, second) = (Scratch::new(), Scratch::new());
    let (alive, dying) = (scratch.data().display().to_string(), second.data().display().to_string());
    let dirs = format!("log.dirs={alive},{dying}");
    let arguments = ["--set", &dirs];
    let broker = Broker::serve_at(&scratch, 2, 0, &arguments);
    create_topic(&broker, "spread", PARTITIONS, &[("segment.bytes", "1048576")]);
    let mut wire = Wire::connect(broker.address()).expect("it runs");
    let lost = described(&mut wire, "spread").remove(&dying).expect("it is a log dir").1;
    assert_eq!(lost.len(), 4, "half of the partitions");
    assert!(produce_round(&mut wire, "spread", 0).iter().all(|error| *error == ErrorCode::NONE));

    let away = take_away(&second.data());
    let mut acknowledged = vec![1; PARTITIONS as usize];
    let mut refused = BTreeSet::new();
    let mut rounds = 1;
    while refused != lost {
        assert!(rounds < ROUNDS_MAX, "only {refused:?} of {lost:?} are refused");
        for (partition, error) in (0..).zip(produce_round(&mut wire, "spread", rounds)) {
            if error == ErrorCode::NONE {
                assert!(!refused.contains(&partition), "{partition} is back");
                acknowledged[partition as usize] += 1;
            } else {
                assert_eq!(error, ErrorCode::KAFKA_STORAGE_ERROR, "{partition}");
                assert!(lost.contains(&partition), "{partition} lives elsewhere");
                refused.insert(partition);
            }
        }
        rounds += 1;
    }
    for (partition, found) in (0..).zip(described_partitions(&mut wire, "spread")) {
        let is_lost = lost.contains(&partition);
        let expected = if is_lost { (ErrorCode::LEADER_NOT_AVAILABLE, 1) } else { (ErrorCode::NONE, 0) };
        assert_eq!(found, expected, "{partition}");
    }
    let dirs = described(&mut wire, "spread");
    assert_eq!(dirs[&dying], (ErrorCode::KAFKA_STORAGE_ERROR, BTreeSet::new()));
    assert_eq!(dirs[&alive].0, ErrorCode::NONE);
    // New partitions go where they can be served.
    create_topic(&broker, "later", 4, &[]);
    assert_eq!(described(&mut wire, "later")[&alive].1.len(), 4);
    for partition in 0..4 {
        assert_eq!(send_values(&broker, "later", partition, &["a record"]), [0]);
    }

    broker.kill();
    put_back(&second.data(), &away);
    let broker = Broker::serve_at(&scratch, 2, 0, &arguments);
    for (partition, messages) in (0..).zip(read_all(&broker, "spread", PARTITIONS)) {
        let count = acknowledged[partition as usize];
        assert!(messages.len() >= count, "{partition}: {} of {count}", messages.len());
        for (number, message) in messages.iter().enumerate().take(count) {
            let expected = value(partition, number);
            assert!(message.payload() == Some(expected.as_bytes()), "{partition}: record {number}");
        }
    }
    assert!(read_all(&broker, "later", 4).iter().all(|messages| values(messages) == ["a record"]));
    broker.stop();
}

/// Kafka's broker ends, too, when its last log dir has failed: whoever watches over it hears.
#[test]
fn a_broker_whose_log_dirs_have_all_failed_ends_and_says_so() {
    let (scratch, second) = (Scratch::new(), Scratch::new());
    let dirs = format!("log.dirs={},{}", scratch.data().display(), second.data().display());
    let arguments = ["--set", &dirs];
    let broker = Broker::serve_at(&scratch, 1, 0, &arguments);
    create_topic(&broker, "spread", PARTITIONS, &[("segment.bytes", "1048576")]);
    let mut wire = Wire::connect(broker.address()).expect("it runs");
    assert!(produce_round(&mut wire, "spread", 0).iter().all(|error| *error == ErrorCode::NONE));
    let away = [scratch.data(), second.data()].map(|dir| take_away(&dir));
    let mut acknowledged = vec![1; PARTITIONS as usize];
    for number in 1.. {
        assert!(number < ROUNDS_MAX, "it goes on and on");
        let Ok(errors) = try_produce_round(&mut wire, "spread", number) else { break };
        for (count, _) in acknowledged.iter_mut().zip(errors).filter(|(_, error)| *error == ErrorCode::NONE) {
            *count += 1;
        }
    }
    let stopped = broker.wait(&scratch);
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    assert!(stopped.errors.contains("every log dir has failed ("), "{stopped:?}");

    for (dir, away) in [scratch.data(), second.data()].iter().zip(&away) {
        put_back(dir, away);
    }
    let broker = Broker::serve_at(&scratch, 1, 0, &arguments);
    for (messages, count) in read_all(&broker, "spread", PARTITIONS).iter().zip(acknowledged) {
        assert!(messages.len() >= count, "{} of {count}", messages.len());
    }
    broker.stop();
}
