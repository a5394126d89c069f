//! One partition's bytes of a fetch: its record batches by their headers, their CRCs and stamps.
//!
//! Decides which batches count: whole ones that reach the position and begin before the end. Records are not read but for the
//! first one's value, which has the stamp.

use protocol::record::{BatchError, BatchView, Compression, batches};

use crate::error::{ErrorKind, LoadError};
use crate::ledger::FoundBatch;
use crate::stamp::Stamp;

use super::FetchedPartition;

/// What the answer has for one partition.
pub(super) struct Walk<'a> {
    pub high_watermark: i64,
    pub bytes: &'a [u8],
}

/// What the walk has met.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub batches: u64,
    pub records: u64,
    pub bytes: u64,
    pub moved: bool,
    /// There was the beginning of a batch and no whole one.
    pub cut: bool,
}

impl Walk<'_> {
    /// Tells of each batch and moves the position over it. A batch that is cut is left for the next fetch; one wholly below the
    /// position that was asked for is not new.
    ///
    /// Errors: bytes that are no record batch, and offsets beyond the end of the log.
    pub(super) fn tell(
        &self,
        partition: &mut FetchedPartition,
        mut on_batch: impl FnMut(FoundBatch),
    ) -> Result<Seen, LoadError> {
        let fetch_offset = partition.position;
        let mut seen = Seen::default();
        for batch in batches(self.bytes) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(BatchError::Cut { .. }) => {
                    seen.cut = seen.batches == 0;
                    break;
                }
                Err(error) => return Err(no_batch(partition, &error.to_string())),
            };
            if batch.last_offset() < fetch_offset {
                continue;
            }
            if partition.until.is_some_and(|until| batch.base_offset() >= until) {
                // What follows was written after the end that was asked for; the position need not reach it.
                partition.position = partition.position.max(partition.until.unwrap_or_default());
                seen.moved = true;
                break;
            }
            if batch.base_offset() > partition.position
                && (0..=batch.base_offset()).contains(&self.high_watermark)
            {
                let beyond = format!(
                    "a batch with offset {}, and the log ends at {}",
                    batch.base_offset(),
                    self.high_watermark
                );
                return Err(no_batch(partition, &beyond));
            }
            partition.position = partition.position.max(batch.next_offset());
            seen.moved = true;
            seen.batches += 1;
            seen.bytes += batch.length_bytes() as u64;
            let found = found(&batch);
            if !found.is_control {
                seen.records += u64::from(found.records);
            }
            on_batch(found);
        }
        Ok(seen)
    }
}

fn found(batch: &BatchView<'_>) -> FoundBatch {
    FoundBatch {
        base_offset: batch.base_offset(),
        last_offset: batch.last_offset(),
        records: u32::try_from(batch.records_count()).unwrap_or(0),
        crc_stored: batch.crc(),
        crc_is_right: batch.crc_is_valid(),
        is_compressed: batch.compression() != Ok(Compression::None),
        is_control: batch.is_control(),
        stamp: stamp(batch),
    }
}

fn stamp(batch: &BatchView<'_>) -> Option<Stamp> {
    let first = batch.records().next()?.ok()?;
    Stamp::from_bytes(first.value?)
}

fn no_batch(partition: &FetchedPartition, what: &str) -> LoadError {
    LoadError {
        kind: ErrorKind::Verification,
        what: format!("{} offset {}: no record batch: {what}", partition.name(), partition.position),
        fix: "the log is corrupted, or the broker is none of Kafka's kind".into(),
    }
}
