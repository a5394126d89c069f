//! The index of a sealed segment: out of its summary, or out of the headers of its batches.
//!
//! Decides what is believed. The calls are pure, so that threads beside the shards make them, and the simulator too.

use bytes::Bytes;

use crate::effect::IndexFault;
use crate::model::SealedSegment;

use super::offset_index::OffsetIndex;
use super::recovery::{LogScanner, ReadAt, ScanFault};
use super::segment::Segment;
use super::summary::Summary;

/// The index section of a summary, if it is that of the segment and well-formed.
#[must_use]
pub fn index_of_summary(sealed: &SealedSegment, summary: &Summary) -> Option<Bytes> {
    let section = summary.index.as_ref().filter(|_| summary.segment == *sealed)?;
    let SealedSegment { base_offset, next_offset, length, max_timestamp, clean_end: _ } = *sealed;
    let index = OffsetIndex::decode(base_offset, next_offset, length, section)?;
    (index.max_timestamp() == max_timestamp).then(|| section.clone())
}

/// Walks the batch headers of the segment's file. Memory: one chunk of it, and the index.
///
/// `found`: the summary that was there, whose other sections are kept if it is of this segment.
/// Errors: the first header that cannot be; batches that end elsewhere than the segment does.
pub fn index_of_batches(
    sealed: &SealedSegment,
    found: Option<Summary>,
    read: &mut ReadAt<'_>,
) -> Result<Summary, IndexFault> {
    let mut scanner = LogScanner::new();
    scanner.segment(sealed.base_offset, sealed.length, read).map_err(|error| match error.fault {
        ScanFault::Disk(error) => IndexFault::Disk(error),
        _ => IndexFault::NotABatch { position: error.position },
    })?;
    let log = scanner.finish();
    // How far it is clean its batches do not tell.
    let told = |segment: &Segment| SealedSegment { clean_end: sealed.clean_end, ..segment.sealed() };
    let scanned = log.segments().first().filter(|segment| told(segment) == *sealed);
    let Some(index) = scanned.and_then(|segment| segment.index()) else {
        return Err(IndexFault::NotABatch { position: sealed.length });
    };
    let kept = found.filter(|found| found.segment == *sealed).unwrap_or(Summary::new(*sealed));
    Ok(Summary { index: Some(index.encode().freeze()), ..kept })
}
