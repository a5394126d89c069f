//! A broker in memory: logs of record batches behind a socket, one thread for each connection.
//!
//! Decides as little as a client can bear: it stores what it is sent, unchecked, gives offsets, knows a producer's last sequences,
//! and hands everything out again. It can be stopped and started on its port, with or without its last batches.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use protocol::messages::create_topics::{CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::fetch::{
    EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
    SnapshotId,
};
use protocol::messages::init_producer_id::InitProducerIdResponse;
use protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use protocol::messages::produce;
use protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use protocol::record::{BatchView, batches, stamp};
use protocol::{ApiKey, Array, ErrorCode, Message, Piece, Reader, Records, Uuid, frame};

const SERVED: [(ApiKey, i16, i16); 7] = [
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 9),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 6),
    (ApiKey::InitProducerId, 0, 4),
];
const LATEST: i64 = -1;

type TopicPartition = (String, i32);

#[derive(Default)]
struct Log {
    /// (base offset, bytes), ascending.
    batches: Vec<(i64, Vec<u8>)>,
    end: i64,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<String, i32>,
    logs: HashMap<TopicPartition, Log>,
    /// Of each producer in each partition: base sequences and offsets.
    sequences: HashMap<(i64, TopicPartition), BTreeMap<i32, i64>>,
    producer_id: i64,
    /// Batches stored since the beginning.
    stored: usize,
    connections: Vec<TcpStream>,
}

struct Shared {
    state: Mutex<State>,
    grown: Condvar,
    stopping: AtomicBool,
    /// Where clients are told to go: the broker itself or a proxy before it.
    advertised: Mutex<SocketAddr>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the broker panics")
    }
}

pub struct Broker {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Broker {
    pub fn start() -> Broker {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            grown: Condvar::new(),
            stopping: AtomicBool::new(false),
            advertised: Mutex::new(address),
        });
        let mut broker = Broker { address, shared, acceptor: None };
        broker.accept_on(listener);
        broker
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn advertise(&self, address: SocketAddr) {
        *self.shared.advertised.lock().expect("no thread of the broker panics") = address;
    }

    /// Returns when so many batches have been stored.
    pub fn wait_until_stored(&self, count: usize) {
        let state = self.shared.state();
        let waited = self.shared.grown.wait_while(state, |state| state.stored < count);
        drop(waited.expect("no thread of the broker panics"));
    }

    /// Closes the port and every connection; the logs stay.
    pub fn stop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Wakes the acceptor.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().expect("the acceptor does not panic");
        }
        for connection in self.shared.state().connections.drain(..) {
            // One that is closed already is as good.
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Opens the same port again.
    pub fn start_again(&mut self) {
        self.shared.stopping.store(false, Ordering::Release);
        let listener = TcpListener::bind(self.address).expect("the port is still ours");
        self.accept_on(listener);
    }

    /// Forgets the last `count` batches of every partition, as a broker does that acknowledges before it stores.
    pub fn forget_last(&self, count: usize) {
        for log in self.shared.state().logs.values_mut() {
            for _ in 0..count {
                if let Some((base_offset, _)) = log.batches.pop() {
                    log.end = base_offset;
                }
            }
        }
    }

    fn accept_on(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.acceptor = Some(std::thread::spawn(move || {
            for socket in listener.incoming() {
                if shared.stopping.load(Ordering::Acquire) {
                    return;
                }
                let Ok(socket) = socket else { continue };
                let Ok(copy) = socket.try_clone() else { continue };
                shared.state().connections.push(copy);
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&shared, socket));
            }
        }));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One frame without its length; None when the connection is over.
pub fn read_frame(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn serve(shared: &Shared, mut socket: TcpStream) {
    socket.set_nodelay(true).expect("a socket");
    while let Some(request) = read_frame(&mut socket) {
        let mut reader = Reader::new(&request);
        let header = frame::decode_request_header(&mut reader).expect("the generator speaks Kafka");
        let key = ApiKey::try_from(header.api_key).expect("a key that was offered");
        let answer = Answer { key, version: header.api_version, correlation_id: header.correlation_id };
        let bytes = match key {
            ApiKey::ApiVersions => answer.api_versions(),
            ApiKey::Metadata => answer.metadata(shared, &mut reader),
            ApiKey::CreateTopics => answer.create_topics(shared, &mut reader),
            ApiKey::InitProducerId => answer.init_producer_id(shared),
            ApiKey::ListOffsets => answer.list_offsets(shared, &mut reader),
            ApiKey::Produce => answer.produce(shared, &mut reader),
            ApiKey::Fetch => answer.fetch(shared, &mut reader),
            other => panic!("{other} was not offered"),
        };
        if socket.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// To which request an answer belongs.
struct Answer {
    key: ApiKey,
    version: i16,
    correlation_id: i32,
}

pub fn concat(pieces: Vec<Piece>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(part) => bytes.extend_from_slice(&part),
            Piece::File(_) => panic!("no files here"),
        }
    }
    bytes
}

impl Answer {
    fn read<'a, M: Message<'a>>(&self, reader: &mut Reader<'a>) -> M {
        M::decode(reader, self.version).expect("the generator speaks Kafka")
    }

    fn with<'a>(&self, message: &impl Message<'a>) -> Vec<u8> {
        let pieces = frame::encode_response(self.correlation_id, self.key, self.version, message);
        concat(pieces.expect("an answer that can be written"))
    }

    fn api_versions(&self) -> Vec<u8> {
        let is_known = (0..=3).contains(&self.version);
        let error = if is_known { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_VERSION };
        let served = SERVED.iter().map(|(key, min_version, max_version)| ApiVersion {
            api_key: key.key(),
            min_version: *min_version,
            max_version: *max_version,
        });
        let message = ApiVersionsResponse {
            error_code: error.code(),
            api_keys: served.collect(),
            throttle_time_ms: 0,
            supported_features: Array::empty(),
            finalized_features_epoch: -1,
            finalized_features: Array::empty(),
            zk_migration_ready: false,
        };
        let version = if is_known { self.version } else { 0 };
        Answer { version, ..*self }.with(&message)
    }

    fn metadata(&self, shared: &Shared, reader: &mut Reader<'_>) -> Vec<u8> {
        let request: MetadataRequest<'_> = self.read(reader);
        let address = *shared.advertised.lock().expect("no thread of the broker panics");
        let host = address.ip().to_string();
        let state = shared.state();
        let partition = |partition_index| MetadataResponsePartition {
            error_code: 0,
            partition_index,
            leader_id: 1,
            leader_epoch: 0,
            replica_nodes: vec![1].into(),
            isr_nodes: vec![1].into(),
            offline_replicas: Array::empty(),
        };
        let topic = |name| {
            let partitions = state.topics.get(name).copied();
            let error =
                if partitions.is_some() { ErrorCode::NONE } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
            MetadataResponseTopic {
                error_code: error.code(),
                name: Some(name),
                topic_id: Uuid::ZERO,
                is_internal: false,
                partitions: (0..partitions.unwrap_or(0)).map(partition).collect(),
                topic_authorized_operations: i32::MIN,
            }
        };
        let asked = request.topics.unwrap_or_default();
        self.with(&MetadataResponse {
            throttle_time_ms: 0,
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: &host,
                port: i32::from(address.port()),
                rack: None,
            }]
            .into(),
            cluster_id: Some("test"),
            controller_id: 1,
            topics: asked.iter().filter_map(|topic| topic.name).map(topic).collect(),
            cluster_authorized_operations: i32::MIN,
            error_code: 0,
        })
    }

    fn create_topics(&self, shared: &Shared, reader: &mut Reader<'_>) -> Vec<u8> {
        let request: CreateTopicsRequest<'_> = self.read(reader);
        let mut results = Vec::new();
        for topic in &request.topics {
            shared.state().topics.insert(topic.name.into(), topic.num_partitions);
            results.push(CreatableTopicResult {
                name: topic.name,
                topic_id: Uuid::ZERO,
                error_code: 0,
                error_message: None,
                topic_config_error_code: 0,
                num_partitions: topic.num_partitions,
                replication_factor: 1,
                configs: None,
            });
        }
        self.with(&CreateTopicsResponse { throttle_time_ms: 0, topics: results.into() })
    }

    fn init_producer_id(&self, shared: &Shared) -> Vec<u8> {
        let mut state = shared.state();
        state.producer_id += 1;
        self.with(&InitProducerIdResponse {
            throttle_time_ms: 0,
            error_code: 0,
            producer_id: state.producer_id,
            producer_epoch: 0,
            ongoing_txn_producer_id: -1,
            ongoing_txn_producer_epoch: -1,
        })
    }

    fn list_offsets(&self, shared: &Shared, reader: &mut Reader<'_>) -> Vec<u8> {
        let request: ListOffsetsRequest<'_> = self.read(reader);
        let state = shared.state();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let log = state.logs.get(&(topic.name.into(), partition.partition_index));
                let end = log.map_or(0, |log| log.end);
                ListOffsetsPartitionResponse {
                    partition_index: partition.partition_index,
                    error_code: 0,
                    timestamp: -1,
                    offset: if partition.timestamp == LATEST { end } else { 0 },
                    leader_epoch: 0,
                }
            });
            ListOffsetsTopicResponse { name: topic.name, partitions: partitions.collect() }
        });
        self.with(&ListOffsetsResponse { throttle_time_ms: 0, topics: topics.collect() })
    }

    fn produce(&self, shared: &Shared, reader: &mut Reader<'_>) -> Vec<u8> {
        let request: ProduceRequest<'_> = self.read(reader);
        let mut responses = Vec::new();
        for topic in &request.topic_data {
            let mut partitions = Vec::new();
            for data in &topic.partition_data {
                let base_offset = match &data.records {
                    Some(Records::Wire(bytes)) => shared.state().append(topic.name, data.index, bytes),
                    _ => -1,
                };
                partitions.push(stored_at(data.index, base_offset));
            }
            responses.push(TopicProduceResponse {
                name: topic.name,
                topic_id: Uuid::ZERO,
                partition_responses: partitions.into(),
            });
        }
        shared.grown.notify_all();
        if request.acks == 0 {
            return Vec::new();
        }
        self.with(&ProduceResponse {
            responses: responses.into(),
            throttle_time_ms: 0,
            node_endpoints: Array::empty(),
        })
    }

    /// Keeps no sessions: every fetch names all it wants.
    fn fetch(&self, shared: &Shared, reader: &mut Reader<'_>) -> Vec<u8> {
        let request: FetchRequest<'_> = self.read(reader);
        let until = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
        let mut state = shared.state();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let is_over = left.is_zero() || shared.stopping.load(Ordering::Acquire);
            if is_over || state.has_something_for(&request) {
                break;
            }
            let waited = shared.grown.wait_timeout(state, left);
            state = waited.expect("no thread of the broker panics").0;
        }
        let topics = request.topics.iter().map(|topic| FetchableTopicResponse {
            topic: topic.topic,
            topic_id: Uuid::ZERO,
            partitions: topic
                .partitions
                .iter()
                .map(|asked| {
                    let max_bytes = asked.partition_max_bytes as usize;
                    state.read(topic.topic, asked.partition, asked.fetch_offset, max_bytes)
                })
                .collect(),
        });
        self.with(&FetchResponse {
            throttle_time_ms: 0,
            error_code: 0,
            session_id: 0,
            responses: topics.collect(),
            node_endpoints: Array::empty(),
        })
    }
}

fn stored_at(index: i32, base_offset: i64) -> PartitionProduceResponse<'static> {
    let error = if base_offset < 0 { ErrorCode::INVALID_RECORD } else { ErrorCode::NONE };
    PartitionProduceResponse {
        index,
        error_code: error.code(),
        base_offset,
        log_append_time_ms: -1,
        log_start_offset: 0,
        record_errors: Array::empty(),
        error_message: None,
        current_leader: produce::LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
    }
}

impl State {
    /// Stores the batch and returns its offset; of a sequence that was stored before, the first offset.
    fn append(&mut self, topic: &str, partition: i32, bytes: &[u8]) -> i64 {
        let Ok(view) = BatchView::parse(bytes) else { return -1 };
        let key = (topic.to_owned(), partition);
        let log = self.logs.entry(key.clone()).or_default();
        let base_offset = log.end;
        if view.has_producer_id() {
            let known = self.sequences.entry((view.producer_id(), key)).or_default();
            if let Some(first) = known.get(&view.base_sequence()) {
                return *first;
            }
            known.insert(view.base_sequence(), base_offset);
        }
        let mut stored = bytes.to_vec();
        stamp(&mut stored, base_offset, 0);
        log.end += i64::from(view.last_offset_delta()) + 1;
        log.batches.push((base_offset, stored));
        self.stored += 1;
        base_offset
    }

    fn has_something_for(&self, request: &FetchRequest<'_>) -> bool {
        request.topics.iter().any(|topic| {
            topic.partitions.iter().any(|asked| {
                let log = self.logs.get(&(topic.topic.to_owned(), asked.partition));
                asked.fetch_offset != log.map_or(0, |log| log.end)
            })
        })
    }

    fn read(
        &self,
        topic: &str,
        partition: i32,
        fetch_offset: i64,
        max_bytes: usize,
    ) -> PartitionData<'static> {
        let nothing = Log::default();
        let log = self.logs.get(&(topic.to_owned(), partition)).unwrap_or(&nothing);
        let first = log.batches.partition_point(|(base_offset, bytes)| {
            base_offset + i64::from(BatchView::parse(bytes).map_or(0, |view| view.last_offset_delta()))
                < fetch_offset
        });
        let mut bytes = Vec::new();
        for (_, batch) in &log.batches[first..] {
            if !bytes.is_empty() && bytes.len() + batch.len() > max_bytes {
                break;
            }
            bytes.extend_from_slice(batch);
        }
        let error = if fetch_offset > log.end { ErrorCode::OFFSET_OUT_OF_RANGE } else { ErrorCode::NONE };
        partition_data(partition, error, log.end, bytes)
    }
}

pub fn partition_data(
    partition_index: i32,
    error: ErrorCode,
    log_end_offset: i64,
    records: Vec<u8>,
) -> PartitionData<'static> {
    debug_assert!(batches(&records).all(|batch| batch.is_ok()), "only whole batches are kept");
    PartitionData {
        partition_index,
        error_code: error.code(),
        high_watermark: log_end_offset,
        last_stable_offset: log_end_offset,
        log_start_offset: 0,
        diverging_epoch: EpochEndOffset { epoch: -1, end_offset: -1 },
        current_leader: LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
        snapshot_id: SnapshotId { end_offset: -1, epoch: -1 },
        aborted_transactions: None,
        preferred_read_replica: -1,
        records: Some(Records::Pieces(vec![Piece::Bytes(Bytes::from(records))])),
    }
}
