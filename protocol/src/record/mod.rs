//! Record batches, format 2: reading, checking what clients produce, stamping, building.
//!
//! Decides: which bytes are one well-formed batch, which produced batches are refused and with which error, what the
//! broker corrects in a header. Decides nothing about offsets, sequences of a producer or where bytes are kept.
//! Formats 0 and 1 are never read and never written.
//!
//! ```text
//! at  0 base_offset i64            outside the CRC, the broker stamps it
//!     8 batch_length i32           bytes after this field
//!    12 partition_leader_epoch i32 outside the CRC, the broker stamps it
//!    16 magic i8 = 2
//!    17 crc u32                    CRC-32C of everything from `attributes` to the end
//!    21 attributes i16             0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
//!    23 last_offset_delta i32
//!    27 base_timestamp i64         with bit 6: the delete horizon
//!    35 max_timestamp i64
//!    43 producer_id i64
//!    51 producer_epoch i16
//!    53 base_sequence i32
//!    57 records_count i32
//!    61 records                    one after the other; compressed as one block if bits 0-2 say so
//! ```

mod builder;
mod codec;
mod crc;
mod frame;
mod header;
mod records;
mod rewrite;
mod stamp;
mod validate;
mod varint;
mod view;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_codec;
#[cfg(test)]
mod tests_rewrite;
#[cfg(test)]
mod tests_validate;

pub use builder::BatchBuilder;
pub use codec::{CodecError, Compressor, DecompressLimit};
pub use crc::crc32c;
pub use header::{BATCH_HEADER_BYTES, BatchHeader, Compression, LEADING_BYTES, TimestampType};
pub use records::{ControlRecord, Header, Headers, Record, RecordError, Records};
pub use rewrite::{OpenBatch, emptied};
pub use stamp::{stamp, stamp_log_append_time};
pub use validate::{
    Accepted, CompressedCheck, InvalidRecord, ProduceRules, Refusal, Refused, TopicCompression, Validated,
    validate_produced,
};
pub use view::{BatchError, BatchView, Batches, batches};
