//! The cluster as a client sees it: addresses of the listener that it came through, partitions, what it may do.
//!
//! Decides nothing about the cluster. Nobody is authenticated, so everybody may do everything.

use protocol::error_code::ErrorCode;

use super::ApiContext;
use crate::model::metadata_image::{BrokerImage, PartitionImage, TopicImage};
use crate::model::{BrokerId, PartitionIndex, TopicPartition};

/// Operations are told as a bit field by Kafka's numbers of them: here read, write, create, delete, alter, describe,
/// describe configs, alter configs.
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;

/// Create, alter, describe, cluster action, describe configs, alter configs, idempotent write.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

/// Read, delete, describe, describe configs, alter configs.
pub(super) const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;

/// Operations that the client did not ask for.
pub(super) const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// One broker under the address that the client is to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokerAddress<'a> {
    pub broker_id: i32,
    pub host: &'a str,
    pub port: i32,
    pub rack: Option<&'a str>,
}

/// One partition with its replicas by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionView {
    pub error: ErrorCode,
    pub index: i32,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    /// Replicas on brokers or log dirs that are not there.
    pub offline: Vec<i32>,
}

/// The brokers that can be reached through the client's listener.
pub(super) fn brokers<'a>(context: &ApiContext<'a>) -> impl Iterator<Item = BrokerAddress<'a>> + use<'a> {
    let (image, listener) = (context.image, context.listener);
    image.brokers.iter().filter_map(move |broker| address(broker, listener))
}

/// This broker's own address.
pub(super) fn own_address<'a>(context: &ApiContext<'a>) -> Option<BrokerAddress<'a>> {
    brokers(context).find(|broker| broker.broker_id == context.image.broker_id.0)
}

fn address(broker: &BrokerImage, listener: u16) -> Option<BrokerAddress<'_>> {
    let endpoint = broker.endpoints.get(usize::from(listener))?;
    Some(BrokerAddress {
        broker_id: broker.broker_id.0,
        host: &endpoint.host,
        port: i32::from(endpoint.port),
        rack: broker.rack.as_deref(),
    })
}

/// A topic's partitions from `first` on.
///
/// Errors: LEADER_NOT_AVAILABLE (no leader), LISTENER_NOT_FOUND (the leader cannot be reached through the client's listener).
pub(super) fn partitions<'c>(
    context: &'c ApiContext<'_>,
    topic: &'c TopicImage,
    first: i32,
) -> impl Iterator<Item = PartitionView> + 'c {
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    (first.max(0)..count)
        .filter_map(|index| Some((index, topic.partition(PartitionIndex(index))?)))
        .map(|(index, partition)| view(context, topic, index, partition))
}

fn view(
    context: &ApiContext<'_>,
    topic: &TopicImage,
    index: i32,
    partition: &PartitionImage,
) -> PartitionView {
    let of = TopicPartition { topic_id: topic.topic_id, partition: PartitionIndex(index) };
    // As of a broker that is gone, so Kafka tells of a replica whose log dir is.
    let is_offline = context.offline.contains(&of);
    let is_there = |id: &BrokerId| {
        let is_known = context.image.brokers.iter().any(|broker| broker.broker_id == *id);
        is_known && !(is_offline && *id == context.image.broker_id)
    };
    let error = if !is_there(&partition.leader) {
        ErrorCode::LEADER_NOT_AVAILABLE
    } else if !brokers(context).any(|broker| broker.broker_id == partition.leader.0) {
        ErrorCode::LISTENER_NOT_FOUND
    } else {
        ErrorCode::NONE
    };
    PartitionView {
        error,
        index,
        leader_id: if error.is_none() { partition.leader.0 } else { -1 },
        leader_epoch: partition.leader_epoch.0,
        replicas: partition.replicas.iter().map(|id| id.0).collect(),
        isr: partition.isr.iter().map(|id| id.0).collect(),
        offline: partition.replicas.iter().filter(|id| !is_there(id)).map(|id| id.0).collect(),
    }
}
