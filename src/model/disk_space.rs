//! Log dirs and the room on their volumes.

use std::sync::Arc;

use super::DirectoryId;

/// Bytes of the volume that a log dir is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    pub total_bytes: u64,
    /// What this user may still fill: less than what is free where the system keeps some for root.
    pub usable_bytes: u64,
}

/// One log dir as a shard sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirStatus {
    pub path: Arc<str>,
    pub directory: DirectoryId,
    /// Nothing in it can be read or written any more.
    pub failed: bool,
    /// As far as it is known.
    pub space: Option<DiskSpace>,
}
