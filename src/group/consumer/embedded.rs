//! What consumers of the classic protocol put into opaque bytes: a version, then a subscription or an assignment.
//!
//! Decides how they are read and written where a classic member lives in a consumer group. Versions from the future are read as far as
//! they are known, as clients do.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolAssignmentTopicPartition, ConsumerProtocolSubscription,
};
use protocol::{Message, Piece, Reader, Writer};

use super::owned::OwnedPartitions;
use crate::model::metadata_image::MetadataImage;
use crate::model::{Assignment, PartitionIndex, TopicId};

/// What a classic member said when it joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Of the bytes: its assignment is written in the same.
    pub version: i16,
    pub topics: BTreeSet<Arc<str>>,
    pub rack_id: Option<Arc<str>>,
    /// Of topics that exist.
    pub owned: Assignment,
}

/// None: it cannot be read.
pub(crate) fn read_subscription(bytes: &[u8], image: &MetadataImage) -> Option<Subscription> {
    let (version, mut reader) = versioned(bytes)?;
    let known = version.min(ConsumerProtocolSubscription::VERSIONS.1);
    let subscription = ConsumerProtocolSubscription::decode(&mut reader, known).ok()?;
    let owned = subscription.owned_partitions.iter().filter_map(|topic| {
        Some((
            *image.names.get(topic.topic)?,
            topic.partitions.iter().map(PartitionIndex).collect::<Vec<_>>(),
        ))
    });
    Some(Subscription {
        version: known,
        topics: subscription.topics.iter().map(Arc::from).collect(),
        rack_id: subscription.rack_id.filter(|rack| !rack.is_empty()).map(Arc::from),
        owned: owned.collect(),
    })
}

/// An assignment that another member made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EmbeddedAssignment {
    pub partitions: Assignment,
    /// Of an assignor that keeps something there, which nobody here would understand.
    pub has_user_data: bool,
}

/// None: it cannot be read. No bytes are no partitions.
pub(crate) fn read_assignment(bytes: &[u8], image: &MetadataImage) -> Option<EmbeddedAssignment> {
    if bytes.is_empty() {
        return Some(EmbeddedAssignment::default());
    }
    let (version, mut reader) = versioned(bytes)?;
    let known = version.min(ConsumerProtocolAssignment::VERSIONS.1);
    let assignment = ConsumerProtocolAssignment::decode(&mut reader, known).ok()?;
    let topics = assignment.assigned_partitions.iter().filter_map(|topic| {
        Some((
            *image.names.get(topic.topic)?,
            topic.partitions.iter().map(PartitionIndex).collect::<Vec<_>>(),
        ))
    });
    let has_user_data = assignment.user_data.is_some_and(|bytes| !bytes.is_empty());
    Some(EmbeddedAssignment { partitions: topics.collect(), has_user_data })
}

/// Topics that are gone are left out: they have no name any more.
pub(crate) fn write_assignment(owned: &OwnedPartitions, version: i16, image: &MetadataImage) -> Bytes {
    let assignment = owned.to_assignment();
    let topic = |(topic_id, partitions): (TopicId, &[PartitionIndex])| {
        let topic = image.topic(topic_id)?;
        Some(ConsumerProtocolAssignmentTopicPartition {
            topic: &topic.name,
            partitions: partitions.iter().map(|partition| partition.0).collect(),
        })
    };
    let message = ConsumerProtocolAssignment {
        assigned_partitions: assignment.topics().filter_map(topic).collect(),
        user_data: None,
    };
    let mut writer = Writer::new();
    writer.put(&version.to_be_bytes());
    message.encode(&mut writer, version).expect("topic names and partitions of the image fit");
    let mut bytes = BytesMut::new();
    for piece in writer.finish() {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
            Piece::File(_) => unreachable!("assignments hold no ranges of files"),
        }
    }
    bytes.freeze()
}

fn versioned(bytes: &[u8]) -> Option<(i16, Reader<'_>)> {
    let mut reader = Reader::new(bytes);
    let version = i16::from_be_bytes(reader.take_array().ok()?);
    (version >= 0).then_some((version, reader))
}
