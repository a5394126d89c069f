//! Seeded random messages as bytes, made from the schemas alone: what the codec should say, without the codec.
//!
//! The bytes are canonical (a tagged field with its default value is left out), so decoding and encoding them
//! must give the same bytes again.
#![allow(dead_code)]

use protocol::schema::{DefaultValue, FieldKind, FieldSchema, MessageSchema};

/// A small seeded generator (xorshift*), so that a failure names its seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Makes messages of one version.
pub struct Generator<'r> {
    random: &'r mut Random,
    version: i16,
    /// Give each struct unknown tagged fields too: valid, but lost when encoded again.
    unknown_tags: bool,
}

pub fn message(schema: &MessageSchema, version: i16, random: &mut Random) -> Vec<u8> {
    generate(schema, version, random, false)
}

pub fn message_with_unknown_tags(schema: &MessageSchema, version: i16, random: &mut Random) -> Vec<u8> {
    generate(schema, version, random, true)
}

fn generate(schema: &MessageSchema, version: i16, random: &mut Random, unknown_tags: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let flexible = version >= schema.flexible_from;
    Generator { random, version, unknown_tags }.fields(schema.fields, flexible, 0, &mut bytes);
    bytes
}

impl Generator<'_> {
    fn fields(&mut self, fields: &[FieldSchema], flexible: bool, depth: usize, out: &mut Vec<u8>) {
        let version = self.version;
        let present = || fields.iter().filter(move |field| field.versions.contains(version));
        for field in present().filter(|field| field.tag.is_none()) {
            self.value(field, flexible && field.flexible, depth, out);
        }
        if !flexible {
            return;
        }
        let mut tagged: Vec<(u32, Vec<u8>)> = Vec::new();
        for field in present() {
            let Some(tag) = field.tag else { continue };
            let mut value = Vec::new();
            self.value(field, flexible, depth, &mut value);
            let mut default = Vec::new();
            default_value(field, version, flexible, &mut default);
            if value != default && self.random.one_in(2) {
                tagged.push((tag, value));
            }
        }
        if self.unknown_tags {
            tagged.push((900, vec![7; self.random.below(4) as usize]));
        }
        tagged.sort();
        varint(tagged.len() as u32, out);
        for (tag, value) in tagged {
            varint(tag, out);
            varint(value.len() as u32, out);
            out.extend(value);
        }
    }

    fn value(&mut self, field: &FieldSchema, flexible: bool, depth: usize, out: &mut Vec<u8>) {
        let nullable = field.nullable.contains(self.version);
        if nullable && self.random.one_in(3) {
            return null(&field.kind, flexible, out);
        }
        if nullable && matches!(field.kind, FieldKind::Struct(_)) {
            out.push(1);
        }
        self.kind(&field.kind, flexible, depth, out);
    }

    fn kind(&mut self, kind: &FieldKind, flexible: bool, depth: usize, out: &mut Vec<u8>) {
        let number = self.random.next().to_be_bytes();
        match kind {
            FieldKind::Bool => out.push(number[0] & 1),
            FieldKind::Int8 => out.push(number[0]),
            FieldKind::Int16 | FieldKind::Uint16 => out.extend(&number[..2]),
            FieldKind::Int32 | FieldKind::Uint32 => out.extend(&number[..4]),
            FieldKind::Int64 => out.extend(&number),
            FieldKind::Float64 => out.extend((self.random.below(1000) as f64 / 8.0).to_be_bytes()),
            FieldKind::Uuid => out.extend([number, number].concat()),
            FieldKind::String => {
                let text = ["", "a", "topic-1", "Zürich", "kafka.\u{1f600}", &"x".repeat(140)];
                let text = text[self.random.below(6) as usize];
                length(text.len(), true, flexible, out);
                out.extend(text.as_bytes());
            }
            FieldKind::Bytes | FieldKind::Records => {
                let count = [0, 1, 9, 200][self.random.below(4) as usize];
                length(count, false, flexible, out);
                out.extend((0..count).map(|_| self.random.next() as u8));
            }
            FieldKind::Array(element) => {
                let count = self.random.below(if depth < 2 { 4 } else { 3 }) as usize;
                length(count, false, flexible, out);
                for _ in 0..count {
                    self.kind(element, flexible, depth + 1, out);
                }
            }
            FieldKind::Struct(schema) => self.fields(schema.fields, flexible, depth + 1, out),
        }
    }
}

fn default_value(field: &FieldSchema, version: i16, flexible: bool, out: &mut Vec<u8>) {
    if matches!(field.default, DefaultValue::Null) {
        return null(&field.kind, flexible, out);
    }
    let number = match field.default {
        DefaultValue::Int(number) => number.to_be_bytes(),
        _ => [0; 8],
    };
    match &field.kind {
        FieldKind::Bool => out.push(u8::from(matches!(field.default, DefaultValue::True))),
        FieldKind::Int8 => out.extend(&number[7..]),
        FieldKind::Int16 | FieldKind::Uint16 => out.extend(&number[6..]),
        FieldKind::Int32 | FieldKind::Uint32 => out.extend(&number[4..]),
        FieldKind::Int64 | FieldKind::Float64 => out.extend(&number),
        FieldKind::Uuid => out.extend([0; 16]),
        FieldKind::String => length(0, true, flexible, out),
        FieldKind::Bytes | FieldKind::Records | FieldKind::Array(_) => length(0, false, flexible, out),
        FieldKind::Struct(schema) => {
            let untagged = schema.fields.iter().filter(|field| field.tag.is_none());
            for field in untagged.filter(|field| field.versions.contains(version)) {
                default_value(field, version, flexible, out);
            }
            if flexible {
                out.push(0);
            }
        }
    }
}

fn null(kind: &FieldKind, flexible: bool, out: &mut Vec<u8>) {
    match kind {
        FieldKind::Struct(_) => out.push(0xff),
        _ if flexible => out.push(0),
        FieldKind::String => out.extend([0xff; 2]),
        _ => out.extend([0xff; 4]),
    }
}

fn length(length: usize, short: bool, flexible: bool, out: &mut Vec<u8>) {
    if flexible {
        varint(length as u32 + 1, out);
    } else if short {
        out.extend((length as u16).to_be_bytes());
    } else {
        out.extend((length as u32).to_be_bytes());
    }
}

pub fn varint(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Decodes with our codec, to the last byte, and encodes what came out.
pub type Recode = fn(&[u8], i16) -> Result<Vec<u8>, String>;

macro_rules! recoders {
    ($($module:ident::$message:ident),* $(,)?) => {
        /// Schema and codec of every message.
        pub const MESSAGES: &[(&MessageSchema, Recode)] = &[$((
            <protocol::messages::$module::$message as protocol::Message>::SCHEMA,
            |bytes, version| {
                use protocol::Message;
                let mut reader = protocol::Reader::new(bytes);
                let message = protocol::messages::$module::$message::decode(&mut reader, version)
                    .map_err(|error| format!("decode: {error}"))?;
                if reader.remaining() > 0 {
                    return Err(format!("{} bytes left over", reader.remaining()));
                }
                let mut writer = protocol::Writer::new();
                message.encode(&mut writer, version).map_err(|error| format!("encode: {error}"))?;
                Ok(concat(writer.finish()))
            },
        )),*];
    };
}

protocol::for_each_message!(recoders);

/// The bytes of a frame without file pieces.
pub fn concat(pieces: Vec<protocol::Piece>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            protocol::Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
            protocol::Piece::File(range) => panic!("unexpected {range:?}"),
        }
    }
    bytes
}
