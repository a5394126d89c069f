//! The `log-start` file of a partition: where its log begins. Bytes in, bytes out; docs/FORMATS.md, 2.2.

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::Offset;

const MAGIC: &[u8; 8] = b"PSSTART1";
const VERSION: u32 = 1;
const BYTES: usize = 24;

/// Why bytes are no log start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStartFault {
    Length(usize),
    Magic,
    Crc,
    Version(u32),
    Offset(i64),
}

#[must_use]
pub fn encode_log_start(log_start: Offset) -> Bytes {
    let mut bytes = BytesMut::with_capacity(BYTES);
    bytes.put_slice(MAGIC);
    bytes.put_u32_le(VERSION);
    bytes.put_u32_le(crc(VERSION, log_start.0));
    bytes.put_i64_le(log_start.0);
    bytes.freeze()
}

/// Errors: anything but what `encode_log_start` made. The file is replaced as a whole, so no crash explains it.
pub fn decode_log_start(bytes: &[u8]) -> Result<Offset, LogStartFault> {
    let Ok(&[m0, m1, m2, m3, m4, m5, m6, m7, v0, v1, v2, v3, c0, c1, c2, c3, ref offset @ ..]) =
        <&[u8; BYTES]>::try_from(bytes)
    else {
        return Err(LogStartFault::Length(bytes.len()));
    };
    if [m0, m1, m2, m3, m4, m5, m6, m7] != *MAGIC {
        return Err(LogStartFault::Magic);
    }
    let (version, offset) = (u32::from_le_bytes([v0, v1, v2, v3]), i64::from_le_bytes(*offset));
    if u32::from_le_bytes([c0, c1, c2, c3]) != crc(version, offset) {
        return Err(LogStartFault::Crc);
    }
    if version != VERSION {
        return Err(LogStartFault::Version(version));
    }
    if offset < 0 {
        return Err(LogStartFault::Offset(offset));
    }
    Ok(Offset(offset))
}

fn crc(version: u32, offset: i64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(MAGIC);
    hasher.update(&version.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_start_comes_back_and_no_damage_to_it_does() {
        for offset in [0, 1, 77, i64::MAX] {
            let bytes = encode_log_start(Offset(offset));
            assert_eq!(decode_log_start(&bytes), Ok(Offset(offset)));
            for at in 0..bytes.len() {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 0x10;
                assert!(decode_log_start(&damaged).is_err(), "byte {at}");
                assert_eq!(decode_log_start(&bytes[..at]), Err(LogStartFault::Length(at)));
            }
        }
    }
}
