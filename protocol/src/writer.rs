//! Builds an encoded frame: one growing buffer, with gaps where record pieces go.
//!
//! Pieces are never copied. They are remembered with the buffer position they belong at, and the buffer is cut
//! there (by reference count, not by copy) when the frame is finished.

use bytes::{BufMut, BytesMut};

use crate::{EncodeError, Piece};

/// Where a tagged field's value began; closed by [`Writer::end_tag`].
pub struct OpenTag {
    start: usize,
}

/// Collects the bytes and pieces of one frame.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    /// Pieces with the buffer position before which they go, in order.
    inserted: Vec<(usize, Piece)>,
    inserted_length: u64,
}

impl Writer {
    pub fn new() -> Self {
        Self::with_capacity(256)
    }

    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(capacity), ..Self::default() }
    }

    /// The frame's length so far, pieces included.
    pub fn length(&self) -> u64 {
        self.buffer.len() as u64 + self.inserted_length
    }

    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    /// Appends a piece by reference.
    pub fn put_piece(&mut self, piece: Piece) {
        self.inserted_length += piece.len();
        self.inserted.push((self.buffer.len(), piece));
    }

    pub fn put_unsigned_varint(&mut self, value: u32) {
        let (bytes, length) = unsigned_varint(value);
        self.put(&bytes[..length]);
    }

    /// Writes how many tagged fields follow.
    pub fn tag_count(&mut self, count: u32) {
        self.put_unsigned_varint(count);
    }

    /// Opens a tagged field. Its value must hold no record pieces, which no Kafka message asks for.
    pub fn begin_tag(&mut self, tag: u32) -> OpenTag {
        self.put_unsigned_varint(tag);
        OpenTag { start: self.buffer.len() }
    }

    /// Closes a tagged field: puts its size, known only now, before its value.
    pub fn end_tag(&mut self, tag: OpenTag) {
        let size = self.buffer.len() - tag.start;
        let (bytes, length) = unsigned_varint(u32::try_from(size).unwrap_or(u32::MAX));
        self.put(&bytes[..length]);
        self.buffer[tag.start..].rotate_right(length);
    }

    /// Puts the frame's length, without its own four bytes, at the start, where four bytes were left for it.
    pub(crate) fn set_frame_length(&mut self) -> Result<(), EncodeError> {
        let length = self.length() - 4;
        let prefix = i32::try_from(length).map_err(|_| EncodeError::FrameTooLarge { length })?;
        self.buffer[..4].copy_from_slice(&prefix.to_be_bytes());
        Ok(())
    }

    /// The frame, ready to be sent piece by piece; no piece is empty.
    pub fn finish(self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(2 * self.inserted.len() + 1);
        let mut rest = self.buffer.freeze();
        let mut cut = 0;
        for (position, piece) in self.inserted {
            if position > cut {
                pieces.push(Piece::Bytes(rest.split_to(position - cut)));
                cut = position;
            }
            if piece.len() > 0 {
                pieces.push(piece);
            }
        }
        if !rest.is_empty() {
            pieces.push(Piece::Bytes(rest));
        }
        pieces
    }
}

fn unsigned_varint(mut value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut length = 0;
    while value >= 0x80 {
        bytes[length] = (value as u8 & 0x7f) | 0x80;
        value >>= 7;
        length += 1;
    }
    bytes[length] = value as u8;
    (bytes, length + 1)
}
