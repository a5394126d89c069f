//! Records of `__consumer_offsets`, in Kafka's schemas: what a coordinator writes.
//!
//! ```text
//! key   | record type int16 | the key's fields |
//! value | version int16     | the value's fields |      no value: a tombstone
//! ```
//!
//! Decides which version of each value is written: the ones that Apache Kafka 4.3 writes. What a record does is decided by the groups
//! (`GroupRecord` is what they replay).

mod read;

use bytes::{Bytes, BytesMut};
use protocol::messages::group_record::*;
use protocol::{Message, Piece, Writer};

use crate::coordinator::CoordinatorRecord;

pub use read::{GroupRecord, MemberRecord, read};

/// An offset with a time of its own to expire is written in the only version that has one.
const OFFSET_COMMIT_VERSION: i16 = 4;
const OFFSET_COMMIT_EXPIRES_VERSION: i16 = 1;
/// Version 4 is for readers to come: Kafka does not write it either.
const GROUP_METADATA_VERSION: i16 = 3;
const CONSUMER_GROUP_VERSION: i16 = 0;

#[must_use]
pub fn offset_commit(
    group: &str,
    topic: &str,
    partition: i32,
    value: &OffsetCommitValue<'_>,
) -> CoordinatorRecord {
    let expires = value.expire_timestamp != -1;
    let version = if expires { OFFSET_COMMIT_EXPIRES_VERSION } else { OFFSET_COMMIT_VERSION };
    record(&OffsetCommitKey { group, topic, partition }, value, version)
}

#[must_use]
pub fn offset_commit_tombstone(group: &str, topic: &str, partition: i32) -> CoordinatorRecord {
    tombstone(&OffsetCommitKey { group, topic, partition })
}

/// A classic group: all of it in one record.
#[must_use]
pub fn group_metadata(group: &str, value: &GroupMetadataValue<'_>) -> CoordinatorRecord {
    record(&GroupMetadataKey { group }, value, GROUP_METADATA_VERSION)
}

#[must_use]
pub fn group_metadata_tombstone(group: &str) -> CoordinatorRecord {
    tombstone(&GroupMetadataKey { group })
}

#[must_use]
pub fn consumer_group_epoch(group_id: &str, epoch: i32, metadata_hash: i64) -> CoordinatorRecord {
    let value = ConsumerGroupMetadataValue { epoch, metadata_hash };
    record(&ConsumerGroupMetadataKey { group_id }, &value, CONSUMER_GROUP_VERSION)
}

#[must_use]
pub fn consumer_group_epoch_tombstone(group_id: &str) -> CoordinatorRecord {
    tombstone(&ConsumerGroupMetadataKey { group_id })
}

/// Kafka before 4.1 wrote such records; they are only ever taken away.
#[must_use]
pub fn consumer_group_partition_metadata_tombstone(group_id: &str) -> CoordinatorRecord {
    tombstone(&ConsumerGroupPartitionMetadataKey { group_id })
}

#[must_use]
pub fn consumer_group_member(
    group_id: &str,
    member_id: &str,
    value: &ConsumerGroupMemberMetadataValue<'_>,
) -> CoordinatorRecord {
    record(&ConsumerGroupMemberMetadataKey { group_id, member_id }, value, CONSUMER_GROUP_VERSION)
}

#[must_use]
pub fn consumer_group_member_tombstone(group_id: &str, member_id: &str) -> CoordinatorRecord {
    tombstone(&ConsumerGroupMemberMetadataKey { group_id, member_id })
}

#[must_use]
pub fn consumer_group_target_epoch(
    group_id: &str,
    assignment_epoch: i32,
    assignment_timestamp: i64,
) -> CoordinatorRecord {
    let value = ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp };
    record(&ConsumerGroupTargetAssignmentMetadataKey { group_id }, &value, CONSUMER_GROUP_VERSION)
}

#[must_use]
pub fn consumer_group_target_epoch_tombstone(group_id: &str) -> CoordinatorRecord {
    tombstone(&ConsumerGroupTargetAssignmentMetadataKey { group_id })
}

#[must_use]
pub fn consumer_group_target_member(
    group_id: &str,
    member_id: &str,
    value: &ConsumerGroupTargetAssignmentMemberValue<'_>,
) -> CoordinatorRecord {
    record(&ConsumerGroupTargetAssignmentMemberKey { group_id, member_id }, value, CONSUMER_GROUP_VERSION)
}

#[must_use]
pub fn consumer_group_target_member_tombstone(group_id: &str, member_id: &str) -> CoordinatorRecord {
    tombstone(&ConsumerGroupTargetAssignmentMemberKey { group_id, member_id })
}

#[must_use]
pub fn consumer_group_current_assignment(
    group_id: &str,
    member_id: &str,
    value: &ConsumerGroupCurrentMemberAssignmentValue<'_>,
) -> CoordinatorRecord {
    record(&ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id }, value, CONSUMER_GROUP_VERSION)
}

#[must_use]
pub fn consumer_group_current_assignment_tombstone(group_id: &str, member_id: &str) -> CoordinatorRecord {
    tombstone(&ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id })
}

#[must_use]
pub fn consumer_group_regular_expression(
    group_id: &str,
    regular_expression: &str,
    value: &ConsumerGroupRegularExpressionValue<'_>,
) -> CoordinatorRecord {
    record(&ConsumerGroupRegularExpressionKey { group_id, regular_expression }, value, CONSUMER_GROUP_VERSION)
}

#[must_use]
pub fn consumer_group_regular_expression_tombstone(
    group_id: &str,
    regular_expression: &str,
) -> CoordinatorRecord {
    tombstone(&ConsumerGroupRegularExpressionKey { group_id, regular_expression })
}

fn record<'k, 'v, K: Message<'k>, V: Message<'v>>(
    key: &K,
    value: &V,
    value_version: i16,
) -> CoordinatorRecord {
    CoordinatorRecord { key: key_bytes(key), value: Some(framed(value_version, value, value_version)) }
}

fn tombstone<'k, K: Message<'k>>(key: &K) -> CoordinatorRecord {
    CoordinatorRecord { key: key_bytes(key), value: None }
}

fn key_bytes<'k, K: Message<'k>>(key: &K) -> Bytes {
    framed(K::API_KEY.expect("records have a type"), key, 0)
}

fn framed<'m, M: Message<'m>>(head: i16, message: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    writer.put(&head.to_be_bytes());
    message.encode(&mut writer, version).expect("strings of requests and arrays of a bounded group fit");
    let mut pieces = writer.finish();
    match (pieces.pop(), pieces.is_empty()) {
        (Some(Piece::Bytes(bytes)), true) => bytes,
        (last, _) => joined(pieces.into_iter().chain(last)),
    }
}

/// Fields without records make one piece; this is for a writer that would cut them otherwise.
fn joined(pieces: impl Iterator<Item = Piece>) -> Bytes {
    let mut bytes = BytesMut::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
            Piece::File(_) => unreachable!("records of groups hold no ranges of files"),
        }
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests;
