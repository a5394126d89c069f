//! Groups of entries that become one commit, and the bytes of that commit. Payloads are shared, never copied.
//!
//! Decides what a commit looks like. Where it goes is decided by `ring.rs`, when by `mod.rs`.

use bytes::{Bytes, BytesMut};

use super::SegmentKey;
use super::format::{
    COMMIT_HEADER_BYTES, CommitCrc, CommitHeader, ENTRY_ALIGN, ENTRY_HEADER_BYTES, EntryHeader, EntryKind,
    FILE_HEADER_BYTES, FileHeader, commit_bytes,
};
use crate::effect::CommitId;
use crate::limits::BLOCK_BYTES;
use crate::model::Offset;

/// One entry with its bytes and what its owner wants to hear when it is durable.
#[derive(Debug, Clone)]
pub struct Entry {
    pub header: EntryHeader,
    pub payload: Bytes,
    pub key: SegmentKey,
    /// Of appended Data: the offset after its last record. None for what was written before (carried) and for control entries.
    pub next_offset: Option<Offset>,
}

impl Entry {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.header.entry_bytes()
    }

    #[must_use]
    pub fn meta(&self) -> EntryMeta {
        EntryMeta {
            key: self.key,
            kind: self.header.kind,
            end: match self.header.kind {
                EntryKind::Data => self.header.position + u64::from(self.header.length),
                EntryKind::SegmentEnd | EntryKind::Sealed => self.header.position,
            },
            next_offset: self.next_offset,
        }
    }
}

/// What is remembered of an entry once its bytes are at the device.
#[derive(Debug, Clone, Copy)]
pub struct EntryMeta {
    pub key: SegmentKey,
    pub kind: EntryKind,
    /// Of Data: the position in the segment after its bytes; else the entry's own.
    pub end: u64,
    pub next_offset: Option<Offset>,
}

/// Entries that wait for their commit together.
#[derive(Debug)]
pub struct Group {
    pub id: CommitId,
    pub entries: Vec<Entry>,
    /// Bytes of the entries with their padding.
    pub body_bytes: u64,
}

impl Group {
    #[must_use]
    pub fn new(id: CommitId) -> Group {
        Group { id, entries: Vec::new(), body_bytes: 0 }
    }

    pub fn push(&mut self, entry: Entry) {
        self.body_bytes += entry.bytes();
        self.entries.push(entry);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The bytes of one commit, without the zeros up to the block, and its CRC.
#[derive(Debug)]
pub struct EncodedCommit {
    pub pieces: Vec<Bytes>,
    pub crc: u32,
}

/// Lays out a commit; `file` is the header of the file that begins with it.
///
/// Shape: [file header, zeros to the block] | commit header, entry header | payload | padding, entry header | payload | ...
/// Everything that is not payload is cut from one allocation.
#[must_use]
pub fn encode_commit(file: Option<&FileHeader>, header: &CommitHeader, entries: &[Entry]) -> EncodedCommit {
    let lead = if file.is_some() { BLOCK_BYTES as usize } else { 0 };
    let per_entry = ENTRY_HEADER_BYTES + ENTRY_ALIGN as usize;
    let mut arena = BytesMut::with_capacity(lead + COMMIT_HEADER_BYTES + entries.len() * per_entry);
    if let Some(file) = file {
        arena.extend_from_slice(&file.encode());
        arena.resize(BLOCK_BYTES as usize, 0);
    }
    let mut header_bytes = header.encode_unsummed();
    let mut crc = CommitCrc::new(&header_bytes);
    arena.extend_from_slice(&header_bytes);
    let mut summed = arena.len();
    let mut cuts = Vec::with_capacity(entries.len());
    for entry in entries {
        assert!(
            entry.payload.len() as u64 == u64::from(entry.header.length),
            "an entry's header tells its length"
        );
        arena.extend_from_slice(&entry.header.encode());
        if entry.payload.is_empty() {
            continue;
        }
        crc.update(&arena[summed..]);
        crc.update(&entry.payload);
        cuts.push(arena.len());
        summed = arena.len();
        let padding = entry.payload.len().next_multiple_of(ENTRY_ALIGN as usize) - entry.payload.len();
        arena.extend_from_slice(&[0; ENTRY_ALIGN as usize][..padding]);
    }
    crc.update(&arena[summed..]);
    let crc = crc.finish();
    header_bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    arena[lead..lead + COMMIT_HEADER_BYTES].copy_from_slice(&header_bytes);
    let pieces = cut(arena.freeze(), &cuts, entries);
    let bytes: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
    assert!(
        bytes == lead as u64 + COMMIT_HEADER_BYTES as u64 + u64::from(header.body_bytes)
            && bytes <= lead as u64 + commit_bytes(u64::from(header.body_bytes)),
        "a commit is as long as its header says"
    );
    EncodedCommit { pieces, crc }
}

fn cut(arena: Bytes, cuts: &[usize], entries: &[Entry]) -> Vec<Bytes> {
    let mut pieces = Vec::with_capacity(2 * cuts.len() + 1);
    let mut from = 0;
    let payloads = entries.iter().map(|entry| &entry.payload).filter(|payload| !payload.is_empty());
    for (&to, payload) in cuts.iter().zip(payloads) {
        pieces.push(arena.slice(from..to));
        pieces.push(payload.clone());
        from = to;
    }
    if from < arena.len() {
        pieces.push(arena.slice(from..));
    }
    pieces
}

const _: () = assert!(FILE_HEADER_BYTES < BLOCK_BYTES as usize);
