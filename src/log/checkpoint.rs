//! What the journal keeps of a log when it gives up bytes of a segment: enough to go on from there without the segment.
//!
//! Decides the form of a checkpoint (`docs/FORMATS.md`, section 1) and what a log knew at a position that is not its end: batches
//! behind it may be lost in a crash, and a producer must not be told that they are there. Decides nothing about when.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::record::BatchHeader;

use crate::model::Offset;

use super::PartitionLog;
use super::producer_state::ProducerStates;
use super::snapshot::{EPOCH_BYTES, Malformed, PRODUCER_BYTES_MAX, Snapshot};

/// Of a checkpoint, before the epochs.
const HEADER_BYTES: usize = 32;

/// What a log knows where the first `length` bytes of a segment end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub length: u64,
    /// The offset after these bytes.
    pub next_offset: Offset,
    /// Of these bytes; -1: none.
    pub max_timestamp: i64,
    pub snapshot: Snapshot,
}

impl Checkpoint {
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let Snapshot { epochs, producers } = &self.snapshot;
        let count = |bytes: &Bytes| u32::try_from(bytes.len()).expect("producers and epochs are bounded");
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + epochs.len() + producers.len());
        bytes.put_u64_le(self.length);
        bytes.put_i64_le(self.next_offset.0);
        bytes.put_i64_le(self.max_timestamp);
        bytes.put_u32_le(count(epochs));
        bytes.put_u32_le(count(producers));
        bytes.put_slice(epochs);
        bytes.put_slice(producers);
        bytes.freeze()
    }

    /// The sections are not yet looked into.
    ///
    /// Errors: too few bytes or too many; a negative offset.
    pub fn decode(mut bytes: &[u8]) -> Result<Checkpoint, Malformed> {
        if bytes.len() < HEADER_BYTES {
            return Err(Malformed);
        }
        let length = bytes.get_u64_le();
        let next_offset = Offset(bytes.get_i64_le());
        let max_timestamp = bytes.get_i64_le();
        let epochs_bytes = bytes.get_u32_le() as usize;
        let producers_bytes = bytes.get_u32_le() as usize;
        if next_offset < Offset::ZERO || epochs_bytes.checked_add(producers_bytes) != Some(bytes.len()) {
            return Err(Malformed);
        }
        let (epochs, producers) = bytes.split_at(epochs_bytes);
        let snapshot =
            Snapshot { epochs: Bytes::copy_from_slice(epochs), producers: Bytes::copy_from_slice(producers) };
        Ok(Checkpoint { length, next_offset, max_timestamp, snapshot })
    }
}

/// The producers as they were at an offset behind which every batch is still in the tail.
///
/// So they can be brought to any later offset: a batch is counted here when it leaves the tail, or when a checkpoint asks.
///
/// Lives: per log.
#[derive(Debug)]
pub(super) struct Settled {
    pub producers: ProducerStates,
    pub next_offset: Offset,
}

impl Settled {
    pub fn on_batch(&mut self, header: &BatchHeader) {
        if header.base_offset() >= self.next_offset.0 {
            self.producers.on_batch(header, None);
            self.next_offset = Offset(header.next_offset());
        }
    }
}

impl PartitionLog {
    /// What the log knew where the first `length` bytes of `segment` end, which is the end of a batch.
    ///
    /// Invariants: `length` does not shrink from call to call, nor does `segment`, unless the segment is full.
    pub fn checkpoint(&mut self, segment: Offset, length: u64) -> Checkpoint {
        let found = self.segment(segment).expect("storage names segments that the log has told it of");
        if let Some(snapshot) = found.snapshot().filter(|_| length == found.length) {
            let (next_offset, max_timestamp) = (found.next_offset(), found.max_timestamp());
            return Checkpoint { length, next_offset, max_timestamp, snapshot: snapshot.clone() };
        }
        let next_offset = self.offset_at_position(segment, length);
        let max_timestamp =
            found.max_timestamp_between(segment, next_offset).expect("what is not sealed has its index");
        self.settle(next_offset);
        assert!(self.settled.next_offset == next_offset, "what is behind a checkpoint is in the tail");
        let snapshot = Snapshot::of(&self.epochs, &self.settled.producers, next_offset);
        Checkpoint { length, next_offset, max_timestamp, snapshot }
    }

    /// What the log knows at its end.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.epochs, &self.producers, self.log_end)
    }

    /// What the log knows now of what lies below `offset`, and is durable. With what the batches behind it tell it is all that the log knows.
    pub fn snapshot_below(&mut self, offset: Offset, durable_end: Offset) -> Snapshot {
        self.settle(durable_end);
        let (mut epochs, mut producers) = (self.epochs.clone(), self.settled.producers.clone());
        epochs.end_before(offset);
        producers.end_before(offset);
        Snapshot::of(&epochs, &producers, offset)
    }

    /// The most bytes that a checkpoint now takes.
    #[must_use]
    pub fn checkpoint_bytes_max(&self) -> u64 {
        let epochs = self.epochs.0.len() * EPOCH_BYTES;
        (HEADER_BYTES + epochs + self.producers.len() * PRODUCER_BYTES_MAX) as u64
    }

    pub(super) fn settle(&mut self, through: Offset) {
        let from = self.settled.next_offset;
        for batch in self.tail.batches_from(from).take_while(|batch| batch.base_offset < through) {
            self.settled.on_batch(batch.header());
        }
        // Expired since.
        self.settled.producers.keep_known(&self.producers);
    }
}
