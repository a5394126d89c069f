//! What a journal says after a start: walks the chain of commits and hands out their entries.
//!
//! Decides where a journal begins and ends. Does not decide what its entries mean (`storage/recovery.rs`).
//!
//! Only the newest file may end in the middle: a commit goes to a new file when all before it are durable. So a commit that
//! does not fit in an older file is damage, and is reported, while in the newest file it is where the broker stopped.
//!
//! Bytes are not trusted: lengths are checked against the file, memory is bounded by the largest file.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use super::format::{
    COMMIT_HEADER_BYTES, CommitCrc, CommitHeader, ENTRY_HEADER_BYTES, EntryHeader, FILE_HEADER_BYTES,
    FileHeader, FileHeaderRead,
};
use crate::effect::DiskError;
use crate::limits::{BLOCK_BYTES, COMMITS_IN_FLIGHT_MAX};
use crate::model::ShardId;
use crate::mutations::Mutations;

/// Reads bytes of a file of the journal, all that were asked for: file, position, buffer.
pub type ReadJournal<'a> = dyn FnMut(u32, u64, &mut [u8]) -> Result<(), DiskError> + 'a;

/// Takes one entry and its bytes.
pub type VisitEntry<'a, E> = dyn FnMut(EntryPlace, &EntryHeader, &[u8]) -> Result<(), E> + 'a;

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryPlace {
    /// The number of the file.
    pub file: u32,
    /// Of the file.
    pub sequence: u64,
    /// Of the entry's bytes, behind its header.
    pub position: u64,
}

/// Where a journal ends, and so where it may go on: the next commit bears this number and this chain, and stands in the newest file
/// behind what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayEnd {
    pub commit: u64,
    pub chain: u32,
    /// Bytes of the newest file, header included.
    pub used: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayFault {
    Disk(DiskError),
    /// The file was written by a newer version of this broker.
    NewerVersion(u32),
    /// The journal belongs to another data directory.
    OtherDirectory,
    OtherShard(u16),
    /// Two files claim the same place in the order.
    SequenceTwice(u64),
    /// A file that is needed is not there.
    MissingFile {
        sequence: u64,
    },
    /// The commit with this number must stand here, and does not.
    Damaged {
        commit: u64,
    },
    /// A commit with a good CRC holds what is not an entry.
    BadEntry,
}

impl fmt::Display for ReplayFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayFault::Disk(error) => write!(out, "{} failed with errno {}", error.operation, error.errno),
            ReplayFault::NewerVersion(version) => {
                write!(out, "the format is version {version}: start the newer binary that wrote it")
            }
            ReplayFault::OtherDirectory => write!(out, "the journal belongs to another data directory"),
            ReplayFault::OtherShard(shard) => write!(out, "the journal belongs to shard {shard}"),
            ReplayFault::SequenceTwice(sequence) => write!(out, "two files have the sequence {sequence}"),
            ReplayFault::MissingFile { sequence } => write!(out, "no file has the sequence {sequence}"),
            ReplayFault::Damaged { commit } => {
                write!(out, "commit {commit} is damaged, and later ones were acknowledged")
            }
            ReplayFault::BadEntry => write!(out, "a commit with a good CRC holds no valid entry here"),
        }
    }
}

/// Where replay had to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayError {
    pub file: u32,
    pub position: u64,
    pub fault: ReplayFault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveFile {
    pub number: u32,
    pub bytes: u64,
    pub header: FileHeader,
}

/// The files that replay walks, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayPlan {
    pub live: Vec<LiveFile>,
    /// Above all sequences that the journal ever used: the one after the newest header's may stand in commits whose file
    /// header was lost. Were it used again, these would line up behind the new header.
    pub next_sequence: u64,
    /// The part of the newest file whose sync may never have come to pass, or may have failed: its last commits.
    pub unsure: Range<u64>,
}

/// Reads the file headers and finds the first file that is needed: what the newest file's header says, or a later one if a
/// commit in that file says so.
pub fn plan(
    shard: ShardId,
    directory_id: [u8; 16],
    files: &[(u32, u64)],
    read: &mut ReadJournal<'_>,
    mutations: Mutations,
) -> Result<ReplayPlan, ReplayError> {
    let mut valid = Vec::new();
    let mut used = 0;
    for &(number, bytes) in files {
        let fail = |fault| ReplayError { file: number, position: 0, fault };
        if bytes < BLOCK_BYTES {
            continue;
        }
        let mut header = [0; FILE_HEADER_BYTES];
        read(number, 0, &mut header).map_err(|error| fail(ReplayFault::Disk(error)))?;
        match FileHeader::decode(&header) {
            FileHeaderRead::Free => used = used.max(first_commit_sequence(number, bytes, read)?),
            FileHeaderRead::NewerVersion(version) => return Err(fail(ReplayFault::NewerVersion(version))),
            FileHeaderRead::Valid(header) if header.directory_id != directory_id => {
                return Err(fail(ReplayFault::OtherDirectory));
            }
            FileHeaderRead::Valid(header) if header.shard != shard => {
                return Err(fail(ReplayFault::OtherShard(header.shard.0)));
            }
            FileHeaderRead::Valid(header) => valid.push(LiveFile { number, bytes, header }),
        }
    }
    valid.sort_by_key(|file| file.header.file_sequence);
    let twice = valid.windows(2).find(|pair| pair[0].header.file_sequence == pair[1].header.file_sequence);
    if let Some(pair) = twice {
        let fault = ReplayFault::SequenceTwice(pair[1].header.file_sequence);
        return Err(ReplayError { file: pair[1].number, position: 0, fault });
    }
    let Some(&newest) = valid.last() else {
        return Ok(ReplayPlan { live: Vec::new(), next_sequence: used.saturating_add(2), unsure: 0..0 });
    };
    let (oldest, unsure) = walk_newest(&newest, read, mutations)?;
    let live: Vec<LiveFile> = valid.into_iter().filter(|file| file.header.file_sequence >= oldest).collect();
    for (sequence, file) in (oldest..=newest.header.file_sequence).zip(&live) {
        if file.header.file_sequence != sequence {
            return Err(ReplayError {
                file: file.number,
                position: 0,
                fault: ReplayFault::MissingFile { sequence },
            });
        }
    }
    let used = used.max(newest.header.file_sequence);
    Ok(ReplayPlan { live, next_sequence: used.saturating_add(2), unsure })
}

/// The sequence that the first commit of a file without a header bears, 0 if there is none: used, though no header says so.
///
/// Of a journal that was ended and then removed in part, only such files may be left. Were their sequences given again, what
/// stands behind the cleared headers would be replayed over segments that have long grown past it.
fn first_commit_sequence(number: u32, bytes: u64, read: &mut ReadJournal<'_>) -> Result<u64, ReplayError> {
    if bytes < 2 * BLOCK_BYTES {
        return Ok(0);
    }
    let mut header = [0; COMMIT_HEADER_BYTES];
    let fault = |error| ReplayError { file: number, position: BLOCK_BYTES, fault: ReplayFault::Disk(error) };
    read(number, BLOCK_BYTES, &mut header).map_err(fault)?;
    Ok(CommitHeader::decode(&header).map_or(0, |header| header.file_sequence))
}

/// The first file that is needed, and the part of this one that may not be durable: no more commits than that are at the device at once,
/// and none is issued after one that failed.
fn walk_newest(
    newest: &LiveFile,
    read: &mut ReadJournal<'_>,
    mutations: Mutations,
) -> Result<(u64, Range<u64>), ReplayError> {
    let mut walk = Walk::new(newest, mutations);
    let mut oldest = newest.header.oldest_live_sequence;
    let mut last = VecDeque::from([0]);
    while let Some(header) = walk.next_commit(read)? {
        oldest = oldest.max(header.oldest_live_sequence);
        last.push_back(walk.found_at);
        if last.len() > COMMITS_IN_FLIGHT_MAX {
            last.pop_front();
        }
    }
    // The header comes with the first commit.
    let first = last.front().map_or(0, |at| if *at == BLOCK_BYTES { 0 } else { *at });
    // A file cannot say that it is dead itself.
    if oldest > newest.header.file_sequence {
        let fault = ReplayFault::MissingFile { sequence: oldest };
        return Err(ReplayError { file: newest.number, position: 0, fault });
    }
    Ok((oldest, first..walk.position))
}

/// Hands every entry of the live files to `visit`, in order. Returns where the last of them ends; None: no file is live.
///
/// Errors: damage that cannot come from a crash, with its place; what `visit` refuses.
pub fn replay<E: From<ReplayError>>(
    plan: &ReplayPlan,
    read: &mut ReadJournal<'_>,
    mutations: Mutations,
    visit: &mut VisitEntry<'_, E>,
) -> Result<Option<ReplayEnd>, E> {
    let mut end = None;
    for (index, file) in plan.live.iter().enumerate() {
        let mut walk = Walk::new(file, mutations);
        while walk.next_commit(read)?.is_some() {
            walk.entries(visit)?;
        }
        end = Some(ReplayEnd { commit: walk.commit, chain: walk.chain, used: walk.position });
        let Some(next) = plan.live.get(index + 1) else { break };
        let connects = next.header.first_commit == walk.commit && next.header.chain == walk.chain;
        if !connects && !mutations.no_chain_check() {
            let fault = ReplayFault::Damaged { commit: walk.commit };
            return Err(ReplayError { file: file.number, position: walk.position, fault }.into());
        }
    }
    Ok(end)
}

/// The walk through one file.
struct Walk<'a> {
    file: &'a LiveFile,
    mutations: Mutations,
    /// Of the next commit: where it must start, its number, the CRC before it.
    position: u64,
    commit: u64,
    chain: u32,
    /// Of the commit that was found last.
    found_at: u64,
    body: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn new(file: &'a LiveFile, mutations: Mutations) -> Walk<'a> {
        let (commit, chain) = (file.header.first_commit, file.header.chain);
        Walk { file, mutations, position: BLOCK_BYTES, commit, chain, found_at: 0, body: Vec::new() }
    }

    /// Finds the next commit that fits and reads its body. None: the chain ends here.
    fn next_commit(&mut self, read: &mut ReadJournal<'_>) -> Result<Option<CommitHeader>, ReplayError> {
        loop {
            if self.position.saturating_add(BLOCK_BYTES) > self.file.bytes {
                return Ok(None);
            }
            if let Some(header) = self.read_commit(read)? {
                self.found_at = self.position;
                self.position += header.commit_bytes();
                self.commit = header.commit.saturating_add(1);
                self.chain = header.crc;
                return Ok(Some(header));
            }
            if !self.mutations.no_chain_check() {
                return Ok(None);
            }
            self.position += BLOCK_BYTES;
        }
    }

    fn read_commit(&mut self, read: &mut ReadJournal<'_>) -> Result<Option<CommitHeader>, ReplayError> {
        let (file, position) = (self.file.number, self.position);
        let fail = |error| ReplayError { file, position, fault: ReplayFault::Disk(error) };
        let mut header_bytes = [0; COMMIT_HEADER_BYTES];
        read(file, position, &mut header_bytes).map_err(fail)?;
        let Some(header) = CommitHeader::decode(&header_bytes) else { return Ok(None) };
        let fits = header.commit == self.commit && header.chain == self.chain;
        let of_this_life = header.file_sequence == self.file.header.file_sequence;
        if !(fits || self.mutations.no_chain_check())
            || !(of_this_life || self.mutations.ignore_file_sequence())
        {
            return Ok(None);
        }
        if header.commit_bytes() > self.file.bytes - position {
            return Ok(None);
        }
        self.body.clear();
        self.body.resize(header.body_bytes as usize, 0);
        read(file, position + COMMIT_HEADER_BYTES as u64, &mut self.body).map_err(fail)?;
        let mut crc = CommitCrc::new(&header_bytes);
        crc.update(&self.body);
        Ok((crc.finish() == header.crc).then_some(header))
    }

    fn entries<E: From<ReplayError>>(&self, visit: &mut VisitEntry<'_, E>) -> Result<(), E> {
        let mut at = 0;
        while at < self.body.len() {
            let position = self.found_at + (COMMIT_HEADER_BYTES + at) as u64;
            let bad = ReplayError { file: self.file.number, position, fault: ReplayFault::BadEntry };
            let header = self.body.get(at..).and_then(|rest| rest.first_chunk::<ENTRY_HEADER_BYTES>());
            let header = header.and_then(EntryHeader::decode).ok_or(bad)?;
            let from = at + ENTRY_HEADER_BYTES;
            let payload = self.body.get(from..from + header.length as usize).ok_or(bad)?;
            let place = EntryPlace {
                file: self.file.number,
                sequence: self.file.header.file_sequence,
                position: self.found_at + (COMMIT_HEADER_BYTES + from) as u64,
            };
            visit(place, &header, payload)?;
            at += header.entry_bytes() as usize;
        }
        Ok(())
    }
}
