//! What Kafka accepts, corrects and refuses. Each row was asked of Apache Kafka 4.3.1; rows that differ say so.

use super::header::{CRC_AT, CRC_START};
use super::*;
use crate::error_code::ErrorCode;

const NOW: i64 = 1_795_000_000_000;
const HOUR: i64 = 3_600_000;

/// A record as bytes, its parts free to be wrong.
struct Body {
    length: Option<i64>,
    timestamp_delta: i64,
    offset_delta: i64,
    key: Option<&'static [u8]>,
    headers: Vec<u8>,
}

fn varint(value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    super::varint::put(&mut out, value);
    out
}

impl Body {
    fn at(offset_delta: i64) -> Self {
        Self { length: None, timestamp_delta: 0, offset_delta, key: None, headers: vec![0] }
    }

    fn bytes(self) -> Vec<u8> {
        let mut body = vec![0];
        body.extend(varint(self.timestamp_delta));
        body.extend(varint(self.offset_delta));
        body.extend(varint(self.key.map_or(-1, |key| key.len() as i64)));
        body.extend(self.key.unwrap_or_default());
        body.extend([2, b'v']);
        body.extend(self.headers);
        [varint(self.length.unwrap_or(body.len() as i64)), body].concat()
    }
}

fn record(offset_delta: i64) -> Vec<u8> {
    Body::at(offset_delta).bytes()
}

fn keyed(offset_delta: i64, key: &'static [u8]) -> Vec<u8> {
    Body { key: Some(key), ..Body::at(offset_delta) }.bytes()
}

fn timed(offset_delta: i64, timestamp_delta: i64) -> Vec<u8> {
    Body { timestamp_delta, ..Body::at(offset_delta) }.bytes()
}

fn two() -> Vec<u8> {
    [record(0), record(1)].concat()
}

/// A batch around these bytes, which are taken as they are.
fn wrap(payload: &[u8], count: i32) -> Vec<u8> {
    let mut batch = BatchBuilder::new().build_vec();
    batch.extend_from_slice(payload);
    let batch_length = (batch.len() - LEADING_BYTES) as i32;
    put(&mut batch, 8, &batch_length.to_be_bytes());
    put(&mut batch, 23, &(count - 1).to_be_bytes());
    put(&mut batch, 57, &count.to_be_bytes());
    times(batch, NOW, NOW)
}

fn put(batch: &mut [u8], at: usize, bytes: &[u8]) {
    batch[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The batch with some bytes overwritten, and a CRC that fits.
fn patched(mut batch: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    put(&mut batch, at, bytes);
    let crc = crc32c(&batch[CRC_START..]);
    put(&mut batch, CRC_AT, &crc.to_be_bytes());
    batch
}

fn times(batch: Vec<u8>, base: i64, max: i64) -> Vec<u8> {
    patched(batch, 27, &[base.to_be_bytes(), max.to_be_bytes()].concat())
}

fn attributes(batch: Vec<u8>, attributes: i16) -> Vec<u8> {
    patched(batch, 21, &attributes.to_be_bytes())
}

fn producer(batch: Vec<u8>, producer_id: i64, epoch: i16, sequence: i32) -> Vec<u8> {
    patched(
        batch,
        43,
        &[&producer_id.to_be_bytes()[..], &epoch.to_be_bytes(), &sequence.to_be_bytes()].concat(),
    )
}

fn packed(payload: &[u8], count: i32, compressor: Compressor) -> Vec<u8> {
    let mut inner = Vec::new();
    codec::compress(compressor, payload, &mut inner);
    attributes(wrap(&inner, count), compressor.codec() as i16)
}

fn gzip(payload: &[u8], count: i32) -> Vec<u8> {
    packed(payload, count, Compressor::Gzip(-1))
}

fn rules() -> ProduceRules {
    ProduceRules { now_ms: NOW, ..ProduceRules::default() }
}

fn log_append_time() -> ProduceRules {
    ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() }
}

fn compacted() -> ProduceRules {
    ProduceRules { compacted: true, ..rules() }
}

fn inflating() -> ProduceRules {
    ProduceRules { compressed_check: CompressedCheck::Inflate, ..rules() }
}

fn always(compressor: Compressor) -> ProduceRules {
    ProduceRules { compression: TopicCompression::Always(compressor), ..rules() }
}

fn refused_by(rules: &ProduceRules, mut batch: Vec<u8>, what: &str) -> Refused {
    let sent = batch.clone();
    let refused = validate_produced(&mut batch, rules).expect_err(what);
    assert_eq!(batch, sent, "a refused batch is left as it was: {what}");
    refused
}

fn check_refused(rules: &ProduceRules, rows: Vec<(&str, Vec<u8>, Refusal)>) {
    for (what, batch, error) in rows {
        let refused = refused_by(rules, batch, what);
        assert_eq!(refused.error, error, "{what}");
        assert_eq!(ErrorCode::from(error).code(), error.code());
    }
}

/// The stored batch; its CRC fits, its header is the one that was answered.
fn accepted_by(rules: &ProduceRules, mut batch: Vec<u8>, what: &str) -> Vec<u8> {
    let validated =
        validate_produced(&mut batch, rules).unwrap_or_else(|refused| panic!("{what}: {refused:?}"));
    let stored = match validated.accepted {
        Accepted::AsSent { length } => batch[..length].to_vec(),
        Accepted::Rewritten(rewritten) => rewritten.to_vec(),
    };
    let view = BatchView::parse(&stored).unwrap();
    assert!(view.crc_is_valid(), "{what}");
    assert_eq!((view.length_bytes(), *view.header()), (stored.len(), validated.header), "{what}");
    stored
}

fn check_unchanged(rules: &ProduceRules, rows: Vec<(&str, Vec<u8>)>) {
    for (what, batch) in rows {
        assert_eq!(accepted_by(rules, batch.clone(), what), batch, "{what}");
    }
}

#[test]
fn batches_a_client_may_not_send_are_refused() {
    use Refusal::*;
    let ab = || wrap(&two(), 2);
    check_refused(
        &rules(),
        vec![
            ("no bytes", vec![], InvalidRecord),
            ("two batches", [ab(), ab()].concat(), InvalidRecord),
            ("count too high", patched(ab(), 57, &3i32.to_be_bytes()), InvalidRecord),
            ("count too low", patched(ab(), 57, &1i32.to_be_bytes()), InvalidRecord),
            ("last offset delta too high", patched(ab(), 23, &5i32.to_be_bytes()), InvalidRecord),
            (
                "last offset delta at the end of its range",
                patched(ab(), 23, &i32::MAX.to_be_bytes()),
                InvalidRecord,
            ),
            ("no records", wrap(&[], 0), InvalidRecord),
            ("negative count", wrap(&two(), -2), InvalidRecord),
            ("control", attributes(ab(), 0x20), InvalidRecord),
            ("producer without sequence", producer(ab(), 5, 0, -1), InvalidRecord),
            ("base offset", patched(ab(), 0, &3i64.to_be_bytes()), InvalidRecord),
            ("magic 0", patched(ab(), 16, &[0]), InvalidRecord),
            ("magic 1", patched(ab(), 16, &[1]), InvalidRecord),
            ("magic 3", patched(ab(), 16, &[3]), CorruptMessage),
            ("magic -1", patched(ab(), 16, &[0xff]), CorruptMessage),
            ("magic 3, cut", patched(ab(), 16, &[3])[..30].to_vec(), CorruptMessage),
            ("61 zero bytes", vec![0; 61], CorruptMessage),
            ("cut", ab()[..76].to_vec(), InvalidRecord),
            ("cut in the header", ab()[..60].to_vec(), InvalidRecord),
            ("cut before the magic", ab()[..16].to_vec(), InvalidRecord),
            ("length of no format", patched(ab(), 8, &13i32.to_be_bytes()), CorruptMessage),
            ("negative length", patched(ab(), 8, &(-5i32).to_be_bytes()), CorruptMessage),
            (
                "length below the header's",
                patched(ab(), 8, &48i32.to_be_bytes())[..60].to_vec(),
                CorruptMessage,
            ),
            ("codec 5", attributes(ab(), 5), UnknownServerError),
            ("codec 7", attributes(ab(), 7), UnknownServerError),
            ("transactional without id", attributes(ab(), 0x10), TransactionalIdAuthorizationFailed),
            ("transactional control without id", attributes(ab(), 0x30), TransactionalIdAuthorizationFailed),
        ],
    );
}

#[test]
fn a_crc_that_does_not_fit_is_refused() {
    let mut bad = wrap(&two(), 2);
    bad[70] ^= 1;
    check_refused(&rules(), vec![("bad CRC", bad, Refusal::CorruptMessage)]);
}

#[test]
fn the_first_error_in_kafkas_order_is_answered() {
    use Refusal::*;
    let spoil = |mut batch: Vec<u8>| {
        *batch.last_mut().unwrap() ^= 1;
        batch
    };
    let small = ProduceRules { max_message_bytes: 70, ..rules() };
    let ab = || wrap(&two(), 2);
    check_refused(
        &small,
        vec![
            ("too large, base offset", patched(ab(), 0, &1i64.to_be_bytes()), InvalidRecord),
            ("too large, bad CRC", spoil(ab()), MessageTooLarge),
        ],
    );
    check_refused(
        &rules(),
        vec![
            ("bad CRC, base offset", spoil(patched(ab(), 0, &3i64.to_be_bytes())), InvalidRecord),
            ("bad CRC, codec 5", spoil(attributes(ab(), 5)), CorruptMessage),
            ("bad CRC, transactional", spoil(attributes(ab(), 0x10)), TransactionalIdAuthorizationFailed),
            ("codec 5, wrong count", attributes(wrap(&two(), 3), 5), UnknownServerError),
        ],
    );
}

#[test]
fn sizes_are_compared_with_the_whole_batch() {
    let batch = wrap(&two(), 2);
    let at = |max_message_bytes, segment_bytes| ProduceRules { max_message_bytes, segment_bytes, ..rules() };
    check_unchanged(&at(batch.len(), batch.len()), vec![("exactly", batch.clone())]);
    let length = batch.len();
    check_refused(&at(length - 1, length), vec![("message", batch.clone(), Refusal::MessageTooLarge)]);
    check_refused(&at(length, length - 1), vec![("segment", batch, Refusal::RecordListTooLarge)]);
}

#[test]
fn bytes_after_the_batch_are_trimmed_where_kafkas_reader_stops() {
    let ab = wrap(&two(), 2);
    let junk = |batch_length: i32, magic: u8, bytes: usize| {
        let mut junk = vec![0; bytes];
        put(&mut junk, 8, &batch_length.to_be_bytes());
        junk[16] = magic;
        [&ab[..], &junk].concat()
    };
    let trimmed = [
        ("5 bytes", [&ab[..], &[0; 5]].concat()),
        ("16 bytes", [&ab[..], &[b'j'; 16]].concat()),
        ("cut batch", junk(100, 2, 30)),
        ("longer cut batch", junk(100, 2, 70)),
    ];
    for (what, sent) in trimmed {
        assert_eq!(accepted_by(&rules(), sent, what), ab, "{what}");
    }
    check_refused(
        &rules(),
        vec![
            ("17 zero bytes", [&ab[..], &[0; 17]].concat(), Refusal::CorruptMessage),
            ("40 letters", [&ab[..], &[b'j'; 40]].concat(), Refusal::CorruptMessage),
            ("cut batch of magic 3", junk(100, 3, 30), Refusal::CorruptMessage),
            ("whole small batch", junk(14, 2, 30), Refusal::InvalidRecord),
        ],
    );
}

#[test]
fn what_kafka_stores_as_sent_is_stored_as_sent() {
    let ab = || wrap(&two(), 2);
    check_unchanged(
        &rules(),
        vec![
            ("plain", ab()),
            ("timestamp -1", times(ab(), -1, -1)),
            ("attribute bits 6 and 7", attributes(ab(), 0xc0)),
            ("attribute bit 8", attributes(ab(), 0x100)),
            ("negative producer id", producer(ab(), -5, -1, -1)),
            ("producer without epoch", producer(ab(), 5, -1, 0)),
            ("sequence without producer", producer(ab(), -1, -1, 7)),
            ("key length -2", wrap(b"\x0e\0\0\0\x03\x02v\0", 1)),
            ("gzip", gzip(&two(), 2)),
            ("snappy", packed(&two(), 2, Compressor::Snappy)),
            ("lz4", packed(&two(), 2, Compressor::Lz4)),
            ("zstd", packed(&two(), 2, Compressor::Zstd(3))),
        ],
    );
    let named = ProduceRules { transactional_id_present: true, ..rules() };
    check_unchanged(
        &named,
        vec![("plain", ab()), ("transactional", attributes(producer(ab(), 5, 0, 0), 0x10))],
    );
    check_unchanged(
        &ProduceRules { timestamp_before_max_ms: 1_000, ..rules() },
        vec![("-1", times(ab(), -1, -1))],
    );
    let overwritten = patched(ab(), 12, &99i32.to_be_bytes());
    check_unchanged(&rules(), vec![("leader epoch, stamped later", overwritten)]);
}

#[test]
fn a_wrong_maximum_timestamp_is_recomputed() {
    let plain = |base, max, deltas: [i64; 2]| {
        times(wrap(&[timed(0, deltas[0]), timed(1, deltas[1])].concat(), 2), base, max)
    };
    let rows = [
        ("-1", plain(NOW, -1, [0, 0]), NOW),
        ("hours ahead", plain(NOW, NOW + 10 * HOUR, [0, 0]), NOW),
        ("hours behind", plain(NOW, NOW - HOUR, [0, 0]), NOW),
        ("first is largest", plain(NOW, NOW, [5, -3]), NOW + 5),
        ("all before the base", plain(NOW, NOW, [-5, -3]), NOW - 3),
        ("base -1", plain(-1, -1, [3, 3]), 2),
        ("below -1", plain(-5, -5, [0, 0]), -1),
        ("gzip, -1", times(gzip(&two(), 2), NOW, -1), NOW),
        ("gzip, hours ahead", times(gzip(&two(), 2), NOW, NOW + 2 * HOUR), NOW),
        ("gzip, before the base", times(gzip(&two(), 2), NOW, NOW - 1), NOW),
    ];
    for (what, sent, max_timestamp) in rows {
        let stored = accepted_by(&rules(), sent.clone(), what);
        assert_eq!(stored, patched(sent, 35, &max_timestamp.to_be_bytes()), "{what}");
    }
}

#[test]
fn the_record_with_the_maximum_timestamp_is_named() {
    let mut batch = wrap(&[timed(0, 1), timed(1, 7), timed(2, 7)].concat(), 3);
    let validated = validate_produced(&mut batch, &rules()).unwrap();
    assert_eq!(validated.offset_delta_of_max_timestamp, Some(1));
    let mut batch = gzip(&two(), 2);
    assert_eq!(validate_produced(&mut batch, &rules()).unwrap().offset_delta_of_max_timestamp, None);
}

#[test]
fn timestamps_too_far_from_now_are_refused_by_record() {
    let blamed = |rules: &ProduceRules, batch| {
        let refused = refused_by(rules, batch, "timestamps");
        assert_eq!(refused.error, Refusal::InvalidTimestamp);
        refused.record_errors.iter().map(|record| record.batch_index).collect::<Vec<_>>()
    };
    let ahead = || [record(0), timed(1, 2 * HOUR)].concat();
    assert_eq!(blamed(&rules(), wrap(&ahead(), 2)), [1]);
    assert_eq!(blamed(&rules(), times(gzip(&ahead(), 2), NOW, NOW + 2 * HOUR)), [1]);
    assert_eq!(blamed(&rules(), times(wrap(&two(), 2), i64::MIN, i64::MIN)), [0, 1]);
    assert_eq!(blamed(&rules(), times(wrap(&timed(0, 100), 1), i64::MAX - 10, i64::MAX)), [0]);
    let before = ProduceRules { timestamp_before_max_ms: 1_000, ..rules() };
    let old = || [record(0), timed(1, -60_000)].concat();
    assert_eq!(blamed(&before, wrap(&old(), 2)), [1]);
    assert_eq!(blamed(&before, gzip(&old(), 2)), [1]);
    check_unchanged(
        &rules(),
        vec![("exactly an hour ahead", times(wrap(&two(), 2), NOW + HOUR, NOW + HOUR))],
    );
    assert_eq!(blamed(&rules(), times(wrap(&two(), 2), NOW + HOUR + 1, NOW)), [0, 1]);
}

#[test]
fn record_errors_are_bounded() {
    let records: Vec<u8> = (0..5_000).flat_map(record).collect();
    assert_eq!(refused_by(&compacted(), wrap(&records, 5_000), "no keys").record_errors.len(), 1_000);
}

#[test]
fn compacted_topics_need_keys() {
    let refused = |batch| {
        let refused = refused_by(&compacted(), batch, "keys");
        (refused.error, refused.record_errors.iter().map(|record| record.batch_index).collect::<Vec<_>>())
    };
    let second = || [keyed(0, b"a"), record(1)].concat();
    assert_eq!(refused(wrap(&second(), 2)), (Refusal::InvalidRecord, vec![1]));
    assert_eq!(refused(gzip(&second(), 2)), (Refusal::InvalidRecord, vec![1]));
    let late_too = Body { timestamp_delta: 2 * HOUR, key: Some(b"k"), ..Body::at(1) }.bytes();
    assert_eq!(refused(wrap(&[record(0), late_too].concat(), 2)), (Refusal::InvalidTimestamp, vec![0, 1]));
    let zstd = packed(&keyed(0, b"k"), 1, Compressor::Zstd(3));
    check_unchanged(&compacted(), vec![("empty key", wrap(&keyed(0, b""), 1)), ("zstd", zstd)]);
}

#[test]
fn a_client_cannot_choose_log_append_time() {
    let ab = || wrap(&two(), 2);
    let bit = |batch| attributes(batch, 8);
    assert_eq!(accepted_by(&rules(), bit(ab()), "cleared"), ab());
    assert_eq!(
        accepted_by(&rules(), times(bit(ab()), NOW, NOW - 5_000), "maximum kept"),
        times(ab(), NOW, NOW - 5_000)
    );
    let bits_6_7 = accepted_by(&rules(), attributes(ab(), 0xc8), "bit 7 goes when the header is rewritten");
    assert_eq!(bits_6_7, attributes(ab(), 0x40));
    let packed_bit = attributes(gzip(&two(), 2), 9);
    assert_eq!(accepted_by(&rules(), packed_bit, "gzip"), gzip(&two(), 2));
    let no_time = refused_by(&rules(), times(bit(ab()), -1, -1), "-1");
    assert_eq!((no_time.error, no_time.record_errors.len()), (Refusal::InvalidTimestamp, 2));
    let on_such_a_topic = refused_by(&log_append_time(), bit(ab()), "topic of that type");
    assert_eq!((on_such_a_topic.error, on_such_a_topic.record_errors.len()), (Refusal::InvalidTimestamp, 2));
}

#[test]
fn log_append_time_topics_get_the_brokers_time() {
    let stored_at = |batch: Vec<u8>, codec: i16| times(attributes(batch, 8 | codec), NOW - 7, NOW);
    let ab = || times(wrap(&two(), 2), NOW - 7, NOW - 7);
    assert_eq!(accepted_by(&log_append_time(), ab(), "plain"), stored_at(ab(), 0));
    let gz = || times(gzip(&two(), 2), NOW - 7, NOW - 7);
    assert_eq!(accepted_by(&log_append_time(), gz(), "gzip"), stored_at(gz(), 1));
    let ahead = times(ab(), NOW + 2 * HOUR, NOW + 2 * HOUR);
    let stored = accepted_by(&log_append_time(), ahead, "the client's time does not matter");
    assert_eq!(BatchView::parse(&stored).unwrap().max_timestamp(), NOW);
}

#[test]
fn malformed_records_are_refused() {
    let body = |offset| Body::at(offset);
    let rows = [
        ("byte after the last", [two(), vec![0]].concat(), 2),
        ("fewer counted", two(), 1),
        ("more counted", two(), 3),
        ("negative header count", Body { headers: varint(-1), ..body(0) }.bytes(), 1),
        ("headers that are not there", Body { headers: varint(5), ..body(0) }.bytes(), 1),
        ("null header key", Body { headers: vec![2, 1, 1], ..body(0) }.bytes(), 1),
        ("bytes after the headers", Body { headers: vec![0, b'a'], ..body(0) }.bytes(), 1),
        ("record too long", Body { length: Some(50), ..body(0) }.bytes(), 1),
        ("record too short", Body { length: Some(3), ..body(0) }.bytes(), 1),
        ("negative record length", Body { length: Some(-3), ..body(0) }.bytes(), 1),
        ("value beyond the record", b"\x0c\0\0\0\x01\x7ev".to_vec(), 1),
        ("timestamp of 11 bytes", [&b"\x20\0"[..], &[0x80; 10], b"\x01\0\x01\x01\0"].concat(), 1),
        ("no bytes", vec![], 1),
        ("zeros", vec![0; 8], 8),
        // Kafka: -1.
        ("record length that does not end", vec![0x80; 7], 1),
        // Kafka stores these.
        ("offset deltas 0, 0", [record(0), record(0)].concat(), 2),
        ("offset deltas 5, 9", [record(5), record(9)].concat(), 2),
    ];
    for (what, records, count) in rows {
        let plain = wrap(&records, count);
        check_refused(&rules(), vec![(what, plain, Refusal::InvalidRecord)]);
        if !records.is_empty() {
            check_refused(&inflating(), vec![(what, gzip(&records, count), Refusal::InvalidRecord)]);
        }
    }
}

#[test]
fn records_that_are_not_of_the_codec_are_refused() {
    for check in [rules(), inflating()] {
        for codec in 1..=4 {
            let plain = attributes(wrap(&two(), 2), codec);
            let nothing = attributes(wrap(&[], 1), codec);
            let rows = vec![
                ("plain", plain, Refusal::UnknownServerError),
                ("nothing", nothing, Refusal::UnknownServerError),
            ];
            check_refused(&check, rows);
        }
    }
    let mut cut = Vec::new();
    codec::compress(Compressor::Gzip(-1), &two(), &mut cut);
    cut.truncate(cut.len() - 6);
    let cut = attributes(wrap(&cut, 2), 1);
    check_refused(&inflating(), vec![("cut", cut, Refusal::UnknownServerError)]);
}

#[test]
fn zstd_needs_a_version_that_knows_it() {
    let old = ProduceRules { zstd_allowed: false, ..rules() };
    let zstd = packed(&two(), 2, Compressor::Zstd(3));
    check_refused(&old, vec![("zstd", zstd, Refusal::UnsupportedCompressionType)]);
    check_unchanged(&old, vec![("gzip", gzip(&two(), 2))]);
}

#[test]
fn a_batch_that_inflates_beyond_the_limit_is_refused() {
    let limited = ProduceRules { inflate_limit_bytes: 10, ..inflating() };
    check_refused(&limited, vec![("gzip", gzip(&two(), 2), Refusal::MessageTooLarge)]);
}

#[test]
fn the_topics_codec_wins() {
    let all =
        [Compressor::None, Compressor::Gzip(-1), Compressor::Snappy, Compressor::Lz4, Compressor::Zstd(3)];
    let records = [keyed(0, b"a"), timed(1, 5)].concat();
    for from in all {
        for to in all {
            let sent = times(packed(&records, 2, from), NOW, NOW + 5);
            let sent = attributes(producer(sent, 5, 1, 9), 0x10 | from.codec() as i16);
            let rules = ProduceRules { transactional_id_present: true, ..always(to) };
            let stored = accepted_by(&rules, sent.clone(), "recompressed");
            if from.codec() == to.codec() {
                assert_eq!(stored, sent);
                continue;
            }
            let view = BatchView::parse(&stored).unwrap();
            assert_eq!(view.compression(), Ok(to.codec()));
            assert_eq!((view.producer_id(), view.producer_epoch(), view.base_sequence()), (5, 1, 9));
            assert!(view.is_transactional());
            assert_eq!((view.max_timestamp(), view.records_count()), (NOW + 5, 2));
            let mut scratch = Vec::new();
            let read: Vec<_> =
                view.decompress(DecompressLimit(1_000), &mut scratch).unwrap().map(Result::unwrap).collect();
            assert_eq!((read[0].key, read[0].timestamp, read[1].timestamp), (Some(&b"a"[..]), NOW, NOW + 5));
        }
    }
}

#[test]
fn recompressed_batches_are_judged_by_record_and_size() {
    let to_none = always(Compressor::None);
    let wrong_count = gzip(&two(), 3);
    check_refused(&to_none, vec![("count", wrong_count, Refusal::InvalidRecord)]);
    check_refused(&to_none, vec![("plain", attributes(wrap(&two(), 2), 3), Refusal::UnknownServerError)]);
    let many: Vec<u8> = (0..500).flat_map(record).collect();
    let small = ProduceRules { max_message_bytes: 1_500, ..to_none };
    let sent = packed(&many, 500, Compressor::Zstd(3));
    assert!(sent.len() < 1_500);
    check_refused(&small, vec![("larger than before", sent, Refusal::MessageTooLarge)]);
    let first_is_late = times(gzip(&[timed(0, 5), timed(1, -3)].concat(), 2), NOW, NOW);
    let stored = accepted_by(&always(Compressor::None), first_is_late, "the base is the first record's time");
    let view = BatchView::parse(&stored).unwrap();
    assert_eq!((view.base_timestamp(), view.max_timestamp()), (NOW + 5, NOW + 5));
    let at_append = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..always(Compressor::Lz4) };
    let stored = accepted_by(&at_append, times(wrap(&two(), 2), NOW - 7, NOW - 7), "log append time");
    let view = BatchView::parse(&stored).unwrap();
    assert_eq!((view.attributes(), view.max_timestamp()), (8 | 3, NOW));
}
