//! DescribeGroups (key 15), versions 0-6: classic groups with their members.
//!
//! v3 authorized operations (KIP-430); v4 instance ids (KIP-345); v5 flexible; v6 a group that is not there is GROUP_ID_NOT_FOUND
//! (KIP-1043); before, it is without an error, and Dead.

use protocol::error_code::ErrorCode;
use protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup as Row, DescribedGroupMember,
};
use protocol::{Message, Piece, Reader};

use super::cluster_view::{GROUP_OPERATIONS, OPERATIONS_NOT_ASKED};
use super::group_requests::{ask_all, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::group::{DescribedGroup, DescribedMember, GroupAnswer, GroupAsk, GroupReply};

const NOT_FOUND_SINCE: i16 = 6;
const DEAD: &str = "Dead";

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DescribeGroupsRequest::decode(reader, info.version) else {
        return Outcome::Close("a DescribeGroups request that cannot be read");
    };
    let group_ids: Vec<String> = request.groups.iter().map(str::to_owned).collect();
    let operations =
        if request.include_authorized_operations { GROUP_OPERATIONS } else { OPERATIONS_NOT_ASKED };
    let named = group_ids.iter().filter(|group_id| !group_id.is_empty());
    let asks = named.map(|group_id| GroupAsk::Describe { group_id: group_id.clone() }).collect();
    ask_all(info, asks, move |_, info, replies| respond(info, &group_ids, operations, replies))
}

fn respond(info: RequestInfo, group_ids: &[String], operations: i32, replies: Vec<GroupReply>) -> Vec<Piece> {
    let mut replies = replies.into_iter();
    let described: Vec<Result<DescribedGroup, ErrorCode>> = group_ids
        .iter()
        .map(|group_id| {
            if group_id.is_empty() {
                return Err(ErrorCode::INVALID_GROUP_ID);
            }
            match replies.next().expect("every group with a name was asked") {
                Ok(GroupAnswer::Described(group)) => Ok(group),
                Ok(other) => mismatch(&other),
                Err(error) => Err(error),
            }
        })
        .collect();
    let rows = group_ids.iter().zip(&described).map(|(group_id, described)| match described {
        Ok(group) => described_row(group_id, operations, group),
        Err(error) => failed_row(info, group_id, *error),
    });
    answer(info, &DescribeGroupsResponse { groups: rows.collect(), ..Default::default() })
}

fn described_row<'a>(group_id: &'a str, operations: i32, group: &'a DescribedGroup) -> Row<'a> {
    Row {
        group_id,
        group_state: group.state,
        protocol_type: &group.protocol_type,
        protocol_data: &group.protocol_name,
        members: group.members.iter().map(member_row).collect(),
        authorized_operations: operations,
        ..Default::default()
    }
}

fn member_row(member: &DescribedMember) -> DescribedGroupMember<'_> {
    DescribedGroupMember {
        member_id: &member.member_id,
        group_instance_id: member.group_instance_id.as_deref(),
        client_id: &member.client.client_id,
        client_host: &member.client.client_host,
        member_metadata: &member.metadata,
        member_assignment: &member.assignment,
    }
}

fn failed_row(info: RequestInfo, group_id: &str, error: ErrorCode) -> Row<'_> {
    let is_missing = error == ErrorCode::GROUP_ID_NOT_FOUND;
    let (error, message) = match (is_missing, info.version >= NOT_FOUND_SINCE) {
        (true, false) => (ErrorCode::NONE, None),
        (true, true) => (error, Some("there is no classic group of this id")),
        (false, _) => (error, None),
    };
    let group_state = if is_missing { DEAD } else { "" };
    Row { error_code: error as i16, error_message: message, group_id, group_state, ..Default::default() }
}
