//! The bytes of the journal, the room in the ring, and a walk over hostile bytes.

use bytes::Bytes;
use proptest::prelude::*;

use super::format::*;
use super::group::{EncodedCommit, encode_commit};
use super::replay::{ReplayError, ReplayFault, plan, replay};
use super::ring::{Lane, Ring};
use super::*;
use crate::effect::DiskError;
use crate::model::{LogDir, PartitionIndex, TopicId, TopicPartition};

const DIRECTORY: [u8; 16] = [5; 16];
const FILE_BYTES: u64 = 64 * BLOCK_BYTES;

fn file_header(file_sequence: u64, first_commit: u64, chain: u32) -> FileHeader {
    FileHeader {
        version: FORMAT_VERSION,
        file_sequence,
        oldest_live_sequence: 1,
        first_commit,
        chain,
        shard: ShardId(2),
        directory_id: DIRECTORY,
    }
}

fn data(position: u64, payload: &[u8]) -> Entry {
    let topic_partition = TopicPartition { topic_id: TopicId([1; 16]), partition: PartitionIndex(7) };
    Entry {
        header: EntryHeader {
            kind: EntryKind::Data,
            length: payload.len() as u32,
            topic_partition,
            base_offset: Offset(40),
            position,
        },
        payload: Bytes::copy_from_slice(payload),
        key: SegmentKey { log: LogId(0), base_offset: Offset(40) },
        next_offset: None,
    }
}

/// One commit of one file, as it stands on disk: file header, commit, zeros to the end.
fn commit(
    file_sequence: u64,
    number: u64,
    chain: u32,
    oldest: u64,
    entries: &[Entry],
) -> (Vec<u8>, EncodedCommit) {
    let body_bytes: u64 = entries.iter().map(Entry::bytes).sum();
    let header = CommitHeader {
        crc: 0,
        file_sequence,
        commit: number,
        chain,
        body_bytes: body_bytes as u32,
        entries: entries.len() as u32,
        starts: false,
        oldest_live_sequence: oldest,
    };
    let encoded = encode_commit(None, &header, entries);
    let mut bytes = encoded.pieces.concat();
    bytes.resize(header.commit_bytes() as usize, 0);
    (bytes, encoded)
}

fn file(header: &FileHeader, commits: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = header.encode().to_vec();
    bytes.resize(BLOCK_BYTES as usize, 0);
    commits.iter().for_each(|commit| bytes.extend_from_slice(commit));
    bytes.resize(FILE_BYTES as usize, 0);
    bytes
}

#[derive(Debug, PartialEq)]
struct Failed(ReplayError);

impl From<ReplayError> for Failed {
    fn from(error: ReplayError) -> Failed {
        Failed(error)
    }
}

type Found = Vec<(EntryHeader, Vec<u8>)>;

fn read_back(files: &[Vec<u8>]) -> Result<Found, ReplayFault> {
    let sizes: Vec<(u32, u64)> = (0..).zip(files.iter().map(|file| file.len() as u64)).collect();
    let mut read = |file: u32, position: u64, into: &mut [u8]| {
        let from = position as usize;
        let bytes = files[file as usize].get(from..from + into.len());
        into.copy_from_slice(bytes.ok_or(DiskError { operation: "read past the end", errno: 0 })?);
        Ok(())
    };
    let none = Mutations::default();
    let plan = plan(ShardId(2), DIRECTORY, &sizes, &mut read, none).map_err(|error| error.fault)?;
    let mut found = Vec::new();
    replay::<Failed>(&plan, &mut read, none, &mut |_, entry, bytes| {
        found.push((*entry, bytes.to_vec()));
        Ok(())
    })
    .map_err(|failed| failed.0.fault)?;
    Ok(found)
}

fn as_found(entries: &[Entry]) -> Found {
    entries.iter().map(|entry| (entry.header, entry.payload.to_vec())).collect()
}

#[test]
fn headers_come_back_as_they_were_written() {
    let header = file_header(9, 100, 0xdead_beef);
    assert_eq!(FileHeader::decode(&header.encode()), FileHeaderRead::Valid(header));
    for kind in [EntryKind::SegmentEnd, EntryKind::Sealed] {
        let entry = EntryHeader { kind, length: 0, position: 8192, ..data(0, b"").header };
        assert_eq!(EntryHeader::decode(&entry.encode()), Some(entry));
    }
}

#[test]
fn every_flip_in_a_file_header_is_seen() {
    let good = file_header(9, 100, 7).encode();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good;
            bytes[at] ^= 1 << bit;
            assert_eq!(FileHeader::decode(&bytes), FileHeaderRead::Free, "byte {at} bit {bit}");
        }
    }
}

#[test]
fn a_newer_version_is_refused_not_overwritten() {
    let newer = FileHeader { version: FORMAT_VERSION + 1, ..file_header(9, 100, 7) };
    assert_eq!(FileHeader::decode(&newer.encode()), FileHeaderRead::NewerVersion(FORMAT_VERSION + 1));
}

#[test]
fn an_older_version_is_read_and_has_no_checkpoints() {
    let older = FileHeader { version: 1, ..file_header(9, 100, 7) };
    assert_eq!(FileHeader::decode(&older.encode()), FileHeaderRead::Valid(older));
    assert!(!older.has_checkpoints() && file_header(9, 100, 7).has_checkpoints());
}

#[test]
fn every_flip_in_a_commit_is_seen() {
    let entries = [data(0, b"some bytes"), data(10, &[7; 300])];
    let (bytes, _) = commit(1, 1, 0, 1, &entries);
    let summed = COMMIT_HEADER_BYTES + entries.iter().map(|entry| entry.bytes() as usize).sum::<usize>();
    let header = file_header(1, 1, 0);
    assert_eq!(read_back(&[file(&header, std::slice::from_ref(&bytes))]), Ok(as_found(&entries)));
    for at in 0..summed {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        assert_eq!(read_back(&[file(&header, &[flipped])]), Ok(Vec::new()), "byte {at}");
    }
}

#[test]
fn replay_stops_where_the_chain_of_the_newest_file_ends() {
    let entries: Vec<Entry> = (0..3).map(|index| data(index * 10, &[index as u8; 10])).collect();
    let (first, one) = commit(1, 1, 0, 1, &entries[0..1]);
    let (second, two) = commit(1, 2, one.crc, 1, &entries[1..2]);
    let (third, _) = commit(1, 3, two.crc, 1, &entries[2..3]);
    let header = file_header(1, 1, 0);
    let whole = file(&header, &[first.clone(), second.clone(), third.clone()]);
    assert_eq!(read_back(&[whole]), Ok(as_found(&entries)));
    let torn = vec![0; second.len()];
    let (other_life, _) = commit(2, 2, one.crc, 1, &entries[1..2]);
    let (other_number, _) = commit(1, 4, one.crc, 1, &entries[1..2]);
    let (other_chain, _) = commit(1, 2, one.crc ^ 1, 1, &entries[1..2]);
    for bad in [torn, other_life, other_number, other_chain] {
        let cut = file(&header, &[first.clone(), bad, third.clone()]);
        assert_eq!(read_back(&[cut]), Ok(as_found(&entries[0..1])));
    }
}

#[test]
fn damage_in_a_file_that_is_followed_by_another_is_reported() {
    let entries: Vec<Entry> = (0..3).map(|index| data(index * 10, &[index as u8; 10])).collect();
    let (first, one) = commit(1, 1, 0, 1, &entries[0..1]);
    let (second, two) = commit(1, 2, one.crc, 1, &entries[1..2]);
    let (third, _) = commit(2, 3, two.crc, 1, &entries[2..3]);
    let newest = file(&file_header(2, 3, two.crc), &[third]);
    let whole = file(&file_header(1, 1, 0), &[first.clone(), second.clone()]);
    assert_eq!(read_back(&[whole, newest.clone()]), Ok(as_found(&entries)));
    let cut = file(&file_header(1, 1, 0), &[first, vec![0; second.len()]]);
    assert_eq!(read_back(&[cut, newest.clone()]), Err(ReplayFault::Damaged { commit: 2 }));
    assert_eq!(
        read_back(&[vec![0; FILE_BYTES as usize], newest]),
        Err(ReplayFault::MissingFile { sequence: 1 })
    );
}

#[test]
fn a_commit_says_which_files_are_dead() {
    // The header of file 2 still needs file 1; its second commit does not, so file 1 may be overwritten.
    let entries: Vec<Entry> = (0..2).map(|index| data(index * 10, &[index as u8; 10])).collect();
    let (first, one) = commit(2, 8, 77, 1, &entries[0..1]);
    let (second, _) = commit(2, 9, one.crc, 2, &entries[1..2]);
    let newest = file(&file_header(2, 8, 77), &[first, second]);
    assert_eq!(read_back(&[file(&file_header(1, 1, 0), &[]), newest]), Ok(as_found(&entries)));
}

#[test]
fn a_journal_of_another_directory_is_refused() {
    let header = FileHeader { directory_id: [6; 16], ..file_header(1, 1, 0) };
    assert_eq!(read_back(&[file(&header, &[])]), Err(ReplayFault::OtherDirectory));
}

proptest! {
    #[test]
    fn hostile_bytes_stop_replay_or_are_refused(
        noise in proptest::collection::vec((0..FILE_BYTES as usize, any::<u8>()), 0..60),
        lengths in proptest::collection::vec(0..9_000usize, 1..5),
    ) {
        let mut chain = 0;
        let mut commits = Vec::new();
        for (number, length) in (1..).zip(&lengths) {
            let (bytes, encoded) = commit(1, number, chain, 1, &[data(0, &vec![3; *length])]);
            chain = encoded.crc;
            commits.push(bytes);
        }
        let mut bytes = file(&file_header(1, 1, 0), &commits);
        noise.iter().for_each(|(at, byte)| bytes[*at] = *byte);
        let _ = read_back(&[bytes]);
    }

    #[test]
    fn a_body_of_noise_with_a_good_crc_is_refused_without_panic(body in proptest::collection::vec(any::<u8>(), 1..400)) {
        let mut entry = data(0, b"");
        entry.header.length = body.len() as u32;
        entry.payload = Bytes::from(body.clone());
        let (mut bytes, _) = commit(1, 1, 0, 1, &[entry]);
        // The noise takes the place of the entry, and the CRC is made to fit.
        let from = COMMIT_HEADER_BYTES;
        bytes[from..from + body.len()].copy_from_slice(&body);
        let body_bytes = u32::from_le_bytes(bytes[28..32].try_into().unwrap()) as usize;
        let header: [u8; COMMIT_HEADER_BYTES] = bytes[..COMMIT_HEADER_BYTES].try_into().unwrap();
        let mut crc = CommitCrc::new(&header);
        crc.update(&bytes[from..from + body_bytes]);
        bytes[4..8].copy_from_slice(&crc.finish().to_le_bytes());
        let _ = read_back(&[file(&file_header(1, 1, 0), &[bytes])]);
    }
}

#[test]
fn records_leave_room_for_release_and_release_may_use_it() {
    let block = BLOCK_BYTES;
    let mut ring = Ring::new(64 * block, &[(0, 16 * block), (1, 16 * block)], 1, Mutations::default());
    let reserve = 5 * block;
    let mut placed = 0;
    while ring.place(2 * block, Lane::Data, reserve).is_some() {
        placed += 1;
    }
    assert_eq!(placed, 7 + 5, "the first file whole, the second up to the reserve");
    assert!(ring.place(5 * block, Lane::Release, 0).is_some());
    assert!(ring.place(block, Lane::Release, 0).is_none());
}

#[test]
fn a_dead_file_is_free_only_when_a_commit_has_said_so() {
    let block = BLOCK_BYTES;
    let mut ring = Ring::new(64 * block, &[(0, 16 * block), (1, 16 * block)], 1, Mutations::default());
    assert!(ring.place(15 * block, Lane::Data, 0).is_some());
    assert!(ring.place(15 * block, Lane::Data, 0).is_some());
    ring.retire_oldest();
    assert_eq!(ring.oldest_live(), 2);
    assert!(ring.place(block, Lane::Release, 0).is_none());
    ring.on_stated(1);
    assert!(ring.place(block, Lane::Release, 0).is_none());
    ring.on_stated(2);
    assert_eq!(ring.place(block, Lane::Release, 0).map(|at| (at.file, at.sequence)), Some((0, 3)));
}

/// A batch that fits none of them would wait for ever.
#[test]
fn files_that_a_crash_left_short_are_made_whole() {
    let block = BLOCK_BYTES;
    let whole = 64 * block;
    let files = [(0, 20 * block), (1, 30 * block)];
    let mut ring = Ring::new(4 * whole, &files, 1, Mutations::default());
    assert!(ring.place(40 * block, Lane::Data, 0).is_none());
    assert_eq!(ring.maybe_grow(true), Some((0, whole)), "under its own number");
    assert_eq!(ring.maybe_grow(true), None, "one at a time");
    assert_eq!(ring.place(block, Lane::Data, 0).map(|at| at.file), Some(1), "meanwhile the other serves");
    ring.on_file_ready(0);
    assert_eq!(ring.place(40 * block, Lane::Data, 0).map(|at| at.file), Some(0));
    assert_eq!(ring.maybe_grow(true), Some((2, whole)), "the short one is live");
    ring.on_file_ready(2);
    assert_eq!(ring.maybe_grow(true), None);
}

fn journal() -> (Journal, Effects) {
    let files = [(0, 32 * 1024 * 1024), (1, 32 * 1024 * 1024)];
    let journal =
        Journal::new(ShardId(2), LogDir(0), DIRECTORY, 64 * 1024 * 1024, &files, 1, Mutations::default());
    (journal, Effects::default())
}

#[test]
fn a_small_group_waits_for_the_commit_before_it_and_a_large_one_does_not() {
    let (mut journal, mut effects) = journal();
    assert_eq!(journal.append(data(0, b"one")), CommitId(1));
    assert!(journal.maybe_commit(0, &mut effects).is_some());
    assert_eq!(journal.append(data(3, b"two")), CommitId(2));
    assert!(journal.maybe_commit(0, &mut effects).is_none(), "too small to be worth a sync of its own");
    assert_eq!(journal.append(data(6, &vec![1; 300 * 1024])), CommitId(2));
    assert!(journal.maybe_commit(0, &mut effects).is_some());
    assert_eq!(journal.append(data(9, &vec![1; 300 * 1024])), CommitId(3));
    assert!(journal.maybe_commit(0, &mut effects).is_none(), "two are at the device");
}

#[test]
fn groups_become_durable_in_order() {
    let (mut journal, mut effects) = journal();
    for _ in 0..2 {
        journal.append(data(0, &vec![1; 300 * 1024]));
        journal.maybe_commit(0, &mut effects).expect("both may be under way");
    }
    assert!(journal.on_committed(CommitId(2)).entries.is_empty());
    assert_eq!(journal.durable(), CommitId(0));
    assert_eq!(journal.on_committed(CommitId(1)).entries.len(), 2);
    assert_eq!(journal.durable(), CommitId(2));
}

#[test]
fn payloads_are_shared_not_copied() {
    let entry = data(0, &[4; 5_000]);
    let (_, encoded) = commit(1, 1, 0, 1, std::slice::from_ref(&entry));
    assert!(encoded.pieces.iter().any(|piece| piece.as_ptr() == entry.payload.as_ptr()));
}

#[test]
fn sequences_behind_cleared_headers_are_not_used_again() {
    let (stale, _) = commit(6, 1, 0, 6, &[data(0, b"old")]);
    let mut cleared = file(&file_header(6, 1, 0), &[stale]);
    cleared[..BLOCK_BYTES as usize].fill(0);
    let files = [(0, FILE_BYTES)];
    let mut read = |_: u32, position: u64, into: &mut [u8]| {
        let from = position as usize;
        into.copy_from_slice(&cleared[from..from + into.len()]);
        Ok(())
    };
    let found = plan(ShardId(2), DIRECTORY, &files, &mut read, Mutations::default()).expect("no damage");
    assert!(found.live.is_empty());
    assert!(found.next_sequence > 6, "{}", found.next_sequence);
}
