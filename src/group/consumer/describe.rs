//! A consumer group as administrators see it.
//!
//! Decides what state a group is in. Topics that are gone are left out of assignments: they have no name any more.

use super::ConsumerGroup;
use super::member::Member;
use super::target::preferred_assignor;
use crate::coordinator::View;
use crate::model::Assignment;
use crate::model::consumer_group::{DescribedConsumer, DescribedConsumerGroup, MemberId, NamedPartitions};
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
    pub fn describe(&self, view: View<'_>) -> DescribedConsumerGroup {
        let metadata = self.members.values().map(|member| &member.metadata);
        let none = Assignment::default();
        let described = |(member_id, member): (&MemberId, &Member)| {
            let mut owned = member.current.assigned.clone();
            for (topic_id, partition, epoch) in member.current.pending_revocation.iter() {
                owned.insert(topic_id, partition, epoch);
            }
            let target = self.target_of(member_id, &member.metadata).unwrap_or(&none);
            let metadata = &member.metadata;
            DescribedConsumer {
                member_id: member_id.clone(),
                member_epoch: member.current.member_epoch,
                instance_id: metadata.instance_id.clone(),
                rack_id: metadata.rack_id.clone(),
                client_id: metadata.client_id.clone(),
                client_host: metadata.client_host.clone(),
                subscribed_topic_names: metadata.subscribed_topic_names.clone(),
                subscribed_topic_regex: metadata.subscribed_topic_regex.clone(),
                assignment: named(view, &owned.to_assignment()),
                target: named(view, target),
                is_classic: metadata.classic.is_some(),
            }
        };
        DescribedConsumerGroup {
            state: self.state().name(),
            group_epoch: self.group_epoch,
            assignment_epoch: self.target_epoch,
            assignor: preferred_assignor(metadata, &view.config.groups.consumer).name(),
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
