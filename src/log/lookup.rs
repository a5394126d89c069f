//! Offsets by time: the first record at or after a timestamp, the record with the largest one.
//!
//! Decides which batch, and inside it which record. A batch that is no longer in memory is left to the caller to read.

use protocol::record::{BatchView, DecompressLimit};

use crate::effect::FileId;
use crate::model::{LeaderEpoch, Offset};

use super::PartitionLog;
use super::append::INFLATE_BYTES_MAX;
use super::offset_index::IndexedBatch;
use super::segment::Segment;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Found {
        offset: Offset,
        timestamp: i64,
        leader_epoch: LeaderEpoch,
    },
    NotFound,
    /// Load the index of this segment, then ask again.
    NeedsIndex {
        segment: Offset,
    },
    /// The answer is in this one batch: read it, then `offset_in_batch(bytes, timestamp)`.
    ReadBatch {
        file: FileId,
        position: u64,
        length: u64,
        timestamp: i64,
    },
}

impl PartitionLog {
    /// The first record below `below` with a timestamp of at least `timestamp`.
    ///
    /// Of segments that end before it no more than the largest timestamp is looked at.
    ///
    /// Invariants: `below` is where a batch begins or the log ends, as durable ends and high watermarks are.
    #[must_use]
    pub fn offset_at(&self, timestamp: i64, below: Offset) -> Lookup {
        let segments = self.segments.iter().take_while(|segment| segment.base_offset < below);
        for segment in segments.filter(|segment| segment.max_timestamp() >= timestamp) {
            let Some(index) = segment.index() else {
                return Lookup::NeedsIndex { segment: segment.base_offset };
            };
            if let Some(batch) = index.batch_reaching(timestamp) {
                return if batch.base_offset < below {
                    self.offset_in(segment, &batch, timestamp)
                } else {
                    Lookup::NotFound
                };
            }
        }
        Lookup::NotFound
    }

    /// The first of the records below `below` that have the largest timestamp. NotFound if none has one.
    #[must_use]
    pub fn max_timestamp(&self, below: Offset) -> Lookup {
        let mut largest = -1;
        for segment in self.segments.iter().take_while(|segment| segment.base_offset < below) {
            match segment.max_timestamp_below(below) {
                Some(timestamp) => largest = largest.max(timestamp),
                None => return Lookup::NeedsIndex { segment: segment.base_offset },
            }
        }
        if largest < 0 { Lookup::NotFound } else { self.offset_at(largest, below) }
    }

    fn offset_in(&self, segment: &Segment, batch: &IndexedBatch, timestamp: i64) -> Lookup {
        if let Some(held) = self.tail.batch_holding(batch.base_offset) {
            return offset_in_batch(&held.bytes, timestamp);
        }
        match segment.file {
            Some(file) => {
                Lookup::ReadBatch { file, position: batch.position, length: batch.length, timestamp }
            }
            // Not opened: the batch is as near as can be told.
            None => Lookup::Found {
                offset: batch.base_offset,
                timestamp: batch.max_timestamp,
                leader_epoch: self.epochs.at(batch.base_offset),
            },
        }
    }
}

/// The first record of a batch with a timestamp of at least `timestamp`.
///
/// A header is believed over its records: if it promises such a timestamp and no record can be read that has it, the
/// answer is the whole batch, by its first offset. So memory and files give the same answer, and a lookup never fails.
#[must_use]
pub fn offset_in_batch(bytes: &[u8], timestamp: i64) -> Lookup {
    match BatchView::parse(bytes) {
        Ok(batch) => offset_in_view(&batch, timestamp),
        Err(_) => Lookup::NotFound,
    }
}

/// The same, of a batch that was read from a file.
///
/// Errors: `DamagedBatch`: these bytes are no batch, or not the one that was written.
pub fn offset_in_read_batch(bytes: &[u8], timestamp: i64) -> Result<Lookup, DamagedBatch> {
    let batch = BatchView::parse(bytes).map_err(|_| DamagedBatch)?;
    if batch.crc_is_valid() { Ok(offset_in_view(&batch, timestamp)) } else { Err(DamagedBatch) }
}

/// What was read is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedBatch;

fn offset_in_view(batch: &BatchView<'_>, timestamp: i64) -> Lookup {
    if batch.max_timestamp() < timestamp {
        return Lookup::NotFound;
    }
    let mut scratch = Vec::new();
    let record = batch
        .decompress(DecompressLimit(INFLATE_BYTES_MAX), &mut scratch)
        .ok()
        .and_then(|records| records.flatten().find(|record| record.timestamp >= timestamp))
        .map(|record| (record.offset, record.timestamp));
    let (offset, timestamp) = record.unwrap_or((batch.base_offset(), batch.max_timestamp()));
    Lookup::Found {
        offset: Offset(offset),
        timestamp,
        leader_epoch: LeaderEpoch(batch.partition_leader_epoch()),
    }
}
