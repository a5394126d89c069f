//! What a log knows at one offset beside its batches, as bytes that `log` makes and reads.

use bytes::Bytes;

/// The sections of a summary that tell of it: leader epochs, and producers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub epochs: Bytes,
    pub producers: Bytes,
}
