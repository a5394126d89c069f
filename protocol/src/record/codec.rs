//! Compressing and inflating the records of a batch, always up to a stated number of bytes.
//!
//! Knows the framings Kafka clients use: gzip members, snappy raw or in xerial blocks, LZ4 frames, Zstandard frames.

use std::cell::RefCell;
use std::io::{Read, Write};

use super::frame;
use super::header::Compression;

/// The first bytes of snappy in xerial blocks (what Java clients write), then two versions, both 1.
pub(super) const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
pub(super) const XERIAL_HEADER_BYTES: usize = 16;
/// Input bytes of one xerial block, as Java clients cut them.
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;
/// No snappy stream grows by more: its densest element turns 3 bytes into 64.
const SNAPPY_GROWTH_MAX: usize = 24;

/// The most bytes that one batch may inflate to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecompressLimit(pub usize);

/// Why the records of a batch could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The attribute bits name no codec.
    Unknown(u8),
    /// The bytes are not what the codec writes.
    Malformed(Compression),
    /// There would be more bytes than the limit allows.
    TooLarge(Compression),
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(bits) => write!(f, "no codec has the number {bits}"),
            Self::Malformed(codec) => write!(f, "the records are not valid {}", codec.name()),
            Self::TooLarge(codec) => {
                write!(f, "the {} records inflate to more than is allowed", codec.name())
            }
        }
    }
}

impl std::error::Error for CodecError {}

/// A codec with its level: what a batch is compressed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compressor {
    #[default]
    None,
    /// Level 1-9; anything else is the codec's own default, as in Kafka.
    Gzip(i32),
    Snappy,
    /// Kafka has levels 1-17 here; we write one speed, every client reads it.
    Lz4,
    /// Level -131072 to 22.
    Zstd(i32),
}

impl Compressor {
    /// This codec at Kafka's default level.
    #[must_use]
    pub const fn of(codec: Compression) -> Self {
        match codec {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip(-1),
            Compression::Snappy => Self::Snappy,
            Compression::Lz4 => Self::Lz4,
            Compression::Zstd => Self::Zstd(3),
        }
    }

    #[must_use]
    pub const fn codec(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            Self::Snappy => Compression::Snappy,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd(_) => Compression::Zstd,
        }
    }
}

/// Inflates `payload` into `out`, whose old content is dropped.
///
/// Invariants: `out` never holds more than `limit` bytes (+ 1 while finding out), whatever the payload claims.
pub(super) fn decompress(
    codec: Compression,
    payload: &[u8],
    limit: DecompressLimit,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    out.clear();
    // Some decoders take the end of the input for the end of the frame. No codec writes an empty frame as no bytes.
    if codec == Compression::Lz4 && !frame::is_plausible(codec, payload) || payload.is_empty() {
        return Err(CodecError::Malformed(codec));
    }
    match codec {
        Compression::None if payload.len() > limit.0 => Err(CodecError::TooLarge(codec)),
        Compression::None => {
            out.extend_from_slice(payload);
            Ok(())
        }
        Compression::Gzip => gunzip(payload, limit.0, out),
        Compression::Snappy => unsnappy(payload, limit.0, out),
        Compression::Lz4 => read_up_to(lz4_flex::frame::FrameDecoder::new(payload), codec, limit.0, out),
        Compression::Zstd => unzstd(payload, limit.0, out),
    }
}

/// Reads to the end, or to one byte past the limit.
fn read_up_to(
    reader: impl Read,
    codec: Compression,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let allowed = limit.saturating_sub(out.len());
    reader
        .take((allowed as u64).saturating_add(1))
        .read_to_end(out)
        .map_err(|_| CodecError::Malformed(codec))?;
    if out.len() > limit { Err(CodecError::TooLarge(codec)) } else { Ok(()) }
}

/// One or more gzip members; bytes after them that begin no member are ignored, as Java does.
fn gunzip(payload: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut rest = payload;
    loop {
        let mut member = flate2::bufread::GzDecoder::new(rest);
        read_up_to(&mut member, Compression::Gzip, limit, out)?;
        rest = member.into_inner();
        if !rest.starts_with(&[0x1f, 0x8b]) {
            return Ok(());
        }
    }
}

fn unsnappy(payload: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    if !payload.starts_with(&XERIAL_MAGIC) {
        return unsnappy_block(payload, limit, out);
    }
    let mut rest = payload.get(XERIAL_HEADER_BYTES..).ok_or(CodecError::Malformed(Compression::Snappy))?;
    while !rest.is_empty() {
        let block = frame::take_xerial_block(&mut rest).ok_or(CodecError::Malformed(Compression::Snappy))?;
        unsnappy_block(block, limit, out)?;
    }
    Ok(())
}

fn unsnappy_block(block: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let malformed = CodecError::Malformed(Compression::Snappy);
    let length = snap::raw::decompress_len(block).map_err(|_| malformed)?;
    if length > block.len().saturating_mul(SNAPPY_GROWTH_MAX) {
        return Err(malformed);
    }
    if length > limit.saturating_sub(out.len()) {
        return Err(CodecError::TooLarge(Compression::Snappy));
    }
    let start = out.len();
    out.resize(start + length, 0);
    let room = out.get_mut(start..).ok_or(malformed)?;
    match snap::raw::Decoder::new().decompress(block, room) {
        Ok(written) if written == length => Ok(()),
        _ => Err(malformed),
    }
}

thread_local! {
    /// Zstandard contexts cost more than a small batch to make, so each thread keeps one of each.
    static ZSTD_IN: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    static ZSTD_OUT: RefCell<Option<(i32, zstd::bulk::Compressor<'static>)>> = const { RefCell::new(None) };
}

/// In one call into room for the whole: so the claimed window, up to 128 MiB, is never allocated.
fn unzstd(payload: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let malformed = CodecError::Malformed(Compression::Zstd);
    let bound = frame::zstd_output_max(payload).ok_or(malformed)?;
    out.reserve_exact(bound.min(limit));
    // A reused buffer may have more room than the limit; what comes out is measured below, too.
    let result = ZSTD_IN.with_borrow_mut(|context| {
        if context.is_none() {
            *context = zstd::bulk::Decompressor::new().ok();
        }
        let context = context.as_mut().ok_or(malformed)?;
        let overflow = if bound > limit { CodecError::TooLarge(Compression::Zstd) } else { malformed };
        context.decompress_to_buffer(payload, out).map_err(|_| overflow)
    });
    match result {
        Ok(_) if out.len() > limit => {
            out.clear();
            Err(CodecError::TooLarge(Compression::Zstd))
        }
        Ok(_) => Ok(()),
        Err(error) => {
            out.clear();
            Err(error)
        }
    }
}

/// Appends `records`, compressed, to `out`.
pub(super) fn compress(compressor: Compressor, records: &[u8], out: &mut Vec<u8>) {
    match compressor {
        Compressor::None => out.extend_from_slice(records),
        Compressor::Gzip(level) => gzip(level, records, out),
        Compressor::Snappy => snappy(records, out),
        Compressor::Lz4 => lz4(records, out),
        Compressor::Zstd(level) => zstandard(level, records, out),
    }
}

fn gzip(level: i32, records: &[u8], out: &mut Vec<u8>) {
    let level = match level {
        1..=9 => flate2::Compression::new(level as u32),
        _ => flate2::Compression::default(),
    };
    let mut encoder = flate2::write::GzEncoder::new(out, level);
    encoder.write_all(records).expect("a Vec takes every write");
    encoder.finish().expect("a Vec takes every write");
}

fn snappy(records: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&XERIAL_MAGIC);
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in records.chunks(XERIAL_BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block).expect("32 KiB are below snappy's 4 GiB");
        out.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
        out.extend_from_slice(&compressed);
    }
}

/// Independent blocks of 64 KiB: Java clients refuse dependent ones.
fn lz4(records: &[u8], out: &mut Vec<u8>) {
    let info = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max64KB)
        .block_mode(lz4_flex::frame::BlockMode::Independent);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, out);
    encoder.write_all(records).expect("a Vec takes every write");
    encoder.finish().expect("a Vec takes every write");
}

fn zstandard(level: i32, records: &[u8], out: &mut Vec<u8>) {
    let compressed = ZSTD_OUT.with_borrow_mut(|context| {
        if !matches!(context, Some((made_for, _)) if *made_for == level) {
            *context = zstd::bulk::Compressor::new(level).ok().map(|made| (level, made));
        }
        let (_, compressor) = context.as_mut().expect("a context of some 100 KiB can be allocated");
        compressor.compress(records).expect("the buffer has the size that zstd asks for")
    });
    out.extend_from_slice(&compressed);
}
