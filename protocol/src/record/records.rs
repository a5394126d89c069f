//! Records inside a batch: one walk over their bytes, and an iterator that hands them out borrowed.
//!
//! Decides what a well-formed record is. Does not decompress and does not judge what a client may produce.

use super::header::{BatchHeader, TimestampType, sequence_after};
use super::varint::{take_i32, take_i64};

/// One record, borrowed from its batch (or from the buffer its batch was decompressed into).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub offset: i64,
    pub timestamp: i64,
    /// -1 in a batch without a producer's sequence.
    pub sequence: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// One header of a record. Kafka calls the key a string; no broker checks that it is UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// Iterates over the headers of one record; all of them were found well-formed when the record was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    count: usize,
    rest: &'a [u8],
}

/// Why the records of a batch cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// A length, count or varint of a record does not fit the bytes that are there.
    Malformed,
    /// The header counts fewer records than there are bytes for.
    BytesAfterLast,
    /// The batch is compressed: `BatchView::decompress` reads it.
    Compressed,
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a record does not fit the bytes of its batch",
            Self::BytesAfterLast => "bytes are left after the last record of the batch",
            Self::Compressed => "the records are compressed",
        })
    }
}

impl std::error::Error for RecordError {}

/// A record as it lies in the bytes: deltas, not yet offsets.
pub(super) struct RawRecord<'a> {
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// Takes one record off the front of `bytes`, having checked every length in it.
///
/// Shape:  length varint | attributes i8 | timestamp delta | offset delta | key | value | header count | headers
///         where key, value and header values are a varint length (negative: null) and as many bytes.
#[inline]
pub(super) fn take_record<'a>(bytes: &mut &'a [u8]) -> Option<RawRecord<'a>> {
    let length = usize::try_from(take_i32(bytes)?).ok()?;
    let (mut body, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    // Attributes of a record mean nothing in format 2, and Kafka accepts any.
    (_, body) = body.split_first()?;
    let timestamp_delta = take_i64(&mut body)?;
    let offset_delta = take_i32(&mut body)?;
    let key = take_nullable(&mut body)?;
    let value = take_nullable(&mut body)?;
    let headers = Headers { count: usize::try_from(take_i32(&mut body)?).ok()?, rest: body };
    let well_formed = if headers.count == 0 { body.is_empty() } else { headers.fill_their_bytes() };
    well_formed.then_some(RawRecord { timestamp_delta, offset_delta, key, value, headers })
}

/// A length and as many bytes; any negative length is null, as in Kafka.
#[inline]
fn take_nullable<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let Ok(length) = usize::try_from(take_i32(bytes)?) else { return Some(None) };
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(Some(taken))
}

fn take_header<'a>(bytes: &mut &'a [u8]) -> Option<Header<'a>> {
    let key = take_nullable(bytes)??;
    let value = take_nullable(bytes)?;
    Some(Header { key, value })
}

impl<'a> Headers<'a> {
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Are there exactly as many headers as counted? A wrong count ends at the first byte that is not there.
    fn fill_their_bytes(&self) -> bool {
        let mut rest = self.rest;
        (0..self.count).all(|_| take_header(&mut rest).is_some()) && rest.is_empty()
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        take_header(&mut self.rest)
    }
}

/// Iterates over the records of a batch; ends after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    left: i32,
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<i64>,
    base_sequence: i32,
    /// What to say at the next call, whatever the bytes are.
    failed: Option<RecordError>,
}

impl<'a> Records<'a> {
    pub(super) fn new(header: &BatchHeader, records: &'a [u8]) -> Self {
        let log_append_time =
            (header.timestamp_type() == TimestampType::LogAppendTime).then(|| header.max_timestamp());
        Self {
            rest: records,
            left: header.records_count(),
            base_offset: header.base_offset(),
            base_timestamp: header.base_timestamp(),
            log_append_time,
            base_sequence: header.base_sequence(),
            failed: None,
        }
    }

    pub(super) fn unreadable(header: &BatchHeader, error: RecordError) -> Self {
        Self { failed: Some(error), ..Self::new(header, &[]) }
    }

    fn fail(&mut self, error: RecordError) -> Option<Result<Record<'a>, RecordError>> {
        self.left = 0;
        self.rest = &[];
        self.failed = None;
        Some(Err(error))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed {
            return self.fail(error);
        }
        if self.left <= 0 {
            return if self.rest.is_empty() { None } else { self.fail(RecordError::BytesAfterLast) };
        }
        self.left -= 1;
        let Some(raw) = take_record(&mut self.rest) else { return self.fail(RecordError::Malformed) };
        Some(Ok(Record {
            offset: self.base_offset.wrapping_add(i64::from(raw.offset_delta)),
            timestamp: self
                .log_append_time
                .unwrap_or_else(|| self.base_timestamp.wrapping_add(raw.timestamp_delta)),
            sequence: sequence_after(self.base_sequence, raw.offset_delta),
            key: raw.key,
            value: raw.value,
            headers: raw.headers,
        }))
    }
}

/// What a control record says, from its key: `version i16, type i16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlRecord {
    Abort,
    Commit,
    /// Raft's own (leader change, snapshot header and footer, ...), or a type from the future.
    Other(i16),
}

impl ControlRecord {
    /// `None` if the key is too short to be one, or its version is negative.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (version, rest) = key.split_first_chunk::<2>()?;
        if i16::from_be_bytes(*version) < 0 {
            return None;
        }
        Some(match i16::from_be_bytes(*rest.first_chunk::<2>()?) {
            0 => Self::Abort,
            1 => Self::Commit,
            other => Self::Other(other),
        })
    }

    /// The key that says this, in version 0.
    #[must_use]
    pub fn key(self) -> [u8; 4] {
        let kind = match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::Other(kind) => kind,
        };
        let [high, low] = kind.to_be_bytes();
        [0, 0, high, low]
    }

    /// The value of a transaction marker, in version 0: `version i16, coordinator epoch i32`.
    #[must_use]
    pub fn marker_value(coordinator_epoch: i32) -> [u8; 6] {
        let [a, b, c, d] = coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }

    /// The coordinator epoch in a transaction marker's value.
    #[must_use]
    pub fn coordinator_epoch(value: &[u8]) -> Option<i32> {
        value.get(2..6)?.first_chunk::<4>().map(|epoch| i32::from_be_bytes(*epoch))
    }
}
