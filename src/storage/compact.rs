//! The compaction of one log of this dir at a time, step by step.
//!
//! ```text
//! mapping     the keys of the dirty segments go into a map, until it is full
//! rewriting   a group of segments becomes a new one beside them, and so on, oldest first
//! recording   the journal hears of the length that the new file will have
//! swapping    it takes their place; readers are served from the old ones until then
//! ```
//!
//! Decides which log, and what happens next: a step is one effect, and its answer. Which records stay is decided in `log`. Segments that
//! retention has let go meanwhile end the pass: what it was made of is no longer there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::{LogId, Storage};
use crate::effect::{
    CleanRules, CommitId, CompactedSegment, CompactionFault, CompactionId, Effect, Effects, FileId,
    FileOrigin, MappedKeys, Rewritten, SwapFault,
};
use crate::journal::format::{EntryHeader, EntryKind};
use crate::journal::{Entry, SegmentKey};
use crate::limits::COMPACTION_RETRY_MS;
use crate::log::Cleanable;
use crate::model::{Instant, Now, Offset, SealedSegment};

/// What compactions of one storage may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionLimits {
    pub map_bytes: u64,
    pub bytes_per_second: u64,
}

/// Lives: one per storage.
#[derive(Debug, Default)]
pub(super) struct Compactor {
    /// The most urgent log of the present round of looks.
    candidate: Option<(LogId, Cleanable)>,
    /// Of the dirtiest log of the present round.
    dirty_millionths_max: u64,
    current: Option<Pass>,
    /// Logs that are left alone until then.
    resting: BTreeMap<LogId, Instant>,
    /// Logs some segments of which were replaced since the last look: who waits for their indexes reads again.
    replaced: Vec<LogId>,
    /// A pass has ended, and others may wait for their turn.
    is_due: bool,
}

#[derive(Debug)]
struct Pass {
    log: LogId,
    limits: CompactionLimits,
    began: Instant,
    now_ms: i64,
    clean_end: Offset,
    /// Not begun, oldest first.
    groups: VecDeque<Vec<SealedSegment>>,
    step: Step,
    records_dropped: u64,
    bytes_before: u64,
    bytes_after: u64,
}

#[derive(Debug)]
enum Step {
    Chosen(Cleanable),
    Mapping,
    /// The next group is to be begun.
    Between,
    Rewriting(Vec<SealedSegment>),
    /// Until this commit of the journal is durable.
    Recording {
        group: Vec<SealedSegment>,
        new: Box<Rewritten>,
        commit: CommitId,
    },
    Swapping {
        group: Vec<SealedSegment>,
        new: Box<Rewritten>,
    },
}

/// How a pass goes on.
enum Next {
    Step(Step),
    /// It was successful as far as it came.
    End,
    /// The log is left alone for a while.
    Rest,
}

impl Storage {
    /// Looks whether the log is in need of compaction. `below`: its last stable offset.
    pub fn consider_compaction(&mut self, id: LogId, now: Now, below: Offset) {
        let slot = &self.slots[id];
        if self.failed.is_some() || self.stopping || slot.deleted || slot.offline || self.holds_writes() {
            return;
        }
        let ignores_lag = self.config.mutations.compaction_ignores_lag();
        let now_ms = if ignores_lag { i64::MAX } else { now.wall_ms };
        let below = below.min(slot.durable_end);
        let is_recorded = |segment| slot.trim.is_recorded(segment);
        let Some(cleanable) = slot.log.dirt(now_ms, below, &is_recorded) else { return };
        let compactor = &mut self.compactor;
        compactor.dirty_millionths_max = compactor.dirty_millionths_max.max(cleanable.dirty_millionths());
        if compactor.resting.get(&id).is_some_and(|until| now.instant < *until) {
            return;
        }
        compactor.resting.remove(&id);
        if !slot.log.is_worth_cleaning(&cleanable) {
            return;
        }
        let urgency = |one: &Option<(LogId, Cleanable)>| one.map(|(_, cleanable)| cleanable.urgency());
        if urgency(&compactor.candidate) < Some(cleanable.urgency()) {
            compactor.candidate = Some((id, cleanable));
        }
    }

    /// Begins with the most urgent of the logs that were looked at, unless one is under way.
    pub fn begin_compaction(&mut self, now: Now, limits: CompactionLimits) {
        let dirty_millionths_max = std::mem::take(&mut self.compactor.dirty_millionths_max);
        self.counters.cleaner.dirty_millionths_max = dirty_millionths_max;
        let Some((log, cleanable)) = self.compactor.candidate.take() else { return };
        if self.compactor.current.is_some() || self.stopping {
            return;
        }
        self.compactor.current = Some(Pass {
            log,
            limits,
            began: now.instant,
            now_ms: now.wall_ms,
            clean_end: cleanable.first_dirty,
            groups: VecDeque::new(),
            step: Step::Chosen(cleanable),
            records_dropped: 0,
            bytes_before: 0,
            bytes_after: 0,
        });
    }

    /// A pass has ended since the last call: others may be in need of one.
    pub fn take_compaction_due(&mut self) -> bool {
        std::mem::take(&mut self.compactor.is_due)
    }

    /// Logs whose segments were replaced since the last call.
    pub fn take_compacted(&mut self) -> Vec<LogId> {
        std::mem::take(&mut self.compactor.replaced)
    }

    /// Begins what can be begun.
    pub(super) fn pump_compaction(&mut self, now: Now, effects: &mut Effects) {
        while let Some(pass) = self.compactor.current.take() {
            let is_over = self.stopping || self.slots[pass.log].deleted;
            if is_over && !pass.is_waiting() {
                effects.push(Effect::EndCompaction { compaction: CompactionId(pass.log.0) });
                continue;
            }
            let log = pass.log;
            match self.advance(pass, effects) {
                Ok(pass) => {
                    self.compactor.current = Some(pass);
                    return;
                }
                Err(pass) => {
                    effects.push(Effect::EndCompaction { compaction: CompactionId(log.0) });
                    self.end_pass(&pass, false, now);
                }
            }
        }
    }

    /// Err: the pass has ended.
    fn advance(&mut self, mut pass: Pass, effects: &mut Effects) -> Result<Pass, Box<Pass>> {
        pass.step = match std::mem::replace(&mut pass.step, Step::Between) {
            Step::Chosen(cleanable) => match self.map_keys(&pass, cleanable, effects) {
                Some(step) => step,
                None => return Err(Box::new(pass)),
            },
            Step::Between => match pass.groups.pop_front() {
                None => return Err(Box::new(pass)),
                Some(group) => match self.rewrite(&pass, group, effects) {
                    Some(step) => step,
                    None => return Err(Box::new(pass)),
                },
            },
            Step::Recording { group, new, commit } => {
                let is_recorded = self.journal.durable() >= commit || self.config.mutations.swap_unrecorded();
                let is_read = group.iter().any(|old| self.indexes.is_loading(key(pass.log, old)));
                if !is_recorded || is_read {
                    Step::Recording { group, new, commit }
                } else if self.has_group(pass.log, &group) {
                    self.swap(pass.log, group, new, effects)
                } else {
                    return Err(Box::new(pass));
                }
            }
            waiting @ (Step::Mapping | Step::Rewriting(_) | Step::Swapping { .. }) => waiting,
        };
        Ok(pass)
    }

    fn map_keys(&mut self, pass: &Pass, cleanable: Cleanable, effects: &mut Effects) -> Option<Step> {
        let slot = &mut self.slots[pass.log];
        let Cleanable { first_dirty, bound, .. } = cleanable;
        let dirty = slot
            .log
            .segments()
            .iter()
            .filter(|segment| segment.next_offset() > first_dirty && segment.next_offset() <= bound);
        let dirty: Vec<SealedSegment> = dirty.map(|segment| segment.sealed()).collect();
        let segments = self.files_of(pass.log, &dirty).filter(|segments| !segments.is_empty())?;
        self.slots[pass.log].operations += 1;
        let CompactionLimits { map_bytes, bytes_per_second } = pass.limits;
        let compaction = CompactionId(pass.log.0);
        effects.push(Effect::MapKeys {
            compaction,
            segments,
            from: first_dirty,
            map_bytes,
            bytes_per_second,
        });
        Some(Step::Mapping)
    }

    /// None: one of them is no longer what it was.
    fn files_of(&self, log: LogId, group: &[SealedSegment]) -> Option<Vec<CompactedSegment>> {
        let files = group.iter().map(|sealed| {
            let segment = self.slots[log].log.segment(sealed.base_offset)?;
            let file = segment.file.filter(|_| segment.sealed() == *sealed)?;
            Some(CompactedSegment { file, sealed: *sealed })
        });
        files.collect()
    }

    fn has_group(&self, log: LogId, group: &[SealedSegment]) -> bool {
        self.files_of(log, group).is_some()
    }

    fn rewrite(&mut self, pass: &Pass, group: Vec<SealedSegment>, effects: &mut Effects) -> Option<Step> {
        let segments = self.files_of(pass.log, &group)?;
        let mutations = self.config.mutations;
        let slot = &mut self.slots[pass.log];
        slot.operations += 1;
        let config = slot.log.config();
        let end = group.last().map_or(Offset::ZERO, |last| last.next_offset);
        let producers = if mutations.compaction_forgets_producers() {
            Vec::new()
        } else {
            slot.log.last_batches_of_producers(end)
        };
        let retention_ms = config.delete_retention_ms;
        let rules = CleanRules {
            clean_end: pass.clean_end,
            now_ms: pass.now_ms,
            delete_retention_ms: if mutations.tombstones_go_at_once() { i64::MIN } else { retention_ms },
            producers: Arc::from(producers),
            length_max: u64::from(config.segment_bytes),
        };
        effects.push(Effect::RewriteSegments {
            compaction: CompactionId(pass.log.0),
            topic_partition: slot.topic_partition,
            segments,
            rules,
            snapshot: slot.log.snapshot_below(end, slot.durable_end),
            bytes_per_second: pass.limits.bytes_per_second,
        });
        Some(Step::Rewriting(group))
    }

    fn swap(
        &mut self,
        log: LogId,
        group: Vec<SealedSegment>,
        new: Box<Rewritten>,
        effects: &mut Effects,
    ) -> Step {
        let slot = &mut self.slots[log];
        slot.operations += 1;
        let replaced: Vec<Offset> = group.iter().map(|old| old.base_offset).collect();
        let files = replaced.iter().filter_map(|base_offset| slot.log.segment(*base_offset)?.file).collect();
        effects.push(Effect::SwapSegments {
            compaction: CompactionId(log.0),
            topic_partition: slot.topic_partition,
            replaced,
            files,
        });
        Step::Swapping { group, new }
    }

    /// The answer to a step of this log. None: the pass it was of is over.
    fn answered_pass(&mut self, compaction: CompactionId) -> Option<Pass> {
        let log = LogId(compaction.0);
        self.slots[log].operations -= 1;
        self.compactor.current.take_if(|pass| pass.log == log)
    }

    fn go_on(&mut self, now: Now, mut pass: Pass, next: Next, effects: &mut Effects) {
        let is_over = self.stopping || self.slots[pass.log].deleted;
        match next {
            Next::Step(step) if !is_over => {
                pass.step = step;
                self.compactor.current = Some(pass);
            }
            next => {
                effects.push(Effect::EndCompaction { compaction: CompactionId(pass.log.0) });
                self.end_pass(&pass, matches!(next, Next::Rest), now);
            }
        }
    }

    fn end_pass(&mut self, pass: &Pass, rests: bool, now: Now) {
        if rests {
            self.compactor.resting.insert(pass.log, now.instant.after_ms(COMPACTION_RETRY_MS));
        }
        let counters = &mut self.counters.cleaner;
        counters.runs += 1;
        counters.failures += u64::from(rests);
        counters.busy_ms += now.instant.ns_since(pass.began) / 1_000_000;
        self.compactor.is_due = true;
        let Pass { records_dropped, bytes_before, bytes_after, .. } = *pass;
        let topic_partition = self.slots[pass.log].topic_partition;
        tracing::debug!(%topic_partition, records_dropped, bytes_before, bytes_after, "compacted");
    }

    pub(super) fn on_keys_mapped(
        &mut self,
        now: Now,
        compaction: CompactionId,
        result: Result<MappedKeys, CompactionFault>,
        effects: &mut Effects,
    ) {
        let Some(mut pass) = self.answered_pass(compaction) else { return };
        let next = match result {
            Ok(mapped) => {
                self.counters.cleaner.bytes_read += mapped.bytes_read;
                pass.clean_end = mapped.clean_end;
                pass.groups = self.slots[pass.log].log.cleaning_groups(mapped.clean_end).into();
                Next::Step(Step::Between)
            }
            Err(fault) => self.after_fault(&pass, fault),
        };
        self.go_on(now, pass, next, effects);
    }

    pub(super) fn on_segments_rewritten(
        &mut self,
        now: Now,
        compaction: CompactionId,
        result: &Result<Rewritten, CompactionFault>,
        effects: &mut Effects,
    ) {
        let Some(mut pass) = self.answered_pass(compaction) else { return };
        let Step::Rewriting(group) = std::mem::replace(&mut pass.step, Step::Between) else { return };
        if let Ok(new) = result {
            self.counters.cleaner.bytes_read += group.iter().map(|old| old.length).sum::<u64>();
            self.counters.cleaner.bytes_written += new.sealed.length;
        }
        let next = match result {
            // By themselves they are not too large.
            Err(CompactionFault::Outgrown) if group.len() > 1 => {
                group.into_iter().rev().for_each(|old| pass.groups.push_front(vec![old]));
                Next::Step(Step::Between)
            }
            Err(fault) => self.after_fault(&pass, *fault),
            Ok(new) if !new.is_changed && new.sealed == group[0] => Next::Step(Step::Between),
            Ok(new) if self.has_group(pass.log, &group) => {
                let commit = self.record(pass.log, &group, &new.sealed);
                Next::Step(Step::Recording { group, new: Box::new(new.clone()), commit })
            }
            // Retention has let some of it go.
            Ok(_) => Next::End,
        };
        self.go_on(now, pass, next, effects);
    }

    /// A start must not take the new length for damage, nor the old one. The entry waits for room among the records: what the ring keeps free
    /// is for what frees it.
    fn record(&mut self, log: LogId, group: &[SealedSegment], new: &SealedSegment) -> CommitId {
        let payload = Bytes::copy_from_slice(&group[0].length.to_le_bytes());
        let header = EntryHeader {
            kind: EntryKind::Sealed,
            length: u32::try_from(payload.len()).expect("it is a number"),
            topic_partition: self.slots[log].topic_partition,
            base_offset: new.base_offset,
            position: new.length,
        };
        self.journal.append(Entry { header, payload, key: key(log, new), next_offset: None })
    }

    pub(super) fn on_segments_swapped(
        &mut self,
        now: Now,
        compaction: CompactionId,
        result: Result<(), SwapFault>,
        effects: &mut Effects,
    ) {
        let Some(mut pass) = self.answered_pass(compaction) else { return };
        let Step::Swapping { group, new } = std::mem::replace(&mut pass.step, Step::Between) else { return };
        let next = match result {
            Ok(()) if self.slots[pass.log].deleted => Next::End,
            Ok(()) => {
                pass.records_dropped += new.records_dropped;
                pass.bytes_before += group.iter().map(|old| old.length).sum::<u64>();
                pass.bytes_after += new.sealed.length;
                self.replace(pass.log, &group, &new, effects);
                Next::Step(Step::Between)
            }
            Err(SwapFault::Unchanged(error)) => self.after_fault(&pass, CompactionFault::Disk(error)),
            Err(SwapFault::Unknown(error)) => {
                self.failed.get_or_insert(error);
                Next::Rest
            }
        };
        self.compactor.replaced.push(pass.log);
        self.go_on(now, pass, next, effects);
    }

    fn replace(&mut self, log: LogId, group: &[SealedSegment], new: &Rewritten, effects: &mut Effects) {
        let (old, batches, bytes) = self.slots[log].log.replace_segments(group.len(), &new.sealed);
        self.forget_tail(log, batches, bytes);
        let mut files: Vec<FileId> = Vec::with_capacity(old.len());
        for segment in &old {
            self.indexes.forget(SegmentKey { log, base_offset: segment.base_offset });
            files.extend(segment.file);
        }
        for file in files {
            self.files.remove(&file);
            effects.push(Effect::CloseSegment { file });
        }
        let key = key(log, &new.sealed);
        self.open_file(key, FileOrigin::Sealed, effects);
        let is_loaded = self.slots[log].log.load_index(key.base_offset, &new.index);
        assert!(is_loaded, "the index of a rewritten segment is of that segment");
        self.keep_index(key);
        self.counters.cleaner.segments_replaced += group.len() as u64;
        self.counters.cleaner.records_removed += new.records_dropped;
    }

    fn after_fault(&self, pass: &Pass, fault: CompactionFault) -> Next {
        let topic_partition = self.slots[pass.log].topic_partition;
        match fault {
            // Its segments were let go while they were being read, or it was told to end.
            _ if self.slots[pass.log].deleted => Next::End,
            CompactionFault::GivenUp => Next::End,
            CompactionFault::Disk(error) => {
                tracing::warn!(%topic_partition, ?error, "cannot compact a log; it is tried again later");
                Next::Rest
            }
            CompactionFault::Damaged { segment, position } => {
                tracing::error!(%topic_partition, segment = segment.0, position, "a log is not compacted: no batch that belongs there");
                Next::Rest
            }
            CompactionFault::Outgrown => {
                tracing::warn!(%topic_partition, "a log is not compacted: a segment would become too large");
                Next::Rest
            }
        }
    }

    /// Tells who works on a step that nobody waits for it any more.
    pub(super) fn give_up_compaction(&mut self, log: Option<LogId>, effects: &mut Effects) {
        self.compactor.resting.retain(|resting, _| log.is_some_and(|log| log != *resting));
        let Some(pass) = &self.compactor.current else { return };
        let is_meant = log.is_none_or(|log| log == pass.log);
        if is_meant && pass.is_waiting() {
            effects.push(Effect::EndCompaction { compaction: CompactionId(pass.log.0) });
        }
    }

    /// Whether the segment is about to be replaced: it is neither read anew nor unlinked.
    pub(super) fn is_in_swap(&self, key: SegmentKey) -> bool {
        let Some(Pass { log, step: Step::Swapping { group, .. }, .. }) = &self.compactor.current else {
            return false;
        };
        *log == key.log && group.iter().any(|old| old.base_offset == key.base_offset)
    }

    pub(super) fn is_swapping(&self, log: LogId) -> bool {
        let current = self.compactor.current.as_ref();
        current.is_some_and(|pass| pass.log == log && matches!(pass.step, Step::Swapping { .. }))
    }
}

impl Pass {
    /// An effect is under way for it.
    fn is_waiting(&self) -> bool {
        matches!(self.step, Step::Mapping | Step::Rewriting(_) | Step::Swapping { .. })
    }
}

fn key(log: LogId, sealed: &SealedSegment) -> SegmentKey {
    SegmentKey { log, base_offset: sealed.base_offset }
}
