//! What compaction makes of one stored batch: the same batch with fewer records, or with none.
//!
//! Decides the bytes of what is left. Which records stay is the caller's word. Offsets, sequences, producer, leader epoch and codec
//! stay what they were, so the records that stay are copied as they lie, unless a delete horizon changes what their timestamps count
//! from.

use super::codec::{self, CodecError, Compressor, DecompressLimit};
use super::header::{
    BATCH_HEADER_BYTES, BatchHeader, CODEC_MASK, Compression, DELETE_HORIZON_BIT, LEADING_BYTES,
    NO_TIMESTAMP, TimestampType,
};
use super::records::{RecordError, Records, take_record};
use super::stamp::seal;
use super::varint;
use super::view::BatchView;

/// A batch with its records inflated.
#[derive(Clone, Copy, Debug)]
pub struct OpenBatch<'a> {
    batch: BatchView<'a>,
    records: &'a [u8],
}

impl<'a> OpenBatch<'a> {
    /// Inflates into `scratch` what is compressed.
    ///
    /// Errors: as `BatchView::decompress`.
    pub fn open(
        batch: BatchView<'a>,
        limit: DecompressLimit,
        scratch: &'a mut Vec<u8>,
    ) -> Result<OpenBatch<'a>, CodecError> {
        let records = match batch.compression().map_err(CodecError::Unknown)? {
            Compression::None => batch.payload(),
            _ if batch.payload().is_empty() => &[],
            codec => {
                codec::decompress(codec, batch.payload(), limit, scratch)?;
                scratch
            }
        };
        Ok(OpenBatch { batch, records })
    }

    #[must_use]
    pub fn records(&self) -> Records<'a> {
        Records::new(self.batch.header(), self.records)
    }

    /// The batch with those of its records that `keep` names, one word for each. `delete_horizon_ms`: gives it this one, from which the
    /// timestamps then count; None leaves it with the one that it has, if any.
    ///
    /// Invariants: at least one record is kept; `records` was read to its end without an error.
    /// Errors: the records are not as many, or cannot be read.
    pub fn rewrite(&self, keep: &[bool], delete_horizon_ms: Option<i64>) -> Result<Vec<u8>, RecordError> {
        let header = self.batch.header();
        let base_timestamp = delete_horizon_ms.unwrap_or(header.base_timestamp());
        let moved_by = header.base_timestamp().wrapping_sub(base_timestamp);
        let mut kept = Vec::with_capacity(self.records.len());
        let (mut rest, mut count, mut max_timestamp) = (self.records, 0, NO_TIMESTAMP);
        for stays in keep {
            let before = rest;
            let record = take_record(&mut rest).ok_or(RecordError::Malformed)?;
            if !stays {
                continue;
            }
            count += 1;
            max_timestamp = max_timestamp.max(header.base_timestamp().wrapping_add(record.timestamp_delta));
            let bytes = &before[..before.len() - rest.len()];
            if moved_by == 0 {
                kept.extend_from_slice(bytes);
            } else {
                put_moved(&mut kept, bytes, moved_by).ok_or(RecordError::Malformed)?;
            }
        }
        if !rest.is_empty() {
            return Err(RecordError::BytesAfterLast);
        }
        let codec = header.compression().map_err(|_| RecordError::Compressed)?;
        let mut batch = vec![0; BATCH_HEADER_BYTES];
        codec::compress(Compressor::of(codec), &kept, &mut batch);
        let horizon_bit = if delete_horizon_ms.is_some() { DELETE_HORIZON_BIT } else { 0 };
        let max_timestamp = match header.timestamp_type() {
            TimestampType::CreateTime => max_timestamp,
            TimestampType::LogAppendTime => header.max_timestamp(),
        };
        finish(&mut batch, header, |new| {
            new.attributes.set(header.attributes() | horizon_bit);
            new.base_timestamp.set(base_timestamp);
            new.max_timestamp.set(max_timestamp);
            new.records_count.set(count);
        });
        Ok(batch)
    }
}

/// The batch without its records: it keeps its offsets, and its producer's state, as Kafka's does.
#[must_use]
pub fn emptied(header: &BatchHeader) -> Vec<u8> {
    let mut batch = vec![0; BATCH_HEADER_BYTES];
    finish(&mut batch, header, |new| {
        new.attributes.set(header.attributes() & !(CODEC_MASK | DELETE_HORIZON_BIT));
        new.base_timestamp.set(NO_TIMESTAMP);
        new.records_count.set(0);
    });
    batch
}

/// Puts the header of `old` in front of what follows it now, with what `change` says, and a CRC that fits.
fn finish(batch: &mut [u8], old: &BatchHeader, change: impl FnOnce(&mut BatchHeader)) {
    let length = i32::try_from(batch.len() - LEADING_BYTES).expect("a batch inflates to less than 2 GiB");
    let header = BatchHeader::at_front_of_mut(batch).expect("the header's bytes were reserved");
    *header = *old;
    header.batch_length.set(length);
    change(header);
    seal(batch);
}

/// The record with a timestamp delta that is `moved_by` larger.
///
/// Shape:  length | attributes 1 | timestamp delta | the rest, as it is
fn put_moved(out: &mut Vec<u8>, record: &[u8], moved_by: i64) -> Option<()> {
    let mut body = record;
    varint::take_i32(&mut body)?;
    let (attributes, rest) = body.split_first()?;
    body = rest;
    let delta = varint::take_i64(&mut body)?.wrapping_add(moved_by);
    varint::put(out, (1 + varint::put_length(delta) + body.len()) as i64);
    out.push(*attributes);
    varint::put(out, delta);
    out.extend_from_slice(body);
    Some(())
}
