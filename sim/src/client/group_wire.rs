//! Requests about groups to bytes and bytes to answers, in the versions that name topics.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatRequestTopicPartitions,
    ConsumerGroupHeartbeatResponse,
};
use protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse,
};
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use protocol::{ApiKey, Array, Uuid};

use super::wire::{decode, encode};

/// From these on topics have ids only.
pub const COMMIT_BY_ID: i16 = 10;
pub const OFFSETS_BY_ID: i16 = 10;

const SEVERAL_KEYS: i16 = 4;
const SEVERAL_GROUPS: i16 = 8;
const SEVERAL_MEMBERS: i16 = 3;
const PROTOCOL_NAMED: i16 = 5;

const PROTOCOL_TYPE: &str = "sim";
const PROTOCOL: &str = "slots";

#[must_use]
pub fn find_coordinator(version: i16, correlation_id: i32, group: &str) -> Bytes {
    let several = version >= SEVERAL_KEYS;
    let request = FindCoordinatorRequest {
        key: if several { "" } else { group },
        key_type: 0,
        coordinator_keys: if several { vec![group].into() } else { Array::empty() },
    };
    encode(ApiKey::FindCoordinator, version, correlation_id, &request)
}

/// The error.
pub fn decode_find_coordinator(version: i16, frame: &[u8]) -> Result<i16, String> {
    let response: FindCoordinatorResponse<'_> = decode(ApiKey::FindCoordinator, version, frame)?;
    Ok(response.coordinators.iter().next().map_or(response.error_code, |of| of.error_code))
}

pub struct Join<'a> {
    pub group: &'a str,
    pub member_id: &'a str,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
}

#[must_use]
pub fn join(version: i16, correlation_id: i32, join: &Join<'_>) -> Bytes {
    let request = JoinGroupRequest {
        group_id: join.group,
        session_timeout_ms: join.session_timeout_ms,
        rebalance_timeout_ms: join.rebalance_timeout_ms,
        member_id: join.member_id,
        protocol_type: PROTOCOL_TYPE,
        protocols: vec![JoinGroupRequestProtocol { name: PROTOCOL, metadata: b"" }].into(),
        ..JoinGroupRequest::default()
    };
    encode(ApiKey::JoinGroup, version, correlation_id, &request)
}

#[derive(Debug)]
pub struct Joined {
    pub error: i16,
    pub generation: i32,
    pub member_id: String,
    pub leads: bool,
    /// Told to the leader.
    pub members: Vec<String>,
}

pub fn decode_join(version: i16, frame: &[u8]) -> Result<Joined, String> {
    let response: JoinGroupResponse<'_> = decode(ApiKey::JoinGroup, version, frame)?;
    Ok(Joined {
        error: response.error_code,
        generation: response.generation_id,
        member_id: response.member_id.to_owned(),
        leads: response.leader == response.member_id,
        members: response.members.iter().map(|member| member.member_id.to_owned()).collect(),
    })
}

/// A member as its requests name it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    pub group: &'a str,
    pub member_id: &'a str,
    pub generation: i32,
}

#[must_use]
pub fn sync(version: i16, correlation_id: i32, named: Named<'_>, assignments: &[(String, Vec<u8>)]) -> Bytes {
    let says = version >= PROTOCOL_NAMED;
    let assignments = assignments
        .iter()
        .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment });
    let request = SyncGroupRequest {
        group_id: named.group,
        generation_id: named.generation,
        member_id: named.member_id,
        protocol_type: says.then_some(PROTOCOL_TYPE),
        protocol_name: says.then_some(PROTOCOL),
        assignments: assignments.collect(),
        ..SyncGroupRequest::default()
    };
    encode(ApiKey::SyncGroup, version, correlation_id, &request)
}

/// Error and assignment.
pub fn decode_sync(version: i16, frame: &[u8]) -> Result<(i16, Vec<u8>), String> {
    let response: SyncGroupResponse<'_> = decode(ApiKey::SyncGroup, version, frame)?;
    Ok((response.error_code, response.assignment.to_vec()))
}

#[must_use]
pub fn heartbeat(version: i16, correlation_id: i32, named: Named<'_>) -> Bytes {
    let request = HeartbeatRequest {
        group_id: named.group,
        generation_id: named.generation,
        member_id: named.member_id,
        ..HeartbeatRequest::default()
    };
    encode(ApiKey::Heartbeat, version, correlation_id, &request)
}

pub fn decode_heartbeat(version: i16, frame: &[u8]) -> Result<i16, String> {
    decode::<HeartbeatResponse>(ApiKey::Heartbeat, version, frame).map(|response| response.error_code)
}

#[must_use]
pub fn leave(version: i16, correlation_id: i32, named: Named<'_>) -> Bytes {
    let several = version >= SEVERAL_MEMBERS;
    let identity = MemberIdentity { member_id: named.member_id, ..MemberIdentity::default() };
    let request = LeaveGroupRequest {
        group_id: named.group,
        member_id: if several { "" } else { named.member_id },
        members: if several { vec![identity].into() } else { Array::empty() },
    };
    encode(ApiKey::LeaveGroup, version, correlation_id, &request)
}

pub fn decode_leave(version: i16, frame: &[u8]) -> Result<i16, String> {
    let response: LeaveGroupResponse<'_> = decode(ApiKey::LeaveGroup, version, frame)?;
    Ok(response.error_code)
}

#[must_use]
pub fn commit(
    version: i16,
    correlation_id: i32,
    named: Named<'_>,
    topic: &str,
    offsets: &[(i32, i64)],
) -> Bytes {
    let partitions = offsets.iter().map(|(partition_index, committed_offset)| OffsetCommitRequestPartition {
        partition_index: *partition_index,
        committed_offset: *committed_offset,
        committed_metadata: Some(""),
        ..OffsetCommitRequestPartition::default()
    });
    let topic = OffsetCommitRequestTopic {
        name: topic,
        partitions: partitions.collect(),
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: named.group,
        generation_id_or_member_epoch: named.generation,
        member_id: named.member_id,
        topics: vec![topic].into(),
        ..OffsetCommitRequest::default()
    };
    encode(ApiKey::OffsetCommit, version, correlation_id, &request)
}

/// Partition and error.
pub fn decode_commit(version: i16, frame: &[u8]) -> Result<Vec<(i32, i16)>, String> {
    let response: OffsetCommitResponse<'_> = decode(ApiKey::OffsetCommit, version, frame)?;
    let topic = response.topics.iter().next().ok_or("a commit without its topic")?;
    Ok(topic.partitions.iter().map(|of| (of.partition_index, of.error_code)).collect())
}

#[must_use]
pub fn fetch_offsets(
    version: i16,
    correlation_id: i32,
    group: &str,
    topic: &str,
    partitions: &[i32],
) -> Bytes {
    let indexes = || partitions.iter().copied().collect::<Array<'_, i32>>();
    let several = version >= SEVERAL_GROUPS;
    let old = OffsetFetchRequestTopic { name: topic, partition_indexes: indexes() };
    let new = OffsetFetchRequestTopics {
        name: topic,
        partition_indexes: indexes(),
        ..OffsetFetchRequestTopics::default()
    };
    let of_group = OffsetFetchRequestGroup {
        group_id: group,
        topics: Some(vec![new].into()),
        ..OffsetFetchRequestGroup::default()
    };
    let request = OffsetFetchRequest {
        group_id: if several { "" } else { group },
        topics: if several { Some(Array::empty()) } else { Some(vec![old].into()) },
        groups: if several { vec![of_group].into() } else { Array::empty() },
        require_stable: false,
    };
    encode(ApiKey::OffsetFetch, version, correlation_id, &request)
}

/// The first error, and partitions with their offsets.
pub fn decode_fetch_offsets(version: i16, frame: &[u8]) -> Result<(i16, Vec<(i32, i64)>), String> {
    let response: OffsetFetchResponse<'_> = decode(ApiKey::OffsetFetch, version, frame)?;
    let mut error = response.error_code;
    let mut note = |found: i16| {
        if error == 0 {
            error = found
        }
    };
    let mut offsets = Vec::new();
    for group in &response.groups {
        note(group.error_code);
        for partition in group.topics.iter().flat_map(|topic| topic.partitions.iter().collect::<Vec<_>>()) {
            note(partition.error_code);
            offsets.push((partition.partition_index, partition.committed_offset));
        }
    }
    for partition in response.topics.iter().flat_map(|topic| topic.partitions.iter().collect::<Vec<_>>()) {
        note(partition.error_code);
        offsets.push((partition.partition_index, partition.committed_offset));
    }
    Ok((error, offsets))
}

/// A member of a consumer group, as one of its heartbeats tells of it. None: what it was.
pub struct Beat<'a> {
    pub group: &'a str,
    pub member_id: &'a str,
    pub epoch: i32,
    pub rebalance_timeout_ms: Option<i32>,
    pub topic: Option<&'a str>,
    pub owned: Option<(Uuid, Vec<i32>)>,
}

#[must_use]
pub fn consumer_heartbeat(version: i16, correlation_id: i32, beat: &Beat<'_>) -> Bytes {
    let owned = beat.owned.as_ref().map(|(topic_id, partitions)| {
        let partitions = partitions.iter().copied().collect::<Array<'_, i32>>();
        let topic = ConsumerGroupHeartbeatRequestTopicPartitions { topic_id: *topic_id, partitions };
        if beat.owned.as_ref().is_some_and(|(_, owned)| owned.is_empty()) {
            Array::empty()
        } else {
            vec![topic].into()
        }
    });
    let request = ConsumerGroupHeartbeatRequest {
        group_id: beat.group,
        member_id: beat.member_id,
        member_epoch: beat.epoch,
        rebalance_timeout_ms: beat.rebalance_timeout_ms.unwrap_or(-1),
        subscribed_topic_names: beat.topic.map(|topic| vec![topic].into()),
        topic_partitions: owned,
        ..ConsumerGroupHeartbeatRequest::default()
    };
    encode(ApiKey::ConsumerGroupHeartbeat, version, correlation_id, &request)
}

#[derive(Debug)]
pub struct Heard {
    pub error: i16,
    pub epoch: i32,
    /// None: what it was.
    pub assigned: Option<(Uuid, BTreeSet<i32>)>,
}

pub fn decode_consumer_heartbeat(version: i16, frame: &[u8]) -> Result<Heard, String> {
    let response: ConsumerGroupHeartbeatResponse<'_> =
        decode(ApiKey::ConsumerGroupHeartbeat, version, frame)?;
    let assigned = response.assignment.map(|assignment| {
        // The members subscribe to one topic.
        let topic = assignment.topic_partitions.iter().next();
        topic.map_or((Uuid::ZERO, BTreeSet::new()), |topic| {
            (topic.topic_id, topic.partitions.iter().collect())
        })
    });
    Ok(Heard { error: response.error_code, epoch: response.member_epoch, assigned })
}

#[must_use]
pub fn delete_group(version: i16, correlation_id: i32, group: &str) -> Bytes {
    let request = DeleteGroupsRequest { groups_names: vec![group].into() };
    encode(ApiKey::DeleteGroups, version, correlation_id, &request)
}

/// The error.
pub fn decode_delete_group(version: i16, frame: &[u8]) -> Result<i16, String> {
    let response: DeleteGroupsResponse<'_> = decode(ApiKey::DeleteGroups, version, frame)?;
    response.results.iter().next().map(|of| of.error_code).ok_or("a deletion without a result".to_owned())
}
