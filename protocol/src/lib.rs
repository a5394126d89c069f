//! Kafka's wire protocol: messages, frames, error codes and record batches.
//!
//! Decoding borrows from the received frame, is bounded by the bytes that are there, and cannot panic.
//! Nothing here knows sockets, files or clocks.
#![forbid(unsafe_code)]

pub mod record;
