//! Compaction of a log's sealed segments: which records stay, and which segments are worth it. `docs/decisions/0011-compaction.md`.
//!
//! ```text
//!  log_start        first dirty                       bound                 log_end
//!  | clean, each key once | dirty, its keys are mapped  | too young, or active |
//!  |   rewritten, oldest first, against the map ...... |
//! ```
//!
//! Decides what a segment becomes. All calls are pure: bytes come in through `CompactionDisk` and leave through it, so that a thread
//! beside the shard runs them, and the simulator too. When to compact is `plan`'s word, whose order counts is `storage`'s.

mod batch_filter;
mod batch_reader;
mod cleaner;
mod offset_map;
mod plan;

#[cfg(test)]
mod tests;

pub use cleaner::{CompactionDisk, map_keys, rewrite};
pub use offset_map::OffsetMap;
pub use plan::Cleanable;
