//! Idempotent producers: sequences, duplicates, epochs, transactions' traces, forgetting.

use protocol::error_code::ErrorCode;
use protocol::record::{BatchBuilder, ControlRecord};

use crate::model::topic_config::TopicConfig;
use crate::model::{Instant, Offset};

use super::tests::{EPOCH, builder, now, open, owned};
use super::*;

const OK: i16 = 0;
const OUT_OF_ORDER: i16 = 45;
const OLD_EPOCH: i16 = 47;
const TXN_STATE: i16 = 48;

/// Appends `count` records; the error code and, where it is 0, the base offset.
fn produce(log: &mut PartitionLog, producer_id: i64, epoch: i16, sequence: i32, count: usize) -> (i16, i64) {
    let records = builder(&vec![1; count], 5).producer(producer_id, epoch, sequence).build();
    match log.append(now(1), EPOCH, owned(records), false) {
        Ok(appended) => (OK, appended.base_offset.0),
        Err(refused) => (refused.error.code(), -1),
    }
}

/// One producer: (epoch, sequence, count) -> (error, base offset), in order.
fn check(table: &[(i16, i32, usize, i16, i64)]) {
    let mut log = open(TopicConfig::default());
    for (row, (epoch, sequence, count, error, base_offset)) in table.iter().enumerate() {
        let found = produce(&mut log, 9, *epoch, *sequence, *count);
        assert_eq!(found, (*error, *base_offset), "row {row}");
    }
}

#[test]
fn sequences_follow_each_other() {
    check(&[(0, 0, 3, OK, 0), (0, 3, 2, OK, 3), (0, 6, 1, OUT_OF_ORDER, -1), (0, 5, 1, OK, 5)]);
}

#[test]
fn an_unknown_producer_begins_with_any_sequence() {
    check(&[(5, 1_000, 2, OK, 0), (5, 1_002, 1, OK, 2)]);
}

#[test]
fn a_new_epoch_begins_at_zero_and_an_old_one_is_fenced() {
    check(&[(1, 7, 1, OK, 0), (2, 8, 1, OUT_OF_ORDER, -1), (2, 0, 1, OK, 1), (1, 8, 1, OLD_EPOCH, -1)]);
}

#[test]
fn sequences_wrap_from_the_largest_to_zero() {
    check(&[(0, i32::MAX - 1, 2, OK, 0), (0, 0, 1, OK, 2), (0, 1, 1, OK, 3)]);
    check(&[(0, i32::MAX - 1, 4, OK, 0), (0, 1, 1, OUT_OF_ORDER, -1), (0, 2, 1, OK, 4)]);
    check(&[(0, i32::MAX - 1, 4, OK, 0), (0, i32::MAX - 1, 4, OK, 0)]);
}

#[test]
fn duplicate_sequence_returns_first_offsets() {
    let mut log = open(TopicConfig::default());
    for index in 0..6 {
        assert_eq!(produce(&mut log, 9, 0, index * 2, 2), (OK, i64::from(index) * 2));
    }
    let before = (log.log_end_offset(), log.tail_bytes());
    for index in 1..6 {
        assert_eq!(produce(&mut log, 9, 0, index * 2, 2), (OK, i64::from(index) * 2), "batch {index}");
    }
    assert_eq!(produce(&mut log, 9, 0, 0, 2), (OUT_OF_ORDER, -1), "the sixth last is forgotten");
    assert_eq!(produce(&mut log, 9, 0, 10, 1), (OUT_OF_ORDER, -1), "an overlap is no duplicate");
    assert_eq!((log.log_end_offset(), log.tail_bytes()), before);
}

#[test]
fn a_duplicate_writes_nothing_and_tells_its_old_range() {
    let mut log = open(TopicConfig::default());
    let records = || owned(builder(&[5, 6], 5).producer(1, 0, 0).build());
    let first = log.append(now(1), EPOCH, records(), false).unwrap();
    let again = log.append(now(2), EPOCH, records(), false).unwrap();
    assert_eq!((again.base_offset, again.next_offset), (first.base_offset, first.next_offset));
    assert_eq!((again.write, again.rolled), (None, None));
}

#[test]
fn a_producer_without_epoch_is_accepted_with_any_sequence() {
    check(&[
        (-1, 0, 1, OK, 0),
        (-1, 7, 1, OK, 1),
        (-1, 7, 1, OK, 1),
        (4, 9, 1, OK, 2),
        (-1, 0, 1, OLD_EPOCH, -1),
    ]);
}

#[test]
fn batches_without_a_producer_leave_no_trace() {
    let mut log = open(TopicConfig::default());
    log.append(now(1), EPOCH, owned(builder(&[1], 1).build()), false).unwrap();
    assert_eq!(log.producers(), []);
}

#[test]
fn producers_are_described_with_their_last_sequence_and_timestamp() {
    let mut log = open(TopicConfig::default());
    for (producer_id, timestamps) in [(7, &[50, 40][..]), (3, &[9][..])] {
        let records = builder(timestamps, 1).producer(producer_id, 2, 10).build();
        log.append(now(1), EPOCH, owned(records), false).unwrap();
    }
    let described: Vec<_> = log
        .producers()
        .iter()
        .map(|producer| {
            let txn = producer.current_transaction_start_offset;
            (
                producer.producer_id,
                producer.producer_epoch,
                producer.last_sequence,
                producer.last_timestamp,
                txn,
            )
        })
        .collect();
    assert_eq!(described, [(3, 2, 10, 9, -1), (7, 2, 11, 50, -1)]);
}

#[test]
fn an_open_transaction_is_remembered_and_refuses_plain_batches() {
    let mut log = open(TopicConfig::default());
    let transactional = |sequence| owned(builder(&[1], 1).producer(4, 0, sequence).transactional().build());
    log.append(now(1), EPOCH, owned(builder(&[1], 1).build()), true).unwrap();
    log.append(now(1), EPOCH, transactional(0), true).unwrap();
    log.append(now(1), EPOCH, transactional(1), true).unwrap();
    assert_eq!(log.producers()[0].current_transaction_start_offset, 1);
    assert_eq!(produce(&mut log, 4, 0, 2, 1), (TXN_STATE, -1));
    assert_eq!(log.expire_producers(now(1 << 40), 1), 0, "it is not forgotten");
}

#[test]
fn a_recovered_marker_ends_the_transaction_and_raises_the_epoch() {
    let mut file = Vec::new();
    let data = builder(&[1, 2], 1).producer(4, 0, 0).transactional().leader_epoch(3).build();
    file.extend_from_slice(&data);
    let mut marker =
        BatchBuilder::new().producer(4, 1, -1).transactional().control().base_offset(2).leader_epoch(3);
    let value = ControlRecord::marker_value(0);
    marker.append(5, Some(&ControlRecord::Commit.key()), Some(&value), &[]);
    file.extend_from_slice(&marker.build());
    let mut scanner = LogScanner::new();
    let mut read = |position: u64, into: &mut [u8]| {
        into.copy_from_slice(&file[position as usize..position as usize + into.len()]);
        Ok(())
    };
    scanner.segment(Offset(0), file.len() as u64, &mut read).unwrap();
    let recovered = scanner.finish();
    assert_eq!(recovered.log_end_offset(), Offset(3));
    let producer = recovered.producers.answers()[0];
    assert_eq!((producer.producer_epoch, producer.last_sequence), (1, -1));
    assert_eq!((producer.last_timestamp, producer.current_transaction_start_offset), (5, -1));
}

#[test]
fn silent_producers_expire_and_may_come_back_with_any_sequence() {
    let mut log = open(TopicConfig::default());
    let produce_at = |log: &mut PartitionLog, wall_ms, producer_id, sequence| {
        let records = builder(&[1], 5).producer(producer_id, 0, sequence).build();
        log.append(now(wall_ms), EPOCH, owned(records), false).map(|_| ())
    };
    produce_at(&mut log, 1_000, 1, 0).unwrap();
    produce_at(&mut log, 2_000, 2, 0).unwrap();
    assert_eq!(log.expire_producers(now(1_999), 1_000), 0);
    assert_eq!(log.expire_producers(now(2_000), 1_000), 1);
    assert_eq!(log.producers().iter().map(|producer| producer.producer_id).collect::<Vec<_>>(), [2]);
    produce_at(&mut log, 2_500, 1, 77).unwrap();
    let refused = produce_at(&mut log, 2_500, 2, 77).unwrap_err();
    assert_eq!(refused.error, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

#[test]
fn the_age_of_a_recovered_producer_begins_at_the_first_look() {
    let mut log = open(TopicConfig::default());
    produce(&mut log, 1, 0, 0, 1);
    let mut producers = super::producer_state::ProducerStates::default();
    let bytes = log.slices(Offset(0), 0, log.segments()[0].length).concat();
    producers.on_batch(protocol::record::BatchHeader::at_front_of(&bytes).unwrap(), None);
    assert_eq!(producers.expire(Instant(5_000_000_000), 1_000), 0);
    assert_eq!(producers.expire(Instant(5_999_000_000), 1_000), 0);
    assert_eq!(producers.expire(Instant(6_000_000_000), 1_000), 1);
}

#[test]
fn the_number_of_producers_is_bounded_and_the_longest_silent_go() {
    let mut log = open(TopicConfig::default());
    for producer_id in 0..10_000 {
        produce(&mut log, producer_id, 0, 0, 1);
    }
    produce(&mut log, 0, 0, 1, 1);
    assert_eq!(log.producers_count(), 10_000);
    produce(&mut log, 10_000, 0, 0, 1);
    let known: Vec<i64> = log.producers().iter().map(|producer| producer.producer_id).collect();
    assert_eq!((known.len(), known[0], known[1]), (9_001, 0, 1_001));
}
