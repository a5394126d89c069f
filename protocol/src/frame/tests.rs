//! Frames as they stand on the wire, and which header goes with what.

use bytes::Bytes;

use crate::messages::{api_versions, fetch, metadata, produce};
use crate::{Array, FileRange, Message, Records};

use super::*;

fn concat(pieces: Vec<Piece>) -> Vec<u8> {
    let bytes = pieces.into_iter().map(|piece| match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::File(range) => panic!("unexpected {range:?}"),
    });
    bytes.collect::<Vec<_>>().concat()
}

#[test]
fn request_survives_with_either_header() {
    for (api_version, header_bytes) in [(2, 2 + 2 + 4 + 2 + 4), (3, 2 + 2 + 4 + 2 + 4 + 1)] {
        let header = RequestHeader { api_key: 18, api_version, correlation_id: 7, client_id: Some("test") };
        let request = api_versions::ApiVersionsRequest {
            client_software_name: if api_version < 3 { "" } else { "x" },
            ..Default::default()
        };
        let frame = concat(encode_request(header, &request).expect("encodes"));
        assert_eq!(frame[..4], (frame.len() as u32 - 4).to_be_bytes());
        let mut reader = Reader::new(&frame[4..]);
        assert_eq!(decode_request_header(&mut reader), Ok(header));
        assert_eq!(reader.position(), header_bytes);
        assert_eq!(api_versions::ApiVersionsRequest::decode(&mut reader, api_version), Ok(request));
        assert_eq!(reader.remaining(), 0);
    }
}

#[test]
fn header_of_an_unknown_api_can_be_read() {
    let frame = [0x7f, 0xff, 0, 9, 0, 0, 0, 5, 0xff, 0xff, 1, 2, 3];
    let header = RequestHeader { api_key: i16::MAX, api_version: 9, correlation_id: 5, client_id: None };
    assert_eq!(decode_request_header(&mut Reader::new(&frame)), Ok(header));
}

#[test]
fn api_versions_answers_with_the_old_header() {
    let response = api_versions::ApiVersionsResponse { error_code: 35, ..Default::default() };
    let frame = concat(encode_response(9, ApiKey::ApiVersions, 3, &response).expect("encodes"));
    // Length, correlation id, then at once the error code.
    assert_eq!(frame[..10], [0, 0, 0, 12, 0, 0, 0, 9, 0, 35]);
    assert_eq!(decode_response_header(&mut Reader::new(&frame[4..]), 18i16, 3), Ok(9));
}

#[test]
fn flexible_answers_have_the_new_header() {
    let response = metadata::MetadataResponse::default();
    for (version, tags) in [(8, 0), (9, 1)] {
        let frame = concat(encode_response(9, ApiKey::Metadata, version, &response).expect("encodes"));
        let mut reader = Reader::new(&frame[4..]);
        assert_eq!(decode_response_header(&mut reader, ApiKey::Metadata, version), Ok(9));
        assert_eq!(reader.position(), 4 + tags);
        assert!(metadata::MetadataResponse::decode(&mut reader, version).is_ok());
        assert_eq!(reader.remaining(), 0);
    }
}

#[test]
fn record_pieces_pass_by_reference_and_count_in_the_length() {
    let tail = Bytes::from_static(b"tail of the log");
    let range = FileRange { file: 3, position: 4096, length: 8192 };
    let pieces = vec![Piece::File(range), Piece::Bytes(tail.clone()), Piece::Bytes(Bytes::new())];
    let partition = fetch::PartitionData { records: Some(Records::Pieces(pieces)), ..Default::default() };
    let topic = fetch::FetchableTopicResponse {
        topic: "t",
        partitions: Array::from(vec![partition]),
        ..Default::default()
    };
    let response = fetch::FetchResponse { responses: Array::from(vec![topic]), ..Default::default() };
    let frame = encode_response(1, ApiKey::Fetch, 12, &response).expect("encodes");
    let [Piece::Bytes(head), Piece::File(file), Piece::Bytes(memory), Piece::Bytes(rest)] = &frame[..] else {
        panic!("unexpected {frame:?}");
    };
    assert_eq!(*file, range);
    assert_eq!(memory.as_ptr(), tail.as_ptr());
    // The end of a partition, a topic and the response: no tagged fields.
    assert_eq!(rest[..], [0, 0, 0]);
    let length = u32::from_be_bytes(head[..4].try_into().expect("four bytes"));
    assert_eq!(u64::from(length), frame.iter().map(Piece::len).sum::<u64>() - 4);
}

#[test]
fn frame_beyond_four_bytes_of_length_is_refused() {
    let records = |length| Records::Pieces(vec![Piece::File(FileRange { file: 0, position: 0, length })]);
    let response = |length| {
        let partition = || fetch::PartitionData { records: Some(records(length)), ..Default::default() };
        let partitions = Array::from(vec![partition(), partition()]);
        let topic = fetch::FetchableTopicResponse { partitions, ..Default::default() };
        fetch::FetchResponse { responses: Array::from(vec![topic]), ..Default::default() }
    };
    let encode = |length| encode_response(1, ApiKey::Fetch, 11, &response(length));
    assert!(encode(1 << 29).is_ok());
    assert!(matches!(encode(1 << 30), Err(EncodeError::FrameTooLarge { .. })));
    assert!(matches!(encode(1 << 31), Err(EncodeError::BytesTooLong { .. })));
}

#[test]
fn value_in_a_version_without_the_field_is_refused_unless_ignorable() {
    let encode = |request: &produce::ProduceRequest<'_>, version| request.encode(&mut Writer::new(), version);
    assert_eq!(encode(&produce::ProduceRequest::default(), 3), Ok(()));
    // Ignorable: dropped before version 5.
    let partition = produce::PartitionProduceResponse { log_start_offset: 7, ..Default::default() };
    let partition_responses = Array::from(vec![partition]);
    let topic = produce::TopicProduceResponse { partition_responses, ..Default::default() };
    let response = produce::ProduceResponse { responses: Array::from(vec![topic]), ..Default::default() };
    assert_eq!(response.encode(&mut Writer::new(), 4), Ok(()));
    // Not ignorable.
    let request = fetch::FetchRequest { replica_id: 3, ..Default::default() };
    let refused = EncodeError::FieldNotInVersion { field: "replica_id", version: 15 };
    assert_eq!(request.encode(&mut Writer::new(), 15), Err(refused));
    // Null where the version has none.
    let request = metadata::MetadataRequest { topics: None, ..Default::default() };
    let refused = EncodeError::NullNotAllowed { field: "topics", version: 0 };
    assert_eq!(request.encode(&mut Writer::new(), 0), Err(refused));
}
