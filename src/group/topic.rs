//! `__consumer_offsets`: how it is made, and which of its partitions a group belongs to.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::model::PartitionIndex;
use crate::model::control::NewTopic;

pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The smallest segment that a topic may have here.
const SEGMENT_BYTES_MIN: u32 = 1024 * 1024;

/// With Kafka's settings. There cannot be more replicas than brokers.
#[must_use]
pub fn new_offsets_topic(config: &Config, brokers: usize) -> NewTopic {
    let groups = &config.groups;
    let segment_bytes = groups.topic_segment_bytes.max(SEGMENT_BYTES_MIN);
    let configs = [
        ("cleanup.policy", "compact".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", segment_bytes.to_string()),
    ];
    NewTopic {
        name: OFFSETS_TOPIC.to_owned(),
        partitions: groups.topic_partitions,
        replication_factor: groups.topic_replication_factor.min(i16::try_from(brokers).unwrap_or(i16::MAX)),
        assignments: Vec::new(),
        configs: configs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Some(value)))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// Java's hash of the group id, without its sign, divided among the partitions: tools of Kafka's compute the same.
#[must_use]
pub fn partition_of_group(group_id: &str, partitions: usize) -> PartitionIndex {
    let hash =
        group_id.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    let partitions = i32::try_from(partitions.max(1)).unwrap_or(i32::MAX);
    PartitionIndex((hash & i32::MAX) % partitions)
}
