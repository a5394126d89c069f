//! A rebalance from its beginning to the answers of all who joined, and the times that end it.

use bytes::Bytes;
use protocol::error_code::ErrorCode;

use super::{ClassicGroup, ClassicState, JoinDeadline, Turn};
use crate::model::group::{GroupAnswer, JoinedMember};
use crate::model::{GenerationId, Instant};

impl ClassicGroup {
    /// The members are not what they were: all must join again. While they do so already, that may be over now.
    pub(super) fn rebalance_or_go_on(&mut self, turn: &mut Turn<'_, '_>) {
        if self.state == ClassicState::PreparingRebalance {
            self.maybe_complete_join(turn);
        } else {
            self.begin_rebalance(turn);
        }
    }

    /// A member, or one that was to come, is no more.
    pub(super) fn on_member_gone(&mut self, turn: &mut Turn<'_, '_>) {
        match self.state {
            ClassicState::Empty => {}
            ClassicState::PreparingRebalance => self.maybe_complete_join(turn),
            ClassicState::CompletingRebalance | ClassicState::Stable => self.begin_rebalance(turn),
        }
    }

    pub(super) fn begin_rebalance(&mut self, turn: &mut Turn<'_, '_>) {
        if self.state == ClassicState::CompletingRebalance {
            self.members.values_mut().for_each(|member| member.assignment = Bytes::new());
            self.answer_syncs(turn, Err(ErrorCode::REBALANCE_IN_PROGRESS));
        }
        self.sync_deadline = None;
        let is_initial = self.state == ClassicState::Empty;
        self.set_state(turn, ClassicState::PreparingRebalance);
        let now = turn.view.now.instant;
        if is_initial {
            let delay_ms = turn.view.config.groups.initial_rebalance_delay_ms;
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms);
            let at = now.after_ms(u64::from(delay_ms));
            self.new_member_came = false;
            self.join_deadline = Some(JoinDeadline::Initial { at, delay_ms, remaining_ms });
        } else if self.waits_for_joins() {
            let at = now.after_ms(u64::from(self.rebalance_timeout_ms()));
            self.join_deadline = Some(JoinDeadline::Rebalance { at });
        } else {
            self.complete_join(turn);
        }
    }

    /// All are here: go on, unless the group is new and more may come.
    fn maybe_complete_join(&mut self, turn: &mut Turn<'_, '_>) {
        if self.previous != ClassicState::Empty && !self.waits_for_joins() {
            self.complete_join(turn);
        }
    }

    fn on_join_deadline(&mut self, turn: &mut Turn<'_, '_>) {
        match self.join_deadline {
            Some(JoinDeadline::Initial { delay_ms, remaining_ms, .. })
                if self.new_member_came && remaining_ms != 0 =>
            {
                self.new_member_came = false;
                let longer_ms = turn.view.config.groups.initial_rebalance_delay_ms.min(remaining_ms);
                self.join_deadline = Some(JoinDeadline::Initial {
                    at: turn.view.now.instant.after_ms(u64::from(longer_ms)),
                    delay_ms: longer_ms,
                    remaining_ms: remaining_ms.saturating_sub(delay_ms),
                });
            }
            _ => self.complete_join(turn),
        }
    }

    /// Whoever has not joined is out, unless it is static; the others are told of each other.
    fn complete_join(&mut self, turn: &mut Turn<'_, '_>) {
        self.join_deadline = None;
        let late: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| member.joining.is_none() && !member.is_static())
            .map(|(member_id, _)| member_id.clone())
            .collect();
        for member_id in late {
            self.remove(&member_id);
        }
        if !self.members.is_empty() && !self.elect_leader_who_joined() {
            // Nobody has joined: their sessions will end, or they will come.
            let at = turn.view.now.instant.after_ms(u64::from(self.rebalance_timeout_ms()));
            self.join_deadline = Some(JoinDeadline::Rebalance { at });
            return;
        }
        self.generation_id = GenerationId(self.generation_id.0.wrapping_add(1).max(0));
        self.pending_syncs.clear();
        if self.members.is_empty() {
            self.protocol_name = None;
            self.leader = None;
            self.find_subscribed_topics();
            self.set_state(turn, ClassicState::Empty);
            turn.decision.records.push(self.record());
            return;
        }
        self.protocol_name = self.vote();
        self.find_subscribed_topics();
        self.set_state(turn, ClassicState::CompletingRebalance);
        self.answer_joins(turn);
        let timeout_ms = u64::from(self.rebalance_timeout_ms());
        self.sync_deadline = Some(turn.view.now.instant.after_ms(timeout_ms));
    }

    fn answer_joins(&mut self, turn: &mut Turn<'_, '_>) {
        let member_ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in member_ids {
            let members = if self.is_leader(&member_id) { self.members_for_leader() } else { Vec::new() };
            let answer = self.joined(&member_id, members);
            let member = self.members.get_mut(&member_id).expect("its key was just listed");
            member.is_new = false;
            member.knows_its_id = true;
            if let Some(ticket) = member.joining.take() {
                turn.decision.answer(ticket, Ok(GroupAnswer::Join(answer)));
            }
            self.renew_session(turn.view, &member_id);
            self.pending_syncs.insert(member_id);
        }
    }

    /// The leader stays if it has joined. Else the first who has.
    fn elect_leader_who_joined(&mut self) -> bool {
        let has_joined =
            |member_id: &String| self.members.get(member_id).is_some_and(|member| member.joining.is_some());
        if !self.leader.as_ref().is_some_and(has_joined) {
            let first = self.members.keys().find(|member_id| has_joined(member_id)).cloned();
            if first.is_none() {
                return false;
            }
            self.leader = first;
        }
        true
    }

    pub(super) fn members_for_leader(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(member_id, member)| JoinedMember {
            member_id: member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: member.metadata(protocol),
        });
        members.collect()
    }

    /// Whatever is due happens.
    pub fn on_time(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.view.now.instant;
        self.expire_sessions(turn, now);
        if self.join_deadline.is_some_and(|mut deadline| *deadline.at() <= now) {
            self.on_join_deadline(turn);
        }
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.on_sync_deadline(turn);
        }
    }

    fn expire_sessions(&mut self, turn: &mut Turn<'_, '_>, now: Instant) {
        let pending_before = self.pending_joins.len();
        self.pending_joins.retain(|_, deadline| *deadline > now);
        let mut gone = pending_before > self.pending_joins.len();
        let silent: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| member.session_deadline <= now)
            .map(|(member_id, _)| member_id.clone())
            .collect();
        let mut members_gone = false;
        for member_id in silent {
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            if !member.is_new && (member.joining.is_some() || member.syncing.is_some()) {
                self.renew_session(turn.view, &member_id);
                continue;
            }
            tracing::debug!(group_id = self.group_id, member_id, "a member was silent for too long");
            self.refuse_asks_of(turn, &member_id, ErrorCode::UNKNOWN_MEMBER_ID);
            self.remove(&member_id);
            members_gone = true;
        }
        // Ids that were given and not used hold up a rebalance, but do not begin one.
        gone &= self.state == ClassicState::PreparingRebalance;
        if members_gone || gone {
            self.on_member_gone(turn);
        }
    }

    /// Members that never asked for their assignment are out.
    fn on_sync_deadline(&mut self, turn: &mut Turn<'_, '_>) {
        self.sync_deadline = None;
        if self.pending_syncs.is_empty() || self.state == ClassicState::PreparingRebalance {
            return;
        }
        for member_id in std::mem::take(&mut self.pending_syncs) {
            self.refuse_asks_of(turn, &member_id, ErrorCode::UNKNOWN_MEMBER_ID);
            self.remove(&member_id);
        }
        self.begin_rebalance(turn);
    }
}
