//! Heartbeat (key 12), versions 0-4: a member of a classic group says that it lives, and hears of a rebalance.
//!
//! v3 static members (KIP-345); v4 flexible.

use protocol::error_code::ErrorCode;
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::{Message, Piece, Reader};

use super::group_requests::{ask, check_group_id, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::GenerationId;
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply, HeartbeatAsk};

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = HeartbeatRequest::decode(reader, info.version) else {
        return Outcome::Close("a Heartbeat request that cannot be read");
    };
    if let Err(error) = check_group_id(request.group_id) {
        return Outcome::Answer(respond(info, Err(error)));
    }
    let heartbeat = HeartbeatAsk {
        group_id: request.group_id.to_owned(),
        generation_id: GenerationId(request.generation_id),
        member_id: request.member_id.to_owned(),
        group_instance_id: request.group_instance_id.map(str::to_owned),
    };
    ask(info, GroupAsk::Heartbeat(heartbeat), |_, info, reply| respond(info, reply))
}

fn respond(info: RequestInfo, reply: GroupReply) -> Vec<Piece> {
    let error = match reply {
        Ok(GroupAnswer::HeartbeatHeard) => ErrorCode::NONE,
        Ok(other) => mismatch(&other),
        Err(error) => error,
    };
    answer(info, &HeartbeatResponse { error_code: error as i16, ..Default::default() })
}
