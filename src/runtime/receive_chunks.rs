//! The memory that requests are received into: one chunk after the other, each filled in the order of arrival.
//!
//! Frames are slices of a chunk and keep it alive; produced batches do so until they leave the hot tail. Decides only when a chunk
//! is full enough.

use bytes::BytesMut;

use crate::limits::{RECEIVE_BYTES, RECEIVE_CHUNK_BYTES};

/// Lives: one per shard. Invariants: `chunk` has no bytes between two receives.
#[derive(Debug, Default)]
pub struct ReceiveChunks {
    chunk: BytesMut,
}

impl ReceiveChunks {
    /// Room for one receive, of at least `RECEIVE_BYTES`.
    pub fn room(&mut self) -> &mut BytesMut {
        if self.chunk.capacity() < RECEIVE_BYTES {
            self.chunk = BytesMut::with_capacity(RECEIVE_CHUNK_BYTES);
        }
        &mut self.chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_share_a_chunk_until_it_is_full() {
        let mut chunks = ReceiveChunks::default();
        let mut taken = 0;
        let first = chunks.room().as_ptr();
        while chunks.room().as_ptr() == first.wrapping_add(taken) {
            let room = chunks.room();
            assert!(room.is_empty() && room.capacity() >= RECEIVE_BYTES);
            room.extend_from_slice(&[7; 1000]);
            assert_eq!(room.split().len(), 1000);
            taken += 1000;
        }
        assert_eq!(taken.next_multiple_of(1000), taken);
        assert!(taken > RECEIVE_CHUNK_BYTES - RECEIVE_BYTES && taken <= RECEIVE_CHUNK_BYTES);
    }
}
