//! What one topic-partition owes: sent, acknowledged, without a known end; and what reading it back has found.
//!
//! Decides what is lost, duplicated, reordered, corrupted. Knows no sockets: producers tell it what happened to their batches,
//! readers what they met, in any interleaving. The rules: `docs/LOADGEN.md`, "Verification".

/// One batch as its producer knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentBatch {
    pub connection: u32,
    /// Counts the batches of this connection to this topic-partition from 0.
    pub sequence: u32,
    /// The CRC-32C that its header carried.
    pub crc: u32,
    pub records: u32,
    pub intended_ns: u64,
}
