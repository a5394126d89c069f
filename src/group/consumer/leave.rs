//! Members that go: by themselves, for a while, or because they are put out.
//!
//! Decides what is written of them. What they own is free as soon as that is replayed.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::error_code::ErrorCode;

use super::member::CurrentAssignment;
use super::owned::OwnedPartitions;
use super::{ConsumerGroup, Member};
use crate::coordinator::{CoordinatorRecord, View};
use crate::group::records;
use crate::model::consumer_group::{ConsumerHeartbeatAsk, Refusal};
use crate::model::consumer_group::{GroupEpoch, InstanceId, MemberId};

/// How a member leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaves {
    /// A static member, which will be back within its session: that is written.
    ForAWhile,
    /// Whoever asked puts it out, perhaps with others.
    ForGood(MemberId),
}

impl ConsumerGroup {
    /// A heartbeat that says that the member leaves.
    ///
    /// Errors: UNKNOWN_MEMBER_ID; FENCED_INSTANCE_ID, if another process has the instance id by now.
    pub fn leave(
        &self,
        request: &ConsumerHeartbeatAsk,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<Leaves, Refusal> {
        let member_id = &request.member_id;
        let member = match &request.instance_id {
            Some(instance_id) => self.static_member(instance_id, member_id)?,
            None => self.member(member_id)?,
        };
        if request.instance_id.is_none() || request.member_epoch != GroupEpoch::LEAVES_FOR_A_WHILE {
            return Ok(Leaves::ForGood(member_id.clone()));
        }
        let current = CurrentAssignment {
            member_epoch: GroupEpoch::LEAVES_FOR_A_WHILE,
            pending_revocation: OwnedPartitions::default(),
            ..member.current.clone()
        };
        records.push(current.to_record(&self.group_id, member_id));
        Ok(Leaves::ForAWhile)
    }

    /// Writes members out of the group, and the epoch that this makes.
    pub fn put_out(&self, view: View<'_>, gone: &BTreeSet<MemberId>, records: &mut Vec<CoordinatorRecord>) {
        for member_id in gone {
            self.member_tombstones(member_id, records);
        }
        let roster = self.roster(None, gone);
        let subscribed: BTreeSet<&Arc<str>> =
            roster.members.values().filter_map(|metadata| metadata.subscribed_topic_regex.as_ref()).collect();
        for pattern in self.regexes.keys().filter(|pattern| !subscribed.contains(pattern)) {
            records.push(records::consumer_group_regular_expression_tombstone(&self.group_id, pattern));
        }
        self.bump_epoch(self.hash(view, &roster), records);
    }

    pub(super) fn member_tombstones(&self, member_id: &MemberId, records: &mut Vec<CoordinatorRecord>) {
        let member_id = member_id.as_str();
        records.push(records::consumer_group_current_assignment_tombstone(&self.group_id, member_id));
        records.push(records::consumer_group_target_member_tombstone(&self.group_id, member_id));
        records.push(records::consumer_group_member_tombstone(&self.group_id, member_id));
    }

    pub(super) fn member(&self, member_id: &MemberId) -> Result<&Member, Refusal> {
        self.members.get(member_id).ok_or_else(|| {
            let problem = format!("Member {member_id} is not a member of group {}.", self.group_id);
            Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, problem)
        })
    }

    /// The static member with this instance id, which must still be this process.
    pub(super) fn static_member(
        &self,
        instance_id: &InstanceId,
        member_id: &MemberId,
    ) -> Result<&Member, Refusal> {
        let Some(owner) = self.instances.get(instance_id) else {
            let problem = format!("Instance id {instance_id} is unknown.");
            return Err(Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, problem));
        };
        if owner != member_id {
            let problem = format!(
                "Static member {member_id} with instance id {instance_id} was fenced by member {owner}."
            );
            return Err(Refusal::new(ErrorCode::FENCED_INSTANCE_ID, problem));
        }
        self.member(owner)
    }
}
