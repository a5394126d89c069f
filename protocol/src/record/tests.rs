//! Format: build, parse, iterate; damage is noticed.

use proptest::prelude::*;

use super::*;

pub(super) type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnedRecord {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<OwnedHeader>,
}

pub(super) fn owned(record: &Record<'_>) -> OwnedRecord {
    OwnedRecord {
        timestamp: record.timestamp,
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: record.headers.clone().map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect(),
    }
}

pub(super) fn append(builder: &mut BatchBuilder, record: &OwnedRecord) {
    let headers: Vec<(&[u8], Option<&[u8]>)> =
        record.headers.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
    builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
}

pub(super) fn some_records() -> impl Strategy<Value = Vec<OwnedRecord>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    let header = (proptest::collection::vec(any::<u8>(), 0..9), proptest::option::of(bytes()));
    let record = (
        prop_oneof![0..2_000_000_000_000i64, 1_000_000..1_001_000i64],
        proptest::option::of(bytes()),
        proptest::option::of(bytes()),
        proptest::collection::vec(header, 0..3),
    )
        .prop_map(|(timestamp, key, value, headers)| OwnedRecord { timestamp, key, value, headers });
    proptest::collection::vec(record, 1..30)
}

pub(super) fn compressors() -> impl Strategy<Value = Compressor> {
    proptest::sample::select(vec![
        Compressor::None,
        Compressor::Gzip(-1),
        Compressor::Gzip(9),
        Compressor::Snappy,
        Compressor::Lz4,
        Compressor::Zstd(3),
        Compressor::Zstd(-5),
    ])
}

fn plain_batch(records: &[OwnedRecord]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    records.iter().for_each(|record| append(&mut builder, record));
    builder.build_vec()
}

fn three_records() -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    builder.append(1_000, Some(b"k1"), Some(b"v1"), &[(b"h", Some(b"x")), (b"n", None)]);
    builder.append(3_000, None, Some(b"v2"), &[]);
    builder.append(2_000, Some(b""), None, &[]);
    builder
}

#[test]
fn crc_is_castagnoli() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(crc32c(b""), 0);
}

#[test]
fn header_getters_read_what_was_built() {
    let batch =
        three_records().base_offset(40).leader_epoch(7).producer(9, 2, i32::MAX - 1).transactional().build();
    let view = BatchView::parse(&batch).unwrap();
    assert_eq!((view.base_offset(), view.last_offset(), view.next_offset()), (40, 42, 43));
    assert_eq!((view.base_timestamp(), view.max_timestamp()), (1_000, 3_000));
    assert_eq!((view.producer_id(), view.producer_epoch(), view.base_sequence()), (9, 2, i32::MAX - 1));
    assert_eq!(view.last_sequence(), 0, "sequences wrap to 0 after i32::MAX");
    assert_eq!(
        (view.records_count(), view.partition_leader_epoch(), view.length_bytes()),
        (3, 7, batch.len())
    );
    assert_eq!(view.compression(), Ok(Compression::None));
    assert!(view.is_transactional() && !view.is_control() && view.has_producer_id() && view.crc_is_valid());
    assert_eq!((view.timestamp_type(), view.delete_horizon_ms()), (TimestampType::CreateTime, None));
}

#[test]
fn records_have_offsets_times_sequences_and_headers() {
    let batch = three_records().base_offset(40).producer(9, 2, i32::MAX - 1).build();
    let records: Vec<_> = BatchView::parse(&batch).unwrap().records().collect::<Result<_, _>>().unwrap();
    let seen: Vec<_> = records.iter().map(|r| (r.offset, r.timestamp, r.sequence, r.key, r.value)).collect();
    assert_eq!(
        seen,
        [
            (40, 1_000, i32::MAX - 1, Some(&b"k1"[..]), Some(&b"v1"[..])),
            (41, 3_000, i32::MAX, None, Some(b"v2")),
            (42, 2_000, 0, Some(b""), None),
        ]
    );
    let headers: Vec<_> = records[0].headers.clone().collect();
    assert_eq!(headers, [Header { key: b"h", value: Some(b"x") }, Header { key: b"n", value: None }]);
}

#[test]
fn stamp_keeps_the_crc() {
    let mut batch = three_records().build_vec();
    stamp(&mut batch, 1 << 40, 77);
    let view = BatchView::parse(&batch).unwrap();
    assert!(view.crc_is_valid());
    assert_eq!((view.base_offset(), view.partition_leader_epoch()), (1 << 40, 77));
}

#[test]
fn log_append_time_is_the_time_of_every_record() {
    let mut batch = three_records().build_vec();
    stamp_log_append_time(&mut batch, 5_555);
    let view = BatchView::parse(&batch).unwrap();
    assert!(view.crc_is_valid());
    assert_eq!(view.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!((view.base_timestamp(), view.max_timestamp()), (1_000, 5_555));
    assert!(view.records().all(|record| record.unwrap().timestamp == 5_555));
}

#[test]
fn control_records_say_commit_and_abort() {
    let mut builder = BatchBuilder::new().producer(1, 0, -1).transactional().control();
    builder.append(1, Some(&ControlRecord::Commit.key()), Some(&ControlRecord::marker_value(6)), &[]);
    let batch = builder.build();
    let view = BatchView::parse(&batch).unwrap();
    assert!(view.is_control() && view.is_transactional());
    let record = view.records().next().unwrap().unwrap();
    assert_eq!(ControlRecord::from_key(record.key.unwrap()), Some(ControlRecord::Commit));
    assert_eq!(ControlRecord::coordinator_epoch(record.value.unwrap()), Some(6));
    assert_eq!((view.last_sequence(), record.sequence), (-1, -1));
    assert_eq!(ControlRecord::from_key(&[0, 0, 0]), None);
    assert_eq!(ControlRecord::from_key(&[0, 0, 0, 3]), Some(ControlRecord::Other(3)));
}

#[test]
fn an_empty_batch_keeps_its_offsets_and_sequence() {
    for compressor in [Compressor::None, Compressor::Gzip(-1), Compressor::Zstd(3)] {
        let mut builder = BatchBuilder::new().base_offset(10).producer(3, 1, 5).compression(compressor);
        builder.keep_last_offset_delta(4);
        let batch = builder.build();
        let view = BatchView::parse(&batch).unwrap();
        assert_eq!((view.length_bytes(), view.records_count()), (BATCH_HEADER_BYTES, 0));
        assert_eq!((view.last_offset(), view.last_sequence()), (14, 9));
        assert_eq!(view.decompress(DecompressLimit(0), &mut Vec::new()).unwrap().count(), 0);
    }
}

#[test]
fn gaps_in_offsets_are_kept() {
    let mut builder = BatchBuilder::new().base_offset(100);
    builder.append_at(2, 5, None, None, &[]);
    builder.append_at(7, 5, None, None, &[]);
    builder.keep_last_offset_delta(9);
    let batch = builder.build();
    let view = BatchView::parse(&batch).unwrap();
    assert_eq!(view.last_offset(), 109);
    let offsets: Vec<_> = view.records().map(|record| record.unwrap().offset).collect();
    assert_eq!(offsets, [102, 107]);
}

#[test]
fn every_prefix_is_cut() {
    let batch = three_records().build();
    for end in 0..batch.len() {
        match BatchView::parse(&batch[..end]) {
            Err(BatchError::Cut { have, need }) => {
                assert_eq!(have, end);
                assert_eq!(need, if end < LEADING_BYTES { BATCH_HEADER_BYTES } else { batch.len() });
            }
            other => panic!("{end}: {other:?}"),
        }
    }
}

#[test]
fn inconsistent_headers_are_errors() {
    let good = three_records().build_vec();
    let cases: [(usize, &[u8], BatchError); 7] = [
        (8, &48i32.to_be_bytes(), BatchError::InvalidLength(48)),
        (8, &(-1i32).to_be_bytes(), BatchError::InvalidLength(-1)),
        (16, &[1], BatchError::UnsupportedMagic(1)),
        (0, &(-1i64).to_be_bytes(), BatchError::InvalidOffsets),
        (0, &(i64::MAX - 2).to_be_bytes(), BatchError::InvalidOffsets),
        (23, &(-1i32).to_be_bytes(), BatchError::InvalidOffsets),
        (57, &4i32.to_be_bytes(), BatchError::InvalidOffsets),
    ];
    for (at, bytes, error) in cases {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(BatchView::parse(&bad).unwrap_err(), error);
    }
}

#[test]
fn a_run_of_batches_ends_at_a_cut_one() {
    let one = three_records().build();
    let two = three_records().base_offset(3).build();
    let run = [&one[..], &two[..], &one[..70]].concat();
    let mut walk = batches(&run);
    assert_eq!(walk.next().unwrap().unwrap().base_offset(), 0);
    assert_eq!(walk.next().unwrap().unwrap().base_offset(), 3);
    assert_eq!(walk.position(), one.len() + two.len());
    assert_eq!(walk.next().unwrap().unwrap_err(), BatchError::Cut { have: 70, need: one.len() });
    assert!(walk.next().is_none());
    assert_eq!(walk.position(), one.len() + two.len());
    assert!(batches(&[]).next().is_none());
}

#[test]
fn malformed_records_end_the_iteration() {
    let mut batch = three_records().build_vec();
    batch[BATCH_HEADER_BYTES] = 0x7e;
    let mut records = BatchView::parse(&batch).unwrap().records();
    assert_eq!(records.next(), Some(Err(RecordError::Malformed)));
    assert_eq!(records.next(), None);
    let mut batch = three_records().build_vec();
    batch[57..61].copy_from_slice(&2i32.to_be_bytes());
    let last = BatchView::parse(&batch).unwrap().records().last();
    assert_eq!(last, Some(Err(RecordError::BytesAfterLast)));
    let batch = three_records().compression(Compressor::Lz4).build();
    let mut records = BatchView::parse(&batch).unwrap().records();
    assert_eq!(records.next(), Some(Err(RecordError::Compressed)));
    assert_eq!(records.next(), None);
}

#[test]
fn varints_are_zigzag_and_bounded() {
    for value in [0, 1, -1, 63, -64, 64, -65, 8_191, 8_192, 1 << 40, i64::MAX, i64::MIN] {
        let mut bytes = Vec::new();
        varint::put(&mut bytes, value);
        assert_eq!(bytes.len(), varint::put_length(value));
        assert_eq!(varint::take_i64(&mut &bytes[..]), Some(value));
        assert_eq!(varint::take_i64(&mut &bytes[..bytes.len() - 1]), None);
        if let Ok(small) = i32::try_from(value) {
            assert_eq!(varint::take_i32(&mut &bytes[..]), Some(small));
        }
    }
    assert_eq!(varint::take_i32(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0][..]), None);
    assert_eq!(varint::take_i64(&mut &[0x80; 11][..]), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_is_what_is_read(records in some_records(), compressor in compressors()) {
        let mut builder = BatchBuilder::new().compression(compressor);
        records.iter().for_each(|record| append(&mut builder, record));
        let batch = builder.build();
        let view = BatchView::parse(&batch).unwrap();
        prop_assert!(view.crc_is_valid());
        prop_assert_eq!(view.max_timestamp(), records.iter().map(|record| record.timestamp).max().unwrap());
        let mut scratch = vec![1; 50];
        let read: Vec<_> = view
            .decompress(DecompressLimit(1 << 20), &mut scratch)
            .unwrap()
            .map(|record| owned(&record.unwrap()))
            .collect();
        prop_assert_eq!(read, records);
    }

    #[test]
    fn every_flipped_bit_is_noticed(records in some_records(), bit in 0..8u32) {
        let good = plain_batch(&records);
        for at in (8..good.len()).filter(|at| !(12..16).contains(at)) {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let noticed = BatchView::parse(&bad).map_or(true, |view| !view.crc_is_valid());
            prop_assert!(noticed, "byte {}", at);
        }
    }

    #[test]
    fn hostile_records_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..300), count in 1..40i32, codec in 0..8u8) {
        let mut batch = vec![0; BATCH_HEADER_BYTES];
        batch.extend_from_slice(&payload);
        let batch_length = (batch.len() - LEADING_BYTES) as i32;
        batch[8..12].copy_from_slice(&batch_length.to_be_bytes());
        batch[16] = 2;
        batch[22] = codec;
        batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        batch[57..61].copy_from_slice(&count.to_be_bytes());
        stamp::seal(&mut batch);
        let view = BatchView::parse(&batch).unwrap();
        let mut scratch = Vec::new();
        if let Ok(records) = view.decompress(DecompressLimit(10_000), &mut scratch) {
            prop_assert!(records.take(100).count() <= 41);
        }
        prop_assert!(scratch.len() <= 10_001);
        let _ = validate_produced(&mut batch, &ProduceRules::default());
    }
}
