//! One partition's log: which offset a batch gets, what is refused, where its bytes stand, what a reader is given.
//!
//! ```text
//!  log_start                                                              log_end
//!  | segment (Sealed)   | segment (Full)         | segment (Active)        |
//!  |                    |       written          |  written                |
//!  |   in files ........|.......|.. both ........|..|.. memory and journal |
//!                          | hot tail, oldest batch first ................ |
//! ```
//!
//! A log is a value: bytes and times come in, bytes and file ranges go out. It knows no file but by its number, no clock,
//! no leader and no request. Who makes bytes durable tells it so (`on_written`, `on_sealed`); what may be read is the
//! caller's bound (`below`), because durability and replication are decided above.
//!
//! Deliberately absent: the high watermark, transactions' last stable offset, what retention lets go, when compaction runs.

mod append;
mod checkpoint;
mod compaction;
mod hot_tail;
mod lag;
mod leader_epochs;
mod load_index;
mod log_start;
mod lookup;
mod offset_index;
mod partition_log;
mod producer_state;
mod read;
mod recovery;
mod replayed;
mod segment;
mod snapshot;
mod summary;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_checkpoint;
#[cfg(test)]
mod tests_lag;
#[cfg(test)]
mod tests_model;
#[cfg(test)]
mod tests_producers;
#[cfg(test)]
mod tests_snapshot;
#[cfg(test)]
mod tests_summary;

pub use append::{Appended, Refused, SegmentBytes};
pub use checkpoint::Checkpoint;
pub use compaction::{Cleanable, CompactionDisk, OffsetMap, map_keys, rewrite};
pub use hot_tail::tail_cost_bytes;
pub use leader_epochs::LeaderEpochs;
pub use load_index::{index_of_batches, index_of_summary};
pub use log_start::{LogStart, LogStartFault};
pub use lookup::{DamagedBatch, Lookup, offset_in_batch, offset_in_read_batch};
pub use partition_log::PartitionLog;
pub use producer_state::ProducerStates;
pub use read::{ReadPlan, Unread};
pub use recovery::{LogScanner, ReadAt, RecoveredLog, ScanError, ScanFault};
pub use replayed::Replayed;
pub use segment::{Segment, SegmentState};
pub use snapshot::{Malformed, Snapshot};
pub use summary::{NoSummary, SUMMARY_FRONT_BYTES, SUMMARY_HEADER_BYTES, Summary};
