//! What the release of a journal file may have to write into newer ones: an entry for each open segment, and a checkpoint of its log.
//!
//! Decides how much of the ring is kept free for that, and what happens where it would be more than a journal file takes: with very many
//! partitions, with very many producers in them, or with a small ring. Checkpoints are bounded: of those that are beyond it the segment is
//! sealed instead, and if that has to wait for something, a start reads it. Their number is bounded by sealing segments in turn.

use super::{OpenSegment, Storage, release_bytes_max};
use crate::journal::{LogId, SegmentKey};
use crate::limits::{BLOCK_BYTES, SEALS_TOLD_TOGETHER};

/// What carrying one segment costs beside its checkpoint and its bytes: the headers of a SegmentEnd and of a Data entry, and padding.
const CARRY_BYTES: u64 = 2 * (crate::journal::format::ENTRY_HEADER_BYTES as u64 + 8);

/// Remainders that one release carries take at most this part of a journal file: else they would fill much of each file again.
const REMAINDERS_DIVISOR: u64 = 16;

/// The same for the commits that tell of segments which a release seals.
const SEALS_DIVISOR: u64 = 16;

/// Segments that one turn closes to make room.
const CLOSES_PER_TURN_MAX: usize = 64;

/// Partitions that one turn looks at for that.
const SCANS_PER_TURN_MAX: usize = 1024;

/// Sums over the open segments of which a journal file holds something.
#[derive(Debug, Default)]
pub(super) struct Carries {
    segments: u64,
    /// Of these, what goes away by its seal alone.
    closing: u64,
    /// The most bytes that checkpoints of all of them take.
    checkpoints: u64,
}

impl Carries {
    /// Changes a segment, and the sums with it.
    pub fn change(&mut self, segment: &mut OpenSegment, change: impl FnOnce(&mut OpenSegment)) {
        self.forget(segment);
        change(segment);
        self.count(segment);
    }

    pub fn count(&mut self, segment: &OpenSegment) {
        if segment.issued > 0 {
            self.segments += 1;
            self.closing += u64::from(segment.is_closing());
            self.checkpoints += segment.checkpoint;
        }
    }

    /// Segments that go away by their seal alone.
    pub fn closing(&self) -> u64 {
        self.closing
    }

    pub fn forget(&mut self, segment: &OpenSegment) {
        if segment.issued > 0 {
            self.segments -= 1;
            self.closing -= u64::from(segment.is_closing());
            self.checkpoints -= segment.checkpoint;
        }
    }
}

impl OpenSegment {
    /// All of it is issued, and nothing will follow. What still waits for room in the ring would wait for itself.
    fn is_closing(&self) -> bool {
        self.full && self.issued == self.length
    }
}

/// Commits that so many bytes of entries take at most, but for those that `release_bytes_max` adds.
fn commits_max(bytes: u64, commit_bytes_max: u64) -> u64 {
    bytes / commit_bytes_max * 2
}

/// Commits of one release that tell of segments which it seals.
fn seal_commits_max(file_bytes: u64) -> u64 {
    file_bytes / SEALS_DIVISOR / (2 * BLOCK_BYTES)
}

/// The most bytes of entries, remainders included, that a release may write: with all that `reserve` adds to them they take three quarters
/// of a journal file. So a file is gained by what others are freed for.
pub(super) fn carries_bytes_max(file_bytes: u64, commit_bytes_max: u64) -> u64 {
    let seal_commits = seal_commits_max(file_bytes);
    let full_commits = 0..file_bytes / commit_bytes_max;
    let bytes_max = full_commits.filter_map(|full| {
        let (from, below) = (full * commit_bytes_max, (full + 1) * commit_bytes_max);
        let others = release_bytes_max(0, commits_max(from, commit_bytes_max) + seal_commits);
        let bytes = (file_bytes / 4 * 3).checked_sub(others)?.min(below - 1);
        (bytes >= from).then_some(bytes)
    });
    bytes_max.max().unwrap_or(0)
}

impl Storage {
    /// The room in the ring that records leave for the release of its oldest file.
    pub(super) fn reserve(&self) -> u64 {
        let remainders = self.remainders_bytes_max().min(self.unsealed_count * BLOCK_BYTES);
        let checkpoints_max = self.checkpoints_bytes_max();
        let checkpoints = self.carries.checkpoints.min(checkpoints_max);
        let bytes = self.carries.segments * CARRY_BYTES + checkpoints + remainders;
        let seals_some = self.carries.checkpoints > checkpoints_max;
        let seal_commits = if seals_some { seal_commits_max(self.journal.ring().file_bytes()) } else { 0 };
        let commits = commits_max(bytes, self.journal.commit_bytes_max()) + seal_commits;
        release_bytes_max(bytes, commits + self.restore.commits_max())
    }

    /// What one release may carry in all; beyond it last blocks are flushed although more is to come for them.
    pub(super) fn remainders_bytes_max(&self) -> u64 {
        self.journal.ring().file_bytes() / REMAINDERS_DIVISOR
    }

    /// What the checkpoints of one release may take.
    pub(super) fn checkpoints_bytes_max(&self) -> u64 {
        self.entries_bytes_max().saturating_sub(self.carries.segments * CARRY_BYTES)
    }

    /// What its entries may take, without remainders.
    fn entries_bytes_max(&self) -> u64 {
        self.carries_bytes_max.saturating_sub(self.remainders_bytes_max())
    }

    /// Segments that one release may seal since their checkpoints would be too many.
    fn seals_max(&self) -> usize {
        let commits = seal_commits_max(self.journal.ring().file_bytes());
        usize::try_from(commits).unwrap_or(usize::MAX).saturating_mul(SEALS_TOLD_TOGETHER)
    }

    /// Seals some of the segments that a release has to carry, if their checkpoints would take too much of a file. Those that wait for
    /// something are carried first: they cannot be sealed.
    pub(super) fn seal_instead_of_carrying(&mut self, residents: &[SegmentKey]) {
        let mut room = self.checkpoints_bytes_max();
        if self.carries.checkpoints <= room {
            return;
        }
        let mut seals = self.seals_max();
        let (settled, waiting): (Vec<SegmentKey>, Vec<SegmentKey>) =
            residents.iter().partition(|key| self.is_active_settled(key.log));
        for key in waiting.into_iter().chain(settled) {
            let Some(segment) = self.slots[key.log].segment(key.base_offset) else { continue };
            match room.checked_sub(segment.checkpoint) {
                Some(left) => room = left,
                None if segment.full => {}
                None if seals == 0 => return,
                None => seals -= usize::from(self.close_for_room(key.log)),
            }
        }
    }

    /// Closes segments while the entries for all of them would take too much of a journal file: that is a matter of very many partitions, or
    /// of a small ring. It takes them in turn, and only those that wait for nothing.
    pub(super) fn maybe_seal_for_room(&mut self) {
        let allowed = self.entries_bytes_max();
        let mut closed = 0;
        assert!(self.carries.closing <= self.carries.segments, "what goes away is a part of what is there");
        for _ in 0..SCANS_PER_TURN_MAX.min(self.slots.len()) {
            let staying = self.carries.segments - self.carries.closing;
            if staying * CARRY_BYTES <= allowed || closed == CLOSES_PER_TURN_MAX {
                return;
            }
            self.seal_hand = (self.seal_hand + 1) % self.slots.len();
            let log = self.slots.id_at(self.seal_hand);
            closed += usize::from(self.close_for_room(log));
        }
    }

    fn close_for_room(&mut self, log: LogId) -> bool {
        let is_closed = self.maybe_close_active(log);
        self.counters.closed_for_room += u64::from(is_closed);
        is_closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::RING_FILE_BYTES_MIN;
    use crate::limits::{COMMIT_BYTES_MAX, JOURNAL_FILE_BYTES};

    /// Else records would wait for ever.
    #[test]
    fn what_a_release_may_write_leaves_a_part_of_a_journal_file() {
        let blocks = RING_FILE_BYTES_MIN / BLOCK_BYTES..=JOURNAL_FILE_BYTES / BLOCK_BYTES;
        for file_bytes in blocks.map(|blocks| blocks * BLOCK_BYTES) {
            let commit_bytes_max = (file_bytes / 4).min(COMMIT_BYTES_MAX);
            let bytes = carries_bytes_max(file_bytes, commit_bytes_max);
            let commits = commits_max(bytes, commit_bytes_max) + seal_commits_max(file_bytes);
            let all = release_bytes_max(bytes, commits);
            assert!(all <= file_bytes / 4 * 3, "{all} in {file_bytes}");
            assert!(bytes >= file_bytes / 5, "{bytes} of {file_bytes}");
        }
    }
}
