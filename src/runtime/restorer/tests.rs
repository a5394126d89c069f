//! The copying without a shard: real files, and whatever order a journal can have.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::effect::{FileId, JournalPiece};
use crate::model::{Offset, PartitionIndex, TopicId, TopicPartition};
use crate::runtime::files::{journal_dir, partition_dir, segment_path};

const SHARD: ShardId = ShardId(0);
const SEGMENTS: usize = 4;
const FILES: u32 = 3;

/// What a journal was given: by file, by segment, after so many bytes of others.
#[derive(Debug, Clone)]
struct Given {
    file: u32,
    segment: usize,
    gap: usize,
    length: usize,
}

fn given() -> impl Strategy<Value = Given> {
    let gap = prop_oneof![Just(0), 1..200_usize, 10_000..30_000_usize];
    let length = prop_oneof![8 => 1..500_usize, 1 => 300_000..1_200_000_usize];
    (0..FILES, 0..SEGMENTS, gap, length).prop_map(|(file, segment, gap, length)| Given {
        file,
        segment,
        gap,
        length,
    })
}

fn name(segment: usize) -> SegmentName {
    let partition = PartitionIndex(i32::try_from(segment).expect("few"));
    let topic_partition = TopicPartition { topic_id: TopicId([7; 16]), partition };
    SegmentName { topic_partition, base_offset: Offset(segment as i64) }
}

/// Removes its directory, whatever became of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(case: &str) -> Folder {
        let root = std::env::temp_dir().join(format!("penstock-restorer-{case}-{}", std::process::id()));
        std::fs::create_dir_all(journal_dir(&root, SHARD)).expect("a temporary directory");
        Folder(root)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes the journal and what the segments have already. Returns what is asked of the restorer, and what the segments must be.
fn prepare(root: &Path, all: &[Given]) -> (Vec<RestoreSegment>, Vec<Vec<u8>>) {
    let mut files = vec![Vec::new(); FILES as usize];
    let mut expected: Vec<Vec<u8>> = (0..SEGMENTS).map(|segment| vec![1; segment * 100]).collect();
    let mut pieces = vec![Vec::new(); SEGMENTS];
    let mut byte = 0_u32;
    for Given { file, segment, gap, length } in all {
        let journal = &mut files[*file as usize];
        journal.resize(journal.len() + gap, 0xee);
        let position = journal.len() as u32;
        let bytes = std::iter::repeat_with(|| {
            byte = byte.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (byte >> 24) as u8
        });
        journal.extend(bytes.take(*length));
        expected[*segment].extend_from_slice(&journal[position as usize..]);
        pieces[*segment].push(JournalPiece { file: *file, position, length: *length as u32 });
    }
    for (file, bytes) in (0..).zip(files) {
        std::fs::write(journal_path(root, SHARD, file), bytes).expect("writes");
    }
    let segments = pieces.into_iter().zip(&expected).enumerate().map(|(segment, (pieces, bytes))| {
        let position = segment as u64 * 100;
        let path = segment_path(root, name(segment));
        std::fs::create_dir_all(partition_dir(root, name(segment).topic_partition)).expect("makes");
        // What lies behind `position` was never synced: it may be anything.
        std::fs::write(path, [vec![1; position as usize], vec![0xdd; 5_000]].concat()).expect("writes");
        RestoreSegment {
            file: FileId(segment as u64),
            segment: name(segment),
            position,
            pieces,
            length: bytes.len() as u64,
            summary: Bytes::from_static(b"summary"),
        }
    });
    (segments.collect(), expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn segments_get_their_bytes_and_no_others(all in proptest::collection::vec(given(), 0..60)) {
        let folder = Folder::new("bytes");
        let (segments, expected) = prepare(&folder.0, &all);
        Batch::new(SHARD, &folder.0).restore(&segments).expect("restores");
        for (segment, bytes) in expected.iter().enumerate() {
            let found = std::fs::read(segment_path(&folder.0, name(segment))).expect("reads");
            prop_assert!(found == *bytes, "segment {segment}: {} bytes, {} expected", found.len(), bytes.len());
        }
    }
}

fn piece(file: u32, from: u32, length: u32) -> Move {
    Move { file, from, length, segment: 0, to: 0 }
}

#[test]
fn what_lies_close_together_is_read_at_once() {
    let (skip, read) = (RESTORE_SKIP_BYTES as u32, RESTORE_READ_BYTES as u32);
    let cases: &[(&str, &[Move], usize)] = &[
        ("nothing", &[], 0),
        ("one, however long", &[piece(0, 0, 9 * read)], 1),
        ("side by side", &[piece(0, 0, 10), piece(0, 10, 10), piece(0, 20, 10)], 3),
        ("as far apart as allowed", &[piece(0, 0, 10), piece(0, 10 + skip, 10)], 2),
        ("too far apart", &[piece(0, 0, 10), piece(0, 11 + skip, 10)], 1),
        ("in another file", &[piece(0, 0, 10), piece(1, 10, 10)], 1),
        ("as much as is read at once", &[piece(0, 5, read - 10), piece(0, read - 5, 10)], 2),
        ("more", &[piece(0, 5, read - 10), piece(0, read - 5, 11)], 1),
    ];
    for (case, moves, expected) in cases {
        assert_eq!(span_length(moves), *expected, "{case}");
    }
}

#[test]
fn a_journal_that_ends_too_early_is_an_error() {
    let folder = Folder::new("short");
    let (mut segments, _) = prepare(&folder.0, &[Given { file: 0, segment: 0, gap: 0, length: 100 }]);
    segments[0].pieces[0].length = 101;
    let failed = Batch::new(SHARD, &folder.0).restore(&segments);
    assert!(matches!(failed, Err(Failure::Final(_))), "{failed:?}");
}
