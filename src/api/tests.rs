//! Admin requests against the embedded control plane: encoded as a client does, dispatched, decided, answered, decoded.

mod configs;
mod groups;
mod topics;

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::BytesMut;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::{self, RequestHeader};
use protocol::messages::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use protocol::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
use protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::messages::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use protocol::{Array, Message, Piece, Reader, Uuid};

use super::fetch_session::FetchSessions;
use super::{ApiContext, Outcome, dispatch};
use crate::config::{Config, RawConfig};
use crate::metadata::{Controller, Incarnation};
use crate::model::control::{ControlAnswer, ControlError};
use crate::model::metadata_image::{Endpoint, MetadataImage};
use crate::model::{BrokerId, DirectoryId, Instant, Now, ShardId, TopicPartition};

const NOW: Now = Now { instant: Instant(0), wall_ms: 1_795_252_975_881 };
const CORRELATION_ID: i32 = 7;

/// A broker with two listeners and its control plane.
struct World {
    controller: Controller,
    static_config: Arc<Config>,
    config: Config,
    image: Arc<MetadataImage>,
    listener: u16,
    /// The metadata log cannot be written.
    fails: bool,
    offline: BTreeSet<TopicPartition>,
}

impl World {
    fn new(settings: &str) -> World {
        let mut raw = RawConfig::default();
        raw.set_from_properties("listeners=IN://h:9092,OUT://h:9093\nlistener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT\nbroker.rack=r1", "test").unwrap();
        raw.set_from_properties(settings, "test").unwrap();
        let config = Arc::new(Config::validate(&raw).unwrap());
        let (mut controller, _) =
            Controller::replay(&[], "AAAAAAAAAAAAAAAAAAAAAA", BrokerId(1), config.clone(), [7; 16]).unwrap();
        let endpoint = |listener: &str, host: &str, port| Endpoint {
            listener: listener.into(),
            host: host.into(),
            port,
        };
        let incarnation = Incarnation {
            incarnation_id: Uuid([1; 16]),
            directories: vec![DirectoryId([2; 16])],
            endpoints: vec![endpoint("IN", "inside", 9092), endpoint("OUT", "outside", 9093)],
        };
        controller.start(NOW, &incarnation);
        let image = controller.image();
        let dynamic = config.with_dynamic(&image.broker_overrides);
        World {
            controller,
            static_config: config,
            config: dynamic,
            image,
            listener: 0,
            fails: false,
            offline: BTreeSet::new(),
        }
    }

    /// As `new`, with topics of these names and partition counts.
    fn with_topics(topics: &[(&'static str, i32)]) -> World {
        let mut world = World::new("");
        let topics = topics.iter().map(|&(name, count)| new_topic(name, count)).collect();
        let request = CreateTopicsRequest { topics, ..Default::default() };
        let answer: CreateTopicsResponse<'_> = world.ask(ApiKey::CreateTopics, 7, &request);
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0));
        world
    }

    fn context(&self) -> ApiContext<'_> {
        let shard_of = &|_| ShardId(0);
        let World { image, config, listener, offline, .. } = self;
        let peer = IpAddr::from([127, 0, 0, 1]);
        ApiContext { image, config, listener: *listener, peer, now: NOW, shard_of, log_dirs: &[], offline }
    }

    fn begin<'q>(&self, key: ApiKey, version: i16, request: &impl Message<'q>) -> Outcome {
        let header = RequestHeader {
            api_key: key.into(),
            api_version: version,
            correlation_id: CORRELATION_ID,
            client_id: Some("test"),
        };
        let frame = bytes(&frame::encode_request(header, request).unwrap());
        dispatch(&self.context(), &mut FetchSessions::new(ShardId(0), 0), BytesMut::from(&frame[4..]))
    }

    fn ask<'q, R: Message<'static>>(&mut self, key: ApiKey, version: i16, request: &impl Message<'q>) -> R {
        let pieces = match self.begin(key, version, request) {
            Outcome::Answer(pieces) => pieces,
            Outcome::Control { respond, .. } if self.fails => {
                let message = Some("the log cannot be written".to_owned());
                let error = ControlError { error: ErrorCode::KAFKA_STORAGE_ERROR, message };
                respond(&self.context(), ControlAnswer::Failed(error))
            }
            Outcome::Control { ask, respond } => {
                let decision = self.controller.handle(NOW, ask);
                self.image = self.controller.image();
                self.config = self.static_config.with_dynamic(&self.image.broker_overrides);
                respond(&self.context(), decision.answer)
            }
            other => panic!("{key} {version}: {other:?}"),
        };
        let frame: &'static [u8] = Vec::leak(bytes(&pieces));
        let mut reader = Reader::new(&frame[4..]);
        assert_eq!(frame::decode_response_header(&mut reader, key, version), Ok(CORRELATION_ID));
        let response = R::decode(&mut reader, version).unwrap();
        assert_eq!(reader.remaining(), 0, "{key} {version}");
        response
    }
}

fn bytes(pieces: &[Piece]) -> Vec<u8> {
    let bytes = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => bytes.to_vec(),
        Piece::File(_) => panic!("no answer here holds records"),
    };
    pieces.iter().flat_map(bytes).collect()
}

fn new_topic(name: &str, num_partitions: i32) -> CreatableTopic<'_> {
    CreatableTopic { name, num_partitions, replication_factor: -1, ..Default::default() }
}

#[test]
fn every_version_answers_an_empty_request() {
    let mut world = World::with_topics(&[("t", 1)]);
    macro_rules! check {
        ($($api:ident: $request:expr => $response:ty,)*) => {$(
            let range = ApiKey::$api.supported().unwrap();
            for version in range.min..=range.max {
                let _: $response = world.ask(ApiKey::$api, version, &$request);
            }
        )*};
    }
    check! {
        Metadata: MetadataRequest { topics: Some(Array::empty()), ..Default::default() } => MetadataResponse<'_>,
        FindCoordinator: FindCoordinatorRequest::default() => FindCoordinatorResponse<'_>,
        CreateTopics: CreateTopicsRequest::default() => CreateTopicsResponse<'_>,
        DeleteTopics: DeleteTopicsRequest::default() => DeleteTopicsResponse<'_>,
        DescribeConfigs: DescribeConfigsRequest::default() => DescribeConfigsResponse<'_>,
        AlterConfigs: AlterConfigsRequest::default() => AlterConfigsResponse<'_>,
        CreatePartitions: CreatePartitionsRequest::default() => CreatePartitionsResponse<'_>,
        IncrementalAlterConfigs: IncrementalAlterConfigsRequest::default() => IncrementalAlterConfigsResponse<'_>,
        DescribeCluster: DescribeClusterRequest::default() => DescribeClusterResponse<'_>,
        DescribeTopicPartitions: DescribeTopicPartitionsRequest::default() => DescribeTopicPartitionsResponse<'_>,
    }
}

#[test]
fn a_request_that_cannot_be_read_closes_the_connection() {
    let world = World::new("");
    for range in protocol::api_key::SUPPORTED.iter().filter(|range| range.key != ApiKey::ApiVersions) {
        // The first versions of ListGroups have nothing in them that could be missing.
        let min = if range.key == ApiKey::ListGroups { 3 } else { range.min };
        for version in min..=range.max {
            let mut frame = BytesMut::new();
            frame.extend_from_slice(&range.key.key().to_be_bytes());
            frame.extend_from_slice(&version.to_be_bytes());
            frame.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
            let outcome = dispatch(&world.context(), &mut FetchSessions::new(ShardId(0), 0), frame);
            assert!(matches!(outcome, Outcome::Close(_)), "{} {version}: {outcome:?}", range.key);
        }
    }
}

#[test]
fn a_cluster_is_described_by_the_addresses_of_the_listener() {
    for (listener, host, port) in [(0, "inside", 9092), (1, "outside", 9093)] {
        let mut world = World::new("");
        world.listener = listener;
        let request = DescribeClusterRequest::default();
        let answer: DescribeClusterResponse<'_> = world.ask(ApiKey::DescribeCluster, 2, &request);
        assert_eq!((answer.cluster_id, answer.controller_id), ("AAAAAAAAAAAAAAAAAAAAAA", 1));
        let brokers: Vec<_> = answer.brokers.iter().map(|b| (b.broker_id, b.host, b.port, b.rack)).collect();
        assert_eq!(brokers, [(1, host, port, Some("r1"))]);
        assert_eq!(answer.cluster_authorized_operations, i32::MIN);
    }
}

#[test]
fn only_brokers_are_described() {
    let mut world = World::new("");
    for (endpoint_type, error, operations) in [
        (1, ErrorCode::NONE, 8096),
        (2, ErrorCode::MISMATCHED_ENDPOINT_TYPE, i32::MIN),
        (3, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, i32::MIN),
    ] {
        let request = DescribeClusterRequest {
            endpoint_type,
            include_cluster_authorized_operations: true,
            ..Default::default()
        };
        let answer: DescribeClusterResponse<'_> = world.ask(ApiKey::DescribeCluster, 1, &request);
        assert_eq!((answer.error_code, answer.cluster_authorized_operations), (error as i16, operations));
    }
}

#[test]
fn this_broker_coordinates_every_key() {
    let mut world = World::new("");
    let (found, invalid) = ((1, "inside", 9092, 0), (-1, "", -1, ErrorCode::INVALID_REQUEST as i16));
    let share = "a:g:AAAAAAAAAAAAAAAAAAAABA:0";
    for (version, key_type, key, expect) in [
        (0, 0, "g", found),
        (1, 0, "", found),
        (1, 1, "t", found),
        (3, 2, share, invalid),
        (3, 9, "g", invalid),
        (4, 0, "g", found),
        (4, 1, "", found),
        (5, 2, share, invalid),
        (6, 2, share, found),
        (6, 2, "g", invalid),
        (6, 2, "", invalid),
        (6, 2, ":AAAAAAAAAAAAAAAAAAAABA:0", invalid),
        (6, 2, "g:x:0", invalid),
        (6, 2, "g:AAAAAAAAAAAAAAAAAAAABA:", invalid),
        (6, 3, "g", invalid),
        (6, -1, "g", invalid),
    ] {
        let request = if version < 4 {
            FindCoordinatorRequest { key, key_type, ..Default::default() }
        } else {
            FindCoordinatorRequest { key_type, coordinator_keys: vec![key].into(), ..Default::default() }
        };
        let answer: FindCoordinatorResponse<'_> = world.ask(ApiKey::FindCoordinator, version, &request);
        let of = if version < 4 {
            (answer.node_id, answer.host, answer.port, answer.error_code)
        } else {
            let row = answer.coordinators.iter().next().unwrap();
            assert_eq!(row.key, key);
            (row.node_id, row.host, row.port, row.error_code)
        };
        assert_eq!(of, expect, "version {version}, type {key_type}, key {key:?}");
    }
}
