//! Tables: what reading finds, by name; each log judged in every order of reading and answers.

use super::*;

const RUN: u32 = 7;

/// What a producer was told of a batch.
#[derive(Clone, Copy)]
enum Told {
    At(i64),
    Elsewhere,
    Unknown,
    Refused,
}

fn sent(connection: u32, sequence: u32, records: u32) -> SentBatch {
    let crc = 0x1000_0000 + connection * 1_000 + sequence;
    SentBatch { connection, sequence, crc, records, intended_ns: u64::from(connection * 100 + sequence) }
}

fn stamped(batch: &SentBatch, base_offset: i64) -> FoundBatch {
    let stamp = Stamp {
        run: RUN,
        connection: batch.connection,
        sequence: batch.sequence,
        intended_ns: batch.intended_ns,
        partition: 0,
        topic: 0,
    };
    FoundBatch { is_compressed: false, stamp: Some(stamp), ..compressed(batch, base_offset) }
}

fn compressed(batch: &SentBatch, base_offset: i64) -> FoundBatch {
    FoundBatch {
        base_offset,
        last_offset: base_offset + i64::from(batch.records) - 1,
        records: batch.records,
        crc_stored: batch.crc,
        crc_is_right: true,
        is_compressed: true,
        is_control: false,
        stamp: None,
    }
}

fn tell(ledger: &mut PartitionLedger, batch: SentBatch, told: Told) -> Option<Nanoseconds> {
    match told {
        Told::At(base_offset) => ledger.on_acknowledged(batch, base_offset),
        Told::Elsewhere => ledger.on_acknowledged_elsewhere(batch),
        Told::Unknown => ledger.on_unknown(batch),
        Told::Refused => {
            ledger.on_refused(batch);
            None
        }
    }
}

/// `key=count` for each count that is not 0.
fn counts(verification: &Verification) -> String {
    let all = [
        ("verified", verification.verified),
        ("lost", verification.lost),
        ("duplicated", verification.duplicated),
        ("reordered", verification.reordered),
        ("corrupted", verification.corrupted),
        ("refused", verification.refused_but_present),
        ("gaps", verification.gaps),
        ("present", verification.indeterminate_present),
        ("absent", verification.indeterminate_absent),
        ("foreign", verification.foreign),
    ];
    let words: Vec<String> =
        all.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name}={count}")).collect();
    words.join(" ")
}

/// Judges the log with the answers first, with the reading first, and with both in turns.
#[track_caller]
fn check(told: &[(SentBatch, Told)], log: &[FoundBatch], log_end_offset: i64, expect: &str) {
    for order in ["answers first", "reading first", "in turns"] {
        let mut ledger = PartitionLedger::new(0, RUN);
        let (mut answers, mut reading) = (told.iter(), log.iter());
        for turn in 0..2 * (told.len() + log.len()) {
            let is_answer = match order {
                "answers first" => turn < told.len(),
                "reading first" => turn >= log.len(),
                _ => turn % 2 == 0,
            };
            if is_answer {
                if let Some((batch, told)) = answers.next() {
                    tell(&mut ledger, *batch, *told);
                }
            } else if let Some(found) = reading.next() {
                ledger.on_read(*found, 1);
            }
        }
        assert!(answers.next().is_none() && reading.next().is_none(), "everything happened");
        assert_eq!(counts(&ledger.finish(log_end_offset, "t-0")), expect, "{order}");
    }
}

/// With stamps and with a codec.
#[track_caller]
fn check_both(told: &[(SentBatch, Told)], log: &[(SentBatch, i64)], log_end_offset: i64, expect: &str) {
    for found in [stamped, compressed] {
        let log: Vec<FoundBatch> = log.iter().map(|(batch, at)| found(batch, *at)).collect();
        check(told, &log, log_end_offset, expect);
    }
}

#[test]
fn batches_at_their_offsets_are_verified() {
    let (a, b, c) = (sent(1, 0, 2), sent(2, 0, 3), sent(1, 1, 1));
    let told = [(a, Told::At(0)), (c, Told::At(5)), (b, Told::At(2))];
    check_both(&told, &[(a, 0), (b, 2), (c, 5)], 6, "verified=3");
    check_both(&[], &[], 0, "");
}

#[test]
fn a_batch_that_is_not_there_is_lost_with_its_offsets() {
    let (a, b, c) = (sent(1, 0, 2), sent(1, 1, 3), sent(1, 2, 1));
    let told = [(a, Told::At(0)), (b, Told::At(2)), (c, Told::At(5))];
    check_both(&told, &[(a, 0), (c, 5)], 6, "verified=2 lost=1");
    // The end of the log is gone, whether its end offset says so or not.
    check_both(&told, &[(a, 0), (b, 2)], 5, "verified=2 lost=1");
    check_both(&told, &[(a, 0), (b, 2)], 6, "verified=2 lost=1");
    // Another batch was given its offset.
    check_both(
        &[(a, Told::At(0)), (b, Told::At(2)), (c, Told::At(2))],
        &[(a, 0), (c, 2)],
        3,
        "verified=2 lost=1",
    );
}

#[test]
fn offsets_without_a_batch_are_gaps_where_nothing_was_lost_there() {
    let (a, b, c) = (sent(1, 0, 2), sent(1, 1, 3), sent(1, 2, 1));
    check_both(&[(a, Told::At(0)), (c, Told::At(5))], &[(a, 0), (c, 5)], 6, "verified=2 gaps=1");
    check_both(&[(a, Told::At(0))], &[(a, 0)], 4, "verified=1 gaps=1");
    // The log has become shorter since it was read.
    check_both(&[(a, Told::At(0)), (b, Told::At(2))], &[(a, 0), (b, 2)], 2, "verified=2 gaps=1");
    // Of 2..8, 4..7 was lost: two gaps are left.
    check_both(
        &[(a, Told::At(0)), (b, Told::At(4)), (c, Told::At(8))],
        &[(a, 0), (c, 8)],
        9,
        "verified=2 lost=1 gaps=2",
    );
}

#[test]
fn two_batches_in_each_others_place_are_reordered() {
    let (a, b, c) = (sent(1, 0, 2), sent(1, 1, 3), sent(2, 0, 3));
    // The broker knows where they are: one is behind the other.
    check_both(&[(a, Told::At(3)), (b, Told::At(0))], &[(b, 0), (a, 3)], 5, "verified=1 reordered=1");
    // It does not, and neither is where it was acknowledged.
    check_both(&[(a, Told::At(0)), (b, Told::At(2))], &[(b, 0), (a, 3)], 5, "reordered=2");
    check_both(&[(b, Told::At(0)), (c, Told::At(3))], &[(c, 0), (b, 3)], 6, "reordered=2");
    // They keep their offsets and are handed out the other way round.
    check_both(&[(a, Told::At(0)), (b, Told::At(2))], &[(b, 2), (a, 0)], 5, "verified=1 reordered=1");
}

#[test]
fn a_second_copy_is_duplicated() {
    let (a, b) = (sent(1, 0, 2), sent(1, 1, 1));
    check_both(
        &[(a, Told::At(0)), (b, Told::At(4))],
        &[(a, 0), (a, 2), (b, 4)],
        5,
        "verified=2 duplicated=1",
    );
    check_both(
        &[(a, Told::At(2)), (b, Told::At(4))],
        &[(a, 0), (a, 2), (b, 4)],
        5,
        "verified=2 duplicated=1",
    );
    // Both were sent again, and the second copies were acknowledged: that is no disorder.
    check_both(
        &[(a, Told::At(3)), (b, Told::At(5))],
        &[(a, 0), (b, 2), (a, 3), (b, 5)],
        6,
        "verified=2 duplicated=2",
    );
    check_both(
        &[(a, Told::Unknown), (b, Told::At(4))],
        &[(a, 0), (a, 2), (b, 4)],
        5,
        "verified=1 duplicated=1 present=1",
    );
    // The same bytes handed out twice.
    check_both(
        &[(a, Told::At(0)), (b, Told::At(2))],
        &[(a, 0), (a, 0), (b, 2)],
        3,
        "verified=2 duplicated=1",
    );
}

#[test]
fn other_bytes_are_corrupted() {
    let (a, b) = (sent(1, 0, 2), sent(1, 1, 1));
    let told = [(a, Told::At(0)), (b, Told::At(2))];
    for found in [stamped, compressed] {
        let wrong = FoundBatch { crc_is_right: false, ..found(&a, 0) };
        check(&told, &[wrong, found(&b, 2)], 3, "verified=1 corrupted=1");
        let other = FoundBatch { crc_stored: 99, ..found(&a, 0) };
        check(&told, &[other, found(&b, 2)], 3, "verified=1 corrupted=1");
        let no_stamp = FoundBatch { crc_is_right: false, stamp: None, ..found(&a, 0) };
        check(&told, &[no_stamp, found(&b, 2)], 3, "verified=1 corrupted=1");
        check(&told, &[no_stamp, found(&a, 2), found(&b, 4)], 5, "reordered=2 corrupted=1");
        check(&[], &[wrong], 2, "corrupted=1");
    }
    let unknown = FoundBatch { crc_is_right: false, ..stamped(&a, 0) };
    check(&[(a, Told::Unknown)], &[unknown], 2, "corrupted=1");
}

#[test]
fn a_batch_with_no_known_end_may_be_there_once_or_not() {
    let (a, b, c) = (sent(1, 0, 2), sent(1, 1, 1), sent(1, 2, 1));
    check_both(&[(a, Told::Unknown), (b, Told::At(2))], &[(a, 0), (b, 2)], 3, "verified=1 present=1");
    check_both(&[(a, Told::Unknown), (b, Told::At(0))], &[(b, 0)], 1, "verified=1 absent=1");
    // Its old connection was read after the new one.
    check_both(&[(a, Told::Unknown), (b, Told::At(0))], &[(b, 0), (a, 1)], 3, "verified=1 present=1");
    check_both(
        &[(b, Told::Unknown), (a, Told::At(0)), (c, Told::At(2))],
        &[(a, 0), (c, 2), (b, 3)],
        4,
        "verified=2 present=1",
    );
}

#[test]
fn refused_batches_must_not_be_there_and_duplicates_must() {
    let (a, b) = (sent(1, 0, 2), sent(1, 1, 1));
    check_both(&[(a, Told::Refused), (b, Told::At(0))], &[(b, 0)], 1, "verified=1");
    check_both(&[(a, Told::Refused), (b, Told::At(2))], &[(a, 0), (b, 2)], 3, "verified=1 refused=1");
    check_both(&[(a, Told::Elsewhere), (b, Told::At(2))], &[(a, 0), (b, 2)], 3, "verified=2");
    check_both(&[(a, Told::At(-1)), (b, Told::At(2))], &[(a, 0), (b, 2)], 3, "verified=2");
    check_both(&[(a, Told::Elsewhere), (b, Told::At(0))], &[(b, 0)], 1, "verified=1 lost=1");
}

#[test]
fn batches_of_others_are_counted_and_control_batches_are_not() {
    let a = sent(1, 0, 2);
    let told = [(a, Told::At(3))];
    let other_run = FoundBatch {
        stamp: Some(Stamp { run: 1, ..stamped(&a, 0).stamp.unwrap() }),
        ..stamped(&sent(9, 9, 2), 0)
    };
    let marker = FoundBatch { is_control: true, ..compressed(&sent(0, 0, 1), 2) };
    check(&told, &[other_run, marker, stamped(&a, 3)], 5, "verified=1 foreign=1");
    let plain = FoundBatch { is_compressed: false, ..compressed(&sent(9, 9, 2), 0) };
    check(&told, &[plain, marker, stamped(&a, 3)], 5, "verified=1 foreign=1");
    check(&told, &[compressed(&sent(9, 9, 2), 0), marker, compressed(&a, 3)], 5, "verified=1 foreign=1");
}

#[test]
fn what_lies_below_the_start_is_not_looked_at() {
    let a = sent(1, 0, 2);
    let mut ledger = PartitionLedger::new(10, RUN);
    assert_eq!(ledger.on_read(compressed(&sent(5, 5, 1), 8), 0), None);
    assert_eq!(ledger.on_read(FoundBatch { crc_is_right: false, ..compressed(&a, 0) }, 0), None);
    assert_eq!(ledger.read_position(), 10);
    ledger.on_acknowledged(a, 10);
    assert_eq!(ledger.acknowledged_end(), 12);
    ledger.on_read(stamped(&a, 10), 0);
    assert_eq!(ledger.read_position(), 12);
    assert_eq!(counts(&ledger.finish(12, "t-0")), "verified=1");
}

#[test]
fn the_intended_moment_is_told_as_soon_as_it_is_known() {
    let (a, b, c) = (sent(1, 3, 2), sent(1, 4, 1), sent(1, 5, 1));
    let mut ledger = PartitionLedger::new(0, RUN);
    // By its stamp, though nobody has acknowledged it; then the acknowledgement has nothing to add.
    assert_eq!(ledger.on_read(stamped(&a, 0), 50), Some(103));
    assert_eq!(ledger.on_acknowledged(a, 0), None);
    // By the acknowledgement.
    assert_eq!(ledger.on_acknowledged(b, 2), None);
    assert_eq!(ledger.on_read(compressed(&b, 2), 60), Some(104));
    // By neither, then by the later one.
    assert_eq!(ledger.on_read(compressed(&c, 3), 70), None);
    assert_eq!(ledger.on_acknowledged(c, 3), Some(70));
    assert_eq!(counts(&ledger.finish(4, "t-0")), "verified=3");
}

#[test]
fn errors_have_examples_in_words() {
    let (a, b, c) = (sent(5, 16, 2), sent(5, 17, 150), sent(5, 18, 1));
    let mut ledger = PartitionLedger::new(1_232, RUN);
    for (batch, at) in [(a, 1_232), (b, 1_234), (c, 1_384)] {
        ledger.on_acknowledged(batch, at);
    }
    ledger.on_read(FoundBatch { crc_is_right: false, ..stamped(&a, 1_232) }, 0);
    ledger.on_read(stamped(&c, 1_384), 0);
    ledger.on_read(stamped(&c, 1_385), 0);
    let verdict = ledger.finish(1_388, "orders-3");
    assert!(!verdict.is_clean());
    assert_eq!(
        verdict.examples,
        [
            format!(
                "orders-3 offset 1232: batch of connection 5, sequence 16, 2 records: its bytes do not match its CRC {:08x}",
                a.crc
            ),
            "orders-3 offset 1385: one copy too many of the batch of connection 5, sequence 18".into(),
            "orders-3 offset 1234: acknowledged batch of connection 5, sequence 17, 150 records: not there"
                .into(),
            "orders-3 offsets 1386..1388: no batch has them".into(),
        ]
    );
}

#[test]
fn examples_and_memory_are_bounded() {
    let mut ledger = PartitionLedger::new(0, RUN);
    for sequence in 0..20_000 {
        ledger.on_acknowledged(sent(1, sequence, 1), i64::from(sequence));
    }
    assert!(ledger.bytes() <= 32 * 32_768, "32 bytes per batch, with the room that a deque doubles into");
    for sequence in 0..19_000 {
        ledger.on_read(stamped(&sent(1, sequence, 1), i64::from(sequence)), 0);
    }
    assert!(ledger.bytes() < 32 * 8_192, "and given back");
    let verdict = ledger.finish(19_000, "t-0");
    assert_eq!(counts(&verdict), "verified=19000 lost=1000");
    assert_eq!(verdict.examples.len(), EXAMPLES_MAX);
}
