//! One member of a consumer group: what it said of itself, and how far it has come towards its target.
//!
//! Decides how both are read from records and written to them. The two have records of their own, and change independently.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::group_record::{
    ClassicMemberMetadata, ClassicProtocol, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataValue,
};

use super::owned::OwnedPartitions;
use crate::coordinator::CoordinatorRecord;
use crate::group::records;
use crate::model::consumer_group::{GroupEpoch, InstanceId, MemberId};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    pub metadata: MemberMetadata,
    pub current: CurrentAssignment,
}

/// What a member said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberMetadata {
    pub instance_id: Option<InstanceId>,
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub subscribed_topic_names: Arc<BTreeSet<Arc<str>>>,
    /// Never the empty text, which subscribes to nothing.
    pub subscribed_topic_regex: Option<Arc<str>>,
    /// -1: it has not said.
    pub rebalance_timeout_ms: i32,
    pub server_assignor: Option<Arc<str>>,
    /// Of a member that speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

/// What a member of the classic protocol sent when it joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicMember {
    pub session_timeout_ms: u32,
    /// Name and subscription, the member's favourite first.
    pub protocols: Vec<(Arc<str>, Bytes)>,
}

/// Where a member stands on its way to its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentAssignment {
    pub member_epoch: GroupEpoch,
    /// A member that missed the answer with its new epoch comes back with this one.
    pub previous_member_epoch: GroupEpoch,
    pub state: MemberState,
    pub assigned: OwnedPartitions,
    pub pending_revocation: OwnedPartitions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// It has what its epoch's target gives it.
    Stable,
    /// It must give partitions up, and has not said that it did.
    UnrevokedPartitions,
    /// It waits for partitions that others have not given up.
    UnreleasedPartitions,
    /// Written by a newer broker.
    Unknown,
}

impl MemberState {
    fn number(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        }
    }

    fn from_number(number: i8) -> MemberState {
        match number {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }
}

impl ClassicMember {
    fn to_record(&self) -> ClassicMemberMetadata<'_> {
        let protocols = self.protocols.iter().map(|(name, metadata)| ClassicProtocol { name, metadata });
        ClassicMemberMetadata {
            session_timeout_ms: i32::try_from(self.session_timeout_ms).unwrap_or(i32::MAX),
            supported_protocols: protocols.collect(),
        }
    }
}

impl Default for MemberMetadata {
    fn default() -> MemberMetadata {
        MemberMetadata {
            instance_id: None,
            rack_id: None,
            client_id: "".into(),
            client_host: "".into(),
            subscribed_topic_names: Arc::default(),
            subscribed_topic_regex: None,
            rebalance_timeout_ms: -1,
            server_assignor: None,
            classic: None,
        }
    }
}

impl MemberMetadata {
    /// How long it may take to give partitions up. What has not been said is no time.
    #[must_use]
    pub fn rebalance_timeout_ms(&self) -> u32 {
        u32::try_from(self.rebalance_timeout_ms).unwrap_or(0)
    }

    #[must_use]
    pub fn from_record(value: &ConsumerGroupMemberMetadataValue<'_>) -> MemberMetadata {
        MemberMetadata {
            instance_id: value.instance_id.map(InstanceId::from),
            rack_id: value.rack_id.map(Arc::from),
            client_id: value.client_id.into(),
            client_host: value.client_host.into(),
            subscribed_topic_names: Arc::new(value.subscribed_topic_names.iter().map(Arc::from).collect()),
            subscribed_topic_regex: value
                .subscribed_topic_regex
                .filter(|regex| !regex.is_empty())
                .map(Arc::from),
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            server_assignor: value.server_assignor.map(Arc::from),
            classic: value.classic_member_metadata.as_ref().map(|classic| ClassicMember {
                session_timeout_ms: u32::try_from(classic.session_timeout_ms).unwrap_or(0),
                protocols: classic
                    .supported_protocols
                    .iter()
                    .map(|protocol| (protocol.name.into(), Bytes::copy_from_slice(protocol.metadata)))
                    .collect(),
            }),
        }
    }

    #[must_use]
    pub fn to_record(&self, group_id: &str, member_id: &MemberId) -> CoordinatorRecord {
        let value = ConsumerGroupMemberMetadataValue {
            instance_id: self.instance_id.as_ref().map(InstanceId::as_str),
            rack_id: self.rack_id.as_deref(),
            client_id: &self.client_id,
            client_host: &self.client_host,
            subscribed_topic_names: self.subscribed_topic_names.iter().map(AsRef::as_ref).collect(),
            subscribed_topic_regex: Some(self.subscribed_topic_regex.as_deref().unwrap_or_default()),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.server_assignor.as_deref(),
            classic_member_metadata: self.classic.as_ref().map(ClassicMember::to_record),
        };
        records::consumer_group_member(group_id, member_id.as_str(), &value)
    }
}

impl Default for CurrentAssignment {
    fn default() -> CurrentAssignment {
        CurrentAssignment {
            member_epoch: GroupEpoch::ZERO,
            previous_member_epoch: GroupEpoch(-1),
            state: MemberState::Stable,
            assigned: OwnedPartitions::default(),
            pending_revocation: OwnedPartitions::default(),
        }
    }
}

impl CurrentAssignment {
    /// It has all that the target of this epoch gives it, and nothing else.
    #[must_use]
    pub fn has_reached(&self, target_epoch: GroupEpoch) -> bool {
        self.state == MemberState::Stable && self.member_epoch == target_epoch
    }

    #[must_use]
    pub fn from_record(value: &ConsumerGroupCurrentMemberAssignmentValue<'_>) -> CurrentAssignment {
        let member_epoch = GroupEpoch(value.member_epoch);
        CurrentAssignment {
            member_epoch,
            previous_member_epoch: GroupEpoch(value.previous_member_epoch),
            state: MemberState::from_number(value.state),
            assigned: OwnedPartitions::from_record(&value.assigned_partitions, member_epoch),
            pending_revocation: OwnedPartitions::from_record(
                &value.partitions_pending_revocation,
                member_epoch,
            ),
        }
    }

    #[must_use]
    pub fn to_record(&self, group_id: &str, member_id: &MemberId) -> CoordinatorRecord {
        let value = ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: self.member_epoch.0,
            previous_member_epoch: self.previous_member_epoch.0,
            state: self.state.number(),
            assigned_partitions: self.assigned.to_record().into(),
            partitions_pending_revocation: self.pending_revocation.to_record().into(),
        };
        records::consumer_group_current_assignment(group_id, member_id.as_str(), &value)
    }
}
