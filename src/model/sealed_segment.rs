//! A segment that takes no more, as its summary tells of it.

use super::Offset;

/// What is known of a sealed segment without its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedSegment {
    pub base_offset: Offset,
    pub next_offset: Offset,
    /// Of its file.
    pub length: u64,
    /// -1: none.
    pub max_timestamp: i64,
    /// Compaction has compared all below it with all later records below it. Its base offset, if it was never compacted.
    pub clean_end: Offset,
}
