//! Each checker must notice what it is there for.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::Uuid;

use super::*;
use crate::client::batch::{Writer, decode, encode};

const KEY: PartitionKey = (Uuid([7; 16]), 0);

fn sent(ledger: &mut Ledger, count: usize, writer: Writer) -> SentBatch {
    let records = (0..count).map(|_| (ledger.new_record(), 20)).collect();
    let batch = SentBatch { records, keys: Vec::new(), writer, timestamp_ms: 1_000 };
    ledger.told_topic("t", KEY.0, 1, 9);
    ledger.sent(KEY, &batch);
    batch
}

fn stamped(batch: &SentBatch, base_offset: i64) -> Bytes {
    let mut bytes = encode(&batch.records, &batch.keys, batch.writer, 0).to_vec();
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&[0; 4]);
    Bytes::from(bytes)
}

fn read(ledger: &mut Ledger, bytes: &[u8], below: i64) {
    let (batch, _) = decode(bytes).expect("valid").expect("whole");
    ledger.observed(KEY, &batch, None, below);
}

/// What the ledger says of a whole run in which `run` happened and the log then ended at `end`.
fn verdict(end: i64, run: impl FnOnce(&mut Ledger)) -> Vec<String> {
    let mut ledger = Ledger::default();
    run(&mut ledger);
    ledger.last_word(&BTreeMap::from([(KEY, (ledger.log_start(KEY), end))]));
    ledger.violations
}

fn check(end: i64, expect: &str, run: impl FnOnce(&mut Ledger)) {
    let said = verdict(end, run);
    assert!(said.iter().any(|line| line.starts_with(expect)), "expected {expect:?}, said {said:?}");
}

fn writer(base_sequence: i32) -> Writer {
    Writer { producer_id: 9, producer_epoch: 0, base_sequence }
}

#[test]
fn a_faultless_run_is_no_violation() {
    let said = verdict(5, |ledger| {
        let first = sent(ledger, 2, writer(0));
        let second = sent(ledger, 3, writer(2));
        ledger.acknowledged(KEY, 0, &first);
        ledger.acknowledged(KEY, 2, &second);
        let bytes = stamped(&first, 0);
        read(ledger, &bytes, 5);
        ledger.told_high_watermark(KEY, 5, 0);
    });
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_lost_acknowledged_record_is_noticed() {
    check(1, "acknowledged => readable", |ledger| {
        let batch = sent(ledger, 2, Writer::NOBODY);
        ledger.acknowledged(KEY, 0, &batch);
    });
}

#[test]
fn another_record_at_an_acknowledged_offset_is_noticed() {
    check(1, "offsets never change", |ledger| {
        let first = sent(ledger, 1, Writer::NOBODY);
        let second = sent(ledger, 1, Writer::NOBODY);
        ledger.acknowledged(KEY, 0, &first);
        let bytes = stamped(&second, 0);
        read(ledger, &bytes, 1);
    });
}

#[test]
fn a_record_that_stands_twice_is_noticed() {
    check(2, "a record stands once", |ledger| {
        let batch = sent(ledger, 1, writer(0));
        let (once, again) = (stamped(&batch, 0), stamped(&batch, 1));
        read(ledger, &once, 2);
        read(ledger, &again, 2);
    });
}

#[test]
fn a_sequence_out_of_order_or_missing_is_noticed() {
    check(2, "idempotent: once and in order", |ledger| {
        let first = sent(ledger, 1, writer(0));
        let second = sent(ledger, 1, writer(1));
        ledger.acknowledged(KEY, 1, &first);
        ledger.acknowledged(KEY, 0, &second);
    });
    check(1, "idempotent: once and in order", |ledger| {
        sent(ledger, 1, writer(0));
        let second = sent(ledger, 1, writer(1));
        ledger.acknowledged(KEY, 0, &second);
    });
}

#[test]
fn a_record_nobody_sent_is_noticed() {
    check(1, "only what was sent is read", |ledger| {
        ledger.told_topic("t", KEY.0, 1, 9);
        let stranger = SentBatch {
            keys: Vec::new(),
            records: vec![(crate::client::batch::RecordId(999), 20)],
            writer: Writer::NOBODY,
            timestamp_ms: 0,
        };
        let bytes = stamped(&stranger, 0);
        read(ledger, &bytes, 1);
    });
}

#[test]
fn a_high_watermark_that_goes_back_is_noticed() {
    check(5, "the high watermark never goes back", |ledger| {
        ledger.told_topic("t", KEY.0, 1, 9);
        ledger.told_high_watermark(KEY, 5, 0);
        ledger.told_high_watermark(KEY, 4, 5);
    });
}

#[test]
fn records_from_nowhere_are_noticed() {
    check(3, "a log holds no more than was sent", |ledger| {
        sent(ledger, 2, Writer::NOBODY);
        ledger.told_high_watermark(KEY, 3, 0);
    });
}

#[test]
fn a_lost_topic_and_a_risen_one_are_noticed() {
    let mut ledger = Ledger::default();
    ledger.told_topic("t", KEY.0, 1, 9);
    ledger.last_word(&BTreeMap::new());
    assert_eq!(ledger.violations.len(), 1);
    ledger.told_deleted(KEY.0);
    ledger.told_topic("t", KEY.0, 1, 9);
    assert_eq!(ledger.violations.len(), 2);
}

#[test]
fn a_log_start_moves_only_as_allowed() {
    let retention = |ms, bytes| log_start::Retention { ms, bytes, by_request: true };
    check(5, "only what may go is deleted", |ledger| {
        let batch = sent(ledger, 5, writer(0));
        ledger.acknowledged(KEY, 0, &batch);
        ledger.rule("t", retention(Some(500), None));
        ledger.told_log_start(KEY, 5, 0, 1_400);
    });
    check(5, "only what may go is deleted", |ledger| {
        let batch = sent(ledger, 5, writer(0));
        ledger.acknowledged(KEY, 0, &batch);
        ledger.rule("t", retention(None, Some(1_000_000)));
        ledger.asked_log_start(KEY, 3);
        ledger.told_log_start(KEY, 4, 0, 1_400);
    });
    check(5, "the log start never goes back", |ledger| {
        ledger.told_log_start(KEY, 1, 2, 0);
    });
    let said = verdict(5, |ledger| {
        let batch = sent(ledger, 5, writer(0));
        ledger.acknowledged(KEY, 0, &batch);
        ledger.rule("t", retention(Some(500), None));
        ledger.asked_log_start(KEY, 3);
        ledger.told_log_start(KEY, 3, 0, 1_100);
        ledger.told_log_start(KEY, 5, 3, 1_600);
        ledger.told_high_watermark(KEY, 5, 0);
    });
    assert_eq!(said, Vec::<String>::new());
}
