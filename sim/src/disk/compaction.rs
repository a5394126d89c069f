//! Compaction on the simulated disk: what the helper thread does, step by step, with the real walks over real bytes.
//!
//! A rewritten segment has no name until it is swapped in: a crash before that loses it, as a start removes what was not committed. The
//! swap itself happens or not; of the segments that were merged any may be back after a crash.

use std::collections::BTreeMap;

use bytes::Bytes;
use penstock::effect::{
    CleanRules, CompactedSegment, CompactionFault, CompactionId, DiskError, Effect, MappedKeys, Rewritten,
    SegmentName, SwapFault,
};
use penstock::input::Input;
use penstock::log::{CompactionDisk, OffsetMap, Summary, map_keys, rewrite};
use penstock::model::{LogDir, Offset, ShardId, Snapshot, TopicPartition};
use protocol::record::batches;

use super::operation::Operation;
use super::{Disk, File, FileName};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactionCounters {
    pub maps: u64,
    /// Maps that did not hold all.
    pub full_maps: u64,
    pub rewrites: u64,
    pub unchanged: u64,
    pub swaps: u64,
    pub merged: u64,
    pub records_dropped: u64,
    pub given_up: u64,
}

/// Each shard counts its own.
pub(super) type CompactionOf = (ShardId, CompactionId);

#[derive(Default)]
pub(super) struct Compactions {
    maps: BTreeMap<CompactionOf, OffsetMap>,
    cleaned: BTreeMap<CompactionOf, Cleaned>,
    /// Steps under way that are to end.
    ended: Vec<CompactionOf>,
}

/// A rewritten segment that nothing reads yet.
struct Cleaned {
    file: usize,
    summary: Bytes,
}

/// A segment with the file that was open under its number when the step was asked for.
type Source = (CompactedSegment, Option<usize>);

pub(super) enum CompactionStep {
    Map { sources: Vec<Source>, from: Offset, map_bytes: u64 },
    Rewrite { of: TopicPartition, sources: Vec<Source>, rules: CleanRules, snapshot: Snapshot },
    Swap { of: TopicPartition, replaced: Vec<Offset> },
}

struct Step<'a> {
    sources: Vec<&'a File>,
    new: Vec<u8>,
}

impl CompactionDisk for Step<'_> {
    fn read(&mut self, segment: usize, position: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let is_there = self.sources[segment].read(position, into);
        if is_there { Ok(()) } else { Err(DiskError { operation: "pread", errno: 0 }) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.new.extend_from_slice(bytes);
        Ok(())
    }

    fn goes_on(&mut self, _bytes: u64) -> bool {
        true
    }
}

impl Compactions {
    pub fn crash(&mut self) {
        *self = Compactions::default();
    }

    /// `step_is_under_way`: it will be answered, with nothing done.
    pub fn end(&mut self, compaction: CompactionOf, step_is_under_way: bool) {
        self.maps.remove(&compaction);
        self.cleaned.remove(&compaction);
        if step_is_under_way {
            self.ended.push(compaction);
        }
    }

    fn take_ended(&mut self, compaction: CompactionOf) -> bool {
        let before = self.ended.len();
        self.ended.retain(|ended| *ended != compaction);
        before > self.ended.len()
    }
}

impl Disk {
    /// None: nothing is to be answered.
    pub(super) fn compaction_step(
        &mut self,
        shard: ShardId,
        effect: Effect,
    ) -> Option<(CompactionId, CompactionStep)> {
        let leased = |segments: Vec<CompactedSegment>| -> Vec<Source> {
            segments.into_iter().map(|one| (one, self.lease(one.file))).collect()
        };
        match effect {
            Effect::MapKeys { compaction, segments, from, map_bytes, .. } => {
                Some((compaction, CompactionStep::Map { sources: leased(segments), from, map_bytes }))
            }
            Effect::RewriteSegments {
                compaction, topic_partition: of, segments, rules, snapshot, ..
            } => {
                let sources = leased(segments);
                Some((compaction, CompactionStep::Rewrite { of, sources, rules, snapshot }))
            }
            Effect::SwapSegments { compaction, topic_partition: of, replaced, .. } => {
                Some((compaction, CompactionStep::Swap { of, replaced }))
            }
            Effect::EndCompaction { compaction } => {
                self.end_compaction((shard, compaction));
                None
            }
            _ => None,
        }
    }

    /// A swap that is under way is not ended; any other step is, and answers all the same.
    fn end_compaction(&mut self, compaction: CompactionOf) {
        let is_swap = self.operations.values().find_map(|operation| match operation {
            Operation::Compaction { shard, compaction: of, step } if (*shard, *of) == compaction => {
                Some(matches!(step, CompactionStep::Swap { .. }))
            }
            _ => None,
        });
        if is_swap != Some(true) {
            self.compactions.end(compaction, is_swap.is_some());
        }
    }

    pub(super) fn complete_compaction(&mut self, of_shard: CompactionOf, step: CompactionStep) -> Input {
        let (_, compaction) = of_shard;
        match step {
            CompactionStep::Map { sources, from, map_bytes } => {
                let result = self.keys_mapped(of_shard, &sources, from, map_bytes);
                Input::KeysMapped { compaction, result }
            }
            CompactionStep::Rewrite { of, sources, rules, snapshot } => {
                let result = self.segments_rewritten(of_shard, of, &sources, &rules, snapshot);
                Input::SegmentsRewritten { compaction, result }
            }
            CompactionStep::Swap { of, replaced } => {
                let result = self.segments_swapped(of_shard, of, &replaced);
                Input::SegmentsSwapped { compaction, result }
            }
        }
    }

    fn compaction_sources(&self, sources: &[Source]) -> Option<Vec<&File>> {
        sources.iter().map(|(_, index)| Some(&self.files[(*index)?])).collect()
    }

    fn compaction_fault(&mut self, compaction: CompactionOf, per_million: u64) -> Option<CompactionFault> {
        if self.compactions.take_ended(compaction) {
            self.counters.compactions.given_up += 1;
            return Some(CompactionFault::GivenUp);
        }
        let error = DiskError { operation: "pread", errno: EIO };
        self.fails(per_million).then_some(CompactionFault::Disk(error))
    }

    fn keys_mapped(
        &mut self,
        compaction: CompactionOf,
        sources: &[Source],
        from: Offset,
        map_bytes: u64,
    ) -> Result<MappedKeys, CompactionFault> {
        self.counters.compactions.maps += 1;
        if let Some(fault) = self.compaction_fault(compaction, self.faults.read_error) {
            return Err(fault);
        }
        let segments: Vec<CompactedSegment> = sources.iter().map(|(segment, _)| *segment).collect();
        let files = self.compaction_sources(sources).ok_or(CompactionFault::GivenUp)?;
        let mut map = OffsetMap::new(map_bytes, u64::MAX);
        let mut step = Step { sources: files, new: Vec::new() };
        let mapped = map_keys(&mut map, &segments, from, &mut step)?;
        if self.mutations.compaction_drops_latest {
            let end = mapped.clean_end;
            segments.iter().zip(&step.sources).for_each(|(one, file)| outdo(&mut map, one, file, end));
        }
        let end = segments.last().map(|last| last.sealed.next_offset);
        self.counters.compactions.full_maps += u64::from(Some(mapped.clean_end) != end);
        self.compactions.maps.insert(compaction, map);
        Ok(mapped)
    }

    fn segments_rewritten(
        &mut self,
        compaction: CompactionOf,
        of: TopicPartition,
        sources: &[Source],
        rules: &CleanRules,
        snapshot: Snapshot,
    ) -> Result<Rewritten, CompactionFault> {
        self.counters.compactions.rewrites += 1;
        self.moment = true;
        if let Some(fault) = self.compaction_fault(compaction, self.faults.segment_error) {
            return Err(fault);
        }
        if self.lacks_room(compaction.1.dir()) {
            return Err(CompactionFault::Disk(DiskError { operation: "write", errno: ENOSPC }));
        }
        let segments: Vec<CompactedSegment> = sources.iter().map(|(segment, _)| *segment).collect();
        let files = self.compaction_sources(sources).ok_or(CompactionFault::GivenUp)?;
        let map = self.compactions.maps.get(&compaction).ok_or(CompactionFault::GivenUp)?;
        let mut step = Step { sources: files, new: Vec::new() };
        let rewritten = rewrite(map, rules, &segments, &mut step)?;
        let bytes = step.new;
        let counters = &mut self.counters.compactions;
        counters.records_dropped += rewritten.records_dropped;
        counters.unchanged += u64::from(!rewritten.is_changed);
        let index = Some(rewritten.index.clone());
        let summary = Summary { segment: rewritten.sealed, snapshot: Some(snapshot), index }.encode(of);
        let stamp = self.stamp();
        let mut file = File::default();
        file.write(stamp, 0, &bytes);
        file.sealed = true;
        if !self.mutations.swap_not_synced && !self.mutations.never_sync {
            file.sync(stamp);
        }
        file.linked = true;
        self.files.push(file);
        self.compactions.cleaned.insert(compaction, Cleaned { file: self.files.len() - 1, summary });
        Ok(rewritten)
    }

    fn segments_swapped(
        &mut self,
        compaction: CompactionOf,
        of: TopicPartition,
        replaced: &[Offset],
    ) -> Result<(), SwapFault> {
        self.moment = true;
        if self.fails(self.faults.segment_error) {
            return Err(SwapFault::Unchanged(DiskError { operation: "rename", errno: EIO }));
        }
        if self.swap(compaction, of, replaced, replaced.len()) {
            // Each step was made durable before the next; what was unlinked last may be back.
            Ok(())
        } else {
            self.violations.push(format!("nothing was rewritten for a swap of {of} {replaced:?}"));
            Err(SwapFault::Unchanged(DiskError { operation: "rename", errno: 2 }))
        }
    }

    /// Puts the rewritten file in place and unlinks as many of the others. False: there is none.
    fn swap(
        &mut self,
        compaction: CompactionOf,
        of: TopicPartition,
        replaced: &[Offset],
        count: usize,
    ) -> bool {
        let Some(Cleaned { file, summary }) = self.compactions.cleaned.remove(&compaction) else {
            return false;
        };
        let dir: LogDir = compaction.1.dir();
        let name = |base_offset| SegmentName { topic_partition: of, base_offset };
        self.counters.compactions.swaps += 1;
        self.synced_directory();
        self.names.insert(FileName::Segment(dir, name(replaced[0])), file);
        self.summaries.replace(name(replaced[0]), summary, true);
        self.summaries.sync(name(replaced[0]));
        self.summaries.promise(name(replaced[0]));
        for merged in &replaced[1..count.max(1)] {
            self.counters.compactions.merged += 1;
            self.unlink(FileName::Segment(dir, name(*merged)));
            self.summaries.unlink(name(*merged));
        }
        true
    }

    /// The power goes: a swap stands or not, of any other step nothing does.
    pub(super) fn interrupt_compaction(&mut self, compaction: CompactionOf, step: &CompactionStep) {
        if let CompactionStep::Swap { of, replaced } = step
            && self.random.percent(60)
        {
            let count = self.random.below(replaced.len() as u64 + 1) as usize;
            self.swap(compaction, *of, replaced, count);
        }
    }
}

/// Makes the map believe that of each key there is a newer record.
fn outdo(map: &mut OffsetMap, segment: &CompactedSegment, file: &File, end: Offset) {
    let mut bytes = vec![0; segment.sealed.length as usize];
    file.read(0, &mut bytes);
    for batch in batches(&bytes).map_while(Result::ok).filter(|batch| batch.next_offset() <= end.0) {
        for record in batch.records().map_while(Result::ok) {
            if let Some(key) = record.key {
                map.put(key, Offset(record.offset + 1));
            }
        }
    }
}
