//! FindCoordinator (key 10), versions 0-6.
//!
//! Behaviour: this broker coordinates every group, transaction and share group. Keys are not looked at, empty ones neither, but
//! for those of share groups. The first question about a group makes `__consumer_offsets`, so the answer can be used (Kafka's
//! first answer is COORDINATOR_NOT_AVAILABLE).
//!
//! v1 transactions; v3 flexible; v4 several keys at once (KIP-699); v5 behaviour only; v6 share groups, by a key
//! GROUP_ID:TOPIC_ID:PARTITION (KIP-932).

use protocol::error_code::ErrorCode;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::{Message, Piece, Reader, Uuid};

use super::cluster_view::{self, BrokerAddress};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::group::{OFFSETS_TOPIC, new_offsets_topic};
use crate::model::control::ControlRequest;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

const SHARE_SINCE: i16 = 6;
const SEVERAL_KEYS_SINCE: i16 = 4;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = FindCoordinatorRequest::decode(reader, info.version) else {
        return Outcome::Close("a FindCoordinator request that cannot be read");
    };
    let keys = if info.version >= SEVERAL_KEYS_SINCE {
        request.coordinator_keys.iter().map(str::to_owned).collect()
    } else {
        vec![request.key.to_owned()]
    };
    let asked = Asked { info, key_type: request.key_type, keys };
    if asked.key_type != GROUP || context.image.topic_by_name(OFFSETS_TOPIC).is_some() {
        return Outcome::Answer(asked.respond(context));
    }
    let topics = vec![new_offsets_topic(context.config, context.image.brokers.len())];
    Outcome::Control {
        ask: ControlRequest::CreateTopics { topics, validate_only: false },
        // Whether it was made by this request or by another: the image tells.
        respond: Box::new(move |context, _| asked.respond(context)),
    }
}

/// The request. Owned: the answer may have to wait for the topic.
struct Asked {
    info: RequestInfo,
    key_type: i8,
    keys: Vec<String>,
}

impl Asked {
    fn respond(&self, context: &ApiContext<'_>) -> Vec<Piece> {
        let info = self.info;
        let address = cluster_view::own_address(context);
        let has_topic = self.key_type != GROUP || context.image.topic_by_name(OFFSETS_TOPIC).is_some();
        let find = |key: &str| find(info, self.key_type, key, address, has_topic);
        if info.version >= SEVERAL_KEYS_SINCE {
            let coordinators = self.keys.iter().map(|key| {
                let Found { error, message, node_id, host, port } = find(key);
                let error_message = Some(message.unwrap_or_default());
                Coordinator { key, node_id, host, port, error_code: error as i16, error_message }
            });
            let coordinators = coordinators.collect();
            return answer(info, &FindCoordinatorResponse { coordinators, ..Default::default() });
        }
        let key = self.keys.first().expect("these versions have one key");
        let Found { error, message, node_id, host, port } = find(key);
        let response = FindCoordinatorResponse {
            error_code: error as i16,
            error_message: Some(message.unwrap_or("NONE")),
            node_id,
            host,
            port,
            ..Default::default()
        };
        answer(info, &response)
    }
}

struct Found<'a> {
    error: ErrorCode,
    message: Option<&'static str>,
    node_id: i32,
    host: &'a str,
    port: i32,
}

fn find<'a>(
    info: RequestInfo,
    key_type: i8,
    key: &str,
    address: Option<BrokerAddress<'a>>,
    has_topic: bool,
) -> Found<'a> {
    let problem = match key_type {
        GROUP | TRANSACTION => None,
        SHARE if info.version < SHARE_SINCE => Some("share groups are known from version 6 on"),
        SHARE if !is_share_key(key) => Some("a share group's key is GROUP_ID:TOPIC_ID:PARTITION"),
        SHARE => None,
        _ => Some("key types are 0 (group), 1 (transaction) and 2 (share group)"),
    };
    let nowhere = |error, message| Found { error, message: Some(message), node_id: -1, host: "", port: -1 };
    match (problem, address) {
        (Some(problem), _) => nowhere(ErrorCode::INVALID_REQUEST, problem),
        (None, _) if !has_topic => {
            nowhere(ErrorCode::COORDINATOR_NOT_AVAILABLE, "the topic of committed offsets could not be made")
        }
        (None, None) => {
            nowhere(ErrorCode::COORDINATOR_NOT_AVAILABLE, "the broker has no address for this listener")
        }
        (None, Some(BrokerAddress { broker_id, host, port, .. })) => {
            Found { error: ErrorCode::NONE, message: None, node_id: broker_id, host, port }
        }
    }
}

/// The group id may hold colons itself.
fn is_share_key(key: &str) -> bool {
    let mut parts = key.rsplitn(3, ':');
    let (partition, topic_id, group_id) = (parts.next(), parts.next(), parts.next());
    partition.is_some_and(|text| text.parse::<i32>().is_ok())
        && topic_id.is_some_and(|text| text.parse::<Uuid>().is_ok())
        && group_id.is_some_and(|text| !text.trim().is_empty())
}
