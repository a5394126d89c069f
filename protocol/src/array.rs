//! Arrays: decoded lazily, or built from values.
//!
//! A decoded array keeps the slice it was read from. Every element is read once when the array is, so that iterating
//! later cannot fail; nothing is allocated for elements, whatever count the bytes claim.

use std::fmt;

use crate::schema::FieldKind;
use crate::wire::{At, Wire, not_null, read_length, write_length, write_null_length};
use crate::{ARRAY_ELEMENTS_MAX, DecodeError, EncodeError, Reader, Writer};

/// A sequence of `T`: a checked part of a received frame, a borrowed slice, or values of its own.
#[derive(Clone)]
pub struct Array<'a, T> {
    elements: Elements<'a, T>,
}

#[derive(Clone)]
enum Elements<'a, T> {
    /// `count` elements in the encoding of `at`, checked to be valid and to fill `bytes`.
    Wire {
        bytes: &'a [u8],
        count: u32,
        at: At,
    },
    Slice(&'a [T]),
    Owned(Vec<T>),
}

impl<'a, T> Array<'a, T> {
    pub const fn empty() -> Self {
        Self { elements: Elements::Slice(&[]) }
    }

    pub fn len(&self) -> usize {
        match &self.elements {
            Elements::Wire { count, .. } => *count as usize,
            Elements::Slice(slice) => slice.len(),
            Elements::Owned(vec) => vec.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Wire<'a> + Clone> Array<'a, T> {
    /// The elements by value: read from the frame, or cloned.
    pub fn iter(&self) -> Iter<'_, 'a, T> {
        Iter(match &self.elements {
            Elements::Wire { bytes, count, at } => {
                Source::Wire { reader: Reader::new(bytes), left: *count, at: *at }
            }
            Elements::Slice(slice) => Source::Slice(slice.iter()),
            Elements::Owned(vec) => Source::Slice(vec.iter()),
        })
    }
}

/// The iterator of an [`Array`].
pub struct Iter<'s, 'a, T>(Source<'s, 'a, T>);

enum Source<'s, 'a, T> {
    Wire { reader: Reader<'a>, left: u32, at: At },
    Slice(std::slice::Iter<'s, T>),
}

impl<'a, T: Wire<'a> + Clone> Iterator for Iter<'_, 'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Source::Wire { reader, left, at } => {
                *left = left.checked_sub(1)?;
                Some(T::read(reader, *at).expect("the same bytes were read when the array was decoded"))
            }
            Source::Slice(slice) => slice.next().cloned(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Source::Wire { left, .. } => *left as usize,
            Source::Slice(slice) => slice.len(),
        };
        (left, Some(left))
    }
}

impl<'a, T: Wire<'a> + Clone> ExactSizeIterator for Iter<'_, 'a, T> {}

impl<'s, 'a, T: Wire<'a> + Clone> IntoIterator for &'s Array<'a, T> {
    type Item = T;
    type IntoIter = Iter<'s, 'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How many of `count` elements `remaining` bytes could hold, at most.
fn elements_max<'a, T: Wire<'a>>(remaining: usize, count: u32, at: At) -> usize {
    let bytes_min = match T::FIXED_BYTES {
        Some(bytes) => bytes,
        // Not worth working out the size of a few elements: reading them finds the end.
        None if count < 16 => 1,
        None => T::KIND.bytes_min(at.version(), at.is_flexible()).max(1),
    };
    (remaining / bytes_min).min(ARRAY_ELEMENTS_MAX)
}

impl<'a, T: Wire<'a>> Wire<'a> for Array<'a, T> {
    const KIND: FieldKind = FieldKind::Array(&T::KIND);

    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        not_null(reader, at)
    }

    fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        if self.len() > ARRAY_ELEMENTS_MAX {
            return Err(EncodeError::ArrayTooLong { count: self.len() });
        }
        write_length(writer, at, false, self.len() as u32);
        match &self.elements {
            Elements::Wire { bytes, count, at: from } => {
                let mut reader = Reader::new(bytes);
                for _ in 0..*count {
                    let element = T::read(&mut reader, *from);
                    element
                        .expect("the same bytes were read when the array was decoded")
                        .write(writer, at)?;
                }
                Ok(())
            }
            Elements::Slice(slice) => slice.iter().try_for_each(|element| element.write(writer, at)),
            Elements::Owned(vec) => vec.iter().try_for_each(|element| element.write(writer, at)),
        }
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn read_nullable(reader: &mut Reader<'a>, at: At) -> Result<Option<Self>, DecodeError> {
        let position = reader.at();
        let Some(count) = read_length(reader, at, false)? else { return Ok(None) };
        if count as usize > elements_max::<T>(reader.remaining(), count, at) {
            return Err(DecodeError::ArrayTooLong { position, count });
        }
        let start = reader.position();
        if let Some(bytes) = T::FIXED_BYTES {
            reader.take(bytes * count as usize)?;
        } else {
            for _ in 0..count {
                T::read(reader, at)?;
            }
        }
        Ok(Some(Self { elements: Elements::Wire { bytes: reader.since(start), count, at } }))
    }

    fn write_null(writer: &mut Writer, at: At) {
        write_null_length(writer, at, false);
    }
}

impl<T> Default for Array<'_, T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T> From<Vec<T>> for Array<'_, T> {
    fn from(vec: Vec<T>) -> Self {
        Self { elements: Elements::Owned(vec) }
    }
}

impl<'a, T> From<&'a [T]> for Array<'a, T> {
    fn from(slice: &'a [T]) -> Self {
        Self { elements: Elements::Slice(slice) }
    }
}

impl<T> FromIterator<T> for Array<'_, T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Vec::from_iter(elements).into()
    }
}

impl<'a, T: Wire<'a> + Clone + PartialEq> PartialEq for Array<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other)
    }
}

impl<'a, T: Wire<'a> + Clone + fmt::Debug> fmt::Debug for Array<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

#[cfg(test)]
mod tests;
