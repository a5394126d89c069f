//! Room on a volume.

/// Bytes of the volume that a log dir is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    pub total_bytes: u64,
    /// What this user may still fill: less than what is free where the system keeps some for root.
    pub usable_bytes: u64,
}
