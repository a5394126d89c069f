//! What can be wrong with bytes to decode and with values to encode.
//!
//! Both errors are small and `Copy`: refusing a hostile frame allocates nothing. Which Kafka error code or
//! which fate of the connection follows is the caller's decision.

use std::fmt;

/// Why bytes are not the message they claim to be. `position` counts from the start of the reader's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end before the value does.
    Truncated {
        position: u32,
        needed: u32,
    },
    /// A negative length where no null is allowed, or one below -1.
    InvalidLength {
        position: u32,
        length: i32,
    },
    /// A null where this version has none.
    UnexpectedNull {
        position: u32,
    },
    /// More elements than allowed, or than the bytes that remain could hold.
    ArrayTooLong {
        position: u32,
        count: u32,
    },
    StringTooLong {
        position: u32,
        length: u32,
    },
    InvalidUtf8 {
        position: u32,
    },
    VarintTooLong {
        position: u32,
    },
    TooManyTags {
        position: u32,
        count: u32,
    },
    /// A tagged field's value is shorter than its declared size.
    TagNotConsumed {
        position: u32,
        remaining: u32,
    },
    UnsupportedVersion {
        version: i16,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { position, needed } => write!(f, "{needed} more bytes needed at {position}"),
            Self::InvalidLength { position, length } => write!(f, "invalid length {length} at {position}"),
            Self::UnexpectedNull { position } => write!(f, "unexpected null at {position}"),
            Self::ArrayTooLong { position, count } => write!(f, "array of {count} elements at {position}"),
            Self::StringTooLong { position, length } => write!(f, "string of {length} bytes at {position}"),
            Self::InvalidUtf8 { position } => write!(f, "string at {position} is not UTF-8"),
            Self::VarintTooLong { position } => write!(f, "varint at {position} exceeds 32 bits"),
            Self::TooManyTags { position, count } => write!(f, "{count} tagged fields at {position}"),
            Self::TagNotConsumed { position, remaining } => {
                write!(f, "{remaining} bytes left over in the tagged field that ends after {position}")
            }
            Self::UnsupportedVersion { version } => write!(f, "unsupported version {version}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Why a value cannot be written in a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// A field that this version lacks is set, and its loss would change the meaning (Kafka: not ignorable).
    FieldNotInVersion {
        field: &'static str,
        version: i16,
    },
    /// `None` in a version where the field cannot be null.
    NullNotAllowed {
        field: &'static str,
        version: i16,
    },
    StringTooLong {
        length: usize,
    },
    BytesTooLong {
        length: usize,
    },
    ArrayTooLong {
        count: usize,
    },
    /// The frame exceeds what its four-byte length can say.
    FrameTooLarge {
        length: u64,
    },
    UnsupportedVersion {
        version: i16,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FieldNotInVersion { field, version } => write!(f, "version {version} has no field {field}"),
            Self::NullNotAllowed { field, version } => {
                write!(f, "{field} cannot be null in version {version}")
            }
            Self::StringTooLong { length } => write!(f, "string of {length} bytes"),
            Self::BytesTooLong { length } => write!(f, "byte field of {length} bytes"),
            Self::ArrayTooLong { count } => write!(f, "array of {count} elements"),
            Self::FrameTooLarge { length } => write!(f, "frame of {length} bytes"),
            Self::UnsupportedVersion { version } => write!(f, "unsupported version {version}"),
        }
    }
}

impl std::error::Error for EncodeError {}
