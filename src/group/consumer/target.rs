//! The target of a whole group: who shall own what at an epoch.
//!
//! Decides which assignor is asked and with what, and which records say what came of it: one for each member whose share changed, and the
//! epoch.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;
use protocol::messages::group_record::{ConsumerGroupTargetAssignmentMemberValue, TargetTopicPartitions};

use super::member::MemberMetadata;
use super::subscription;
use super::{ConsumerGroup, Roster};
use crate::config::ConsumerGroupConfig;
use crate::coordinator::{CoordinatorRecord, View};
use crate::group::assignor::{Assignor, Subscriber};
use crate::group::records;
use crate::model::Assignment;
use crate::model::TopicId;
use crate::model::consumer_group::{GroupEpoch, MemberId};

impl ConsumerGroup {
    /// Targets follow each other no faster than the group's interval allows, so that members who come together cause one. Of times that lie
    /// ahead, the wall clock has been put back.
    ///
    /// Source: KIP-1263; Apache Kafka 4.3.1, where this is looked at in heartbeats only, too.
    pub(super) fn may_make_target(&self, view: View<'_>) -> bool {
        if self.target_epoch == GroupEpoch::ZERO || self.target_ms <= 0 {
            return true;
        }
        let since_ms = view.now.wall_ms.saturating_sub(self.target_ms);
        let interval_ms = i64::from(self.intervals(view).assignment_interval_ms);
        !(0..interval_ms).contains(&since_ms) && !view.mutations.consumer_target_not_remade()
    }

    /// Makes the target for `epoch`; returns the share of `member_id`.
    pub(super) fn plan_target(
        &self,
        view: View<'_>,
        roster: &Roster<'_>,
        epoch: GroupEpoch,
        member_id: &MemberId,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Assignment {
        let subscriptions = Subscriptions::of(self, view, roster);
        let none = Assignment::default();
        let members: Vec<Subscriber<'_>> = roster
            .members
            .iter()
            .zip(&subscriptions.of_members)
            .map(|((&member_id, metadata), &subscription)| Subscriber {
                member_id: member_id.as_str(),
                instance_id: metadata.instance_id.as_ref().map(|instance_id| instance_id.as_str()),
                topics: &subscriptions.distinct[subscription],
                previous: self.target_of(member_id, metadata).unwrap_or(&none),
            })
            .collect();
        let assigned = preferred_assignor(roster.members.values().copied(), &view.config.groups.consumer)
            .assign(&members, &subscriptions.partition_counts(view));
        let mut own = Assignment::default();
        for (&id, assignment) in roster.members.keys().zip(assigned) {
            if self.targets.get(id) != Some(&assignment) {
                records.push(target_record(&self.group_id, id, &assignment));
            }
            if id == member_id {
                own = assignment;
            }
        }
        records.push(records::consumer_group_target_epoch(&self.group_id, epoch.0, view.now.wall_ms));
        own
    }

    /// A static member that comes back under another id has its predecessor's.
    pub(super) fn target_of(&self, member_id: &MemberId, metadata: &MemberMetadata) -> Option<&Assignment> {
        self.targets.get(member_id).or_else(|| {
            let predecessor = self.instances.get(metadata.instance_id.as_ref()?)?;
            self.targets.get(predecessor)
        })
    }
}

pub(super) fn target_record(group_id: &str, member_id: &MemberId, target: &Assignment) -> CoordinatorRecord {
    let topic = |(topic_id, partitions): (TopicId, &[crate::model::PartitionIndex])| TargetTopicPartitions {
        topic_id: Uuid(topic_id.0),
        partitions: partitions.iter().map(|partition| partition.0).collect(),
    };
    let value =
        ConsumerGroupTargetAssignmentMemberValue { topic_partitions: target.topics().map(topic).collect() };
    records::consumer_group_target_member(group_id, member_id.as_str(), &value)
}

/// The one that most members ask for; of several, the one that stands first in the config. Nobody asks: the default.
pub(super) fn preferred_assignor<'a>(
    members: impl Iterator<Item = &'a MemberMetadata>,
    config: &ConsumerGroupConfig,
) -> Assignor {
    let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
    for name in members.filter_map(|metadata| metadata.server_assignor.as_deref()) {
        if let Some(assignor) = Assignor::by_name(name) {
            *votes.entry(assignor).or_default() += 1;
        }
    }
    let by_votes = |assignor: &&Assignor| votes.get(*assignor).copied().unwrap_or(0);
    // Of equals, max_by_key takes the last.
    let preferred = config.assignors.iter().rev().max_by_key(by_votes);
    preferred.copied().unwrap_or(Assignor::Uniform)
}

/// Few sets of topics for many members.
struct Subscriptions {
    distinct: Vec<Vec<TopicId>>,
    /// By the order of the roster.
    of_members: Vec<usize>,
}

impl Subscriptions {
    fn of(group: &ConsumerGroup, view: View<'_>, roster: &Roster<'_>) -> Subscriptions {
        let mut known = BTreeMap::new();
        let mut distinct = Vec::new();
        let mut of_members = Vec::with_capacity(roster.members.len());
        for metadata in roster.members.values() {
            let key = (&*metadata.subscribed_topic_names, &metadata.subscribed_topic_regex);
            let index = *known.entry(key).or_insert_with(|| {
                let topics = subscription::topic_ids(metadata, &group.regexes, view.image);
                distinct.push(topics.into_iter().collect());
                distinct.len() - 1
            });
            of_members.push(index);
        }
        Subscriptions { distinct, of_members }
    }

    fn partition_counts(&self, view: View<'_>) -> BTreeMap<TopicId, u32> {
        let topic_ids: BTreeSet<TopicId> = self.distinct.iter().flatten().copied().collect();
        let count = |topic_id: TopicId| {
            let topic = view.image.topic(topic_id)?;
            Some((
                topic_id,
                u32::try_from(topic.partitions.len()).expect("partitions are numbered by an i32"),
            ))
        };
        topic_ids.into_iter().filter_map(count).collect()
    }
}
