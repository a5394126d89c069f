//! The consumer against answers that our own codec makes: what it asks, what it tells, and what it makes of nonsense.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::messages::fetch::{
    EpochEndOffset, FetchRequest, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData, SnapshotId,
};
use protocol::record::BatchBuilder;
use protocol::{Array, Uuid};

use super::*;
use crate::stamp::Stamp;

type Told = Rc<RefCell<Vec<(usize, FoundBatch, Nanoseconds)>>>;

#[derive(Clone, Debug, Default)]
struct Notes(Told);

impl BatchSink for Notes {
    fn on_batch(&mut self, partition: usize, found: FoundBatch, now: Nanoseconds) {
        self.0.borrow_mut().push((partition, found, now));
    }
}

fn settings(version: i16, sessions: bool) -> FetchSettings {
    FetchSettings {
        version,
        sessions,
        wait: Duration::from_millis(250),
        bytes_min: 1,
        bytes_max: 1 << 20,
        partition_bytes_max: 1 << 16,
        client_id: "reader".into(),
    }
}

fn assignment(topic: &str, partition: i32, start_offset: i64, until: Option<i64>) -> Assignment {
    Assignment { topic: topic.into(), partition, start_offset, until }
}

/// Two records with a stamp of this sequence.
fn batch(base_offset: i64, sequence: u32) -> Vec<u8> {
    let stamp = Stamp { run: 1, connection: 2, sequence, intended_ns: 40, partition: 0, topic: 0 };
    let mut builder = BatchBuilder::new().base_offset(base_offset);
    builder.append(0, None, Some(&stamp.to_bytes()), &[]);
    builder.append(0, None, Some(&[0; 40]), &[]);
    builder.build().to_vec()
}

/// What one answer says of a partition: topic, partition, error, records.
type Part<'a> = (&'a str, i32, ErrorCode, Vec<u8>);

struct Driver {
    consumer: Consumer<Notes>,
    told: Told,
    version: i16,
    asked: Vec<u8>,
}

impl Driver {
    fn new(assignments: &[Assignment], version: i16, sessions: bool) -> Driver {
        let notes = Notes::default();
        let told = Rc::clone(&notes.0);
        let consumer = Consumer::new(assignments, settings(version, sessions), notes).unwrap();
        Driver { consumer, told, version, asked: Vec::new() }
    }

    /// The next request as `session/epoch topic[partition@offset ..] -topic[partition ..]`.
    #[track_caller]
    fn asks(&mut self) -> String {
        self.asks_at(0)
    }

    #[track_caller]
    fn asks_at(&mut self, now: Nanoseconds) -> String {
        let mut outgoing = Outgoing::default();
        let next = self.consumer.poll(now, &mut outgoing);
        let Some(request) = outgoing.requests.pop_front() else { return format!("{next:?}") };
        assert!(outgoing.requests.is_empty() && next == Next::OnAnswer);
        self.asked.clear();
        for piece in &request.pieces {
            match piece {
                Piece::Own(bytes) => self.asked.extend_from_slice(bytes),
                Piece::Shared(bytes) => self.asked.extend_from_slice(bytes),
            }
        }
        let mut reader = Reader::new(&self.asked);
        let length = u32::from_be_bytes(reader.take_array().unwrap());
        assert_eq!(length as usize, reader.remaining());
        let header = frame::decode_request_header(&mut reader).unwrap();
        assert_eq!((header.api_key, header.api_version), (1, self.version));
        let request = FetchRequest::decode(&mut reader, self.version).unwrap();
        assert_eq!((reader.remaining(), request.max_wait_ms, request.min_bytes), (0, 250, 1));
        let mut words = format!("{}/{}", request.session_id, request.session_epoch);
        for topic in &request.topics {
            let of = |one: protocol::messages::fetch::FetchPartition| {
                format!("{}@{}", one.partition, one.fetch_offset)
            };
            let partitions: Vec<String> = topic.partitions.iter().map(of).collect();
            words += &format!(" {}[{}]", topic.topic, partitions.join(" "));
        }
        for topic in &request.forgotten_topics_data {
            let partitions: Vec<String> = topic.partitions.iter().map(|one| one.to_string()).collect();
            words += &format!(" -{}[{}]", topic.topic, partitions.join(" "));
        }
        words
    }

    fn answer(&mut self, error: ErrorCode, session_id: i32, parts: &[Part<'_>]) -> Result<(), LoadError> {
        let answer = self.answer_bytes(error, session_id, parts);
        self.consumer.on_answer(9, &answer)
    }

    fn answer_bytes(&self, error: ErrorCode, session_id: i32, parts: &[Part<'_>]) -> Vec<u8> {
        let responses: Array<'_, _> = parts
            .iter()
            .map(|(topic, partition, error, records)| FetchableTopicResponse {
                topic,
                topic_id: Uuid::ZERO,
                partitions: vec![data(*partition, *error, records)].into(),
            })
            .collect();
        let response = FetchResponse {
            throttle_time_ms: 0,
            error_code: error.code(),
            session_id: if self.version < VERSION_WITH_SESSIONS { 0 } else { session_id },
            responses,
            node_endpoints: Array::empty(),
        };
        let correlation_id = self.consumer.correlation_id;
        let pieces = frame::encode_response(correlation_id, ApiKey::Fetch, self.version, &response).unwrap();
        let mut bytes = Vec::new();
        for piece in pieces {
            if let protocol::Piece::Bytes(part) = piece {
                bytes.extend_from_slice(&part);
            }
        }
        bytes.split_off(4)
    }

    /// `partition@base_offset..last_offset` of all batches told.
    fn told(&self) -> String {
        let told = self.told.borrow();
        let word = |(partition, found, _): &(usize, FoundBatch, Nanoseconds)| {
            format!("{partition}@{}..{}", found.base_offset, found.last_offset)
        };
        told.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

fn data<'a>(partition_index: i32, error: ErrorCode, records: &[u8]) -> PartitionData<'a> {
    PartitionData {
        partition_index,
        error_code: error.code(),
        high_watermark: 1_000,
        last_stable_offset: 1_000,
        log_start_offset: 0,
        diverging_epoch: EpochEndOffset { epoch: -1, end_offset: -1 },
        current_leader: LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
        snapshot_id: SnapshotId { end_offset: -1, epoch: -1 },
        aborted_transactions: None,
        preferred_read_replica: -1,
        records: Some(Records::Pieces(vec![protocol::Piece::Bytes(Bytes::copy_from_slice(records))])),
    }
}

const NONE: ErrorCode = ErrorCode::NONE;

#[test]
fn the_newest_common_version_is_taken() {
    assert_eq!(fetch_version(Some((0, 18))), Ok(12));
    assert_eq!(fetch_version(Some((4, 11))), Ok(11));
    assert!(fetch_version(Some((13, 18))).is_err());
    assert!(fetch_version(Some((0, 3))).is_err());
    assert!(fetch_version(None).is_err());
}

#[test]
fn every_version_reads_the_same() {
    for version in VERSION_MIN..=VERSION_MAX {
        let mut driver = Driver::new(&[assignment("t", 0, 5, Some(9))], version, false);
        assert!(driver.asks().ends_with(" t[0@5]"));
        assert_eq!(driver.asks(), "OnAnswer", "one request is in flight");
        driver.answer(NONE, 0, &[("t", 0, NONE, [batch(5, 1), batch(7, 2)].concat())]).unwrap();
        assert_eq!(driver.told(), "0@5..6 0@7..8");
        assert_eq!(driver.asks(), "Finished");
        let (_, found, now) = driver.told.borrow()[1];
        assert_eq!((found.records, found.crc_is_right, found.is_compressed, now), (2, true, false, 9));
        assert_eq!(found.stamp.map(|stamp| (stamp.sequence, stamp.intended_ns)), Some((2, 40)));
        let counts = driver.consumer.counts();
        assert_eq!((counts.fetches, counts.batches, counts.records), (1, 2, 4));
        assert_eq!(counts.bytes, 2 * batch(5, 1).len() as u64);
        assert_eq!(driver.consumer.positions(), [9]);
    }
}

#[test]
fn a_session_names_only_what_has_moved_and_forgets_what_is_done() {
    let assignments = [
        assignment("b", 1, 0, None),
        assignment("a", 3, 10, Some(12)),
        assignment("b", 0, 20, None),
        assignment("a", 2, 30, Some(30)),
    ];
    let mut driver = Driver::new(&assignments, 12, true);
    assert_eq!(driver.asks(), "0/0 a[3@10] b[0@20 1@0]");
    driver.answer(NONE, 77, &[("b", 1, NONE, batch(0, 0))]).unwrap();
    assert_eq!(driver.asks(), "77/1 b[1@2]");
    driver.answer(NONE, 77, &[]).unwrap();
    assert_eq!(driver.asks(), "77/2");
    let parts = [("b", 0, NONE, batch(20, 0)), ("a", 3, NONE, batch(10, 0)), ("b", 1, NONE, batch(2, 1))];
    driver.answer(NONE, 77, &parts).unwrap();
    assert_eq!(driver.told(), "0@0..1 2@20..21 1@10..11 0@2..3");
    assert_eq!(driver.asks(), "77/3 b[0@22 1@4] -a[3]");
    driver.answer(NONE, 77, &[]).unwrap();
    // The broker has forgotten it, or lost count: all anew.
    for error in [ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ErrorCode::INVALID_FETCH_SESSION_EPOCH] {
        driver.asks_at(u64::MAX / 2);
        driver.answer(error, 0, &[]).unwrap();
        assert_eq!(driver.asks_at(u64::MAX / 2), "0/0 b[0@22 1@4]");
        driver.answer(NONE, 78, &[]).unwrap();
    }
    assert_eq!(driver.asks_at(u64::MAX / 2), "78/1");
    // A new connection begins anew, where the old one was.
    driver.consumer.on_disconnected(0);
    driver.consumer.on_connected(0);
    assert_eq!(driver.asks(), "0/0 b[0@22 1@4]");
    // The broker keeps no sessions.
    driver.answer(NONE, 0, &[("b", 0, NONE, batch(22, 1))]).unwrap();
    assert_eq!(driver.asks(), "0/0 b[1@4 0@24]");
    driver.consumer.on_stop(0);
    assert_eq!(driver.asks(), "OnAnswer");
    driver.answer(NONE, 0, &[]).unwrap();
    assert_eq!(driver.asks(), "Finished");
}

#[test]
fn without_sessions_each_partition_has_its_turn_to_be_first() {
    let assignments: Vec<Assignment> =
        [("a", 0), ("a", 1), ("b", 0), ("b", 1)].map(|(topic, n)| assignment(topic, n, 0, None)).into();
    let mut driver = Driver::new(&assignments, 12, false);
    assert_eq!(driver.asks(), "0/-1 a[0@0 1@0] b[0@0 1@0]");
    driver.answer(NONE, 0, &[("a", 0, NONE, batch(0, 0))]).unwrap();
    assert_eq!(driver.asks(), "0/-1 a[1@0 0@2] b[0@0 1@0]");
    driver.answer(NONE, 0, &[("b", 0, NONE, batch(0, 0))]).unwrap();
    assert_eq!(driver.asks(), "0/-1 b[1@0 0@2] a[0@2 1@0]");
    driver.answer(NONE, 0, &[("b", 1, NONE, batch(0, 0))]).unwrap();
    assert_eq!(driver.asks(), "0/-1 a[0@2 1@0] b[0@2 1@2]");
}

#[test]
fn cut_batches_wait_and_old_ones_are_skipped() {
    let mut driver = Driver::new(&[assignment("t", 0, 4, None)], 12, true);
    driver.asks();
    let mut records = [batch(0, 0), batch(2, 1), batch(4, 2), batch(6, 3)].concat();
    records.truncate(records.len() - 1);
    driver.answer(NONE, 5, &[("t", 0, NONE, records)]).unwrap();
    assert_eq!(driver.told(), "0@4..5");
    assert_eq!(driver.asks(), "5/1 t[0@6]");
    // What comes out of order is told: that is the ledger's to judge.
    driver.answer(NONE, 5, &[("t", 0, NONE, [batch(8, 4), batch(6, 3)].concat())]).unwrap();
    assert_eq!(driver.told(), "0@4..5 0@8..9 0@6..7");
    assert_eq!(driver.asks(), "5/2 t[0@10]");
    // Never a whole one.
    for _ in 0..CUT_ANSWERS_MAX {
        driver.answer(NONE, 5, &[("t", 0, NONE, batch(10, 5)[..70].to_vec())]).unwrap();
        driver.asks();
    }
    assert!(driver.answer(NONE, 5, &[("t", 0, NONE, batch(10, 5)[..70].to_vec())]).is_err());
}

#[test]
fn reading_back_ends_at_the_end_that_was_asked_for() {
    let mut driver = Driver::new(&[assignment("t", 0, 0, Some(4))], 12, true);
    driver.asks();
    driver.answer(NONE, 5, &[("t", 0, NONE, [batch(0, 0), batch(2, 1), batch(4, 2)].concat())]).unwrap();
    assert_eq!(driver.told(), "0@0..1 0@2..3");
    assert_eq!(driver.asks(), "Finished");
    let mut nothing = Driver::new(&[assignment("t", 0, 3, Some(3))], 12, true);
    assert_eq!(nothing.asks(), "Finished");
}

#[test]
fn bytes_that_do_not_match_are_told_with_what_can_be_read() {
    let mut driver = Driver::new(&[assignment("t", 0, 0, None)], 12, true);
    driver.asks();
    let mut flipped = batch(0, 3);
    *flipped.last_mut().unwrap() ^= 1;
    let mut compressed = BatchBuilder::new().base_offset(2).compression(protocol::record::Compressor::Lz4);
    compressed.append(0, None, Some(&[1; 100]), &[]);
    let mut marker = BatchBuilder::new().base_offset(3).control();
    marker.append(0, Some(&[0, 0, 0, 1]), None, &[]);
    let records = [&flipped[..], &compressed.build(), &marker.build()].concat();
    driver.answer(NONE, 5, &[("t", 0, NONE, records)]).unwrap();
    let told: Vec<FoundBatch> = driver.told.borrow().iter().map(|(_, found, _)| *found).collect();
    assert!(!told[0].crc_is_right);
    assert_eq!(told[0].stamp.map(|stamp| stamp.sequence), Some(3));
    assert!(told[1].crc_is_right && told[1].is_compressed && told[1].stamp.is_none());
    assert!(told[2].is_control && told[2].crc_is_right);
    assert_eq!(driver.consumer.counts().records, 3);
}

#[test]
fn errors_that_may_pass_are_tried_again_and_others_end_the_run() {
    let mut driver = Driver::new(&[assignment("t", 0, 4, None), assignment("t", 1, 0, None)], 12, true);
    driver.asks();
    driver.answer(NONE, 5, &[("t", 0, ErrorCode::NOT_LEADER_OR_FOLLOWER, vec![])]).unwrap();
    assert_eq!(driver.asks_at(10), format!("At({})", 9 + 100_000_000), "not in a busy loop");
    assert_eq!(driver.consumer.failing_since(), Some(9));
    assert_eq!(driver.asks_at(100_000_009), "5/1");
    driver.answer(NONE, 5, &[("t", 0, NONE, batch(4, 0))]).unwrap();
    assert_eq!((driver.consumer.failing_since(), driver.told().as_str()), (None, "0@4..5"));
    assert_eq!(driver.consumer.counts().retries, BTreeMap::from([("NOT_LEADER_OR_FOLLOWER", 1)]));
    let check = |code: ErrorCode, of_all: ErrorCode, expect: &str| {
        let mut driver = Driver::new(&[assignment("t", 0, 4, None)], 12, true);
        driver.asks();
        let error = driver.answer(of_all, 5, &[("t", 0, code, vec![])]).unwrap_err();
        assert!(error.what.contains(expect), "{error}");
    };
    check(ErrorCode::OFFSET_OUT_OF_RANGE, NONE, "t-0 offset 4: OFFSET_OUT_OF_RANGE");
    check(ErrorCode::TOPIC_AUTHORIZATION_FAILED, NONE, "a fetch of t-0 with TOPIC_AUTHORIZATION_FAILED");
    check(NONE, ErrorCode::UNSUPPORTED_VERSION, "a fetch with UNSUPPORTED_VERSION");
}

#[test]
fn a_log_that_ends_below_what_was_read_is_a_failed_verification() {
    let mut driver = Driver::new(&[assignment("t", 0, 4_000, None)], 12, true);
    driver.asks();
    let error = driver.answer(NONE, 5, &[("t", 0, ErrorCode::OFFSET_OUT_OF_RANGE, vec![])]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Verification);
    assert!(error.what.contains("t-0 was read up to offset 4000 and ends at 1000"), "{error}");
}

#[test]
fn bytes_that_are_no_batches_are_named_with_their_place() {
    let check = |change: &dyn Fn(&mut Vec<u8>), expect: &str| {
        let mut driver = Driver::new(&[assignment("t", 0, 0, None)], 12, true);
        driver.asks();
        let mut second = batch(2, 1);
        change(&mut second);
        let records = [batch(0, 0), second].concat();
        let error = driver.answer(NONE, 5, &[("t", 0, NONE, records)]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Verification);
        assert!(
            error.what.starts_with("t-0 offset 2: no record batch: ") && error.what.contains(expect),
            "{error}"
        );
    };
    check(&|bytes| bytes[16] = 1, "magic 1");
    check(&|bytes| bytes[8] = 0xff, "length");
    check(&|bytes| bytes[3] = 1, "a batch with offset 4294967298, and the log ends at 1000");
    check(&|bytes| bytes[23] = 0xff, "contradict");
}

#[test]
fn a_partition_twice_or_a_topic_without_end_is_refused() {
    let twice = [assignment("t", 0, 0, None), assignment("t", 0, 7, None)];
    assert!(Consumer::new(&twice, settings(12, true), Notes::default()).is_err());
    let long = [assignment(&"t".repeat(250), 0, 0, None)];
    assert!(Consumer::new(&long, settings(12, true), Notes::default()).is_err());
    assert!(Consumer::new(&[], settings(13, true), Notes::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_makes_it_panic(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<proptest::sample::Index>(),
        is_cut in any::<bool>(),
        version in VERSION_MIN..=VERSION_MAX,
    ) {
        let mut driver = Driver::new(&[assignment("t", 0, 0, None), assignment("u", 1, 0, Some(2))], version, true);
        driver.asks();
        let parts = [("t", 0, NONE, [batch(0, 0), batch(2, 1)].concat()), ("u", 1, NONE, batch(0, 0))];
        let mut answer = driver.answer_bytes(NONE, 5, &parts);
        for (at, byte) in flips {
            let at = at.index(answer.len());
            answer[at] ^= byte;
        }
        if is_cut {
            answer.truncate(cut.index(answer.len()));
        }
        if driver.consumer.on_answer(1, &answer).is_ok() {
            driver.asks_at(u64::MAX / 2);
        }
    }
}
