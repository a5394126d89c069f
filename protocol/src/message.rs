//! What every message can do: say what it is, decode, encode.

use crate::schema::MessageSchema;
use crate::wire::{At, Struct};
use crate::{DecodeError, EncodeError, Reader, Writer};

/// A whole message, derived from its declaration.
pub trait Message<'a>: Struct<'a> {
    /// The API key; of a record, its type.
    const API_KEY: Option<i16>;
    const NAME: &'static str;
    /// First and last version, both inclusive.
    const VERSIONS: (i16, i16);
    /// The first flexible version; `i16::MAX` if there is none.
    const FLEXIBLE_FROM: i16;
    const SCHEMA: &'static MessageSchema;

    /// Reads a message. Bytes after it are left in the reader.
    ///
    /// Invariants: allocates nothing. Every array in the result has been read once to its end, so iterating cannot fail.
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        if version < Self::VERSIONS.0 || version > Self::VERSIONS.1 {
            return Err(DecodeError::UnsupportedVersion { version });
        }
        Self::read_struct(reader, At::new(version, Self::FLEXIBLE_FROM))
    }

    /// Appends the message. After an error the writer holds a part of it.
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if version < Self::VERSIONS.0 || version > Self::VERSIONS.1 {
            return Err(EncodeError::UnsupportedVersion { version });
        }
        self.write_struct(writer, At::new(version, Self::FLEXIBLE_FROM))
    }
}
