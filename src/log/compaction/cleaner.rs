//! The two walks of a compaction: the keys of the dirty segments into the map, and segments against the map into a new one.
//!
//! Decides what the new segment is: its bytes, its index, its ends. Where the bytes come from and go to, and how fast, is `CompactionDisk`'s.

use bytes::Bytes;
use protocol::record::{BatchView, OpenBatch};

use super::super::offset_index::OffsetIndex;
use super::batch_filter::{BatchFilter, Fate, LIMIT};
use super::batch_reader::BatchReader;
use super::offset_map::OffsetMap;
use crate::effect::{CleanRules, CompactedSegment, CompactionFault, DiskError, MappedKeys, Rewritten};
use crate::model::{Offset, SealedSegment};

/// The new file is written in pieces of this size.
const WRITE_BYTES: usize = 1024 * 1024;

/// The files of one step. Calls may block: whoever makes them is a thread beside the shard.
pub trait CompactionDisk {
    /// Fills `into` from the segment with this place in the order.
    fn read(&mut self, segment: usize, position: u64, into: &mut [u8]) -> Result<(), DiskError>;
    /// Appends to the new segment.
    fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError>;
    /// So many bytes were read or written: waits as long as that is to take. False: the step shall end.
    fn goes_on(&mut self, bytes: u64) -> bool;
}

/// Puts the keys of `segments` from offset `from` on into the map, until it is full.
///
/// Errors: a damaged batch; what the disk says. The map is of no more use then.
pub fn map_keys(
    map: &mut OffsetMap,
    segments: &[CompactedSegment],
    from: Offset,
    disk: &mut dyn CompactionDisk,
) -> Result<MappedKeys, CompactionFault> {
    let (mut reader, mut inflated) = (BatchReader::default(), Vec::new());
    let mut mapped = MappedKeys { clean_end: from, keys: 0, bytes_read: 0 };
    for (place, segment) in segments.iter().enumerate() {
        let mut position = 0;
        while position < segment.sealed.length {
            let batch = reader.batch_at((place, segment), position, disk)?;
            position += batch.length_bytes() as u64;
            mapped.bytes_read += batch.length_bytes() as u64;
            // A transaction may have been aborted.
            if batch.next_offset() <= from.0 || batch.is_control() || batch.is_transactional() {
                continue;
            }
            if let Some(full_at) = map_batch(map, batch, from, &mut inflated) {
                return Ok(MappedKeys { clean_end: full_at, keys: map.keys(), ..mapped });
            }
        }
        mapped.clean_end = segment.sealed.next_offset;
    }
    Ok(MappedKeys { keys: map.keys(), ..mapped })
}

/// Some: the first record for which there was no room.
fn map_batch(
    map: &mut OffsetMap,
    batch: BatchView<'_>,
    from: Offset,
    inflated: &mut Vec<u8>,
) -> Option<Offset> {
    let open = OpenBatch::open(batch, LIMIT, inflated).ok()?;
    // From where a record cannot be read the batch stays as it is.
    for record in open.records().map_while(Result::ok).filter(|record| record.offset >= from.0) {
        let offset = Offset(record.offset);
        if record.key.is_some_and(|key| !map.put(key, offset)) {
            return Some(offset);
        }
    }
    None
}

/// Makes one segment of `segments`, which follow each other.
///
/// Invariants: the new one covers their offsets; what the disk was given are its bytes.
/// Errors: a damaged batch; `Outgrown`, if it would be larger than one may be; what the disk says.
pub fn rewrite(
    map: &OffsetMap,
    rules: &CleanRules,
    segments: &[CompactedSegment],
    disk: &mut dyn CompactionDisk,
) -> Result<Rewritten, CompactionFault> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Err(CompactionFault::GivenUp);
    };
    let (base_offset, next_offset) = (first.sealed.base_offset, last.sealed.next_offset);
    let mut reader = BatchReader::default();
    let mut new = NewSegment::new(base_offset, if segments.len() > 1 { rules.length_max } else { u64::MAX });
    let mut filter = BatchFilter::new(map, rules);
    let (mut expected, mut is_changed) = (base_offset, segments.len() > 1);
    for (place, segment) in segments.iter().enumerate() {
        let mut position = 0;
        while position < segment.sealed.length {
            let batch = reader.batch_at((place, segment), position, disk)?;
            let damaged = CompactionFault::Damaged { segment: segment.sealed.base_offset, position };
            if batch.base_offset() < expected.0 {
                return Err(damaged);
            }
            expected = Offset(batch.next_offset());
            position += batch.length_bytes() as u64;
            let ends = position == segment.sealed.length;
            if ends && expected != segment.sealed.next_offset {
                return Err(damaged);
            }
            match filter.fate(batch, ends && place + 1 == segments.len()) {
                Fate::Stays => new.push(batch)?,
                Fate::Becomes(bytes) => {
                    is_changed = true;
                    new.push(BatchView::parse(&bytes).map_err(|_| damaged)?)?;
                }
                Fate::Goes => is_changed = true,
            }
            new.flush_beyond(WRITE_BYTES, disk)?;
        }
    }
    new.flush_beyond(0, disk)?;
    assert_eq!(new.index.next_offset(), next_offset, "the last batch of a segment stays");
    let sealed = SealedSegment {
        base_offset,
        next_offset,
        length: new.index.end(),
        max_timestamp: new.index.max_timestamp(),
        clean_end: rules.clean_end.min(next_offset),
    };
    let records_dropped = filter.records_dropped;
    let index = Bytes::from(new.index.encode());
    Ok(Rewritten { sealed, index, is_changed, records_dropped })
}

struct NewSegment {
    index: OffsetIndex,
    base_offset: Offset,
    length_max: u64,
    /// Not given to the disk yet.
    unwritten: Vec<u8>,
}

impl NewSegment {
    fn new(base_offset: Offset, length_max: u64) -> NewSegment {
        NewSegment { index: OffsetIndex::new(base_offset), base_offset, length_max, unwritten: Vec::new() }
    }

    fn push(&mut self, batch: BatchView<'_>) -> Result<(), CompactionFault> {
        let length = batch.length_bytes() as u64;
        let end = self.index.end() + length;
        let last_offset = Offset(batch.last_offset());
        let offsets = u32::try_from(batch.next_offset() - self.index.next_offset().0);
        let length = u32::try_from(length);
        let (Ok(offsets), Ok(length)) = (offsets, length) else { return Err(CompactionFault::Outgrown) };
        if end > self.length_max || !OffsetIndex::can_hold(self.base_offset, last_offset, end) {
            return Err(CompactionFault::Outgrown);
        }
        self.index.push(offsets, length, super::super::recovery::max_timestamp_of(batch.header()));
        self.unwritten.extend_from_slice(batch.bytes());
        Ok(())
    }

    fn flush_beyond(&mut self, bytes: usize, disk: &mut dyn CompactionDisk) -> Result<(), CompactionFault> {
        if self.unwritten.len() <= bytes {
            return Ok(());
        }
        disk.write(&self.unwritten).map_err(CompactionFault::Disk)?;
        let goes_on = disk.goes_on(self.unwritten.len() as u64);
        self.unwritten.clear();
        if goes_on { Ok(()) } else { Err(CompactionFault::GivenUp) }
    }
}
