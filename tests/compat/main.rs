//! Real clients against the real process: librdkafka, and a client of ours for what it hides.
//!
//! `cargo test --test compat`; the crash ledger alone and in full:
//! `PENSTOCK_CRASHES=50 cargo test --test compat crash -- --nocapture`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::print_stderr)]

mod admin;
#[path = "../broker/mod.rs"]
mod broker;
mod clients;
mod consumer_groups;
mod crash;
mod deletion;
mod groups;
mod lag;
mod log_dirs;
mod offsets;
mod produce_consume;
mod wire;
