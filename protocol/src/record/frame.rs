//! Looks at the frame around compressed records without inflating them.
//!
//! Decides whether bytes can be what a codec wrote, from block headers alone: cheap enough for every produced batch. What it
//! accepts may still fail to inflate, which then only the readers of that batch notice.

use super::codec::{XERIAL_HEADER_BYTES, XERIAL_MAGIC};
use super::header::Compression;

/// Elements of a snappy block that are looked at. Bytes of another kind break a rule within the first few.
const SNAPPY_ELEMENTS_MAX: usize = 64;
const ZSTD_BLOCK_BYTES_MAX: usize = 128 * 1024;

/// Can `payload` be what `codec` wrote?
pub(super) fn is_plausible(codec: Compression, payload: &[u8]) -> bool {
    match codec {
        Compression::None => true,
        Compression::Gzip => gzip_is_plausible(payload),
        Compression::Snappy => snappy_is_plausible(payload),
        Compression::Lz4 => lz4_is_plausible(payload).is_some(),
        Compression::Zstd => zstd_output_max(payload).is_some_and(|bytes| bytes > 0),
    }
}

/// Magic, method 8, no reserved flag, room for header and trailer; and a known type of first block where that can be seen.
fn gzip_is_plausible(payload: &[u8]) -> bool {
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, first, ..] = *payload else { return false };
    let block_type_is_known = flags != 0 || (first >> 1) & 3 != 3;
    payload.len() >= 20 && flags & 0xe0 == 0 && block_type_is_known
}

fn snappy_is_plausible(payload: &[u8]) -> bool {
    if !payload.starts_with(&XERIAL_MAGIC) {
        return snappy_block_is_plausible(payload);
    }
    let Some(mut rest) = payload.get(XERIAL_HEADER_BYTES..) else { return false };
    let Some(first) = take_xerial_block(&mut rest) else { return false };
    if !snappy_block_is_plausible(first) {
        return false;
    }
    while !rest.is_empty() {
        if take_xerial_block(&mut rest).is_none() {
            return false;
        }
    }
    true
}

/// Takes one block, a big-endian length and as many bytes, off the front.
pub(super) fn take_xerial_block<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (block, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(block)
}

/// Follows the first elements: no copy reaches behind the start, no literal beyond the end, no more output than announced.
fn snappy_block_is_plausible(block: &[u8]) -> bool {
    let Some((announced, mut rest)) = snappy_announced(block) else { return false };
    let mut produced = 0u64;
    for _ in 0..SNAPPY_ELEMENTS_MAX {
        if rest.is_empty() {
            return announced > 0 && produced == announced;
        }
        let Some(length) = take_snappy_element(&mut rest, produced) else { return false };
        produced += length;
        if produced > announced {
            return false;
        }
    }
    true
}

/// The announced length of the output, and the elements.
fn snappy_announced(block: &[u8]) -> Option<(u64, &[u8])> {
    let mut announced = 0u64;
    for (index, &byte) in block.iter().take(5).enumerate() {
        announced |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((announced, block.get(index + 1..)?)).filter(|_| announced <= u64::from(u32::MAX));
        }
    }
    None
}

/// Takes one literal or copy off the front; how many bytes it adds to the `produced` ones.
fn take_snappy_element(rest: &mut &[u8], produced: u64) -> Option<u64> {
    let (&tag, after) = rest.split_first()?;
    let little_endian =
        |bytes: &[u8]| bytes.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
    let upper = u64::from(tag >> 2);
    let extra_bytes = match tag & 3 {
        0 if upper < 60 => 0,
        0 => (upper - 59) as usize,
        1 => 1,
        2 => 2,
        _ => 4,
    };
    let (extra, after) = after.split_at_checked(extra_bytes)?;
    let extra = little_endian(extra);
    if tag & 3 == 0 {
        let length = if upper < 60 { upper + 1 } else { extra + 1 };
        *rest = after.get(usize::try_from(length).ok()?..)?;
        return Some(length);
    }
    *rest = after;
    let (length, offset) =
        if tag & 3 == 1 { (4 + (upper & 7), (upper >> 3) << 8 | extra) } else { (upper + 1, extra) };
    (1..=produced).contains(&offset).then_some(length)
}

/// A frame of version 1 with independent blocks (the only kind Java clients read) whose blocks end with an end mark.
fn lz4_is_plausible(payload: &[u8]) -> Option<()> {
    let rest = payload.strip_prefix(&[0x04, 0x22, 0x4d, 0x18])?;
    let (&[flags, descriptor], rest) = rest.split_first_chunk::<2>()?;
    let independent_version_1 = flags & 0b1110_0000 == 0b0110_0000;
    let no_reserved_bits = flags & 2 == 0 && descriptor & 0x8f == 0;
    let block_bytes_max = match descriptor >> 4 {
        size @ 4..=7 => 1usize << (8 + 2 * size),
        _ => return None,
    };
    if !independent_version_1 || !no_reserved_bits {
        return None;
    }
    let content_size = if flags & 8 == 0 { 0 } else { 8 };
    let dictionary = if flags & 1 == 0 { 0 } else { 4 };
    let block_checksum = if flags & 16 == 0 { 0 } else { 4 };
    let mut rest = rest.get(content_size + dictionary + 1..)?;
    let mut blocks = 0usize;
    loop {
        let (size, after) = rest.split_first_chunk::<4>()?;
        let size = (u32::from_le_bytes(*size) & 0x7fff_ffff) as usize;
        if size == 0 {
            return (blocks > 0).then_some(());
        }
        if size > block_bytes_max {
            return None;
        }
        rest = after.get(size + block_checksum..)?;
        blocks += 1;
    }
}

/// The most bytes these Zstandard frames can inflate to, by their block headers; `None` if they are not whole.
///
/// Source: RFC 8878, sections 3.1.1 and 3.1.2.
pub(super) fn zstd_output_max(payload: &[u8]) -> Option<usize> {
    let mut rest = payload;
    let mut total = 0usize;
    while !rest.is_empty() {
        let (magic, after) = rest.split_first_chunk::<4>()?;
        let magic = u32::from_le_bytes(*magic);
        if magic & 0xffff_fff0 == 0x184d_2a50 {
            let (length, after) = after.split_first_chunk::<4>()?;
            rest = after.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)?;
        } else if magic == 0xfd2f_b528 {
            rest = after;
            total = total.checked_add(take_zstd_frame(&mut rest)?)?;
        } else {
            return None;
        }
    }
    Some(total)
}

/// Takes the rest of a frame, after its magic, off the front; the most bytes it can inflate to.
fn take_zstd_frame(rest: &mut &[u8]) -> Option<usize> {
    let (&descriptor, after) = rest.split_first()?;
    if descriptor & 8 != 0 {
        return None;
    }
    let single_segment = descriptor & 0x20 != 0;
    let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content_size_bytes = match descriptor >> 6 {
        0 => usize::from(single_segment),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let mut blocks = after.get(usize::from(!single_segment) + dictionary_bytes + content_size_bytes..)?;
    let mut total = 0usize;
    loop {
        let (&[low, middle, high], after) = blocks.split_first_chunk::<3>()?;
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let size = (header >> 3) as usize;
        if size > ZSTD_BLOCK_BYTES_MAX {
            return None;
        }
        let (stored, inflated) = match (header >> 1) & 3 {
            0 => (size, size),
            1 => (1, size),
            2 => (size, ZSTD_BLOCK_BYTES_MAX),
            _ => return None,
        };
        total = total.checked_add(inflated)?;
        blocks = after.get(stored..)?;
        if header & 1 == 1 {
            break;
        }
    }
    *rest = blocks.get(if descriptor & 4 == 0 { 0 } else { 4 }..)?;
    Some(total)
}
