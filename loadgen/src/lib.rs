//! Open-loop, verified load for any broker that speaks Kafka's protocol: `penstock load` is a thin call of this crate.
//!
//! Decides what is sent when, what is measured and what counts as lost. How it measures and judges: `docs/LOADGEN.md`. Modules
//! import only modules above them.

pub mod chance;
pub mod consumer;
pub mod conversation;
pub mod crc_shift;
pub mod error;
pub mod expectation;
pub mod figures;
pub mod files;
pub mod host;
pub mod keys;
pub mod ledger;
pub mod live;
pub mod picture;
pub mod presets;
pub mod process;
pub mod report;
pub mod schedule;
pub mod settings;
pub mod stamp;
pub mod table;
pub mod template;
pub mod verdict;
pub mod words;
pub mod workload;
