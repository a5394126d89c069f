//! penstock: a Kafka-compatible broker that runs one shard on each core.
//!
//! The order of the modules is the law: a module imports only modules above it (`tests/tidy.rs` checks).
//! Everything above `runtime` is pure: no clock, no file, no socket, no chance. See `docs/ARCHITECTURE.md`.

pub mod stdx;

pub mod limits;

pub mod mutations;

pub mod model;

pub mod config;

pub mod metrics;

pub mod shard_message;

pub mod effect;

pub mod input;

pub mod log;

pub mod journal;

pub mod storage;

pub mod replication;

pub mod metadata;

pub mod coordinator;

pub mod group;

pub mod api;

pub mod shard;

pub mod runtime;
