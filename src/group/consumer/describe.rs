//! A consumer group as administrators see it.
//!
//! Decides what state a group is in. Topics that are gone are left out of assignments: they have no name any more.

use std::sync::Arc;

use super::ConsumerGroup;
use super::member::{Member, MemberMetadata};
use super::names::{GroupEpoch, MemberId};
use super::request::ConsumerGroupConfig;
use super::target::preferred_assignor;
use crate::coordinator::View;
use crate::group::Assignment;
use crate::model::{PartitionIndex, TopicId};

/// Kafka's names of a consumer group's states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    Empty,
    /// Its target is not made for its epoch.
    Assigning,
    /// Members are on their way to the target.
    Reconciling,
    Stable,
}

impl GroupState {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::Assigning => "Assigning",
            GroupState::Reconciling => "Reconciling",
            GroupState::Stable => "Stable",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedGroup {
    pub group_id: Arc<str>,
    pub state: GroupState,
    pub group_epoch: GroupEpoch,
    pub assignment_epoch: GroupEpoch,
    pub assignor: &'static str,
    pub members: Vec<DescribedMember>,
}

/// Partitions of topics by name.
pub type NamedPartitions = Vec<(TopicId, Arc<str>, Vec<PartitionIndex>)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    pub member_id: MemberId,
    pub metadata: MemberMetadata,
    pub member_epoch: GroupEpoch,
    /// With what it must give up: it has that still.
    pub assignment: NamedPartitions,
    pub target: NamedPartitions,
}

impl ConsumerGroup {
    #[must_use]
    pub fn state(&self) -> GroupState {
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.group_epoch > self.target_epoch {
            GroupState::Assigning
        } else if self.members.values().all(|member| member.current.has_reached(self.target_epoch)) {
            GroupState::Stable
        } else {
            GroupState::Reconciling
        }
    }

    #[must_use]
    pub fn describe(&self, view: View<'_>, config: &ConsumerGroupConfig) -> DescribedGroup {
        let metadata = self.members.values().map(|member| &member.metadata);
        let none = Assignment::default();
        let described = |(member_id, member): (&MemberId, &Member)| {
            let mut owned = member.current.assigned.clone();
            for (topic_id, partition, epoch) in member.current.pending_revocation.iter() {
                owned.insert(topic_id, partition, epoch);
            }
            let target = self.target_of(member_id, &member.metadata).unwrap_or(&none);
            DescribedMember {
                member_id: member_id.clone(),
                metadata: member.metadata.clone(),
                member_epoch: member.current.member_epoch,
                assignment: named(view, &owned.to_assignment()),
                target: named(view, target),
            }
        };
        DescribedGroup {
            group_id: self.group_id.clone(),
            state: self.state(),
            group_epoch: self.group_epoch,
            assignment_epoch: self.target_epoch,
            assignor: preferred_assignor(metadata, config).name(),
            members: self.members.iter().map(described).collect(),
        }
    }
}

fn named(view: View<'_>, assignment: &Assignment) -> NamedPartitions {
    let topic = |(topic_id, partitions): (TopicId, &[PartitionIndex])| {
        let topic = view.image.topic(topic_id)?;
        Some((topic_id, topic.name.clone(), partitions.to_vec()))
    };
    assignment.topics().filter_map(topic).collect()
}
