//! Builds batches: control records, the broker's own topics and logs, recompression, load, tests.

use bytes::Bytes;

use super::codec::{self, Compressor};
use super::header::{
    BATCH_HEADER_BYTES, BatchHeader, CONTROL_BIT, LEADING_BYTES, LOG_APPEND_TIME_BIT, NO_TIMESTAMP,
    TRANSACTIONAL_BIT,
};
use super::stamp::seal;
use super::varint;

/// Collects records and makes one batch of them.
///
/// Invariants: base offset 0 and leader epoch -1 unless set, as clients send them; no producer unless set.
///             `base_timestamp` is the first record's, `max_timestamp` the largest.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    records: Vec<u8>,
    count: i32,
    last_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    base_offset: i64,
    leader_epoch: i32,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    attributes: i16,
    compressor: Compressor,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    #[must_use]
    pub fn new() -> Self {
        Self {
            records: Vec::new(),
            count: 0,
            last_offset_delta: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            base_offset: 0,
            leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            attributes: 0,
            compressor: Compressor::None,
        }
    }

    #[must_use]
    pub fn base_offset(mut self, base_offset: i64) -> Self {
        self.base_offset = base_offset;
        self
    }

    #[must_use]
    pub fn leader_epoch(mut self, leader_epoch: i32) -> Self {
        self.leader_epoch = leader_epoch;
        self
    }

    #[must_use]
    pub fn producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        self.producer_id = producer_id;
        self.producer_epoch = producer_epoch;
        self.base_sequence = base_sequence;
        self
    }

    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.attributes |= TRANSACTIONAL_BIT;
        self
    }

    #[must_use]
    pub fn control(mut self) -> Self {
        self.attributes |= CONTROL_BIT;
        self
    }

    /// Makes the batch one of type LogAppendTime: all records have the batch's `max_timestamp`.
    #[must_use]
    pub fn log_append_time(mut self) -> Self {
        self.attributes |= LOG_APPEND_TIME_BIT;
        self
    }

    #[must_use]
    pub fn compression(mut self, compressor: Compressor) -> Self {
        self.compressor = compressor;
        self
    }

    #[must_use]
    pub fn records_count(&self) -> i32 {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch if it were built now, uncompressed.
    #[must_use]
    pub fn length_bytes(&self) -> usize {
        BATCH_HEADER_BYTES + self.records.len()
    }

    /// Appends a record at the next offset.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        self.append_at(self.last_offset_delta + 1, timestamp, key, value, headers);
    }

    /// Appends a record at an offset of its own, after all before it: compaction leaves gaps.
    pub fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        assert!(offset_delta > self.last_offset_delta, "offsets of a batch only grow");
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.last_offset_delta = offset_delta;
        self.count += 1;
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let body = 1
            + varint::put_length(timestamp_delta)
            + varint::put_length(i64::from(offset_delta))
            + nullable_length(key)
            + nullable_length(value)
            + varint::put_length(headers.len() as i64)
            + headers
                .iter()
                .map(|&(key, value)| nullable_length(Some(key)) + nullable_length(value))
                .sum::<usize>();
        varint::put(&mut self.records, body as i64);
        self.records.push(0);
        varint::put(&mut self.records, timestamp_delta);
        varint::put(&mut self.records, i64::from(offset_delta));
        put_nullable(&mut self.records, key);
        put_nullable(&mut self.records, value);
        varint::put(&mut self.records, headers.len() as i64);
        for &(key, value) in headers {
            put_nullable(&mut self.records, Some(key));
            put_nullable(&mut self.records, value);
        }
        assert!(self.length_bytes() <= i32::MAX as usize, "a batch is below 2 GiB");
    }

    /// Keeps the last offset of the batch that this one replaces, though its last records are gone.
    pub fn keep_last_offset_delta(&mut self, last_offset_delta: i32) {
        self.last_offset_delta = self.last_offset_delta.max(last_offset_delta);
    }

    /// The batch, with its CRC.
    #[must_use]
    pub fn build(self) -> Bytes {
        Bytes::from(self.build_vec())
    }

    pub(super) fn build_vec(self) -> Vec<u8> {
        let mut batch = Vec::with_capacity(self.length_bytes());
        batch.resize(BATCH_HEADER_BYTES, 0);
        // No records are no bytes, in every codec: what compaction leaves of an empty batch has no frame either.
        if !self.records.is_empty() {
            codec::compress(self.compressor, &self.records, &mut batch);
        }
        let batch_length =
            i32::try_from(batch.len() - LEADING_BYTES).expect("append keeps batches below 2 GiB");
        let header = BatchHeader::at_front_of_mut(&mut batch).expect("the header's bytes were reserved");
        header.base_offset.set(self.base_offset);
        header.batch_length.set(batch_length);
        header.partition_leader_epoch.set(self.leader_epoch);
        header.magic = 2;
        header.attributes.set(self.attributes | self.compressor.codec() as i16);
        header.last_offset_delta.set(self.last_offset_delta);
        header.base_timestamp.set(self.base_timestamp);
        header.max_timestamp.set(self.max_timestamp);
        header.producer_id.set(self.producer_id);
        header.producer_epoch.set(self.producer_epoch);
        header.base_sequence.set(self.base_sequence);
        header.records_count.set(self.count);
        seal(&mut batch);
        batch
    }
}

fn nullable_length(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::put_length(bytes.len() as i64) + bytes.len())
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::put(out, -1),
        Some(bytes) => {
            varint::put(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}
