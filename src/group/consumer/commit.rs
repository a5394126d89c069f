//! Whether a member may commit offsets, or ask for them.
//!
//! Decides by the member's epoch. A member that has not heard of its new epoch yet may still commit what it has owned since before: its
//! partitions carry the epochs at which it got them.
//!
//! Source: KIP-848; KIP-1251 for commits of an older epoch; Apache Kafka 4.3.

use std::cmp::Ordering;

use protocol::error_code::ErrorCode;

use super::ConsumerGroup;
use super::member::Member;
use crate::model::consumer_group::GroupEpoch;
use crate::model::{PartitionIndex, TopicId};

/// Who commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committer {
    /// With a request that can tell of a stale epoch (OffsetCommit 9), which members of the new protocol must use.
    Consumer,
    OldConsumer,
    /// A producer, for a consumer that it may not name.
    Transaction,
}

/// What may be committed.
#[derive(Debug)]
pub enum CommitCheck<'a> {
    All,
    /// Of a member that is behind: what it has owned since its epoch, or before.
    OwnedSince {
        member: &'a Member,
        epoch: GroupEpoch,
    },
}

impl CommitCheck<'_> {
    /// Errors: STALE_MEMBER_EPOCH, ILLEGAL_GENERATION.
    pub fn check(&self, topic_id: TopicId, partition: PartitionIndex) -> Result<(), ErrorCode> {
        let CommitCheck::OwnedSince { member, epoch } = self else { return Ok(()) };
        let current = &member.current;
        let since = current.assigned.epoch_of(topic_id, partition);
        let since = since.or_else(|| current.pending_revocation.epoch_of(topic_id, partition));
        if since.is_some_and(|since| since <= *epoch) { Ok(()) } else { Err(stale(member)) }
    }
}

fn stale(member: &Member) -> ErrorCode {
    if member.metadata.classic.is_some() {
        ErrorCode::ILLEGAL_GENERATION
    } else {
        ErrorCode::STALE_MEMBER_EPOCH
    }
}

impl ConsumerGroup {
    /// Errors: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION, UNSUPPORTED_VERSION.
    pub fn check_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        epoch: GroupEpoch,
        committer: Committer,
    ) -> Result<CommitCheck<'_>, ErrorCode> {
        // An administrator, or a consumer that assigns itself.
        if epoch < GroupEpoch::ZERO && self.members.is_empty() {
            return Ok(CommitCheck::All);
        }
        let is_anonymous = epoch.0 == -1 && member_id.is_empty() && instance_id.is_none();
        if committer == Committer::Transaction && is_anonymous {
            return Ok(CommitCheck::All);
        }
        let member = self.members.get(member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if committer == Committer::OldConsumer && member.metadata.classic.is_none() {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        match epoch.cmp(&member.current.member_epoch) {
            Ordering::Equal => Ok(CommitCheck::All),
            Ordering::Less => Ok(CommitCheck::OwnedSince { member, epoch }),
            Ordering::Greater => Err(stale(member)),
        }
    }

    /// Errors: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION.
    pub fn check_fetch(&self, member_id: Option<&str>, epoch: GroupEpoch) -> Result<(), ErrorCode> {
        if member_id.is_none() && epoch < GroupEpoch::ZERO {
            return Ok(());
        }
        let member = self.members.get(member_id.unwrap_or_default()).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if epoch == member.current.member_epoch { Ok(()) } else { Err(stale(member)) }
    }
}
