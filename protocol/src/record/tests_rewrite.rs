//! A batch that compaction has thinned out: what stays is what it was, at its offset, with its time.

use proptest::prelude::*;

use super::tests::{append, owned, some_records};
use super::*;

const LIMIT: DecompressLimit = DecompressLimit(1 << 20);

fn compressors() -> impl Strategy<Value = Compressor> {
    prop_oneof![
        Just(Compressor::None),
        Just(Compressor::Gzip(-1)),
        Just(Compressor::Snappy),
        Just(Compressor::Lz4),
        Just(Compressor::Zstd(3)),
    ]
}

proptest! {
    #[test]
    fn what_is_kept_keeps_offset_time_and_bytes(
        records in some_records(),
        lots in proptest::collection::vec(any::<bool>(), 64),
        compressor in compressors(),
        log_append_time in any::<bool>(),
        horizon in proptest::option::of(0..3_000_000_000_000i64),
    ) {
        prop_assume!(!records.is_empty());
        let mut builder = BatchBuilder::new().base_offset(70).leader_epoch(4).producer(9, 2, 33).compression(compressor);
        if log_append_time {
            builder = builder.log_append_time();
        }
        records.iter().for_each(|record| append(&mut builder, record));
        let bytes = builder.build();
        let before = BatchView::parse(&bytes).unwrap();
        let mut keep: Vec<bool> = (0..records.len()).map(|index| lots[index % lots.len()]).collect();
        keep[0] |= keep.iter().all(|stays| !stays);

        let mut scratch = Vec::new();
        let open = OpenBatch::open(before, LIMIT, &mut scratch).unwrap();
        let expected: Vec<_> = open.records().map(Result::unwrap).zip(&keep).filter(|(_, stays)| **stays)
            .map(|(record, _)| (record.offset, record.sequence, owned(&record))).collect();
        let thinned = open.rewrite(&keep, horizon).unwrap();
        let after = BatchView::parse(&thinned).unwrap();
        prop_assert!(after.crc_is_valid());
        let mut scratch = Vec::new();
        let found: Vec<_> = after.decompress(LIMIT, &mut scratch).unwrap().map(Result::unwrap)
            .map(|record| (record.offset, record.sequence, owned(&record))).collect();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!((after.base_offset(), after.last_offset()), (before.base_offset(), before.last_offset()));
        prop_assert_eq!(after.partition_leader_epoch(), 4);
        prop_assert_eq!((after.producer_id(), after.producer_epoch(), after.base_sequence()), (9, 2, 33));
        prop_assert_eq!((after.compression(), after.timestamp_type()), (before.compression(), before.timestamp_type()));
        prop_assert_eq!(after.delete_horizon_ms(), horizon);
        let newest = found.iter().map(|(_, _, record)| record.timestamp).max().unwrap();
        prop_assert_eq!(after.max_timestamp(), newest);

        // Once it has a horizon it keeps it, and may be thinned out again.
        let mut scratch = Vec::new();
        let open = OpenBatch::open(after, LIMIT, &mut scratch).unwrap();
        let again = open.rewrite(&vec![true; found.len()], None).unwrap();
        prop_assert_eq!(BatchView::parse(&again).unwrap().delete_horizon_ms(), horizon);
        if compressor == Compressor::None {
            prop_assert_eq!(again, thinned);
        }
    }
}

#[test]
fn an_emptied_batch_keeps_its_producer_and_its_offsets() {
    let mut builder = BatchBuilder::new()
        .base_offset(12)
        .leader_epoch(1)
        .producer(5, 3, 40)
        .transactional()
        .compression(Compressor::Zstd(3));
    builder.append(1_000, Some(b"a"), Some(b"1"), &[]);
    builder.append(2_000, Some(b"b"), None, &[]);
    let bytes = builder.build();
    let before = BatchView::parse(&bytes).unwrap();
    let emptied = emptied(before.header());
    let after = BatchView::parse(&emptied).unwrap();
    assert_eq!(after.length_bytes(), BATCH_HEADER_BYTES);
    assert!(after.crc_is_valid() && after.is_transactional());
    assert_eq!((after.base_offset(), after.last_offset(), after.records_count()), (12, 13, 0));
    assert_eq!((after.producer_id(), after.producer_epoch(), after.last_sequence()), (5, 3, 41));
    assert_eq!((after.max_timestamp(), after.compression()), (2_000, Ok(Compression::None)));
    assert_eq!(after.records().count(), 0);
}

#[test]
fn a_batch_of_other_records_than_it_counts_is_not_rewritten() {
    let mut builder = BatchBuilder::new();
    builder.append(1_000, Some(b"a"), Some(b"1"), &[]);
    builder.append(1_000, Some(b"b"), Some(b"2"), &[]);
    let bytes = builder.build();
    let mut scratch = Vec::new();
    let open = OpenBatch::open(BatchView::parse(&bytes).unwrap(), LIMIT, &mut scratch).unwrap();
    assert_eq!(open.rewrite(&[true], None), Err(RecordError::BytesAfterLast));
    assert_eq!(open.rewrite(&[true, true, true], None), Err(RecordError::Malformed));
}
