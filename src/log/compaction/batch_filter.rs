//! What becomes of one batch.
//!
//! ```text
//! record   stays if it is the newest of its key, or lies behind what was mapped; one without a key goes
//! tombstone  stays until the delete horizon of its batch, which the first look at it sets
//! batch    without records goes, unless it ends its segment or is the last one of its producer: then it stays, empty
//! ```
//!
//! Decides by the rules that it is given: the map, the clock, the producers. What cannot be judged stays as it is: markers, and batches
//! that do not inflate. Records of transactions never stand in the map, so they never take another's place; nor do their
//! tombstones ever go by time.
//! Source: Apache Kafka 4.3.1's log cleaner; KIP-534.

use protocol::record::{BatchView, DecompressLimit, OpenBatch, emptied};

use super::super::append::INFLATE_BYTES_MAX;
use super::offset_map::OffsetMap;
use crate::effect::CleanRules;
use crate::model::Offset;

/// What one batch may inflate to.
pub(super) const LIMIT: DecompressLimit = DecompressLimit(INFLATE_BYTES_MAX);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// As it is.
    Stays,
    /// These bytes take its place.
    Becomes(Vec<u8>),
    Goes,
}

/// Lives: for the rewriting of one segment. Memory: the records of one batch.
pub(super) struct BatchFilter<'a> {
    map: &'a OffsetMap,
    rules: &'a CleanRules,
    inflated: Vec<u8>,
    keep: Vec<bool>,
    pub records_dropped: u64,
}

impl<'a> BatchFilter<'a> {
    pub fn new(map: &'a OffsetMap, rules: &'a CleanRules) -> BatchFilter<'a> {
        BatchFilter { map, rules, inflated: Vec::new(), keep: Vec::new(), records_dropped: 0 }
    }

    /// `ends_segment`: it must stay, if only without its records.
    pub fn fate(&mut self, batch: BatchView<'_>, ends_segment: bool) -> Fate {
        if batch.is_control() {
            return Fate::Stays;
        }
        let BatchFilter { map, rules, inflated, keep, records_dropped } = self;
        let Ok(open) = OpenBatch::open(batch, LIMIT, inflated) else { return Fate::Stays };
        keep.clear();
        let mut has_tombstones = false;
        for record in open.records() {
            let Ok(record) = record else { return Fate::Stays };
            let offset = Offset(record.offset);
            let is_tombstone = record.value.is_none() && offset < rules.clean_end;
            let stays = stays(map, rules, &batch, offset, record.key, is_tombstone);
            has_tombstones |= stays && is_tombstone;
            keep.push(stays);
        }
        let kept = keep.iter().filter(|stays| **stays).count();
        if kept == 0 {
            *records_dropped += keep.len() as u64;
            return fate_of_empty(rules, batch, ends_segment);
        }
        let wants_horizon = has_tombstones && batch.delete_horizon_ms().is_none();
        if kept == keep.len() && !wants_horizon {
            return Fate::Stays;
        }
        let horizon = wants_horizon.then(|| rules.now_ms.saturating_add(rules.delete_retention_ms));
        match open.rewrite(keep, horizon) {
            Ok(bytes) => {
                *records_dropped += (keep.len() - kept) as u64;
                Fate::Becomes(bytes)
            }
            Err(_) => Fate::Stays,
        }
    }
}

fn stays(
    map: &OffsetMap,
    rules: &CleanRules,
    batch: &BatchView<'_>,
    offset: Offset,
    key: Option<&[u8]>,
    is_tombstone: bool,
) -> bool {
    if offset >= rules.clean_end {
        return true;
    }
    // Of the time before the topic was compacted.
    let Some(key) = key else { return false };
    if map.newest(key).is_some_and(|newest| newest > offset) {
        return false;
    }
    let is_past_horizon = batch.delete_horizon_ms().is_some_and(|horizon| horizon <= rules.now_ms);
    !(is_tombstone && is_past_horizon && !batch.is_transactional())
}

fn fate_of_empty(rules: &CleanRules, batch: BatchView<'_>, ends_segment: bool) -> Fate {
    let last = rules.producers.binary_search_by_key(&batch.producer_id(), |(producer_id, _)| *producer_id);
    let is_last_of_producer = last.is_ok_and(|at| rules.producers[at].1 == Offset(batch.last_offset()));
    if !ends_segment && !is_last_of_producer {
        return Fate::Goes;
    }
    if batch.records_count() == 0 { Fate::Stays } else { Fate::Becomes(emptied(batch.header())) }
}
