//! One consumer group of the new protocol (KIP-848): members say what they subscribe to, the group says what they own.
//!
//! ```text
//! heartbeat -> member changed?  -> group epoch + 1  -> new target for that epoch (`target`)
//!           -> the member's own next step towards it (`reconcile`) -> its epoch and assignment in the answer
//! ```
//!
//! Decides who is a member, when a group's epoch changes and who is put out. What must survive a crash changes in `replay` alone; what
//! is decided on the way to records (`Roster`, members not replayed yet) is thrown away with the decision if it is refused.
//!
//! Source: KIP-848; Apache Kafka 4.3 for error codes, order of checks and records.

mod classic;
mod commit;
mod describe;
pub(crate) mod embedded;
mod expiry;
mod founding;
mod heartbeat;
mod leave;
pub(crate) mod member;
pub(crate) mod owned;
mod reconcile;
mod regexes;
mod replay;
mod request;
mod subscription;
mod target;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::member::{Member, MemberMetadata};
use self::owned::Owners;
use self::regexes::Lookup;
use self::subscription::ResolvedRegexes;
use self::timers::{Timer, Timers};
use crate::config::GroupIntervals;
use crate::coordinator::{CoordinatorRecord, View};
use crate::group::records;
use crate::model::consumer_group::{GroupEpoch, InstanceId, MemberId};
use crate::model::{Assignment, Instant};

pub use self::commit::{CommitCheck, Committer};
pub use self::describe::GroupState;
pub use self::founding::Founder;
pub use self::leave::Leaves;

/// Of a group that nobody has joined, as in Kafka since 4.3. Before, and where a classic group moved at generation 0, it was 0.
const FIRST_EPOCH: GroupEpoch = GroupEpoch(1);

/// A consumer group.
///
/// Lives: in the coordinator of its partition of `__consumer_offsets`.
/// Invariants: no partition is assigned to, or still to be given up by, two members: `owners` has one of each.
///             `instances` has the static members among `members`, `owners` what `members` own.
///             target_epoch <= group_epoch; no member's epoch is above target_epoch.
#[derive(Debug)]
pub struct ConsumerGroup {
    group_id: Arc<str>,
    group_epoch: GroupEpoch,
    metadata_hash: i64,
    members: BTreeMap<MemberId, Member>,
    instances: BTreeMap<InstanceId, MemberId>,
    target_epoch: GroupEpoch,
    /// Wall clock at which the target was made.
    target_ms: i64,
    targets: BTreeMap<MemberId, Assignment>,
    owners: Owners,
    regexes: ResolvedRegexes,
    /// Kafka before 4.1 wrote a record of the group's topics, which is taken away at the next change.
    has_partition_metadata: bool,

    // What may be lost with the process.
    timers: Timers,
    /// Version of the last image that the group's topics were compared with.
    checked_image: Option<u64>,
    lookup: Option<Lookup>,
    /// Version of the image in which all regular expressions were looked up last, and when.
    looked_up: Option<(u64, Instant)>,
}

/// The members as they will be when the records of a decision are replayed.
struct Roster<'a> {
    members: BTreeMap<&'a MemberId, &'a MemberMetadata>,
}

impl ConsumerGroup {
    /// A group that nobody has joined: nothing is written of it yet.
    #[must_use]
    pub fn new(group_id: Arc<str>) -> ConsumerGroup {
        ConsumerGroup {
            group_id,
            group_epoch: FIRST_EPOCH,
            metadata_hash: 0,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            target_epoch: GroupEpoch::ZERO,
            target_ms: 0,
            targets: BTreeMap::new(),
            owners: Owners::default(),
            regexes: ResolvedRegexes::new(),
            has_partition_metadata: false,
            timers: Timers::default(),
            checked_image: None,
            lookup: None,
            looked_up: None,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    #[must_use]
    pub fn group_epoch(&self) -> GroupEpoch {
        self.group_epoch
    }

    /// Does a member subscribe to the topic? Then its committed offsets stay.
    #[must_use]
    pub fn subscribes_to(&self, topic: &str) -> bool {
        let resolved = |metadata: &MemberMetadata| {
            let regex = metadata.subscribed_topic_regex.as_ref();
            regex.and_then(|regex| self.regexes.get(regex)).is_some_and(|found| found.topics.contains(topic))
        };
        self.members.values().any(|member| {
            member.metadata.subscribed_topic_names.contains(topic) || resolved(&member.metadata)
        })
    }

    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The process stood still; nobody could be heard of.
    pub fn on_pause(&mut self, paused_ms: u64) {
        self.timers.shift(paused_ms);
    }

    /// Topics may have come, grown or gone. Groups notice at their next heartbeat; regular expressions must be looked up again.
    pub fn on_image(&mut self, view: View<'_>) {
        self.plan_lookup(view);
    }

    /// Takes all of the group out of the log: its last members are gone, and so are its offsets.
    pub fn delete(&self, records: &mut Vec<CoordinatorRecord>) {
        for member_id in self.members.keys() {
            records.push(records::consumer_group_current_assignment_tombstone(
                &self.group_id,
                member_id.as_str(),
            ));
        }
        for member_id in self.targets.keys() {
            records.push(records::consumer_group_target_member_tombstone(&self.group_id, member_id.as_str()));
        }
        records.push(records::consumer_group_target_epoch_tombstone(&self.group_id));
        for member_id in self.members.keys() {
            records.push(records::consumer_group_member_tombstone(&self.group_id, member_id.as_str()));
        }
        if self.has_partition_metadata {
            records.push(records::consumer_group_partition_metadata_tombstone(&self.group_id));
        }
        for regex in self.regexes.keys() {
            records.push(records::consumer_group_regular_expression_tombstone(&self.group_id, regex));
        }
        records.push(records::consumer_group_epoch_tombstone(&self.group_id));
    }

    /// The members, with one changed or new, and without some.
    fn roster<'a>(
        &'a self,
        changed: Option<(&'a MemberId, &'a MemberMetadata)>,
        without: &BTreeSet<MemberId>,
    ) -> Roster<'a> {
        let staying = self.members.iter().filter(|(member_id, _)| !without.contains(*member_id));
        let mut members: BTreeMap<_, _> =
            staying.map(|(member_id, member)| (member_id, &member.metadata)).collect();
        members.extend(changed);
        Roster { members }
    }

    /// Writes the next epoch of the group, for a new member, a changed subscription or changed topics.
    fn bump_epoch(&self, metadata_hash: i64, records: &mut Vec<CoordinatorRecord>) -> GroupEpoch {
        let epoch = self.group_epoch.next();
        records.push(records::consumer_group_epoch(&self.group_id, epoch.0, metadata_hash));
        if self.has_partition_metadata {
            records.push(records::consumer_group_partition_metadata_tombstone(&self.group_id));
        }
        epoch
    }

    fn hash(&self, view: View<'_>, roster: &Roster<'_>) -> i64 {
        let names = subscription::all_names(roster.members.values().copied(), &self.regexes);
        subscription::metadata_hash(names, view.image)
    }

    /// What counts for this group.
    fn intervals(&self, view: View<'_>) -> GroupIntervals {
        view.config.groups.consumer.intervals(view.image.group_overrides.get(&*self.group_id))
    }

    fn set_timer(&mut self, timer: Timer, view: View<'_>, ms: u32) {
        self.timers.set(timer, view.now.instant.after_ms(u64::from(ms)));
    }
}
