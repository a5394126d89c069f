//! A classic group that becomes a consumer group, and the other way round: what moves is its members.
//!
//! Decides what a member takes along. Whether a group may move is decided by `migration`.

use bytes::Bytes;
use protocol::error_code::ErrorCode;

use super::{CONSUMER, ClassicGroup, ClassicState, Member, Turn, join_refused};
use crate::model::GenerationId;
use crate::model::group::{GroupClient, JoinProtocol};

/// A member on its way between the protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client: GroupClient,
    pub session_timeout_ms: u32,
    pub rebalance_timeout_ms: u32,
    pub protocols: Vec<JoinProtocol>,
    /// Its subscription, by the protocol that the group chose.
    pub metadata: Bytes,
    pub assignment: Bytes,
}

impl ClassicGroup {
    /// Its members are consumers, who say what they subscribe to in a way that can be read.
    #[must_use]
    pub fn is_of_consumers(&self) -> bool {
        self.protocol_type() == CONSUMER
    }

    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    #[must_use]
    pub fn moved_members(&self) -> Vec<MovedMember> {
        let moved = |(member_id, member): (&String, &Member)| {
            let first = member.protocols.first().map(|protocol| protocol.name.as_str());
            let protocol = self.protocol_name.as_deref().or(first).unwrap_or_default();
            MovedMember {
                member_id: member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                client: member.client.clone(),
                session_timeout_ms: member.session_timeout_ms,
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                protocols: member.protocols.clone(),
                metadata: member.metadata(protocol),
                assignment: member.assignment.clone(),
            }
        };
        self.members.iter().map(moved).collect()
    }

    /// The group is another now: whoever waits must join that.
    pub fn send_all_away(&mut self, turn: &mut Turn<'_, '_>) {
        for (member_id, member) in &mut self.members {
            if let Some(ticket) = member.joining.take() {
                turn.decision.answer(ticket, join_refused(member_id, ErrorCode::REBALANCE_IN_PROGRESS));
            }
            if let Some(ticket) = member.syncing.take() {
                turn.decision.answer(ticket, Err(ErrorCode::REBALANCE_IN_PROGRESS));
            }
        }
    }

    /// A group of members that came from a consumer group, which had got so far. They go on as they are until they are told to join.
    /// Nobody leads it: so its record says, too, that they are still to meet, in case the coordinator ends before they have.
    #[must_use]
    pub fn from_moved(
        turn: &Turn<'_, '_>,
        group_id: &str,
        generation_id: GenerationId,
        members: Vec<MovedMember>,
    ) -> ClassicGroup {
        let mut group = ClassicGroup::new(group_id, turn.view.now.wall_ms);
        for moved in members {
            if let Some(instance_id) = &moved.group_instance_id {
                group.static_members.insert(instance_id.clone(), moved.member_id.clone());
            }
            let session_ms = u64::from(moved.session_timeout_ms);
            let member = Member {
                client: moved.client,
                group_instance_id: moved.group_instance_id,
                session_timeout_ms: moved.session_timeout_ms,
                rebalance_timeout_ms: moved.rebalance_timeout_ms,
                protocols: moved.protocols,
                assignment: moved.assignment,
                joining: None,
                syncing: None,
                is_new: false,
                knows_its_id: true,
                session_deadline: turn.view.now.instant.after_ms(session_ms),
            };
            group.members.insert(moved.member_id, member);
        }
        group.protocol_type = Some(CONSUMER.to_owned());
        group.generation_id = generation_id;
        group.protocol_name = group.vote();
        group.find_subscribed_topics();
        (group.state, group.previous) = (ClassicState::Stable, ClassicState::CompletingRebalance);
        group
    }

    /// All members must join again.
    pub fn rebalance(&mut self, turn: &mut Turn<'_, '_>) {
        self.begin_rebalance(turn);
    }
}
