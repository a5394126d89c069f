//! A group as its records say.
//!
//! Decides how a record changes a group. A compacted log shows a group's records in the order of their last writing: a member's assignment
//! may come before what the member said of itself, and what was taken away may be taken away again. So everything is made when it is first
//! mentioned, and a tombstone of nothing is nothing.

use super::member::{CurrentAssignment, MemberMetadata};
use super::subscription::ResolvedRegex;
use super::timers::Timer;
use super::{ConsumerGroup, Member};
use crate::coordinator::View;
use crate::group::records::MemberRecord;
use crate::model::Assignment;
use crate::model::consumer_group::{GroupEpoch, MemberId};
use crate::model::{PartitionIndex, TopicId};
use crate::mutations::Mutations;

impl ConsumerGroup {
    /// Whether the group is still there afterwards.
    pub fn replay(&mut self, record: &MemberRecord<'_>, mutations: Mutations) -> bool {
        match record {
            MemberRecord::Epoch(None) => return false,
            MemberRecord::Epoch(Some(value)) => {
                self.group_epoch = GroupEpoch(value.epoch);
                self.metadata_hash = value.metadata_hash;
            }
            MemberRecord::PartitionMetadata(value) => self.has_partition_metadata = value.is_some(),
            MemberRecord::Member { member_id, value: Some(value) } => {
                self.replay_metadata(member_id, MemberMetadata::from_record(value));
            }
            MemberRecord::Member { member_id, value: None } => self.replay_leave(member_id),
            MemberRecord::TargetEpoch(value) => {
                let (epoch, made_ms) = value
                    .as_ref()
                    .map_or((0, 0), |value| (value.assignment_epoch, value.assignment_timestamp));
                (self.target_epoch, self.target_ms) = (GroupEpoch(epoch), made_ms);
            }
            MemberRecord::TargetMember { member_id, value: None } => {
                self.targets.remove(*member_id);
            }
            MemberRecord::TargetMember { member_id, value: Some(value) } => {
                let topics = value.topic_partitions.iter().map(|topic| {
                    let partitions: Vec<_> = topic.partitions.iter().map(PartitionIndex).collect();
                    (TopicId(topic.topic_id.0), partitions)
                });
                self.targets.insert(MemberId::from(*member_id), topics.collect::<Assignment>());
            }
            MemberRecord::CurrentAssignment { member_id, value } => {
                let current = value.as_ref().map(CurrentAssignment::from_record);
                self.replay_current(member_id, current, mutations);
            }
            MemberRecord::RegularExpression { expression, value: None } => {
                self.regexes.remove(*expression);
            }
            MemberRecord::RegularExpression { expression, value: Some(value) } => {
                let topics = value.topics.iter().map(Into::into).collect();
                self.regexes.insert((*expression).into(), ResolvedRegex { topics });
            }
        }
        true
    }

    fn replay_metadata(&mut self, member_id: &str, metadata: MemberMetadata) {
        let member_id = MemberId::from(member_id);
        let member = self.members.entry(member_id.clone()).or_default();
        let before = std::mem::replace(&mut member.metadata, metadata);
        let now = member.metadata.instance_id.clone();
        if before.instance_id != now
            && let Some(instance_id) = before.instance_id
            && self.instances.get(&instance_id) == Some(&member_id)
        {
            self.instances.remove(&instance_id);
        }
        if let Some(instance_id) = now {
            self.instances.insert(instance_id, member_id);
        }
    }

    fn replay_leave(&mut self, member_id: &str) {
        let Some((member_id, member)) = self.members.remove_entry(member_id) else { return };
        self.owners.remove(&member_id, &member.current.assigned);
        self.owners.remove(&member_id, &member.current.pending_revocation);
        if let Some(instance_id) = &member.metadata.instance_id
            && self.instances.get(instance_id) == Some(&member_id)
        {
            self.instances.remove(instance_id);
        }
        self.timers.cancel_member(&member_id);
    }

    /// Without an assignment a member is one that has left, until it joins again or the next record puts it out.
    fn replay_current(&mut self, member_id: &str, current: Option<CurrentAssignment>, mutations: Mutations) {
        let keeps_owner = current.is_none() && mutations.consumer_keeps_owner();
        let current = match current {
            Some(current) => current,
            None if self.members.contains_key(member_id) => CurrentAssignment {
                member_epoch: GroupEpoch::LEAVES,
                previous_member_epoch: GroupEpoch::LEAVES,
                ..CurrentAssignment::default()
            },
            None => return,
        };
        let member_id = MemberId::from(member_id);
        let Member { current: before, .. } = self.members.entry(member_id.clone()).or_default();
        let before = std::mem::replace(before, current);
        if !keeps_owner {
            self.owners.remove(&member_id, &before.assigned);
            self.owners.remove(&member_id, &before.pending_revocation);
        }
        let now = &self.members[&member_id].current;
        self.owners.add(&member_id, &now.assigned);
        self.owners.add(&member_id, &now.pending_revocation);
    }

    /// All records are replayed: every member is given the time of a session to be heard of, as if it had just been.
    pub fn on_loaded(&mut self, view: View<'_>) {
        self.timers.cancel_all();
        let intervals = self.intervals(view);
        let members: Vec<(MemberId, u32, bool, u32)> = self
            .members
            .iter()
            .map(|(member_id, member)| {
                let classic = member.metadata.classic.as_ref();
                let session_ms =
                    classic.map_or(intervals.session_timeout_ms, |classic| classic.session_timeout_ms);
                let revokes = classic.is_none()
                    && member.current.state == super::member::MemberState::UnrevokedPartitions;
                (member_id.clone(), session_ms, revokes, member.metadata.rebalance_timeout_ms())
            })
            .collect();
        for (member_id, session_ms, revokes, rebalance_ms) in members {
            if !view.mutations.consumer_sessions_not_loaded() {
                self.set_timer(Timer::Session(member_id.clone()), view, session_ms);
            }
            if revokes {
                self.set_timer(Timer::Rebalance(member_id), view, rebalance_ms);
            }
        }
        self.plan_lookup(view);
    }
}
