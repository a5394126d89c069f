//! The newest batches of a log, in memory: what readers at the end are served from.
//!
//! Decides nothing about when batches may go: `PartitionLog` does.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::record::BatchHeader;

use crate::model::Offset;

/// What a batch costs in memory beside its bytes: its places in two queues, which double when they grow, and the head of the request
/// that it came with, which stands in the same chunk.
const OVERHEAD_BYTES: u64 = 256;

/// What a batch of `length` bytes costs in memory.
#[must_use]
pub fn tail_cost_bytes(length: u64) -> u64 {
    length + OVERHEAD_BYTES
}

#[derive(Debug, Clone)]
pub(super) struct TailBatch {
    /// Base offset of its segment.
    pub segment: Offset,
    pub position: u64,
    pub base_offset: Offset,
    pub next_offset: Offset,
    pub bytes: Bytes,
}

impl TailBatch {
    pub fn end(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }

    pub fn header(&self) -> &BatchHeader {
        BatchHeader::at_front_of(&self.bytes).expect("a batch in the log has a header")
    }
}

/// Lives: per log. Invariants: the last batches of the log, without a gap, oldest first. No allocation while empty.
#[derive(Debug, Default)]
pub(super) struct HotTail {
    batches: VecDeque<TailBatch>,
    /// What they cost.
    bytes: u64,
}

impl HotTail {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.batches.len()
    }

    pub fn front(&self) -> Option<&TailBatch> {
        self.batches.front()
    }

    pub fn push(&mut self, batch: TailBatch) {
        if let Some(last) = self.batches.back() {
            assert_eq!(last.next_offset, batch.base_offset, "offsets of the tail are dense");
            let follows = if last.segment == batch.segment { last.end() } else { 0 };
            assert_eq!(batch.position, follows, "positions of the tail are contiguous");
        }
        self.bytes += tail_cost_bytes(batch.bytes.len() as u64);
        self.batches.push_back(batch);
    }

    /// Drops the oldest batch and says how many bytes that frees.
    pub fn pop_front(&mut self) -> Option<u64> {
        let batch = self.batches.pop_front()?;
        let bytes = tail_cost_bytes(batch.bytes.len() as u64);
        self.bytes -= bytes;
        if self.batches.is_empty() {
            // A log that has gone quiet keeps no memory.
            self.batches = VecDeque::new();
        }
        Some(bytes)
    }

    /// Batches from the one that holds `offset` on; all of them if it is older than the tail.
    pub fn batches_from(&self, offset: Offset) -> impl Iterator<Item = &TailBatch> {
        let first = self.batches.partition_point(|batch| batch.next_offset <= offset);
        self.batches.range(first..)
    }

    /// The batch that holds `offset`, if it is here.
    pub fn batch_holding(&self, offset: Offset) -> Option<&TailBatch> {
        self.batches_from(offset).next().filter(|batch| batch.base_offset <= offset)
    }

    /// The offset after the last batch of `segment` that ends at or before `position`, if it is here.
    pub fn offset_by(&self, segment: Offset, position: u64) -> Option<Offset> {
        let after = self.batches.partition_point(|batch| (batch.segment, batch.end()) <= (segment, position));
        let batch = self.batches.get(after.checked_sub(1)?)?;
        (batch.segment == segment).then_some(batch.next_offset)
    }

    /// The bytes [from, to) of `segment`. All of them must be here.
    pub fn slices(&self, segment: Offset, from: u64, to: u64) -> Vec<Bytes> {
        assert!(from <= to, "a range runs forward");
        let first = self.batches.partition_point(|batch| (batch.segment, batch.end()) <= (segment, from));
        let mut slices = Vec::new();
        let mut at = from;
        for batch in self.batches.range(first..) {
            if at == to {
                break;
            }
            assert!(batch.segment == segment && batch.position <= at, "the range is held in the tail");
            let start = (at - batch.position) as usize;
            let end = (to.min(batch.end()) - batch.position) as usize;
            slices.push(batch.bytes.slice(start..end));
            at = batch.position + end as u64;
        }
        assert_eq!(at, to, "the range is held in the tail");
        slices
    }
}
