//! SyncGroup (key 14), versions 0-5.
//!
//! Behaviour: the leader's request brings the assignment of all; the answers to all come when that is recorded.
//!
//! v3 static members (KIP-345); v4 flexible; v5 protocol type and name, which must be there (KIP-559).

use bytes::Bytes;
use protocol::error_code::ErrorCode;
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use protocol::{Message, Piece, Reader};

use super::group_requests::{ask, check_group_id, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::GenerationId;
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply, SyncAsk};

const PROTOCOL_SINCE: i16 = 5;

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = SyncGroupRequest::decode(reader, info.version) else {
        return Outcome::Close("a SyncGroup request that cannot be read");
    };
    match sync_ask(info, &request) {
        Ok(sync) => ask(info, GroupAsk::Sync(sync), |_, info, reply| respond(info, reply)),
        Err(error) => Outcome::Answer(respond(info, Err(error))),
    }
}

/// Errors: INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID.
fn sync_ask(info: RequestInfo, request: &SyncGroupRequest<'_>) -> Result<SyncAsk, ErrorCode> {
    let has_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if info.version >= PROTOCOL_SINCE && !has_protocol {
        return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    check_group_id(request.group_id)?;
    let assignments = request.assignments.iter();
    Ok(SyncAsk {
        group_id: request.group_id.to_owned(),
        generation_id: GenerationId(request.generation_id),
        member_id: request.member_id.to_owned(),
        group_instance_id: request.group_instance_id.map(str::to_owned),
        protocol_type: request.protocol_type.map(str::to_owned),
        protocol_name: request.protocol_name.map(str::to_owned),
        assignments: assignments
            .map(|of| (of.member_id.to_owned(), Bytes::copy_from_slice(of.assignment)))
            .collect(),
    })
}

fn respond(info: RequestInfo, reply: GroupReply) -> Vec<Piece> {
    match &reply {
        Ok(GroupAnswer::Sync(synced)) => {
            let response = SyncGroupResponse {
                protocol_type: synced.protocol_type.as_deref(),
                protocol_name: synced.protocol_name.as_deref(),
                assignment: &synced.assignment,
                ..Default::default()
            };
            answer(info, &response)
        }
        Ok(other) => mismatch(other),
        Err(error) => answer(info, &SyncGroupResponse { error_code: *error as i16, ..Default::default() }),
    }
}
