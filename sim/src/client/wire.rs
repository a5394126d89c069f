//! Requests to bytes and bytes to answers, through `protocol`: the only file of the clients that knows its messages.

use bytes::{Bytes, BytesMut};
use protocol::frame::{RequestHeader, decode_response_header, encode_request};
use protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::{ApiKey, Array, Message, Piece, Reader, Records, Uuid};

use crate::random::Random;

/// A version of the API that the broker serves, at least `at_least`.
pub fn version(api_key: ApiKey, at_least: i16, random: &mut Random) -> i16 {
    let range = api_key.supported().expect("the broker serves what the clients use");
    let from = range.min.max(at_least);
    from + random.below((range.max - from + 1) as u64) as i16
}

pub(super) fn encode<'a>(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    message: &impl Message<'a>,
) -> Bytes {
    let header =
        RequestHeader { api_key: api_key.key(), api_version, correlation_id, client_id: Some("sim") };
    let pieces = encode_request(header, message).expect("the clients use fields that the version has");
    let mut bytes = BytesMut::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
            Piece::File(_) => unreachable!("clients have no files"),
        }
    }
    bytes.freeze()
}

pub(super) fn decode<'a, M: Message<'a>>(
    api_key: ApiKey,
    version: i16,
    frame: &'a [u8],
) -> Result<M, String> {
    let mut reader = Reader::new(frame);
    decode_response_header(&mut reader, api_key, version).map_err(|error| format!("header: {error}"))?;
    let message = M::decode(&mut reader, version).map_err(|error| format!("{api_key} {version}: {error}"))?;
    if reader.remaining() > 0 {
        return Err(format!("{api_key} {version}: {} bytes left over", reader.remaining()));
    }
    Ok(message)
}

/// How an answer names a topic, which depends on its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicName {
    pub name: String,
    pub topic_id: Uuid,
}

pub struct ProduceItem {
    pub topic: TopicName,
    pub partition: i32,
    pub batch: Bytes,
}

/// ListOffsets: where the log starts.
pub const EARLIEST: i64 = -2;

pub const PRODUCE_BY_ID: i16 = 13;
pub const FETCH_BY_ID: i16 = 13;

#[must_use]
pub fn produce(version: i16, correlation_id: i32, acks: i16, items: &[ProduceItem]) -> Bytes {
    let topics = items.iter().map(|item| TopicProduceData {
        name: if version < PRODUCE_BY_ID { &item.topic.name } else { "" },
        topic_id: if version < PRODUCE_BY_ID { Uuid::ZERO } else { item.topic.topic_id },
        partition_data: Array::from(vec![PartitionProduceData {
            index: item.partition,
            records: Some(Records::Wire(&item.batch)),
        }]),
    });
    let request =
        ProduceRequest { transactional_id: None, acks, timeout_ms: 30_000, topic_data: topics.collect() };
    encode(ApiKey::Produce, version, correlation_id, &request)
}

#[derive(Debug)]
pub struct ProduceAnswer {
    pub topic: TopicName,
    pub partition: i32,
    pub error: i16,
    pub base_offset: i64,
    pub log_start_offset: i64,
    pub message: String,
}

pub fn decode_produce(version: i16, frame: &[u8]) -> Result<Vec<ProduceAnswer>, String> {
    let response: ProduceResponse<'_> = decode(ApiKey::Produce, version, frame)?;
    let mut answers = Vec::new();
    for topic in &response.responses {
        for partition in &topic.partition_responses {
            answers.push(ProduceAnswer {
                topic: TopicName { name: topic.name.to_owned(), topic_id: topic.topic_id },
                partition: partition.index,
                error: partition.error_code,
                base_offset: partition.base_offset,
                log_start_offset: partition.log_start_offset,
                message: partition.error_message.unwrap_or_default().to_owned(),
            });
        }
    }
    Ok(answers)
}

pub struct FetchItem {
    pub topic: TopicName,
    pub partition: i32,
    pub fetch_offset: i64,
    pub bytes_max: i32,
}

pub struct FetchLimits {
    pub wait_ms_max: i32,
    pub bytes_min: i32,
    pub bytes_max: i32,
    pub read_committed: bool,
    pub session_id: i32,
    pub session_epoch: i32,
}

#[must_use]
pub fn fetch(version: i16, correlation_id: i32, limits: &FetchLimits, items: &[FetchItem]) -> Bytes {
    let topics = items.iter().map(|item| FetchTopic {
        topic: if version < FETCH_BY_ID { &item.topic.name } else { "" },
        topic_id: if version < FETCH_BY_ID { Uuid::ZERO } else { item.topic.topic_id },
        partitions: Array::from(vec![FetchPartition {
            partition: item.partition,
            fetch_offset: item.fetch_offset,
            partition_max_bytes: item.bytes_max,
            ..FetchPartition::default()
        }]),
    });
    let request = FetchRequest {
        max_wait_ms: limits.wait_ms_max,
        min_bytes: limits.bytes_min,
        max_bytes: limits.bytes_max,
        isolation_level: i8::from(limits.read_committed),
        session_id: limits.session_id,
        session_epoch: limits.session_epoch,
        topics: topics.collect(),
        ..FetchRequest::default()
    };
    encode(ApiKey::Fetch, version, correlation_id, &request)
}

pub struct FetchAnswer<'a> {
    pub topic: TopicName,
    pub partition: i32,
    pub error: i16,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    pub records: &'a [u8],
}

pub struct Fetched<'a> {
    pub error: i16,
    pub session_id: i32,
    pub partitions: Vec<FetchAnswer<'a>>,
}

pub fn decode_fetch(version: i16, frame: &[u8]) -> Result<Fetched<'_>, String> {
    let response: FetchResponse<'_> = decode(ApiKey::Fetch, version, frame)?;
    let mut partitions = Vec::new();
    for topic in &response.responses {
        for partition in &topic.partitions {
            partitions.push(FetchAnswer {
                topic: TopicName { name: topic.topic.to_owned(), topic_id: topic.topic_id },
                partition: partition.partition_index,
                error: partition.error_code,
                high_watermark: partition.high_watermark,
                last_stable_offset: partition.last_stable_offset,
                log_start_offset: partition.log_start_offset,
                records: match partition.records {
                    Some(Records::Wire(bytes)) => bytes,
                    _ => &[],
                },
            });
        }
    }
    Ok(Fetched { error: response.error_code, session_id: response.session_id, partitions })
}

/// `names` None: all topics.
#[must_use]
pub fn metadata(version: i16, correlation_id: i32, names: Option<&[String]>) -> Bytes {
    let topics = names.map(|names| {
        names.iter().map(|name| MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some(name) }).collect()
    });
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    encode(ApiKey::Metadata, version, correlation_id, &request)
}

#[derive(Debug)]
pub struct TopicAnswer {
    pub topic: TopicName,
    pub error: i16,
    pub partitions: i32,
}

pub fn decode_metadata(version: i16, frame: &[u8]) -> Result<Vec<TopicAnswer>, String> {
    let response: MetadataResponse<'_> = decode(ApiKey::Metadata, version, frame)?;
    let topics = response.topics.iter().map(|topic| TopicAnswer {
        topic: TopicName { name: topic.name.unwrap_or_default().to_owned(), topic_id: topic.topic_id },
        error: topic.error_code,
        partitions: topic.partitions.len() as i32,
    });
    Ok(topics.collect())
}

#[must_use]
pub fn init_producer_id(version: i16, correlation_id: i32) -> Bytes {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        ..InitProducerIdRequest::default()
    };
    encode(ApiKey::InitProducerId, version, correlation_id, &request)
}

/// Error, producer id, epoch.
pub fn decode_init_producer_id(version: i16, frame: &[u8]) -> Result<(i16, i64, i16), String> {
    let response: InitProducerIdResponse = decode(ApiKey::InitProducerId, version, frame)?;
    Ok((response.error_code, response.producer_id, response.producer_epoch))
}

#[must_use]
pub fn create_topic(
    version: i16,
    correlation_id: i32,
    name: &str,
    partitions: i32,
    configs: &[(&str, String)],
) -> Bytes {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig { name, value: Some(value) });
    let topic = CreatableTopic {
        name,
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: Array::from(vec![topic]), timeout_ms: 30_000, validate_only: false };
    encode(ApiKey::CreateTopics, version, correlation_id, &request)
}

pub fn decode_create_topic(version: i16, frame: &[u8]) -> Result<TopicAnswer, String> {
    let response: CreateTopicsResponse<'_> = decode(ApiKey::CreateTopics, version, frame)?;
    let topic = response.topics.iter().next().ok_or("an answer without a topic")?;
    Ok(TopicAnswer {
        topic: TopicName { name: topic.name.to_owned(), topic_id: topic.topic_id },
        error: topic.error_code,
        partitions: topic.num_partitions,
    })
}

pub const DELETE_BY_ID: i16 = 6;

#[must_use]
pub fn delete_topic(version: i16, correlation_id: i32, topic_id: Uuid) -> Bytes {
    let topics = Array::from(vec![DeleteTopicState { name: None, topic_id }]);
    let request = DeleteTopicsRequest { topics, timeout_ms: 30_000, ..DeleteTopicsRequest::default() };
    encode(ApiKey::DeleteTopics, version, correlation_id, &request)
}

pub fn decode_delete_topic(version: i16, frame: &[u8]) -> Result<i16, String> {
    let response: DeleteTopicsResponse<'_> = decode(ApiKey::DeleteTopics, version, frame)?;
    Ok(response.responses.iter().next().ok_or("an answer without a topic")?.error_code)
}

#[must_use]
pub fn create_partitions(version: i16, correlation_id: i32, name: &str, count: i32) -> Bytes {
    let topics = Array::from(vec![CreatePartitionsTopic { name, count, assignments: None }]);
    let request = CreatePartitionsRequest { topics, timeout_ms: 30_000, validate_only: false };
    encode(ApiKey::CreatePartitions, version, correlation_id, &request)
}

pub fn decode_create_partitions(version: i16, frame: &[u8]) -> Result<i16, String> {
    let response: CreatePartitionsResponse<'_> = decode(ApiKey::CreatePartitions, version, frame)?;
    Ok(response.results.iter().next().ok_or("an answer without a topic")?.error_code)
}

#[must_use]
pub fn list_offsets(
    version: i16,
    correlation_id: i32,
    name: &str,
    partition_index: i32,
    timestamp: i64,
) -> Bytes {
    let partition = ListOffsetsPartition { partition_index, current_leader_epoch: -1, timestamp };
    let topic = ListOffsetsTopic { name, partitions: Array::from(vec![partition]) };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: Array::from(vec![topic]),
        ..ListOffsetsRequest::default()
    };
    encode(ApiKey::ListOffsets, version, correlation_id, &request)
}

#[must_use]
pub fn delete_records(
    version: i16,
    correlation_id: i32,
    name: &str,
    partition_index: i32,
    offset: i64,
) -> Bytes {
    let partition = DeleteRecordsPartition { partition_index, offset };
    let topic = DeleteRecordsTopic { name, partitions: Array::from(vec![partition]) };
    let request = DeleteRecordsRequest { topics: Array::from(vec![topic]), timeout_ms: 30_000 };
    encode(ApiKey::DeleteRecords, version, correlation_id, &request)
}

/// Error, low watermark.
pub fn decode_delete_records(version: i16, frame: &[u8]) -> Result<(i16, i64), String> {
    let response: DeleteRecordsResponse<'_> = decode(ApiKey::DeleteRecords, version, frame)?;
    let topic = response.topics.iter().next().ok_or("an answer without a topic")?;
    let partition = topic.partitions.iter().next().ok_or("an answer without a partition")?;
    Ok((partition.error_code, partition.low_watermark))
}

/// Error, offset.
pub fn decode_list_offsets(version: i16, frame: &[u8]) -> Result<(i16, i64), String> {
    let response: ListOffsetsResponse<'_> = decode(ApiKey::ListOffsets, version, frame)?;
    let topic = response.topics.iter().next().ok_or("an answer without a topic")?;
    let partition = topic.partitions.iter().next().ok_or("an answer without a partition")?;
    Ok((partition.error_code, partition.offset))
}
