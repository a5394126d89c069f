//! Arrays: hostile counts, laziness, equality of what is read and what is built.

use crate::messages::SCHEMAS;
use crate::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use crate::messages::metadata::MetadataRequest;
use crate::schema::FieldSchema;
use crate::{Message, Struct};

use super::*;

const OLD: i16 = i16::MAX;

fn read<'a, T: Wire<'a>>(bytes: &'a [u8], flexible_from: i16) -> Result<T, DecodeError> {
    T::read(&mut Reader::new(bytes), At::new(0, flexible_from))
}

#[test]
fn count_beyond_the_bytes_is_refused() {
    for count in [1i32, 3, 1_000_000, 1_000_001, i32::MAX] {
        let bytes = count.to_be_bytes();
        let refused = DecodeError::ArrayTooLong { position: 0, count: count as u32 };
        assert_eq!(read::<Array<'_, i64>>(&bytes, OLD), Err(refused));
        assert_eq!(read::<Array<'_, &str>>(&bytes, OLD), Err(refused));
    }
    // Two bytes for each of sixteen strings are there, for seventeen they are not.
    let bytes = [&17i32.to_be_bytes()[..], &[0; 33]].concat();
    let refused = DecodeError::ArrayTooLong { position: 0, count: 17 };
    assert_eq!(read::<Array<'_, &str>>(&bytes, OLD), Err(refused));
    // Of a few elements only one byte each is asked for beforehand.
    let bytes = [&3i32.to_be_bytes()[..], &[0; 5]].concat();
    let refused = DecodeError::Truncated { position: 8, needed: 1 };
    assert_eq!(read::<Array<'_, &str>>(&bytes, OLD), Err(refused));
}

#[test]
fn negative_count_is_refused_and_null_only_where_allowed() {
    let refused = DecodeError::InvalidLength { position: 0, length: -2 };
    assert_eq!(read::<Array<'_, i8>>(&(-2i32).to_be_bytes(), OLD), Err(refused));
    let null = (-1i32).to_be_bytes();
    assert_eq!(read::<Array<'_, i8>>(&null, OLD), Err(DecodeError::UnexpectedNull { position: 0 }));
    assert_eq!(read::<Array<'_, i8>>(&[0], 0), Err(DecodeError::UnexpectedNull { position: 0 }));
    assert_eq!(<Array<'_, i8>>::read_nullable(&mut Reader::new(&null), At::new(0, OLD)), Ok(None));
}

#[test]
fn million_elements_are_the_most() {
    let mut bytes = 1_000_001i32.to_be_bytes().to_vec();
    bytes.resize(4 + 1_000_001, 0);
    let refused = DecodeError::ArrayTooLong { position: 0, count: 1_000_001 };
    assert_eq!(read::<Array<'_, i8>>(&bytes, OLD), Err(refused));
    bytes[..4].copy_from_slice(&1_000_000i32.to_be_bytes());
    assert_eq!(read::<Array<'_, i8>>(&bytes, OLD).map(|array| array.iter().count()), Ok(1_000_000));
    let vec = Array::from(vec![0i8; 1_000_001]);
    let refused = EncodeError::ArrayTooLong { count: 1_000_001 };
    assert_eq!(vec.write(&mut Writer::new(), At::new(0, OLD)), Err(refused));
}

/// A struct of which some version has no field: only the count bounds it.
#[derive(Debug, Clone, PartialEq, Struct)]
struct Vanishing {
    #[kafka(versions = "1+")]
    field: i32,
}

#[test]
fn elements_without_bytes_are_bounded_by_the_bytes_that_remain() {
    let bytes = [0, 0, 0, 3, 9, 9];
    let refused = DecodeError::ArrayTooLong { position: 0, count: 3 };
    assert_eq!(read::<Array<'_, Vanishing>>(&bytes, OLD), Err(refused));
    let bytes = [0, 0, 0, 2, 9, 9];
    assert_eq!(read::<Array<'_, Vanishing>>(&bytes, OLD).map(|array| array.len()), Ok(2));
}

#[test]
fn bad_element_is_found_when_the_array_is_decoded() {
    let bytes = [3, 2, b'a', 2, 0xff];
    assert_eq!(read::<Array<'_, &str>>(&bytes, 0), Err(DecodeError::InvalidUtf8 { position: 3 }));
}

#[test]
fn strings_and_varints_are_bounded() {
    let mut bytes = vec![0x81, 0x80, 0x02];
    bytes.resize(40_000, b'x');
    assert_eq!(read::<&str>(&bytes, 0), Err(DecodeError::StringTooLong { position: 0, length: 32_768 }));
    for bytes in [[0xff; 6], [0x80, 0x80, 0x80, 0x80, 0x10, 0]] {
        assert_eq!(read::<&str>(&bytes, 0), Err(DecodeError::VarintTooLong { position: 0 }));
    }
    let long = "x".repeat(32_768);
    let refused = EncodeError::StringTooLong { length: 32_768 };
    assert_eq!((&long[..]).write(&mut Writer::new(), At::new(0, OLD)), Err(refused));
}

#[test]
fn tags_are_bounded() {
    // MetadataRequest 9: null topics, two flags, then tagged fields.
    let decode = |tags: &[u8]| {
        let bytes = [&[0, 1, 0, 0], tags].concat();
        MetadataRequest::decode(&mut Reader::new(&bytes), 9).map(drop)
    };
    assert_eq!(decode(&[0]), Ok(()));
    assert_eq!(decode(&[1, 5, 2, 7, 7]), Ok(()));
    assert_eq!(decode(&[1, 5, 2, 7]), Err(DecodeError::Truncated { position: 7, needed: 1 }));
    let count = [&[0x91, 0x4e][..], &[0; 20_002]].concat();
    assert_eq!(decode(&count), Err(DecodeError::TooManyTags { position: 4, count: 10_001 }));
    assert_eq!(decode(&[3, 0, 0, 0, 0]), Err(DecodeError::TooManyTags { position: 4, count: 3 }));
}

#[test]
fn tagged_value_shorter_than_its_size_is_refused() {
    let request = FetchRequest { cluster_id: Some("c"), ..Default::default() };
    let mut writer = Writer::new();
    request.encode(&mut writer, 12).expect("encodes");
    let [crate::Piece::Bytes(bytes)] = &writer.finish()[..] else { panic!("one piece") };
    // The end is: one tag, number 0, two bytes, compact length of 1, "c".
    let tail = bytes.len() - 5;
    assert_eq!(bytes[tail..], [1, 0, 2, 2, b'c']);
    let longer = [&bytes[..tail], &[1, 0, 3, 2, b'c', 0]].concat();
    let error = FetchRequest::decode(&mut Reader::new(&longer), 12).map(drop);
    assert!(matches!(error, Err(DecodeError::TagNotConsumed { remaining: 1, .. })), "{error:?}");
}

#[test]
fn built_and_read_arrays_are_the_same() {
    let partition = |partition| FetchPartition { partition, ..Default::default() };
    let partitions = [partition(0), partition(1)];
    let topics = |topic| FetchTopic { topic, partitions: Array::from(&partitions[..]), ..Default::default() };
    let request = FetchRequest { topics: ["a", "b"].map(topics).into_iter().collect(), ..Default::default() };
    let mut writer = Writer::new();
    request.encode(&mut writer, 12).expect("encodes");
    let [crate::Piece::Bytes(bytes)] = &writer.finish()[..] else { panic!("one piece") };
    let read = FetchRequest::decode(&mut Reader::new(bytes), 12).expect("decodes");
    assert_eq!(read, request);
    let mut seen = Vec::new();
    for topic in &read.topics {
        seen.extend(topic.partitions.iter().map(|partition| (topic.topic, partition.partition)));
    }
    assert_eq!(seen, [("a", 0), ("a", 1), ("b", 0), ("b", 1)]);
    assert_eq!(read.topics.iter().len(), 2);
    assert!(Array::<i32>::default().is_empty());
}

/// An element without bytes would be counted by bytes that follow its array, which an outer array's slice lacks.
#[test]
fn every_declared_element_takes_a_byte() {
    fn check(name: &str, fields: &[FieldSchema], version: i16, flexible: bool) {
        for field in fields.iter().filter(|field| field.versions.contains(version)) {
            let mut kind = &field.kind;
            while let FieldKind::Array(element) = kind {
                assert!(element.bytes_min(version, flexible) > 0, "{name} v{version} {}", field.name);
                kind = element;
            }
            if let FieldKind::Struct(schema) = kind {
                check(name, schema.fields, version, flexible);
            }
        }
    }
    for schema in SCHEMAS {
        for version in schema.first_version..=schema.last_version {
            check(schema.name, schema.fields, version, version >= schema.flexible_from);
        }
    }
}
