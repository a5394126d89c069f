//! The batches of a sealed segment, whole, one after the other, out of reads of a bounded size.
//!
//! Decides nothing but whether the bytes are a batch whose CRC is right.

use protocol::record::{BATCH_HEADER_BYTES, BatchHeader, BatchView, LEADING_BYTES};

use super::cleaner::CompactionDisk;
use crate::effect::{CompactedSegment, CompactionFault};

/// One read, unless a batch is longer.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// Lives: for one step of a compaction. Memory: a chunk, or the longest batch.
#[derive(Debug, Default)]
pub(super) struct BatchReader {
    bytes: Vec<u8>,
    /// Which segment they are of, and where they stand in it.
    segment: usize,
    start: u64,
}

impl BatchReader {
    /// The batch at `position` of the segment with this place in the order.
    ///
    /// Errors: Damaged, if none stands there whose CRC is right; what the disk says.
    pub fn batch_at(
        &mut self,
        (place, segment): (usize, &CompactedSegment),
        position: u64,
        disk: &mut dyn CompactionDisk,
    ) -> Result<BatchView<'_>, CompactionFault> {
        let damaged = CompactionFault::Damaged { segment: segment.sealed.base_offset, position };
        let left = segment.sealed.length - position;
        let header = self.hold((place, position), BATCH_HEADER_BYTES as u64, left, disk)?;
        let header = BatchHeader::at_front_of(header).ok_or(damaged)?;
        let length = u64::try_from(header.batch_length()).map_err(|_| damaged)? + LEADING_BYTES as u64;
        let bytes = self.hold((place, position), length, left, disk)?;
        BatchView::parse(bytes).ok().filter(BatchView::crc_is_valid).ok_or(damaged)
    }

    /// So many bytes from `position` on, or as many as are left.
    fn hold(
        &mut self,
        (segment, position): (usize, u64),
        bytes: u64,
        left: u64,
        disk: &mut dyn CompactionDisk,
    ) -> Result<&[u8], CompactionFault> {
        let bytes = bytes.min(left);
        let is_held = self.segment == segment
            && position >= self.start
            && position + bytes <= self.start + self.bytes.len() as u64;
        if !is_held {
            let take = left.min(bytes.max(CHUNK_BYTES));
            self.bytes.clear();
            self.bytes.resize(usize::try_from(take).expect("a segment has less than 4 GiB"), 0);
            (self.segment, self.start) = (segment, position);
            if let Err(error) = disk.read(segment, position, &mut self.bytes) {
                self.bytes.clear();
                return Err(CompactionFault::Disk(error));
            }
            if !disk.goes_on(take) {
                return Err(CompactionFault::GivenUp);
            }
        }
        let at = usize::try_from(position - self.start).expect("within what is held");
        Ok(&self.bytes[at..at + usize::try_from(bytes).expect("within what is held")])
    }
}
