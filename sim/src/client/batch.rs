//! Record batches as the simulated clients write and read them: an encoding of its own, so that the broker's is judged.
//!
//! A record's key is its number, unique in the world; its value follows from that number, so any record that is read
//! can be checked byte for byte. In a compacted topic keys repeat: there the number stands in a header.

use bytes::{BufMut, Bytes, BytesMut};
use protocol::record::crc32c;

pub const HEADER_BYTES: usize = 61;
const LENGTH_AT: usize = 8;
const EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
/// Their count, an empty name, a number.
const HEADERS_BYTES: usize = 1 + 1 + 1 + 8;

/// A record's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u64);

/// Who wrote a batch, and where it stands in the writer's sequence. (-1, -1, -1): nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Writer {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
}

impl Writer {
    pub const NOBODY: Writer = Writer { producer_id: -1, producer_epoch: -1, base_sequence: -1 };
}

fn put_varint(into: &mut BytesMut, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        into.put_u8((zigzag as u8 & 0x7f) | 0x80);
        zigzag >>= 7;
    }
    into.put_u8(zigzag as u8);
}

fn take_varint(from: &mut &[u8]) -> Option<i64> {
    let mut zigzag = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        zigzag |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
        }
    }
    None
}

fn varint_bytes(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (70 - (zigzag | 1).leading_zeros() as usize) / 7
}

fn value_word(id: RecordId, index: u64) -> u64 {
    (id.0 ^ index.rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn put_value(into: &mut BytesMut, id: RecordId, length: u32) {
    let words = u64::from(length) / 8;
    for index in 0..words {
        into.put_u64_le(value_word(id, index));
    }
    let rest = value_word(id, words).to_le_bytes();
    into.put_slice(&rest[..(length % 8) as usize]);
}

/// Is this the value of record `id`?
#[must_use]
pub fn is_value_of(id: RecordId, value: &[u8]) -> bool {
    let words = value.chunks_exact(8);
    let rest = words.remainder();
    let count = words.len() as u64;
    let whole = words.enumerate().all(|(index, word)| word == value_word(id, index as u64).to_le_bytes());
    whole && rest == &value_word(id, count).to_le_bytes()[..rest.len()]
}

/// The key of a record in a compacted topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    pub key: u64,
    pub is_tombstone: bool,
}

/// One batch, uncompressed: `records` are (number, value length); `keys`: one for each of them, or none at all.
#[must_use]
pub fn encode(records: &[(RecordId, u32)], keys: &[Keyed], writer: Writer, timestamp: i64) -> Bytes {
    let bytes: usize = records.iter().map(|(_, length)| *length as usize + 60).sum();
    let mut batch = BytesMut::with_capacity(HEADER_BYTES + bytes);
    batch.put_i64(0);
    batch.put_i32(0);
    batch.put_i32(-1);
    batch.put_u8(2);
    batch.put_u32(0);
    batch.put_i16(0);
    batch.put_i32(records.len() as i32 - 1);
    batch.put_i64(timestamp);
    batch.put_i64(timestamp);
    batch.put_i64(writer.producer_id);
    batch.put_i16(writer.producer_epoch);
    batch.put_i32(writer.base_sequence);
    batch.put_i32(records.len() as i32);
    for (delta, (id, length)) in records.iter().enumerate() {
        let keyed = keys.get(delta).copied();
        let delta = delta as i64;
        let value = if keyed.is_some_and(|keyed| keyed.is_tombstone) { None } else { Some(*length) };
        let value_bytes = value.map_or(1, |length| varint_bytes(i64::from(length)) + length as usize);
        let headers_bytes = if keyed.is_some() { HEADERS_BYTES } else { 1 };
        let body = 1 + 1 + varint_bytes(delta) + 1 + 8 + value_bytes + headers_bytes;
        put_varint(&mut batch, body as i64);
        batch.put_u8(0);
        put_varint(&mut batch, 0);
        put_varint(&mut batch, delta);
        put_varint(&mut batch, 8);
        batch.put_u64(keyed.map_or(id.0, |keyed| keyed.key));
        match value {
            None => put_varint(&mut batch, -1),
            Some(length) => {
                put_varint(&mut batch, i64::from(length));
                put_value(&mut batch, *id, length);
            }
        }
        put_varint(&mut batch, i64::from(keyed.is_some()));
        if keyed.is_some() {
            put_varint(&mut batch, 0);
            put_varint(&mut batch, 8);
            batch.put_u64(id.0);
        }
    }
    let length = batch.len() - EPOCH_AT;
    batch[LENGTH_AT..EPOCH_AT].copy_from_slice(&(length as i32).to_be_bytes());
    let crc = crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}

/// A batch that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub writer: Writer,
    pub count: i32,
    pub last_offset_delta: i32,
    pub max_timestamp: i64,
    pub records: Vec<ReadRecord<'a>>,
}

impl Batch<'_> {
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }
}

/// A record that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadRecord<'a> {
    pub delta: i32,
    pub id: RecordId,
    /// In a compacted topic.
    pub key: Option<u64>,
    pub value: Option<&'a [u8]>,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("within the header")
}

/// The first batch of `bytes` and what follows it. None: the rest is less than a batch, as Kafka may cut it.
pub fn decode(bytes: &[u8]) -> Result<Option<(Batch<'_>, &[u8])>, String> {
    if bytes.len() < EPOCH_AT {
        return Ok(None);
    }
    let length = i32::from_be_bytes(number(bytes, LENGTH_AT));
    let end = usize::try_from(length).map_err(|_| format!("batch length {length}"))? + EPOCH_AT;
    if end < HEADER_BYTES {
        return Err(format!("batch length {length}"));
    }
    if bytes.len() < end {
        return Ok(None);
    }
    let (batch, rest) = bytes.split_at(end);
    let base_offset = i64::from_be_bytes(number(batch, 0));
    if batch[MAGIC_AT] != 2 {
        return Err(format!("magic {} at offset {base_offset}", batch[MAGIC_AT]));
    }
    if crc32c(&batch[ATTRIBUTES_AT..]) != u32::from_be_bytes(number(batch, CRC_AT)) {
        return Err(format!("CRC of the batch at offset {base_offset}"));
    }
    let writer = Writer {
        producer_id: i64::from_be_bytes(number(batch, 43)),
        producer_epoch: i16::from_be_bytes(number(batch, 51)),
        base_sequence: i32::from_be_bytes(number(batch, 53)),
    };
    let count = i32::from_be_bytes(number(batch, 57));
    let records = decode_records(&batch[HEADER_BYTES..], count)
        .ok_or_else(|| format!("records of the batch at offset {base_offset}"))?;
    let leader_epoch = i32::from_be_bytes(number(batch, EPOCH_AT));
    let max_timestamp = i64::from_be_bytes(number(batch, 35));
    let last_offset_delta = i32::from_be_bytes(number(batch, 23));
    Ok(Some((
        Batch { base_offset, leader_epoch, writer, count, last_offset_delta, max_timestamp, records },
        rest,
    )))
}

fn decode_records(mut bytes: &[u8], count: i32) -> Option<Vec<ReadRecord<'_>>> {
    let mut records: Vec<ReadRecord<'_>> = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
        let mut record = bytes.get(..length)?;
        bytes = &bytes[length..];
        record = record.get(1..)?;
        take_varint(&mut record)?;
        let delta = i32::try_from(take_varint(&mut record)?).ok()?;
        let follows = records.last().is_none_or(|last| last.delta < delta);
        if !follows || take_varint(&mut record)? != 8 {
            return None;
        }
        let key = take_number(&mut record)?;
        let value = match usize::try_from(take_varint(&mut record)?) {
            Ok(length) => Some(record.split_off(..length)?),
            Err(_) => None,
        };
        let (id, key) = match take_varint(&mut record)? {
            0 => (key, None),
            _ => {
                record = record.get(2..)?;
                (take_number(&mut record)?, Some(key))
            }
        };
        records.push(ReadRecord { delta, id: RecordId(id), key, value });
    }
    bytes.is_empty().then_some(records)
}

fn take_number(from: &mut &[u8]) -> Option<u64> {
    let (number, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let records = [(RecordId(7), 0), (RecordId(8), 13), (RecordId(1 << 40), 70_000)];
        let writer = Writer { producer_id: 5, producer_epoch: 1, base_sequence: 9 };
        let bytes = encode(&records, &[], writer, 1_000);
        let (batch, rest) = decode(&bytes).expect("valid").expect("whole");
        assert!(rest.is_empty());
        assert_eq!((batch.writer, batch.count), (writer, 3));
        for ((id, length), read) in records.iter().zip(&batch.records) {
            let value = read.value.expect("it has one");
            assert_eq!((*id, *length as usize), (read.id, value.len()));
            assert!(is_value_of(*id, value));
        }
        let key = |key, is_tombstone| Keyed { key, is_tombstone };
        let bytes = encode(&records, &[key(1, false), key(2, true), key(1, false)], writer, 1_000);
        let (batch, _) = decode(&bytes).expect("valid").expect("whole");
        let read: Vec<_> = batch.records.iter().map(|one| (one.id, one.key, one.value.is_none())).collect();
        assert_eq!(read[1], (RecordId(8), Some(2), true));
        assert_eq!(read[2], (RecordId(1 << 40), Some(1), false));
        assert_eq!(decode(&bytes[..bytes.len() - 1]), Ok(None));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut bytes = encode(&[(RecordId(7), 40)], &[], Writer::NOBODY, 0).to_vec();
        bytes[100] ^= 1;
        assert!(decode(&bytes).is_err());
        assert!(!is_value_of(RecordId(7), &[0; 16]));
    }
}
