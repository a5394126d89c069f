//! What a start reads of summaries. The rest is in the contract that the simulated disk keeps too, `sim/src/contract.rs`.

use std::time::SystemTime;

use super::*;
use crate::log::SUMMARY_FRONT_BYTES;
use crate::model::SealedSegment;

const LENGTH: u64 = 100;

/// A data directory, removed at the end.
struct Dir(PathBuf);

impl Dir {
    /// With these segments and a summary of each.
    fn new(test: &str, segments: &[SegmentName]) -> Dir {
        let path = std::env::temp_dir().join(format!("penstock-recovery-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary directory");
        let mut disk = DataDir::new(path.clone());
        for name in segments {
            disk.write_segment(*name, 0, &[7; LENGTH as usize]).expect("writes");
            disk.write_summary(*name, &summary(*name, LENGTH), false).expect("writes");
        }
        disk.sync_segments(segments).expect("syncs");
        Dir(path)
    }

    /// As a start does: lists the segments, asks the header of each summary, keeps the catalogue. Whether there was one, for each.
    fn start(&self) -> Vec<bool> {
        let mut disk = DataDir::new(self.0.clone());
        let segments = disk.segments().expect("lists");
        let found = segments.iter().map(|(name, length)| {
            let mut header = [0; SUMMARY_HEADER_BYTES];
            let read = disk.read_summary(*name, &mut header).expect("reads");
            assert!(read == 0 || header == summary(*name, *length)[..SUMMARY_HEADER_BYTES], "{name:?}");
            read > 0
        });
        let found = found.collect();
        disk.keep_catalogue();
        found
    }

    fn remove_summary(&self, name: SegmentName) {
        fs::remove_file(summary_path(&segment_path(&self.0, name))).expect("it is there");
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn segment(partition: i32, base_offset: i64) -> SegmentName {
    let topic_partition =
        TopicPartition { topic_id: TopicId([0xab; 16]), partition: PartitionIndex(partition) };
    SegmentName { topic_partition, base_offset: Offset(base_offset) }
}

fn summary(of: SegmentName, length: u64) -> Bytes {
    let sealed = SealedSegment {
        base_offset: of.base_offset,
        next_offset: Offset(of.base_offset.0 + 1),
        length,
        max_timestamp: 5,
        clean_end: of.base_offset,
    };
    let mut summary = Summary::new(sealed);
    summary.index = Some(Bytes::from_static(b"any index"));
    summary.encode(of.topic_partition)
}

/// More than one digit of partitions, so that the order of names on the disk is not that of partitions.
fn some() -> Vec<SegmentName> {
    vec![segment(2, 0), segment(2, 1), segment(10, 0)]
}

#[test]
fn a_start_need_not_ask_the_summaries_that_one_before_it_has_asked() {
    let dir = Dir::new("asked", &some());
    assert_eq!(dir.start(), [true; 3]);
    some().into_iter().for_each(|name| dir.remove_summary(name));
    for start in 0..3 {
        assert_eq!(dir.start(), [true; 3], "start {start}");
    }
    let mut disk = DataDir::new(dir.0.clone());
    disk.segments().expect("lists");
    let mut front = [0; SUMMARY_FRONT_BYTES];
    assert_eq!(disk.read_summary(some()[0], &mut front), Ok(0), "whoever wants more asks the summary itself");
}

#[test]
fn a_segment_that_was_written_again_is_asked_for() {
    let dir = Dir::new("written", &some());
    assert_eq!(dir.start(), [true; 3]);
    some().into_iter().for_each(|name| dir.remove_summary(name));
    let file = File::options().write(true).open(segment_path(&dir.0, some()[1])).expect("it is there");
    file.write_all_at(&[7; LENGTH as usize], 0).expect("the same bytes");
    // The clock of a file system may not have moved.
    file.set_modified(SystemTime::UNIX_EPOCH).expect("sets");
    assert_eq!(dir.start(), [true, false, true]);
}

#[test]
fn a_segment_in_the_place_of_another_is_asked_for() {
    let dir = Dir::new("replaced", &some());
    assert_eq!(dir.start(), [true; 3]);
    some().into_iter().for_each(|name| dir.remove_summary(name));
    let path = segment_path(&dir.0, some()[2]);
    let modified = fs::metadata(&path).and_then(|file| file.modified()).expect("it has one");
    let other = path.with_extension("other");
    fs::write(&other, [8; LENGTH as usize]).expect("writes");
    let set = File::options().write(true).open(&other).and_then(|file| file.set_modified(modified));
    set.and_then(|()| fs::rename(&other, &path)).expect("renames");
    assert_eq!(dir.start(), [true, true, false], "of the same length, of the same time");
}

#[test]
fn what_is_not_of_a_segment_is_not_kept() {
    let dir = Dir::new("not-of-it", &some());
    let mut disk = DataDir::new(dir.0.clone());
    disk.write_summary(some()[0], &summary(some()[0], LENGTH + 1), true).expect("writes");
    disk.write_summary(some()[1], &summary(some()[2], LENGTH), true).expect("writes");
    let mut damaged = summary(some()[2], LENGTH).to_vec();
    damaged[30] ^= 1;
    disk.write_summary(some()[2], &damaged, false).expect("writes");
    disk.segments().expect("settles, and lists");
    for name in some() {
        assert_ne!(disk.read_summary(name, &mut [0; SUMMARY_HEADER_BYTES]), Ok(0), "told as it is");
    }
    disk.keep_catalogue();
    some().into_iter().for_each(|name| dir.remove_summary(name));
    assert_eq!(dir.start(), [false; 3]);
}

#[test]
fn a_running_broker_adds_what_was_sealed_since() {
    let dir = Dir::new("running", &some()[..1]);
    assert_eq!(dir.start(), [true]);
    let unsealed = segment(2, 7);
    let mut disk = DataDir::new(dir.0.clone());
    disk.write_segment(some()[2], 0, &[7; LENGTH as usize]).expect("writes");
    disk.write_summary(some()[2], &summary(some()[2], LENGTH), true).expect("writes");
    disk.write_segment(unsealed, 0, &[7]).expect("writes");
    disk.settle().expect("writes");
    let mut partitions = 0;
    DataDir::new(dir.0.clone()).refresh_catalogue(&mut || partitions += 1).expect("refreshes");
    assert_eq!(partitions, 2);
    dir.remove_summary(some()[0]);
    dir.remove_summary(some()[2]);
    assert_eq!(dir.start(), [true, false, true], "{unsealed:?} has none");
}
