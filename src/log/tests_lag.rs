//! How much lies behind an offset, with the index of its segment and without.

use std::sync::Arc;

use bytes::BytesMut;

use super::tests::{EPOCH, builder, now, open, owned};
use super::*;
use crate::model::topic_config::TopicConfig;
use crate::model::{Lag, Offset, PartitionIndex, SealedSegment, TopicId, TopicPartition};

fn append(log: &mut PartitionLog, timestamps: &[i64]) -> u64 {
    let batch: BytesMut = owned(builder(timestamps, 10).build());
    let length = batch.len() as u64;
    log.append(now(1_000), EPOCH, batch, false).unwrap();
    length
}

#[test]
fn a_lag_is_counted_from_the_batch_that_holds_the_offset() {
    let mut log = open(TopicConfig::default());
    let first = append(&mut log, &[100, 200, 300]);
    let second = append(&mut log, &[400]);
    let check = |committed, end, records, bytes, timestamp_ms| {
        let expected = Lag { records, bytes, timestamp_ms };
        assert_eq!(log.lag(Offset(committed), Offset(end)), expected, "{committed} of {end}");
    };
    check(0, 4, 4, first + second, Some(300));
    check(2, 4, 2, first + second, Some(300));
    check(3, 4, 1, second, Some(400));
    check(4, 4, 0, 0, None);
    // Of what is not durable nothing is told; an offset beyond the end has no lag.
    check(3, 3, 0, 0, None);
    check(9, 4, 0, 0, None);
}

#[test]
fn what_was_deleted_counts_as_records_only() {
    let mut log = open(TopicConfig::default());
    append(&mut log, &[100]);
    let second = append(&mut log, &[400]);
    log.advance_log_start(Offset(1));
    let expected = Lag { records: 2, bytes: second, timestamp_ms: Some(400) };
    assert_eq!(log.lag(Offset(0), Offset(2)), expected);
}

#[test]
fn records_without_timestamps_have_no_age() {
    let mut log = open(TopicConfig::default());
    append(&mut log, &[-1]);
    assert_eq!(log.lag(Offset(0), Offset(1)).timestamp_ms, None);
}

#[test]
fn without_its_index_a_segment_is_taken_to_be_even() {
    let mut scanner = LogScanner::new();
    for base in [0, 10] {
        let (base_offset, next_offset) = (Offset(base), Offset(base + 10));
        let (length, max_timestamp, clean_end) = (1_000, base * 10 + 100, base_offset);
        let sealed = SealedSegment { base_offset, next_offset, length, max_timestamp, clean_end };
        scanner.summarized(&sealed).unwrap();
    }
    let recovered: RecoveredLog = scanner.finish();
    let of = TopicPartition { topic_id: TopicId::ZERO, partition: PartitionIndex(0) };
    let log = PartitionLog::open(of, Arc::new(TopicConfig::default()), recovered);
    let lag = log.lag(Offset(4), Offset(20));
    assert_eq!(lag, Lag { records: 16, bytes: 1_600, timestamp_ms: Some(100) });
    assert_eq!(log.lag(Offset(10), Offset(20)).bytes, 1_000);
}
