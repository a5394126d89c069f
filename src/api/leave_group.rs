//! LeaveGroup (key 13), versions 0-5.
//!
//! v3 several members at once, static ones by their instance id, each with its own error (KIP-345); before: one member, whose error is
//! that of the request; v4 flexible; v5 reasons, which are only told to the log (KIP-800).

use protocol::error_code::ErrorCode;
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};
use protocol::{Message, Piece, Reader};

use super::group_requests::{ask, check_group_id, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply, LeaveAsk, LeavingMember};

const SEVERAL_SINCE: i16 = 3;

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = LeaveGroupRequest::decode(reader, info.version) else {
        return Outcome::Close("a LeaveGroup request that cannot be read");
    };
    if let Err(error) = check_group_id(request.group_id) {
        return Outcome::Answer(respond(info, &[], Err(error)));
    }
    let members: Vec<LeavingMember> = if info.version >= SEVERAL_SINCE {
        let leaving = request.members.iter().map(|member| LeavingMember {
            member_id: member.member_id.to_owned(),
            group_instance_id: member.group_instance_id.map(str::to_owned),
            reason: member.reason.map(str::to_owned),
        });
        leaving.collect()
    } else {
        vec![LeavingMember { member_id: request.member_id.to_owned(), group_instance_id: None, reason: None }]
    };
    let leave = LeaveAsk { group_id: request.group_id.to_owned(), members: members.clone() };
    ask(info, GroupAsk::Leave(leave), move |_, info, reply| respond(info, &members, reply))
}

fn respond(info: RequestInfo, members: &[LeavingMember], reply: GroupReply) -> Vec<Piece> {
    let errors = match reply {
        Ok(GroupAnswer::Left(errors)) => errors,
        Ok(other) => mismatch(&other),
        Err(error) => {
            return answer(info, &LeaveGroupResponse { error_code: error as i16, ..Default::default() });
        }
    };
    if info.version < SEVERAL_SINCE {
        let error = errors.first().copied().unwrap_or(ErrorCode::NONE);
        return answer(info, &LeaveGroupResponse { error_code: error as i16, ..Default::default() });
    }
    let rows = members.iter().zip(errors).map(|(member, error)| MemberResponse {
        member_id: &member.member_id,
        group_instance_id: member.group_instance_id.as_deref(),
        error_code: error as i16,
    });
    answer(info, &LeaveGroupResponse { members: rows.collect(), ..Default::default() })
}
