//! The end of a partition's account: names for everything that did not fit while it was read.
//!
//! Decides which leftover of reading explains which batch that was not met. Identity goes before place: a whole batch at another
//! offset is reordered, or a copy; only what no identity explains is compared with what was acknowledged at its offset.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::report::Verification;

use super::{BatchKey, Claim, EXAMPLES_MAX, End, PartitionLedger, SentBatch, Unclaimed};

/// A batch that was not met where it should be.
#[derive(Clone, Copy)]
struct Open {
    sent: SentBatch,
    end: End,
    /// Where it was acknowledged.
    base_offset: Option<i64>,
}

/// The open batches, to be found by what they are and by where they should be.
#[derive(Default)]
struct OpenBatches {
    by_key: BTreeMap<BatchKey, Open>,
    by_origin: BTreeMap<(u32, u32), BatchKey>,
    by_offset: BTreeMap<i64, Vec<BatchKey>>,
}

impl OpenBatches {
    fn insert(&mut self, open: Open) {
        let key = (open.sent.crc, open.sent.connection, open.sent.sequence);
        self.by_origin.insert((open.sent.connection, open.sent.sequence), key);
        if let Some(base_offset) = open.base_offset {
            self.by_offset.entry(base_offset).or_default().push(key);
        }
        self.by_key.insert(key, open);
    }

    /// The very batch, wherever it should be; of two with one CRC and no stamp, the one that should be here.
    fn take_same(&mut self, found: &Unclaimed) -> Option<Open> {
        let key = if found.is_stamped {
            (found.crc, found.connection, found.sequence)
        } else {
            let same = || {
                self.by_key.range((found.crc, 0, 0)..=(found.crc, u32::MAX, u32::MAX)).map(|(key, _)| *key)
            };
            same()
                .find(|key| self.by_key[key].base_offset == Some(found.base_offset))
                .or_else(|| same().next())?
        };
        self.by_key.remove(&key)
    }

    fn take_origin(&mut self, found: &Unclaimed) -> Option<Open> {
        let origin = found.is_stamped.then_some((found.connection, found.sequence))?;
        self.by_key.remove(self.by_origin.get(&origin)?)
    }

    fn take_at(&mut self, base_offset: i64) -> Option<Open> {
        let keys = self.by_offset.get(&base_offset)?;
        keys.iter().find_map(|key| self.by_key.remove(key))
    }
}

impl PartitionLedger {
    /// The verdict. Everything up to `log_end_offset`, which was asked for last, has been read; everything that was sent has been told.
    ///
    /// `name` is that of the topic-partition, for the examples.
    #[must_use]
    pub fn finish(mut self, log_end_offset: i64, name: &str) -> Verification {
        if log_end_offset > self.position {
            self.gaps.push(self.position..log_end_offset);
        } else if log_end_offset < self.position {
            let read_to = self.position;
            self.counts.gaps += 1;
            self.example(|| format!("offsets {log_end_offset}..{read_to}: they were read, and are gone"));
        }
        let mut open = self.open_batches();
        let mut leftovers: Vec<Unclaimed> = self.unclaimed.drain(..).chain(self.strays.drain(..)).collect();
        leftovers.sort_by_key(|found| found.base_offset);
        leftovers.retain(|found| !self.explain_by_identity(found, &mut open));
        let seen: HashSet<u32> = self.recent_crcs.iter().copied().collect();
        for found in &leftovers {
            self.explain_by_place(found, &mut open, &seen);
        }
        for claim in std::mem::take(&mut self.reordered) {
            self.note_reordered(&claim.sent, claim.base_offset, claim.base_offset);
        }
        let missing = self.count_missing(&open);
        for gap in uncovered(std::mem::take(&mut self.gaps), missing) {
            self.counts.gaps += 1;
            self.example(|| format!("offsets {}..{}: no batch has them", gap.start, gap.end));
        }
        let mut counts = self.counts;
        for example in &mut counts.examples {
            *example = format!("{name} {example}");
        }
        counts
    }

    fn open_batches(&mut self) -> OpenBatches {
        let mut open = OpenBatches::default();
        for Claim { base_offset, sent } in self.passed.drain(..).chain(self.claims.drain(..)) {
            open.insert(Open { sent, end: End::Acknowledged, base_offset: Some(base_offset) });
        }
        for ((crc, connection, sequence), rest) in std::mem::take(&mut self.offsetless) {
            let sent =
                SentBatch { connection, sequence, crc, records: rest.records, intended_ns: rest.intended_ns };
            open.insert(Open { sent, end: rest.end, base_offset: None });
        }
        open
    }

    /// A whole batch of ours that is owed, though elsewhere or earlier.
    fn explain_by_identity(&mut self, found: &Unclaimed, open: &mut OpenBatches) -> bool {
        if !found.crc_is_right {
            return false;
        }
        let Some(Open { sent, end, base_offset }) = open.take_same(found) else { return false };
        match base_offset {
            Some(acknowledged_at) => {
                self.remember_crc(found);
                self.note_reordered(&sent, found.base_offset, acknowledged_at);
            }
            None => self.settle_offsetless(found, sent, end),
        }
        true
    }

    /// A changed batch, a copy, or somebody else's.
    fn explain_by_place(&mut self, found: &Unclaimed, open: &mut OpenBatches, seen: &HashSet<u32>) {
        if !found.crc_is_right {
            let changed = open.take_origin(found).or_else(|| open.take_at(found.base_offset));
            self.note_corrupted(found, changed.map(|open| open.sent).as_ref());
        } else if found.is_stamped {
            match open.take_origin(found) {
                Some(changed) => self.note_corrupted(found, Some(&changed.sent)),
                None => self.note_duplicated(found),
            }
        } else if seen.contains(&found.crc) {
            self.note_duplicated(found);
        } else if let Some(changed) = open.take_at(found.base_offset) {
            self.note_corrupted(found, Some(&changed.sent));
        } else {
            self.counts.foreign += 1;
        }
    }

    /// Counts what was not met anywhere; returns the offsets that this leaves without a batch.
    fn count_missing(&mut self, open: &OpenBatches) -> Vec<Range<i64>> {
        let mut missing: Vec<(i64, SentBatch)> = Vec::new();
        for Open { sent, end, base_offset } in open.by_key.values() {
            match end {
                End::Acknowledged => missing.push((base_offset.unwrap_or(-1), *sent)),
                End::Unknown => self.counts.indeterminate_absent += 1,
                End::Refused => {}
            }
        }
        missing.sort_unstable_by_key(|(base_offset, sent)| (*base_offset, sent.connection, sent.sequence));
        self.counts.lost += missing.len() as u64;
        for (base_offset, sent) in missing.iter().take(EXAMPLES_MAX) {
            let place = if *base_offset < 0 { String::new() } else { format!("offset {base_offset}: ") };
            self.example(|| format!("{place}acknowledged {}: not there", described(sent)));
        }
        let located = missing.iter().filter(|(base_offset, _)| *base_offset >= 0);
        located
            .map(|(base_offset, sent)| *base_offset..base_offset.saturating_add(i64::from(sent.records)))
            .collect()
    }

    fn note_reordered(&mut self, sent: &SentBatch, found_at: i64, acknowledged_at: i64) {
        self.counts.reordered += 1;
        self.example(|| {
            let batch = described(sent);
            if found_at == acknowledged_at {
                format!("offset {found_at}: {batch}: behind a later batch")
            } else {
                format!("offset {found_at}: {batch}: acknowledged at offset {acknowledged_at}")
            }
        });
    }

    /// If the other copy was taken for one out of order, it was the copies that were: one name for one fault.
    fn note_duplicated(&mut self, found: &Unclaimed) {
        self.counts.duplicated += 1;
        if let Some(at) = self.reordered.iter().position(|claim| found.is_same(&claim.sent)) {
            self.reordered.swap_remove(at);
            self.counts.verified += 1;
        }
        self.example(|| {
            let at = found.base_offset;
            if found.is_stamped {
                let (connection, sequence) = (found.connection, found.sequence);
                format!("offset {at}: one copy too many of the batch of connection {connection}, sequence {sequence}")
            } else {
                format!("offset {at}: one copy too many of the batch with CRC {:08x}", found.crc)
            }
        });
    }

    pub(super) fn note_corrupted(&mut self, found: &Unclaimed, sent: Option<&SentBatch>) {
        self.counts.corrupted += 1;
        self.example(|| {
            let at = found.base_offset;
            let batch = sent.map_or_else(|| "a batch of nobody known".into(), described);
            match sent {
                Some(sent) if found.crc_is_right => format!(
                    "offset {at}: {batch}: sent with CRC {:08x}, there with {:08x} (a topic that sets timestamps or a codec \
                     of its own does this)",
                    sent.crc, found.crc
                ),
                _ => format!("offset {at}: {batch}: its bytes do not match its CRC {:08x}", found.crc),
            }
        });
    }

    pub(super) fn note_refused_but_present(&mut self, found: &Unclaimed, sent: &SentBatch) {
        self.counts.refused_but_present += 1;
        let at = found.base_offset;
        self.example(|| format!("offset {at}: {}: the broker refused it, and there it is", described(sent)));
    }

    fn example(&mut self, words: impl FnOnce() -> String) {
        if self.counts.examples.len() < EXAMPLES_MAX {
            self.counts.examples.push(words());
        }
    }
}

fn described(sent: &SentBatch) -> String {
    let SentBatch { connection, sequence, records, .. } = sent;
    format!("batch of connection {connection}, sequence {sequence}, {records} records")
}

/// Takes `range` out of the `gaps`.
pub(super) fn subtract(gaps: &mut Vec<Range<i64>>, range: &Range<i64>) {
    let mut pieces = Vec::new();
    gaps.retain_mut(|gap| {
        if range.end <= gap.start || gap.end <= range.start {
            return true;
        }
        if range.end < gap.end {
            pieces.push(range.end..gap.end);
        }
        gap.end = range.start.max(gap.start);
        !gap.is_empty()
    });
    gaps.extend(pieces);
}

/// The parts of `gaps` that none of the `missing` ranges covers.
fn uncovered(mut gaps: Vec<Range<i64>>, mut missing: Vec<Range<i64>>) -> Vec<Range<i64>> {
    gaps.sort_unstable_by_key(|gap| gap.start);
    missing.sort_unstable_by_key(|range| range.start);
    let mut parts = Vec::new();
    let mut first = 0;
    for gap in gaps {
        while missing.get(first).is_some_and(|range| range.end <= gap.start) {
            first += 1;
        }
        let mut from = gap.start;
        for range in missing.iter().skip(first).take_while(|range| range.start < gap.end) {
            if range.start > from {
                parts.push(from..range.start);
            }
            from = from.max(range.end);
        }
        if from < gap.end {
            parts.push(from..gap.end);
        }
    }
    parts
}
