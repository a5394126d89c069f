//! How far a reader is behind the end of a partition.

/// Of one committed offset. All are 0 when there is nothing behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Offsets up to the high watermark: what compaction took away counts.
    pub records: u64,
    /// Of the log.
    pub bytes: u64,
    /// Timestamp of the first record behind the offset. None: it has none, or there is none.
    pub timestamp_ms: Option<i64>,
}
