//! A cursor over received bytes: fixed-width numbers, varints, slices, tags.
//!
//! Every read is bounds-checked; lengths that come from the wire are compared with the bytes that remain before
//! anything is done with them. What the bytes mean is decided by the `Wire` implementations.

use crate::{DecodeError, TAGS_MAX};

/// Reads a message from a slice and hands out parts of it.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The number of bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The number of bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Takes the next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let remaining = self.remaining();
        if length > remaining {
            let needed = u32::try_from(length - remaining).unwrap_or(u32::MAX);
            return Err(DecodeError::Truncated { position: self.at(), needed });
        }
        let start = self.position;
        self.position += length;
        Ok(&self.bytes[start..self.position])
    }

    /// Takes a fixed number of bytes, for numbers.
    #[inline]
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.bytes[self.position..].first_chunk::<N>() {
            Some(chunk) => {
                self.position += N;
                Ok(*chunk)
            }
            None => {
                let needed = N - self.remaining();
                Err(DecodeError::Truncated { position: self.at(), needed: needed as u32 })
            }
        }
    }

    /// Reads an unsigned varint of at most 32 bits.
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let position = self.at();
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array::<1>()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintTooLong { position })
    }

    /// Reads how many tagged fields follow.
    pub fn tag_count(&mut self) -> Result<u32, DecodeError> {
        let position = self.at();
        let count = self.unsigned_varint()?;
        // A tagged field takes two bytes at least: its tag and its size.
        if count as usize > TAGS_MAX || count as usize > self.remaining() / 2 {
            return Err(DecodeError::TooManyTags { position, count });
        }
        Ok(count)
    }

    /// Reads one tagged field: its tag and a reader that ends where its value does.
    pub fn tag(&mut self) -> Result<(u32, Reader<'a>), DecodeError> {
        let tag = self.unsigned_varint()?;
        let size = self.unsigned_varint()? as usize;
        let start = self.position;
        self.take(size)?;
        Ok((tag, Reader { bytes: &self.bytes[..self.position], position: start }))
    }

    /// Checks that a tagged field's value filled its size.
    pub fn finish_tag(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            remaining => {
                Err(DecodeError::TagNotConsumed { position: self.at(), remaining: remaining as u32 })
            }
        }
    }

    /// Skips a struct's tagged fields when none is known.
    pub fn skip_tags(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.tag_count()? {
            self.tag()?;
        }
        Ok(())
    }

    /// The bytes read since `start`, a former `position()`.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.position]
    }

    /// The position as errors carry it.
    pub(crate) fn at(&self) -> u32 {
        u32::try_from(self.position).unwrap_or(u32::MAX)
    }
}
