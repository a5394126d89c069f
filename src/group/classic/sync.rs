//! SyncGroup and Heartbeat: the leader's assignment is recorded and handed out; members say that they live.

use bytes::Bytes;
use protocol::error_code::ErrorCode;

use super::{ClassicGroup, ClassicState, Turn};
use crate::coordinator::Ticket;
use crate::model::group::{GroupAnswer, HeartbeatAsk, SyncAsk};

impl ClassicGroup {
    /// Answers, or keeps the ticket until the leader has assigned.
    ///
    /// Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, REBALANCE_IN_PROGRESS.
    pub fn sync(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, ask: SyncAsk) {
        if let Err(error) = self.check_sync(&ask) {
            turn.decision.answer(ticket, Err(error));
            return;
        }
        self.pending_syncs.remove(&ask.member_id);
        if self.pending_syncs.is_empty() {
            self.sync_deadline = None;
        }
        let Some(member) = self.members.get_mut(&ask.member_id) else { return };
        if self.state == ClassicState::Stable {
            let assignment = member.assignment.clone();
            let answer = self.sync_answer(assignment);
            turn.decision.answer(ticket, Ok(GroupAnswer::Sync(answer)));
            return;
        }
        if let Some(earlier) = member.syncing.replace(ticket) {
            turn.decision.answer(earlier, Err(ErrorCode::REBALANCE_IN_PROGRESS));
        }
        if self.is_leader(&ask.member_id) {
            self.assign(turn, ask.assignments);
        }
    }

    fn check_sync(&self, ask: &SyncAsk) -> Result<(), ErrorCode> {
        self.check_member(&ask.member_id, ask.group_instance_id.as_deref())?;
        if ask.generation_id != self.generation_id {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs = |asked: &Option<String>, own: &Option<String>| asked.is_some() && asked != own;
        if differs(&ask.protocol_type, &self.protocol_type)
            || differs(&ask.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match self.state {
            ClassicState::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            ClassicState::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            ClassicState::CompletingRebalance | ClassicState::Stable => Ok(()),
        }
    }

    /// Whoever the leader left out has nothing.
    fn assign(&mut self, turn: &mut Turn<'_, '_>, assignments: Vec<(String, Bytes)>) {
        self.members.values_mut().for_each(|member| member.assignment = Bytes::new());
        for (member_id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&member_id) {
                member.assignment = assignment;
            }
        }
        self.set_state(turn, ClassicState::Stable);
        turn.decision.records.push(self.record());
        self.answer_syncs(turn, Ok(()));
    }

    /// Everybody who waits for an assignment gets it, or the error.
    pub(super) fn answer_syncs(&mut self, turn: &mut Turn<'_, '_>, result: Result<(), ErrorCode>) {
        let waiting: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| member.syncing.is_some())
            .map(|(member_id, _)| member_id.clone())
            .collect();
        for member_id in waiting {
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            let Some(ticket) = member.syncing.take() else { continue };
            let assignment = member.assignment.clone();
            let answer = result.map(|()| GroupAnswer::Sync(self.sync_answer(assignment)));
            turn.decision.answer(ticket, answer);
            self.renew_session(turn.view, &member_id);
        }
    }

    /// Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
    pub fn heartbeat(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, ask: &HeartbeatAsk) {
        let result = self.hear(turn, ask);
        turn.decision.answer(ticket, result.map(|()| GroupAnswer::HeartbeatHeard));
    }

    fn hear(&mut self, turn: &Turn<'_, '_>, ask: &HeartbeatAsk) -> Result<(), ErrorCode> {
        self.check_member(&ask.member_id, ask.group_instance_id.as_deref())?;
        if ask.generation_id != self.generation_id {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        match self.state {
            ClassicState::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            ClassicState::PreparingRebalance => {
                self.renew_session(turn.view, &ask.member_id);
                Err(ErrorCode::REBALANCE_IN_PROGRESS)
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.renew_session(turn.view, &ask.member_id);
                Ok(())
            }
        }
    }
}
