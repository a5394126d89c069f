//! LeaveGroup: members go, or are sent away by an administrator.

use protocol::error_code::ErrorCode;

use super::{ClassicGroup, ClassicState, Turn};
use crate::coordinator::Ticket;
use crate::model::group::{GroupAnswer, LeaveAsk, LeavingMember};

impl ClassicGroup {
    /// Each member's errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    pub fn leave(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, ask: &LeaveAsk) {
        let (mut members, mut pending) = (0, 0);
        let mut errors = Vec::with_capacity(ask.members.len());
        for leaving in &ask.members {
            match self.who_leaves(leaving) {
                Ok(member_id) => {
                    let reason = leaving.reason.as_deref().unwrap_or("not told");
                    tracing::debug!(group_id = self.group_id, member_id, reason, "a member leaves");
                    self.refuse_asks_of(turn, &member_id, ErrorCode::UNKNOWN_MEMBER_ID);
                    match self.remove(&member_id) {
                        Some(_) => members += 1,
                        None => pending += 1,
                    }
                    errors.push(ErrorCode::NONE);
                }
                Err(error) => errors.push(error),
            }
        }
        turn.decision.answer(ticket, Ok(GroupAnswer::Left(errors)));
        // An id that was given and not used can hold up a rebalance, but is no reason for one.
        if members > 0 || (pending > 0 && self.state == ClassicState::PreparingRebalance) {
            self.on_member_gone(turn);
        }
    }

    fn who_leaves(&self, leaving: &LeavingMember) -> Result<String, ErrorCode> {
        let LeavingMember { member_id, group_instance_id, .. } = leaving;
        if member_id.is_empty() {
            let known =
                group_instance_id.as_ref().and_then(|instance_id| self.static_members.get(instance_id));
            return known.cloned().ok_or(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if !self.pending_joins.contains_key(member_id) {
            self.check_member(member_id, group_instance_id.as_deref())?;
        }
        Ok(member_id.clone())
    }
}
