//! Appending, rolling, reading, looking up, recovering: one behaviour each.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::Piece;
use protocol::error_code::ErrorCode;
use protocol::record::{BatchBuilder, BatchView, Compression, Compressor};

use crate::effect::{DiskError, FileId};
use crate::model::topic_config::{TimestampType, TopicCompression, TopicConfig};
use crate::model::{Instant, LeaderEpoch, Now, Offset, PartitionIndex, TopicId, TopicPartition};

use super::*;

pub(super) const EPOCH: LeaderEpoch = LeaderEpoch(3);
const TOPIC_PARTITION: TopicPartition =
    TopicPartition { topic_id: TopicId([7; 16]), partition: PartitionIndex(0) };

pub(super) fn now(wall_ms: i64) -> Now {
    Now { instant: Instant(wall_ms as u64 * 1_000_000), wall_ms }
}

pub(super) fn open(config: TopicConfig) -> PartitionLog {
    PartitionLog::open(TOPIC_PARTITION, Arc::new(config), RecoveredLog::default())
}

/// A batch with one record for each timestamp.
pub(super) fn builder(timestamps: &[i64], value_bytes: usize) -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    let value = vec![b'v'; value_bytes];
    for timestamp in timestamps {
        builder.append(*timestamp, Some(b"key"), Some(&value), &[]);
    }
    builder
}

pub(super) fn owned(bytes: Bytes) -> BytesMut {
    BytesMut::from(&bytes[..])
}

fn batch(timestamps: &[i64], value_bytes: usize) -> BytesMut {
    owned(builder(timestamps, value_bytes).build())
}

fn append(log: &mut PartitionLog, timestamps: &[i64], value_bytes: usize) -> Appended {
    log.append(now(1_000), EPOCH, batch(timestamps, value_bytes), false).unwrap()
}

fn refusal(log: &mut PartitionLog, records: BytesMut) -> ErrorCode {
    let before = format!("{log:?}");
    let error = log.append(now(1_000), EPOCH, records, false).unwrap_err().error;
    assert_eq!(format!("{log:?}"), before, "a refusal changes nothing");
    error
}

/// Writes all whole blocks of a segment, as storage does; seals it if it is full.
pub(super) fn write_segment(log: &mut PartitionLog, base: Offset) {
    log.set_file(base, FileId(base.0 as u64));
    let segment = log.segment(base).unwrap();
    if segment.state == SegmentState::Active {
        let through = segment.length / 64 * 64;
        log.on_written(base, through);
    } else {
        log.on_sealed(base);
    }
}

fn bases(log: &PartitionLog) -> Vec<i64> {
    log.segments().iter().map(|segment| segment.base_offset.0).collect()
}

#[test]
fn a_new_log_is_empty_and_holds_no_memory() {
    let log = open(TopicConfig::default());
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(0), Offset(0)));
    assert_eq!(log.segments.capacity(), 0);
    assert_eq!(log.plan_read(Offset(0), Offset(0), 1000), Ok(ReadPlan::default()));
    assert_eq!(log.epoch_end(LeaderEpoch(0)), (LeaderEpoch(-1), Offset(-1)));
    assert_eq!(log.offset_at(0, Offset(0), Offset(0)), Lookup::NotFound);
    assert!(size_of::<PartitionLog>() <= 256, "{}", size_of::<PartitionLog>());
}

#[test]
fn appends_give_dense_offsets_and_contiguous_positions() {
    let mut log = open(TopicConfig::default());
    let first = append(&mut log, &[1, 2, 3], 10);
    let second = append(&mut log, &[4], 10);
    assert_eq!((first.base_offset, first.next_offset), (Offset(0), Offset(3)));
    assert_eq!((second.base_offset, second.next_offset), (Offset(3), Offset(4)));
    let (first, second) = (first.write.unwrap(), second.write.unwrap());
    assert_eq!((first.segment, first.position), (Offset(0), 0));
    assert_eq!((second.segment, second.position), (Offset(0), first.bytes.len() as u64));
    assert_eq!(
        log.tail_bytes(),
        [&first, &second].map(|one| tail_cost_bytes(one.bytes.len() as u64)).iter().sum::<u64>()
    );
}

#[test]
fn the_batch_is_stamped_in_place_and_its_crc_still_fits() {
    let mut log = open(TopicConfig::default());
    append(&mut log, &[1, 2], 10);
    let records = batch(&[5, 6], 10);
    let address = records.as_ptr();
    let written = log.append(now(9), EPOCH, records, false).unwrap().write.unwrap().bytes;
    let view = BatchView::parse(&written).unwrap();
    assert_eq!((view.base_offset(), view.partition_leader_epoch()), (2, EPOCH.0));
    assert!(view.crc_is_valid());
    assert_eq!(written.as_ptr(), address, "not copied");
}

#[test]
fn a_batch_out_of_a_frame_leaves_its_neighbours_alone() {
    let mut log = open(TopicConfig::default());
    let one = batch(&[1], 10);
    let length = one.len();
    let mut frame = BytesMut::from(&[&b"before"[..], &one, b"after"].concat()[..]);
    let before = frame.split_to(6);
    let records = frame.split_to(length);
    let written = log.append(now(9), EPOCH, records, false).unwrap().write.unwrap();
    assert_eq!((&before[..], &frame[..], written.bytes.len()), (&b"before"[..], &b"after"[..], length));
}

#[test]
fn a_few_bytes_of_junk_after_the_batch_are_trimmed() {
    let mut log = open(TopicConfig::default());
    let mut records = batch(&[1], 10);
    let length = records.len();
    records.extend_from_slice(b"junk!");
    let appended = log.append(now(9), EPOCH, records, false).unwrap();
    assert_eq!(appended.write.unwrap().bytes.len(), length);
    assert_eq!(log.segments()[0].length, length as u64);
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut log = open(TopicConfig { max_message_bytes: 500, segment_bytes: 400, ..TopicConfig::default() });
    append(&mut log, &[1], 10);
    let mut torn = batch(&[1], 10);
    let last = torn.len() - 1;
    torn[last] ^= 1;
    assert_eq!(refusal(&mut log, torn), ErrorCode::CORRUPT_MESSAGE);
    assert_eq!(refusal(&mut log, BytesMut::new()), ErrorCode::INVALID_RECORD);
    assert_eq!(refusal(&mut log, batch(&[1], 600)), ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(refusal(&mut log, batch(&[1], 350)), ErrorCode::RECORD_LIST_TOO_LARGE);
    let transactional = builder(&[1], 10).producer(1, 0, 0).transactional().build();
    assert_eq!(refusal(&mut log, owned(transactional)), ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    let older = log.append(now(1), LeaderEpoch(2), batch(&[1], 10), false).unwrap_err();
    assert_eq!(older.error, ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn a_record_without_key_is_named_on_a_compacted_topic() {
    let mut log = open(TopicConfig { compacted: true, ..TopicConfig::default() });
    let mut records = builder(&[1], 10);
    records.append(1, None, Some(b"v"), &[]);
    let refused = log.append(now(1), EPOCH, owned(records.build()), false).unwrap_err();
    assert_eq!(refused.error, ErrorCode::INVALID_RECORD);
    assert_eq!(refused.record_errors.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1]);
}

#[test]
fn log_append_time_is_stamped_and_told() {
    let config = TopicConfig { timestamp_type: TimestampType::LogAppendTime, ..TopicConfig::default() };
    let mut log = open(config);
    let appended = log.append(now(777), EPOCH, batch(&[1, 2], 10), false).unwrap();
    assert_eq!(appended.log_append_time_ms, 777);
    let bytes = appended.write.unwrap().bytes;
    let view = BatchView::parse(&bytes).unwrap();
    assert!(view.crc_is_valid());
    assert_eq!(view.max_timestamp(), 777);
    assert_eq!(append(&mut open(TopicConfig::default()), &[1], 1).log_append_time_ms, -1);
}

#[test]
fn a_topic_with_a_codec_stores_batches_compressed_anew() {
    let mut log =
        open(TopicConfig { compression: TopicCompression::Lz4 { level: 9 }, ..TopicConfig::default() });
    let bytes = append(&mut log, &[1, 2], 5_000).write.unwrap().bytes;
    let view = BatchView::parse(&bytes).unwrap();
    assert_eq!(view.compression(), Ok(Compression::Lz4));
    assert!(view.crc_is_valid() && bytes.len() < 5_000);
    assert_eq!(log.segments()[0].length, bytes.len() as u64);
}

#[test]
fn a_segment_rolls_when_the_next_batch_does_not_fit() {
    let length = batch(&[1], 100).len() as u32;
    let mut log = open(TopicConfig { segment_bytes: 2 * length, ..TopicConfig::default() });
    let rolled: Vec<_> = (0..5).map(|_| append(&mut log, &[1], 100).rolled).collect();
    assert_eq!(rolled, [None, None, Some(Offset(0)), None, Some(Offset(2))]);
    assert_eq!(bases(&log), [0, 2, 4]);
    let states: Vec<_> = log.segments().iter().map(|segment| segment.state).collect();
    assert_eq!(states, [SegmentState::Full, SegmentState::Full, SegmentState::Active]);
}

#[test]
fn a_segment_rolls_by_the_timestamps_of_its_batches() {
    let mut log = open(TopicConfig { segment_ms: 100, ..TopicConfig::default() });
    for (timestamp, wall_ms) in [(1_000, 0), (1_100, 500), (1_101, 500), (900, 9_000), (1_202, 9_000)] {
        log.append(now(wall_ms), EPOCH, batch(&[timestamp], 1), false).unwrap();
    }
    assert_eq!(bases(&log), [0, 2, 4]);
}

#[test]
fn a_segment_without_timestamps_rolls_by_the_wall_clock() {
    let mut log = open(TopicConfig { segment_ms: 100, ..TopicConfig::default() });
    for wall_ms in [1_000, 1_100, 1_101, 500, 1_202] {
        log.append(now(wall_ms), EPOCH, batch(&[-1], 1), false).unwrap();
    }
    assert_eq!(bases(&log), [0, 2, 4]);
}

#[test]
fn a_closed_segment_takes_no_more() {
    let mut log = open(TopicConfig::default());
    assert_eq!(log.close_active(), None);
    append(&mut log, &[1], 1);
    assert_eq!(log.close_active(), Some(Offset(0)));
    assert_eq!(log.close_active(), None);
    assert_eq!(append(&mut log, &[1], 1).rolled, None, "it was full before");
    assert_eq!(bases(&log), [0, 1]);
}

#[test]
fn reads_begin_with_the_batch_that_holds_the_offset_and_end_below_the_bound() {
    let mut log = open(TopicConfig::default());
    let lengths: Vec<u64> =
        (0..3).map(|_| append(&mut log, &[1, 2], 50).write.unwrap().bytes.len() as u64).collect();
    let read = |from, below| {
        let plan = log.plan_read(Offset(from), Offset(below), u64::MAX).unwrap();
        (plan.bytes, plan.first_batch_bytes)
    };
    assert_eq!(read(0, 6), (lengths.iter().sum(), lengths[0]));
    assert_eq!(read(3, 6), (lengths[1] + lengths[2], lengths[1]));
    assert_eq!(read(0, 2), (lengths[0], lengths[0]));
    assert_eq!(read(2, 2), (0, 0));
    assert_eq!(read(5, 2), (0, 0));
    assert_eq!(read(6, 6), (0, 0));
    assert_eq!(log.plan_read(Offset(7), Offset(6), 1), Err(Unread::Error(ErrorCode::OFFSET_OUT_OF_RANGE)));
    assert_eq!(log.plan_read(Offset(-1), Offset(6), 1), Err(Unread::Error(ErrorCode::OFFSET_OUT_OF_RANGE)));
}

#[test]
fn the_first_batch_is_whole_and_the_rest_is_cut_at_exactly_bytes_max() {
    for cold in [false, true] {
        let mut log = open(TopicConfig::default());
        let length = append(&mut log, &[1], 50).write.unwrap().bytes.len() as u64;
        append(&mut log, &[1], 50);
        if cold {
            log.close_active();
            write_segment(&mut log, Offset(0));
            while log.evict_oldest().is_some() {}
        }
        for (bytes_max, expect) in [
            (0, length),
            (1, length),
            (length, length),
            (length + 7, length + 7),
            (2 * length, 2 * length),
            (9_999, 2 * length),
        ] {
            let plan = log.plan_read(Offset(0), Offset(2), bytes_max).unwrap();
            assert_eq!((plan.bytes, plan.first_batch_bytes), (expect, length), "cold {cold} max {bytes_max}");
            assert_eq!(plan.pieces.iter().map(Piece::len).sum::<u64>(), expect);
        }
    }
}

#[test]
fn evicted_batches_are_read_from_one_range_of_their_file_and_the_rest_from_memory() {
    let mut log = open(TopicConfig::default());
    let lengths: Vec<u64> =
        (0..4).map(|_| append(&mut log, &[1], 1_000).write.unwrap().bytes.len() as u64).collect();
    assert_eq!(log.evict_oldest(), None, "nothing is in the file");
    log.set_file(Offset(0), FileId(9));
    log.on_written(Offset(0), lengths[0] + lengths[1] + 5);
    assert_eq!(log.evict_oldest(), Some(tail_cost_bytes(lengths[0])));
    assert_eq!(log.evict_oldest(), Some(tail_cost_bytes(lengths[1])));
    assert_eq!(log.evict_oldest(), None, "the third batch is in the file only in part");
    let plan = log.plan_read(Offset(0), Offset(4), u64::MAX).unwrap();
    let range = protocol::FileRange { file: 9, position: 0, length: lengths[0] + lengths[1] };
    assert_eq!(plan.pieces[0], Piece::File(range));
    assert!(matches!(plan.pieces[1..], [Piece::Bytes(_), Piece::Bytes(_)]));
    assert_eq!(log.tail_bytes(), tail_cost_bytes(lengths[2]) + tail_cost_bytes(lengths[3]));
}

#[test]
fn a_file_that_was_not_opened_is_a_storage_error_only_for_the_first_batch() {
    let mut log = open(TopicConfig::default());
    for _ in 0..2 {
        append(&mut log, &[1], 10);
        log.close_active();
    }
    log.set_file(Offset(0), FileId(1));
    log.on_sealed(Offset(0));
    log.set_file(Offset(1), FileId(2));
    log.on_sealed(Offset(1));
    while log.evict_oldest().is_some() {}
    log.segments[1].file = None;
    assert_eq!(log.plan_read(Offset(1), Offset(2), 999), Err(Unread::Error(ErrorCode::KAFKA_STORAGE_ERROR)));
    assert_eq!(log.plan_read(Offset(0), Offset(2), 999).unwrap().pieces.len(), 1);
}

/// Also if its records are below the log start: their bytes would go from memory with those of what is compacted.
#[test]
fn a_log_is_not_compacted_behind_a_segment_that_is_still_to_be_written() {
    let mut log =
        open(TopicConfig { compacted: true, min_cleanable_dirty_millionths: 0, ..TopicConfig::default() });
    for _ in 0..4 {
        append(&mut log, &[1], 10);
        log.close_active();
    }
    write_segment(&mut log, Offset(1));
    write_segment(&mut log, Offset(2));
    let cleanable = |log: &PartitionLog| {
        let found = log.cleanable(1_000, Offset(4), &|_| true)?;
        Some((found.first_dirty, found.bound))
    };
    assert_eq!(cleanable(&log), None);
    log.advance_log_start(Offset(1));
    assert_eq!(cleanable(&log), None);
    write_segment(&mut log, Offset(0));
    assert_eq!(cleanable(&log), Some((Offset(1), Offset(3))));
}

#[test]
fn slices_are_exact_ranges_of_the_tail() {
    let mut log = open(TopicConfig::default());
    let written: Vec<u8> =
        (0..3).flat_map(|_| append(&mut log, &[1], 20).write.unwrap().bytes.to_vec()).collect();
    for (from, to) in [(0, 1), (0, written.len()), (50, 200), (100, 100), (written.len(), written.len())] {
        let slices = log.slices(Offset(0), from as u64, to as u64).concat();
        assert_eq!(slices, &written[from..to], "[{from}, {to})");
    }
}

#[test]
fn the_offset_at_a_position_is_that_after_the_last_whole_batch() {
    let mut log = open(TopicConfig::default());
    let length = append(&mut log, &[1, 2], 100).write.unwrap().bytes.len() as u64;
    append(&mut log, &[1, 2], 100);
    log.close_active();
    append(&mut log, &[1, 2], 100);
    let check = |log: &PartitionLog| {
        for (segment, position, expect) in [
            (0, 0, 0),
            (0, length - 1, 0),
            (0, length, 2),
            (0, 2 * length - 1, 2),
            (0, 2 * length, 4),
            (4, 0, 4),
            (4, length, 6),
        ] {
            let found = log.offset_at_position(Offset(segment), position);
            assert_eq!(found, Offset(expect), "segment {segment} position {position}");
        }
    };
    check(&log);
    write_segment(&mut log, Offset(0));
    log.evict_oldest().unwrap();
    check(&log);
    log.evict_oldest().unwrap();
    check(&log);
}

#[test]
fn offsets_by_time_are_exact_to_the_record() {
    let mut log = open(TopicConfig::default());
    append(&mut log, &[10, 30, 20], 10);
    append(&mut log, &[25, 25], 10);
    append(&mut log, &[40, 50], 10);
    let found = |timestamp, offset, at| {
        let expect = Lookup::Found { offset: Offset(offset), timestamp: at, leader_epoch: EPOCH };
        assert_eq!(log.offset_at(timestamp, Offset(0), Offset(7)), expect, "timestamp {timestamp}");
    };
    found(0, 0, 10);
    found(11, 1, 30);
    found(30, 1, 30);
    found(31, 5, 40);
    found(50, 6, 50);
    assert_eq!(log.offset_at(51, Offset(0), Offset(7)), Lookup::NotFound);
    assert_eq!(log.offset_at(31, Offset(0), Offset(5)), Lookup::NotFound, "the bound hides it");
    let largest = |below, offset, timestamp| {
        let expect = Lookup::Found { offset: Offset(offset), timestamp, leader_epoch: EPOCH };
        assert_eq!(log.max_timestamp(Offset(0), Offset(below)), expect, "below {below}");
    };
    largest(7, 6, 50);
    largest(5, 1, 30);
    largest(3, 1, 30);
    assert_eq!(log.max_timestamp(Offset(0), Offset(0)), Lookup::NotFound);
}

#[test]
fn offsets_by_time_look_into_compressed_batches_and_batches_in_files() {
    let mut log = open(TopicConfig::default());
    let compressed = builder(&[10, 30, 20], 500).compression(Compressor::Zstd(3)).build();
    log.append(now(1), EPOCH, owned(compressed), false).unwrap();
    let expect = Lookup::Found { offset: Offset(1), timestamp: 30, leader_epoch: EPOCH };
    assert_eq!(log.offset_at(11, Offset(0), Offset(3)), expect);
    log.close_active();
    let bytes = log.slices(Offset(0), 0, log.segments()[0].length).concat();
    write_segment(&mut log, Offset(0));
    log.evict_oldest().unwrap();
    let length = bytes.len() as u64;
    let cold = Lookup::ReadBatch {
        file: FileId(0),
        position: 0,
        length,
        timestamp: 11,
        from: Offset(0),
        next_offset: Offset(3),
    };
    assert_eq!(log.offset_at(11, Offset(0), Offset(3)), cold);
    assert_eq!(offset_in_batch(&bytes, 11, Offset(0)), expect);
    assert_eq!(offset_in_batch(&bytes[..40], 11, Offset(0)), Lookup::NotFound);
}

#[test]
fn leader_epochs_answer_as_kafka_does() {
    let mut log = open(TopicConfig::default());
    for (epoch, records) in [(1, 5), (4, 3)] {
        for _ in 0..records {
            log.append(now(1), LeaderEpoch(epoch), batch(&[1], 1), false).unwrap();
        }
    }
    let check = |log: &PartitionLog, table: &[(i32, i32, i64)]| {
        for (asked, epoch, end) in table {
            let expect = (LeaderEpoch(*epoch), Offset(*end));
            assert_eq!(log.epoch_end(LeaderEpoch(*asked)), expect, "epoch {asked}");
        }
    };
    check(&log, &[(-1, -1, -1), (0, 0, 0), (1, 1, 5), (3, 1, 5), (4, 4, 8), (5, -1, -1)]);
    log.begin_leader_epoch(LeaderEpoch(6));
    check(&log, &[(4, 4, 8), (5, 4, 8), (6, 6, 8), (7, -1, -1)]);
    log.begin_leader_epoch(LeaderEpoch(7));
    check(&log, &[(6, 4, 8), (7, 7, 8)]);
    let at: Vec<_> = [0, 4, 5, 7, 8].map(|offset| log.latest_epoch_at(Offset(offset)).0).into();
    assert_eq!(at, [1, 1, 4, 4, 7]);
}

fn scan(files: &[(i64, Vec<u8>)]) -> Result<RecoveredLog, ScanError> {
    let mut scanner = LogScanner::new();
    for (base, file) in files {
        let mut read = |position: u64, into: &mut [u8]| {
            into.copy_from_slice(&file[position as usize..position as usize + into.len()]);
            Ok(())
        };
        scanner.segment(Offset(*base), file.len() as u64, &mut read)?;
    }
    Ok(scanner.finish())
}

#[test]
fn a_recovered_log_goes_on_in_a_new_segment() {
    let mut log = open(TopicConfig::default());
    let file: Vec<u8> =
        (0..3).flat_map(|_| append(&mut log, &[5, 6], 10).write.unwrap().bytes.to_vec()).collect();
    let recovered = scan(&[(0, file)]).unwrap();
    assert_eq!((recovered.log_start_offset(), recovered.log_end_offset()), (Offset(0), Offset(6)));
    let mut log = PartitionLog::open(TOPIC_PARTITION, Arc::new(TopicConfig::default()), recovered);
    assert_eq!(log.segments()[0].state, SegmentState::Sealed);
    assert_eq!(append(&mut log, &[7], 10).base_offset, Offset(6));
    assert_eq!(bases(&log), [0, 6]);
}

#[test]
fn the_log_starts_at_its_first_segment_and_an_empty_one_only_says_where_it_ends() {
    let recovered = scan(&[(42, Vec::new())]).unwrap();
    assert_eq!((recovered.log_start_offset(), recovered.log_end_offset()), (Offset(42), Offset(42)));
    assert_eq!(recovered.segments().len(), 0);
}

#[test]
fn a_bad_header_is_named_with_its_position() {
    let mut log = open(TopicConfig::default());
    let one = append(&mut log, &[1, 2], 10).write.unwrap().bytes.to_vec();
    let two = append(&mut log, &[1, 2], 10).write.unwrap().bytes.to_vec();
    let at = one.len();
    let fault = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = [one.clone(), two.clone()].concat();
        change(&mut file);
        let error = scan(&[(0, file)]).unwrap_err();
        (error.position as usize, error.fault)
    };
    assert_eq!(fault(&|file| file[at + 16] = 1), (at, ScanFault::Magic(1)));
    assert_eq!(fault(&|file| file[at + 11] = 48), (at, ScanFault::BatchLength(48)));
    assert_eq!(fault(&|file| file[at + 8] = 0x80).0, at);
    let base = ScanFault::BaseOffset { expected: Offset(2), found: Offset(1) };
    assert_eq!(fault(&|file| file[at + 7] = 1), (at, base));
    assert_eq!(fault(&|file| file[at + 23] = 0x80), (at, ScanFault::LastOffsetDelta(i32::MIN + 1)));
    let left = two.len() as u64 - 1;
    assert_eq!(fault(&|file| file.truncate(2 * at - 1)), (at, ScanFault::Cut { left }));
    assert_eq!(fault(&|file| file.extend([0; 60])), (2 * at, ScanFault::Cut { left: 60 }));
    assert_eq!(fault(&|file| file.extend([0; 61])), (2 * at, ScanFault::Magic(0)));
    let gap = scan(&[(0, one.clone()), (3, two.clone())]).unwrap_err();
    assert_eq!((gap.segment, gap.fault), (Offset(3), ScanFault::SegmentGap { expected: Offset(2) }));
    assert_eq!(
        gap.to_string(),
        "segment 00000000000000000003 at byte 0: the segment before it ends at offset 2"
    );
}

#[test]
fn a_failed_read_ends_the_scan() {
    let error = DiskError { operation: "read", errno: 5 };
    let found = LogScanner::new().segment(Offset(0), 100, &mut |_, _| Err(error)).unwrap_err();
    assert_eq!(found, ScanError { segment: Offset(0), position: 0, fault: ScanFault::Disk(error) });
}
