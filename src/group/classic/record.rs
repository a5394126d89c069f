//! A classic group as its record says it, and back.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::messages::group_record::{GroupMetadataValue, MemberMetadata};

use super::{ClassicGroup, ClassicState, Member};
use crate::coordinator::CoordinatorRecord;
use crate::group::records;
use crate::model::group::{GroupClient, JoinProtocol};
use crate::model::{GenerationId, Instant};

impl ClassicGroup {
    /// The whole group, as a coordinator that loads it shall know it.
    #[must_use]
    pub fn record(&self) -> CoordinatorRecord {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let metadata: Vec<Bytes> = self.members.values().map(|member| member.metadata(protocol)).collect();
        let members =
            self.members.iter().zip(&metadata).map(|((member_id, member), metadata)| MemberMetadata {
                member_id,
                group_instance_id: member.group_instance_id.as_deref(),
                client_id: &member.client.client_id,
                client_host: &member.client.client_host,
                rebalance_timeout: i32::try_from(member.rebalance_timeout_ms).unwrap_or(i32::MAX),
                session_timeout: i32::try_from(member.session_timeout_ms).unwrap_or(i32::MAX),
                subscription: metadata,
                assignment: &member.assignment,
            });
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type(),
            generation: self.generation_id.0,
            protocol: self.protocol_name.as_deref(),
            leader: self.leader.as_deref(),
            current_state_timestamp: self.since_ms.unwrap_or(-1),
            members: members.collect(),
        };
        records::group_metadata(&self.group_id, &value)
    }

    /// What says that a group is there, before anybody is in it.
    #[must_use]
    pub fn empty_record(group_id: &str, wall_ms: i64) -> CoordinatorRecord {
        ClassicGroup::new(group_id, wall_ms).record()
    }

    /// As recorded: Stable, or Empty without members.
    #[must_use]
    pub fn from_record(group_id: &str, value: &GroupMetadataValue<'_>) -> ClassicGroup {
        let mut group = ClassicGroup {
            since_ms: Some(value.current_state_timestamp).filter(|ms| *ms != -1),
            protocol_type: Some(value.protocol_type.to_owned()).filter(|kind| !kind.is_empty()),
            protocol_name: value.protocol.map(str::to_owned),
            generation_id: GenerationId(value.generation),
            ..ClassicGroup::new(group_id, 0)
        };
        let members = value.members.iter().map(|member| {
            let unsigned = |ms: i32| u32::try_from(ms).unwrap_or(0);
            let session_timeout_ms = unsigned(member.session_timeout);
            let rebalance_timeout_ms = if member.rebalance_timeout < 0 {
                session_timeout_ms
            } else {
                unsigned(member.rebalance_timeout)
            };
            let protocol = JoinProtocol {
                name: value.protocol.unwrap_or_default().to_owned(),
                metadata: Bytes::copy_from_slice(member.subscription),
            };
            let loaded = Member {
                client: GroupClient {
                    client_id: member.client_id.to_owned(),
                    client_host: member.client_host.to_owned(),
                },
                group_instance_id: member.group_instance_id.map(str::to_owned),
                session_timeout_ms,
                rebalance_timeout_ms,
                protocols: vec![protocol],
                assignment: Bytes::copy_from_slice(member.assignment),
                joining: None,
                syncing: None,
                is_new: false,
                knows_its_id: true,
                session_deadline: Instant::default(),
            };
            (member.member_id.to_owned(), loaded)
        });
        group.members = members.collect::<BTreeMap<String, Member>>();
        for (member_id, member) in &group.members {
            if let Some(instance_id) = &member.group_instance_id {
                group.static_members.insert(instance_id.clone(), member_id.clone());
            }
        }
        group.leader = value.leader.filter(|leader| group.members.contains_key(*leader)).map(str::to_owned);
        if !group.members.is_empty() {
            (group.state, group.previous) = (ClassicState::Stable, ClassicState::CompletingRebalance);
        }
        group.pending_syncs = BTreeSet::new();
        group.find_subscribed_topics();
        group
    }
}
