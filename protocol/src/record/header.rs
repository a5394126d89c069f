//! The 61 bytes in front of every batch: their layout and what their fields mean. Checks nothing.

use zerocopy::byteorder::big_endian::{I16, I32, I64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a batch before its first record.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Bytes that `batch_length` does not count: base offset and the length itself.
pub const LEADING_BYTES: usize = 12;
/// Where the CRC is, and where the bytes that it covers begin.
pub(super) const CRC_AT: usize = 17;
pub(super) const CRC_START: usize = 21;

/// "No timestamp" in a record or header.
pub(super) const NO_TIMESTAMP: i64 = -1;

pub(super) const CODEC_MASK: i16 = 0x07;
pub(super) const LOG_APPEND_TIME_BIT: i16 = 0x08;
pub(super) const TRANSACTIONAL_BIT: i16 = 0x10;
pub(super) const CONTROL_BIT: i16 = 0x20;
pub(super) const DELETE_HORIZON_BIT: i16 = 0x40;

/// The header of one record batch, exactly as it lies in its bytes. Kafka's names; big-endian; no alignment.
///
/// Shape:  see the module's page.
/// Invariants: none by itself: it may come from hostile bytes. `BatchView::parse` is what makes it trustworthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BatchHeader {
    pub(super) base_offset: I64,
    pub(super) batch_length: I32,
    pub(super) partition_leader_epoch: I32,
    pub(super) magic: i8,
    pub(super) crc: U32,
    pub(super) attributes: I16,
    pub(super) last_offset_delta: I32,
    pub(super) base_timestamp: I64,
    pub(super) max_timestamp: I64,
    pub(super) producer_id: I64,
    pub(super) producer_epoch: I16,
    pub(super) base_sequence: I32,
    pub(super) records_count: I32,
}

const _: () = assert!(size_of::<BatchHeader>() == BATCH_HEADER_BYTES);
const _: () = assert!(std::mem::offset_of!(BatchHeader, crc) == CRC_AT);
const _: () = assert!(std::mem::offset_of!(BatchHeader, attributes) == CRC_START);

/// How the records of a batch are compressed: attribute bits 0-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Compression {
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl Compression {
    /// The codec of these attribute bits, or the number that no codec has.
    pub const fn from_attributes(attributes: i16) -> Result<Self, u8> {
        match (attributes & CODEC_MASK) as u8 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            unknown => Err(unknown),
        }
    }

    /// Kafka's name, as in the topic config `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Whose clock a batch's timestamps come from: attribute bit 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

impl BatchHeader {
    /// The header at the front of `bytes`; `None` if there are fewer than 61.
    #[must_use]
    pub fn at_front_of(bytes: &[u8]) -> Option<&Self> {
        Self::ref_from_prefix(bytes).ok().map(|(header, _)| header)
    }

    pub(super) fn at_front_of_mut(bytes: &mut [u8]) -> Option<&mut Self> {
        Self::mut_from_prefix(bytes).ok().map(|(header, _)| header)
    }

    #[must_use]
    pub fn base_offset(&self) -> i64 {
        self.base_offset.get()
    }

    /// Offset of the last record this batch was made with. Compaction may have removed that record, never this offset.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset().wrapping_add(i64::from(self.last_offset_delta()))
    }

    /// The offset after this batch.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// `batch_length` as it stands in the header: the bytes after the first 12.
    #[must_use]
    pub fn batch_length(&self) -> i32 {
        self.batch_length.get()
    }

    #[must_use]
    pub fn partition_leader_epoch(&self) -> i32 {
        self.partition_leader_epoch.get()
    }

    #[must_use]
    pub fn magic(&self) -> i8 {
        self.magic
    }

    #[must_use]
    pub fn crc(&self) -> u32 {
        self.crc.get()
    }

    #[must_use]
    pub fn attributes(&self) -> i16 {
        self.attributes.get()
    }

    #[must_use]
    pub fn last_offset_delta(&self) -> i32 {
        self.last_offset_delta.get()
    }

    /// What the records' timestamp deltas count from; with a delete horizon, the horizon.
    #[must_use]
    pub fn base_timestamp(&self) -> i64 {
        self.base_timestamp.get()
    }

    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp.get()
    }

    #[must_use]
    pub fn producer_id(&self) -> i64 {
        self.producer_id.get()
    }

    #[must_use]
    pub fn producer_epoch(&self) -> i16 {
        self.producer_epoch.get()
    }

    #[must_use]
    pub fn base_sequence(&self) -> i32 {
        self.base_sequence.get()
    }

    /// Sequence of the last record: sequences wrap from `i32::MAX` to 0. -1 if the batch has none.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence(), self.last_offset_delta())
    }

    /// Records in the batch; 0 in one that compaction keeps only for its producer's state.
    #[must_use]
    pub fn records_count(&self) -> i32 {
        self.records_count.get()
    }

    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id() > -1
    }

    /// The codec, or the number that names none.
    pub fn compression(&self) -> Result<Compression, u8> {
        Compression::from_attributes(self.attributes())
    }

    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL_BIT != 0
    }

    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL_BIT != 0
    }

    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes() & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// When compaction may drop the tombstones and markers of this batch, once it has been cleaned (KIP-534).
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes() & DELETE_HORIZON_BIT != 0).then(|| self.base_timestamp())
    }
}

/// `sequence` moved on by `increment`, wrapping from `i32::MAX` to 0; -1 (none) stays -1.
pub(super) fn sequence_after(sequence: i32, increment: i32) -> i32 {
    if sequence < 0 {
        return sequence;
    }
    let next = i64::from(sequence) + i64::from(increment);
    // Both are below 2^31, so one subtraction brings the sum back.
    let wrapped = if next > i64::from(i32::MAX) { next - (1 << 31) } else { next };
    i32::try_from(wrapped).unwrap_or(sequence)
}
