//! Every message in every version: random valid bytes survive, damaged bytes are refused, neither panics.

mod support;

use support::{MESSAGES, Random, message, message_with_unknown_tags};

const SEEDS: u64 = 12;

fn each_version(mut check: impl FnMut(&protocol::schema::MessageSchema, support::Recode, i16, u64)) {
    for (schema, recode) in MESSAGES {
        for version in schema.first_version..=schema.last_version {
            for seed in 0..SEEDS {
                check(schema, *recode, version, seed);
            }
        }
    }
}

#[test]
fn random_messages_decode_and_encode_to_the_same_bytes() {
    each_version(|schema, recode, version, seed| {
        let bytes = message(schema, version, &mut Random::new(seed));
        let recoded = recode(&bytes, version);
        assert_eq!(recoded.as_deref(), Ok(&bytes[..]), "{} v{version} seed {seed}", schema.name);
    });
}

#[test]
fn every_prefix_is_refused() {
    each_version(|schema, recode, version, seed| {
        let bytes = message(schema, version, &mut Random::new(seed));
        // The quadratic cost is paid for short messages; of long ones every seventh prefix.
        let step = if bytes.len() < 2_000 { 1 } else { 7 };
        for length in (0..bytes.len()).step_by(step) {
            let recoded = recode(&bytes[..length], version);
            let refused = recoded.as_ref().is_err_and(|error| error.starts_with("decode"));
            assert!(refused, "{} v{version} seed {seed} prefix {length}: {recoded:?}", schema.name);
        }
    });
}

#[test]
fn unknown_tags_are_skipped() {
    each_version(|schema, recode, version, seed| {
        if version < schema.flexible_from {
            return;
        }
        let bytes = message_with_unknown_tags(schema, version, &mut Random::new(seed));
        let recoded = recode(&bytes, version).expect("unknown tags are legal");
        assert!(recoded.len() < bytes.len());
        assert_eq!(recode(&recoded, version).as_ref(), Ok(&recoded), "{} v{version}", schema.name);
    });
}

#[test]
fn damaged_bytes_never_panic() {
    each_version(|schema, recode, version, seed| {
        let random = &mut Random::new(seed + 1_000);
        let bytes = message(schema, version, random);
        for _ in 0..8.min(bytes.len()) {
            let mut damaged = bytes.clone();
            let index = random.below(bytes.len() as u64) as usize;
            damaged[index] = random.next() as u8;
            let _ = recode(&damaged, version);
        }
    });
}

#[test]
fn versions_outside_the_range_are_refused() {
    for (schema, recode) in MESSAGES {
        for version in [schema.first_version - 1, schema.last_version + 1, i16::MIN, i16::MAX] {
            let error = recode(&[0; 64], version).expect_err("not a version of this message");
            assert!(error.contains("unsupported version"), "{}: {error}", schema.name);
        }
    }
}
