//! Whether a member may commit offsets, or ask for them.
//!
//! Decides by the member's epoch. A member that has not heard of its new epoch yet may still commit what it has owned since before: its
//! partitions carry the epochs at which it got them.
//!
//! Source: KIP-848; KIP-1251 for commits of an older epoch; Apache Kafka 4.3.

use protocol::ErrorCode;

use super::ConsumerGroup;
use super::member::Member;
use super::names::GroupEpoch;
use super::request::Refusal;
use crate::model::{PartitionIndex, TopicId};

/// The first OffsetCommit that members of the new protocol may send: it can tell them of a stale epoch.
const OFFSET_COMMIT_VERSION_MIN: i16 = 9;

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
    /// `api_version`: of OffsetCommit; None for TxnOffsetCommit.
    ///
    /// Errors: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION, UNSUPPORTED_VERSION.
    pub fn check_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        epoch: GroupEpoch,
        api_version: Option<i16>,
    ) -> Result<CommitCheck<'_>, Refusal> {
        // An administrator, or a consumer that assigns itself.
        if epoch < GroupEpoch::ZERO && self.members.is_empty() {
            return Ok(CommitCheck::All);
        }
        // A producer that does not say for whom.
        if api_version.is_none() && epoch.0 == -1 && member_id.is_empty() && instance_id.is_none() {
            return Ok(CommitCheck::All);
        }
        let member = self.member(&member_id.into())?;
        let is_classic = member.metadata.classic.is_some();
        if !is_classic && api_version.is_some_and(|version| version < OFFSET_COMMIT_VERSION_MIN) {
            let problem =
                "OffsetCommit version 9 or above must be used by members using the consumer group protocol";
            return Err(Refusal::new(ErrorCode::UNSUPPORTED_VERSION, problem));
        }
        let current = member.current.member_epoch;
        if epoch > current {
            let name = if is_classic { "generation id" } else { "member epoch" };
            let problem = format!("Received {name} {epoch} is newer than current member epoch {current}.");
            return Err(Refusal::new(stale(member), problem));
        }
        Ok(if epoch == current { CommitCheck::All } else { CommitCheck::OwnedSince { member, epoch } })
    }

    /// Errors: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION.
    pub fn check_fetch(&self, member_id: Option<&str>, epoch: GroupEpoch) -> Result<(), Refusal> {
        let member_id = match member_id {
            None if epoch < GroupEpoch::ZERO => return Ok(()),
            member_id => member_id.unwrap_or_default(),
        };
        let member = self.member(&member_id.into())?;
        let current = member.current.member_epoch;
        if epoch == current {
            return Ok(());
        }
        let problem =
            format!("The received member epoch {epoch} does not match the expected member epoch {current}.");
        Err(Refusal::new(stale(member), problem))
    }
}
