//! Record batches as the codec sees them: bytes it neither parses nor copies.
//!
//! A decoded field borrows the frame. A field to encode is a list of pieces, memory or file ranges, which pass
//! through the writer untouched, so a fetch response reaches the socket writer as what it was planned as.

use std::fmt;

use bytes::Bytes;

/// A range of a file, to be sent without passing through memory. `file` is opaque to the codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRange {
    pub file: u64,
    pub position: u64,
    pub length: u64,
}

/// A part of an encoded frame.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    Bytes(Bytes),
    File(FileRange),
}

impl Piece {
    /// The length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a length on the wire, not a collection")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.length,
        }
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::File(range) => range.fmt(f),
        }
    }
}

/// The value of a records field.
#[derive(Clone, PartialEq, Eq)]
pub enum Records<'a> {
    /// As received.
    Wire(&'a [u8]),
    /// As to be sent, in order.
    Pieces(Vec<Piece>),
}

impl Records<'_> {
    /// The length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Wire(bytes) => bytes.len() as u64,
            Self::Pieces(pieces) => pieces.iter().map(Piece::len).sum(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Records<'_> {
    fn default() -> Self {
        Self::Wire(&[])
    }
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(bytes) => write!(f, "Wire({})", bytes.len()),
            Self::Pieces(pieces) => f.debug_tuple("Pieces").field(pieces).finish(),
        }
    }
}
