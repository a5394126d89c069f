//! JoinGroup (key 11), versions 0-9.
//!
//! Behaviour: the answer comes when all members of the group have joined, or their time is over. It tells the leader who the members
//! are, and everybody who leads.
//!
//! v1 rebalance timeout; v4 MEMBER_ID_REQUIRED (KIP-394); v5 static members (KIP-345); v6 flexible; v7 protocol type (KIP-559);
//! v8 a reason, which is only told to the log (KIP-800); v9 a static leader that comes back may be told to keep the assignment (KIP-814).

use bytes::Bytes;
use protocol::error_code::ErrorCode;
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use protocol::{Message, Piece, Reader};

use super::group_requests::{ask, check_group_id, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::group::{
    GroupAnswer, GroupAsk, GroupClient, GroupReply, JoinAnswer, JoinAsk, JoinProtocol,
};

const MEMBER_ID_REQUIRED_SINCE: i16 = 4;
const NO_PROTOCOL_SINCE: i16 = 7;
const SKIP_ASSIGNMENT_SINCE: i16 = 9;

pub fn handle(
    context: &ApiContext<'_>,
    info: RequestInfo,
    client_id: Option<&str>,
    reader: &mut Reader<'_>,
) -> Outcome {
    let Ok(request) = JoinGroupRequest::decode(reader, info.version) else {
        return Outcome::Close("a JoinGroup request that cannot be read");
    };
    let member_id = request.member_id.to_owned();
    match join_ask(context, info, client_id, &request) {
        Ok(join) => ask(info, GroupAsk::Join(join), move |_, info, reply| respond(info, &member_id, reply)),
        Err(error) => Outcome::Answer(respond(info, &member_id, Err(error))),
    }
}

/// Errors: INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT.
fn join_ask(
    context: &ApiContext<'_>,
    info: RequestInfo,
    client_id: Option<&str>,
    request: &JoinGroupRequest<'_>,
) -> Result<JoinAsk, ErrorCode> {
    check_group_id(request.group_id)?;
    let groups = &context.config.groups;
    let allowed = groups.session_timeout_ms_min..=groups.session_timeout_ms_max;
    let session_timeout_ms = u32::try_from(request.session_timeout_ms)
        .ok()
        .filter(|timeout_ms| allowed.contains(timeout_ms))
        .ok_or(ErrorCode::INVALID_SESSION_TIMEOUT)?;
    if let Some(reason) = request.reason {
        tracing::debug!(group_id = request.group_id, member_id = request.member_id, reason, "a member joins");
    }
    let protocols = request.protocols.iter().map(|protocol| JoinProtocol {
        name: protocol.name.to_owned(),
        metadata: Bytes::copy_from_slice(protocol.metadata),
    });
    Ok(JoinAsk {
        client: GroupClient {
            client_id: client_id.unwrap_or_default().to_owned(),
            client_host: format!("/{}", context.peer),
        },
        group_id: request.group_id.to_owned(),
        session_timeout_ms,
        // Version 0 has none, and no time at all is none either.
        rebalance_timeout_ms: u32::try_from(request.rebalance_timeout_ms).unwrap_or(session_timeout_ms),
        member_id: request.member_id.to_owned(),
        group_instance_id: request.group_instance_id.map(str::to_owned),
        protocol_type: request.protocol_type.to_owned(),
        protocols: protocols.collect(),
        must_know_member_id: info.version >= MEMBER_ID_REQUIRED_SINCE,
        may_skip_assignment: info.version >= SKIP_ASSIGNMENT_SINCE,
    })
}

fn respond(info: RequestInfo, member_id: &str, reply: GroupReply) -> Vec<Piece> {
    let joined = match reply {
        Ok(GroupAnswer::Join(joined)) => joined,
        Ok(other) => mismatch(&other),
        Err(error) => return answer(info, &refused(info, member_id, error)),
    };
    let JoinAnswer { error, generation_id, protocol_type, protocol_name, leader, .. } = &joined;
    let members = joined.members.iter().map(|member| JoinGroupResponseMember {
        member_id: &member.member_id,
        group_instance_id: member.group_instance_id.as_deref(),
        metadata: &member.metadata,
    });
    let response = JoinGroupResponse {
        error_code: *error as i16,
        generation_id: generation_id.0,
        protocol_type: protocol_type.as_deref(),
        protocol_name: protocol(info, protocol_name.as_deref()),
        leader,
        skip_assignment: joined.skip_assignment,
        member_id: &joined.member_id,
        members: members.collect(),
        ..Default::default()
    };
    answer(info, &response)
}

fn refused<'a>(info: RequestInfo, member_id: &'a str, error: ErrorCode) -> JoinGroupResponse<'a> {
    let protocol_name = protocol(info, None);
    JoinGroupResponse { error_code: error as i16, member_id, protocol_name, ..Default::default() }
}

fn protocol(info: RequestInfo, name: Option<&str>) -> Option<&str> {
    if info.version >= NO_PROTOCOL_SINCE { name } else { Some(name.unwrap_or_default()) }
}
