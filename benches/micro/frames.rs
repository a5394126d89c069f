//! The requests of the benches, as clients send them.

use bytes::BytesMut;
use protocol::frame::{RequestHeader, encode_request};
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::record::BatchBuilder;
use protocol::{ApiKey, Array, Message, Piece, Records, Uuid};

pub const TOPIC: &str = "bench";
pub const PRODUCE_VERSION: i16 = 12;
pub const FETCH_VERSION: i16 = 12;

/// A record costs about ten bytes beside its value.
const RECORD_OVERHEAD_BYTES: usize = 10;

/// Without its length prefix, as shards receive frames.
fn frame<'a>(api_key: ApiKey, api_version: i16, message: &impl Message<'a>) -> BytesMut {
    let header =
        RequestHeader { api_key: api_key.key(), api_version, correlation_id: 7, client_id: Some("bench") };
    let pieces = encode_request(header, message).expect("fields that the version has");
    let mut bytes = BytesMut::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
            Piece::File(_) => unreachable!("requests have no files"),
        }
    }
    bytes.split_off(4)
}

/// About `batch_bytes`, of records of `record_bytes` each.
pub fn batch(batch_bytes: usize, record_bytes: usize) -> Vec<u8> {
    let value: Vec<u8> = (0..record_bytes).map(|at| (at * 31 % 251) as u8).collect();
    let mut builder = BatchBuilder::new();
    for _ in 0..(batch_bytes / (record_bytes + RECORD_OVERHEAD_BYTES)).max(1) {
        builder.append(1_700_000_000_000, None, Some(&value), &[]);
    }
    builder.build().to_vec()
}

pub fn create_topic(partitions: i32) -> BytesMut {
    let topic = CreatableTopic {
        name: TOPIC,
        num_partitions: partitions,
        replication_factor: 1,
        assignments: Array::default(),
        configs: Array::default(),
    };
    let request =
        CreateTopicsRequest { topics: vec![topic].into(), timeout_ms: 10_000, validate_only: false };
    frame(ApiKey::CreateTopics, 7, &request)
}

pub fn produce(partition: i32, batch: &[u8]) -> BytesMut {
    let partition = PartitionProduceData { index: partition, records: Some(Records::Wire(batch)) };
    let topic =
        TopicProduceData { name: TOPIC, topic_id: Uuid([0; 16]), partition_data: vec![partition].into() };
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic].into(),
    };
    frame(ApiKey::Produce, PRODUCE_VERSION, &request)
}

pub fn fetch(partition: i32, fetch_offset: i64, bytes_max: i32) -> BytesMut {
    let partition = FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: bytes_max,
        replica_directory_id: Uuid([0; 16]),
        high_watermark: i64::MAX,
    };
    let topic = FetchTopic { topic: TOPIC, topic_id: Uuid([0; 16]), partitions: vec![partition].into() };
    let request = FetchRequest {
        cluster_id: None,
        replica_id: -1,
        replica_state: Default::default(),
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: bytes_max,
        isolation_level: 0,
        session_id: 0,
        session_epoch: -1,
        topics: vec![topic].into(),
        forgotten_topics_data: Array::default(),
        rack_id: "",
    };
    frame(ApiKey::Fetch, FETCH_VERSION, &request)
}
