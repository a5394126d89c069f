//! The shard's journal as decisions: which entries share a commit, where it goes, when it is durable. Bytes in, bytes out.
//!
//! Decides nothing about segments: `storage/` says what to journal, and when a file of the ring is no longer needed.
//!
//! Two lanes lead into a commit. Records wait in groups, in order. Release entries (SegmentEnd, Sealed, carried remainders)
//! wait beside them: they join the next commit, and go alone if records find no room, so that freeing space never waits
//! for space. Replay does not care: every entry says where its bytes belong.

pub mod format;
mod group;
pub mod replay;
mod ring;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use group::{Entry, EntryMeta, Group, encode_commit};
pub use ring::{ContinuedFile, FULL_SIZE_FILES, RING_FILE_BYTES_MIN};

use crate::effect::{CommitId, Effect, Effects, JournalCommit};
use crate::limits::{BLOCK_BYTES, CHECKPOINT_BYTES_MAX, COMMIT_BYTES_MAX, COMMITS_IN_FLIGHT_MAX};
use crate::model::{LogDir, Offset, ShardId};
use crate::mutations::Mutations;
use format::{CommitHeader, FORMAT_VERSION, FileHeader, commit_bytes};
use ring::{Lane, Placement, Ring};

/// A second commit goes to the device only if its group is at least this part of the largest one (256 KiB of 4 MiB): smaller
/// groups gain more from waiting together.
const SECOND_COMMIT_DIVISOR: u64 = 16;

/// Records that wait for a commit; beyond it the journal calls itself congested.
const WAITING_BYTES_MAX: u64 = 4 * COMMIT_BYTES_MAX;

/// A partition's log in `Storage`: a place in the lower half, the place's generation in the upper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub u64);

impl LogId {
    /// The log dir that the partition lives in.
    #[must_use]
    pub fn dir(self) -> LogDir {
        LogDir((self.0 >> 56) as u8)
    }
}

/// One segment of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentKey {
    pub log: LogId,
    pub base_offset: Offset,
}

/// A commit that was handed to the device.
#[derive(Debug)]
pub struct Issued {
    pub sequence: u64,
    pub entries: Vec<EntryMeta>,
}

#[derive(Debug)]
struct InFlight {
    number: u64,
    sequence: u64,
    group: Option<CommitId>,
    entries: Vec<EntryMeta>,
    /// Release entries pushed up to here are durable with it.
    released_through: u64,
    oldest_live_sequence: u64,
    done: bool,
}

/// A journal that a start found and goes on with, since some of its bytes are nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continued {
    /// Oldest first.
    pub live: Vec<ContinuedFile>,
    /// Number of the next commit, and the CRC of the one before it.
    pub next_commit: u64,
    pub chain: u32,
}

/// What became durable, in order.
#[derive(Debug, Default)]
pub struct Durable {
    pub entries: Vec<EntryMeta>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalCounters {
    pub commits: u64,
    /// As written: headers and padding included.
    pub bytes: u64,
    pub entries: u64,
    /// Commits that held release entries only.
    pub release_commits: u64,
}

impl JournalCounters {
    /// The sum of both.
    #[must_use]
    pub fn plus(&self, other: &JournalCounters) -> JournalCounters {
        JournalCounters {
            commits: self.commits + other.commits,
            bytes: self.bytes + other.bytes,
            entries: self.entries + other.entries,
            release_commits: self.release_commits + other.release_commits,
        }
    }
}

/// The journal of one shard and log dir.
///
/// Invariants: groups become durable in the order of their ids. A commit never spans files.
#[derive(Debug)]
pub struct Journal {
    shard: ShardId,
    dir: LogDir,
    directory_id: [u8; 16],
    ring: Ring,
    commit_bytes_max: u64,
    open: Group,
    /// Full groups, oldest first, that could not be issued yet.
    waiting: VecDeque<Group>,
    waiting_bytes: u64,
    release: VecDeque<Entry>,
    release_pushed: u64,
    release_durable: u64,
    in_flight: VecDeque<InFlight>,
    next_number: u64,
    chain: u32,
    durable: CommitId,
    /// The largest oldest-live sequence that an issued commit states.
    stated_issued: u64,
    /// Records wait because the ring has no room for them.
    blocked: bool,
    counters: JournalCounters,
    mutations: Mutations,
}

impl Journal {
    /// `files` are prepared and hold nothing that is needed; `next_sequence` is above all that were ever used here.
    #[must_use]
    pub fn new(
        shard: ShardId,
        dir: LogDir,
        directory_id: [u8; 16],
        bytes_max: u64,
        files: &[(u32, u64)],
        next_sequence: u64,
        mutations: Mutations,
    ) -> Journal {
        let ring = Ring::new(bytes_max, files, next_sequence, mutations);
        let commit_bytes_max = (ring.file_bytes() / 4).min(COMMIT_BYTES_MAX);
        Journal {
            shard,
            dir,
            directory_id,
            ring,
            commit_bytes_max,
            open: Group::new(CommitId(1)),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            release: VecDeque::new(),
            release_pushed: 0,
            release_durable: 0,
            in_flight: VecDeque::new(),
            next_number: 1,
            chain: 0,
            durable: CommitId(0),
            stated_issued: 0,
            blocked: false,
            counters: JournalCounters::default(),
            mutations,
        }
    }

    /// The next commit follows the last one of an earlier run, in the same file.
    ///
    /// Invariants: everything in the live files is durable. To be called before the first entry.
    pub fn go_on(&mut self, continued: &Continued) {
        assert!(
            self.in_flight.is_empty() && self.open.is_empty(),
            "a journal goes on before its first entry"
        );
        self.ring.go_on(&continued.live);
        self.next_number = continued.next_commit;
        self.chain = continued.chain;
        self.stated_issued = self.ring.oldest_live();
    }

    #[must_use]
    pub fn commit_bytes_max(&self) -> u64 {
        self.commit_bytes_max
    }

    /// The largest payload that an entry may have: with it, half a file remains for releasing another.
    #[must_use]
    pub fn entry_bytes_max(&self) -> u64 {
        self.ring.file_bytes() / 2
    }

    /// The largest payload that an entry may have which frees space: several of them fit one commit.
    #[must_use]
    pub fn release_bytes_max(&self) -> u64 {
        CHECKPOINT_BYTES_MAX.min(self.commit_bytes_max / 4)
    }

    /// Puts records into the open group; the answer is durable once `durable()` reaches it.
    pub fn append(&mut self, entry: Entry) -> CommitId {
        let bytes = entry.bytes();
        if !self.open.is_empty() && self.open.body_bytes + bytes > self.commit_bytes_max {
            let next = Group::new(CommitId(self.open.id.0 + 1));
            self.waiting.push_back(std::mem::replace(&mut self.open, next));
        }
        self.waiting_bytes += bytes;
        self.open.push(entry);
        self.open.id
    }

    /// Queues a SegmentEnd, Sealed or carried entry; durable once `release_durable()` reaches the answer.
    pub fn push_release(&mut self, entry: Entry) -> u64 {
        self.release.push_back(entry);
        self.release_pushed += 1;
        self.release_pushed
    }

    /// The mark that covers all release entries so far.
    #[must_use]
    pub fn release_mark(&self) -> u64 {
        self.release_pushed
    }

    #[must_use]
    pub fn release_durable(&self) -> u64 {
        self.release_durable
    }

    #[must_use]
    pub fn durable(&self) -> CommitId {
        self.durable
    }

    /// Issues the next commit, if there is something to commit, the device is free for it and the ring has room.
    ///
    /// `reserve`: bytes that carrying everything out of one file may take.
    pub fn maybe_commit(&mut self, reserve: u64, effects: &mut Effects) -> Option<Issued> {
        let state = self.ring.has_dead() && self.stated_issued < self.ring.oldest_live();
        let next_group_bytes = self.next_group().map_or(0, |group| group.body_bytes);
        self.blocked = self.blocked && next_group_bytes > 0;
        if self.in_flight.len() >= COMMITS_IN_FLIGHT_MAX {
            return None;
        }
        if !self.in_flight.is_empty() && next_group_bytes < self.commit_bytes_max / SECOND_COMMIT_DIVISOR {
            return None;
        }
        let (released, released_bytes) = self.count_release();
        let length = commit_bytes(released_bytes + next_group_bytes);
        let leaves = (next_group_bytes > 0 || released > 0)
            && self.ring.can_leave_earlier(length, reserve + commit_bytes(released_bytes));
        // The header of a new file says that all before it is durable: replay tells damage from a crash by that.
        if !self.in_flight.is_empty() && (leaves || self.ring.needs_new_file(length)) {
            return None;
        }
        if leaves {
            self.ring.close_current();
        }
        if next_group_bytes > 0 {
            let joined = released_bytes + next_group_bytes <= self.commit_bytes_max;
            let (count, bytes) = if joined { (released, released_bytes) } else { (0, 0) };
            let length = commit_bytes(bytes + next_group_bytes);
            let reserve = reserve + commit_bytes(released_bytes);
            if joined || released == 0 {
                if let Some(placement) = self.ring.place(length, Lane::Data, reserve) {
                    self.blocked = false;
                    let group = self.take_group();
                    return Some(self.issue(placement, count, Some(group), length, effects));
                }
                self.blocked = true;
            }
        }
        if released == 0 && !state {
            return None;
        }
        let length = commit_bytes(released_bytes);
        let placement = self.ring.place(length, Lane::Release, 0);
        assert!(
            placement.is_some()
                || !self.in_flight.is_empty()
                || self.ring.has_dead()
                || self.ring.is_growing(),
            "the ring always keeps room for what frees it"
        );
        Some(self.issue(placement?, released, None, length, effects))
    }

    fn next_group(&self) -> Option<&Group> {
        self.waiting.front().or((!self.open.is_empty()).then_some(&self.open))
    }

    fn take_group(&mut self) -> Group {
        self.waiting.pop_front().unwrap_or_else(|| {
            let next = Group::new(CommitId(self.open.id.0 + 1));
            std::mem::replace(&mut self.open, next)
        })
    }

    /// How many release entries fit one commit, and their bytes.
    fn count_release(&self) -> (usize, u64) {
        let mut total = 0;
        for (count, entry) in self.release.iter().enumerate() {
            if total + entry.bytes() > self.commit_bytes_max {
                return (count, total);
            }
            total += entry.bytes();
        }
        (self.release.len(), total)
    }

    fn issue(
        &mut self,
        at: Placement,
        released: usize,
        group: Option<Group>,
        length: u64,
        effects: &mut Effects,
    ) -> Issued {
        let number = self.next_number;
        self.next_number += 1;
        let mut entries: Vec<Entry> = self.release.drain(..released).collect();
        let group_id = group.as_ref().map(|group| group.id);
        self.counters.release_commits += u64::from(group.is_none());
        if let Some(group) = group {
            self.waiting_bytes -= group.body_bytes;
            entries.extend(group.entries);
        }
        let body_bytes: u64 = entries.iter().map(Entry::bytes).sum();
        let oldest_live_sequence = self.ring.stated_oldest_live();
        let header = CommitHeader {
            crc: 0,
            file_sequence: at.sequence,
            commit: number,
            chain: self.chain,
            body_bytes: u32::try_from(body_bytes).expect("a commit is smaller than a file"),
            entries: u32::try_from(entries.len()).expect("a commit holds fewer entries than bytes"),
            starts: false,
            oldest_live_sequence,
        };
        let file_header = at.new_file.then_some(FileHeader {
            version: FORMAT_VERSION,
            file_sequence: at.sequence,
            oldest_live_sequence,
            first_commit: number,
            chain: self.chain,
            shard: self.shard,
            directory_id: self.directory_id,
        });
        let encoded = encode_commit(file_header.as_ref(), &header, &entries);
        let lead = if at.new_file { BLOCK_BYTES } else { 0 };
        self.chain = encoded.crc;
        self.stated_issued = self.stated_issued.max(self.ring.oldest_live());
        self.counters.commits += 1;
        self.counters.bytes += lead + length;
        self.counters.entries += entries.len() as u64;
        let metas: Vec<EntryMeta> = entries.iter().map(Entry::meta).collect();
        let released_before =
            self.in_flight.back().map_or(self.release_durable, |last| last.released_through);
        self.in_flight.push_back(InFlight {
            number,
            sequence: at.sequence,
            group: group_id,
            entries: metas.clone(),
            released_through: released_before + released as u64,
            oldest_live_sequence: self.ring.oldest_live(),
            done: false,
        });
        effects.push(Effect::CommitJournal(JournalCommit {
            dir: self.dir,
            commit: CommitId(number),
            file: at.file,
            position: at.position - lead,
            length: lead + length,
            pieces: encoded.pieces,
        }));
        Issued { sequence: at.sequence, entries: metas }
    }

    /// The device has synced a commit. What is durable by that: nothing, as long as an earlier one is missing.
    pub fn on_committed(&mut self, commit: CommitId) -> Durable {
        let mut durable = Durable::default();
        let Some(index) = self.in_flight.iter().position(|one| one.number == commit.0 && !one.done) else {
            return durable;
        };
        self.in_flight[index].done = true;
        if self.mutations.ack_out_of_order() {
            self.in_flight.make_contiguous()[..index].iter_mut().for_each(|earlier| earlier.done = true);
        }
        while let Some(first) = self.in_flight.pop_front_if(|first| first.done) {
            self.release_durable = first.released_through;
            self.ring.on_stated(first.oldest_live_sequence);
            if let Some(group) = first.group {
                assert!(group.0 == self.durable.0 + 1, "groups become durable in order");
                self.durable = group;
            }
            durable.entries.extend(first.entries);
        }
        durable
    }

    /// Asks for a file if the ring should grow; `sparing`: if it cannot do without. Whether it asked.
    pub fn maybe_grow(&mut self, sparing: bool, effects: &mut Effects) -> bool {
        let Some((file, bytes)) = self.ring.maybe_grow(sparing) else { return false };
        effects.push(Effect::PrepareJournalFile { dir: self.dir, file, bytes });
        true
    }

    /// The file that was asked for did not come into being.
    pub fn on_file_lacks_space(&mut self, file: u32) {
        self.ring.on_file_lacks_space(file);
    }

    pub fn on_file_ready(&mut self, file: u32) {
        self.ring.on_file_ready(file);
    }

    /// Whether a commit in the file with this sequence is still at the device.
    #[must_use]
    pub fn writes_to(&self, sequence: u64) -> bool {
        self.in_flight.iter().any(|one| one.sequence == sequence)
    }

    /// The last group that was handed to the device.
    #[must_use]
    pub fn issued(&self) -> CommitId {
        CommitId(self.next_group().map_or(self.open.id, |group| group.id).0 - 1)
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    pub fn ring_mut(&mut self) -> &mut Ring {
        &mut self.ring
    }

    /// No group waits and nothing is at the device.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.in_flight.is_empty() && self.next_group().is_none() && self.release.is_empty()
    }

    /// Nothing is at the device, and what waits finds no room.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.in_flight.is_empty() && (self.blocked || self.next_group().is_none())
    }

    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Records wait for room, or many wait for the device.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.blocked || self.waiting_bytes > WAITING_BYTES_MAX
    }

    #[must_use]
    pub fn counters(&self) -> &JournalCounters {
        &self.counters
    }
}
