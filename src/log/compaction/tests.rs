//! Segments in memory, compacted once and again, against what every reader is promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::record::{BatchBuilder, BatchView, Compressor, ControlRecord, DecompressLimit, batches};

use super::super::recovery::{LogScanner, RecoveredLog};
use super::super::{PartitionLog, index_of_batches};
use super::plan::groups;
use super::*;
use crate::effect::{CleanRules, CompactedSegment, CompactionFault, DiskError, FileId, Rewritten};
use crate::model::topic_config::TopicConfig;
use crate::model::{Offset, PartitionIndex, SealedSegment, TopicId, TopicPartition};

const LIMIT: DecompressLimit = DecompressLimit(1 << 20);
const RETENTION_MS: i64 = 1_000;

/// Segments with their bytes, in order.
type Segments = Vec<(SealedSegment, Vec<u8>)>;

#[derive(Default)]
struct Memory<'a> {
    sources: Vec<&'a [u8]>,
    new: Vec<u8>,
    steps_left: Option<u64>,
}

impl CompactionDisk for Memory<'_> {
    fn read(&mut self, segment: usize, position: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let from = position as usize;
        into.copy_from_slice(&self.sources[segment][from..from + into.len()]);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.new.extend_from_slice(bytes);
        Ok(())
    }

    fn goes_on(&mut self, _bytes: u64) -> bool {
        match &mut self.steps_left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn sealed_of(bytes: &[u8], base_offset: i64, clean_end: i64) -> SealedSegment {
    let views: Vec<BatchView<'_>> = batches(bytes).map(Result::unwrap).collect();
    let newest = views.iter().filter(|batch| batch.records_count() > 0).map(|batch| batch.max_timestamp());
    SealedSegment {
        base_offset: Offset(base_offset),
        next_offset: Offset(views.last().unwrap().next_offset()),
        length: bytes.len() as u64,
        max_timestamp: newest.max().unwrap_or(-1),
        clean_end: Offset(clean_end),
    }
}

fn segment(batches: &[BatchBuilder]) -> (SealedSegment, Vec<u8>) {
    let bytes: Vec<u8> = batches.iter().flat_map(|batch| batch.clone().build().to_vec()).collect();
    let base = BatchView::parse(&bytes).unwrap().base_offset();
    (sealed_of(&bytes, base, base), bytes)
}

fn batch(base: i64, records: &[(&str, Option<&str>)]) -> BatchBuilder {
    let mut builder = BatchBuilder::new().base_offset(base).leader_epoch(3);
    for (index, (key, value)) in records.iter().enumerate() {
        builder.append(base + index as i64, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    builder
}

fn sources(segments: &[(SealedSegment, Vec<u8>)]) -> (Vec<CompactedSegment>, Memory<'_>) {
    let files = segments.iter().map(|(sealed, _)| CompactedSegment { file: FileId(1), sealed: *sealed });
    let sources = segments.iter().map(|(_, bytes)| &bytes[..]).collect();
    (files.collect(), Memory { sources, ..Memory::default() })
}

fn rules(clean_end: Offset, now_ms: i64) -> CleanRules {
    CleanRules {
        clean_end,
        now_ms,
        delete_retention_ms: RETENTION_MS,
        producers: Arc::from([]),
        length_max: u64::MAX,
    }
}

fn mapped(segments: &Segments, from: Offset, bytes: u64) -> (OffsetMap, Offset) {
    let (files, mut disk) = sources(segments);
    let mut map = OffsetMap::new(bytes, u64::MAX);
    let mapped = map_keys(&mut map, &files, from, &mut disk).unwrap();
    (map, mapped.clean_end)
}

fn rewritten(
    map: &OffsetMap,
    rules: &CleanRules,
    segments: &[(SealedSegment, Vec<u8>)],
) -> (Rewritten, Vec<u8>) {
    let (files, mut disk) = sources(segments);
    let new = rewrite(map, rules, &files, &mut disk).unwrap();
    (new, disk.new)
}

/// One pass over all segments, each group of `bytes_max` bytes.
fn pass(
    segments: &Segments,
    map_bytes: u64,
    bytes_max: u64,
    now_ms: i64,
    producers: &[(i64, Offset)],
) -> Segments {
    let clean = segments.iter().take_while(|(sealed, _)| sealed.clean_end == sealed.next_offset).count();
    let Some((first, _)) = segments.get(clean) else { return segments.clone() };
    let dirty: Segments = segments[clean..].to_vec();
    let (map, clean_end) = mapped(&dirty, first.clean_end.max(first.base_offset), map_bytes);
    let rules =
        CleanRules { producers: Arc::from(producers), length_max: bytes_max, ..rules(clean_end, now_ms) };
    let of_pass = segments.iter().map(|(sealed, _)| *sealed).take_while(|one| one.base_offset < clean_end);
    let mut after = Segments::new();
    let mut at = 0;
    for group in groups(of_pass, bytes_max) {
        let (new, bytes) = rewritten(&map, &rules, &segments[at..at + group.len()]);
        check_segment(&new, &bytes);
        at += group.len();
        after.push((new.sealed, bytes));
    }
    after.extend_from_slice(&segments[at..]);
    after
}

/// What is told of a new segment is what a walk over it finds.
fn check_segment(new: &Rewritten, bytes: &[u8]) {
    let mut read = |position: u64, into: &mut [u8]| {
        into.copy_from_slice(&bytes[position as usize..position as usize + into.len()]);
        Ok(())
    };
    let scanned = index_of_batches(&new.sealed, None, &mut read).expect("the batches end where it says");
    assert_eq!(scanned.index.as_ref(), Some(&new.index));
    assert!(batches(bytes).all(|batch| batch.unwrap().crc_is_valid()));
}

type Read = Vec<(i64, Vec<u8>, Option<Vec<u8>>)>;

fn records(segments: &Segments) -> Read {
    let mut read = Read::new();
    for (_, bytes) in segments {
        for batch in batches(bytes).map(Result::unwrap).filter(|batch| !batch.is_control()) {
            let mut scratch = Vec::new();
            for record in batch.decompress(LIMIT, &mut scratch).unwrap().map(Result::unwrap) {
                read.push((record.offset, record.key.unwrap().to_vec(), record.value.map(<[u8]>::to_vec)));
            }
        }
    }
    read
}

fn latest(read: &Read) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut latest = BTreeMap::new();
    for (_, key, value) in read {
        match value {
            Some(value) => drop(latest.insert(key.clone(), value.clone())),
            None => drop(latest.remove(key)),
        }
    }
    latest
}

#[test]
fn the_map_knows_the_newest_offset_of_each_key_until_it_is_full() {
    let mut map = OffsetMap::new(24 * 1_000, u64::MAX);
    let mut known = BTreeMap::new();
    let mut random = Random(7);
    for offset in 0..5_000 {
        let key = random.below(700).to_le_bytes();
        assert!(map.put(&key, Offset(offset)), "750 keys fit");
        known.insert(key, Offset(offset));
    }
    assert_eq!(map.keys(), known.len() as u64);
    assert!(known.iter().all(|(key, offset)| map.newest(key) == Some(*offset)));
    assert_eq!(map.newest(b"another"), None);
    let taken = (0..1_000)
        .take_while(|number: &i64| map.put(format!("new {number}").as_bytes(), Offset(9_000)))
        .count();
    assert_eq!(taken as u64, 750 - known.len() as u64);
    assert!(map.put(&known.keys().next().unwrap()[..], Offset(9_001)), "a known key needs no room");
    assert_eq!(OffsetMap::new(1 << 40, 10).bytes(), 14 * 24, "no more than the records may need");
}

/// Random logs, many passes with a map that is too small: whatever a reader may rely on holds after each of them.
#[test]
fn a_reader_from_the_beginning_sees_the_latest_value_of_every_key() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let (original, producers) = random_log(&mut random);
        let before = records(&original);
        let known: BTreeMap<i64, (Vec<u8>, Option<Vec<u8>>)> =
            before.iter().map(|(offset, key, value)| (*offset, (key.clone(), value.clone()))).collect();
        let map_bytes = 24 * (4 + random.below(60));
        let mut segments = original.clone();
        let mut now_ms = 10_000;
        for _ in 0..100 {
            segments = pass(&segments, map_bytes, 1_500, now_ms, &producers);
            now_ms += random.below(700) as i64;
            let read = records(&segments);
            assert_eq!(latest(&read), latest(&before), "seed {seed}");
            assert!(read.is_sorted_by_key(|(offset, ..)| *offset), "seed {seed}");
            let is_as_it_was = |(offset, key, value): &(i64, Vec<u8>, Option<Vec<u8>>)| {
                known[offset] == (key.clone(), value.clone())
            };
            assert!(read.iter().all(is_as_it_was), "seed {seed}");
            check_ends(&segments, &original, &producers);
        }
        let read = records(&segments);
        let values: Vec<&Vec<u8>> =
            read.iter().filter(|one| one.2.is_some()).map(|(_, key, _)| key).collect();
        assert_eq!(values.len(), values.iter().collect::<BTreeSet<_>>().len(), "seed {seed}: each key once");
    }
}

fn check_ends(segments: &Segments, original: &Segments, producers: &[(i64, Offset)]) {
    let end = |segments: &Segments| segments.last().unwrap().0.next_offset;
    assert_eq!(end(segments), end(original));
    let follows = |pair: &[(SealedSegment, Vec<u8>)]| pair[0].0.next_offset == pair[1].0.base_offset;
    assert!(segments.windows(2).all(follows));
    for (producer_id, last_offset) in producers {
        let views = segments.iter().flat_map(|(_, bytes)| batches(bytes).map(Result::unwrap));
        let last = views.filter(|batch| batch.producer_id() == *producer_id).last().unwrap();
        assert_eq!(Offset(last.last_offset()), *last_offset, "the last batch of a producer stays");
    }
}

fn random_log(random: &mut Random) -> (Segments, Vec<(i64, Offset)>) {
    let codecs =
        [Compressor::None, Compressor::Gzip(-1), Compressor::Snappy, Compressor::Lz4, Compressor::Zstd(3)];
    let mut last_of = BTreeMap::new();
    let mut offset = 0;
    let mut segments = Segments::new();
    for _ in 0..3 + random.below(6) {
        let mut built = Vec::new();
        for _ in 0..1 + random.below(8) {
            let producer = random.below(4) as i64 - 1;
            let mut builder =
                BatchBuilder::new().base_offset(offset).compression(codecs[random.below(5) as usize]);
            if producer >= 0 {
                builder = builder.producer(producer, 0, offset as i32);
            }
            let count = 1 + random.below(6) as i64;
            for index in 0..count {
                let key = random.below(40).to_string();
                let value = format!("value {}", offset + index);
                let value = (random.below(5) > 0).then_some(value.as_bytes());
                builder.append(100 + offset + index, Some(key.as_bytes()), value, &[(b"h", None)]);
            }
            offset += count;
            last_of.insert(producer, Offset(offset - 1));
            built.push(builder);
        }
        segments.push(segment(&built));
    }
    last_of.remove(&-1);
    (segments, last_of.into_iter().collect())
}

#[test]
fn a_tombstone_stays_from_its_first_look_until_its_horizon() {
    let log = vec![segment(&[batch(0, &[("a", Some("1")), ("b", Some("2"))]), batch(2, &[("a", None)])])];
    let first = pass(&log, 1 << 20, 1 << 20, 5_000, &[]);
    assert_eq!(records(&first), [(1, b"b".to_vec(), Some(b"2".to_vec())), (2, b"a".to_vec(), None)]);
    let horizon = batches(&first[0].1).map(Result::unwrap).last().unwrap().delete_horizon_ms();
    assert_eq!(horizon, Some(5_000 + RETENTION_MS));

    // Another record makes the log dirty again.
    let more =
        |segments: &Segments| [segments.clone(), vec![segment(&[batch(3, &[("c", Some("3"))])])]].concat();
    let young = pass(&more(&first), 1 << 20, 1 << 20, 5_999, &[]);
    assert_eq!(records(&young).len(), 3, "not yet");
    let again = batches(&young[0].1).map(Result::unwrap).find_map(|batch| batch.delete_horizon_ms());
    assert_eq!(again, horizon, "set once");
    let old = pass(&more(&first), 1 << 20, 1 << 20, 6_000, &[]);
    assert_eq!(records(&old).iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn the_batch_that_ends_a_segment_stays_without_its_records() {
    let log = vec![
        segment(&[batch(0, &[("a", Some("1"))]), batch(1, &[("b", Some("1"))])]),
        segment(&[batch(2, &[("a", Some("2")), ("b", Some("2"))])]),
    ];
    let (map, clean_end) = mapped(&log, Offset(0), 1 << 20);
    let (new, bytes) = rewritten(&map, &rules(clean_end, 0), &log[..1]);
    let left: Vec<BatchView<'_>> = batches(&bytes).map(Result::unwrap).collect();
    assert_eq!(
        left.iter().map(|batch| (batch.base_offset(), batch.records_count())).collect::<Vec<_>>(),
        [(1, 0)]
    );
    assert_eq!((new.sealed.next_offset, new.sealed.max_timestamp), (Offset(2), -1));
    assert!(new.is_changed && new.records_dropped == 2);
    let (merged, bytes) = rewritten(&map, &rules(clean_end, 0), &log);
    assert_eq!(batches(&bytes).count(), 1, "merged with what follows it is not needed");
    assert_eq!(merged.sealed.base_offset, Offset(0));
    let (same, _) = rewritten(&map, &rules(clean_end, 0), &log[1..]);
    assert!(!same.is_changed);
}

#[test]
fn what_cannot_be_judged_stays() {
    let mut marker = BatchBuilder::new().base_offset(2).producer(1, 0, -1).transactional().control();
    marker.append(7, Some(&ControlRecord::Abort.key()), Some(&ControlRecord::marker_value(0)), &[]);
    let transactional = batch(1, &[("a", Some("in doubt"))]).producer(1, 0, 0).transactional();
    let tombstone = batch(3, &[("z", None)]).producer(1, 0, 1).transactional();
    let last = batch(4, &[("y", Some("1"))]);
    let log = vec![segment(&[batch(0, &[("a", Some("1"))]), transactional, marker, tombstone, last])];
    let once = pass(&log, 1 << 20, 1 << 20, 0, &[]);
    let twice = pass(
        &[once, vec![segment(&[batch(5, &[("x", Some("1"))])])]].concat(),
        1 << 20,
        1 << 20,
        i64::MAX,
        &[],
    );
    assert_eq!(records(&twice).iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), [0, 1, 3, 4, 5]);
    assert!(batches(&twice[0].1).any(|batch| batch.unwrap().is_control()));
    // But a later record takes their place.
    let later = vec![segment(&[batch(6, &[("a", Some("2"))])])];
    let after = pass(&[twice, later].concat(), 1 << 20, 1 << 20, 0, &[]);
    assert_eq!(records(&after).iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), [3, 4, 5, 6]);
}

#[test]
fn a_batch_that_does_not_inflate_stays_and_one_with_a_bad_crc_ends_it() {
    let mut log = vec![segment(&[batch(0, &[("a", Some("1"))]), batch(1, &[("a", Some("2"))])])];
    let at = log[0].1.len() / 2 - 1;
    log[0].1[at] ^= 1;
    let (files, mut disk) = sources(&log);
    let mut map = OffsetMap::new(1 << 20, 10);
    let fault = map_keys(&mut map, &files, Offset(0), &mut disk).unwrap_err();
    assert_eq!(fault, CompactionFault::Damaged { segment: Offset(0), position: 0 });
    let fault = rewrite(&map, &rules(Offset(2), 0), &files, &mut disk).unwrap_err();
    assert_eq!(fault, CompactionFault::Damaged { segment: Offset(0), position: 0 });

    let mut garbage = batch(0, &[("a", Some("1"))]).build().to_vec();
    // The records of a gzip batch are none.
    garbage[22] |= 1;
    let crc = protocol::record::crc32c(&garbage[21..]);
    garbage[17..21].copy_from_slice(&crc.to_be_bytes());
    garbage.extend_from_slice(&batch(1, &[("a", Some("2"))]).build());
    let log = vec![(sealed_of(&garbage, 0, 0), garbage.clone())];
    assert_eq!(pass(&log, 1 << 20, 1 << 20, 0, &[])[0].1, garbage);
}

#[test]
fn a_step_ends_when_it_is_told_to_and_a_merged_segment_is_not_too_large() {
    let log = vec![segment(&[batch(0, &[("a", Some("1"))])]), segment(&[batch(1, &[("b", Some("2"))])])];
    let (map, clean_end) = mapped(&log, Offset(0), 1 << 20);
    let (files, mut disk) = sources(&log);
    disk.steps_left = Some(1);
    assert_eq!(rewrite(&map, &rules(clean_end, 0), &files, &mut disk), Err(CompactionFault::GivenUp));
    disk.steps_left = None;
    let length_max = log.iter().map(|(sealed, _)| sealed.length).sum::<u64>() - 1;
    let small = CleanRules { length_max, ..rules(clean_end, 0) };
    assert_eq!(rewrite(&map, &small, &files, &mut disk), Err(CompactionFault::Outgrown));
    let alone = CleanRules { length_max: 1, ..rules(clean_end, 0) };
    assert!(rewrite(&map, &alone, &files[..1], &mut disk).is_ok(), "one by itself may be as large as it is");
}

/// A log of segments of 10 offsets and 100 bytes, whose newest records are of these times; `clean`: as many are clean.
fn log(times: &[i64], clean: usize, config: TopicConfig) -> PartitionLog {
    let mut scanner = LogScanner::new();
    for (index, max_timestamp) in times.iter().enumerate() {
        let base = index as i64 * 10;
        let clean_end = Offset(if index < clean { base + 10 } else { base });
        let (base_offset, next_offset) = (Offset(base), Offset(base + 10));
        let sealed =
            SealedSegment { base_offset, next_offset, length: 100, max_timestamp: *max_timestamp, clean_end };
        scanner.summarized(&sealed).unwrap();
    }
    let recovered: RecoveredLog = scanner.finish();
    let of = TopicPartition { topic_id: TopicId::ZERO, partition: PartitionIndex(0) };
    PartitionLog::open(of, Arc::new(TopicConfig { compacted: true, ..config }), recovered)
}

#[test]
fn a_log_is_cleanable_as_its_topic_says() {
    let cleanable = |log: &PartitionLog, now_ms| log.cleanable(now_ms, Offset(1_000), &|_| true);
    let by_ratio =
        |millionths| TopicConfig { min_cleanable_dirty_millionths: millionths, ..TopicConfig::default() };
    // The last segment is never looked at.
    assert_eq!(cleanable(&log(&[1], 0, by_ratio(0)), 100), None);
    let found = cleanable(&log(&[1, 2, 3, 4, 5], 2, by_ratio(499_999)), 100).unwrap();
    assert_eq!((found.first_dirty, found.bound), (Offset(20), Offset(40)));
    assert_eq!((found.clean_bytes, found.dirty_bytes, found.is_overdue), (200, 200, false));
    assert_eq!(
        cleanable(&log(&[1, 2, 3, 4, 5], 2, by_ratio(500_000)), 100),
        None,
        "half is not more than half"
    );
    assert_eq!(cleanable(&log(&[1, 2, 3], 2, by_ratio(0)), 100), None, "all is clean");
    let plain = log(&[1, 2, 3], 0, by_ratio(0));
    assert_eq!(
        plain.cleanable(100, Offset(19), &|_| true).unwrap().bound,
        Offset(10),
        "above the stable end"
    );
    assert_eq!(plain.cleanable(100, Offset(1_000), &|base| base < Offset(10)).unwrap().bound, Offset(10));
    let lag = TopicConfig { min_compaction_lag_ms: 50, ..by_ratio(0) };
    assert_eq!(cleanable(&log(&[1, 60, 3, 9], 0, lag), 100).unwrap().bound, Offset(10), "60 is too young");
    let late = TopicConfig { max_compaction_lag_ms: 50, ..by_ratio(1_000_000) };
    let urgent = |clean, now_ms| cleanable(&log(&[10, 60, 70], clean, late.clone()), now_ms);
    assert!(urgent(0, 11).unwrap().is_overdue, "how old its first record is nobody knows any more");
    assert!(urgent(2, 1_000).is_none());
    let off = log(&[1, 2, 3], 0, by_ratio(0));
    let not = PartitionLog::open(off.topic_partition(), Arc::default(), RecoveredLog::default());
    assert_eq!(cleanable(&not, 100), None);
}

#[test]
fn segments_are_merged_while_they_fit_together() {
    let config = TopicConfig { segment_bytes: 250, ..TopicConfig::default() };
    let bases = |log: &PartitionLog, clean_end| -> Vec<Vec<i64>> {
        let groups = log.cleaning_groups(Offset(clean_end));
        groups.iter().map(|group| group.iter().map(|one| one.base_offset.0).collect()).collect()
    };
    let mut five = log(&[1, 2, 3, 4, 5], 0, config);
    assert_eq!(bases(&five, 40), [vec![0, 10], vec![20, 30]]);
    assert_eq!(bases(&five, 21), [vec![0, 10], vec![20]]);
    five.advance_log_start(Offset(15));
    assert_eq!(bases(&five, 40), [vec![10, 20], vec![30]], "what lies below the log start goes soon");
}
