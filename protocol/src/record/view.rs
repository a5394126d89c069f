//! One stored batch as a view over its bytes, and the walk over a run of them.
//!
//! Decides when bytes are one batch. What clients may produce is stricter and judged in `validate`.

use std::ops::Deref;

use super::codec::{self, CodecError, DecompressLimit};
use super::crc::batch_crc;
use super::header::{BATCH_HEADER_BYTES, BatchHeader, Compression, LEADING_BYTES};
use super::records::{RecordError, Records};

/// Why bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end before the batch does. `need` is known to the byte once 12 are there.
    Cut { have: usize, need: usize },
    /// `batch_length` is too small for a header, or negative.
    InvalidLength(i32),
    /// Not format 2.
    UnsupportedMagic(i8),
    /// Base offset, last offset delta and records count contradict each other.
    InvalidOffsets,
}

impl std::fmt::Display for BatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cut { have, need } => write!(f, "batch of at least {need} bytes is cut at {have}"),
            Self::InvalidLength(length) => write!(f, "batch length {length} is below that of a header"),
            Self::UnsupportedMagic(magic) => write!(f, "magic {magic} is not supported"),
            Self::InvalidOffsets => {
                f.write_str("offsets and record count of the batch contradict each other")
            }
        }
    }
}

impl std::error::Error for BatchError {}

/// One whole batch. Derefs to its `BatchHeader`, which has the getters.
///
/// Invariants: magic is 2; the bytes are exactly this batch; `0 <= base_offset <= last_offset < i64::MAX`;
///             `0 <= records_count <= last_offset - base_offset + 1`. The CRC is not checked until asked.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    header: &'a BatchHeader,
    bytes: &'a [u8],
}

impl Deref for BatchView<'_> {
    type Target = BatchHeader;

    fn deref(&self) -> &BatchHeader {
        self.header
    }
}

impl<'a> BatchView<'a> {
    /// The first batch of `bytes`. Bytes after it are not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let have = bytes.len();
        let length = bytes
            .get(8..LEADING_BYTES)
            .and_then(<[u8]>::first_chunk::<4>)
            .map(|length| i32::from_be_bytes(*length))
            .ok_or(BatchError::Cut { have, need: BATCH_HEADER_BYTES })?;
        let need = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(LEADING_BYTES))
            .filter(|&need| need >= BATCH_HEADER_BYTES)
            .ok_or(BatchError::InvalidLength(length))?;
        if let Some(&magic) = bytes.get(16)
            && magic != 2
        {
            return Err(BatchError::UnsupportedMagic(magic as i8));
        }
        let bytes = bytes.get(..need).ok_or(BatchError::Cut { have, need })?;
        let header = BatchHeader::at_front_of(bytes).ok_or(BatchError::Cut { have, need })?;
        if !offsets_are_consistent(header) {
            return Err(BatchError::InvalidOffsets);
        }
        Ok(Self { header, bytes })
    }

    /// All bytes of the batch, as stored and fetched.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[must_use]
    pub fn header(&self) -> &'a BatchHeader {
        self.header
    }

    /// Bytes of the whole batch, including the 12 that `batch_length` does not count.
    #[must_use]
    pub fn length_bytes(&self) -> usize {
        self.bytes.len()
    }

    #[must_use]
    pub fn crc_is_valid(&self) -> bool {
        batch_crc(self.bytes) == self.header.crc()
    }

    /// The records as they lie in the bytes: still compressed if the batch is.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(BATCH_HEADER_BYTES..).unwrap_or_default()
    }

    /// The records of an uncompressed batch; of a compressed one, a single error.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        match self.header.compression() {
            Ok(Compression::None) => Records::new(self.header, self.payload()),
            _ => Records::unreadable(self.header, RecordError::Compressed),
        }
    }

    /// The records of any batch. Compressed ones are inflated into `scratch`, whose old content is dropped; uncompressed
    /// ones are borrowed from the batch.
    ///
    /// Errors: an unknown codec, bytes that are not of that codec, more than `limit` bytes of output.
    pub fn decompress<'s>(
        &self,
        limit: DecompressLimit,
        scratch: &'s mut Vec<u8>,
    ) -> Result<Records<'s>, CodecError>
    where
        'a: 's,
    {
        match self.header.compression().map_err(CodecError::Unknown)? {
            Compression::None => Ok(self.records()),
            // What compaction leaves of a batch whose records are all gone.
            _ if self.payload().is_empty() => Ok(Records::new(self.header, &[])),
            codec => {
                codec::decompress(codec, self.payload(), limit, scratch)?;
                Ok(Records::new(self.header, scratch))
            }
        }
    }
}

fn offsets_are_consistent(header: &BatchHeader) -> bool {
    let delta = i64::from(header.last_offset_delta());
    let count = i64::from(header.records_count());
    header.base_offset() >= 0
        && delta >= 0
        && header.base_offset() < i64::MAX - delta
        && (0..=delta + 1).contains(&count)
}

/// Iterates over batches that lie one after the other; ends after the first error.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    position: usize,
}

/// The batches of `bytes`, such as a fetched range or a part of a segment. A last batch that is cut is an error of its
/// own (`BatchError::Cut`), because fetches may end in the middle of one.
#[must_use]
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes, position: 0 }
}

impl Batches<'_> {
    /// Bytes of the whole batches handed out so far; after an error, where the bad one begins.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = BatchView::parse(self.rest);
        match batch {
            Ok(view) => {
                self.position += view.length_bytes();
                self.rest = self.rest.get(view.length_bytes()..).unwrap_or_default();
            }
            Err(_) => self.rest = &[],
        }
        Some(batch)
    }
}
