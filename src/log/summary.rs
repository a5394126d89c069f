//! What is known of a sealed segment without reading it: the file beside it, `docs/FORMATS.md` section 2.1.
//!
//! Decides what is well-formed, and whether it speaks of the segment that it lies beside. Nothing in it is the only copy, so damage
//! is no error here: what does not check is as if it were not there, and is rebuilt from the segment.
//!
//! The index comes last: one short read of the front gives all that a start needs.

use bytes::{BufMut, Bytes, BytesMut};
use crc32fast::Hasher;

use crate::model::{Offset, SealedSegment, TopicPartition};

use super::snapshot::Snapshot;

const MAGIC: [u8; 8] = *b"PSSUMM01";
/// A summary of a newer one is refused: the binary that wrote it may rely on what this one would overwrite.
const VERSION: u32 = 2;
/// Of a segment that was never compacted: its header is shorter.
const VERSION_PLAIN: u32 = 1;
/// A section of a newer one is skipped, as if it were absent: it is rebuilt where it is needed.
const SECTION_VERSION: u32 = 1;

/// The longer header; reading so much gives either.
pub const SUMMARY_HEADER_BYTES: usize = 80;
const PLAIN_HEADER_BYTES: usize = 64;
const SECTION_HEADER_BYTES: usize = 16;

/// The front of it: enough for the header and, usually, the state of a log.
pub const SUMMARY_FRONT_BYTES: usize = 4096;

const INDEX: u32 = 1;
const LEADER_EPOCHS: u32 = 2;
const PRODUCERS: u32 = 3;

/// A summary, or the front of one. A section that is None is absent, damaged, of a newer version, or not wholly there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub segment: SealedSegment,
    /// Of the log, where the segment ends.
    pub snapshot: Option<Snapshot>,
    /// `OffsetIndex::decode` reads it.
    pub index: Option<Bytes>,
}

/// Why there is no summary in these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSummary {
    /// None was written, or it is damaged, or of another partition.
    Damaged,
    /// A newer binary wrote it.
    NewerVersion(u32),
}

/// Enough of the partition's name that the summary of another one, perhaps of as many bytes, is not taken for it.
fn owner(of: TopicPartition) -> [u8; 12] {
    let mut owner = [0; 12];
    owner[..4].copy_from_slice(&of.partition.0.to_le_bytes());
    owner[4..].copy_from_slice(&of.topic_id.0[..8]);
    owner
}

fn encode_header(of: TopicPartition, segment: &SealedSegment, sections: u32) -> Vec<u8> {
    let is_compacted = segment.clean_end > segment.base_offset;
    let (version, length) =
        if is_compacted { (VERSION, SUMMARY_HEADER_BYTES) } else { (VERSION_PLAIN, PLAIN_HEADER_BYTES) };
    let mut bytes = vec![0; length];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes[16..24].copy_from_slice(&segment.base_offset.0.to_le_bytes());
    bytes[24..32].copy_from_slice(&segment.next_offset.0.to_le_bytes());
    bytes[32..40].copy_from_slice(&segment.length.to_le_bytes());
    bytes[40..48].copy_from_slice(&segment.max_timestamp.to_le_bytes());
    bytes[48..52].copy_from_slice(&sections.to_le_bytes());
    bytes[52..64].copy_from_slice(&owner(of));
    if is_compacted {
        bytes[64..72].copy_from_slice(&segment.clean_end.0.to_le_bytes());
        let crc = crc32fast::hash(&bytes[64..76]);
        bytes[76..80].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = header_crc(&bytes[..PLAIN_HEADER_BYTES]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The header of these bytes, by its version. Its first part is the same in all of them, so that each binary knows a newer one.
fn header_of(bytes: &[u8]) -> Result<&[u8], NoSummary> {
    let plain = bytes.get(..PLAIN_HEADER_BYTES).ok_or(NoSummary::Damaged)?;
    if plain[0..8] != MAGIC || u32_at(plain, 12) != header_crc(plain) {
        return Err(NoSummary::Damaged);
    }
    match u32_at(plain, 8) {
        newer if newer > VERSION => Err(NoSummary::NewerVersion(newer)),
        VERSION => {
            let header = bytes.get(..SUMMARY_HEADER_BYTES);
            let is_whole = |header: &&[u8]| u32_at(header, 76) == crc32fast::hash(&header[64..76]);
            header.filter(is_whole).ok_or(NoSummary::Damaged)
        }
        _ => Ok(plain),
    }
}

/// The segment, and the number of sections.
fn decode_header(of: TopicPartition, bytes: &[u8]) -> Result<(SealedSegment, u32), NoSummary> {
    let base_offset = Offset(u64_at(bytes, 16).cast_signed());
    let is_compacted = bytes.len() == SUMMARY_HEADER_BYTES;
    let segment = SealedSegment {
        base_offset,
        next_offset: Offset(u64_at(bytes, 24).cast_signed()),
        length: u64_at(bytes, 32),
        max_timestamp: u64_at(bytes, 40).cast_signed(),
        clean_end: if is_compacted { Offset(u64_at(bytes, 64).cast_signed()) } else { base_offset },
    };
    let can_be = bytes[52..64] == owner(of)
        && segment.base_offset >= Offset::ZERO
        && segment.next_offset > segment.base_offset
        && (segment.base_offset..=segment.next_offset).contains(&segment.clean_end)
        && (1..=u64::from(u32::MAX)).contains(&segment.length);
    if can_be { Ok((segment, u32_at(bytes, 48))) } else { Err(NoSummary::Damaged) }
}

impl Summary {
    /// A summary without sections.
    #[must_use]
    pub fn new(segment: SealedSegment) -> Summary {
        Summary { segment, snapshot: None, index: None }
    }

    #[must_use]
    pub fn encode(&self, of: TopicPartition) -> Bytes {
        let epochs = self.snapshot.as_ref().map(|snapshot| &snapshot.epochs);
        let producers = self.snapshot.as_ref().map(|snapshot| &snapshot.producers);
        let sections = [(LEADER_EPOCHS, epochs), (PRODUCERS, producers), (INDEX, self.index.as_ref())];
        let sections = sections.into_iter().filter_map(|(kind, section)| Some((kind, section?)));
        let count = u32::try_from(sections.clone().count()).expect("there are few kinds");
        let length: usize = sections.clone().map(|(_, section)| SECTION_HEADER_BYTES + section.len()).sum();
        let mut bytes = BytesMut::with_capacity(SUMMARY_HEADER_BYTES + length);
        bytes.put_slice(&encode_header(of, &self.segment, count));
        for (kind, payload) in sections {
            put_section(&mut bytes, kind, payload);
        }
        bytes.freeze()
    }

    /// What the bytes hold; they may be only the front of a file.
    ///
    /// Errors: `NoSummary`, for what lies in the header. Damage behind it takes away the section it lies in and those behind it.
    pub fn decode(of: TopicPartition, bytes: &Bytes) -> Result<Summary, NoSummary> {
        let header = header_of(bytes)?;
        let (segment, count) = decode_header(of, header)?;
        let (mut epochs, mut producers, mut index) = (None, None, None);
        let mut at = header.len();
        for _ in 0..count {
            let Some(section) = take_section(bytes, &mut at) else { break };
            let place = match section.kind {
                LEADER_EPOCHS => &mut epochs,
                PRODUCERS => &mut producers,
                INDEX => &mut index,
                // Of a newer binary, which knew that older ones skip it.
                _ => continue,
            };
            if section.version <= SECTION_VERSION {
                *place = Some(section.payload);
            }
        }
        let snapshot = epochs.zip(producers).map(|(epochs, producers)| Snapshot { epochs, producers });
        Ok(Summary { segment, snapshot, index })
    }
}

struct Section {
    kind: u32,
    version: u32,
    payload: Bytes,
}

fn put_section(out: &mut BytesMut, kind: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a section is smaller than its segment can be");
    let start = out.len();
    out.put_u32_le(kind);
    out.put_u32_le(SECTION_VERSION);
    out.put_u32_le(length);
    let crc = section_crc(&out[start..], payload);
    out.put_u32_le(crc);
    out.put_slice(payload);
}

fn take_section(bytes: &Bytes, at: &mut usize) -> Option<Section> {
    let payload_at = *at + SECTION_HEADER_BYTES;
    let header = bytes.get(*at..payload_at)?;
    let end = payload_at.checked_add(usize::try_from(u32_at(header, 8)).ok()?)?;
    let payload = bytes.get(payload_at..end)?;
    if section_crc(&header[..12], payload) != u32_at(header, 12) {
        return None;
    }
    *at = end;
    Some(Section {
        kind: u32_at(header, 0),
        version: u32_at(header, 4),
        payload: bytes.slice(payload_at..end),
    })
}

fn header_crc(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&bytes[0..12]);
    hasher.update(&bytes[16..]);
    hasher.finalize()
}

fn section_crc(front: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(front);
    hasher.update(payload);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
