//! A message's schema as data, made from its declaration.
//!
//! The codec itself runs on generated code; this is for those who look at messages from outside: tests, the
//! schema check, the tables in the documents.

/// The schema of one message.
#[derive(Debug)]
pub struct MessageSchema {
    pub name: &'static str,
    pub kind: MessageKind,
    /// The API key or the record type.
    pub key: Option<i16>,
    pub first_version: i16,
    pub last_version: i16,
    /// `i16::MAX` if no version is flexible.
    pub flexible_from: i16,
    pub fields: &'static [FieldSchema],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    Request,
    Response,
    Header,
    /// A record of the cluster metadata log.
    Metadata,
    /// The key of a coordinator's record, and its value.
    CoordinatorKey,
    CoordinatorValue,
    Data,
}

/// The schema of one field.
#[derive(Debug)]
pub struct FieldSchema {
    /// Kafka's name in snake case.
    pub name: &'static str,
    pub kind: FieldKind,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub default: DefaultValue,
    /// A value set in a version that lacks the field may be dropped.
    pub ignorable: bool,
    /// False for a field that keeps the old encoding in flexible versions.
    pub flexible: bool,
}

/// A closed range of versions; `first > last` is no version at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    pub fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    Zero,
    Null,
    True,
    Int(i64),
}

/// A field's type.
#[derive(Debug)]
pub enum FieldKind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Array(&'static FieldKind),
    Struct(&'static StructSchema),
}

/// A struct inside a message.
#[derive(Debug)]
pub struct StructSchema {
    /// Kafka's name of the struct.
    pub name: &'static str,
    pub fields: &'static [FieldSchema],
}

impl FieldKind {
    /// The fewest bytes a value of this type takes.
    pub(crate) fn bytes_min(&self, version: i16, flexible: bool) -> usize {
        let length = |old| if flexible { 1 } else { old };
        match self {
            Self::Bool | Self::Int8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 => 4,
            Self::Int64 | Self::Float64 => 8,
            Self::Uuid => 16,
            Self::String => length(2),
            Self::Bytes | Self::Records | Self::Array(_) => length(4),
            Self::Struct(schema) => {
                let fields = schema.fields.iter().filter(|field| field.tag.is_none());
                let present = fields.filter(|field| field.versions.contains(version));
                let bytes: usize = present.map(|field| field.bytes_min(version, flexible)).sum();
                bytes + usize::from(flexible)
            }
        }
    }
}

impl FieldSchema {
    fn bytes_min(&self, version: i16, flexible: bool) -> usize {
        match self.kind {
            // A null struct is one byte.
            FieldKind::Struct(_) if self.nullable.contains(version) => 1,
            _ => self.kind.bytes_min(version, flexible && self.flexible),
        }
    }
}
