//! FindCoordinator (key 10), versions 0-6.
//!
//! Behaviour: this broker coordinates every group, transaction and share group. Keys are not looked at, empty ones neither, but
//! for those of share groups.
//!
//! v1 transactions; v3 flexible; v4 several keys at once (KIP-699); v5 behaviour only; v6 share groups, by a key
//! GROUP_ID:TOPIC_ID:PARTITION (KIP-932).

use protocol::error_code::ErrorCode;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::{Message, Reader, Uuid};

use super::cluster_view::{self, BrokerAddress};
use super::{ApiContext, Outcome, RequestInfo, answer};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

const SHARE_SINCE: i16 = 6;
const SEVERAL_KEYS_SINCE: i16 = 4;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = FindCoordinatorRequest::decode(reader, info.version) else {
        return Outcome::Close("a FindCoordinator request that cannot be read");
    };
    let address = cluster_view::own_address(context);
    let find = |key: &str| find(info, request.key_type, key, address);
    let response = if info.version >= SEVERAL_KEYS_SINCE {
        let coordinators = request.coordinator_keys.iter().map(|key| {
            let Found { error, message, node_id, host, port } = find(key);
            let error_message = Some(message.unwrap_or_default());
            Coordinator { key, node_id, host, port, error_code: error as i16, error_message }
        });
        FindCoordinatorResponse { coordinators: coordinators.collect(), ..Default::default() }
    } else {
        let Found { error, message, node_id, host, port } = find(request.key);
        let error_message = Some(message.unwrap_or("NONE"));
        FindCoordinatorResponse {
            error_code: error as i16,
            error_message,
            node_id,
            host,
            port,
            ..Default::default()
        }
    };
    Outcome::Answer(answer(info, &response))
}

struct Found<'a> {
    error: ErrorCode,
    message: Option<&'static str>,
    node_id: i32,
    host: &'a str,
    port: i32,
}

fn find<'a>(info: RequestInfo, key_type: i8, key: &str, address: Option<BrokerAddress<'a>>) -> Found<'a> {
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
