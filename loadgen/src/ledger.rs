//! What one topic-partition owes: sent, acknowledged, without a known end; and what reading it back has found.
//!
//! Decides what is lost, duplicated, reordered, corrupted. Knows no sockets: producers tell it what happened to their batches,
//! readers what they met, in any interleaving. The rules: `docs/LOADGEN.md`, "Verification".
//!
//! A batch that is at its offset as it was sent is settled at once and forgotten. Whatever does not fit is kept and judged at the
//! end (`judge`), when everything is known: the same log gives the same names, whatever came first, its reading or its answers.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use crate::conversation::Nanoseconds;
use crate::report::Verification;
use crate::stamp::Stamp;

mod judge;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_model;

/// Examples in words that one partition keeps.
pub const EXAMPLES_MAX: usize = 10;
/// CRCs of compressed batches that are remembered after they were found, so that a copy has a name.
const RECENT_CRCS_MAX: usize = 4_096;
/// Below these many elements memory is not given back.
const SHRINK_ELEMENTS_MIN: usize = 4_096;

/// One batch as its producer knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentBatch {
    pub connection: u32,
    /// Counts the batches of this connection to this topic-partition from 0.
    pub sequence: u32,
    /// The CRC-32C that its header carried.
    pub crc: u32,
    pub records: u32,
    pub intended_ns: u64,
}

/// One batch as a reader met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundBatch {
    pub base_offset: i64,
    pub last_offset: i64,
    pub records: u32,
    pub crc_stored: u32,
    /// The bytes of the batch match `crc_stored`.
    pub crc_is_right: bool,
    /// Such a batch has no stamp to read: it is known by its CRC.
    pub is_compressed: bool,
    /// A transaction marker and the like: it takes an offset and is nobody's.
    pub is_control: bool,
    pub stamp: Option<Stamp>,
}

/// An acknowledged batch that has not been met: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    base_offset: i64,
    sent: SentBatch,
}

const _: () = assert!(size_of::<Claim>() == 32);

/// A batch that was met and that nobody has claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unclaimed {
    base_offset: i64,
    read_at: Nanoseconds,
    crc: u32,
    /// Of its stamp, where `is_stamped`: this run's.
    connection: u32,
    sequence: u32,
    is_stamped: bool,
    is_compressed: bool,
    crc_is_right: bool,
    /// Its sequence is below one that this connection has at a lower offset, or it was read behind a higher offset.
    is_behind: bool,
}

/// How the request of a batch ended whose offset is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Acknowledged,
    Unknown,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offsetless {
    records: u32,
    end: End,
    intended_ns: u64,
}

/// CRC, connection, sequence: ordered so that a batch can be found by its CRC alone.
type BatchKey = (u32, u32, u32);

/// The highest sequence of a connection that was met, and where.
#[derive(Clone, Copy, Debug)]
struct Head {
    connection: u32,
    sequence: u32,
    base_offset: i64,
}

/// Is what was found what was sent?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Same,
    /// The same batch with other bytes.
    Changed,
    Other,
}

/// The account of one topic-partition.
///
/// Lives: per topic-partition of a run.
/// Shape:  | start_offset .... met: settled or unclaimed .... position | claims .... |
/// Invariants: each batch is told once, with its final end. `on_read` is called in the order in which the log was read; a batch
///             below the position is one out of order. Batches below `start_offset` are not looked at.
#[derive(Debug)]
pub struct PartitionLedger {
    run: u32,
    start_offset: i64,
    position: i64,
    acknowledged_end: i64,
    /// Acknowledged at or above the position, ascending.
    claims: VecDeque<Claim>,
    /// Met below the position, ascending.
    unclaimed: VecDeque<Unclaimed>,
    /// Met after the position had passed them.
    strays: Vec<Unclaimed>,
    /// Acknowledged; reading has passed their offset without meeting them there.
    passed: Vec<Claim>,
    offsetless: BTreeMap<BatchKey, Offsetless>,
    /// By connection.
    heads: Vec<Head>,
    gaps: Vec<Range<i64>>,
    recent_crcs: VecDeque<u32>,
    /// At the offset that was acknowledged, behind a later one of their connection.
    reordered: Vec<Claim>,
    counts: Verification,
}

impl PartitionLedger {
    /// `start_offset` is where the log ended before the run, `run` the number in the run's stamps.
    #[must_use]
    pub fn new(start_offset: i64, run: u32) -> PartitionLedger {
        PartitionLedger {
            run,
            start_offset,
            position: start_offset,
            acknowledged_end: start_offset,
            claims: VecDeque::new(),
            unclaimed: VecDeque::new(),
            strays: Vec::new(),
            passed: Vec::new(),
            offsetless: BTreeMap::new(),
            heads: Vec::new(),
            gaps: Vec::new(),
            recent_crcs: VecDeque::new(),
            reordered: Vec::new(),
            counts: Verification::default(),
        }
    }

    /// The offset after everything that was read.
    #[must_use]
    pub fn read_position(&self) -> i64 {
        self.position
    }

    /// The offset after the last acknowledged batch: less `read_position`, what readers have yet to read.
    #[must_use]
    pub fn acknowledged_end(&self) -> i64 {
        self.acknowledged_end
    }

    /// Memory beside the value itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.claims.capacity() * size_of::<Claim>()
            + self.unclaimed.capacity() * size_of::<Unclaimed>()
            + self.strays.capacity() * size_of::<Unclaimed>()
            + (self.passed.capacity() + self.reordered.capacity()) * size_of::<Claim>()
            // Nodes of the tree are two thirds full on average.
            + self.offsetless.len() * (size_of::<BatchKey>() + size_of::<Offsetless>()) * 3 / 2
            + self.heads.capacity() * size_of::<Head>()
            + self.gaps.capacity() * size_of::<Range<i64>>()
            + self.recent_crcs.capacity() * size_of::<u32>()
    }

    /// The broker has stored the batch at `base_offset`; below 0, the broker does not say where.
    ///
    /// Returns when it was read, if that was before and its `on_read` could not tell when it had been intended.
    pub fn on_acknowledged(&mut self, sent: SentBatch, base_offset: i64) -> Option<Nanoseconds> {
        if base_offset < 0 {
            return self.on_acknowledged_elsewhere(sent);
        }
        self.counts.acknowledged += 1;
        self.acknowledged_end =
            self.acknowledged_end.max(base_offset.saturating_add(i64::from(sent.records)));
        let claim = Claim { base_offset, sent };
        if base_offset >= self.position {
            match self.claims.back() {
                Some(last) if last.base_offset > base_offset => {
                    let at = self.claims.partition_point(|other| other.base_offset <= base_offset);
                    self.claims.insert(at, claim);
                }
                _ => self.claims.push_back(claim),
            }
            return None;
        }
        let at = self.unclaimed.partition_point(|found| found.base_offset < base_offset);
        let likeness = match self.unclaimed.get(at) {
            Some(found) if found.base_offset == base_offset => found.likeness_here(&sent),
            _ => Likeness::Other,
        };
        if likeness == Likeness::Other {
            self.passed.push(claim);
            return None;
        }
        let found = self.unclaimed.remove(at)?;
        self.settle(&found, claim, likeness);
        found.late_read()
    }

    /// The broker has the batch and does not say where: a sequence that it has seen before. Returns as `on_acknowledged`.
    pub fn on_acknowledged_elsewhere(&mut self, sent: SentBatch) -> Option<Nanoseconds> {
        self.counts.acknowledged += 1;
        self.end_without_offset(sent, End::Acknowledged)
    }

    /// The batch may be there or not, at most once: its connection died before the answer, or nobody asked for one (acks=0).
    /// Returns as `on_acknowledged`.
    pub fn on_unknown(&mut self, sent: SentBatch) -> Option<Nanoseconds> {
        self.end_without_offset(sent, End::Unknown)
    }

    /// The broker has said that it did not store the batch.
    pub fn on_refused(&mut self, sent: SentBatch) {
        self.end_without_offset(sent, End::Refused);
    }

    /// A reader met this batch. Returns when it had been intended, if that is known by now.
    pub fn on_read(&mut self, found: FoundBatch, now: Nanoseconds) -> Option<Nanoseconds> {
        if found.last_offset < self.start_offset {
            return None;
        }
        let is_in_order = self.advance(found.base_offset, found.last_offset);
        if found.is_control {
            return None;
        }
        let stamp = found.stamp.filter(|stamp| stamp.run == self.run);
        if found.crc_is_right && stamp.is_none() && (found.stamp.is_some() || !found.is_compressed) {
            self.counts.foreign += 1;
            return None;
        }
        let entry = self.unclaimed_of(&found, stamp, is_in_order, now);
        let intended = stamp.map(|stamp| stamp.intended_ns);
        if !is_in_order {
            self.strays.push(entry);
            return intended;
        }
        while let Some(claim) = self.claims.pop_front_if(|claim| claim.base_offset < found.base_offset) {
            self.passed.push(claim);
        }
        if let Some((claim, likeness)) = self.take_claim(&entry) {
            self.settle(&entry, claim, likeness);
            return Some(claim.sent.intended_ns);
        }
        if let Some((sent, end)) = self.take_offsetless(&entry) {
            self.settle_offsetless(&entry, sent, end);
            return Some(sent.intended_ns);
        }
        self.unclaimed.push_back(entry);
        intended
    }

    /// Moves the position over a batch and notes what it left out. False where the position had passed the batch.
    fn advance(&mut self, base_offset: i64, last_offset: i64) -> bool {
        let next = last_offset.saturating_add(1).max(base_offset);
        let is_in_order = base_offset >= self.position;
        if base_offset > self.position {
            self.gaps.push(self.position..base_offset);
        }
        if !is_in_order {
            judge::subtract(&mut self.gaps, &(base_offset..next));
        }
        self.position = self.position.max(next);
        is_in_order
    }

    fn unclaimed_of(
        &mut self,
        found: &FoundBatch,
        stamp: Option<Stamp>,
        is_in_order: bool,
        now: Nanoseconds,
    ) -> Unclaimed {
        let mut entry = Unclaimed {
            base_offset: found.base_offset,
            read_at: now,
            crc: found.crc_stored,
            connection: 0,
            sequence: 0,
            is_stamped: stamp.is_some(),
            is_compressed: found.is_compressed,
            crc_is_right: found.crc_is_right,
            is_behind: !is_in_order,
        };
        if let Some(stamp) = stamp {
            (entry.connection, entry.sequence) = (stamp.connection, stamp.sequence);
            if found.crc_is_right && is_in_order {
                entry.is_behind = self.is_behind(stamp.connection, stamp.sequence, found.base_offset);
            }
        }
        entry
    }

    /// Does this contradict the order of the connection's batch with the highest sequence? Notes the higher of the two.
    fn is_behind(&mut self, connection: u32, sequence: u32, base_offset: i64) -> bool {
        let head = Head { connection, sequence, base_offset };
        let at = match self.heads.binary_search_by_key(&connection, |head| head.connection) {
            Ok(at) => at,
            Err(at) => {
                self.heads.insert(at, head);
                return false;
            }
        };
        let highest = self.heads[at];
        if sequence > highest.sequence {
            self.heads[at] = head;
            return base_offset < highest.base_offset;
        }
        sequence < highest.sequence && base_offset > highest.base_offset
    }

    /// Of the batches acknowledged at the offset of `found`, the one that it is. Two at one offset: the broker has lost one.
    fn take_claim(&mut self, found: &Unclaimed) -> Option<(Claim, Likeness)> {
        let front = self.claims.front().filter(|claim| claim.base_offset == found.base_offset)?;
        let likeness = found.likeness_here(&front.sent);
        if likeness == Likeness::Same {
            let claim = self.claims.pop_front()?;
            self.give_memory_back();
            return Some((claim, likeness));
        }
        let here = self.claims.iter().take_while(|claim| claim.base_offset == found.base_offset);
        let (at, likeness) = here
            .map(|claim| (found.likeness_here(&claim.sent), !found.is_from(&claim.sent)))
            .enumerate()
            .filter(|(_, (likeness, _))| *likeness != Likeness::Other)
            .min_by_key(|(_, (likeness, is_from_another))| (*likeness != Likeness::Same, *is_from_another))
            .map(|(at, (likeness, _))| (at, likeness))?;
        self.claims.remove(at).map(|claim| (claim, likeness))
    }

    fn take_offsetless(&mut self, found: &Unclaimed) -> Option<(SentBatch, End)> {
        if self.offsetless.is_empty() || !found.crc_is_right {
            return None;
        }
        let range = if found.is_stamped {
            let key = (found.crc, found.connection, found.sequence);
            key..=key
        } else {
            (found.crc, 0, 0)..=(found.crc, u32::MAX, u32::MAX)
        };
        let key = *self.offsetless.range(range).next()?.0;
        let Offsetless { records, end, intended_ns } = self.offsetless.remove(&key)?;
        let (crc, connection, sequence) = key;
        Some((SentBatch { connection, sequence, crc, records, intended_ns }, end))
    }

    fn end_without_offset(&mut self, sent: SentBatch, end: End) -> Option<Nanoseconds> {
        if let Some(at) = self.unclaimed.iter().position(|found| found.is_same(&sent)) {
            let found = self.unclaimed.remove(at)?;
            self.settle_offsetless(&found, sent, end);
            return found.late_read();
        }
        let key = (sent.crc, sent.connection, sent.sequence);
        let rest = Offsetless { records: sent.records, end, intended_ns: sent.intended_ns };
        self.offsetless.insert(key, rest);
        None
    }

    fn settle(&mut self, found: &Unclaimed, claim: Claim, likeness: Likeness) {
        if likeness == Likeness::Changed {
            self.note_corrupted(found, Some(&claim.sent));
            return;
        }
        self.remember_crc(found);
        let sent = &claim.sent;
        let is_behind = if found.is_stamped {
            found.is_behind
        } else {
            self.is_behind(sent.connection, sent.sequence, claim.base_offset)
        };
        if is_behind {
            self.reordered.push(claim);
        } else {
            self.counts.verified += 1;
        }
    }

    /// The order of a batch without a known end says nothing: its old connection may still have been read after the new one.
    fn settle_offsetless(&mut self, found: &Unclaimed, sent: SentBatch, end: End) {
        match end {
            End::Acknowledged => {
                self.settle(found, Claim { base_offset: found.base_offset, sent }, Likeness::Same);
            }
            End::Unknown => {
                self.remember_crc(found);
                self.counts.indeterminate_present += 1;
            }
            End::Refused => {
                self.remember_crc(found);
                self.note_refused_but_present(found, &sent);
            }
        }
    }

    /// A stamp tells a copy by itself; without one, only a CRC seen before does.
    fn remember_crc(&mut self, found: &Unclaimed) {
        if found.is_stamped {
            return;
        }
        if self.recent_crcs.len() == RECENT_CRCS_MAX {
            self.recent_crcs.pop_front();
        }
        self.recent_crcs.push_back(found.crc);
    }

    fn give_memory_back(&mut self) {
        let capacity = self.claims.capacity();
        if capacity > SHRINK_ELEMENTS_MIN && self.claims.len() < capacity / 8 {
            self.claims.shrink_to(capacity / 4);
        }
    }
}

impl Unclaimed {
    fn is_from(&self, sent: &SentBatch) -> bool {
        self.is_stamped && self.connection == sent.connection && self.sequence == sent.sequence
    }

    /// The very batch, bytes and all.
    fn is_same(&self, sent: &SentBatch) -> bool {
        self.crc_is_right && self.crc == sent.crc && (!self.is_stamped || self.is_from(sent))
    }

    /// Found where `sent` was acknowledged: is it that? Bytes that say nothing any more are compared at the end.
    fn likeness_here(&self, sent: &SentBatch) -> Likeness {
        if self.is_same(sent) {
            Likeness::Same
        } else if self.is_from(sent) {
            Likeness::Changed
        } else {
            Likeness::Other
        }
    }

    /// When it was read, where `on_read` had no stamp to tell the intended moment from.
    fn late_read(&self) -> Option<Nanoseconds> {
        (!self.is_stamped).then_some(self.read_at)
    }
}
