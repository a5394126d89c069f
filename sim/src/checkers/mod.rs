//! Named invariants over what clients were told and what they read.
//!
//! `Ledger` is the memory: every record ever sent, every offset it was acknowledged or seen at. Each invariant has its
//! own file and is checked as things happen; `last_word.rs` checks the whole log when the faults have stopped.

pub mod acknowledged;
pub mod compacted;
pub mod groups;
pub mod high_watermark;
pub mod idempotence;
pub mod last_word;
pub mod ledger;
pub mod log_start;
pub mod ownership;
pub mod topics;

#[cfg(test)]
mod tests;

pub use ledger::{Ledger, Partition, PartitionKey, SentBatch};
