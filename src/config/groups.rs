//! What the keys of groups and committed offsets mean.

use super::validated::Texts;

/// Units: in the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    pub initial_rebalance_delay_ms: u32,
    pub session_timeout_ms_min: u32,
    pub session_timeout_ms_max: u32,
    pub members_max: usize,

    pub offset_metadata_bytes_max: usize,
    /// Of committed offsets.
    pub retention_ms: u64,
    pub retention_check_ms: u64,

    /// Of `__consumer_offsets`.
    pub topic_partitions: i32,
    pub topic_replication_factor: i16,
    pub topic_segment_bytes: u32,
}

impl GroupConfig {
    pub(super) fn typed(of: &Texts<'_>) -> GroupConfig {
        // Kafka takes negative numbers for some of these; they mean as much as 0.
        let at_least_0 = |name| u32::try_from(of.int(name)).unwrap_or(0);
        let count = |name| usize::try_from(of.int(name)).unwrap_or(0);
        GroupConfig {
            initial_rebalance_delay_ms: at_least_0("group.initial.rebalance.delay.ms"),
            session_timeout_ms_min: at_least_0("group.min.session.timeout.ms"),
            session_timeout_ms_max: at_least_0("group.max.session.timeout.ms"),
            members_max: count("group.max.size"),
            offset_metadata_bytes_max: count("offset.metadata.max.bytes"),
            retention_ms: of.unsigned("offsets.retention.minutes") * 60_000,
            retention_check_ms: of.unsigned("offsets.retention.check.interval.ms"),
            topic_partitions: of.int("offsets.topic.num.partitions"),
            topic_replication_factor: i16::try_from(of.number("offsets.topic.replication.factor"))
                .unwrap_or(1),
            topic_segment_bytes: at_least_0("offsets.topic.segment.bytes"),
        }
    }
}
