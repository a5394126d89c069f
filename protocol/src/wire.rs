//! How each type of Kafka's looks on the wire.
//!
//! One `Wire` implementation per type, for old and flexible versions; derived structs implement `Struct`. Limits on
//! lengths live here and in `array.rs`; which fields a version has is decided by the derived code.

use crate::schema::{FieldKind, FieldSchema, StructSchema};
use crate::{DecodeError, EncodeError, Reader, Records, STRING_BYTES_MAX, Uuid, Writer};

/// The version being read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    version: i16,
    flexible: bool,
}

impl At {
    pub fn new(version: i16, flexible_from: i16) -> Self {
        Self { version, flexible: version >= flexible_from }
    }

    pub fn version(self) -> i16 {
        self.version
    }

    /// Compact lengths and tagged fields?
    pub fn is_flexible(self) -> bool {
        self.flexible
    }

    /// The same version in the old encoding.
    pub fn inflexible(self) -> Self {
        Self { flexible: false, ..self }
    }

    #[inline]
    pub fn is_from(self, first: i16) -> bool {
        self.version >= first
    }

    #[inline]
    pub fn is_in(self, first: i16, last: i16) -> bool {
        first <= self.version && self.version <= last
    }
}

/// A derived struct: a message or a part of one.
pub trait Struct<'a>: Sized {
    const NAME: &'static str;
    const FIELDS: &'static [FieldSchema];

    fn read_struct(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError>;
    fn write_struct(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError>;
    /// Has every field its default?
    fn is_default(&self) -> bool;
}

/// A type of field.
pub trait Wire<'a>: Sized {
    const KIND: FieldKind;
    /// The size, if every value has the same and any bytes of that size are valid.
    const FIXED_BYTES: Option<usize> = None;

    /// Reads a value that cannot be null.
    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError>;
    /// Is this the default of its type?
    fn is_zero(&self) -> bool;

    /// Reads a value that may be null.
    fn read_nullable(reader: &mut Reader<'a>, at: At) -> Result<Option<Self>, DecodeError>;
    /// Writes a value where null is possible.
    fn write_some(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        self.write(writer, at)
    }
    fn write_null(writer: &mut Writer, at: At);
}

/// Reads an `Option` field in a version where null may or may not be allowed.
pub fn read_option<'a, T: Wire<'a>>(
    reader: &mut Reader<'a>,
    at: At,
    nullable: bool,
) -> Result<Option<T>, DecodeError> {
    if nullable { T::read_nullable(reader, at) } else { T::read(reader, at).map(Some) }
}

/// Writes an `Option` field in a version where null may or may not be allowed.
pub fn write_option<'a, T: Wire<'a>>(
    value: &Option<T>,
    writer: &mut Writer,
    at: At,
    nullable: bool,
    field: &'static str,
) -> Result<(), EncodeError> {
    match value {
        Some(value) if nullable => value.write_some(writer, at),
        Some(value) => value.write(writer, at),
        None if nullable => {
            T::write_null(writer, at);
            Ok(())
        }
        None => Err(EncodeError::NullNotAllowed { field, version: at.version }),
    }
}

/// A null where none can be: of a type that Kafka never makes nullable.
fn never_null<T>(reader: &mut Reader<'_>) -> Result<Option<T>, DecodeError> {
    Err(DecodeError::UnexpectedNull { position: reader.at() })
}

macro_rules! numbers {
    ($($number:ty, $kind:ident);* $(;)?) => {$(
        impl<'a> Wire<'a> for $number {
            const KIND: FieldKind = FieldKind::$kind;
            const FIXED_BYTES: Option<usize> = Some(size_of::<$number>());

            #[inline]
            fn read(reader: &mut Reader<'a>, _at: At) -> Result<Self, DecodeError> {
                reader.take_array().map(<$number>::from_be_bytes)
            }
            #[inline]
            fn write(&self, writer: &mut Writer, _at: At) -> Result<(), EncodeError> {
                writer.put(&self.to_be_bytes());
                Ok(())
            }
            fn is_zero(&self) -> bool {
                *self == <$number>::default()
            }
            fn read_nullable(reader: &mut Reader<'a>, _at: At) -> Result<Option<Self>, DecodeError> {
                never_null(reader)
            }
            fn write_null(_writer: &mut Writer, _at: At) {}
        }
    )*};
}

numbers! {
    i8, Int8;
    i16, Int16;
    u16, Uint16;
    i32, Int32;
    u32, Uint32;
    i64, Int64;
    f64, Float64;
}

impl<'a> Wire<'a> for bool {
    const KIND: FieldKind = FieldKind::Bool;
    const FIXED_BYTES: Option<usize> = Some(1);

    fn read(reader: &mut Reader<'a>, _at: At) -> Result<Self, DecodeError> {
        reader.take_array::<1>().map(|[byte]| byte != 0)
    }
    fn write(&self, writer: &mut Writer, _at: At) -> Result<(), EncodeError> {
        writer.put(&[u8::from(*self)]);
        Ok(())
    }
    fn is_zero(&self) -> bool {
        !self
    }
    fn read_nullable(reader: &mut Reader<'a>, _at: At) -> Result<Option<Self>, DecodeError> {
        never_null(reader)
    }
    fn write_null(_writer: &mut Writer, _at: At) {}
}

impl<'a> Wire<'a> for Uuid {
    const KIND: FieldKind = FieldKind::Uuid;
    const FIXED_BYTES: Option<usize> = Some(16);

    fn read(reader: &mut Reader<'a>, _at: At) -> Result<Self, DecodeError> {
        reader.take_array().map(Uuid)
    }
    fn write(&self, writer: &mut Writer, _at: At) -> Result<(), EncodeError> {
        writer.put(&self.0);
        Ok(())
    }
    fn is_zero(&self) -> bool {
        *self == Uuid::ZERO
    }
    fn read_nullable(reader: &mut Reader<'a>, _at: At) -> Result<Option<Self>, DecodeError> {
        never_null(reader)
    }
    fn write_null(_writer: &mut Writer, _at: At) {}
}

/// Reads a length or count; `None` is null. Old encoding: a signed number of four bytes, or two if `short`.
pub(crate) fn read_length(reader: &mut Reader<'_>, at: At, short: bool) -> Result<Option<u32>, DecodeError> {
    let position = reader.at();
    let length = if at.flexible {
        // Compact: one more than the length, zero is null.
        return Ok(reader.unsigned_varint()?.checked_sub(1));
    } else if short {
        i32::from(i16::from_be_bytes(reader.take_array()?))
    } else {
        i32::from_be_bytes(reader.take_array()?)
    };
    match length {
        -1 => Ok(None),
        length => match u32::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(DecodeError::InvalidLength { position, length }),
        },
    }
}

/// Writes a length or count that its caller has found to fit.
pub(crate) fn write_length(writer: &mut Writer, at: At, short: bool, length: u32) {
    if at.flexible {
        writer.put_unsigned_varint(length + 1);
    } else if short {
        writer.put(&(length as u16).to_be_bytes());
    } else {
        writer.put(&length.to_be_bytes());
    }
}

pub(crate) fn write_null_length(writer: &mut Writer, at: At, short: bool) {
    match (at.flexible, short) {
        (true, _) => writer.put(&[0]),
        (false, true) => writer.put(&(-1i16).to_be_bytes()),
        (false, false) => writer.put(&(-1i32).to_be_bytes()),
    }
}

/// Reads a value that cannot be null by a reader of one that can.
pub(crate) fn not_null<'a, T: Wire<'a>>(reader: &mut Reader<'a>, at: At) -> Result<T, DecodeError> {
    let position = reader.at();
    T::read_nullable(reader, at)?.ok_or(DecodeError::UnexpectedNull { position })
}

impl<'a> Wire<'a> for &'a str {
    const KIND: FieldKind = FieldKind::String;

    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        not_null(reader, at)
    }
    fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        if self.len() > STRING_BYTES_MAX {
            return Err(EncodeError::StringTooLong { length: self.len() });
        }
        write_length(writer, at, true, self.len() as u32);
        writer.put(self.as_bytes());
        Ok(())
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn read_nullable(reader: &mut Reader<'a>, at: At) -> Result<Option<Self>, DecodeError> {
        let position = reader.at();
        let Some(length) = read_length(reader, at, true)? else { return Ok(None) };
        if length as usize > STRING_BYTES_MAX {
            return Err(DecodeError::StringTooLong { position, length });
        }
        let bytes = reader.take(length as usize)?;
        str::from_utf8(bytes).map(Some).map_err(|_| DecodeError::InvalidUtf8 { position })
    }
    fn write_null(writer: &mut Writer, at: At) {
        write_null_length(writer, at, true);
    }
}

/// Refuses a length that the four-byte encoding cannot say.
fn bytes_length(length: u64) -> Result<u32, EncodeError> {
    i32::try_from(length)
        .map(|length| length as u32)
        .map_err(|_| EncodeError::BytesTooLong { length: usize::try_from(length).unwrap_or(usize::MAX) })
}

impl<'a> Wire<'a> for &'a [u8] {
    const KIND: FieldKind = FieldKind::Bytes;

    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        not_null(reader, at)
    }
    fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        write_length(writer, at, false, bytes_length(self.len() as u64)?);
        writer.put(self);
        Ok(())
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn read_nullable(reader: &mut Reader<'a>, at: At) -> Result<Option<Self>, DecodeError> {
        match read_length(reader, at, false)? {
            Some(length) => reader.take(length as usize).map(Some),
            None => Ok(None),
        }
    }
    fn write_null(writer: &mut Writer, at: At) {
        write_null_length(writer, at, false);
    }
}

impl<'a> Wire<'a> for Records<'a> {
    const KIND: FieldKind = FieldKind::Records;

    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        not_null(reader, at)
    }
    fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        write_length(writer, at, false, bytes_length(self.len())?);
        match self {
            Self::Wire(bytes) => writer.put(bytes),
            Self::Pieces(pieces) => pieces.iter().for_each(|piece| writer.put_piece(piece.clone())),
        }
        Ok(())
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn read_nullable(reader: &mut Reader<'a>, at: At) -> Result<Option<Self>, DecodeError> {
        Ok(<&[u8]>::read_nullable(reader, at)?.map(Records::Wire))
    }
    fn write_null(writer: &mut Writer, at: At) {
        write_null_length(writer, at, false);
    }
}

impl<'a, T: Struct<'a>> Wire<'a> for T {
    const KIND: FieldKind = FieldKind::Struct(&StructSchema { name: T::NAME, fields: T::FIELDS });

    fn read(reader: &mut Reader<'a>, at: At) -> Result<Self, DecodeError> {
        T::read_struct(reader, at)
    }
    fn write(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        self.write_struct(writer, at)
    }
    fn is_zero(&self) -> bool {
        self.is_default()
    }
    fn read_nullable(reader: &mut Reader<'a>, at: At) -> Result<Option<Self>, DecodeError> {
        // A nullable struct is preceded by one byte in every version: negative is null.
        if i8::read(reader, at)? < 0 { Ok(None) } else { T::read_struct(reader, at).map(Some) }
    }
    fn write_some(&self, writer: &mut Writer, at: At) -> Result<(), EncodeError> {
        writer.put(&[1]);
        self.write_struct(writer, at)
    }
    fn write_null(writer: &mut Writer, _at: At) {
        writer.put(&(-1i8).to_be_bytes());
    }
}
