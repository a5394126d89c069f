//! Groups: who consumes what, and how far it has come.
//!
//! Decides what each group answers and which records it writes. Nothing here sees a log, a clock or a connection (`coordinator`).

mod assignment;
pub mod assignor;
pub mod consumer;
pub mod records;

pub use assignment::Assignment;
