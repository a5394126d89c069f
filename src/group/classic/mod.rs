//! The classic group protocol: members meet, one of them assigns, all of them are told.
//!
//! ```text
//!           first member joins                     all have joined, or time is up
//! Empty ----------------------> PreparingRebalance -----------------------------> CompletingRebalance
//!   ^                             ^    |                                             |   | the leader's SyncGroup
//!   |        nobody is left       |    |          a member joins, leaves, is silent  |   v
//!   +-----------------------------+----+ <-------------------------------------------+- Stable
//! ```
//!
//! Decides who is a member, which generation it is, who leads, and when whoever waits is answered. What members tell each other is
//! opaque; only which topics they subscribe to is looked at, where they are consumers (`protocols`). Offsets are elsewhere (`offsets`).
//!
//! All of it but the record of the last finished rebalance is gone with the process: members that were Stable then need not join
//! again, others must. Error codes and their order are Kafka's.

mod convert;
mod join;
mod leave;
mod protocols;
mod rebalance;
mod record;
mod sync;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::error_code::ErrorCode;

use crate::coordinator::{Decision, Ticket, View};
use crate::model::group::{
    DescribedGroup, DescribedMember, GroupAnswer, GroupClient, GroupReply, JoinAnswer, JoinProtocol,
};
use crate::model::{GenerationId, Instant};
use crate::stdx::RandomIds;

pub use self::convert::MovedMember;

/// The protocol type of consumers.
pub const CONSUMER: &str = "consumer";

/// By Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassicState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl ClassicState {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ClassicState::Empty => "Empty",
            ClassicState::PreparingRebalance => "PreparingRebalance",
            ClassicState::CompletingRebalance => "CompletingRebalance",
            ClassicState::Stable => "Stable",
        }
    }
}

/// What a group works with while it handles one thing.
pub struct Turn<'a, 'd> {
    pub view: View<'a>,
    pub decision: &'d mut Decision<GroupReply>,
    pub ids: &'d mut RandomIds,
}

/// One member. Its times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    client: GroupClient,
    group_instance_id: Option<String>,
    session_timeout_ms: u32,
    rebalance_timeout_ms: u32,
    protocols: Vec<JoinProtocol>,
    assignment: Bytes,
    /// Its JoinGroup waits for the others.
    joining: Option<Ticket>,
    /// Its SyncGroup waits for the leader's.
    syncing: Option<Ticket>,
    /// It has not been told that it is a member.
    is_new: bool,
    /// It came with an id that it was given, and can come back with it.
    knows_its_id: bool,
    /// Of no meaning while it waits for an answer: that is a sign of life enough.
    session_deadline: Instant,
}

impl Member {
    fn metadata(&self, protocol: &str) -> Bytes {
        let known = self.protocols.iter().find(|known| known.name == protocol);
        known.map(|known| known.metadata.clone()).unwrap_or_default()
    }

    fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }
}

/// When the joining of members ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JoinDeadline {
    /// The first rebalance of a group waits for more members, again and again while some come.
    Initial { at: Instant, delay_ms: u32, remaining_ms: u32 },
    /// Those who have not joined by then are out.
    Rebalance { at: Instant },
}

impl JoinDeadline {
    fn at(&mut self) -> &mut Instant {
        match self {
            JoinDeadline::Initial { at, .. } | JoinDeadline::Rebalance { at } => at,
        }
    }
}

/// Lives: one per group, in the coordinator of its partition.
/// Invariants: `static_members` holds exactly the members with an instance id. A leader is a member; there is one where there are
///             members, unless they came from a consumer group and have not met since. Who joins waits in PreparingRebalance only, who
///             syncs in CompletingRebalance only.
#[derive(Debug, Clone)]
pub struct ClassicGroup {
    group_id: String,
    state: ClassicState,
    previous: ClassicState,
    /// Wall clock of the last change of state. None: a record from before Kafka kept it.
    since_ms: Option<i64>,
    /// None: nobody has ever joined; offsets are all that it has.
    protocol_type: Option<String>,
    protocol_name: Option<String>,
    generation_id: GenerationId,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Instance id -> member id.
    static_members: BTreeMap<String, String>,
    /// Ids that were given to new members, and until when they may join with them.
    pending_joins: BTreeMap<String, Instant>,
    /// Members that have not asked for their assignment.
    pending_syncs: BTreeSet<String>,
    /// None: unknown, so any topic may be subscribed to.
    subscribed_topics: Option<BTreeSet<String>>,
    join_deadline: Option<JoinDeadline>,
    sync_deadline: Option<Instant>,
    /// Since the initial delay was last extended.
    new_member_came: bool,
}

impl ClassicGroup {
    /// A group without members.
    #[must_use]
    pub fn new(group_id: &str, wall_ms: i64) -> ClassicGroup {
        ClassicGroup {
            group_id: group_id.to_owned(),
            state: ClassicState::Empty,
            previous: ClassicState::Empty,
            since_ms: Some(wall_ms),
            protocol_type: None,
            protocol_name: None,
            generation_id: GenerationId(0),
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_joins: BTreeMap::new(),
            pending_syncs: BTreeSet::new(),
            subscribed_topics: None,
            join_deadline: None,
            sync_deadline: None,
            new_member_came: false,
        }
    }

    #[must_use]
    pub fn state(&self) -> ClassicState {
        self.state
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.state == ClassicState::Empty
    }

    #[must_use]
    pub fn generation_id(&self) -> GenerationId {
        self.generation_id
    }

    #[must_use]
    pub fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    /// Since when, by the wall clock, offsets count as unused: None if by their own commit. `Err`: they do not expire now.
    pub fn unused_since(&self) -> Result<Option<i64>, StillUsed> {
        match (&self.protocol_type, self.state) {
            (None, _) => Ok(None),
            (Some(_), ClassicState::Empty) => Ok(self.since_ms),
            (Some(kind), ClassicState::Stable) if kind == CONSUMER && self.subscribed_topics.is_some() => {
                Ok(None)
            }
            _ => Err(StillUsed),
        }
    }

    /// Whether members consume the topic, as far as that can be known.
    #[must_use]
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.protocol_type() == CONSUMER,
        }
    }

    /// Errors: NON_EMPTY_GROUP.
    pub fn check_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
    }

    /// Errors: NON_EMPTY_GROUP, unless it is known what its members subscribe to.
    pub fn check_delete_offsets(&self) -> Result<(), ErrorCode> {
        if self.is_empty() || self.protocol_type() == CONSUMER {
            Ok(())
        } else {
            Err(ErrorCode::NON_EMPTY_GROUP)
        }
    }

    /// May it commit offsets? A member's commit is also a sign of life.
    ///
    /// Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
    pub fn check_commit(
        &self,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation_id: GenerationId,
    ) -> Result<(), ErrorCode> {
        if generation_id.0 < 0 && self.is_empty() {
            return Ok(());
        }
        if generation_id.0 < 0 && member_id.is_empty() && group_instance_id.is_none() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check_member(member_id, group_instance_id)?;
        if generation_id != self.generation_id {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        if self.state == ClassicState::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    pub fn on_commit(&mut self, view: View<'_>, member_id: &str) {
        if matches!(self.state, ClassicState::Stable | ClassicState::PreparingRebalance) {
            self.renew_session(view, member_id);
        }
    }

    fn renew_session(&mut self, view: View<'_>, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            let timeout_ms = u64::from(member.session_timeout_ms);
            member.session_deadline = view.now.instant.after_ms(timeout_ms);
        }
    }

    fn check_member(&self, member_id: &str, group_instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = group_instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(known) if known != member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    #[must_use]
    pub fn describe(&self) -> DescribedGroup {
        let stable = self.state == ClassicState::Stable;
        let protocol = self.protocol_name.as_deref().filter(|_| stable);
        let members = self.members.iter().map(|(member_id, member)| DescribedMember {
            member_id: member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client: member.client.clone(),
            metadata: protocol.map(|protocol| member.metadata(protocol)).unwrap_or_default(),
            assignment: if stable { member.assignment.clone() } else { Bytes::new() },
        });
        DescribedGroup {
            state: self.state.name(),
            protocol_type: self.protocol_type().to_owned(),
            protocol_name: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }

    /// The earliest time at which something is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.members.values().map(|member| member.session_deadline);
        let join = self.join_deadline.map(|mut deadline| *deadline.at());
        sessions.chain(self.pending_joins.values().copied()).chain(join).chain(self.sync_deadline).min()
    }

    /// Nobody could be heard for so long.
    pub fn on_pause(&mut self, paused_ms: u64) {
        let later = |instant: &mut Instant| *instant = instant.after_ms(paused_ms);
        self.members.values_mut().map(|member| &mut member.session_deadline).for_each(later);
        self.pending_joins.values_mut().for_each(later);
        self.join_deadline.as_mut().map(JoinDeadline::at).into_iter().for_each(later);
        self.sync_deadline.as_mut().into_iter().for_each(later);
    }

    /// Sessions begin anew: the coordinator has just been loaded. Members that nobody has led yet are still to meet.
    pub fn on_loaded(&mut self, turn: &mut Turn<'_, '_>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        ids.iter().for_each(|member_id| self.renew_session(turn.view, member_id));
        if self.leader.is_none() && !self.members.is_empty() {
            self.begin_rebalance(turn);
        }
    }

    fn set_state(&mut self, turn: &Turn<'_, '_>, state: ClassicState) {
        self.previous = std::mem::replace(&mut self.state, state);
        self.since_ms = Some(turn.view.now.wall_ms);
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Some members have no JoinGroup waiting, or are still to come with the id that they were given.
    fn waits_for_joins(&self) -> bool {
        !self.pending_joins.is_empty() || self.members.values().any(|member| member.joining.is_none())
    }

    /// The longest that any of its members asks for.
    fn rebalance_timeout_ms(&self) -> u32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    /// Takes a member out; the next one leads if it did. Whoever asked for it must have been answered.
    fn remove(&mut self, member_id: &str) -> Option<Member> {
        let removed = self.members.remove(member_id);
        let instance_id = removed.as_ref().and_then(|member| member.group_instance_id.as_ref());
        if let Some(instance_id) = instance_id
            && self.static_members.get(instance_id).is_some_and(|holder| holder == member_id)
        {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(member_id);
        self.pending_syncs.remove(member_id);
        removed
    }

    /// What a JoinGroup is told when it succeeds.
    fn joined(&self, member_id: &str, members: Vec<crate::model::group::JoinedMember>) -> JoinAnswer {
        JoinAnswer {
            error: ErrorCode::NONE,
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members,
        }
    }
}

/// Members are there, and it is not known which offsets they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StillUsed;

/// What a JoinGroup is told when it fails.
pub fn join_refused(member_id: &str, error: ErrorCode) -> GroupReply {
    Ok(GroupAnswer::Join(JoinAnswer {
        error,
        generation_id: GenerationId(-1),
        protocol_type: None,
        protocol_name: None,
        leader: String::new(),
        skip_assignment: false,
        member_id: member_id.to_owned(),
        members: Vec::new(),
    }))
}
