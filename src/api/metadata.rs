//! Metadata (key 3), versions 0-13.
//!
//! Behaviour: brokers under the addresses of the client's listener, and topics: all, or those asked for by name or id, each once.
//! Unknown names are made first if the request and `auto.create.topics.enable` allow it, so the answer already knows them (Kafka's
//! first answer is UNKNOWN_TOPIC_OR_PARTITION).
//!
//! v1 null is all and empty is none (v0: empty is all); v4 the request allows creation (before: always allowed); v8-10 the operations
//! that the cluster grants, v8+ those of topics (KIP-430); v9 flexible; v10 topic ids (KIP-516); v12 topics asked for by id alone;
//! v13 an error of the whole.
//!
//! Not here: topics that brokers keep for themselves are never made by asking.

use std::collections::BTreeSet;

use protocol::error_code::ErrorCode;
use protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use protocol::{Message, Piece, Reader, Uuid};

use super::cluster_view::{
    self, BrokerAddress, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, PartitionView, TOPIC_OPERATIONS,
};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::metadata::{is_made_by_brokers, topic_name_problem};
use crate::model::TopicId;
use crate::model::control::{ControlAnswer, ControlRequest, NewTopic};
use crate::model::metadata_image::TopicImage;

const ALL_IS_NULL_SINCE: i16 = 1;
const IDS_ALONE_SINCE: i16 = 12;
/// Before, a partition whose leader has no such listener had no leader.
const LISTENER_NOT_FOUND_SINCE: i16 = 6;

/// What a request is about. Owns it: the answer may have to wait for topics to be made.
struct Asked {
    info: RequestInfo,
    topics: Topics,
    topic_operations: bool,
    cluster_operations: bool,
}

enum Topics {
    All,
    Names(Vec<String>),
    Ids(Vec<TopicId>),
}

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = MetadataRequest::decode(reader, info.version) else {
        return Outcome::Close("a Metadata request that cannot be read");
    };
    let Some(topics) = topics_of(info, &request) else {
        return Outcome::Answer(refuse(info, &request));
    };
    let asked = Asked {
        info,
        topics,
        topic_operations: request.include_topic_authorized_operations,
        cluster_operations: request.include_cluster_authorized_operations,
    };
    let may_create = request.allow_auto_topic_creation && context.config.auto_create_topics;
    let missing = if may_create { asked.missing(context) } else { Vec::new() };
    if missing.is_empty() {
        return Outcome::Answer(asked.respond(context, &BTreeSet::new()));
    }
    Outcome::Control {
        ask: ControlRequest::CreateTopics { topics: missing, validate_only: false },
        respond: Box::new(move |context, created| asked.respond(context, &invalid_names(created))),
    }
}

/// None: the request contradicts itself or its version.
fn topics_of(info: RequestInfo, request: &MetadataRequest<'_>) -> Option<Topics> {
    let topics = match &request.topics {
        None => return Some(Topics::All),
        Some(topics) if topics.is_empty() && info.version < ALL_IS_NULL_SINCE => return Some(Topics::All),
        Some(topics) => topics,
    };
    let has_ids = topics.iter().any(|topic| !topic.topic_id.is_zero());
    if has_ids && info.version < IDS_ALONE_SINCE {
        return None;
    }
    if has_ids {
        // As Kafka: one id makes it a question about ids, and names are not looked at.
        let ids = topics.iter().map(|topic| topic.topic_id).filter(|topic_id| !topic_id.is_zero());
        let mut seen = BTreeSet::new();
        return Some(Topics::Ids(ids.map(|id| TopicId(id.0)).filter(|id| seen.insert(*id)).collect()));
    }
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for topic in topics {
        let name = topic.name?;
        if seen.insert(name) {
            names.push(name.to_owned());
        }
    }
    Some(Topics::Names(names))
}

/// Names that no topic may have, as the control plane found: they look like others, for example.
fn invalid_names(answer: ControlAnswer) -> BTreeSet<String> {
    let ControlAnswer::CreateTopics(created) = answer else { return BTreeSet::new() };
    let invalid =
        created.into_iter().filter(|topic| topic.result.error == ErrorCode::INVALID_TOPIC_EXCEPTION);
    invalid.map(|topic| topic.name).collect()
}

impl Asked {
    /// The topics to make before the answer.
    fn missing(&self, context: &ApiContext<'_>) -> Vec<NewTopic> {
        let Topics::Names(names) = &self.topics else { return Vec::new() };
        let unknown = names.iter().filter(|name| {
            context.image.topic_by_name(name).is_none()
                && topic_name_problem(name).is_none()
                && !is_made_by_brokers(name)
        });
        let with_defaults = |name: &String| NewTopic {
            name: name.clone(),
            partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: Default::default(),
        };
        unknown.map(with_defaults).collect()
    }

    fn respond(&self, context: &ApiContext<'_>, invalid: &BTreeSet<String>) -> Vec<Piece> {
        let image = context.image;
        let unknown_name = |name: &str| {
            let is_invalid = topic_name_problem(name).is_some() || invalid.contains(name);
            if is_invalid {
                ErrorCode::INVALID_TOPIC_EXCEPTION
            } else {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            }
        };
        let topics = match &self.topics {
            Topics::All => image
                .names
                .values()
                .filter_map(|id| image.topic(*id))
                .map(|topic| self.row(context, topic))
                .collect(),
            Topics::Names(names) => names
                .iter()
                .map(|name| match image.topic_by_name(name) {
                    Some(topic) => self.row(context, topic),
                    None => self.unknown(unknown_name(name), Some(name), TopicId::ZERO),
                })
                .collect(),
            Topics::Ids(ids) => ids
                .iter()
                .map(|id| match image.topic(*id) {
                    Some(topic) => self.row(context, topic),
                    None => self.unknown(ErrorCode::UNKNOWN_TOPIC_ID, None, *id),
                })
                .collect(),
        };
        let response = MetadataResponse {
            brokers: cluster_view::brokers(context).map(broker_row).collect(),
            cluster_id: Some(&image.cluster_id),
            controller_id: image.broker_id.0,
            topics,
            cluster_authorized_operations: if self.cluster_operations {
                CLUSTER_OPERATIONS
            } else {
                OPERATIONS_NOT_ASKED
            },
            ..Default::default()
        };
        answer(self.info, &response)
    }

    fn row<'a>(&self, context: &ApiContext<'_>, topic: &'a TopicImage) -> MetadataResponseTopic<'a> {
        let version = self.info.version;
        MetadataResponseTopic {
            error_code: 0,
            name: Some(&topic.name),
            topic_id: Uuid(topic.topic_id.0),
            is_internal: topic.internal,
            partitions: cluster_view::partitions(context, topic, 0)
                .map(|view| partition_row(version, view))
                .collect(),
            topic_authorized_operations: self.topic_operations(),
        }
    }

    fn unknown<'a>(&self, error: ErrorCode, name: Option<&'a str>, id: TopicId) -> MetadataResponseTopic<'a> {
        MetadataResponseTopic {
            error_code: error as i16,
            name,
            topic_id: Uuid(id.0),
            topic_authorized_operations: self.topic_operations(),
            ..Default::default()
        }
    }

    fn topic_operations(&self) -> i32 {
        if self.topic_operations { TOPIC_OPERATIONS } else { OPERATIONS_NOT_ASKED }
    }
}

fn broker_row(broker: BrokerAddress<'_>) -> MetadataResponseBroker<'_> {
    let BrokerAddress { broker_id, host, port, rack } = broker;
    MetadataResponseBroker { node_id: broker_id, host, port, rack }
}

fn partition_row(version: i16, view: PartitionView) -> MetadataResponsePartition<'static> {
    let error = match view.error {
        ErrorCode::LISTENER_NOT_FOUND if version < LISTENER_NOT_FOUND_SINCE => {
            ErrorCode::LEADER_NOT_AVAILABLE
        }
        error => error,
    };
    MetadataResponsePartition {
        error_code: error as i16,
        partition_index: view.index,
        leader_id: view.leader_id,
        leader_epoch: view.leader_epoch,
        replica_nodes: view.replicas.into(),
        isr_nodes: view.isr.into(),
        offline_replicas: view.offline.into(),
    }
}

/// The whole request is refused: every topic says so, and nothing else is told.
fn refuse(info: RequestInfo, request: &MetadataRequest<'_>) -> Vec<Piece> {
    let error_code = ErrorCode::INVALID_REQUEST as i16;
    let rows = request.topics.iter().flatten().map(|topic| MetadataResponseTopic {
        error_code,
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    });
    answer(info, &MetadataResponse { topics: rows.collect(), error_code, ..Default::default() })
}
