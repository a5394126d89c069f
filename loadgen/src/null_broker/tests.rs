//! The null broker against requests of the generator's own templates.

use std::sync::mpsc;

use protocol::frame::decode_response_header;
use protocol::messages::produce::ProduceResponse;
use protocol::{ApiKey, Message, Reader};

use super::*;
use crate::conversation::{Piece, Request};
use crate::engine;
use crate::stamp::Stamp;
use crate::template::{Filling, ProducerSequence, Templates, Wording};
use crate::window::Stop;
use crate::workload::{Acks, Arrival, Codec, ConsumeFrom, Keys, Options, Rate, Verify, Workload};

fn request(version: i16, acks: i16, records: u32) -> Vec<u8> {
    let mut templates = Templates::new(Wording {
        produce_version: version,
        client_id: "load".to_owned(),
        acks,
        timeout_ms: 1,
        topics: vec!["one".to_owned(), "other".to_owned()],
        record_bytes: 500,
        codec: Codec::None,
        seed: 1,
        keys: None,
    });
    let filling = |topic, partition| Filling {
        stamp: Stamp { run: 1, connection: 0, sequence: 0, intended_ns: 0, partition, topic },
        records,
        timestamp_ms: 1,
        sequence: ProducerSequence::NONE,
    };
    let mut request = Request::default();
    templates.write(9, &[filling(0, 0), filling(0, 3), filling(1, 1)], &mut request, |_, _, _| ());
    let mut bytes = Vec::new();
    for piece in &request.pieces {
        match piece {
            Piece::Own(part) => bytes.extend_from_slice(part),
            Piece::Shared(part) => bytes.extend_from_slice(part),
        }
    }
    bytes
}

fn answers() -> Answers {
    Answers::new("127.0.0.1:1".parse().unwrap(), 3)
}

#[test]
fn produce_is_answered_in_every_version() {
    for version in 3..=12 {
        let mut answers = answers();
        for round in 0..2 {
            let mut told = Vec::new();
            let bytes = request(version, -1, 7);
            let used = take_requests(&mut answers, &bytes, &mut |answer| {
                let Answer::Produced(bytes) = answer else { panic!("another answer") };
                told = bytes.to_vec();
            });
            assert_eq!(used, Some((bytes.len(), 0)));
            assert_eq!(told[..4], (told.len() as u32 - 4).to_be_bytes());
            let mut reader = Reader::new(&told[4..]);
            assert_eq!(decode_response_header(&mut reader, ApiKey::Produce, version), Ok(9));
            let message = ProduceResponse::decode(&mut reader, version).unwrap();
            assert_eq!(reader.remaining(), 0);
            let all: Vec<_> = message
                .responses
                .iter()
                .flat_map(|topic| {
                    let name = topic.name;
                    let of_partition =
                        |partition: protocol::messages::produce::PartitionProduceResponse<'_>| {
                            (name, partition.index, partition.error_code, partition.base_offset)
                        };
                    topic.partition_responses.iter().map(of_partition).collect::<Vec<_>>()
                })
                .collect();
            let offset = round * 7;
            assert_eq!(all, [("one", 0, 0, offset), ("one", 3, 3, -1), ("other", 1, 0, offset)]);
        }
    }
}

#[test]
fn a_request_that_is_not_whole_is_understood_as_soon_as_it_can_be() {
    for version in [3, 9] {
        let bytes = request(version, -1, 4);
        let mut understood_from = None;
        for cut in 0..bytes.len() {
            let mut answered = 0;
            let step = take_requests(&mut answers(), &bytes[..cut], &mut |_| answered += 1);
            match step {
                Some((0, 0)) => assert_eq!((answered, understood_from), (0, None), "{version} {cut}"),
                Some((used, skip)) => {
                    assert_eq!((used, used + skip, answered), (cut, bytes.len(), 1), "{version} {cut}");
                    understood_from.get_or_insert(cut);
                }
                None => panic!("{version} {cut}"),
            }
        }
        // The last batch is passed over but for its header.
        assert!(understood_from.is_some_and(|cut| cut + 1_500 < bytes.len()));
    }
}

#[test]
fn bytes_that_are_no_request_end_the_connection() {
    let mut none = |_: Answer<'_>| panic!("an answer to nothing");
    assert_eq!(take_requests(&mut answers(), b"GET / HTTP/1.1\r\n\r\n", &mut none), None);
    assert_eq!(take_requests(&mut answers(), &[0, 0, 0, 10, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0], &mut none), None);
}

fn workload() -> Workload {
    Workload {
        topic: "null".into(),
        topics: 2,
        partitions: 3,
        replication_factor: 1,
        topic_configs: Vec::new(),
        producers: 3,
        consumers: 1,
        groups: 1,
        consume_from: ConsumeFrom::End,
        idle_connections: 2,
        record_bytes: 100,
        records_per_batch: 10,
        batches_per_request: 2,
        linger: Duration::ZERO,
        codec: Codec::None,
        keys: Keys::None,
        acks: Acks::All,
        in_flight: 5,
        idempotent: true,
        rate: Rate::RecordsPerSecond(20_000.0),
        arrival: Arrival::Poisson,
        duration: Duration::from_millis(1_000),
        warm_up: Duration::ZERO,
        seed: 1,
        fetch_wait: Duration::from_millis(20),
        fetch_bytes_min: 1,
        fetch_bytes_max: 1 << 20,
        partition_fetch_bytes_max: 1 << 20,
    }
}

fn run(workload: &Workload, delay: AddedDelay) -> crate::report::RunReport {
    let (sender, ready) = mpsc::channel();
    std::thread::spawn(move || {
        let options = NullBrokerOptions { partitions: 1, cpu: None, delay };
        serve("127.0.0.1:0".parse().unwrap(), &options, |address| sender.send(address).unwrap())
    });
    let options = Options {
        bootstrap: ready.recv().unwrap().to_string(),
        cpus: Vec::new(),
        spin: false,
        verify: Verify::Off,
        broker_pid: None,
        ledger_bytes_max: 1 << 20,
        reconnect_for: Duration::from_secs(5),
    };
    let mut seconds = 0;
    let report = engine::run(workload, &options, &Stop::default(), &mut |_| seconds += 1).unwrap();
    assert_eq!(seconds, report.timeline.len());
    report
}

#[test]
fn a_run_against_it_acknowledges_all_that_was_due() {
    let report = run(&workload(), AddedDelay::default());
    assert!(report.produced.errors.is_empty() && report.produced.records > 0);
    assert!(report.produced.records_due.abs_diff(20_000) < 2_000, "{}", report.produced.records_due);
    assert_eq!(report.latencies.response.samples, report.produced.records_due / 10);
    assert_eq!(report.latencies.response_by_record.samples, report.produced.records_due);
    assert!(report.verification.off);
}

#[test]
fn an_added_delay_is_in_every_response() {
    let delay = Duration::from_millis(20);
    let report = run(&workload(), AddedDelay { usual: delay, ..AddedDelay::default() });
    let least = delay.as_nanos() as u64;
    assert!(report.latencies.service.min_ns >= least - 128);
    assert!(report.latencies.response.min_ns >= least - 128);
}

#[test]
fn a_tail_that_is_known_beforehand_is_found() {
    let slow = Duration::from_millis(60);
    let tail = AddedDelay { slow_every: NonZeroU64::new(20), slow, ..AddedDelay::default() };
    let service = run(&workload(), tail).latencies.service;
    let least = slow.as_nanos() as u64;
    assert!(
        service.p99_ns >= least - least / 1000 && service.min_ns < least,
        "{} {}",
        service.p99_ns,
        service.min_ns
    );
}

#[test]
fn every_kind_of_load_gets_through() {
    let short = Workload { duration: Duration::from_millis(200), ..workload() };
    let kinds = [
        Workload { rate: Rate::Max, acks: Acks::None, idempotent: false, ..short.clone() },
        Workload { rate: Rate::Max, acks: Acks::Leader, record_bytes: 200_000, ..short.clone() },
        Workload { codec: Codec::Lz4, keys: Keys::RoundRobin(50), ..short.clone() },
        Workload { linger: Duration::from_millis(3), batches_per_request: 1, ..short.clone() },
        Workload { rate: Rate::BytesPerSecond(1e6), keys: Keys::Zipf { keys: 20, exponent: 1.1 }, ..short },
    ];
    for kind in kinds {
        let report = run(&kind, AddedDelay::default());
        assert!(report.produced.records > 0 && report.produced.errors.is_empty(), "{kind:?}");
    }
}
