//! ListGroups (key 16), versions 0-5: all groups of all coordinators of this broker.
//!
//! v3 flexible; v4 states and a filter of them (KIP-518); v5 types and a filter of them (KIP-848).

use protocol::error_code::ErrorCode;
use protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup as Row};
use protocol::{Message, Piece, Reader};

use super::group_requests::{ask_all, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply, ListAsk, ListedGroup};

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = ListGroupsRequest::decode(reader, info.version) else {
        return Outcome::Close("a ListGroups request that cannot be read");
    };
    let list = ListAsk {
        states: request.states_filter.iter().map(str::to_owned).collect(),
        types: request.types_filter.iter().map(str::to_owned).collect(),
    };
    ask_all(info, vec![GroupAsk::List(list)], |_, info, replies| respond(info, replies))
}

/// One coordinator that cannot say makes the list incomplete: then there is none.
fn respond(info: RequestInfo, replies: Vec<GroupReply>) -> Vec<Piece> {
    let mut groups: Vec<ListedGroup> = Vec::new();
    for reply in replies {
        match reply {
            Ok(GroupAnswer::Listed(listed)) => groups.extend(listed),
            Ok(other) => mismatch(&other),
            Err(error) => return refuse(info, error),
        }
    }
    groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
    let rows = groups.iter().map(|group| Row {
        group_id: &group.group_id,
        protocol_type: &group.protocol_type,
        group_state: group.state,
        group_type: group.group_type,
    });
    answer(info, &ListGroupsResponse { groups: rows.collect(), ..Default::default() })
}

fn refuse(info: RequestInfo, error: ErrorCode) -> Vec<Piece> {
    answer(info, &ListGroupsResponse { error_code: error as i16, ..Default::default() })
}
