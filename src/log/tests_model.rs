//! Random histories against a model that keeps everything in plain lists.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::Piece;
use protocol::error_code::ErrorCode;
use protocol::record::{BatchView, Compressor};

use crate::effect::FileId;
use crate::model::topic_config::TopicConfig;
use crate::model::{LeaderEpoch, Offset};

use super::offset_index::{IndexedBatch, OffsetIndex};
use super::tests::{builder, now, open, owned};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        timestamps: Vec<i64>,
        value_bytes: usize,
        producer: Option<i64>,
        compressed: bool,
    },
    NewLeader,
    /// So many 512-byte blocks more of the segment picked.
    Write {
        pick: usize,
        blocks: u64,
    },
    Seal {
        pick: usize,
    },
    Evict {
        count: usize,
    },
    CloseActive,
    SegmentBytes(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let append = (
        prop::collection::vec(-1i64..500, 1..6),
        prop_oneof![0usize..200, 0usize..9_000],
        prop::option::of(0i64..3),
        any::<bool>(),
    )
        .prop_map(|(timestamps, value_bytes, producer, compressed)| Step::Append {
            timestamps,
            value_bytes,
            producer,
            compressed,
        });
    prop_oneof![
        10 => append,
        1 => Just(Step::NewLeader),
        3 => (any::<usize>(), 0u64..100).prop_map(|(pick, blocks)| Step::Write { pick, blocks }),
        2 => any::<usize>().prop_map(|pick| Step::Seal { pick }),
        2 => (0usize..8).prop_map(|count| Step::Evict { count }),
        1 => Just(Step::CloseActive),
        1 => (60_000u32..200_000).prop_map(Step::SegmentBytes),
    ]
}

struct ModelBatch {
    base_offset: i64,
    next_offset: i64,
    segment: i64,
    position: u64,
    bytes: Bytes,
}

impl ModelBatch {
    fn end(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }

    /// (offset, timestamp) of each record.
    fn records(&self) -> Vec<(i64, i64)> {
        let mut scratch = Vec::new();
        let limit = protocol::record::DecompressLimit(1 << 20);
        let records = BatchView::parse(&self.bytes).unwrap().decompress(limit, &mut scratch).unwrap();
        records.map(|record| record.unwrap()).map(|record| (record.offset, record.timestamp)).collect()
    }
}

/// The log and what it should be.
struct World {
    log: PartitionLog,
    batches: Vec<ModelBatch>,
    leader_epoch: i32,
    next_sequences: [i32; 3],
}

impl World {
    fn new() -> World {
        let config = TopicConfig { segment_bytes: 100_000, segment_ms: 400, ..TopicConfig::default() };
        World { log: open(config), batches: Vec::new(), leader_epoch: 0, next_sequences: [0; 3] }
    }

    fn log_end(&self) -> i64 {
        self.batches.last().map_or(0, |batch| batch.next_offset)
    }

    /// The bytes of a segment as its batches were appended.
    fn file(&self, segment: i64) -> Vec<u8> {
        let of_it = self.batches.iter().filter(|batch| batch.segment == segment);
        of_it.flat_map(|batch| batch.bytes.to_vec()).collect()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append { timestamps, value_bytes, producer, compressed } => {
                self.append(timestamps, *value_bytes, *producer, *compressed);
            }
            Step::NewLeader => self.leader_epoch += 1,
            Step::Write { pick, blocks } => self.write(*pick, *blocks),
            Step::Seal { pick } => self.seal(*pick),
            Step::Evict { count } => self.evict(*count),
            Step::CloseActive => _ = self.log.close_active(),
            Step::SegmentBytes(segment_bytes) => {
                let config =
                    TopicConfig { segment_bytes: *segment_bytes, ..TopicConfig::clone(self.log.config()) };
                self.log.set_config(Arc::new(config));
            }
        }
        self.log.assert_invariants();
    }

    fn append(&mut self, timestamps: &[i64], value_bytes: usize, producer: Option<i64>, compressed: bool) {
        let mut batch = builder(timestamps, value_bytes);
        if let Some(producer) = producer {
            let sequence = &mut self.next_sequences[producer as usize];
            batch = batch.producer(producer, 0, *sequence);
            *sequence += timestamps.len() as i32;
        }
        if compressed {
            batch = batch.compression(Compressor::Lz4);
        }
        let epoch = LeaderEpoch(self.leader_epoch);
        let appended = self.log.append(now(1_000), epoch, owned(batch.build()), false).unwrap();
        let written = appended.write.unwrap();
        assert_eq!(appended.base_offset.0, self.log_end());
        self.batches.push(ModelBatch {
            base_offset: appended.base_offset.0,
            next_offset: appended.next_offset.0,
            segment: written.segment.0,
            position: written.position,
            bytes: written.bytes,
        });
    }

    fn write(&mut self, pick: usize, blocks: u64) {
        let Some(segment) = self.log.segments().get(pick % self.log.segments().len().max(1)) else { return };
        let (base, from) = (segment.base_offset, segment.written);
        if segment.state == SegmentState::Sealed {
            return;
        }
        let through = (from + blocks * 512).min(segment.length / 512 * 512);
        let slices = self.log.slices(base, from, through).concat();
        assert_eq!(slices, &self.file(base.0)[from as usize..through as usize]);
        self.log.set_file(base, FileId(base.0 as u64));
        self.log.on_written(base, through);
    }

    fn seal(&mut self, pick: usize) {
        let full = |segment: &&Segment| segment.state == SegmentState::Full;
        let count = self.log.segments().iter().filter(full).count();
        let Some(segment) = self.log.segments().iter().filter(full).nth(pick % count.max(1)) else { return };
        let base = segment.base_offset;
        self.log.set_file(base, FileId(base.0 as u64));
        self.log.on_sealed(base);
    }

    fn evict(&mut self, count: usize) {
        for _ in 0..count {
            let before = self.log.tail_bytes();
            let Some(freed) = self.log.evict_oldest() else { return };
            assert_eq!(self.log.tail_bytes(), before - freed);
        }
    }

    fn bytes_of(&self, plan: &ReadPlan) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &plan.pieces {
            match piece {
                Piece::Bytes(part) => bytes.extend_from_slice(part),
                Piece::File(range) => {
                    let segment = self.log.segment(Offset(range.file as i64)).unwrap();
                    let end = range.position + range.length;
                    assert!(end <= segment.written, "only what is in the file");
                    let file = self.file(segment.base_offset.0);
                    bytes.extend_from_slice(&file[range.position as usize..end as usize]);
                }
            }
        }
        bytes
    }

    fn check_read(&self, from: i64, below: i64, bytes_max: u64) {
        let plan = self.log.plan_read(Offset(from), Offset(below), bytes_max);
        if from > self.log_end() {
            assert_eq!(plan, Err(Unread::Error(ErrorCode::OFFSET_OUT_OF_RANGE)));
            return;
        }
        let plan = plan.unwrap();
        let chosen = self
            .batches
            .iter()
            .filter(|batch| batch.next_offset > from && batch.base_offset < below && from < below);
        let mut expect: Vec<u8> = Vec::new();
        let mut first = 0;
        for batch in chosen {
            first = if expect.is_empty() { batch.bytes.len() } else { first };
            expect.extend_from_slice(&batch.bytes);
        }
        expect.truncate((bytes_max as usize).max(first));
        assert_eq!((plan.bytes, plan.first_batch_bytes), (expect.len() as u64, first as u64));
        assert!(self.bytes_of(&plan) == expect, "read from {from} below {below} of at most {bytes_max}");
        let files = plan.pieces.iter().filter_map(|piece| match piece {
            Piece::File(range) => Some(range.file),
            Piece::Bytes(_) => None,
        });
        let mut files: Vec<u64> = files.collect();
        let ranges = files.len();
        files.dedup();
        assert_eq!(files.len(), ranges, "adjacent ranges of a file are one");
    }

    /// What a caller does with the answer.
    fn resolve(&self, lookup: Lookup) -> Option<(i64, i64)> {
        match lookup {
            Lookup::Found { offset, timestamp, leader_epoch } => {
                assert_eq!(leader_epoch, self.log.latest_epoch_at(offset));
                Some((offset.0, timestamp))
            }
            Lookup::NotFound => None,
            Lookup::NeedsIndex { segment } => panic!("the index of {segment:?} is here"),
            Lookup::ReadBatch { file, position, length, timestamp, from, .. } => {
                let file = self.file(file.0 as i64);
                let batch = &file[position as usize..(position + length) as usize];
                self.resolve(offset_in_batch(batch, timestamp, from))
            }
        }
    }

    fn check_lookups(&self, timestamp: i64, below: i64) {
        let batches = self.batches.iter().filter(|batch| batch.base_offset < below);
        let records: Vec<_> = batches.flat_map(ModelBatch::records).collect();
        let linear = records.iter().find(|(_, each)| *each >= timestamp).copied();
        assert_eq!(self.resolve(self.log.offset_at(timestamp, Offset(0), Offset(below))), linear);
        let largest = records.iter().map(|(_, each)| *each).max().filter(|each| *each >= 0);
        let linear = largest.and_then(|largest| records.iter().find(|(_, each)| *each == largest).copied());
        assert_eq!(self.resolve(self.log.max_timestamp(Offset(0), Offset(below))), linear);
    }

    fn check_positions(&self) {
        for batch in &self.batches {
            let segment = Offset(batch.segment);
            assert_eq!(self.log.offset_at_position(segment, batch.position), Offset(batch.base_offset));
            assert_eq!(self.log.offset_at_position(segment, batch.end()), Offset(batch.next_offset));
            assert_eq!(self.log.offset_at_position(segment, batch.end() - 1), Offset(batch.base_offset));
        }
    }

    fn check_recovery(&self) {
        let mut scanner = LogScanner::new();
        for segment in self.log.segments() {
            let file = self.file(segment.base_offset.0);
            assert_eq!(file.len() as u64, segment.length);
            let mut read = |position: u64, into: &mut [u8]| {
                into.copy_from_slice(&file[position as usize..position as usize + into.len()]);
                Ok(())
            };
            scanner.segment(segment.base_offset, segment.length, &mut read).unwrap();
        }
        let recovered = scanner.finish();
        assert_eq!(recovered.log_end, self.log.log_end);
        assert_eq!(recovered.epochs, self.log.epochs);
        assert_eq!(recovered.producers, self.log.producers.clone().without_times());
        assert_eq!(recovered.segments.len(), self.log.segments.len());
        for (found, expect) in recovered.segments.iter().zip(&self.log.segments) {
            assert_eq!((found.base_offset, found.length), (expect.base_offset, expect.length));
            assert_eq!(found.index(), expect.index());
            assert_eq!((found.state, found.written), (SegmentState::Sealed, found.length));
        }
    }
}

#[test]
fn a_position_inside_the_first_batch_after_a_mark_belongs_to_the_batch_before_it() {
    let mut index = OffsetIndex::new(Offset(0));
    for _ in 0..3 {
        index.push(2, 40_000, 1);
    }
    for (position, expect) in [
        (0, None),
        (39_999, None),
        (40_000, Some(2)),
        (40_001, Some(2)),
        (79_999, Some(2)),
        (120_000, Some(6)),
    ] {
        let found = index.batch_ending_by(position).map(|batch| batch.next_offset.0);
        assert_eq!(found, expect, "position {position}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_log_reads_finds_and_recovers_what_was_appended(
        steps in prop::collection::vec(step(), 1..80),
        probes in prop::collection::vec((0i64..300, 0usize..100, 0u64..80_000, -1i64..510), 20),
    ) {
        let mut world = World::new();
        for (index, step) in steps.iter().enumerate() {
            world.run(step);
            let (from, back, bytes_max, _) = probes[index % probes.len()];
            let bounds = world.batches.len();
            let below = world.batches.get(bounds.saturating_sub(back % 4 + 1)).map_or(0, |batch| batch.next_offset);
            world.check_read(from % (world.log_end() + 2), below, bytes_max);
        }
        for (from, pick, bytes_max, timestamp) in probes {
            let below = world.batches.get(pick).map_or(world.log_end(), |batch| batch.base_offset);
            world.check_read(from % (world.log_end() + 2), below, bytes_max);
            world.check_read(from % (world.log_end() + 2), below, u64::MAX);
            world.check_lookups(timestamp, below);
        }
        world.check_positions();
        world.check_recovery();
    }

    #[test]
    fn an_index_equals_a_list(
        batches in prop::collection::vec((1u32..1_000, 61u32..5_000, prop_oneof![0i64..100_000, any::<i64>()]), 0..200),
        probes in prop::collection::vec((0i64..200_000, 0u64..1_000_000, prop_oneof![-1i64..100_000, any::<i64>()]), 20),
    ) {
        let base_offset = Offset(1_000_000_000_000);
        let mut index = OffsetIndex::new(base_offset);
        let mut list: Vec<IndexedBatch> = Vec::new();
        for (offsets, length, max_timestamp) in batches {
            let (next_offset, position) = (index.next_offset(), index.end());
            list.push(IndexedBatch {
                base_offset: next_offset,
                next_offset: next_offset.plus(i64::from(offsets)),
                position,
                length: u64::from(length),
                max_timestamp,
                running_max_timestamp: index.max_timestamp().max(max_timestamp),
            });
            index.push(offsets, length, max_timestamp);
        }
        for (relative, position, timestamp) in probes {
            let offset = base_offset.plus(relative);
            let holding = list.iter().find(|batch| batch.base_offset <= offset && offset < batch.next_offset);
            prop_assert_eq!(index.batch_holding(offset), holding.copied());
            let ending = list.iter().rfind(|batch| batch.end() <= position);
            prop_assert_eq!(index.batch_ending_by(position), ending.copied());
            let below = list.iter().rfind(|batch| batch.base_offset < offset);
            prop_assert_eq!(index.position_below(offset), below.map_or(0, |batch| batch.end()));
            let largest = below.map_or(-1, |batch| batch.running_max_timestamp);
            prop_assert_eq!(index.max_timestamp_between(Offset(0), offset), largest);
            let reaching = list.iter().find(|batch| batch.max_timestamp >= timestamp);
            prop_assert_eq!(index.batch_reaching(timestamp, Offset(0)), reaching.copied());
        }
    }

    #[test]
    fn a_scan_of_any_bytes_ends_without_a_panic(
        mut file in prop::collection::vec(any::<u8>(), 0..300),
        batches in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut world = World::new();
        for _ in 0..batches {
            world.append(&[1, 2], 30, Some(1), false);
        }
        file.splice(0..0, world.file(0));
        for (at, byte) in flips {
            if !file.is_empty() {
                let at = at.index(file.len());
                file[at] = byte;
            }
        }
        let mut read = |position: u64, into: &mut [u8]| {
            into.copy_from_slice(&file[position as usize..position as usize + into.len()]);
            Ok(())
        };
        let _ = LogScanner::new().segment(Offset(0), file.len() as u64, &mut read);
        let _ = offset_in_batch(&file, 1, Offset(0));
    }
}
