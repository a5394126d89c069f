//! One partition's role: who leads, what is committed, who waits for more.
//!
//! Today every partition has one replica, so what is durable here is committed. The records are `storage`'s.

mod partition;

pub use partition::{Partition, Watcher, failed_read};
