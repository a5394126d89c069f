//! Members that speak the classic protocol, in a consumer group that has members of both kinds (KIP-848, online migration).
//!
//! ```text
//! JoinGroup -> the member's next step, as with a heartbeat; its epoch is told as the generation
//! SyncGroup -> what it is assigned, in the bytes of its own protocol
//! Heartbeat -> REBALANCE_IN_PROGRESS when there is another step to take: then it joins again
//! ```
//!
//! Decides all of that. The group assigns; no classic member is told that it leads.

use std::collections::BTreeSet;

use protocol::error_code::ErrorCode;

use super::ConsumerGroup;
use super::embedded::{Subscription, read_subscription, write_assignment};
use super::heartbeat::{Seat, Step};
use super::member::{ClassicMember, Member, MemberMetadata, MemberState};
use super::timers::Timer;
use crate::coordinator::{CoordinatorRecord, View};
use crate::group::classic::{CONSUMER, MovedMember};
use crate::model::GenerationId;
use crate::model::consumer_group::{GroupEpoch, InstanceId, MemberId};
use crate::model::group::{
    GroupClient, HeartbeatAsk, JoinAnswer, JoinAsk, JoinProtocol, LeavingMember, SyncAnswer, SyncAsk,
};

impl ConsumerGroup {
    /// JoinGroup. `fresh_id`: for a member that has none.
    ///
    /// Errors: GROUP_MAX_SIZE_REACHED, INCONSISTENT_GROUP_PROTOCOL, MEMBER_ID_REQUIRED (in the answer, with the id), UNKNOWN_MEMBER_ID,
    ///         FENCED_INSTANCE_ID.
    pub fn join_classic(
        &mut self,
        view: View<'_>,
        ask: &JoinAsk,
        fresh_id: MemberId,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<JoinAnswer, ErrorCode> {
        let before = records.len();
        let joined = self.join_as_classic(view, ask, fresh_id, records);
        if joined.is_err() {
            records.truncate(before);
            self.checked_image = None;
        }
        joined
    }

    fn join_as_classic(
        &mut self,
        view: View<'_>,
        ask: &JoinAsk,
        fresh_id: MemberId,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<JoinAnswer, ErrorCode> {
        let consumer = &view.config.groups.consumer;
        if !consumer.upgrades && !consumer.downgrades {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let is_new = ask.member_id.is_empty();
        let member_id = if is_new { fresh_id } else { MemberId::from(ask.member_id.as_str()) };
        self.refuse_if_full(view, &member_id).map_err(|refusal| refusal.error)?;
        let subscription = self.readable_subscription(view, ask)?;
        if is_new && ask.group_instance_id.is_none() && ask.must_know_member_id {
            return Ok(answer(&member_id, ErrorCode::MEMBER_ID_REQUIRED, GenerationId(-1), None));
        }
        let Seat { mut member, predecessor } = self.classic_seat(ask, &member_id, is_new, records)?;
        let metadata = updated(&member.metadata, ask, &subscription);
        let change =
            self.check_subscription(&member.metadata, &metadata, records).map_err(|refusal| refusal.error)?;
        if metadata != member.metadata {
            records.push(metadata.to_record(&self.group_id, &member_id));
        }
        member.metadata = metadata;
        let target = self.plan_epoch_and_target(
            view,
            &member_id,
            &member.metadata,
            predecessor.as_ref(),
            change.subscription,
            records,
        );
        let step = Step { change: change.subscription, reported: Some(&subscription.owned) };
        self.take_step(view, &member_id, &mut member, &target, step, records)
            .map_err(|refusal| refusal.error)?;
        self.timers.cancel(&Timer::Join(member_id.clone()));
        self.set_timer(Timer::Session(member_id.clone()), view, ask.session_timeout_ms);
        self.set_timer(Timer::Sync(member_id.clone()), view, ask.rebalance_timeout_ms);
        let generation_id = GenerationId(member.current.member_epoch.0);
        let protocol = ask.protocols.first().map(|protocol| protocol.name.clone());
        Ok(answer(&member_id, ErrorCode::NONE, generation_id, protocol))
    }

    /// Errors: INCONSISTENT_GROUP_PROTOCOL: no consumer, no protocol that the other classic members know, or bytes that are no subscription.
    fn readable_subscription(&self, view: View<'_>, ask: &JoinAsk) -> Result<Subscription, ErrorCode> {
        let all_know = |protocol: &JoinProtocol| {
            let classic = self.members.values().filter_map(|member| member.metadata.classic.as_ref());
            classic
                .into_iter()
                .all(|member| member.protocols.iter().any(|(name, _)| **name == *protocol.name))
        };
        if ask.protocol_type != CONSUMER || !ask.protocols.iter().any(all_know) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let first = ask.protocols.first().ok_or(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)?;
        read_subscription(&first.metadata, view.image).ok_or(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
    }

    fn classic_seat(
        &self,
        ask: &JoinAsk,
        member_id: &MemberId,
        is_new: bool,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<Seat, ErrorCode> {
        let known = || self.members.get(member_id).cloned().unwrap_or_default();
        let Some(instance_id) = ask.group_instance_id.as_deref().map(InstanceId::from) else {
            return Ok(Seat { member: known(), predecessor: None });
        };
        if !is_new {
            let member = self.static_member(&instance_id, member_id).map_err(|refusal| refusal.error)?;
            return Ok(Seat { member: member.clone(), predecessor: None });
        }
        match self.instances.get(&instance_id) {
            None => Ok(Seat { member: known(), predecessor: None }),
            Some(owner) => Ok(self.replace(&owner.clone(), member_id, records)),
        }
    }

    /// Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, REBALANCE_IN_PROGRESS.
    pub fn sync_classic(&mut self, view: View<'_>, ask: &SyncAsk) -> Result<SyncAnswer, ErrorCode> {
        let (member_id, member) =
            self.classic_member(&ask.member_id, ask.group_instance_id.as_deref(), ask.generation_id)?;
        let classic = member.metadata.classic.as_ref().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let first = classic.protocols.first().ok_or(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)?;
        let other_type = ask.protocol_type.as_deref().is_some_and(|kind| kind != CONSUMER);
        let other_name = ask.protocol_name.as_deref().is_some_and(|name| name != &*first.0);
        if other_type || other_name {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let (session_ms, rebalance_ms) = (classic.session_timeout_ms, member.metadata.rebalance_timeout_ms());
        if self.has_a_target_beyond(view, member.current.member_epoch)
            && member.current.state != MemberState::UnrevokedPartitions
        {
            self.await_join(view, member_id, rebalance_ms);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        let version = read_subscription(&first.1, view.image).map_or(0, |subscription| subscription.version);
        let answer = SyncAnswer {
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: Some(first.0.to_string()),
            assignment: write_assignment(&member.current.assigned, version, view.image),
        };
        self.timers.cancel(&Timer::Sync(member_id.clone()));
        self.set_timer(Timer::Session(member_id), view, session_ms);
        Ok(answer)
    }

    /// Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
    pub fn heartbeat_classic(
        &mut self,
        view: View<'_>,
        ask: &HeartbeatAsk,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<(), ErrorCode> {
        let (member_id, member) =
            self.classic_member(&ask.member_id, ask.group_instance_id.as_deref(), ask.generation_id)?;
        let session_ms = member.metadata.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
        let rebalance_ms = member.metadata.rebalance_timeout_ms();
        let current = &member.current;
        let has_a_step = match current.state {
            MemberState::UnrevokedPartitions => true,
            MemberState::UnreleasedPartitions => !self.waits_for_others(&member_id, member),
            _ => false,
        };
        let is_behind = self.has_a_target_beyond(view, current.member_epoch);
        let epoch_moves = is_behind
            || (current.member_epoch == self.group_epoch
                && self.notice_image(view, records)
                && self.may_make_target(view));
        self.set_timer(Timer::Session(member_id.clone()), view, session_ms);
        if has_a_step || epoch_moves {
            self.await_join(view, member_id, rebalance_ms);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    /// Does a JoinGroup bring the member to a later epoch: is there such a target, or may it be made?
    ///
    /// Source: Apache Kafka 4.3.1 looks at the target that there is; others of its members make it. Here all may be classic.
    fn has_a_target_beyond(&self, view: View<'_>, epoch: GroupEpoch) -> bool {
        epoch < self.target_epoch || (self.target_epoch < self.group_epoch && self.may_make_target(view))
    }

    /// Of a group whose members are all classic, nobody else would notice that topics have changed.
    fn notice_image(&mut self, view: View<'_>, records: &mut Vec<CoordinatorRecord>) -> bool {
        if self.checked_image.replace(view.image.version) == Some(view.image.version) {
            return false;
        }
        let hash = self.hash(view, &self.roster(None, &BTreeSet::new()));
        let changed = hash != self.metadata_hash;
        if changed {
            self.bump_epoch(hash, records);
        }
        changed
    }

    /// Is something of its target still with another member?
    fn waits_for_others(&self, member_id: &MemberId, member: &Member) -> bool {
        let Some(target) = self.target_of(member_id, &member.metadata) else { return false };
        target.topics().any(|(topic_id, partitions)| {
            partitions.iter().any(|partition| {
                !member.current.assigned.contains(topic_id, *partition)
                    && self.owners.of(topic_id, *partition).is_some_and(|owner| owner != member_id)
            })
        })
    }

    fn await_join(&mut self, view: View<'_>, member_id: MemberId, rebalance_ms: u32) {
        let deadline = view.now.instant.after_ms(u64::from(rebalance_ms));
        self.timers.set_unless_running(Timer::Join(member_id), deadline);
    }

    fn classic_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation_id: GenerationId,
    ) -> Result<(MemberId, &Member), ErrorCode> {
        let member_id = MemberId::from(member_id);
        let member = match instance_id {
            Some(instance_id) => self.static_member(&instance_id.into(), &member_id),
            None => self.member(&member_id),
        };
        let member = member.map_err(|refusal| refusal.error)?;
        if member.metadata.classic.is_none() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if GroupEpoch(generation_id.0) != member.current.member_epoch {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        Ok((member_id, member))
    }

    /// LeaveGroup, by members themselves or by an administrator: also of members of the new protocol. Returns who goes, and an error for
    /// each that was named.
    ///
    /// Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    pub fn who_leaves(&self, leaving: &[LeavingMember]) -> (BTreeSet<MemberId>, Vec<ErrorCode>) {
        let mut gone = BTreeSet::new();
        let mut errors = Vec::with_capacity(leaving.len());
        for member in leaving {
            match self.one_who_leaves(member) {
                Ok(member_id) => {
                    gone.insert(member_id);
                    errors.push(ErrorCode::NONE);
                }
                Err(error) => errors.push(error),
            }
        }
        (gone, errors)
    }

    fn one_who_leaves(&self, leaving: &LeavingMember) -> Result<MemberId, ErrorCode> {
        let member_id = MemberId::from(leaving.member_id.as_str());
        let Some(instance_id) = leaving.group_instance_id.as_deref().map(InstanceId::from) else {
            return self.member(&member_id).map(|_| member_id.clone()).map_err(|refusal| refusal.error);
        };
        let owner = self.instances.get(&instance_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if leaving.member_id.is_empty() || *owner == member_id {
            Ok(owner.clone())
        } else {
            Err(ErrorCode::FENCED_INSTANCE_ID)
        }
    }

    /// The members without these, if all of them are classic, and there are some.
    #[must_use]
    pub fn classic_members_without(
        &self,
        view: View<'_>,
        gone: &BTreeSet<MemberId>,
    ) -> Option<Vec<MovedMember>> {
        let staying = self.members.iter().filter(|(member_id, _)| !gone.contains(*member_id));
        let moved: Option<Vec<MovedMember>> =
            staying.map(|(member_id, member)| moved(view, member_id, member)).collect();
        moved.filter(|moved| !moved.is_empty())
    }
}

fn moved(view: View<'_>, member_id: &MemberId, member: &Member) -> Option<MovedMember> {
    let metadata = &member.metadata;
    let classic = metadata.classic.as_ref()?;
    let first = classic.protocols.first()?;
    let version = read_subscription(&first.1, view.image).map_or(0, |subscription| subscription.version);
    Some(MovedMember {
        member_id: member_id.to_string(),
        group_instance_id: metadata.instance_id.as_ref().map(ToString::to_string),
        client: GroupClient {
            client_id: metadata.client_id.to_string(),
            client_host: metadata.client_host.to_string(),
        },
        session_timeout_ms: classic.session_timeout_ms,
        rebalance_timeout_ms: metadata.rebalance_timeout_ms(),
        protocols: classic
            .protocols
            .iter()
            .map(|(name, metadata)| JoinProtocol { name: name.to_string(), metadata: metadata.clone() })
            .collect(),
        metadata: first.1.clone(),
        assignment: write_assignment(&member.current.assigned, version, view.image),
    })
}

fn answer(
    member_id: &MemberId,
    error: ErrorCode,
    generation_id: GenerationId,
    protocol_name: Option<String>,
) -> JoinAnswer {
    JoinAnswer {
        error,
        generation_id,
        protocol_type: protocol_name.as_ref().map(|_| CONSUMER.to_owned()),
        protocol_name,
        leader: String::new(),
        skip_assignment: false,
        member_id: member_id.to_string(),
        members: Vec::new(),
    }
}

fn updated(before: &MemberMetadata, ask: &JoinAsk, subscription: &Subscription) -> MemberMetadata {
    let protocols = ask.protocols.iter();
    MemberMetadata {
        instance_id: ask.group_instance_id.as_deref().map(InstanceId::from).or(before.instance_id.clone()),
        rack_id: subscription.rack_id.clone().or(before.rack_id.clone()),
        client_id: ask.client.client_id.as_str().into(),
        client_host: ask.client.client_host.as_str().into(),
        subscribed_topic_names: if *before.subscribed_topic_names == subscription.topics {
            before.subscribed_topic_names.clone()
        } else {
            subscription.topics.clone().into()
        },
        subscribed_topic_regex: None,
        rebalance_timeout_ms: i32::try_from(ask.rebalance_timeout_ms).unwrap_or(i32::MAX),
        server_assignor: before.server_assignor.clone(),
        classic: Some(ClassicMember {
            session_timeout_ms: ask.session_timeout_ms,
            protocols: protocols.map(|known| (known.name.as_str().into(), known.metadata.clone())).collect(),
        }),
    }
}
