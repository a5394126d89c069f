//! The indexes of sealed segments: which are in memory, which are being loaded, which could not be.
//!
//! Decides what leaves memory: the index that was used longest ago. Where an index comes from is decided in `log`; who waits for it,
//! by the shard.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::Storage;
use crate::effect::{Effect, Effects, FileId, IndexFault};
use crate::journal::{LogId, SegmentKey};
use crate::limits::{FETCH_INDEX_WAIT_MS, INDEX_RETRY_MS, INDEXES_KEPT_MIN};
use crate::log::SegmentState;
use crate::model::{Instant, Offset, TopicPartition};

/// Lives: one per shard.
/// Invariants: `used` and `stamps` hold the same segments; `bytes` is the sum of theirs.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    /// By the time of the last use, oldest first.
    used: BTreeMap<u64, SegmentKey>,
    stamps: HashMap<SegmentKey, Resident>,
    next_stamp: u64,
    bytes: u64,
    loading: HashMap<SegmentKey, FileId>,
    /// To be loaded when the segment has been completed out of the journal.
    awaited: BTreeSet<SegmentKey>,
    /// Since when somebody wants one that is not there.
    wanted: HashMap<SegmentKey, Instant>,
    failed: HashMap<SegmentKey, Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Resident {
    stamp: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    fault: IndexFault,
    /// Before this the disk is not asked again.
    until: Instant,
}

/// How long an index has been wanted, by whomever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexWait {
    Usual,
    /// For `FETCH_INDEX_WAIT_MS` at least: whoever asks is to hear that something is wrong.
    TooLong,
}

/// An index that could not be loaded, for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexFailure {
    pub topic_partition: TopicPartition,
    /// Base offset of the segment.
    pub segment: Offset,
    pub fault: IndexFault,
}

/// What the end of a load means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexLoad {
    pub log: LogId,
    pub failure: Option<IndexFailure>,
}

impl Indexes {
    fn insert(&mut self, key: SegmentKey, bytes: u64) {
        self.remove(key);
        self.wanted.remove(&key);
        self.next_stamp += 1;
        self.used.insert(self.next_stamp, key);
        self.stamps.insert(key, Resident { stamp: self.next_stamp, bytes });
        self.bytes += bytes;
    }

    fn touch(&mut self, key: SegmentKey) {
        let Some(resident) = self.stamps.get_mut(&key) else { return };
        self.used.remove(&resident.stamp);
        self.next_stamp += 1;
        resident.stamp = self.next_stamp;
        self.used.insert(self.next_stamp, key);
    }

    fn remove(&mut self, key: SegmentKey) {
        if let Some(resident) = self.stamps.remove(&key) {
            self.used.remove(&resident.stamp);
            self.bytes -= resident.bytes;
        }
    }

    /// The one that was used longest ago, while there are too many bytes. A few stay whatever their size: a reader that has waited for
    /// one must find it.
    fn pop_surplus(&mut self, bytes_max: u64) -> Option<SegmentKey> {
        if self.bytes <= bytes_max || self.used.len() <= INDEXES_KEPT_MIN {
            return None;
        }
        let (_, key) = self.used.first_key_value()?;
        let key = *key;
        self.remove(key);
        Some(key)
    }

    pub(super) fn is_loading(&self, key: SegmentKey) -> bool {
        self.loading.contains_key(&key)
    }

    /// Whether it is to be loaded now that its segment is complete.
    pub(super) fn take_awaited(&mut self, key: SegmentKey) -> bool {
        self.awaited.remove(&key)
    }

    /// The segment is gone.
    pub(super) fn forget(&mut self, key: SegmentKey) {
        self.awaited.remove(&key);
        self.wanted.remove(&key);
        self.remove(key);
        self.failed.remove(&key);
    }
}

impl Storage {
    /// Has the index of a sealed segment loaded, once however often it is asked for. Returns how long somebody has wanted it.
    ///
    /// Errors: why that failed a moment ago.
    pub fn load_index(
        &mut self,
        now: Instant,
        log: LogId,
        segment: Offset,
        effects: &mut Effects,
    ) -> Result<IndexWait, IndexFault> {
        let key = SegmentKey { log, base_offset: segment };
        if let Some(failed) = self.indexes.failed.get(&key) {
            if now < failed.until {
                return Err(failed.fault);
            }
            self.indexes.failed.remove(&key);
        }
        let since = *self.indexes.wanted.entry(key).or_insert(now);
        let is_late = now >= since.after_ms(FETCH_INDEX_WAIT_MS);
        let wait = if is_late { IndexWait::TooLong } else { IndexWait::Usual };
        // Whoever wants it hears of its successor, whose index is there.
        if self.is_in_swap(key) {
            return Ok(wait);
        }
        let slot = &mut self.slots[log];
        let sealed = slot.log.segment(segment).filter(|_| !self.indexes.loading.contains_key(&key));
        let Some(sealed) = sealed else { return Ok(wait) };
        if sealed.state == SegmentState::Journaled {
            self.restore.hurry(key);
            self.indexes.awaited.insert(key);
        } else {
            self.ask_for_index(key, effects);
        }
        Ok(wait)
    }

    pub(super) fn ask_for_index(&mut self, key: SegmentKey, effects: &mut Effects) {
        let slot = &mut self.slots[key.log];
        let sealed = slot.log.segment(key.base_offset).expect("an index is asked for of a known segment");
        let file = sealed.file.expect("a sealed segment has a number");
        let of = slot.topic_partition;
        effects.push(Effect::LoadIndex { file, of, sealed: sealed.sealed() });
        slot.operations += 1;
        self.indexes.loading.insert(key, file);
    }

    /// Is an index of this log being loaded, or about to come with a new segment?
    #[must_use]
    pub fn is_loading_index(&self, log: LogId) -> bool {
        let mut wanted = self.indexes.loading.keys().chain(&self.indexes.awaited);
        self.is_swapping(log) || wanted.any(|key| key.log == log)
    }

    /// Logs whose readers wait for an index that will not come, since the disk has failed and its segments will not be completed.
    pub fn take_hopeless(&mut self) -> Vec<LogId> {
        if self.failed.is_none() {
            return Vec::new();
        }
        let mut logs: Vec<LogId> =
            std::mem::take(&mut self.indexes.awaited).iter().map(|key| key.log).collect();
        logs.dedup();
        logs
    }

    /// The answer to `LoadIndex`. None: of a number that is not known.
    pub fn on_index_loaded(
        &mut self,
        now: Instant,
        file: FileId,
        result: &Result<Bytes, IndexFault>,
    ) -> Option<IndexLoad> {
        let key = *self.files.get(&file)?;
        self.indexes.loading.remove(&key)?;
        self.counters.index_loads += 1;
        let slot = &mut self.slots[key.log];
        slot.operations -= 1;
        if slot.deleted {
            return Some(IndexLoad { log: key.log, failure: None });
        }
        let fault = match result {
            Ok(section) if slot.log.load_index(key.base_offset, section) => None,
            Ok(_) => Some(IndexFault::NotABatch { position: 0 }),
            Err(fault) => Some(*fault),
        };
        let topic_partition = slot.topic_partition;
        let failure = fault.map(|fault| {
            let until = now.after_ms(INDEX_RETRY_MS);
            self.indexes.wanted.remove(&key);
            self.indexes.failed.insert(key, Failed { fault, until });
            IndexFailure { topic_partition, segment: key.base_offset, fault }
        });
        if failure.is_none() {
            self.keep_index(key);
        }
        // It may have waited for that to be unlinked.
        self.maybe_queue_trim(key.log);
        Some(IndexLoad { log: key.log, failure })
    }

    /// Base offset of the segment that a number stands for.
    #[must_use]
    pub fn segment_of(&self, file: FileId) -> Offset {
        self.files.get(&file).map_or(Offset(-1), |key| key.base_offset)
    }

    /// A rule that tests may break.
    #[must_use]
    pub fn wakes_index_readers(&self) -> bool {
        !self.config.mutations.index_load_wakes_nobody()
    }

    /// The index of the segment that holds `offset` was used.
    pub fn on_index_used(&mut self, log: LogId, offset: Offset) {
        let segments = self.slots[log].log.segments();
        let after = segments.partition_point(|segment| segment.base_offset <= offset);
        if let Some(segment) = after.checked_sub(1).and_then(|index| segments.get(index)) {
            self.indexes.touch(SegmentKey { log, base_offset: segment.base_offset });
        }
    }

    /// Counts an index of a sealed segment that has come into memory, and drops others for it.
    pub(super) fn keep_index(&mut self, key: SegmentKey) {
        let bytes = self.log(key.log).segment(key.base_offset).map_or(0, |segment| segment.index_bytes());
        self.indexes.insert(key, bytes);
        while let Some(surplus) = self.indexes.pop_surplus(self.config.index_bytes_max) {
            self.slots[surplus.log].log.drop_index(surplus.base_offset);
            self.counters.index_evictions += 1;
        }
        self.counters.index_bytes = self.indexes.bytes;
    }
}
