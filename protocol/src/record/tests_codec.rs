//! Codecs: what clients of two families wrote, both snappy framings, bombs, and frames that are none.

use std::io::Write;

use proptest::prelude::*;

use super::codec::{compress, decompress};
use super::frame::{is_plausible, zstd_output_max};
use super::*;

const CODECS: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn compressed(codec: Compression, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(Compressor::of(codec), plain, &mut out);
    out
}

fn inflated(codec: Compression, payload: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    decompress(codec, payload, DecompressLimit(limit), &mut out).map(|()| out)
}

fn mixed_bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| if index % 300 < 200 { b'a' } else { (index * 7) as u8 }).collect()
}

/// Batches as librdkafka 2.0 (kcat) and Kafka's Java producer 4.3.1 wrote them, as fetched from Apache Kafka 4.3.1.
fn client_batches() -> [(&'static str, Compression, &'static [u8]); 10] {
    [
        ("kcat", Compression::None, include_bytes!("fixtures/kcat-none.batch")),
        ("kcat", Compression::Gzip, include_bytes!("fixtures/kcat-gzip.batch")),
        ("kcat", Compression::Snappy, include_bytes!("fixtures/kcat-snappy.batch")),
        ("kcat", Compression::Lz4, include_bytes!("fixtures/kcat-lz4.batch")),
        ("kcat", Compression::Zstd, include_bytes!("fixtures/kcat-zstd.batch")),
        ("java", Compression::None, include_bytes!("fixtures/java-none.batch")),
        ("java", Compression::Gzip, include_bytes!("fixtures/java-gzip.batch")),
        ("java", Compression::Snappy, include_bytes!("fixtures/java-snappy.batch")),
        ("java", Compression::Lz4, include_bytes!("fixtures/java-lz4.batch")),
        ("java", Compression::Zstd, include_bytes!("fixtures/java-zstd.batch")),
    ]
}

#[test]
fn batches_of_real_clients_are_read() {
    for (client, codec, batch) in client_batches() {
        let view = BatchView::parse(batch).unwrap();
        assert!(view.crc_is_valid() && view.length_bytes() == batch.len(), "{client} {codec:?}");
        assert_eq!((view.compression(), view.records_count()), (Ok(codec), 40));
        let mut scratch = Vec::new();
        let records = view.decompress(DecompressLimit(1 << 20), &mut scratch).unwrap();
        let headers = if client == "kcat" { 2 } else { 0 };
        for (index, record) in records.map(Result::unwrap).enumerate() {
            assert_eq!(record.key, Some(format!("key-{index}").as_bytes()), "{client} {codec:?}");
            let value = format!("value {index} {} {}", "abcdefgh".repeat(12), index * 7919 % 1000);
            assert_eq!(record.value, Some(value.as_bytes()));
            assert_eq!((record.offset, record.headers.count()), (index as i64, headers));
        }
    }
}

#[test]
fn batches_of_real_clients_are_accepted_as_sent() {
    for check in [CompressedCheck::Frame, CompressedCheck::Inflate] {
        for (client, codec, batch) in client_batches() {
            let mut bytes = batch.to_vec();
            let now_ms = BatchView::parse(batch).unwrap().max_timestamp();
            let rules = ProduceRules { now_ms, compressed_check: check, ..ProduceRules::default() };
            let validated = validate_produced(&mut bytes, &rules).unwrap();
            assert_eq!(validated.accepted, Accepted::AsSent { length: batch.len() }, "{client} {codec:?}");
            assert_eq!(bytes, batch);
        }
    }
}

#[test]
fn every_codec_inflates_what_it_compressed() {
    for codec in CODECS {
        for length in [1, 100, 32 * 1024, 32 * 1024 + 1, 300_000] {
            let plain = mixed_bytes(length);
            let payload = compressed(codec, &plain);
            assert!(is_plausible(codec, &payload), "{codec:?} {length}");
            assert_eq!(inflated(codec, &payload, length).unwrap(), plain, "{codec:?} {length}");
        }
    }
}

#[test]
fn snappy_is_read_with_and_without_xerial_blocks() {
    let plain = mixed_bytes(100_000);
    let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    assert!(is_plausible(Compression::Snappy, &raw));
    assert_eq!(inflated(Compression::Snappy, &raw, 100_000).unwrap(), plain);
    let blocks = compressed(Compression::Snappy, &plain);
    assert_eq!(blocks[..8], codec::XERIAL_MAGIC);
    assert_eq!(inflated(Compression::Snappy, &blocks, 100_000).unwrap(), plain);
}

#[test]
fn gzip_members_follow_each_other_and_junk_is_ignored() {
    let mut payload = compressed(Compression::Gzip, b"one ");
    payload.extend(compressed(Compression::Gzip, b"two"));
    payload.extend(b"junk");
    assert_eq!(inflated(Compression::Gzip, &payload, 100).unwrap(), b"one two");
}

#[test]
fn zstd_frames_of_a_stream_without_its_size_are_read() {
    let plain = mixed_bytes(400_000);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    plain.chunks(777).for_each(|chunk| encoder.write_all(chunk).unwrap());
    let payload = encoder.finish().unwrap();
    assert!(zstd_output_max(&payload).unwrap() >= plain.len());
    assert_eq!(inflated(Compression::Zstd, &payload, 1 << 20).unwrap(), plain);
}

#[test]
fn bombs_stop_at_the_limit() {
    let bomb = vec![0; 20 << 20];
    for codec in CODECS {
        let payload = compressed(codec, &bomb);
        for limit in [0, 1_000, 1 << 20, (20 << 20) - 1] {
            let mut out = Vec::new();
            let result = decompress(codec, &payload, DecompressLimit(limit), &mut out);
            assert_eq!(result, Err(CodecError::TooLarge(codec)), "{codec:?} {limit}");
            assert!(out.len() <= limit + 1 && out.capacity() <= 2 * limit + (1 << 17), "{codec:?} {limit}");
        }
        assert_eq!(inflated(codec, &payload, 20 << 20).unwrap().len(), 20 << 20);
    }
}

#[test]
fn a_limit_holds_for_a_buffer_that_is_already_larger() {
    for codec in CODECS {
        let payload = compressed(codec, &[7; 5_000]);
        let mut out = Vec::with_capacity(100_000);
        let result = decompress(codec, &payload, DecompressLimit(4_999), &mut out);
        assert_eq!(result, Err(CodecError::TooLarge(codec)));
    }
}

#[test]
fn claimed_lengths_allocate_nothing() {
    let claims_4_gib = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, b'x'];
    let mut out = Vec::new();
    let result = decompress(Compression::Snappy, &claims_4_gib, DecompressLimit(usize::MAX), &mut out);
    assert_eq!(result, Err(CodecError::Malformed(Compression::Snappy)));
    assert_eq!(out.capacity(), 0);
}

#[test]
fn plain_records_are_no_frame_of_any_codec() {
    let mut builder = BatchBuilder::new();
    for index in 0..3u8 {
        builder.append(1, None, Some(&[b'v'; 9][..usize::from(index) + 1]), &[]);
    }
    let batch = builder.build();
    let plain = BatchView::parse(&batch).unwrap().payload();
    for codec in CODECS {
        for payload in [plain, b"", b"x", &[0; 30], &[0xff; 30]] {
            assert!(!is_plausible(codec, payload), "{codec:?} {payload:?}");
            assert!(inflated(codec, payload, 1 << 20).is_err(), "{codec:?} {payload:?}");
        }
    }
}

#[test]
fn cut_payloads_never_inflate_to_the_whole() {
    let plain = mixed_bytes(5_000);
    for codec in CODECS {
        let payload = compressed(codec, &plain);
        for end in 0..payload.len() {
            let whole = inflated(codec, &payload[..end], 1 << 20).is_ok_and(|bytes| bytes == plain);
            assert!(!whole, "{codec:?} {end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_frames_never_panic_or_pass_the_limit(
        plain in proptest::collection::vec(any::<u8>(), 1..2_000),
        codec in proptest::sample::select(CODECS.to_vec()),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut payload = compressed(codec, &plain);
        for (at, byte) in damage {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        is_plausible(codec, &payload);
        let mut out = Vec::new();
        let _ = decompress(codec, &payload, DecompressLimit(1_500), &mut out);
        prop_assert!(out.len() <= 1_501);
    }

    #[test]
    fn what_a_codec_wrote_is_plausible(plain in proptest::collection::vec(any::<u8>(), 1..5_000), repeat in 1..9usize) {
        for codec in CODECS {
            let payload = compressed(codec, &plain.repeat(repeat));
            prop_assert!(is_plausible(codec, &payload));
        }
        let raw = snap::raw::Encoder::new().compress_vec(&plain.repeat(repeat)).unwrap();
        prop_assert!(is_plausible(Compression::Snappy, &raw));
    }
}
