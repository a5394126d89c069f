//! JoinGroup: who is let in, and whether that begins a rebalance.

use bytes::Bytes;
use protocol::error_code::ErrorCode;

use super::{ClassicGroup, ClassicState, Member, Turn, join_refused};
use crate::coordinator::Ticket;
use crate::limits::PENDING_MEMBERS_MAX;
use crate::model::group::{GroupAnswer, JoinAnswer, JoinAsk, SyncAnswer};

/// A new member whose JoinGroup waits for longer than this is given up: its client has long asked again.
const NEW_MEMBER_JOIN_TIMEOUT_MS: u64 = 5 * 60 * 1000;

/// Of a client id or instance id in a member id; a UUID follows. Together they must fit a string of the wire.
const MEMBER_ID_PREFIX_BYTES_MAX: usize = 30_000;
const _: () = assert!(MEMBER_ID_PREFIX_BYTES_MAX + 37 <= protocol::STRING_BYTES_MAX);

impl ClassicGroup {
    /// Answers, or keeps the ticket until the rebalance ends.
    ///
    /// Errors: GROUP_MAX_SIZE_REACHED, INCONSISTENT_GROUP_PROTOCOL, MEMBER_ID_REQUIRED, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    pub fn join(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, ask: JoinAsk) {
        let is_new = ask.member_id.is_empty();
        if !self.has_room_for(turn, &ask.member_id) {
            self.pending_joins.remove(&ask.member_id);
            turn.decision.answer(ticket, join_refused("", ErrorCode::GROUP_MAX_SIZE_REACHED));
        } else if !self.supports(&ask.protocol_type, &ask.protocols) {
            turn.decision
                .answer(ticket, join_refused(&ask.member_id, ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        } else if !is_new {
            self.join_known(turn, ticket, ask);
        } else if ask.group_instance_id.is_some() {
            self.join_new_static(turn, ticket, ask);
        } else if ask.must_know_member_id {
            self.give_member_id(turn, ticket, &ask);
        } else {
            let member_id = new_member_id(turn, &ask);
            self.add(turn, ticket, member_id, ask);
        }
    }

    fn has_room_for(&self, turn: &Turn<'_, '_>, member_id: &str) -> bool {
        let max = turn.view.config.groups.members_max;
        let member = self.members.get(member_id);
        match self.state {
            ClassicState::Empty => true,
            // Whoever has joined already stays; so, where the limit was lowered, those who come too late are out.
            ClassicState::PreparingRebalance => {
                let joining = self.members.values().filter(|member| member.joining.is_some()).count();
                member.is_some_and(|member| member.joining.is_some()) || joining < max
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                member.is_some() || self.members.len() < max
            }
        }
    }

    /// The client is to come back with an id: so that one whose answers get lost does not fill the group with members that nobody is.
    fn give_member_id(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, ask: &JoinAsk) {
        if self.pending_joins.len() >= PENDING_MEMBERS_MAX {
            turn.decision.answer(ticket, join_refused("", ErrorCode::GROUP_MAX_SIZE_REACHED));
            return;
        }
        let member_id = new_member_id(turn, ask);
        turn.decision.answer(ticket, join_refused(&member_id, ErrorCode::MEMBER_ID_REQUIRED));
        let deadline = turn.view.now.instant.after_ms(u64::from(ask.session_timeout_ms));
        self.pending_joins.insert(member_id, deadline);
    }

    fn join_new_static(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, ask: JoinAsk) {
        let member_id = new_member_id(turn, &ask);
        let instance_id = ask.group_instance_id.as_deref().unwrap_or_default();
        match self.static_members.get(instance_id).cloned() {
            Some(replaced) => self.replace_static(turn, ticket, &replaced, member_id, ask),
            None => self.add(turn, ticket, member_id, ask),
        }
    }

    fn add(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, member_id: String, ask: JoinAsk) {
        if self.state == ClassicState::PreparingRebalance && self.previous == ClassicState::Empty {
            self.new_member_came = true;
        }
        if let Some(instance_id) = &ask.group_instance_id {
            self.static_members.insert(instance_id.clone(), member_id.clone());
        }
        if self.members.is_empty() {
            self.protocol_type = Some(ask.protocol_type);
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        let member = Member {
            client: ask.client,
            group_instance_id: ask.group_instance_id,
            session_timeout_ms: ask.session_timeout_ms,
            rebalance_timeout_ms: ask.rebalance_timeout_ms,
            protocols: ask.protocols,
            assignment: Bytes::new(),
            joining: Some(ticket),
            syncing: None,
            is_new: true,
            knows_its_id: self.pending_joins.remove(&member_id).is_some(),
            session_deadline: turn.view.now.instant.after_ms(NEW_MEMBER_JOIN_TIMEOUT_MS),
        };
        self.members.insert(member_id, member);
        self.rebalance_or_go_on(turn);
    }

    /// Somebody who has an id already.
    fn join_known(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, ask: JoinAsk) {
        let member_id = ask.member_id.clone();
        if self.pending_joins.contains_key(&member_id) {
            if ask.group_instance_id.is_some() {
                turn.decision.answer(ticket, join_refused(&member_id, ErrorCode::UNKNOWN_MEMBER_ID));
            } else {
                self.add(turn, ticket, member_id, ask);
            }
            return;
        }
        if let Err(error) = self.check_member(&member_id, ask.group_instance_id.as_deref()) {
            turn.decision.answer(ticket, join_refused(&member_id, error));
            return;
        }
        let same = self.members.get(&member_id).is_some_and(|member| member.protocols == ask.protocols);
        match self.state {
            // It may have missed the answer to its JoinGroup.
            ClassicState::CompletingRebalance if same => {
                let members = if self.is_leader(&member_id) { self.members_for_leader() } else { Vec::new() };
                let answer = self.joined(&member_id, members);
                turn.decision.answer(ticket, Ok(GroupAnswer::Join(answer)));
            }
            // A leader that joins again wants to assign anew: partitions may have been added, for example.
            ClassicState::Stable if same && !self.is_leader(&member_id) => {
                let answer = self.joined(&member_id, Vec::new());
                turn.decision.answer(ticket, Ok(GroupAnswer::Join(answer)));
            }
            ClassicState::Empty => {
                turn.decision.answer(ticket, join_refused(&member_id, ErrorCode::UNKNOWN_MEMBER_ID));
            }
            _ => {
                self.update(turn, ticket, &member_id, ask);
                self.rebalance_or_go_on(turn);
            }
        }
    }

    /// The member joins anew, perhaps with other protocols. A JoinGroup of it that still waited is told to join again.
    fn update(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket, member_id: &str, ask: JoinAsk) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.protocols = ask.protocols;
        member.rebalance_timeout_ms = ask.rebalance_timeout_ms;
        member.session_timeout_ms = ask.session_timeout_ms;
        if let Some(earlier) = member.joining.replace(ticket) {
            turn.decision.answer(earlier, join_refused(member_id, ErrorCode::REBALANCE_IN_PROGRESS));
        }
    }

    /// A static member is there again, under a new id: whoever had the old one is fenced, and the group need not notice.
    fn replace_static(
        &mut self,
        turn: &mut Turn<'_, '_>,
        ticket: Ticket,
        old_id: &str,
        new_id: String,
        ask: JoinAsk,
    ) {
        let old_leader = self.leader.clone().unwrap_or_default();
        let may_skip_assignment = ask.may_skip_assignment;
        let Some(mut member) = self.members.remove(old_id) else { return };
        if let Some(fenced) = member.joining.take() {
            turn.decision.answer(fenced, join_refused(old_id, ErrorCode::FENCED_INSTANCE_ID));
        }
        if let Some(fenced) = member.syncing.take() {
            turn.decision.answer(fenced, Err(ErrorCode::FENCED_INSTANCE_ID));
        }
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.insert(instance_id.clone(), new_id.clone());
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        if self.pending_syncs.remove(old_id) {
            self.pending_syncs.insert(new_id.clone());
        }
        member.client = ask.client.clone();
        self.members.insert(new_id.clone(), member);
        self.renew_session(turn.view, &new_id);
        self.update(turn, ticket, &new_id, ask);
        if self.state != ClassicState::Stable || self.vote() != self.protocol_name {
            // While the leader assigns, it knows the old id only: all must join again.
            self.rebalance_or_go_on(turn);
            return;
        }
        if let Some(member) = self.members.get_mut(&new_id) {
            member.joining = None;
        }
        let leads = self.is_leader(&new_id);
        let members = if leads && may_skip_assignment { self.members_for_leader() } else { Vec::new() };
        let mut answer =
            JoinAnswer { skip_assignment: leads && may_skip_assignment, ..self.joined(&new_id, members) };
        if !may_skip_assignment {
            // Told that another one leads, it will not assign.
            answer.leader = old_leader;
        }
        turn.decision.answer(ticket, Ok(GroupAnswer::Join(answer)));
        turn.decision.records.push(self.record());
    }

    /// Whoever asked is gone. A member that does not know its id cannot come back, and is no more. One that does has joined all the same, so
    /// that the others need not wait for it: after the rebalance it has its session to come back in. So has one that waits for its
    /// assignment.
    pub fn forget(&mut self, turn: &mut Turn<'_, '_>, ticket: Ticket) {
        let found = self
            .members
            .iter_mut()
            .find(|(_, member)| member.joining == Some(ticket) || member.syncing == Some(ticket));
        let Some((member_id, member)) = found else { return };
        let member_id = member_id.clone();
        if member.syncing == Some(ticket) {
            member.syncing = None;
            self.renew_session(turn.view, &member_id);
        } else if member.is_new && !member.knows_its_id && !member.is_static() {
            member.joining = None;
            self.remove(&member_id);
            self.on_member_gone(turn);
        }
    }

    /// Answers whoever still asks for a member that is being removed.
    pub(super) fn refuse_asks_of(&mut self, turn: &mut Turn<'_, '_>, member_id: &str, error: ErrorCode) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(ticket) = member.joining.take() {
            turn.decision.answer(ticket, join_refused("", error));
        }
        if let Some(ticket) = member.syncing.take() {
            turn.decision.answer(ticket, Err(error));
        }
    }

    pub(super) fn sync_answer(&self, assignment: Bytes) -> SyncAnswer {
        SyncAnswer {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment,
        }
    }
}

/// `CLIENT_ID-UUID`, or `INSTANCE_ID-UUID`.
fn new_member_id(turn: &mut Turn<'_, '_>, ask: &JoinAsk) -> String {
    let prefix = ask.group_instance_id.as_ref().unwrap_or(&ask.client.client_id);
    let end =
        (0..=MEMBER_ID_PREFIX_BYTES_MAX.min(prefix.len())).rev().find(|end| prefix.is_char_boundary(*end));
    let prefix = &prefix[..end.unwrap_or(0)];
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = turn.ids.next_uuid();
    format!(
        "{prefix}-{a:02x}{b:02x}{c:02x}{d:02x}-{e:02x}{f:02x}-{g:02x}{h:02x}-{i:02x}{j:02x}-\
         {k:02x}{l:02x}{m:02x}{n:02x}{o:02x}{p:02x}"
    )
}
