//! What a record of `__consumer_offsets` says.
//!
//! Decides which records are understood. Of a newer type or version, or damaged: NotReplayed, never a panic. Share and streams groups
//! have types of their own in the same topic, which this broker does not know yet.

use protocol::messages::group_record::*;
use protocol::{DecodeError, Message, Reader};

use crate::coordinator::NotReplayed;

/// One record; a value of None is a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupRecord<'a> {
    OffsetCommit {
        group_id: &'a str,
        topic: &'a str,
        partition: i32,
        value: Option<OffsetCommitValue<'a>>,
    },
    /// A classic group.
    GroupMetadata {
        group_id: &'a str,
        value: Option<GroupMetadataValue<'a>>,
    },
    /// A record of a consumer group.
    ConsumerGroup {
        group_id: &'a str,
        record: MemberRecord<'a>,
    },
}

/// What a record says of a consumer group or of one of its members.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberRecord<'a> {
    Epoch(Option<ConsumerGroupMetadataValue>),
    PartitionMetadata(Option<ConsumerGroupPartitionMetadataValue<'a>>),
    Member { member_id: &'a str, value: Option<ConsumerGroupMemberMetadataValue<'a>> },
    TargetEpoch(Option<ConsumerGroupTargetAssignmentMetadataValue>),
    TargetMember { member_id: &'a str, value: Option<ConsumerGroupTargetAssignmentMemberValue<'a>> },
    CurrentAssignment { member_id: &'a str, value: Option<ConsumerGroupCurrentMemberAssignmentValue<'a>> },
    RegularExpression { expression: &'a str, value: Option<ConsumerGroupRegularExpressionValue<'a>> },
}

impl MemberRecord<'_> {
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        match self {
            MemberRecord::Epoch(value) => value.is_none(),
            MemberRecord::PartitionMetadata(value) => value.is_none(),
            MemberRecord::Member { value, .. } => value.is_none(),
            MemberRecord::TargetEpoch(value) => value.is_none(),
            MemberRecord::TargetMember { value, .. } => value.is_none(),
            MemberRecord::CurrentAssignment { value, .. } => value.is_none(),
            MemberRecord::RegularExpression { value, .. } => value.is_none(),
        }
    }
}

/// Reads a record. A record of a type from before 0.9 is an OffsetCommit, too.
pub fn read<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> Result<GroupRecord<'a>, NotReplayed> {
    let mut reader = Reader::new(key);
    let kind = int16(&mut reader, "a key without a record type")?;
    let key = &mut reader;
    match kind {
        0 => {
            let LegacyOffsetCommitKey { group, topic, partition } = key_of(key)?;
            let value = value_of::<LegacyOffsetCommitValue<'_>>(value)?;
            let value = value.map(|LegacyOffsetCommitValue { offset, metadata, commit_timestamp }| {
                OffsetCommitValue { offset, metadata, commit_timestamp, ..OffsetCommitValue::default() }
            });
            Ok(GroupRecord::OffsetCommit { group_id: group, topic, partition, value })
        }
        1 => {
            let OffsetCommitKey { group, topic, partition } = key_of(key)?;
            Ok(GroupRecord::OffsetCommit { group_id: group, topic, partition, value: value_of(value)? })
        }
        2 => {
            let GroupMetadataKey { group } = key_of(key)?;
            Ok(GroupRecord::GroupMetadata { group_id: group, value: value_of(value)? })
        }
        _ => consumer_group(kind, key, value),
    }
}

fn consumer_group<'a>(
    kind: i16,
    key: &mut Reader<'a>,
    value: Option<&'a [u8]>,
) -> Result<GroupRecord<'a>, NotReplayed> {
    let (group_id, record) = match kind {
        3 => {
            let ConsumerGroupMetadataKey { group_id } = key_of(key)?;
            (group_id, MemberRecord::Epoch(value_of(value)?))
        }
        4 => {
            let ConsumerGroupPartitionMetadataKey { group_id } = key_of(key)?;
            (group_id, MemberRecord::PartitionMetadata(value_of(value)?))
        }
        5 => {
            let ConsumerGroupMemberMetadataKey { group_id, member_id } = key_of(key)?;
            (group_id, MemberRecord::Member { member_id, value: value_of(value)? })
        }
        6 => {
            let ConsumerGroupTargetAssignmentMetadataKey { group_id } = key_of(key)?;
            (group_id, MemberRecord::TargetEpoch(value_of(value)?))
        }
        7 => {
            let ConsumerGroupTargetAssignmentMemberKey { group_id, member_id } = key_of(key)?;
            (group_id, MemberRecord::TargetMember { member_id, value: value_of(value)? })
        }
        8 => {
            let ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id } = key_of(key)?;
            (group_id, MemberRecord::CurrentAssignment { member_id, value: value_of(value)? })
        }
        16 => {
            let ConsumerGroupRegularExpressionKey { group_id, regular_expression } = key_of(key)?;
            let value = value_of(value)?;
            (group_id, MemberRecord::RegularExpression { expression: regular_expression, value })
        }
        _ => return Err(NotReplayed { reason: "a record type that this broker does not know" }),
    };
    Ok(GroupRecord::ConsumerGroup { group_id, record })
}

fn int16(reader: &mut Reader<'_>, reason: &'static str) -> Result<i16, NotReplayed> {
    reader.take_array().map(i16::from_be_bytes).map_err(|_| NotReplayed { reason })
}

fn key_of<'a, K: Message<'a>>(reader: &mut Reader<'a>) -> Result<K, NotReplayed> {
    K::decode(reader, 0).map_err(|_| NotReplayed { reason: "a key that cannot be read" })
}

/// Bytes after the last field are left alone, as Kafka leaves them.
fn value_of<'a, V: Message<'a>>(value: Option<&'a [u8]>) -> Result<Option<V>, NotReplayed> {
    let Some(value) = value else { return Ok(None) };
    let mut reader = Reader::new(value);
    let version = int16(&mut reader, "a value without a version")?;
    V::decode(&mut reader, version).map(Some).map_err(|error| NotReplayed {
        reason: match error {
            DecodeError::UnsupportedVersion { .. } => "a value of a version that this broker does not know",
            _ => "a value that cannot be read",
        },
    })
}
