//! Open-loop, verified load for any broker that speaks Kafka's protocol: `penstock load` is a thin call of this crate.
//!
//! Decides what is sent when, what is measured and what counts as lost. How it measures and judges: `docs/LOADGEN.md`. Modules
//! import only modules above them.

pub mod error;
pub mod workload;

pub mod conversation;
pub mod report;
pub mod stamp;
pub mod window;

pub mod host;
pub mod process;

pub mod chance;
pub mod crc_shift;
pub mod keys;
pub mod schedule;
pub mod template;

pub mod ledger;
pub mod verdict;

pub mod recorder;

pub mod consumer;
pub mod producer;

pub mod engine;
pub mod null_broker;

pub mod words;

pub mod presets;

pub mod settings;

pub mod figures;

pub mod expectation;
pub mod files;
pub mod live;
pub mod picture;

pub mod table;

pub mod compare;

pub mod pair;
pub mod saturate;

pub mod cli;
