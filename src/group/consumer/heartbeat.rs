//! ConsumerGroupHeartbeat: a member joins, is heard of, changes what it subscribes to, gives up and gets partitions.
//!
//! Decides in this order, as Kafka does: is the member one of ours and up to date; has it changed; does the group need another epoch;
//! is the target of that epoch; what is the member's next step.

use std::sync::Arc;

use protocol::error_code::ErrorCode;

use super::member::{Member, MemberMetadata, MemberState};
use super::reconcile::{MustRejoin, Reconciliation};
use super::target::target_record;
use super::timers::Timer;
use super::{ConsumerGroup, regexes, subscription};
use crate::coordinator::{CoordinatorRecord, View};
use crate::group::records;
use crate::model::Assignment;
use crate::model::consumer_group::{ConsumerHeartbeatAnswer, ConsumerHeartbeatAsk, Refusal};
use crate::model::consumer_group::{GroupEpoch, MemberId};

/// What a new subscription means for the group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The member subscribes to other names, or to another regular expression.
    pub(super) subscription: bool,
    /// The group needs another target. Not yet, if the change is to a regular expression that must be looked up first.
    pub(super) needs_target: bool,
    pub(super) needs_lookup: bool,
}

/// A member as it heartbeats.
pub(super) struct Seat {
    pub(super) member: Member,
    /// The static member that it takes the place of.
    pub(super) predecessor: Option<MemberId>,
}

impl ConsumerGroup {
    /// One heartbeat of a member that joins or stays. The request has been validated.
    ///
    /// Errors: UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED,
    ///         INVALID_REGULAR_EXPRESSION. Nothing is written then.
    pub fn heartbeat(
        &mut self,
        view: View<'_>,
        request: &ConsumerHeartbeatAsk,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        let before = records.len();
        let answer = self.stay(view, request, records);
        if answer.is_err() {
            records.truncate(before);
            // Had a new image been noticed, its epoch went with the records.
            self.checked_image = None;
        }
        answer
    }

    fn stay(
        &mut self,
        view: View<'_>,
        request: &ConsumerHeartbeatAsk,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        let member_id = &request.member_id;
        let intervals = self.intervals(view);
        self.refuse_if_full(view, member_id)?;
        let Seat { mut member, predecessor } = self.seat(request, records)?;
        let metadata = updated(&member.metadata, request);
        let change = self.check_subscription(&member.metadata, &metadata, records)?;
        if metadata != member.metadata {
            records.push(metadata.to_record(&self.group_id, member_id));
        }
        member.metadata = metadata;
        let target = self.plan_epoch_and_target(
            view,
            member_id,
            &member.metadata,
            predecessor.as_ref(),
            change.needs_target,
            records,
        );
        let assigned_before = member.current.assigned.clone();
        let step = Step { change: change.subscription, reported: request.topic_partitions.as_ref() };
        self.take_step(view, member_id, &mut member, &target, step, records)?;
        if request.joins() || !view.mutations.consumer_heartbeat_renews_nothing() {
            self.set_timer(Timer::Session(member_id.clone()), view, intervals.session_timeout_ms);
        }
        if change.needs_lookup {
            self.timers.set(Timer::Regexes, view.now.instant);
        }
        let assigned = &member.current.assigned;
        let tells = request.joins() || request.is_full() || !assigned.has_the_partitions_of(&assigned_before);
        Ok(ConsumerHeartbeatAnswer {
            member_id: member_id.clone(),
            member_epoch: member.current.member_epoch,
            heartbeat_interval_ms: intervals.heartbeat_interval_ms,
            assignment: tells.then(|| assigned.to_assignment()),
        })
    }

    pub(super) fn refuse_if_full(&self, view: View<'_>, member_id: &MemberId) -> Result<(), Refusal> {
        let max = view.config.groups.consumer.members_max;
        if self.members.len() < max || self.members.contains_key(member_id) {
            return Ok(());
        }
        let problem = format!("The consumer group has reached its maximum capacity of {max} members.");
        Err(Refusal::new(ErrorCode::GROUP_MAX_SIZE_REACHED, problem))
    }

    fn seat(
        &self,
        request: &ConsumerHeartbeatAsk,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<Seat, Refusal> {
        let member_id = &request.member_id;
        let member = match &request.instance_id {
            None if request.joins() => self.members.get(member_id).cloned().unwrap_or_default(),
            None => self.member(member_id)?.clone(),
            Some(instance_id) if request.joins() => {
                let Some(owner) = self.instances.get(instance_id) else {
                    let member = self.members.get(member_id).cloned().unwrap_or_default();
                    return Ok(Seat { member, predecessor: None });
                };
                let before = self.member(owner)?;
                let has_left = before.current.member_epoch == GroupEpoch::LEAVES_FOR_A_WHILE;
                if !has_left && before.metadata.classic.is_none() {
                    let problem = format!(
                        "Static member {member_id} with instance id {instance_id} cannot join the group because \
                         the instance id is owned by {owner} member."
                    );
                    return Err(Refusal::new(ErrorCode::UNRELEASED_INSTANCE_ID, problem));
                }
                return Ok(self.replace(&owner.clone(), member_id, records));
            }
            Some(instance_id) => self.static_member(instance_id, member_id)?.clone(),
        };
        check_epoch(&member, request)?;
        Ok(Seat { member, predecessor: None })
    }

    /// A static member is back under another id, and has all that its predecessor had.
    pub(super) fn replace(
        &self,
        owner: &MemberId,
        member_id: &MemberId,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Seat {
        let mut member = self.members[owner].clone();
        member.current.member_epoch = GroupEpoch::ZERO;
        member.current.previous_member_epoch = GroupEpoch::ZERO;
        let target = self.targets.get(owner).cloned().unwrap_or_default();
        if owner != member_id {
            self.member_tombstones(owner, records);
            records.push(member.metadata.to_record(&self.group_id, member_id));
            records.push(target_record(&self.group_id, member_id, &target));
        }
        records.push(member.current.to_record(&self.group_id, member_id));
        Seat { member, predecessor: (owner != member_id).then(|| owner.clone()) }
    }

    /// Errors: INVALID_REGULAR_EXPRESSION.
    pub(super) fn check_subscription(
        &self,
        before: &MemberMetadata,
        now: &MemberMetadata,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<Change, Refusal> {
        let mut change = Change::default();
        if before.subscribed_topic_regex != now.subscribed_topic_regex {
            change.subscription = true;
            if let Some(pattern) = &before.subscribed_topic_regex {
                self.drop_last_subscription(pattern, records);
            }
            let unresolved =
                now.subscribed_topic_regex.as_ref().filter(|now| !self.regexes.contains_key(*now));
            if let Some(pattern) = unresolved {
                refuse_if_invalid(pattern)?;
            }
            change.needs_lookup = unresolved.is_some();
            change.needs_target = unresolved.is_none();
        }
        if before.subscribed_topic_names != now.subscribed_topic_names {
            change.subscription = true;
            change.needs_target = true;
        }
        Ok(change)
    }

    /// What a regular expression stood for is kept only as long as somebody subscribes to it.
    pub(super) fn drop_last_subscription(&self, pattern: &Arc<str>, records: &mut Vec<CoordinatorRecord>) {
        let subscribers = self
            .members
            .values()
            .filter(|member| member.metadata.subscribed_topic_regex.as_ref() == Some(pattern));
        if subscribers.count() <= 1 && self.regexes.contains_key(pattern) {
            records.push(records::consumer_group_regular_expression_tombstone(&self.group_id, pattern));
        }
    }

    /// The epoch of the target, and the member's share of it, with `metadata` in force. If it is too early for another target, that is the
    /// one that there is.
    pub(super) fn plan_epoch_and_target(
        &mut self,
        view: View<'_>,
        member_id: &MemberId,
        metadata: &MemberMetadata,
        predecessor: Option<&MemberId>,
        must_bump: bool,
        records: &mut Vec<CoordinatorRecord>,
    ) -> (GroupEpoch, Assignment) {
        let must_bump = must_bump || self.group_epoch == GroupEpoch::ZERO;
        let has_new_image = self.checked_image != Some(view.image.version);
        self.checked_image = Some(view.image.version);
        let without = predecessor.into_iter().cloned().collect();
        let mut epoch = self.group_epoch;
        if must_bump || has_new_image {
            let roster = self.roster(Some((member_id, metadata)), &without);
            let hash = self.hash(view, &roster);
            if must_bump || hash != self.metadata_hash {
                epoch = self.bump_epoch(hash, records);
            } else if self.target_epoch == GroupEpoch::ZERO {
                // A new group that waits for its regular expression to be looked up.
                records.push(records::consumer_group_epoch(&self.group_id, epoch.0, hash));
            }
        }
        if epoch > self.target_epoch && self.may_make_target(view) {
            let roster = self.roster(Some((member_id, metadata)), &without);
            (epoch, self.plan_target(view, &roster, epoch, member_id, records))
        } else {
            (self.target_epoch, self.target_of(member_id, metadata).cloned().unwrap_or_default())
        }
    }

    /// Errors: FENCED_MEMBER_EPOCH.
    pub(super) fn take_step(
        &mut self,
        view: View<'_>,
        member_id: &MemberId,
        member: &mut Member,
        target: &(GroupEpoch, Assignment),
        step: Step<'_>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<(), Refusal> {
        let (target_epoch, target) = target;
        if !step.change && member.current.has_reached(*target_epoch) {
            return Ok(());
        }
        let subscribed = subscription::topic_ids(&member.metadata, &self.regexes, view.image);
        let next = Reconciliation {
            member_id,
            current: &member.current,
            target_epoch: *target_epoch,
            target,
            subscribed: &subscribed,
            subscription_changed: step.change,
            reported: step.reported,
            owners: &self.owners,
            mutations: view.mutations,
        }
        .next();
        let next = next.map_err(|MustRejoin| {
            let problem = "The consumer group member is in a unknown state. The member must abandon all its \
                           partitions and rejoin.";
            Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, problem)
        })?;
        let Some(next) = next else { return Ok(()) };
        records.push(next.to_record(&self.group_id, member_id));
        let timer = Timer::Rebalance(member_id.clone());
        if member.metadata.classic.is_some() || next.state != MemberState::UnrevokedPartitions {
            self.timers.cancel(&timer);
        } else {
            self.set_timer(timer, view, member.metadata.rebalance_timeout_ms());
        }
        member.current = next;
        Ok(())
    }
}

/// How a member's step is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    /// Its subscription has changed.
    pub(super) change: bool,
    pub(super) reported: Option<&'a Assignment>,
}

fn refuse_if_invalid(pattern: &str) -> Result<(), Refusal> {
    regexes::compile(pattern).map(drop).map_err(|problem| {
        let problem =
            format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {problem}.");
        Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, problem)
    })
}

/// A member may be one epoch behind: then it has missed an answer, and may own only what it had then.
///
/// Errors: FENCED_MEMBER_EPOCH.
fn check_epoch(member: &Member, request: &ConsumerHeartbeatAsk) -> Result<(), Refusal> {
    let (received, current) = (request.member_epoch, &member.current);
    let fenced = |relation: &str| {
        let problem = format!(
            "The consumer group member has a {relation} member epoch ({received}) than the one known by the group \
             coordinator ({}). The member must abandon all its partitions and rejoin.",
            current.member_epoch
        );
        Err(Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, problem))
    };
    if request.joins() || received == current.member_epoch {
        return Ok(());
    }
    if received > current.member_epoch {
        return fenced("greater");
    }
    let missed_an_answer = received == current.previous_member_epoch
        && request.topic_partitions.as_ref().is_some_and(|reported| current.assigned.contains_all(reported));
    if missed_an_answer { Ok(()) } else { fenced("smaller") }
}

/// What a member says of itself now: None means as before.
fn updated(before: &MemberMetadata, request: &ConsumerHeartbeatAsk) -> MemberMetadata {
    let mut metadata = before.clone();
    if request.instance_id.is_some() {
        metadata.instance_id.clone_from(&request.instance_id);
    }
    if request.rack_id.is_some() {
        metadata.rack_id.clone_from(&request.rack_id);
    }
    if request.rebalance_timeout_ms != -1 {
        metadata.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if request.server_assignor.is_some() {
        metadata.server_assignor.clone_from(&request.server_assignor);
    }
    if let Some(names) = &request.subscribed_topic_names
        && *names != *metadata.subscribed_topic_names
    {
        metadata.subscribed_topic_names = Arc::new(names.clone());
    }
    if let Some(pattern) = &request.subscribed_topic_regex {
        metadata.subscribed_topic_regex = Some(pattern.clone()).filter(|pattern| !pattern.is_empty());
    }
    metadata.client_id.clone_from(&request.client_id);
    metadata.client_host.clone_from(&request.client_host);
    metadata.classic = None;
    metadata
}
