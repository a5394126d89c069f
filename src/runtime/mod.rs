//! The only part of the broker that touches the world: files, sockets, clocks, threads.
//!
//! It turns completions into inputs and effects into submissions, starts the process and stops it. It decides nothing about Kafka.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is the part of the broker that touches the world"
)]

mod aligned;
mod bulk;
mod catalogue;
mod catalogue_keeper;
mod chores;
mod clock;
mod cold_reader;
mod compactor;
mod connection;
mod control_thread;
mod descriptors;
mod disk_space;
mod dma;
mod driver;
mod executors;
mod files;
mod identity;
mod io_threads;
mod journal_reader;
mod journal_writer;
mod last_commits;
mod listener;
mod log_dirs;
mod log_start_file;
mod mesh;
mod metadata_file;
pub mod preflight;
mod receive_chunks;
mod recovery_disk;
mod removal;
mod reserve;
mod residency;
mod restorer;
mod segment_restorers;
mod segment_writer;
mod shards;
mod sockets;
mod start;
mod summary_file;
mod swap_files;
#[cfg(test)]
mod tests;
mod write_side;

pub use preflight::StartError;
pub use recovery_disk::DataDir;
pub use start::{Options, Ready, run};
