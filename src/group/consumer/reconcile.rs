//! The next step of one member towards its target.
//!
//! ```text
//! Stable --new target--> something to give up?     -> UnrevokedPartitions, at the old epoch, until the member says that it gave it up
//!                        something not yet free?   -> UnreleasedPartitions, at the new epoch, with all that is free
//!                        otherwise                 -> Stable, at the new epoch
//! ```
//!
//! Decides what one member owns after one heartbeat. What it rests on: a partition is given only to a member when nobody else owns it, and
//! a member owns what it has not said that it gave up. So no partition has two owners, whatever is lost or late.
//!
//! Source: KIP-848; Apache Kafka 4.3 for what a change of subscription does before a new target is there.

use std::collections::BTreeSet;

use super::member::{CurrentAssignment, MemberState};
use super::owned::{OwnedPartitions, Owners};
use crate::model::Assignment;
use crate::model::TopicId;
use crate::model::consumer_group::{GroupEpoch, MemberId};
use crate::mutations::Mutations;

pub(super) struct Reconciliation<'a> {
    pub member_id: &'a MemberId,
    pub current: &'a CurrentAssignment,
    pub target_epoch: GroupEpoch,
    pub target: &'a Assignment,
    /// What the member subscribes to now, of the topics that exist.
    pub subscribed: &'a BTreeSet<TopicId>,
    /// The subscription is not the one that the target was made for, perhaps: partitions outside of it are taken away at once.
    pub subscription_changed: bool,
    /// What the member says that it owns; None: it says nothing.
    pub reported: Option<&'a Assignment>,
    pub owners: &'a Owners,
    pub mutations: Mutations,
}

/// The member is in a state of a newer broker, and must come back without partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MustRejoin;

impl Reconciliation<'_> {
    /// None: nothing changes.
    pub(super) fn next(&self) -> Result<Option<CurrentAssignment>, MustRejoin> {
        let current = self.current;
        let next = match current.state {
            MemberState::Stable if current.member_epoch != self.target_epoch => {
                self.towards_target(current.member_epoch)
            }
            MemberState::Stable if self.subscription_changed => self.without_unsubscribed(),
            MemberState::Stable => return Ok(None),
            MemberState::UnrevokedPartitions if self.still_owns(&current.pending_revocation) => {
                if !self.subscription_changed {
                    return Ok(None);
                }
                self.without_unsubscribed()
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
                self.towards_target(current.member_epoch)
            }
            MemberState::Unknown if self.reported.is_some_and(Assignment::is_empty) => {
                self.towards_target(self.target_epoch)
            }
            MemberState::Unknown => return Err(MustRejoin),
        };
        Ok(Some(next).filter(|next| next != current))
    }

    /// Whoever says nothing has given nothing up.
    fn still_owns(&self, partitions: &OwnedPartitions) -> bool {
        let awaits = !self.mutations.consumer_awaits_no_revocation();
        awaits && self.reported.is_none_or(|reported| partitions.contains_any(reported))
    }

    /// A step within an epoch leaves the door open for a member that missed the epoch itself.
    fn previous_of(&self, epoch: GroupEpoch) -> GroupEpoch {
        let current = self.current;
        if epoch == current.member_epoch { current.previous_member_epoch } else { current.member_epoch }
    }

    fn without_unsubscribed(&self) -> CurrentAssignment {
        let mut next = self.current.clone();
        next.assigned = OwnedPartitions::default();
        let mut removed = OwnedPartitions::default();
        for (topic_id, partition, epoch) in self.current.assigned.iter() {
            let kept = if self.subscribed.contains(&topic_id) { &mut next.assigned } else { &mut removed };
            kept.insert(topic_id, partition, epoch);
        }
        if removed.is_empty() {
            return self.current.clone();
        }
        let mut pending = self.current.pending_revocation.clone();
        for (topic_id, partition, epoch) in removed.iter() {
            pending.insert(topic_id, partition, epoch);
        }
        if self.still_owns(&pending) {
            next.state = MemberState::UnrevokedPartitions;
            next.pending_revocation = pending;
        }
        next
    }

    /// `epoch` is the member's as long as it has something to give up.
    fn towards_target(&self, epoch: GroupEpoch) -> CurrentAssignment {
        let current = self.current;
        let mut assigned = OwnedPartitions::default();
        let mut pending = OwnedPartitions::default();
        for (topic_id, partition, since) in current.assigned.iter() {
            let wanted = self.subscribed.contains(&topic_id) && self.target.contains(topic_id, partition);
            let place = if wanted { &mut assigned } else { &mut pending };
            place.insert(topic_id, partition, since);
        }
        if !pending.is_empty() && self.still_owns(&pending) {
            return CurrentAssignment {
                member_epoch: epoch,
                previous_member_epoch: self.previous_of(epoch),
                state: MemberState::UnrevokedPartitions,
                assigned,
                pending_revocation: pending,
            };
        }
        let mut state = MemberState::Stable;
        for (topic_id, partitions) in self.target.topics().filter(|topic| self.subscribed.contains(&topic.0))
        {
            for &partition in
                partitions.iter().filter(|partition| !current.assigned.contains(topic_id, **partition))
            {
                // Its own are those that it was to give up, and has.
                match self.owners.of(topic_id, partition) {
                    Some(owner) if owner != self.member_id && !self.mutations.consumer_assigns_owned() => {
                        state = MemberState::UnreleasedPartitions;
                    }
                    _ => assigned.insert(topic_id, partition, self.target_epoch),
                }
            }
        }
        CurrentAssignment {
            member_epoch: self.target_epoch,
            previous_member_epoch: self.previous_of(self.target_epoch),
            state,
            assigned,
            pending_revocation: OwnedPartitions::default(),
        }
    }
}
