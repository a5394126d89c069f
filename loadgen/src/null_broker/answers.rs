//! What the null broker says.
//!
//! Produce is read and answered by hand, because it is all that costs; the rest goes through the codec.

use std::collections::HashMap;
use std::net::SocketAddr;

use core::time::Duration;

use protocol::frame::{decode_request_header, encode_response};
use protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use protocol::messages::create_topics::{CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::fetch::{FetchRequest, FetchResponse};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use protocol::{ApiKey, ErrorCode, Message, Piece, Reader, Uuid};

/// First and last versions.
const SPOKEN: [(ApiKey, i16, i16); 7] = [
    (ApiKey::Produce, 3, 12),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 6),
    (ApiKey::InitProducerId, 0, 4),
];
const FLEXIBLE_PRODUCE: i16 = 9;
/// Bytes of a batch that are looked at: up to its count of records.
const BATCH_HEADER_BYTES: usize = 61;
const LAST_OFFSET_DELTA_AT: usize = 23;

/// What leaves when a request has been read, length included.
pub enum Answer<'a> {
    /// To a Produce.
    Produced(&'a [u8]),
    Now(Vec<u8>),
    After(Duration, Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Answered,
    /// More of the request must be there.
    Incomplete,
    /// The connection is not worth keeping.
    NoRequest,
}

/// What a broker that keeps nothing says to each request.
pub struct Answers {
    host: String,
    port: i32,
    partitions: u32,
    /// Next offset of each partition.
    topics: HashMap<String, Vec<i64>>,
    next_producer_id: i64,
    /// Of one answer to a Produce.
    scratch: Vec<u8>,
}

/// Where reading a Produce stopped.
enum Stop {
    /// The bytes that are there end.
    Short,
    Malformed,
}

impl Answers {
    pub fn new(address: SocketAddr, partitions: u32) -> Answers {
        Answers {
            host: address.ip().to_string(),
            port: i32::from(address.port()),
            partitions: partitions.max(1),
            topics: HashMap::new(),
            next_producer_id: 1,
            scratch: Vec::new(),
        }
    }

    /// `request` is without its length; where it is not whole, a Produce may be understood already.
    pub fn answer(&mut self, request: &[u8], is_whole: bool, reply: &mut impl FnMut(Answer<'_>)) -> Step {
        let mut reader = Reader::new(request);
        let Ok(header) = decode_request_header(&mut reader) else {
            return if is_whole { Step::NoRequest } else { Step::Incomplete };
        };
        let (version, correlation_id) = (header.api_version, header.correlation_id);
        let spoken = SPOKEN.iter().find(|(api, ..)| api.key() == header.api_key);
        let Some((api, first, last)) = spoken.copied() else { return Step::NoRequest };
        if api == ApiKey::Produce && (first..=last).contains(&version) {
            return match self.produce(&request[reader.position()..], version, correlation_id) {
                Ok(0) => {
                    reply(Answer::Produced(&self.scratch));
                    Step::Answered
                }
                Ok(_) => Step::Answered,
                Err(Stop::Short) if !is_whole => Step::Incomplete,
                Err(_) => Step::NoRequest,
            };
        }
        if !is_whole {
            return Step::Incomplete;
        }
        let spoken = (first..=last).contains(&version);
        match self.other(api, version, spoken, correlation_id, &mut reader) {
            Some(answer) => {
                reply(answer);
                Step::Answered
            }
            None => Step::NoRequest,
        }
    }

    fn other(
        &mut self,
        api: ApiKey,
        version: i16,
        spoken: bool,
        id: i32,
        reader: &mut Reader<'_>,
    ) -> Option<Answer<'static>> {
        if api == ApiKey::ApiVersions {
            return versions(id, version, spoken);
        }
        if !spoken {
            return None;
        }
        match api {
            ApiKey::Metadata => self.metadata(id, version, &MetadataRequest::decode(reader, version).ok()?),
            ApiKey::CreateTopics => {
                self.create(id, version, &CreateTopicsRequest::decode(reader, version).ok()?)
            }
            ApiKey::ListOffsets => offsets(id, version, &ListOffsetsRequest::decode(reader, version).ok()?),
            ApiKey::InitProducerId => {
                InitProducerIdRequest::decode(reader, version).ok()?;
                let producer_id = self.next_producer_id;
                self.next_producer_id += 1;
                let message = InitProducerIdResponse {
                    throttle_time_ms: 0,
                    error_code: 0,
                    producer_id,
                    producer_epoch: 0,
                    ongoing_txn_producer_id: -1,
                    ongoing_txn_producer_epoch: -1,
                };
                encoded(id, api, version, &message).map(Answer::Now)
            }
            ApiKey::Fetch => {
                let message = FetchRequest::decode(reader, version).ok()?;
                let wait = Duration::from_millis(u64::from(message.max_wait_ms.unsigned_abs()));
                let empty = FetchResponse {
                    throttle_time_ms: 0,
                    error_code: 0,
                    session_id: 0,
                    responses: Vec::new().into(),
                    node_endpoints: Vec::new().into(),
                };
                encoded(id, api, version, &empty).map(|bytes| Answer::After(wait, bytes))
            }
            _ => None,
        }
    }

    /// Reads a Produce and writes its answer into `scratch`. Ok(1): nobody wants one.
    ///
    /// Shape of both: docs of the protocol crate's `produce`.
    fn produce(&mut self, bytes: &[u8], version: i16, correlation_id: i32) -> Result<u8, Stop> {
        let flexible = version >= FLEXIBLE_PRODUCE;
        let mut request = Cursor { bytes, flexible };
        let out = &mut self.scratch;
        out.clear();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&correlation_id.to_be_bytes());
        put_tags(out, flexible);
        request.string()?;
        let acks = i16::from_be_bytes(request.fixed()?);
        request.fixed::<4>()?;
        let topics = request.length()?;
        put_length(out, flexible, topics);
        for topic in 0..topics {
            let name = request.string()?;
            let name = std::str::from_utf8(name).map_err(|_| Stop::Malformed)?;
            put_string(out, flexible, name);
            let next_offsets = match self.topics.get_mut(name) {
                Some(known) => known,
                None => self.topics.entry(name.to_owned()).or_insert(vec![0; self.partitions as usize]),
            };
            let partitions = request.length()?;
            put_length(out, flexible, partitions);
            for partition in 0..partitions {
                let index = i32::from_be_bytes(request.fixed()?);
                let is_last = topic + 1 == topics && partition + 1 == partitions;
                let records = request.records(is_last)?;
                put_partition(out, version, index, next_offsets, records);
            }
            request.tags()?;
            put_tags(out, flexible);
        }
        out.extend_from_slice(&[0; 4]);
        put_tags(out, flexible);
        let length = (out.len() - 4) as u32;
        out[..4].copy_from_slice(&length.to_be_bytes());
        Ok(u8::from(acks == 0))
    }

    fn metadata(&mut self, id: i32, version: i16, request: &MetadataRequest<'_>) -> Option<Answer<'static>> {
        let mut names: Vec<String> = match &request.topics {
            Some(topics) => topics.iter().filter_map(|topic| topic.name.map(str::to_owned)).collect(),
            None => self.topics.keys().cloned().collect(),
        };
        names.dedup();
        if request.allow_auto_topic_creation || version < 4 {
            for name in &names {
                self.topics.entry(name.clone()).or_insert(vec![0; self.partitions as usize]);
            }
        }
        let one = || vec![0].into();
        let topics = names.iter().map(|name| {
            let known = self.topics.get(name);
            let partitions = (0..known.map_or(0, Vec::len)).map(|index| MetadataResponsePartition {
                error_code: 0,
                partition_index: index as i32,
                leader_id: 0,
                leader_epoch: 0,
                replica_nodes: one(),
                isr_nodes: one(),
                offline_replicas: Vec::new().into(),
            });
            let error = if known.is_some() { ErrorCode::NONE } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
            MetadataResponseTopic {
                error_code: error.code(),
                name: Some(name),
                topic_id: Uuid::default(),
                is_internal: false,
                partitions: partitions.collect(),
                topic_authorized_operations: i32::MIN,
            }
        });
        let broker = MetadataResponseBroker { node_id: 0, host: &self.host, port: self.port, rack: None };
        let message = MetadataResponse {
            throttle_time_ms: 0,
            brokers: vec![broker].into(),
            cluster_id: Some("null"),
            controller_id: 0,
            topics: topics.collect(),
            cluster_authorized_operations: i32::MIN,
            error_code: 0,
        };
        encoded(id, ApiKey::Metadata, version, &message).map(Answer::Now)
    }

    fn create(
        &mut self,
        id: i32,
        version: i16,
        request: &CreateTopicsRequest<'_>,
    ) -> Option<Answer<'static>> {
        let mut results = Vec::new();
        for topic in &request.topics {
            let partitions = u32::try_from(topic.num_partitions).unwrap_or(self.partitions);
            let is_new = !self.topics.contains_key(topic.name);
            if is_new {
                self.topics.insert(topic.name.to_owned(), vec![0; partitions as usize]);
            }
            let error = if is_new { ErrorCode::NONE } else { ErrorCode::TOPIC_ALREADY_EXISTS };
            results.push(CreatableTopicResult {
                name: topic.name,
                topic_id: Uuid::default(),
                error_code: error.code(),
                error_message: None,
                topic_config_error_code: 0,
                num_partitions: partitions as i32,
                replication_factor: 1,
                configs: Some(Vec::new().into()),
            });
        }
        let message = CreateTopicsResponse { throttle_time_ms: 0, topics: results.into() };
        encoded(id, ApiKey::CreateTopics, version, &message).map(Answer::Now)
    }
}

/// A version that is not spoken is answered in version 0, so that the client can choose.
fn versions(id: i32, version: i16, spoken: bool) -> Option<Answer<'static>> {
    let keys = SPOKEN.iter().map(|(api, first, last)| ApiVersion {
        api_key: api.key(),
        min_version: *first,
        max_version: *last,
    });
    let error = if spoken { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_VERSION };
    let message = ApiVersionsResponse {
        error_code: error.code(),
        api_keys: keys.collect(),
        throttle_time_ms: 0,
        supported_features: Vec::new().into(),
        finalized_features_epoch: -1,
        finalized_features: Vec::new().into(),
        zk_migration_ready: false,
    };
    encoded(id, ApiKey::ApiVersions, if spoken { version } else { 0 }, &message).map(Answer::Now)
}

/// Every partition is empty: nothing can be read back.
fn offsets(id: i32, version: i16, request: &ListOffsetsRequest<'_>) -> Option<Answer<'static>> {
    let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| ListOffsetsPartitionResponse {
                partition_index: partition.partition_index,
                error_code: 0,
                timestamp: -1,
                offset: 0,
                leader_epoch: 0,
            })
            .collect(),
    });
    let message = ListOffsetsResponse { throttle_time_ms: 0, topics: topics.collect() };
    encoded(id, ApiKey::ListOffsets, version, &message).map(Answer::Now)
}

fn encoded<'a>(id: i32, api: ApiKey, version: i16, message: &impl Message<'a>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for piece in encode_response(id, api, version, message).ok()? {
        if let Piece::Bytes(part) = piece {
            bytes.extend_from_slice(&part);
        }
    }
    Some(bytes)
}

/// Reads a Produce as far as it is there.
struct Cursor<'a> {
    bytes: &'a [u8],
    flexible: bool,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(Stop::Short)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(Stop::Short)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn varint(&mut self) -> Result<u32, Stop> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Stop::Malformed)
    }

    /// Of an array or of bytes; null is 0.
    fn length(&mut self) -> Result<usize, Stop> {
        if self.flexible {
            return Ok(self.varint()?.saturating_sub(1) as usize);
        }
        Ok(usize::try_from(i32::from_be_bytes(self.fixed()?)).unwrap_or(0))
    }

    fn string(&mut self) -> Result<&'a [u8], Stop> {
        let length = if self.flexible {
            self.varint()?.saturating_sub(1) as usize
        } else {
            usize::try_from(i16::from_be_bytes(self.fixed()?)).unwrap_or(0)
        };
        self.take(length)
    }

    /// How many offsets the batch of a partition takes. The last one of a request need not be there as a whole.
    fn records(&mut self, is_last: bool) -> Result<i64, Stop> {
        let length = self.length()?;
        if length < BATCH_HEADER_BYTES {
            return Err(Stop::Malformed);
        }
        let header = self.bytes.get(..BATCH_HEADER_BYTES).ok_or(Stop::Short)?;
        let delta = header[LAST_OFFSET_DELTA_AT..].first_chunk::<4>().ok_or(Stop::Short)?;
        let is_there = self.bytes.len() > length || !is_last;
        if is_there {
            self.take(length)?;
            self.tags()?;
        } else {
            self.bytes = &[];
        }
        Ok(i64::from(i32::from_be_bytes(*delta)) + 1)
    }

    /// Tagged fields, of which clients send none here. At the end of what is there, none are missed.
    fn tags(&mut self) -> Result<(), Stop> {
        if self.flexible && !self.bytes.is_empty() {
            let [count] = self.fixed()?;
            if count != 0 {
                return Err(Stop::Malformed);
            }
        }
        Ok(())
    }
}

fn put_tags(out: &mut Vec<u8>, flexible: bool) {
    if flexible {
        out.push(0);
    }
}

fn put_varint(out: &mut Vec<u8>, value: u32) {
    let mut rest = value;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_length(out: &mut Vec<u8>, flexible: bool, count: usize) {
    if flexible {
        put_varint(out, count as u32 + 1);
    } else {
        out.extend_from_slice(&(count as u32).to_be_bytes());
    }
}

fn put_string(out: &mut Vec<u8>, flexible: bool, string: &str) {
    if flexible {
        put_varint(out, string.len() as u32 + 1);
    } else {
        out.extend_from_slice(&(string.len() as u16).to_be_bytes());
    }
    out.extend_from_slice(string.as_bytes());
}

fn put_partition(out: &mut Vec<u8>, version: i16, index: i32, next_offsets: &mut [i64], records: i64) {
    let next_offset = usize::try_from(index).ok().and_then(|index| next_offsets.get_mut(index));
    let (error, base_offset) = match next_offset {
        Some(next) => {
            *next += records;
            (ErrorCode::NONE, *next - records)
        }
        None => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1),
    };
    out.extend_from_slice(&index.to_be_bytes());
    out.extend_from_slice(&error.code().to_be_bytes());
    out.extend_from_slice(&base_offset.to_be_bytes());
    out.extend_from_slice(&(-1i64).to_be_bytes());
    if version >= 5 {
        out.extend_from_slice(&0i64.to_be_bytes());
    }
    let flexible = version >= FLEXIBLE_PRODUCE;
    if version >= 8 {
        put_length(out, flexible, 0);
        // No message.
        out.extend_from_slice(if flexible { &[0] } else { &[0xff, 0xff] });
    }
    put_tags(out, flexible);
}
