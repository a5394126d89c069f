//! Zigzag variable-length integers of record bodies.

/// Takes one signed 32-bit varint off the front of `bytes`; `None` if it is cut or longer than five bytes.
#[inline]
pub(super) fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    // One and two bytes cover all fields of records below 8 KiB: worth their own straight paths.
    match **bytes {
        [first @ 0..0x80, ref rest @ ..] => {
            *bytes = rest;
            Some(unzigzag32(u32::from(first)))
        }
        [first, second @ 0..0x80, ref rest @ ..] => {
            *bytes = rest;
            Some(unzigzag32(u32::from(first & 0x7f) | u32::from(second) << 7))
        }
        _ => take_i32_long(bytes),
    }
}

fn take_i32_long(bytes: &mut &[u8]) -> Option<i32> {
    let mut value = 0u32;
    for (index, &byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *bytes = bytes.get(index + 1..)?;
            return Some(unzigzag32(value));
        }
    }
    None
}

/// Takes one signed 64-bit varint off the front of `bytes`; `None` if it is cut or longer than ten bytes.
#[inline]
pub(super) fn take_i64(bytes: &mut &[u8]) -> Option<i64> {
    match **bytes {
        [first @ 0..0x80, ref rest @ ..] => {
            *bytes = rest;
            Some(unzigzag64(u64::from(first)))
        }
        [first, second @ 0..0x80, ref rest @ ..] => {
            *bytes = rest;
            Some(unzigzag64(u64::from(first & 0x7f) | u64::from(second) << 7))
        }
        _ => take_i64_long(bytes),
    }
}

fn take_i64_long(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *bytes = bytes.get(index + 1..)?;
            return Some(unzigzag64(value));
        }
    }
    None
}

/// Appends `value` as a zigzag varint; the same bytes for a 32-bit and a 64-bit field.
pub(super) fn put(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag64(value);
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// How many bytes `put` writes for `value`.
pub(super) fn put_length(value: i64) -> usize {
    let bits = 64 - (zigzag64(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

const fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

const fn unzigzag32(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

const fn unzigzag64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
