//! A producer against answers made by hand: what it sends, when, and which end each batch has.

use proptest::prelude::*;
use protocol::frame::{decode_request_header, encode_response};
use protocol::messages::init_producer_id::InitProducerIdResponse;
use protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use protocol::record::BatchView;
use protocol::{ErrorCode, Message, Reader, Records};

use super::*;
use crate::chance::Chance;
use crate::recorder::{Merged, merged};
use crate::schedule::Pace;
use crate::template::Wording;
use crate::window::Window;
use crate::workload::{Arrival, Codec};

const VERSION: i16 = 9;
const MILLISECOND: u64 = 1_000_000;

type Told = Rc<RefCell<Vec<(usize, u32, End)>>>;

struct Book(Told);

impl Ends for Book {
    fn on_end(&mut self, partition: usize, sent: SentBatch, end: End) -> Option<Nanoseconds> {
        self.0.borrow_mut().push((partition, sent.sequence, end));
        None
    }
}

/// A batch as the broker would see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    correlation_id: i32,
    partition: i32,
    base_sequence: i32,
    producer_id: i64,
    crc: u32,
    records: i32,
}

struct Bench {
    producer: Producer<Book>,
    recorder: Rc<RefCell<Recorder>>,
    told: Told,
    outgoing: Outgoing,
}

impl Bench {
    /// A request of one batch with 10 records is due each millisecond from 1 ms on.
    fn new(change: impl FnOnce(&mut Plan)) -> Bench {
        let pace = Pace {
            records_per_second: 10_000.0,
            records_per_request: 10,
            linger: 0,
            arrival: Arrival::Uniform,
            start: MILLISECOND,
            end: ScheduleEnd::at(100 * MILLISECOND),
            phase: 0.0,
        };
        let mut plan = Plan {
            connection: 0,
            run: 1,
            slot: 0,
            topics: Arc::new(vec!["topic".to_owned()]),
            partitions: 2,
            targets: (0..2).map(|partition| Target { topic: 0, partition }).collect(),
            keys: None,
            pacing: Pacing::Open(Schedule::new(pace, Chance::new(1, 0))),
            in_flight: 3,
            records_per_batch: 10,
            batches_per_request: 1,
            acks_none: false,
            idempotent: None,
            produce_version: VERSION,
            init_producer_id_version: 1,
            client_id: "load".to_owned(),
            unix_ms_at_zero: 1_700_000_000_000,
            timestamps: None,
        };
        change(&mut plan);
        let wording = Wording {
            produce_version: VERSION,
            client_id: "load".to_owned(),
            acks: -1,
            timeout_ms: 1_000,
            topics: plan.topics.to_vec(),
            record_bytes: 40,
            codec: Codec::None,
            seed: 1,
            keys: None,
        };
        let recorder = Rc::new(RefCell::new(Recorder::new(
            Window { start: 0, begin: 0, end: ScheduleEnd::at(u64::MAX) },
            1,
        )));
        let told = Told::default();
        let templates = Rc::new(RefCell::new(Templates::new(wording)));
        let producer = Producer::new(plan, templates, Rc::clone(&recorder), Book(Rc::clone(&told)));
        Bench { producer, recorder, told, outgoing: Outgoing::default() }
    }

    /// Asks for requests and writes them all.
    fn poll(&mut self, now: u64) -> (Vec<Seen>, Next) {
        let next = self.producer.poll(now, &mut self.outgoing);
        let requests: Vec<Request> = self.outgoing.requests.drain(..).collect();
        self.producer.on_written(now, 0, requests.len());
        (requests.iter().flat_map(seen).collect(), next)
    }

    fn answer(&mut self, now: u64, seen: &Seen, error: ErrorCode, base_offset: i64) {
        let answer = answer(seen.correlation_id, seen.partition, error, base_offset);
        self.producer.on_answer(now, &answer).unwrap();
    }

    fn told(&self) -> Vec<(usize, u32, End)> {
        self.told.borrow().clone()
    }

    fn measured(&self) -> Merged {
        merged(&[self.recorder.borrow().clone()])
    }
}

fn flat(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in &request.pieces {
        match piece {
            Piece::Own(part) => bytes.extend_from_slice(part),
            Piece::Shared(part) => bytes.extend_from_slice(part),
        }
    }
    bytes
}

/// The batches of a Produce request; of another, none.
fn seen(request: &Request) -> Vec<Seen> {
    let bytes = flat(request);
    let mut reader = Reader::new(&bytes[4..]);
    let header = decode_request_header(&mut reader).unwrap();
    if header.api_key != ApiKey::Produce.key() {
        return Vec::new();
    }
    let message = ProduceRequest::decode(&mut reader, VERSION).unwrap();
    let mut seen = Vec::new();
    for partition in message.topic_data.iter().next().unwrap().partition_data.iter() {
        let Some(Records::Wire(records)) = partition.records else { panic!("no records") };
        let batch = BatchView::parse(records).unwrap();
        assert!(batch.crc_is_valid());
        seen.push(Seen {
            correlation_id: header.correlation_id,
            partition: partition.index,
            base_sequence: batch.base_sequence(),
            producer_id: batch.producer_id(),
            crc: batch.crc(),
            records: batch.records_count(),
        });
    }
    seen
}

fn joined(pieces: Vec<EncodedPiece>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        let EncodedPiece::Bytes(part) = piece else { panic!("a file") };
        bytes.extend_from_slice(&part);
    }
    bytes.split_off(4)
}

fn answer(correlation_id: i32, partition: i32, error: ErrorCode, base_offset: i64) -> Vec<u8> {
    let partition = PartitionProduceResponse {
        index: partition,
        error_code: error.code(),
        base_offset,
        log_append_time_ms: -1,
        log_start_offset: 0,
        record_errors: Vec::new().into(),
        error_message: None,
        current_leader: protocol::messages::produce::LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
    };
    let topic = TopicProduceResponse {
        name: "topic",
        topic_id: protocol::Uuid::default(),
        partition_responses: vec![partition].into(),
    };
    let message = ProduceResponse {
        responses: vec![topic].into(),
        throttle_time_ms: 0,
        node_endpoints: Vec::new().into(),
    };
    joined(encode_response(correlation_id, ApiKey::Produce, VERSION, &message).unwrap())
}

fn id_answer(correlation_id: i32, producer_id: i64) -> Vec<u8> {
    let message = InitProducerIdResponse {
        throttle_time_ms: 0,
        error_code: 0,
        producer_id,
        producer_epoch: 0,
        ongoing_txn_producer_id: -1,
        ongoing_txn_producer_epoch: -1,
    };
    joined(encode_response(correlation_id, ApiKey::InitProducerId, 1, &message).unwrap())
}

#[test]
fn a_slow_broker_moves_no_intended_moment() {
    let mut bench = Bench::new(|_| ());
    assert_eq!(bench.poll(0), (Vec::new(), Next::At(MILLISECOND)));
    let (sent, next) = bench.poll(MILLISECOND);
    assert_eq!((sent.len(), next), (1, Next::At(2 * MILLISECOND)));
    // Late by 7 ms: seven are due, two places are free.
    let (sent_late, next) = bench.poll(9 * MILLISECOND);
    assert_eq!((sent_late.len(), next), (2, Next::OnAnswer));
    assert_eq!(bench.producer.backlog(9 * MILLISECOND), 6);
    bench.answer(11 * MILLISECOND, &sent[0], ErrorCode::NONE, 0);
    let (sent_last, _) = bench.poll(11 * MILLISECOND);
    assert_eq!(sent_last.len(), 1);
    bench.answer(12 * MILLISECOND, &sent_late[0], ErrorCode::NONE, 0);
    bench.answer(12 * MILLISECOND, &sent_late[1], ErrorCode::NONE, 10);
    bench.answer(13 * MILLISECOND, &sent_last[0], ErrorCode::NONE, 10);
    let ends: Vec<_> = bench.told().iter().map(|(partition, sequence, _)| (*partition, *sequence)).collect();
    assert_eq!(ends, [(0, 0), (1, 0), (0, 1), (1, 1)]);
    let measured = bench.measured();
    // Intended 1, 2, 3, 4; acknowledged 11, 12, 12, 13.
    assert_eq!(measured.response.min() / MILLISECOND, 8);
    assert!(measured.response.max().abs_diff(10 * MILLISECOND) < 20_000);
    // The second and third could have gone when they were due; the fourth had no place before 11.
    assert!(measured.delay.max().abs_diff(7 * MILLISECOND) < 20_000);
    assert_eq!(measured.delay.min(), 0);
    assert_eq!((measured.produced.records, measured.produced.records_due), (40, 40));
}

#[test]
fn an_idempotent_producer_sends_lost_batches_again_in_order() {
    let mut bench = Bench::new(|plan| plan.idempotent = Some((77, 0)));
    let (sent, _) = bench.poll(3 * MILLISECOND);
    assert_eq!(sent.iter().map(|seen| seen.base_sequence).collect::<Vec<_>>(), [0, 0, 10]);
    bench.answer(4 * MILLISECOND, &sent[0], ErrorCode::NONE, 0);
    bench.producer.on_disconnected(4 * MILLISECOND);
    bench.producer.on_connected(5 * MILLISECOND);
    let (again, next) = bench.poll(5 * MILLISECOND);
    assert_eq!(next, Next::OnAnswer);
    assert_eq!(again.iter().map(|seen| seen.crc).collect::<Vec<_>>(), [sent[2].crc, sent[1].crc]);
    bench.answer(6 * MILLISECOND, &again[0], ErrorCode::NONE, 10);
    assert_eq!(bench.poll(6 * MILLISECOND).0, []);
    bench.answer(6 * MILLISECOND, &again[1], ErrorCode::DUPLICATE_SEQUENCE_NUMBER, -1);
    assert_eq!(
        bench.told(),
        [
            (0, 0, End::Acknowledged { base_offset: 0 }),
            (0, 1, End::Acknowledged { base_offset: 10 }),
            (1, 0, End::AcknowledgedElsewhere),
        ]
    );
    let (new, _) = bench.poll(7 * MILLISECOND);
    assert_eq!(new.iter().map(|seen| seen.base_sequence).collect::<Vec<_>>(), [10, 20, 20]);
}

#[test]
fn batches_behind_one_to_try_again_follow_it() {
    let mut bench = Bench::new(|plan| {
        plan.idempotent = Some((77, 0));
        plan.targets.truncate(1);
    });
    let (sent, _) = bench.poll(3 * MILLISECOND);
    bench.answer(4 * MILLISECOND, &sent[0], ErrorCode::NOT_LEADER_OR_FOLLOWER, -1);
    bench.answer(4 * MILLISECOND, &sent[1], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    assert_eq!(bench.poll(4 * MILLISECOND), (Vec::new(), Next::OnAnswer));
    bench.answer(5 * MILLISECOND, &sent[2], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    let (_, next) = bench.poll(5 * MILLISECOND);
    let later = 5 * MILLISECOND + RETRY_AFTER_NS;
    assert_eq!(next, Next::At(later));
    let (again, _) = bench.poll(later);
    assert_eq!(again.iter().map(|seen| seen.base_sequence).collect::<Vec<_>>(), [0, 10, 20]);
    for (index, seen) in again.iter().enumerate() {
        bench.answer(later, seen, ErrorCode::NONE, index as i64 * 10);
    }
    assert!(bench.told().iter().all(|(_, _, end)| matches!(end, End::Acknowledged { .. })));
    assert_eq!(bench.measured().produced.errors.len(), 2);
}

#[test]
fn after_a_batch_is_refused_for_good_a_fresh_id_begins_at_sequence_0() {
    let mut bench = Bench::new(|plan| {
        plan.idempotent = Some((77, 0));
        plan.targets.truncate(1);
    });
    let (sent, _) = bench.poll(3 * MILLISECOND);
    bench.answer(4 * MILLISECOND, &sent[0], ErrorCode::MESSAGE_TOO_LARGE, -1);
    bench.answer(4 * MILLISECOND, &sent[1], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    bench.answer(4 * MILLISECOND, &sent[2], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    assert_eq!(bench.told().iter().filter(|told| told.2 == End::Refused).count(), 3);
    let (asked, next) = bench.poll(4 * MILLISECOND);
    assert_eq!((asked, next), (Vec::new(), Next::OnAnswer));
    let asked_as = bench.producer.in_flight[0].correlation_id;
    bench.producer.on_answer(5 * MILLISECOND, &id_answer(asked_as, 78)).unwrap();
    let (fresh, _) = bench.poll(5 * MILLISECOND);
    let known: Vec<_> = fresh.iter().map(|seen| (seen.producer_id, seen.base_sequence)).collect();
    assert_eq!(known, [(78, 0), (78, 10)]);
}

#[test]
fn others_never_send_again_what_may_have_arrived() {
    let mut bench = Bench::new(|_| ());
    let (sent, _) = bench.poll(2 * MILLISECOND);
    assert_eq!(sent.len(), 2);
    bench.producer.poll(3 * MILLISECOND, &mut bench.outgoing);
    let unwritten = seen(&bench.outgoing.requests[0])[0];
    bench.outgoing.requests.clear();
    bench.producer.on_disconnected(4 * MILLISECOND);
    assert_eq!(bench.told(), [(0, 0, End::Unknown), (1, 0, End::Unknown)]);
    let (again, _) = bench.poll(5 * MILLISECOND);
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].crc, again[0].partition), (unwritten.crc, unwritten.partition));
    bench.answer(6 * MILLISECOND, &again[0], ErrorCode::NOT_LEADER_OR_FOLLOWER, -1);
    assert_eq!(bench.told()[2], (0, 1, End::Refused));
    let errors = bench.measured().produced.errors;
    assert_eq!((errors["DISCONNECTED"], errors["NOT_LEADER_OR_FOLLOWER"]), (2, 1));
}

#[test]
fn without_acks_a_written_batch_is_all_there_is_to_know() {
    let mut bench = Bench::new(|plan| plan.acks_none = true);
    let (sent, _) = bench.poll(3 * MILLISECOND);
    assert_eq!(sent.len(), 3);
    assert!(bench.producer.in_flight.is_empty());
    assert_eq!(bench.told().iter().filter(|told| told.2 == End::Unknown).count(), 3);
    assert_eq!(bench.measured().produced.records, 30);
    assert_eq!(bench.poll(4 * MILLISECOND).0.len(), 1);
}

#[test]
fn a_closed_loop_intends_a_batch_when_a_place_is_free() {
    let mut bench = Bench::new(|plan| {
        plan.pacing = Pacing::Closed { start: MILLISECOND, end: ScheduleEnd::at(10 * MILLISECOND) };
    });
    assert_eq!(bench.poll(0).1, Next::At(MILLISECOND));
    let (sent, _) = bench.poll(MILLISECOND);
    assert_eq!(sent.len(), 3);
    bench.answer(3 * MILLISECOND, &sent[0], ErrorCode::NONE, 0);
    let (next, _) = bench.poll(4 * MILLISECOND);
    bench.answer(5 * MILLISECOND, &sent[1], ErrorCode::NONE, 0);
    bench.answer(5 * MILLISECOND, &sent[2], ErrorCode::NONE, 10);
    bench.answer(5 * MILLISECOND, &next[0], ErrorCode::NONE, 10);
    let measured = bench.measured();
    assert!(measured.response.min().abs_diff(2 * MILLISECOND) < 10_000);
    assert!(measured.delay.max().abs_diff(MILLISECOND) < 10_000);
    assert_eq!(bench.poll(10 * MILLISECOND), (Vec::new(), Next::Finished));
}

#[test]
fn a_request_may_hold_batches_of_several_partitions() {
    let mut bench = Bench::new(|plan| {
        plan.batches_per_request = 2;
        plan.records_per_batch = 5;
    });
    let (sent, _) = bench.poll(MILLISECOND);
    assert_eq!(sent.iter().map(|seen| (seen.partition, seen.records)).collect::<Vec<_>>(), [(0, 5), (1, 5)]);
    // Only one of the two is answered for.
    let answer = answer(sent[0].correlation_id, 0, ErrorCode::NONE, 0);
    assert!(bench.producer.on_answer(2 * MILLISECOND, &answer).is_err());
}

#[test]
fn what_was_due_before_the_end_is_sent_after_it() {
    let mut bench = Bench::new(|_| ());
    // Five are due, three places are free.
    let (sent, _) = bench.poll(5 * MILLISECOND);
    bench.producer.on_stop(5 * MILLISECOND);
    bench.answer(6 * MILLISECOND, &sent[0], ErrorCode::NONE, 0);
    assert_eq!(bench.poll(6 * MILLISECOND).0.len(), 1);
    bench.answer(7 * MILLISECOND, &sent[1], ErrorCode::NONE, 0);
    assert_eq!(bench.poll(5 * MILLISECOND + OVERDUE_FOR_NS).0.len(), 0);
}

#[test]
fn what_has_no_answer_in_the_end_is_unknown() {
    let mut bench = Bench::new(|_| ());
    bench.poll(3 * MILLISECOND);
    bench.producer.on_stop(4 * MILLISECOND);
    assert!(!bench.producer.is_settled());
    bench.producer.on_abandoned();
    assert_eq!(bench.told().len(), 3);
    assert_eq!(bench.measured().produced.records_due, 990);
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(garbage in proptest::collection::vec(any::<u8>(), 0..200), keep in 0..80usize) {
        let mut bench = Bench::new(|plan| plan.idempotent = Some((1, 0)));
        let (sent, _) = bench.poll(2 * MILLISECOND);
        let mut bytes = answer(sent[0].correlation_id, sent[0].partition, ErrorCode::NONE, 0);
        bytes.truncate(keep);
        bytes.extend(garbage);
        let _ = bench.producer.on_answer(3 * MILLISECOND, &bytes);
        let _ = bench.producer.on_answer(3 * MILLISECOND, &bytes);
    }
}
