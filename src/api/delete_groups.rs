//! DeleteGroups (key 42), versions 0-3: groups without members go, with their offsets.
//!
//! v2 flexible; v3 messages beside errors.

use protocol::error_code::ErrorCode;
use protocol::messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};
use protocol::{Message, Piece, Reader};

use super::group_requests::{ask_all, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply};

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DeleteGroupsRequest::decode(reader, info.version) else {
        return Outcome::Close("a DeleteGroups request that cannot be read");
    };
    let mut group_ids: Vec<String> = request.groups_names.iter().map(str::to_owned).collect();
    group_ids.sort();
    group_ids.dedup();
    let asks = group_ids.iter().map(|group_id| GroupAsk::Delete { group_id: group_id.clone() }).collect();
    ask_all(info, asks, move |_, info, replies| respond(info, &group_ids, &replies))
}

fn respond(info: RequestInfo, group_ids: &[String], replies: &[GroupReply]) -> Vec<Piece> {
    let rows = group_ids.iter().zip(replies).map(|(group_id, reply)| {
        let (error, error_message) = match reply {
            Ok(GroupAnswer::Deleted) => (ErrorCode::NONE, None),
            Ok(other) => mismatch(other),
            Err(error) => (*error, Some(error.name())),
        };
        DeletableGroupResult { group_id, error_code: error as i16, error_message }
    });
    answer(info, &DeleteGroupsResponse { results: rows.collect(), ..Default::default() })
}
