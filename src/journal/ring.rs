//! The ring of physical files: which are free, which hold live bytes, where the next commit goes, when the ring grows.
//!
//! ```text
//! sequence   5        6        7              (8)
//!         | live   | live   | current ...  | free, free |      oldest_live = 5
//!           ^ released first  ^ position
//! ```
//!
//! Decides nothing about what makes a file's bytes superfluous: `storage/release.rs` does, and says `retire_oldest`.
//!
//! A file that was retired is written again only after a durable commit has said so (`oldest_live_sequence`): else a crash
//! in the middle of its first new commit would leave a chain that starts at overwritten bytes.

use std::collections::VecDeque;

use crate::mutations::Mutations;

use super::SegmentKey;
use crate::limits::{BLOCK_BYTES, JOURNAL_FILE_BYTES, JOURNAL_FIRST_FILE_BYTES};

/// The smallest file that a ring is made of, however small `journal_bytes_max` is.
pub const RING_FILE_BYTES_MIN: u64 = 16 * BLOCK_BYTES;

/// A ring never has fewer files: one is filled while the other waits for what is carried out of it.
const RING_FILES_MIN: usize = 2;

/// With this many files of full size, smaller ones are no longer used.
pub const FULL_SIZE_FILES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RingFile {
    number: u32,
    bytes: u64,
}

/// A file of a journal that a start goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContinuedFile {
    pub number: u32,
    pub bytes: u64,
    pub sequence: u64,
    /// Bytes used, header included.
    pub used: u64,
}

#[derive(Debug)]
struct LiveFile {
    sequence: u64,
    file: RingFile,
    /// Segments that had an entry written here, each once.
    residents: Vec<SegmentKey>,
    /// Bytes used, header included.
    used: u64,
}

/// Who asks for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// New records: they leave `reserve` bytes for releasing the oldest file.
    Data,
    /// What frees space: may use the last of it.
    Release,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    pub file: u32,
    pub sequence: u64,
    /// Of the commit; behind the file header if `new_file`.
    pub position: u64,
    pub new_file: bool,
}

/// The files of one journal.
///
/// Invariants: sequences in `live` are ascending without gap; a file is in exactly one of live, dead, free.
#[derive(Debug)]
pub struct Ring {
    bytes_max: u64,
    first_file_bytes: u64,
    file_bytes: u64,
    free: VecDeque<RingFile>,
    /// Oldest first; the last is the one that is written.
    live: VecDeque<LiveFile>,
    /// Retired, but no durable commit says so yet.
    dead: VecDeque<(u64, RingFile)>,
    /// The current file takes no more.
    closed: bool,
    /// Files below this sequence were begun by an earlier run.
    own_from: u64,
    next_sequence: u64,
    preparing: Option<RingFile>,
    next_number: u32,
    mutations: Mutations,
}

impl Ring {
    #[must_use]
    pub fn new(bytes_max: u64, files: &[(u32, u64)], next_sequence: u64, mutations: Mutations) -> Ring {
        let block_floor = |bytes: u64| bytes / BLOCK_BYTES * BLOCK_BYTES;
        let first_file_bytes =
            block_floor(bytes_max / 4).clamp(RING_FILE_BYTES_MIN, JOURNAL_FIRST_FILE_BYTES);
        let file_bytes = block_floor(bytes_max / 8).clamp(first_file_bytes, JOURNAL_FILE_BYTES);
        let usable = files.iter().filter(|(_, bytes)| *bytes >= RING_FILE_BYTES_MIN);
        let free = usable.map(|&(number, bytes)| RingFile { number, bytes: block_floor(bytes) }).collect();
        Ring {
            bytes_max,
            first_file_bytes,
            file_bytes,
            free,
            live: VecDeque::new(),
            dead: VecDeque::new(),
            closed: false,
            own_from: next_sequence,
            next_sequence,
            preparing: None,
            next_number: files.iter().map(|(number, _)| number + 1).max().unwrap_or(0),
            mutations,
        }
    }

    /// Goes on with the files that a start found live, oldest first, instead of with an empty ring; `files` of `new` are the others.
    pub fn go_on(&mut self, live: &[ContinuedFile]) {
        assert!(self.live.is_empty(), "a ring goes on before its first commit");
        for &ContinuedFile { number, bytes, sequence, used } in live {
            let file = RingFile { number, bytes: bytes / BLOCK_BYTES * BLOCK_BYTES };
            self.live.push_back(LiveFile { sequence, file, residents: Vec::new(), used });
            self.next_number = self.next_number.max(number + 1);
            self.next_sequence = sequence + 1;
        }
        self.own_from = self.next_sequence;
    }

    /// Whether the current file is of an earlier run, and a commit of `length` bytes can go to a free one instead. So what the earlier run
    /// left is released as soon as that is in segments, with nothing of this run to be carried out of it.
    #[must_use]
    pub fn can_leave_earlier(&self, length: u64, reserve: u64) -> bool {
        let is_earlier = self.live.back().is_some_and(|live| live.sequence < self.own_from);
        is_earlier && !self.closed && self.choose_free(length, Lane::Data, reserve).is_some()
    }

    /// Whether the oldest file was begun by an earlier run, and is not the one that is written.
    #[must_use]
    pub fn holds_earlier(&self) -> bool {
        self.live.len() > 1 && self.oldest_live() < self.own_from
    }

    /// Room for a commit of `length` bytes, or None: there is none for this lane now.
    ///
    /// Invariants: with `Lane::Data`, `reserve` bytes for releasing the oldest file remain.
    pub fn place(&mut self, length: u64, lane: Lane, reserve: u64) -> Option<Placement> {
        assert!(length > 0 && length.is_multiple_of(BLOCK_BYTES), "a commit is whole blocks");
        if lane == Lane::Data && !self.has_room(length, reserve) {
            return None;
        }
        if self.room_in_current() >= length {
            let current = self.live.back_mut()?;
            let position = current.used;
            current.used += length;
            return Some(Placement {
                file: current.file.number,
                sequence: current.sequence,
                position,
                new_file: false,
            });
        }
        let index = self.choose_free(length, lane, reserve)?;
        let file = self.free.remove(index)?;
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.closed = false;
        self.live.push_back(LiveFile { sequence, file, residents: Vec::new(), used: BLOCK_BYTES + length });
        Some(Placement { file: file.number, sequence, position: BLOCK_BYTES, new_file: true })
    }

    /// Whether `reserve` bytes for releasing the oldest file remain behind a commit of `length` bytes.
    #[must_use]
    pub fn has_room(&self, length: u64, reserve: u64) -> bool {
        match self.room_in_current().checked_sub(length) {
            Some(room) => self.keeps_reserve(None, room, reserve),
            None => self.choose_free(length, Lane::Data, reserve).is_some(),
        }
    }

    fn choose_free(&self, length: u64, lane: Lane, reserve: u64) -> Option<usize> {
        (0..self.free.len()).find(|&index| {
            let file = self.free[index];
            let Some(room) = file.bytes.checked_sub(BLOCK_BYTES + length) else { return false };
            self.in_use(file) && (lane == Lane::Release || self.keeps_reserve(Some(index), room, reserve))
        })
    }

    /// Whether `reserve` bytes remain when the current file (or free file `taken`, as the new current) has `room` left.
    /// Room in the current file does not count while it is itself the oldest: what is carried out of a file goes to a newer one.
    /// A file that is too small to take the reserve helps nobody when it is free again: it counts for one more reserve.
    fn keeps_reserve(&self, taken: Option<usize>, room: u64, reserve: u64) -> bool {
        let small = self.live.iter().filter(|live| live.file.bytes < BLOCK_BYTES + reserve).count();
        let reserve = reserve * (1 + small as u64);
        let current_is_oldest = self.live.is_empty() || (taken.is_none() && self.live.len() == 1);
        let in_current = if current_is_oldest { 0 } else { room };
        let in_free = (0..self.free.len())
            .filter(|&index| Some(index) != taken && self.in_use(self.free[index]))
            .map(|index| self.free[index].bytes - BLOCK_BYTES)
            .max();
        in_current.max(in_free.unwrap_or(0)) >= reserve
    }

    /// Small files serve only until the ring has grown.
    fn in_use(&self, file: RingFile) -> bool {
        file.bytes >= self.file_bytes || self.full_size_files() < FULL_SIZE_FILES
    }

    fn full_size_files(&self) -> usize {
        self.files().filter(|file| file.bytes >= self.file_bytes).count()
    }

    fn files(&self) -> impl Iterator<Item = RingFile> + '_ {
        let live = self.live.iter().map(|live| live.file);
        live.chain(self.dead.iter().map(|(_, file)| *file)).chain(self.free.iter().copied())
    }

    #[must_use]
    pub fn needs_new_file(&self, length: u64) -> bool {
        self.room_in_current() < length
    }

    fn room_in_current(&self) -> u64 {
        match self.live.back() {
            Some(current) if !self.closed => current.file.bytes - current.used,
            _ => 0,
        }
    }

    pub fn add_resident(&mut self, sequence: u64, key: SegmentKey) {
        let newest = self.live.iter_mut().rev().find(|live| live.sequence == sequence);
        newest.expect("a file lives while its commits are issued").residents.push(key);
    }

    /// The smallest sequence that replay needs.
    #[must_use]
    pub fn oldest_live(&self) -> u64 {
        self.live.front().map_or(self.next_sequence, |live| live.sequence)
    }

    /// What file and commit headers say about it.
    #[must_use]
    pub fn stated_oldest_live(&self) -> u64 {
        if self.mutations.no_oldest_live() { 1 } else { self.oldest_live() }
    }

    #[must_use]
    pub fn current_sequence(&self) -> Option<u64> {
        self.live.back().map(|live| live.sequence)
    }

    /// The next commit goes to a new file: the current one is to be released.
    pub fn close_current(&mut self) {
        self.closed = true;
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The residents of the oldest file, handed over: it takes no more entries.
    pub fn take_oldest_residents(&mut self) -> Vec<SegmentKey> {
        self.live.front_mut().map(|live| std::mem::take(&mut live.residents)).unwrap_or_default()
    }

    /// Nothing in the oldest file is needed any more, durably.
    pub fn retire_oldest(&mut self) {
        let oldest = self.live.pop_front().expect("only a live file is released");
        if self.live.is_empty() {
            self.closed = false;
        }
        if self.mutations.reuse_space_too_early() || self.mutations.no_oldest_live() {
            self.free.push_back(oldest.file);
        } else {
            self.dead.push_back((oldest.sequence, oldest.file));
        }
    }

    /// A durable commit says that files below `oldest_live_sequence` are dead: they may be written again.
    pub fn on_stated(&mut self, oldest_live_sequence: u64) {
        while self.dead.front().is_some_and(|(sequence, _)| *sequence < oldest_live_sequence) {
            self.free.extend(self.dead.pop_front().map(|(_, file)| file));
        }
    }

    #[must_use]
    pub fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }

    #[must_use]
    pub fn live_files(&self) -> usize {
        self.live.len()
    }

    /// The file that should be prepared now, if any. Asked once; `on_file_ready` or `on_file_lacks_space` ends it.
    pub fn maybe_grow(&mut self, sparing: bool) -> Option<(u32, u64)> {
        if self.preparing.is_some() {
            return None;
        }
        let total: u64 = self.files().map(|file| file.bytes).sum();
        let whole = self.files().filter(|file| !self.is_short(*file)).count();
        let bytes = if whole == 0 { self.first_file_bytes } else { self.file_bytes };
        let must = whole < RING_FILES_MIN;
        if !must && (sparing || self.used_bytes() * 2 <= total || total + bytes > self.bytes_max) {
            return None;
        }
        let number = self.number_to_prepare();
        self.preparing = Some(RingFile { number, bytes });
        Some((number, bytes))
    }

    /// The power went while it was being prepared: it may be too small for a batch.
    fn is_short(&self, file: RingFile) -> bool {
        file.bytes < self.first_file_bytes
    }

    /// A new one, or a short one that is made whole: of those there are never more than the ring has to have.
    fn number_to_prepare(&mut self) -> u32 {
        let is_enough = self.files().count() >= RING_FILES_MIN;
        let short = self.free.iter().position(|file| is_enough && self.is_short(*file));
        if let Some(file) = short.and_then(|index| self.free.remove(index)) {
            return file.number;
        }
        self.next_number += 1;
        self.next_number - 1
    }

    #[must_use]
    pub fn is_growing(&self) -> bool {
        self.preparing.is_some()
    }

    pub fn on_file_ready(&mut self, number: u32) {
        if let Some(file) = self.preparing.take_if(|file| file.number == number) {
            self.free.push_back(file);
        }
    }

    /// It did not come into being: its number stays unused.
    pub fn on_file_lacks_space(&mut self, number: u32) {
        self.preparing.take_if(|file| file.number == number);
    }

    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        let live = self.live.iter().map(|live| live.used).sum::<u64>();
        live + self.dead.iter().map(|(_, file)| file.bytes).sum::<u64>()
    }

    /// What the ring holds when it has grown as far as it may.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.bytes().max(self.bytes_max)
    }

    /// What it holds now: a full disk may keep it from growing.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    /// The smallest file that is, or will be, in use.
    #[must_use]
    pub fn smallest_file_bytes(&self) -> u64 {
        let smallest = self.files().filter(|file| self.in_use(*file)).map(|file| file.bytes).min();
        smallest.unwrap_or(self.first_file_bytes)
    }

    /// The size of the files that the ring grows by.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }
}
