//! The bytes of the journal: headers, their CRCs, encoding and decoding. `docs/FORMATS.md` section 1 is the reference.
//!
//! Decides what is well-formed by itself. Whether a commit belongs where it stands is decided by `replay.rs`.

use crc32fast::Hasher;

use crate::limits::BLOCK_BYTES;
use crate::model::{Offset, PartitionIndex, ShardId, TopicId, TopicPartition};

pub const FILE_MAGIC: [u8; 8] = *b"PSJRNL01";
pub const COMMIT_MAGIC: [u8; 4] = *b"PCMT";
pub const FORMAT_VERSION: u32 = 3;
/// Read too: it has no checkpoints. Version 2 has no Sealed entry of a compaction.
const FORMAT_VERSION_OLDEST: u32 = 1;

pub const FILE_HEADER_BYTES: usize = 64;
pub const COMMIT_HEADER_BYTES: usize = 64;
pub const ENTRY_HEADER_BYTES: usize = 48;
/// An entry starts on a multiple of this.
pub const ENTRY_ALIGN: u64 = 8;

const _: () = assert!(FILE_HEADER_BYTES as u64 <= BLOCK_BYTES);
const _: () = assert!((COMMIT_HEADER_BYTES as u64).is_multiple_of(ENTRY_ALIGN));
const _: () = assert!((ENTRY_HEADER_BYTES as u64).is_multiple_of(ENTRY_ALIGN));

/// What a Sealed entry of a compaction has behind its header: the length of the file before.
pub const LENGTH_BEFORE_BYTES: u32 = 8;

/// First block of a journal file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    pub version: u32,
    pub file_sequence: u64,
    /// Files with a smaller sequence are dead.
    pub oldest_live_sequence: u64,
    /// Number of the first commit in this file.
    pub first_commit: u64,
    /// CRC of the commit before the first one; 0 at the start of a journal.
    pub chain: u32,
    pub shard: ShardId,
    pub directory_id: [u8; 16],
}

/// What the first block of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileHeaderRead {
    Valid(FileHeader),
    /// Zeros, or torn: the file holds nothing.
    Free,
    /// Written by a newer binary.
    NewerVersion(u32),
}

impl FileHeader {
    #[must_use]
    pub fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&FILE_MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.file_sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.oldest_live_sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first_commit.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.chain.to_le_bytes());
        bytes[44..48].copy_from_slice(&u32::from(self.shard.0).to_le_bytes());
        bytes[48..64].copy_from_slice(&self.directory_id);
        let crc = file_header_crc(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Whether every SegmentEnd in this file may carry a checkpoint, and Data behind it is whole batches.
    #[must_use]
    pub fn has_checkpoints(&self) -> bool {
        self.version > FORMAT_VERSION_OLDEST
    }

    #[must_use]
    pub fn decode(bytes: &[u8; FILE_HEADER_BYTES]) -> FileHeaderRead {
        if bytes[0..8] != FILE_MAGIC || u32_at(bytes, 12) != file_header_crc(bytes) {
            return FileHeaderRead::Free;
        }
        let version = u32_at(bytes, 8);
        if !(FORMAT_VERSION_OLDEST..=FORMAT_VERSION).contains(&version) {
            return FileHeaderRead::NewerVersion(version);
        }
        let Ok(shard) = u16::try_from(u32_at(bytes, 44)) else { return FileHeaderRead::Free };
        let mut directory_id = [0; 16];
        directory_id.copy_from_slice(&bytes[48..64]);
        FileHeaderRead::Valid(FileHeader {
            version,
            file_sequence: u64_at(bytes, 16),
            oldest_live_sequence: u64_at(bytes, 24),
            first_commit: u64_at(bytes, 32),
            chain: u32_at(bytes, 40),
            shard: ShardId(shard),
            directory_id,
        })
    }
}

fn file_header_crc(bytes: &[u8; FILE_HEADER_BYTES]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&bytes[0..12]);
    hasher.update(&bytes[16..64]);
    hasher.finalize()
}

/// Invariants: `crc` covers bytes 8..64 of the header and the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitHeader {
    pub crc: u32,
    pub file_sequence: u64,
    pub commit: u64,
    pub chain: u32,
    pub body_bytes: u32,
    pub entries: u32,
    /// A start wrote it, and synced it before any other.
    pub starts: bool,
    /// As far as was durable when this commit was issued.
    pub oldest_live_sequence: u64,
}

impl CommitHeader {
    /// The header with a CRC field of zero; `crc` is put in by `finish`.
    #[must_use]
    pub fn encode_unsummed(&self) -> [u8; COMMIT_HEADER_BYTES] {
        let mut bytes = [0; COMMIT_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&COMMIT_MAGIC);
        bytes[8..16].copy_from_slice(&self.file_sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.commit.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.chain.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.entries.to_le_bytes());
        bytes[36] = u8::from(self.starts);
        bytes[40..48].copy_from_slice(&self.oldest_live_sequence.to_le_bytes());
        bytes
    }

    /// None: no commit starts here. The CRC is not yet checked: it needs the body.
    #[must_use]
    pub fn decode(bytes: &[u8; COMMIT_HEADER_BYTES]) -> Option<CommitHeader> {
        (bytes[0..4] == COMMIT_MAGIC).then(|| CommitHeader {
            crc: u32_at(bytes, 4),
            file_sequence: u64_at(bytes, 8),
            commit: u64_at(bytes, 16),
            chain: u32_at(bytes, 24),
            body_bytes: u32_at(bytes, 28),
            entries: u32_at(bytes, 32),
            starts: bytes[36] == 1,
            oldest_live_sequence: u64_at(bytes, 40),
        })
    }

    /// Bytes of the whole commit in the file.
    #[must_use]
    pub fn commit_bytes(&self) -> u64 {
        commit_bytes(u64::from(self.body_bytes))
    }
}

/// Bytes of a commit with this body: header, body, zeros up to the block.
#[must_use]
pub fn commit_bytes(body_bytes: u64) -> u64 {
    (COMMIT_HEADER_BYTES as u64 + body_bytes).next_multiple_of(BLOCK_BYTES)
}

/// The CRC of a commit grows with its body, so that a large body need not be in memory at once.
#[derive(Debug)]
pub struct CommitCrc(Hasher);

impl CommitCrc {
    #[must_use]
    pub fn new(header: &[u8; COMMIT_HEADER_BYTES]) -> CommitCrc {
        let mut hasher = Hasher::new();
        hasher.update(&header[8..]);
        CommitCrc(hasher)
    }

    pub fn update(&mut self, body: &[u8]) {
        self.0.update(body);
    }

    #[must_use]
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    Data,
    SegmentEnd,
    Sealed,
}

/// One entry without its bytes. `base_offset` names the segment; `position` is explained by the kind (`docs/FORMATS.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHeader {
    pub kind: EntryKind,
    pub length: u32,
    pub topic_partition: TopicPartition,
    pub base_offset: Offset,
    pub position: u64,
}

impl EntryHeader {
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_HEADER_BYTES] {
        let mut bytes = [0; ENTRY_HEADER_BYTES];
        bytes[0] = match self.kind {
            EntryKind::Data => 1,
            EntryKind::SegmentEnd => 2,
            EntryKind::Sealed => 3,
        };
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.topic_partition.topic_id.0);
        bytes[24..28].copy_from_slice(&self.topic_partition.partition.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.base_offset.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.position.to_le_bytes());
        bytes
    }

    /// None: not an entry of this version.
    #[must_use]
    pub fn decode(bytes: &[u8; ENTRY_HEADER_BYTES]) -> Option<EntryHeader> {
        let kind = match bytes[0] {
            1 => EntryKind::Data,
            2 => EntryKind::SegmentEnd,
            3 => EntryKind::Sealed,
            _ => return None,
        };
        let mut topic_id = [0; 16];
        topic_id.copy_from_slice(&bytes[8..24]);
        let header = EntryHeader {
            kind,
            length: u32_at(bytes, 4),
            topic_partition: TopicPartition {
                topic_id: TopicId(topic_id),
                partition: PartitionIndex(u32_at(bytes, 24).cast_signed()),
            },
            base_offset: Offset(u64_at(bytes, 32).cast_signed()),
            position: u64_at(bytes, 40),
        };
        let well_formed = match kind {
            EntryKind::Data => header.position.checked_add(u64::from(header.length)).is_some(),
            // With a checkpoint or without: what that is worth is for its reader to say.
            EntryKind::SegmentEnd => true,
            EntryKind::Sealed => matches!(header.length, 0 | LENGTH_BEFORE_BYTES),
        };
        let named = header.base_offset.0 >= 0 && header.topic_partition.partition.0 >= 0;
        (well_formed && named).then_some(header)
    }

    /// Bytes of the entry in a body, padding included.
    #[must_use]
    pub fn entry_bytes(&self) -> u64 {
        entry_bytes(u64::from(self.length))
    }
}

#[must_use]
pub fn entry_bytes(length: u64) -> u64 {
    ENTRY_HEADER_BYTES as u64 + length.next_multiple_of(ENTRY_ALIGN)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
