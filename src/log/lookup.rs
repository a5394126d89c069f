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
    /// The answer is in this one batch: read it, then `offset_in_batch(bytes, timestamp, from)`. If it is not there (the log start
    /// lies inside the batch), look on from `next_offset`.
    ReadBatch {
        file: FileId,
        position: u64,
        length: u64,
        timestamp: i64,
        from: Offset,
        next_offset: Offset,
    },
}

impl PartitionLog {
    /// The first record from `from` on and below `below` with a timestamp of at least `timestamp`. What lies below the log start is
    /// not there.
    ///
    /// Of segments that end before it no more than the largest timestamp is looked at.
    ///
    /// Invariants: `below` is where a batch begins or the log ends, as durable ends and high watermarks are.
    #[must_use]
    pub fn offset_at(&self, timestamp: i64, from: Offset, below: Offset) -> Lookup {
        let mut from = from.max(self.log_start);
        loop {
            let (segment, batch) = match self.batch_reaching(timestamp, from, below) {
                Ok(Some(found)) => found,
                Ok(None) => return Lookup::NotFound,
                Err(segment) => return Lookup::NeedsIndex { segment },
            };
            match self.offset_in(segment, &batch, timestamp, from) {
                // The log start lies in this batch, and what reaches the timestamp lies before it.
                Lookup::NotFound if batch.base_offset < from => from = batch.next_offset,
                found => return found,
            }
        }
    }

    /// Err: the segment whose index is needed and not here.
    fn batch_reaching(
        &self,
        timestamp: i64,
        from: Offset,
        below: Offset,
    ) -> Result<Option<(&Segment, IndexedBatch)>, Offset> {
        let segments = self.segments_between(from, below);
        for segment in segments.filter(|segment| segment.max_timestamp() >= timestamp) {
            let index = segment.index().ok_or(segment.base_offset)?;
            if let Some(batch) = index.batch_reaching(timestamp, from) {
                return Ok((batch.base_offset < below).then_some((segment, batch)));
            }
        }
        Ok(None)
    }

    fn segments_between(&self, from: Offset, below: Offset) -> impl Iterator<Item = &Segment> {
        let first = self.segments.partition_point(|segment| segment.next_offset() <= from);
        self.segments[first..].iter().take_while(move |segment| segment.base_offset < below)
    }

    /// The first of the records below `below` that have the largest timestamp. NotFound if none has one.
    #[must_use]
    pub fn max_timestamp(&self, from: Offset, below: Offset) -> Lookup {
        let from = from.max(self.log_start);
        let mut largest = -1;
        for segment in self.segments_between(from, below) {
            match segment.max_timestamp_between(from, below) {
                Some(timestamp) => largest = largest.max(timestamp),
                None => return Lookup::NeedsIndex { segment: segment.base_offset },
            }
        }
        if largest < 0 {
            return Lookup::NotFound;
        }
        match (self.offset_at(largest, from, below), self.next_after_cut_batch(from)) {
            // It was that of a record before `from`, in the batch that `from` lies in.
            (Lookup::NotFound, Some(next)) => self.max_timestamp(next, below),
            (found, _) => found,
        }
    }

    /// Where the batch that `from` lies inside of ends; its index is here.
    fn next_after_cut_batch(&self, from: Offset) -> Option<Offset> {
        let segment = self.segments_between(from, self.log_end).next()?;
        let batch = segment.index()?.batch_holding(from)?;
        (batch.base_offset < from).then_some(batch.next_offset)
    }

    fn offset_in(&self, segment: &Segment, batch: &IndexedBatch, timestamp: i64, from: Offset) -> Lookup {
        if let Some(held) = self.tail.batch_holding(batch.base_offset) {
            return offset_in_batch(&held.bytes, timestamp, from);
        }
        match segment.file {
            Some(file) => Lookup::ReadBatch {
                file,
                position: batch.position,
                length: batch.length,
                timestamp,
                from,
                next_offset: batch.next_offset,
            },
            // Not opened: the batch is as near as can be told.
            None => Lookup::Found {
                offset: batch.base_offset.max(from),
                timestamp: batch.max_timestamp,
                leader_epoch: self.epochs.at(batch.base_offset),
            },
        }
    }
}

/// The first record of a batch, from `from` on, with a timestamp of at least `timestamp`.
///
/// A header is believed over its records: if it promises such a timestamp and no record can be read that has it, the
/// answer is the whole batch, by its first offset. So memory and files give the same answer, and a lookup never fails. A batch that
/// begins before `from` is believed by its records only.
#[must_use]
pub fn offset_in_batch(bytes: &[u8], timestamp: i64, from: Offset) -> Lookup {
    match BatchView::parse(bytes) {
        Ok(batch) => offset_in_view(&batch, timestamp, from),
        Err(_) => Lookup::NotFound,
    }
}

/// The same, of a batch that was read from a file.
///
/// Errors: `DamagedBatch`: these bytes are no batch, or not the one that was written.
pub fn offset_in_read_batch(bytes: &[u8], timestamp: i64, from: Offset) -> Result<Lookup, DamagedBatch> {
    let batch = BatchView::parse(bytes).map_err(|_| DamagedBatch)?;
    if batch.crc_is_valid() { Ok(offset_in_view(&batch, timestamp, from)) } else { Err(DamagedBatch) }
}

/// What was read is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedBatch;

fn offset_in_view(batch: &BatchView<'_>, timestamp: i64, from: Offset) -> Lookup {
    if batch.max_timestamp() < timestamp {
        return Lookup::NotFound;
    }
    let mut scratch = Vec::new();
    let record = batch
        .decompress(DecompressLimit(INFLATE_BYTES_MAX), &mut scratch)
        .ok()
        .and_then(|mut records| {
            records.find_map(|record| {
                record.ok().filter(|record| record.timestamp >= timestamp && record.offset >= from.0)
            })
        })
        .map(|record| (record.offset, record.timestamp));
    let whole = (batch.base_offset() >= from.0).then(|| (batch.base_offset(), batch.max_timestamp()));
    let Some((offset, timestamp)) = record.or(whole) else { return Lookup::NotFound };
    Lookup::Found {
        offset: Offset(offset),
        timestamp,
        leader_epoch: LeaderEpoch(batch.partition_leader_epoch()),
    }
}
