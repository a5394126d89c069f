//! Kafka's wire protocol: messages, frames, error codes and record batches.
//!
//! Decoding borrows from the received frame, is bounded by the bytes that are there, allocates nothing, and cannot
//! panic. Nothing here knows sockets, files or clocks. How the codec works: `docs/PROTOCOL.md`.
#![forbid(unsafe_code)]

extern crate self as protocol;

pub mod api_key;
mod array;
mod error;
pub mod error_code;
pub mod frame;
mod message;
pub mod messages;
mod reader;
pub mod record;
mod records;
pub mod schema;
mod uuid;
pub mod wire;
mod writer;

pub use api_key::ApiKey;
pub use array::Array;
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use message::Message;
pub use protocol_derive::{Message, Struct};
pub use reader::Reader;
pub use records::{FileRange, Piece, Records};
pub use uuid::{ParseUuidError, Uuid};
pub use writer::Writer;

/// The most elements an array may claim, whatever the frame's size.
///
/// Source: Kafka 4.4 refuses the same number.
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;

/// The most tagged fields one struct may carry.
///
/// Source: Kafka 4.4 refuses the same number.
pub const TAGS_MAX: usize = 10_000;

/// The longest string in bytes, in the compact encoding too.
pub const STRING_BYTES_MAX: usize = i16::MAX as usize;
