//! One suite over the simulated disk and over the real one: what recovery may rely on. Without it the simulator only
//! proves things about itself.
#![allow(clippy::disallowed_methods, reason = "the real directory is made and removed here")]

use std::path::PathBuf;

use penstock::effect::{Effect, SegmentName};
use penstock::model::{LogDir, Offset, PartitionIndex, ShardId, TopicId, TopicPartition};
use penstock::runtime::DataDir;
use penstock::storage::RecoveryDisk;

use crate::disk::{BLOCK, Disk};
use crate::schedule::{Event, Life, Schedule};

const SHARD: ShardId = ShardId(3);
const JOURNAL_BYTES: u64 = 8 * BLOCK;

fn segment(partition: i32, base_offset: i64) -> SegmentName {
    let topic_partition =
        TopicPartition { topic_id: TopicId([0xab; 16]), partition: PartitionIndex(partition) };
    SegmentName { topic_partition, base_offset: Offset(base_offset) }
}

/// What must hold of an empty data directory with one prepared journal file, `journal/3/0.journal`.
fn contract(disk: &mut dyn RecoveryDisk) {
    segments_are_what_was_written(disk);
    a_summary_is_replaced_as_a_whole(disk);
    a_partition_is_removed_with_its_files(disk);
    a_journal_is_zeros_until_it_is_written(disk);
    a_journal_is_removed_as_a_whole(disk);
}

fn segments_are_what_was_written(disk: &mut dyn RecoveryDisk) {
    assert_eq!(disk.segments(), Ok(vec![]));
    let name = segment(0, 42);
    assert!(disk.read_segment(name, 0, &mut [0]).is_err(), "a file that is not there cannot be read");
    disk.write_segment(name, BLOCK, &[7; 100]).expect("creates the file");
    disk.write_segment(name, BLOCK + 100, &[8; 50]).expect("writes");
    assert_eq!(disk.segments(), Ok(vec![(name, BLOCK + 150)]));
    let mut bytes = vec![1; BLOCK as usize + 150];
    disk.read_segment(name, 0, &mut bytes).expect("reads");
    assert!(bytes[..BLOCK as usize].iter().all(|byte| *byte == 0), "what was never written is zero");
    assert_eq!((bytes[BLOCK as usize], bytes[BLOCK as usize + 149]), (7, 8));
    disk.truncate_segment(name, BLOCK + 10).expect("truncates");
    disk.sync_segments(&[name]).expect("syncs");
    assert_eq!(disk.segments(), Ok(vec![(name, BLOCK + 10)]));
    assert!(disk.read_segment(name, BLOCK, &mut [0; 11]).is_err(), "a read past the end is an error");
}

fn a_summary_is_replaced_as_a_whole(disk: &mut dyn RecoveryDisk) {
    let name = segment(0, 42);
    let mut front = [9; 8];
    assert_eq!(disk.read_summary(name, &mut front), Ok(0), "there is none");
    disk.write_summary(name, &[1; 6], false).expect("creates it");
    disk.write_summary(name, &[2; 5], true).expect("replaces it");
    assert_eq!(disk.segments().map(|segments| segments.len()), Ok(1), "it is no segment");
    assert_eq!(disk.read_summary(name, &mut front), Ok(5));
    assert_eq!(front, [2, 2, 2, 2, 2, 9, 9, 9]);
    assert_eq!(disk.read_summary(name, &mut front[..3]), Ok(3), "its front");
    disk.remove_partition(name.topic_partition).expect("removes");
    assert_eq!(disk.read_summary(name, &mut front), Ok(0), "it is gone with its segment");
}

fn a_partition_is_removed_with_its_files(disk: &mut dyn RecoveryDisk) {
    disk.write_segment(segment(0, 50), 0, &[1]).expect("writes");
    disk.write_segment(segment(1, 0), 0, &[1]).expect("writes");
    disk.remove_partition(segment(0, 0).topic_partition).expect("removes");
    assert_eq!(disk.segments(), Ok(vec![(segment(1, 0), 1)]));
    disk.remove_partition(segment(1, 0).topic_partition).expect("removes");
    disk.write_segment(segment(1, 0), 0, &[1, 2]).expect("creates it anew");
    assert_eq!(disk.segments(), Ok(vec![(segment(1, 0), 2)]));
}

fn a_journal_is_zeros_until_it_is_written(disk: &mut dyn RecoveryDisk) {
    assert_eq!(disk.journals(), Ok(vec![(SHARD, vec![0])]));
    assert_eq!(disk.journal_bytes(SHARD, 0), Ok(JOURNAL_BYTES));
    let mut block = vec![1; BLOCK as usize];
    disk.read_journal(SHARD, 0, 2 * BLOCK, &mut block).expect("reads");
    assert!(block.iter().all(|byte| *byte == 0));
    disk.write_journal(SHARD, 0, 2 * BLOCK, &[9; BLOCK as usize]).expect("writes");
    disk.read_journal(SHARD, 0, 2 * BLOCK, &mut block).expect("reads");
    assert!(block.iter().all(|byte| *byte == 9));
    assert_eq!(disk.journal_bytes(SHARD, 0), Ok(JOURNAL_BYTES));
    assert!(
        disk.read_journal(SHARD, 0, JOURNAL_BYTES, &mut block).is_err(),
        "a read past the end is an error"
    );
    assert!(disk.read_journal(SHARD, 1, 0, &mut block).is_err());
}

fn a_journal_is_removed_as_a_whole(disk: &mut dyn RecoveryDisk) {
    disk.remove_journal(SHARD).expect("removes");
    assert_eq!(disk.journals(), Ok(vec![]));
}

#[test]
fn the_simulated_disk_keeps_it() {
    let (mut disk, mut schedule) = (Disk::new(1), Schedule::new(1));
    let prepare = Effect::PrepareJournalFile { dir: LogDir(0), file: 0, bytes: JOURNAL_BYTES };
    assert!(disk.submit(Life(0), SHARD, prepare, &mut schedule).is_none());
    while let Some(event) = schedule.pop() {
        if let Event::Disk { life, operation } = event {
            disk.complete(life, operation, &mut schedule);
        }
    }
    contract(&mut disk);
}

#[test]
fn the_real_directory_keeps_it() {
    let root = Scratch(std::env::temp_dir().join(format!("penstock-contract-{}", std::process::id())));
    std::fs::create_dir_all(root.0.join("journal/3")).expect("a temporary directory can be made");
    std::fs::write(root.0.join("journal/3/0.journal"), vec![0; JOURNAL_BYTES as usize]).expect("writes");
    contract(&mut DataDir::new(root.0.clone()));
}

/// Removed at the end, however the test ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
