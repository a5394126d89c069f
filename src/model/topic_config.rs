//! A topic's settings, validated and typed. The table of keys that they come from is `config/`.

/// `message.timestamp.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// `compression.type`; `Producer` stores what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicCompression {
    Producer,
    Uncompressed,
    Gzip { level: i32 },
    Snappy,
    Lz4 { level: i32 },
    Zstd { level: i32 },
}

/// What a partition's leader needs at each append. Everything else of a topic's configuration is only text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfig {
    pub max_message_bytes: u32,
    pub segment_bytes: u32,
    pub segment_ms: u64,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub compression: TopicCompression,
    /// `cleanup.policy` holds `compact`: every record needs a key.
    pub compacted: bool,
    /// `cleanup.policy` holds `delete`: retention counts. Neither: everything is kept for ever.
    pub deletes: bool,
    /// `durable.acks`: an acknowledged record has been synced. False by choice of the user, never by accident.
    pub durable_acks: bool,
    pub retention_ms: i64,
    pub retention_bytes: i64,
    /// `min.cleanable.dirty.ratio`, in millionths.
    pub min_cleanable_dirty_millionths: u32,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    /// How long compaction keeps tombstones.
    pub delete_retention_ms: i64,
    /// For acks=all; what exceeds the number of replicas is not asked for.
    pub min_insync_replicas: u32,
}

impl TopicConfig {
    /// The age at which a segment rolls: where records must be compacted in time, the segment that holds them must end in time.
    #[must_use]
    pub fn roll_ms(&self) -> u64 {
        match u64::try_from(self.max_compaction_lag_ms) {
            Ok(lag_ms) if self.compacted => self.segment_ms.min(lag_ms),
            _ => self.segment_ms,
        }
    }
}

/// Kafka's defaults.
impl Default for TopicConfig {
    fn default() -> Self {
        TopicConfig {
            max_message_bytes: 1_048_588,
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            compression: TopicCompression::Producer,
            compacted: false,
            deletes: true,
            durable_acks: true,
            retention_ms: 7 * 24 * 3_600_000,
            retention_bytes: -1,
            min_cleanable_dirty_millionths: 500_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 24 * 3_600_000,
            min_insync_replicas: 1,
        }
    }
}
