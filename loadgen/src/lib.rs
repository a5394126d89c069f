//! Open-loop, verified load for any broker that speaks Kafka's protocol: `penstock load` is a thin call of this crate.
//!
//! Decides what is sent when, what is measured and what counts as lost. How it measures and judges: `docs/LOADGEN.md`. Modules
//! import only modules above them.

pub mod consumer;
pub mod conversation;
pub mod error;
pub mod host;
pub mod ledger;
pub mod process;
pub mod report;
pub mod stamp;
pub mod verdict;
pub mod workload;
