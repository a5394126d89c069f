//! Groups: who consumes what, and how far it has come.
//!
//! ```text
//! GroupCoordinator --Join, Sync, Heartbeat, Leave--> classic; or consumer, if the group has members of both protocols (`migration`)
//!                  --ConsumerHeartbeat-------------> consumer
//!                  --Commit, Fetch, Delete---------> offsets (once the group agrees)
//!                  --time--------------------------> sweep: offsets that nobody needs, groups that have nothing
//! ```
//!
//! Decides what each group answers and which records it writes. Nothing here sees a log, a clock or a connection (`coordinator`).

pub mod assignor;
pub mod classic;
pub mod consumer;
mod migration;
pub mod offsets;
pub mod records;
mod sweep;
mod topic;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_migration;
#[cfg(test)]
mod tests_mixed;

use std::collections::{BTreeMap, BTreeSet};

use protocol::error_code::ErrorCode;

use self::classic::{ClassicGroup, StillUsed, Turn, join_refused};
use self::consumer::{Committer, ConsumerGroup};
use self::offsets::Offsets;
use self::records::GroupRecord;
use self::sweep::Sweep;
pub use self::topic::{OFFSETS_TOPIC, new_offsets_topic, partition_of_group};
use crate::coordinator::{Coordinator, CoordinatorRecord, Decision, NotReplayed, Ticket, View};
use crate::limits::SWEEP_GROUPS_PER_TURN;
use crate::model::consumer_group::GroupEpoch;
use crate::model::group::{
    CommitAsk, DeleteOffsetsAsk, FetchAsk, GroupAnswer, GroupAsk, GroupReply, JoinAsk, ListAsk, ListedGroup,
};
use crate::model::{Instant, PartitionIndex};
use crate::stdx::RandomIds;

/// A group by the protocol of its members.
#[derive(Debug)]
pub enum Group {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

impl Group {
    fn next_deadline(&self) -> Option<Instant> {
        match self {
            Group::Classic(group) => group.next_deadline(),
            Group::Consumer(group) => group.next_deadline(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_empty(),
            Group::Consumer(group) => group.is_empty(),
        }
    }

    fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to(topic),
            Group::Consumer(group) => group.subscribes_to(topic),
        }
    }

    /// As `ClassicGroup::unused_since`. What members of a consumer group subscribe to is always known.
    fn unused_since(&self) -> Result<Option<i64>, StillUsed> {
        match self {
            Group::Classic(group) => group.unused_since(),
            Group::Consumer(_) => Ok(None),
        }
    }

    /// Errors: NON_EMPTY_GROUP.
    fn check_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
    }

    /// Takes the group out of the log, offsets aside.
    fn tombstones(&self, group_id: &str, records: &mut Vec<CoordinatorRecord>) {
        match self {
            Group::Classic(_) => records.push(records::group_metadata_tombstone(group_id)),
            Group::Consumer(group) => group.delete(records),
        }
    }

    fn listed(&self, group_id: &str) -> ListedGroup {
        let (protocol_type, state, group_type) = match self {
            Group::Classic(group) => (group.protocol_type(), group.state().name(), "classic"),
            Group::Consumer(group) => (classic::CONSUMER, group.state().name(), "consumer"),
        };
        let (group_id, protocol_type) = (group_id.to_owned(), protocol_type.to_owned());
        ListedGroup { group_id, protocol_type, state, group_type }
    }
}

#[derive(Debug)]
struct Entry {
    group: Group,
    /// When it is looked at: its earliest deadline, or before it.
    wake: Option<Instant>,
}

/// Coordinates the groups of one partition of `__consumer_offsets`.
///
/// Lives: one per partition, in a host.
/// Invariants: a group with offsets is in `groups`. `wakes` holds exactly the `wake` of each. Of a classic group only what its record
///             says survives: the group itself is ahead of it, and a live record of it is not replayed into it.
#[derive(Debug)]
pub struct GroupCoordinator {
    groups: BTreeMap<String, Entry>,
    wakes: BTreeSet<(Instant, String)>,
    /// Whose group answers later.
    parked: BTreeMap<Ticket, String>,
    offsets: Offsets,
    sweep: Sweep,
    ids: RandomIds,
    is_loaded: bool,
}

impl GroupCoordinator {
    /// `ids`: what member ids are made from.
    #[must_use]
    pub fn new(ids: RandomIds) -> GroupCoordinator {
        GroupCoordinator {
            groups: BTreeMap::new(),
            wakes: BTreeSet::new(),
            parked: BTreeMap::new(),
            offsets: Offsets::default(),
            sweep: Sweep::default(),
            ids,
            is_loaded: false,
        }
    }

    #[must_use]
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    fn classic(&mut self, group_id: &str) -> Option<&mut ClassicGroup> {
        match &mut self.groups.get_mut(group_id)?.group {
            Group::Classic(group) => Some(group),
            Group::Consumer(_) => None,
        }
    }

    fn insert(&mut self, group_id: &str, group: Group) {
        self.remove(group_id);
        self.groups.insert(group_id.to_owned(), Entry { group, wake: None });
    }

    fn remove(&mut self, group_id: &str) {
        if let Some(Entry { wake: Some(wake), .. }) = self.groups.remove(group_id) {
            self.wakes.remove(&(wake, group_id.to_owned()));
        }
    }

    /// Lets a classic group handle something, and keeps the books about whom it owes an answer and when it is to be woken.
    fn with_classic(
        &mut self,
        view: View<'_>,
        group_id: &str,
        ticket: Option<Ticket>,
        decision: &mut Decision<GroupReply>,
        handle: impl FnOnce(&mut ClassicGroup, &mut Turn<'_, '_>),
    ) {
        let Some(Entry { group: Group::Classic(group), .. }) = self.groups.get_mut(group_id) else { return };
        let answered_before = decision.answers.len();
        handle(group, &mut Turn { view, decision, ids: &mut self.ids });
        let answered = &decision.answers[answered_before..];
        for (ticket, _) in answered {
            self.parked.remove(ticket);
        }
        if let Some(ticket) = ticket
            && !answered.iter().any(|(other, _)| *other == ticket)
        {
            self.parked.insert(ticket, group_id.to_owned());
        }
        self.set_wake(group_id);
    }

    fn set_wake(&mut self, group_id: &str) {
        let Some(entry) = self.groups.get_mut(group_id) else { return };
        let wake = entry.group.next_deadline();
        if let Some(before) = std::mem::replace(&mut entry.wake, wake)
            && wake != Some(before)
        {
            self.wakes.remove(&(before, group_id.to_owned()));
        }
        if let Some(wake) = wake {
            self.wakes.insert((wake, group_id.to_owned()));
        }
    }

    /// The first to join makes the group, and the record that says so.
    fn join(&mut self, view: View<'_>, ticket: Ticket, ask: JoinAsk, decision: &mut Decision<GroupReply>) {
        if let Some(reply) = self.maybe_join_consumer_group(view, &ask, decision) {
            decision.answer(ticket, reply);
            return;
        }
        let group_id = ask.group_id.clone();
        let is_new = !self.groups.contains_key(&group_id);
        if is_new {
            if !ask.member_id.is_empty() {
                decision.answer(ticket, join_refused(&ask.member_id, ErrorCode::UNKNOWN_MEMBER_ID));
                return;
            }
            self.insert(&group_id, Group::Classic(ClassicGroup::new(&group_id, view.now.wall_ms)));
        }
        self.with_classic(view, &group_id, Some(ticket), decision, |group, turn| {
            group.join(turn, ticket, ask)
        });
        if is_new && self.classic(&group_id).is_some_and(|group| group.next_deadline().is_none()) {
            // Nobody was let in.
            self.remove(&group_id);
        } else if is_new && decision.records.is_empty() {
            decision.records.push(ClassicGroup::empty_record(&group_id, view.now.wall_ms));
        }
    }

    fn commit(&mut self, view: View<'_>, ask: &CommitAsk, decision: &mut Decision<GroupReply>) -> GroupReply {
        match self.groups.get_mut(&ask.group_id).map(|entry| &mut entry.group) {
            Some(Group::Consumer(group)) => {
                let committer =
                    if ask.knows_member_epochs { Committer::Consumer } else { Committer::OldConsumer };
                let epoch = GroupEpoch(ask.generation_id.0);
                let instance_id = ask.group_instance_id.as_deref();
                let check = group.check_commit(&ask.member_id, instance_id, epoch, committer)?;
                let owned_once = view.mutations.consumer_commit_of_any_epoch();
                for commit in ask.partitions.iter().filter(|_| !owned_once) {
                    check.check(commit.topic_id, PartitionIndex(commit.partition))?;
                }
            }
            Some(Group::Classic(group)) => {
                let takes_any = view.mutations.group_commit_of_any_generation() && ask.generation_id.0 >= 0;
                let generation_id = if takes_any { group.generation_id() } else { ask.generation_id };
                group.check_commit(&ask.member_id, ask.group_instance_id.as_deref(), generation_id)?;
                group.on_commit(view, &ask.member_id);
            }
            // Whoever is no member may use a group for offsets alone.
            None if ask.generation_id.0 < 0 => {}
            None if ask.knows_member_epochs => return Err(ErrorCode::GROUP_ID_NOT_FOUND),
            None => return Err(ErrorCode::ILLEGAL_GENERATION),
        }
        Ok(GroupAnswer::OffsetsCommitted(Offsets::commit(view, ask, &mut decision.records)))
    }

    fn fetch_offsets(&self, ask: &FetchAsk) -> GroupReply {
        if let Some(Entry { group: Group::Consumer(group), .. }) = self.groups.get(&ask.group_id) {
            group.check_fetch(ask.member_id.as_deref(), GroupEpoch(ask.member_epoch))?;
        }
        Ok(GroupAnswer::OffsetsFetched(self.offsets.fetch(ask)))
    }

    fn delete_offsets(&mut self, ask: &DeleteOffsetsAsk, decision: &mut Decision<GroupReply>) -> GroupReply {
        let Some(Entry { group, .. }) = self.groups.get(&ask.group_id) else {
            return Err(ErrorCode::GROUP_ID_NOT_FOUND);
        };
        if let Group::Classic(group) = group {
            group.check_delete_offsets()?;
        }
        let errors = ask.partitions.iter().map(|(topic, partition)| {
            if group.is_subscribed_to(topic) {
                return ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC;
            }
            self.offsets.delete(&ask.group_id, topic, *partition, &mut decision.records);
            ErrorCode::NONE
        });
        Ok(GroupAnswer::OffsetsDeleted(errors.collect()))
    }

    fn delete(&mut self, group_id: &str, decision: &mut Decision<GroupReply>) -> GroupReply {
        let Entry { group, .. } = self.groups.get(group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        group.check_delete()?;
        self.offsets.delete_all(group_id, &mut decision.records);
        group.tombstones(group_id, &mut decision.records);
        Ok(GroupAnswer::Deleted)
    }

    fn list(&self, ask: &ListAsk) -> GroupAnswer {
        let allows = |filter: &[String], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let rows = self.groups.iter().map(|(group_id, entry)| entry.group.listed(group_id));
        let listed = rows.filter(|row| allows(&ask.states, row.state) && allows(&ask.types, row.group_type));
        GroupAnswer::Listed(listed.collect())
    }
}

impl Coordinator for GroupCoordinator {
    type Ask = GroupAsk;
    type Answer = GroupReply;

    fn replay(
        &mut self,
        view: View<'_>,
        _timestamp_ms: i64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), NotReplayed> {
        match records::read(key, value)? {
            GroupRecord::OffsetCommit { group_id, topic, partition, value } => {
                if value.is_none() && !self.is_loaded && view.mutations.offset_tombstones_not_loaded() {
                    return Ok(());
                }
                if value.is_some() && !self.groups.contains_key(group_id) {
                    self.insert(group_id, Group::Classic(ClassicGroup::new(group_id, view.now.wall_ms)));
                }
                self.offsets.replay(group_id, topic, partition, value.as_ref());
            }
            GroupRecord::GroupMetadata { group_id, value: None } => self.replay_classic_tombstone(group_id),
            GroupRecord::GroupMetadata { group_id, value: Some(value) } => {
                if !self.is_loaded && view.mutations.group_record_drops_offsets() {
                    self.offsets.forget(group_id);
                }
                let keeps_first = view.mutations.group_load_keeps_first_record();
                if !(self.is_loaded || keeps_first) || !self.groups.contains_key(group_id) {
                    self.insert(group_id, Group::Classic(ClassicGroup::from_record(group_id, &value)));
                }
            }
            GroupRecord::ConsumerGroup { group_id, record } => {
                self.replay_consumer_group(view, group_id, &record);
            }
        }
        Ok(())
    }

    fn on_loaded(&mut self, view: View<'_>, decision: &mut Decision<GroupReply>) {
        self.is_loaded = true;
        // A group whose tombstone was compacted away before those of its offsets is there again: as one with offsets alone.
        let group_ids: Vec<String> = self.groups.keys().cloned().collect();
        for group_id in group_ids {
            if let Some(group) = self.consumer(&group_id) {
                group.on_loaded(view);
                self.set_wake(&group_id);
            } else {
                self.with_classic(view, &group_id, None, decision, ClassicGroup::on_loaded);
            }
        }
        self.sweep.begin(view, self.offsets.has_deleted_topics(view));
    }

    fn handle(&mut self, view: View<'_>, ticket: Ticket, ask: GroupAsk, decision: &mut Decision<GroupReply>) {
        let is_known = self.groups.contains_key(ask.group_id().unwrap_or_default());
        if let Some(reply) = self.maybe_ask_consumer_group(view, &ask, decision) {
            decision.answer(ticket, reply);
            return;
        }
        let reply = match ask {
            GroupAsk::Join(ask) => return self.join(view, ticket, ask, decision),
            GroupAsk::Sync(ask) if is_known => {
                let group_id = ask.group_id.clone();
                let sync = |group: &mut ClassicGroup, turn: &mut Turn<'_, '_>| group.sync(turn, ticket, ask);
                return self.with_classic(view, &group_id, Some(ticket), decision, sync);
            }
            GroupAsk::Leave(ask) if is_known => {
                let leave =
                    |group: &mut ClassicGroup, turn: &mut Turn<'_, '_>| group.leave(turn, ticket, &ask);
                return self.with_classic(view, &ask.group_id, Some(ticket), decision, leave);
            }
            GroupAsk::Heartbeat(ask) => match self.groups.get_mut(&ask.group_id) {
                // It only puts the group's deadlines off, so it need not be woken earlier.
                Some(Entry { group: Group::Classic(group), .. }) => {
                    return group.heartbeat(&mut Turn { view, decision, ids: &mut self.ids }, ticket, &ask);
                }
                _ => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            },
            GroupAsk::Sync(_) | GroupAsk::Leave(_) => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            GroupAsk::CommitOffsets(ask) => self.commit(view, &ask, decision),
            GroupAsk::FetchOffsets(ask) => self.fetch_offsets(&ask),
            GroupAsk::DeleteOffsets(ask) => self.delete_offsets(&ask, decision),
            GroupAsk::List(ask) => Ok(self.list(&ask)),
            GroupAsk::Describe { group_id } => match self.classic(&group_id) {
                Some(group) => Ok(GroupAnswer::Described(group.describe())),
                None => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            },
            GroupAsk::Delete { group_id } => self.delete(&group_id, decision),
            GroupAsk::ConsumerHeartbeat(ask) => {
                Ok(GroupAnswer::ConsumerHeard(self.consumer_heartbeat(view, ask, decision)))
            }
            GroupAsk::DescribeConsumerGroup { group_id } => match self.consumer(&group_id) {
                Some(group) => Ok(GroupAnswer::ConsumerGroupDescribed(group.describe(view))),
                None => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            },
        };
        decision.answer(ticket, reply);
    }

    fn forget(&mut self, view: View<'_>, ticket: Ticket, decision: &mut Decision<GroupReply>) {
        let Some(group_id) = self.parked.remove(&ticket) else { return };
        self.with_classic(view, &group_id, None, decision, |group, turn| group.forget(turn, ticket));
    }

    fn on_time(&mut self, view: View<'_>, decision: &mut Decision<GroupReply>) {
        // A group's records are replayed only after this: so each has one turn.
        let mut done = BTreeSet::new();
        for _ in 0..SWEEP_GROUPS_PER_TURN {
            let Some((wake, group_id)) = self.wakes.first().cloned() else { break };
            if wake > view.now.instant || !done.insert(group_id.clone()) {
                break;
            }
            self.consumer_group_on_time(view, &group_id, decision);
            self.with_classic(view, &group_id, None, decision, |group, turn| group.on_time(turn));
        }
        self.maybe_sweep(view, decision);
    }

    fn on_pause(&mut self, paused_ms: u64) {
        for entry in self.groups.values_mut() {
            match &mut entry.group {
                Group::Classic(group) => group.on_pause(paused_ms),
                Group::Consumer(group) => group.on_pause(paused_ms),
            }
        }
    }

    fn on_image(&mut self, view: View<'_>, _decision: &mut Decision<GroupReply>) {
        let mut changed = Vec::new();
        for (group_id, entry) in &mut self.groups {
            if let Group::Consumer(group) = &mut entry.group {
                group.on_image(view);
                if group.next_deadline() != entry.wake {
                    changed.push(group_id.clone());
                }
            }
        }
        for group_id in changed {
            self.set_wake(&group_id);
        }
        if self.offsets.has_deleted_topics(view) {
            self.sweep.begin_now(view);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let wake = self.wakes.first().map(|(wake, _)| *wake);
        wake.into_iter().chain(self.sweep.next_deadline()).min()
    }
}
