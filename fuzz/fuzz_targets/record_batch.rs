//! The records of one partition as a client produced them: reading, inflating, judging.
//!
//! The first byte chooses the rules. The CRC is put right before anything looks at it: it guards against accidents, and a
//! stranger's is correct. What is accepted must read back without error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::record::{
    Accepted, BatchView, CompressedCheck, Compressor, DecompressLimit, ProduceRules, TimestampType,
    TopicCompression, batches, crc32c, validate_produced,
};

const INFLATE_LIMIT_BYTES: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let [choice, rest @ ..] = bytes else { return };
    let mut batch = rest.to_vec();
    put_crc_right(&mut batch);
    read(&batch);
    judge(&mut batch, &rules(*choice));
});

fn put_crc_right(batch: &mut [u8]) {
    let Some(length) = batch.get(8..12).and_then(|length| length.try_into().ok()).map(i32::from_be_bytes)
    else {
        return;
    };
    let end = usize::try_from(length).unwrap_or(0).saturating_add(12).min(batch.len());
    if end > 21 {
        let crc = crc32c(&batch[21..end]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}

fn read(bytes: &[u8]) {
    let mut scratch = Vec::new();
    for view in batches(bytes).map_while(Result::ok) {
        if let Ok(records) = view.decompress(DecompressLimit(INFLATE_LIMIT_BYTES), &mut scratch) {
            records.map_while(Result::ok).for_each(|record| {
                record.headers.for_each(drop);
            });
        }
    }
}

fn rules(choice: u8) -> ProduceRules {
    let bit = |bit: u8| choice >> bit & 1 == 1;
    ProduceRules {
        timestamp_type: if bit(0) { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
        compacted: bit(1),
        transactional_id_present: bit(2),
        zstd_allowed: bit(3),
        compression: match choice >> 4 & 3 {
            0 | 1 => TopicCompression::Producer,
            2 => TopicCompression::Always(Compressor::None),
            _ => TopicCompression::Always(Compressor::Lz4),
        },
        compressed_check: if bit(6) { CompressedCheck::Inflate } else { CompressedCheck::Frame },
        timestamp_after_max_ms: i64::MAX,
        inflate_limit_bytes: INFLATE_LIMIT_BYTES,
        ..ProduceRules::default()
    }
}

fn judge(bytes: &mut [u8], rules: &ProduceRules) {
    let before = bytes.to_vec();
    let Ok(validated) = validate_produced(bytes, rules) else {
        assert_eq!(bytes, before, "a refusal changes nothing");
        return;
    };
    let stored: &[u8] = match &validated.accepted {
        Accepted::AsSent { length } => &bytes[..*length],
        Accepted::Rewritten(bytes) => bytes,
    };
    let view = BatchView::parse(stored).expect("what is accepted is a batch");
    assert_eq!(view.length_bytes(), stored.len());
    assert!(view.crc_is_valid());
    assert_eq!(*view.header(), validated.header);
    if matches!(rules.compressed_check, CompressedCheck::Inflate) {
        let mut scratch = Vec::new();
        let limit = DecompressLimit(2 * INFLATE_LIMIT_BYTES);
        let records = view.decompress(limit, &mut scratch).expect("what was inflated inflates");
        assert_eq!(records.filter(Result::is_ok).count(), view.records_count() as usize);
    }
}
