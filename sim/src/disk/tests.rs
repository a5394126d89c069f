//! The disk lies, but only as a disk may.

use penstock::effect::{CommitId, Effect, JournalCommit};
use penstock::model::{Offset, PartitionIndex, TopicId, TopicPartition};
use penstock::storage::RecoveryDisk;

use super::*;
use crate::schedule::{Event, Life, Schedule};

const SHARD: ShardId = ShardId(0);

fn segment() -> SegmentName {
    let topic_partition = TopicPartition { topic_id: TopicId([1; 16]), partition: PartitionIndex(0) };
    SegmentName { topic_partition, base_offset: Offset(0) }
}

/// Runs every operation under way to its end; the inputs that answer them.
fn finish(disk: &mut Disk, schedule: &mut Schedule) -> Vec<penstock::input::Input> {
    let mut inputs = Vec::new();
    while let Some(event) = schedule.pop() {
        if let Event::Disk { life, operation } = event
            && let Completion::Answer(_, input) = disk.complete(life, operation, schedule)
        {
            inputs.push(input);
        }
    }
    inputs
}

fn submit(disk: &mut Disk, schedule: &mut Schedule, effect: Effect) {
    assert!(disk.submit(Life(0), SHARD, effect, schedule).is_none());
}

fn commit(number: u64, byte: u8) -> Effect {
    Effect::CommitJournal(JournalCommit {
        dir: LogDir(0),
        commit: CommitId(number),
        file: 0,
        position: number * BLOCK,
        length: BLOCK,
        pieces: vec![Bytes::from(vec![byte; 100])],
    })
}

fn with_journal(seed: u64) -> (Disk, Schedule) {
    let (mut disk, mut schedule) = (Disk::new(seed), Schedule::new(seed));
    submit(
        &mut disk,
        &mut schedule,
        Effect::PrepareJournalFile { dir: LogDir(0), file: 0, bytes: 64 * BLOCK },
    );
    assert_eq!(finish(&mut disk, &mut schedule).len(), 1);
    (disk, schedule)
}

fn first_byte(disk: &mut Disk, block: u64) -> u8 {
    let mut into = [0; 1];
    disk.read_journal(SHARD, 0, block * BLOCK, &mut into).expect("there");
    into[0]
}

#[test]
fn a_synced_commit_survives_any_crash() {
    for seed in 0..50 {
        let (mut disk, mut schedule) = with_journal(seed);
        submit(&mut disk, &mut schedule, commit(1, 7));
        assert_eq!(finish(&mut disk, &mut schedule).len(), 1);
        disk.crash();
        assert_eq!(first_byte(&mut disk, 1), 7);
    }
}

#[test]
fn an_unsynced_commit_is_kept_lost_or_torn() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let (mut disk, mut schedule) = with_journal(seed);
        submit(&mut disk, &mut schedule, commit(1, 7));
        disk.crash();
        let mut block = [0; 100];
        disk.read_journal(SHARD, 0, BLOCK, &mut block).expect("there");
        seen.insert(block[0]);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 7]);
}

#[test]
fn a_sync_that_does_nothing_loses_what_it_confirmed() {
    let lost = (0..50).filter(|seed| {
        let (mut disk, mut schedule) = with_journal(*seed);
        disk.mutations.never_sync = true;
        submit(&mut disk, &mut schedule, commit(1, 7));
        finish(&mut disk, &mut schedule);
        disk.crash();
        first_byte(&mut disk, 1) != 7
    });
    assert!(lost.count() > 5);
}

#[test]
fn a_failed_sync_is_reported_once_and_never_made_good() {
    let mut lost = 0;
    for seed in 0..60 {
        let (mut disk, mut schedule) = with_journal(seed);
        disk.faults.journal_error = 1_000_000;
        submit(&mut disk, &mut schedule, commit(1, 7));
        let inputs = finish(&mut disk, &mut schedule);
        assert!(matches!(inputs[..], [penstock::input::Input::JournalFailed { .. }]));
        disk.faults.journal_error = 0;
        submit(&mut disk, &mut schedule, commit(2, 8));
        finish(&mut disk, &mut schedule);
        disk.crash();
        assert_eq!(first_byte(&mut disk, 2), 8);
        lost += u64::from(first_byte(&mut disk, 1) != 7);
    }
    assert!(lost > 10);
}

#[test]
fn a_file_that_was_not_synced_may_vanish_or_show_stale_blocks() {
    let (mut vanished, mut stale) = (0, 0);
    for seed in 0..200 {
        let mut disk = Disk::new(seed);
        let earlier = SegmentName { base_offset: Offset(9), ..segment() };
        disk.write_segment(earlier, 0, &[9; 3 * BLOCK as usize]).expect("no fuse");
        disk.remove_partition(segment().topic_partition).expect("no fuse");
        disk.synced_directory();
        disk.write_segment(segment(), 0, &[5; 2 * BLOCK as usize]).expect("no fuse");
        disk.crash();
        let found = disk.segments().expect("no fuse");
        let Some((name, length)) = found.first().copied() else {
            vanished += 1;
            continue;
        };
        let mut bytes = vec![0; length as usize];
        disk.read_segment(name, 0, &mut bytes).expect("no fuse");
        stale += u64::from(bytes.contains(&9));
    }
    assert!(vanished > 5 && stale > 5, "{vanished} vanished, {stale} stale");
}

#[test]
fn the_fuse_ends_every_step_after_it() {
    let mut disk = Disk::new(1);
    disk.set_fuse(Fuse::after(Some(30)));
    assert!(disk.write_segment(segment(), 0, &[1; 10]).is_ok());
    assert!(disk.write_segment(segment(), 10, &[1; 10]).is_err());
    assert!(disk.power_went());
    assert!(disk.segments().is_err());
}

#[test]
fn a_torn_block_mixes_sectors_of_old_and_new() {
    let mut mixed = 0;
    for seed in 0..100 {
        let mut random = Random::stream(seed, "test");
        let mut file = File::zeroed(4 * BLOCK);
        file.write(1, 0, &[1; BLOCK as usize]);
        file.sync(1);
        file.write(2, 0, &[2; BLOCK as usize]);
        file.crash(Loss::AnySubset, false, &[], &mut random);
        let mut block = [0; BLOCK as usize];
        assert!(file.read(0, &mut block));
        assert!(block.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        mixed += u64::from(block.contains(&1) && block.contains(&2));
    }
    assert!(mixed > 10);
}

#[test]
fn a_sync_covers_the_length_of_the_writes_that_it_covers() {
    let mut file = File::default();
    file.write(1, 0, &[1; BLOCK as usize]);
    file.write(2, BLOCK, &[2; BLOCK as usize]);
    file.sync(1);
    file.crash(Loss::LoseAll, false, &[], &mut Random::stream(1, "test"));
    assert_eq!(file.length(), BLOCK);
}
