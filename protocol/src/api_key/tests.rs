//! The tables agree with each other and with the messages.

use crate::messages::SCHEMAS;
use crate::schema::MessageKind;

use super::*;

#[test]
fn keys_have_no_gap() {
    for (index, key) in ApiKey::ALL.iter().enumerate() {
        assert_eq!(key.key() as usize, index);
        assert_eq!(ApiKey::try_from(key.key()), Ok(*key));
    }
    assert_eq!(ApiKey::ALL.len(), 95);
    for key in [-1, 95, i16::MIN, i16::MAX] {
        assert_eq!(ApiKey::try_from(key), Err(UnknownApiKey(key)));
    }
}

#[test]
fn flexible_versions_are_those_of_the_messages() {
    for schema in SCHEMAS {
        if matches!(schema.kind, MessageKind::Request | MessageKind::Response) {
            let key = ApiKey::try_from(schema.key.expect("requests have keys")).expect("known key");
            assert_eq!(key.flexible_from(), schema.flexible_from, "{}", schema.name);
        }
    }
}

#[test]
fn supported_versions_have_messages() {
    assert!(SUPPORTED.is_sorted_by(|a, b| a.key < b.key));
    for range in SUPPORTED {
        assert_eq!(range.flexible_from, range.key.flexible_from(), "{}", range.key);
        assert!(range.advertised_min <= range.min && range.min <= range.max);
        let messages = SCHEMAS.iter().filter(|schema| {
            matches!(schema.kind, MessageKind::Request | MessageKind::Response)
                && schema.key == Some(range.key.key())
        });
        let covering =
            messages.filter(|schema| schema.first_version <= range.min && range.max <= schema.last_version);
        assert_eq!(covering.count(), 2, "{}", range.key);
        assert_eq!(range.key.supported(), Some(range));
    }
    assert_eq!(ApiKey::LeaderAndIsr.supported(), None);
}

#[test]
fn document_lists_what_is_supported() {
    let document = include_str!("../../../docs/PROTOCOL.md");
    let rows = |line: &&str| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit();
    let documented: Vec<&str> = document.lines().filter(rows).collect();
    let expected = SUPPORTED.iter().map(|range| {
        let ApiVersionRange { key, min, max, advertised_min, flexible_from } = range;
        let flexible =
            if *flexible_from == i16::MAX { "never".to_owned() } else { format!("{flexible_from}+") };
        format!("| {} | {key} | {advertised_min}-{max} | {min}-{max} | {flexible} |", key.key())
    });
    assert_eq!(documented, expected.collect::<Vec<_>>());
}
