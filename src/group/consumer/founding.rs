//! A consumer group that classic members make: the group that they were, moved.
//!
//! Decides what is written of it. Members stay at the generation that they have reached, which is the group's epoch, and keep what they
//! were assigned: that is their target, too. The member whose joining makes the move brings the next epoch.

use std::sync::Arc;

use super::ConsumerGroup;
use super::embedded::Subscription;
use super::member::{ClassicMember, CurrentAssignment, MemberMetadata, MemberState};
use super::owned::{OwnedPartitions, Owners};
use super::subscription::{ResolvedRegexes, all_names, metadata_hash};
use super::target::target_record;
use super::timers::Timer;
use crate::coordinator::{CoordinatorRecord, View};
use crate::group::classic::MovedMember;
use crate::group::records::{self, GroupRecord};
use crate::model::consumer_group::{GroupEpoch, InstanceId, MemberId};
use crate::model::{Assignment, GenerationId};

/// A classic member and what its bytes say.
#[derive(Debug)]
pub struct Founder {
    pub member: MovedMember,
    pub(crate) subscription: Subscription,
    pub partitions: Assignment,
}

impl Founder {
    fn metadata(&self) -> MemberMetadata {
        let MovedMember { client, protocols, .. } = &self.member;
        let protocols = protocols.iter();
        MemberMetadata {
            instance_id: self.member.group_instance_id.as_deref().map(InstanceId::from),
            rack_id: self.subscription.rack_id.clone(),
            client_id: client.client_id.as_str().into(),
            client_host: client.client_host.as_str().into(),
            subscribed_topic_names: Arc::new(self.subscription.topics.clone()),
            subscribed_topic_regex: None,
            rebalance_timeout_ms: i32::try_from(self.member.rebalance_timeout_ms).unwrap_or(i32::MAX),
            server_assignor: None,
            classic: Some(ClassicMember {
                session_timeout_ms: self.member.session_timeout_ms,
                protocols: protocols
                    .map(|protocol| (protocol.name.as_str().into(), protocol.metadata.clone()))
                    .collect(),
            }),
        }
    }
}

impl ConsumerGroup {
    /// The group, as it is when `records` have been replayed.
    #[must_use]
    pub fn of_classic_members(
        view: View<'_>,
        group_id: Arc<str>,
        generation_id: GenerationId,
        founders: Vec<Founder>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> ConsumerGroup {
        let first = records.len();
        let epoch = GroupEpoch(generation_id.0);
        let members: Vec<(MemberId, MemberMetadata, OwnedPartitions)> = owned_once(epoch, &founders);
        for (member_id, metadata, _) in &members {
            records.push(metadata.to_record(&group_id, member_id));
        }
        let regexes = ResolvedRegexes::new();
        let names = all_names(members.iter().map(|(_, metadata, _)| metadata), &regexes);
        let hash = metadata_hash(names, view.image);
        records.push(records::consumer_group_epoch(&group_id, epoch.0, hash));
        for (member_id, _, owned) in &members {
            records.push(target_record(&group_id, member_id, &owned.to_assignment()));
        }
        records.push(records::consumer_group_target_epoch(&group_id, epoch.0, view.now.wall_ms));
        for (member_id, _, assigned) in &members {
            let current = CurrentAssignment {
                member_epoch: epoch,
                previous_member_epoch: epoch,
                state: MemberState::Stable,
                assigned: assigned.clone(),
                pending_revocation: OwnedPartitions::default(),
            };
            records.push(current.to_record(&group_id, member_id));
        }
        let mut group = ConsumerGroup::new(group_id);
        for record in &records[first..] {
            if let Ok(GroupRecord::ConsumerGroup { record, .. }) =
                records::read(&record.key, record.value.as_deref())
            {
                group.replay(&record, view.mutations);
            }
        }
        for founder in &founders {
            let member_id = MemberId::from(founder.member.member_id.as_str());
            group.set_timer(Timer::Session(member_id), view, founder.member.session_timeout_ms);
        }
        group
    }
}

/// A leader of the classic protocol may have assigned anything. Of two who have the same partition, the second is taken not to.
fn owned_once(epoch: GroupEpoch, founders: &[Founder]) -> Vec<(MemberId, MemberMetadata, OwnedPartitions)> {
    let mut owners = Owners::default();
    let mut members = Vec::with_capacity(founders.len());
    for founder in founders {
        let member_id = MemberId::from(founder.member.member_id.as_str());
        let mut owned = OwnedPartitions::default();
        for (topic_id, partitions) in founder.partitions.topics() {
            for partition in partitions.iter().filter(|partition| owners.of(topic_id, **partition).is_none())
            {
                owned.insert(topic_id, *partition, epoch);
            }
        }
        owners.add(&member_id, &owned);
        members.push((member_id, founder.metadata(), owned));
    }
    members
}
