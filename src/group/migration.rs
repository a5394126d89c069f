//! Consumer groups in their coordinator, and groups that change their protocol while they have members.
//!
//! ```text
//! classic --a member of the new protocol joins--> consumer group with members of both kinds
//! consumer group --the last member of the new protocol goes, classic ones stay--> classic
//! empty groups become whatever the next member speaks
//! ```
//!
//! Decides which group an ask meets, and whether it may change. `group.consumer.migration.policy` forbids either way.
//!
//! Source: KIP-848; Apache Kafka 4.3 for the conditions and the records.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::Uuid;
use protocol::error_code::ErrorCode;

use super::classic::{ClassicGroup, MovedMember, Turn, join_refused};
use super::consumer::embedded::{EmbeddedAssignment, read_assignment, read_subscription};
use super::consumer::{ConsumerGroup, Founder, Leaves};
use super::{Entry, Group, GroupCoordinator, records};
use crate::coordinator::{CoordinatorRecord, Decision, View};
use crate::model::GenerationId;
use crate::model::consumer_group::{ConsumerHeartbeatAnswer, ConsumerHeartbeatAsk, MemberId, Refusal};
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply, HeartbeatAsk, JoinAsk, LeaveAsk, SyncAsk};

impl GroupCoordinator {
    pub(super) fn consumer(&mut self, group_id: &str) -> Option<&mut ConsumerGroup> {
        match &mut self.groups.get_mut(group_id)?.group {
            Group::Consumer(group) => Some(group),
            Group::Classic(_) => None,
        }
    }

    /// Errors: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, GROUP_ID_NOT_FOUND, and those of `ConsumerGroup::heartbeat`.
    pub(super) fn consumer_heartbeat(
        &mut self,
        view: View<'_>,
        mut ask: ConsumerHeartbeatAsk,
        decision: &mut Decision<GroupReply>,
    ) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        ask.validate(&view.config.groups.consumer)?;
        if ask.member_id.as_str().is_empty() {
            ask.member_id = self.fresh_member_id();
        }
        let group_id = ask.group_id.clone();
        if ask.leaves() {
            return self.leave_consumer_group(view, &ask, decision);
        }
        let answer = match self.groups.get_mut(&group_id).map(|entry| &mut entry.group) {
            Some(Group::Consumer(group)) => group.heartbeat(view, &ask, &mut decision.records)?,
            Some(Group::Classic(_)) if !ask.joins() => {
                return Err(not_found(&group_id, "is not a consumer group"));
            }
            None if !ask.joins() => {
                let problem = format!("Consumer group {group_id} not found.");
                return Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, problem));
            }
            known => {
                let mut records = Vec::new();
                let mut group = match known {
                    Some(Group::Classic(classic)) => upgraded(view, &group_id, classic, &mut records)?,
                    _ => ConsumerGroup::new(group_id.as_str().into()),
                };
                let answer = group.heartbeat(view, &ask, &mut records)?;
                self.send_classic_members_away(view, &group_id, decision);
                self.insert(&group_id, Group::Consumer(group));
                decision.records.extend(records);
                answer
            }
        };
        self.set_wake(&group_id);
        Ok(answer)
    }

    fn leave_consumer_group(
        &mut self,
        view: View<'_>,
        ask: &ConsumerHeartbeatAsk,
        decision: &mut Decision<GroupReply>,
    ) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        let Some(group) = self.consumer(&ask.group_id) else {
            let what =
                if self.groups.contains_key(&ask.group_id) { "is not a consumer group" } else { "not found" };
            return Err(not_found(&ask.group_id, what));
        };
        if let Leaves::ForGood(member_id) = group.leave(ask, &mut decision.records)? {
            self.put_out(view, &ask.group_id, &BTreeSet::from([member_id]), decision);
        }
        Ok(ConsumerHeartbeatAnswer {
            member_id: ask.member_id.clone(),
            member_epoch: ask.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        })
    }

    /// Members of a consumer group go. If only classic ones are left, the group is classic from now on, and they are to join that.
    pub(super) fn put_out(
        &mut self,
        view: View<'_>,
        group_id: &str,
        gone: &BTreeSet<MemberId>,
        decision: &mut Decision<GroupReply>,
    ) {
        let Some(group) = self.consumer(group_id).filter(|_| !gone.is_empty()) else { return };
        let groups = &view.config.groups;
        let may_move =
            |members: &Vec<MovedMember>| groups.consumer.downgrades && members.len() <= groups.members_max;
        let Some(members) = group.classic_members_without(view, gone).filter(may_move) else {
            group.put_out(view, gone, &mut decision.records);
            return;
        };
        let generation_id = GenerationId(group.group_epoch().0);
        group.delete(&mut decision.records);
        tracing::info!(
            group_id,
            "the last member of the consumer protocol is gone: the group is classic now"
        );
        let turn = Turn { view, decision, ids: &mut self.ids };
        let classic = ClassicGroup::from_moved(&turn, group_id, generation_id, members);
        decision.records.push(classic.record());
        self.insert(group_id, Group::Classic(classic));
        self.with_classic(view, group_id, None, decision, ClassicGroup::rebalance);
    }

    /// Of a group that is no longer classic.
    fn send_classic_members_away(
        &mut self,
        view: View<'_>,
        group_id: &str,
        decision: &mut Decision<GroupReply>,
    ) {
        self.with_classic(view, group_id, None, decision, ClassicGroup::send_all_away);
    }

    /// JoinGroup to a consumer group: None if there is none with members, so that the group is a classic one.
    pub(super) fn maybe_join_consumer_group(
        &mut self,
        view: View<'_>,
        ask: &JoinAsk,
        decision: &mut Decision<GroupReply>,
    ) -> Option<GroupReply> {
        let fresh_id = self.fresh_member_id();
        let group = self.consumer(&ask.group_id)?;
        if group.is_empty() {
            group.delete(&mut decision.records);
            let empty = ClassicGroup::new(&ask.group_id, view.now.wall_ms);
            self.insert(&ask.group_id, Group::Classic(empty));
            return None;
        }
        let joined = group.join_classic(view, ask, fresh_id, &mut decision.records);
        self.set_wake(&ask.group_id);
        Some(match joined {
            Ok(joined) => Ok(GroupAnswer::Join(joined)),
            Err(error) => join_refused(&ask.member_id, error),
        })
    }

    /// What classic members ask of a consumer group; None: it is none.
    pub(super) fn maybe_ask_consumer_group(
        &mut self,
        view: View<'_>,
        ask: &GroupAsk,
        decision: &mut Decision<GroupReply>,
    ) -> Option<GroupReply> {
        match ask {
            GroupAsk::Sync(ask) => self.sync_consumer_group(view, ask),
            GroupAsk::Heartbeat(ask) => self.heartbeat_consumer_group(view, ask, decision),
            GroupAsk::Leave(ask) => self.leave_consumer_group_as_classic(view, ask, decision),
            _ => None,
        }
    }

    fn sync_consumer_group(&mut self, view: View<'_>, ask: &SyncAsk) -> Option<GroupReply> {
        let synced = self.consumer(&ask.group_id)?.sync_classic(view, ask);
        self.set_wake(&ask.group_id);
        Some(synced.map(GroupAnswer::Sync))
    }

    fn heartbeat_consumer_group(
        &mut self,
        view: View<'_>,
        ask: &HeartbeatAsk,
        decision: &mut Decision<GroupReply>,
    ) -> Option<GroupReply> {
        let heard = self.consumer(&ask.group_id)?.heartbeat_classic(view, ask, &mut decision.records);
        self.set_wake(&ask.group_id);
        Some(heard.map(|()| GroupAnswer::HeartbeatHeard))
    }

    fn leave_consumer_group_as_classic(
        &mut self,
        view: View<'_>,
        ask: &LeaveAsk,
        decision: &mut Decision<GroupReply>,
    ) -> Option<GroupReply> {
        let (gone, errors) = self.consumer(&ask.group_id)?.who_leaves(&ask.members);
        self.put_out(view, &ask.group_id, &gone, decision);
        self.set_wake(&ask.group_id);
        Some(Ok(GroupAnswer::Left(errors)))
    }

    /// What a deadline of a consumer group brings.
    pub(super) fn consumer_group_on_time(
        &mut self,
        view: View<'_>,
        group_id: &str,
        decision: &mut Decision<GroupReply>,
    ) {
        let Some(group) = self.consumer(group_id) else { return };
        let gone = group.on_time(view, &mut decision.records);
        for member_id in &gone {
            tracing::debug!(
                group_id,
                member_id = member_id.as_str(),
                "a member was silent or held on for too long"
            );
        }
        self.put_out(view, group_id, &gone, decision);
        self.set_wake(group_id);
    }

    fn fresh_member_id(&mut self) -> MemberId {
        MemberId::from(Uuid(self.ids.next_uuid()).to_string().as_str())
    }

    /// A record of a consumer group. While the partition is loaded it makes the group; what was there before had offsets alone.
    pub(super) fn replay_consumer_group(
        &mut self,
        view: View<'_>,
        group_id: &str,
        record: &records::MemberRecord<'_>,
    ) {
        let mutations = view.mutations;
        let is_left_out = match record {
            records::MemberRecord::CurrentAssignment { value: Some(_), .. } => {
                !self.is_loaded && mutations.consumer_assignments_not_loaded()
            }
            records::MemberRecord::Member { value: None, .. } => {
                self.is_loaded && mutations.consumer_keeps_member()
            }
            _ => false,
        };
        if is_left_out {
            return;
        }
        if self.consumer(group_id).is_none() {
            if record.is_tombstone() {
                return;
            }
            self.insert(group_id, Group::Consumer(ConsumerGroup::new(group_id.into())));
        }
        let stays = self.consumer(group_id).is_some_and(|group| group.replay(record, mutations));
        if !stays && self.offsets.has_group(group_id) {
            self.insert(group_id, Group::Classic(ClassicGroup::new(group_id, view.now.wall_ms)));
        } else if !stays {
            self.remove(group_id);
        } else if self.is_loaded {
            self.set_wake(group_id);
        }
    }

    /// A classic group is taken out of the log; what has become of it is not.
    pub(super) fn replay_classic_tombstone(&mut self, group_id: &str) {
        if matches!(self.groups.get(group_id), Some(Entry { group: Group::Classic(_), .. })) {
            self.remove(group_id);
        }
    }
}

fn not_found(group_id: &str, what: &str) -> Refusal {
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Group {group_id} {what}."))
}

/// The consumer group that a classic one becomes, with its records. Members that wait for something are told to join again by the caller.
///
/// Errors: GROUP_ID_NOT_FOUND, if it may not or cannot become one.
fn upgraded(
    view: View<'_>,
    group_id: &str,
    classic: &ClassicGroup,
    records: &mut Vec<CoordinatorRecord>,
) -> Result<ConsumerGroup, Refusal> {
    let cannot = |why: &str| {
        let problem = format!("Cannot upgrade classic group {group_id} to consumer group because {why}.");
        Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, problem)
    };
    records.push(records::group_metadata_tombstone(group_id));
    let group_id: Arc<str> = group_id.into();
    if classic.is_empty() {
        return Ok(ConsumerGroup::new(group_id));
    }
    let consumer = &view.config.groups.consumer;
    if !consumer.upgrades {
        return Err(cannot("online upgrade is disabled"));
    }
    if !classic.is_of_consumers() {
        return Err(cannot("the group does not use the consumer embedded protocol"));
    }
    if classic.member_count() > consumer.members_max {
        return Err(cannot("the group size exceeds the consumer group maximum size"));
    }
    let mut founders = Vec::new();
    for member in classic.moved_members() {
        let subscription = read_subscription(&member.metadata, view.image);
        let assignment = read_assignment(&member.assignment, view.image);
        let (Some(subscription), Some(assignment)) = (subscription, assignment) else {
            return Err(cannot("the embedded consumer protocol is malformed"));
        };
        let EmbeddedAssignment { partitions, has_user_data } = assignment;
        if has_user_data {
            return Err(cannot("an unsupported custom assignor is in use"));
        }
        founders.push(Founder { member, subscription, partitions });
    }
    tracing::info!(
        group_id = &*group_id,
        "a member of the consumer protocol joins: the group is a consumer group now"
    );
    Ok(ConsumerGroup::of_classic_members(view, group_id, classic.generation_id(), founders, records))
}
