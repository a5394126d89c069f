//! Segments that were sealed in this life, until the journal's word of it is durable. Before, a start would look for the file: such
//! a segment must not be unlinked.

use std::collections::{BTreeMap, BTreeSet};

use penstock::effect::{CommitId, JournalCommit, SegmentName};
use penstock::journal::format::{
    COMMIT_HEADER_BYTES, CommitHeader, ENTRY_HEADER_BYTES, EntryHeader, EntryKind,
};
use penstock::model::{LogDir, ShardId};

use super::BLOCK;
use super::operation::join;

#[derive(Debug, Default)]
pub(super) struct Unrecorded {
    segments: BTreeSet<SegmentName>,
    /// What commits that are under way say of sealed segments.
    words: BTreeMap<((LogDir, ShardId), CommitId), Vec<SegmentName>>,
}

impl Unrecorded {
    /// The seal was answered.
    pub fn sealed(&mut self, name: SegmentName) {
        self.segments.insert(name);
    }

    pub fn submitted(&mut self, shard: ShardId, commit: &JournalCommit) {
        let names = sealed_in(commit);
        if !names.is_empty() {
            self.words.insert(((commit.dir, shard), commit.commit), names);
        }
    }

    pub fn durable(&mut self, journal: (LogDir, ShardId), commit: CommitId) {
        for name in self.words.remove(&(journal, commit)).unwrap_or_default() {
            self.segments.remove(&name);
        }
    }

    pub fn contains(&self, name: SegmentName) -> bool {
        self.segments.contains(&name)
    }
}

/// The segments of the commit's Sealed entries.
fn sealed_in(commit: &JournalCommit) -> Vec<SegmentName> {
    // The first commit of a file brings the file's header.
    let start = if commit.position == 0 { BLOCK as usize } else { 0 };
    let bytes = join(&commit.pieces);
    let header = bytes.get(start..).and_then(|bytes| bytes.first_chunk()).and_then(CommitHeader::decode);
    let Some(header) = header else { return Vec::new() };
    let mut at = start + COMMIT_HEADER_BYTES;
    let mut names = Vec::new();
    for _ in 0..header.entries {
        let entry = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<ENTRY_HEADER_BYTES>());
        let Some(entry) = entry.and_then(EntryHeader::decode) else { return names };
        at += entry.entry_bytes() as usize;
        if entry.kind == EntryKind::Sealed {
            let (topic_partition, base_offset) = (entry.topic_partition, entry.base_offset);
            names.push(SegmentName { topic_partition, base_offset });
        }
    }
    names
}
