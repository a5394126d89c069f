//! Summaries: what is written is read, what is damaged is noticed, and a log opened from them is the log.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::model::topic_config::TopicConfig;
use crate::model::{Offset, PartitionIndex, SealedSegment, TopicId, TopicPartition};

use super::offset_index::OffsetIndex;
use super::tests::{EPOCH, builder, now, open, owned, write_segment};
use super::*;

const OF: TopicPartition = TopicPartition { topic_id: TopicId([7; 16]), partition: PartitionIndex(2) };
const SEGMENT: SealedSegment = SealedSegment {
    base_offset: Offset(7),
    next_offset: Offset(9),
    length: 100,
    max_timestamp: 5,
    clean_end: Offset(7),
};

fn whole() -> Summary {
    let snapshot =
        Snapshot { epochs: Bytes::from_static(b"epochs"), producers: Bytes::from_static(b"producers") };
    Summary { segment: SEGMENT, snapshot: Some(snapshot), index: Some(Bytes::from_static(b"index")) }
}

/// With the version of the header, or of the first section, raised, and its CRC made anew.
fn newer(summary: &Summary, at: usize, crc_at: usize, covered: &[std::ops::Range<usize>]) -> Bytes {
    let mut bytes = BytesMut::from(&summary.encode(OF)[..]);
    bytes[at] = 9;
    let mut hasher = crc32fast::Hasher::new();
    covered.iter().for_each(|range| hasher.update(&bytes[range.clone()]));
    bytes[crc_at..crc_at + 4].copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes.freeze()
}

#[test]
fn what_is_written_is_read() {
    for summary in [
        whole(),
        Summary::new(SEGMENT),
        Summary { snapshot: None, ..whole() },
        Summary { index: None, ..whole() },
    ] {
        assert_eq!(Summary::decode(OF, &summary.encode(OF)), Ok(summary));
    }
}

#[test]
fn the_front_alone_gives_the_snapshot() {
    let bytes = whole().encode(OF);
    let index_bytes = 16 + b"index".len();
    let front = bytes.slice(..bytes.len() - index_bytes);
    assert_eq!(Summary::decode(OF, &front), Ok(Summary { index: None, ..whole() }));
    assert_eq!(Summary::decode(OF, &bytes.slice(..64)), Ok(Summary::new(SEGMENT)));
    assert_eq!(Summary::decode(OF, &bytes.slice(..63)), Err(NoSummary::Damaged));
}

#[test]
fn a_newer_summary_is_refused_and_a_newer_section_skipped() {
    let bytes = newer(&whole(), 8, 12, &[0..12, 16..64]);
    assert_eq!(Summary::decode(OF, &bytes), Err(NoSummary::NewerVersion(9)));
    let epochs_end = 80 + b"epochs".len();
    let bytes = newer(&whole(), 68, 76, &[64..76, 80..epochs_end]);
    assert_eq!(Summary::decode(OF, &bytes), Ok(Summary { snapshot: None, ..whole() }));
}

#[test]
fn a_compacted_segment_tells_how_far_it_is_clean() {
    for clean_end in [8, 9] {
        let segment = SealedSegment { clean_end: Offset(clean_end), ..SEGMENT };
        let summary = Summary { segment, ..whole() };
        let bytes = summary.encode(OF);
        assert_eq!((bytes[8], Summary::decode(OF, &bytes)), (2, Ok(summary)), "an older binary refuses it");
        assert_eq!(Summary::decode(OF, &bytes.slice(..SUMMARY_HEADER_BYTES)), Ok(Summary::new(segment)));
        for at in 0..SUMMARY_HEADER_BYTES {
            let mut damaged = BytesMut::from(&bytes[..]);
            damaged[at] ^= 4;
            assert_eq!(Summary::decode(OF, &damaged.freeze()), Err(NoSummary::Damaged), "byte {at}");
        }
    }
    let beyond = SealedSegment { clean_end: Offset(10), ..SEGMENT };
    assert_eq!(Summary::decode(OF, &Summary::new(beyond).encode(OF)), Err(NoSummary::Damaged));
}

#[test]
fn the_summary_of_another_partition_is_not_taken() {
    let other_partition = TopicPartition { partition: PartitionIndex(3), ..OF };
    let other_topic = TopicPartition { topic_id: TopicId([8; 16]), ..OF };
    for other in [other_partition, other_topic] {
        assert_eq!(Summary::decode(other, &whole().encode(OF)), Err(NoSummary::Damaged));
    }
}

#[test]
fn a_segment_that_cannot_be_is_damage() {
    for (next_offset, length) in [(7, 100), (3, 100), (9, 0), (9, 1 << 32)] {
        let segment = SealedSegment { next_offset: Offset(next_offset), length, ..SEGMENT };
        assert_eq!(Summary::decode(OF, &Summary::new(segment).encode(OF)), Err(NoSummary::Damaged));
    }
}

/// Three segments with producers; their files, and the summaries as they were sealed.
fn log_with_files() -> (PartitionLog, Vec<Vec<u8>>, Vec<Summary>) {
    let mut log = open(TopicConfig::default());
    let (mut files, mut summaries) = (Vec::new(), Vec::new());
    for segment in 0..3 {
        let mut file = Vec::new();
        for batch in 0..20 {
            let timestamps = [1_000 * segment + batch, 7];
            let sequence = (segment * 40 + batch * 2) as i32;
            let records = builder(&timestamps, 3_000).producer(4, 0, sequence).build();
            let appended = log.append(now(1), EPOCH, owned(records), false).unwrap();
            file.extend_from_slice(&appended.write.unwrap().bytes);
        }
        let base = log.close_active().unwrap();
        summaries.push(log.summary(base));
        write_segment(&mut log, base);
        files.push(file);
    }
    while log.evict_oldest().is_some() {}
    (log, files, summaries)
}

#[test]
fn a_log_opened_from_summaries_is_the_log_without_its_indexes() {
    let (log, _, summaries) = log_with_files();
    let mut scanner = LogScanner::new();
    for summary in &summaries {
        scanner.summarized(&summary.segment).unwrap();
    }
    let (epochs, producers) = summaries[2].snapshot.as_ref().unwrap().decode().unwrap();
    scanner.set_state(epochs, producers);
    let recovered = scanner.finish();
    assert_eq!((recovered.log_start, recovered.log_end), (log.log_start, log.log_end));
    assert_eq!(recovered.epochs, log.epochs);
    assert_eq!(recovered.producers, log.producers.clone().without_times());
    let mut opened = PartitionLog::open(log.topic_partition(), log.config().clone(), recovered);
    for (summary, segment) in summaries.iter().zip(log.segments()) {
        let base = segment.base_offset;
        assert_eq!(opened.segment(base).unwrap().index_bytes(), 0);
        opened.set_file(base, segment.file.unwrap());
        assert!(opened.load_index(base, summary.index.as_ref().unwrap()));
        assert_eq!(opened.segment(base).unwrap().index(), segment.index());
    }
}

#[test]
fn a_scanned_segment_is_summed_up_as_it_was_when_it_was_sealed() {
    let (_, files, summaries) = log_with_files();
    let mut scanner = LogScanner::new();
    for (file, summary) in files.iter().zip(&summaries) {
        let mut read = |position: u64, into: &mut [u8]| {
            into.copy_from_slice(&file[position as usize..position as usize + into.len()]);
            Ok(())
        };
        scanner.segment(summary.segment.base_offset, file.len() as u64, &mut read).unwrap();
        assert_eq!(scanner.take_summary(true).as_ref(), Some(summary));
        assert_eq!(scanner.take_summary(true), None, "it gave up its index");
        let built = index_of_batches(&summary.segment, None, &mut read).unwrap();
        assert_eq!((built.index, built.snapshot), (summary.index.clone(), None));
        let kept =
            index_of_batches(&summary.segment, Some(Summary { index: None, ..summary.clone() }), &mut read);
        assert_eq!(kept.as_ref(), Ok(summary));
    }
}

#[test]
fn reads_and_lookups_name_the_segment_whose_index_they_need() {
    let (mut log, _, summaries) = log_with_files();
    let bases: Vec<Offset> = log.segments().iter().map(|segment| segment.base_offset).collect();
    let end = log.log_end_offset();
    bases.iter().for_each(|base| log.drop_index(*base));
    for (offset, segment) in [(0, 0), (39, 0), (40, 1), (119, 2)] {
        let unread = log.plan_read(Offset(offset), end, 10);
        assert_eq!(unread, Err(Unread::NeedsIndex { segment: bases[segment] }), "offset {offset}");
    }
    for (timestamp, segment) in [(0, 0), (19, 0), (20, 1), (1_019, 1), (1_020, 2), (2_019, 2)] {
        let lookup = log.offset_at(timestamp, Offset(0), end);
        assert_eq!(lookup, Lookup::NeedsIndex { segment: bases[segment] }, "timestamp {timestamp}");
    }
    assert_eq!(log.offset_at(2_020, Offset(0), end), Lookup::NotFound);
    assert_eq!(log.max_timestamp(Offset(0), end), Lookup::NeedsIndex { segment: bases[2] });
    assert!(log.load_index(bases[0], summaries[0].index.as_ref().unwrap()));
    let plan = log.plan_read(Offset(0), end, u64::MAX).unwrap();
    assert_eq!(plan.pieces.len(), 3, "whole segments need no index");
    let plan = log.plan_read(Offset(0), Offset(50), u64::MAX).unwrap();
    assert_eq!(plan.pieces.len(), 1, "it ends where another index would be needed");
}

#[test]
fn an_index_of_another_segment_is_not_taken() {
    let (mut log, files, summaries) = log_with_files();
    let first = summaries[0].segment;
    assert_eq!(index_of_summary(&first, &summaries[1]), None);
    assert!(!log.load_index(first.base_offset, summaries[1].index.as_ref().unwrap()));
    let mut read = |position: u64, into: &mut [u8]| {
        into.copy_from_slice(&files[1][position as usize..position as usize + into.len()]);
        Ok(())
    };
    let fault = index_of_batches(&first, None, &mut read);
    // Its batches could follow a gap, but they end elsewhere.
    assert!(matches!(fault, Err(crate::effect::IndexFault::NotABatch { position: 1.. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bit_is_noticed(bit in any::<prop::sample::Index>()) {
        let summary = whole();
        let mut bytes = BytesMut::from(&summary.encode(OF)[..]);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        match Summary::decode(OF, &bytes.freeze()) {
            Err(error) => prop_assert_eq!(error, NoSummary::Damaged),
            Ok(found) => {
                prop_assert!(bit >= 64 * 8);
                prop_assert_eq!(found.segment, summary.segment);
                prop_assert!(found.snapshot.is_none() || found.index.is_none());
                prop_assert!(found.snapshot.is_none_or(|snapshot| Some(snapshot) == summary.snapshot));
                prop_assert!(found.index.is_none_or(|index| Some(index) == summary.index));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Summary::decode(OF, &Bytes::from(bytes.clone()));
        let mut forged = BytesMut::from(&whole().encode(OF)[..]);
        forged.extend_from_slice(&bytes);
        let _ = Summary::decode(OF, &forged.freeze());
        let _ = OffsetIndex::decode(Offset(3), Offset(9), 40, &bytes);
    }

    #[test]
    fn an_index_survives_its_section(
        batches in prop::collection::vec((1u32..1_000, 61u32..50_000, any::<i64>()), 1..100),
        flip in any::<prop::sample::Index>(),
    ) {
        let mut index = OffsetIndex::new(Offset(1 << 40));
        for (offsets, length, timestamp) in batches {
            index.push(offsets, length, timestamp);
        }
        let section = index.encode();
        let decode = |section: &[u8]| OffsetIndex::decode(Offset(1 << 40), index.next_offset(), index.end(), section);
        let decoded = decode(&section);
        prop_assert_eq!(decoded.as_ref(), Some(&index));
        prop_assert!(decode(&section[..section.len() - 1]).is_none());
        // Without the CRC of the section something may slip through, but nothing that a search stumbles over.
        let mut flipped = section.clone();
        flipped[flip.index(section.len())] ^= 0x11;
        if let Some(other) = decode(&flipped) {
            for relative in 0..index.next_offset().0 - (1 << 40) {
                prop_assert!(other.batch_holding(Offset((1 << 40) + relative)).is_some());
            }
            prop_assert!(other.max_timestamp() < 0 || other.batch_reaching(other.max_timestamp(), Offset(0)).is_some());
        }
    }
}
