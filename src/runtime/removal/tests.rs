//! What is removed loses its bytes piece by piece, and what is still read from keeps them.

use std::os::unix::fs::FileExt;

use rustix::event::{PollFd, PollFlags, poll};

use super::*;
use crate::effect::{FileId, SegmentName};
use crate::model::{PartitionIndex, TopicId};
use crate::runtime::files::{Files, segment_path};
use crate::runtime::mesh::{Inbox, inbox};

const OF: TopicPartition = TopicPartition { topic_id: TopicId([6; 16]), partition: PartitionIndex(0) };

/// More than one piece, and not a whole number of them.
const LENGTH: u64 = 2 * RECLAIM_BYTES + 5_000;

struct World {
    remover: Option<Remover>,
    thread: Option<JoinHandle<()>>,
    postbox: Postbox,
    inbox: Inbox,
    files: Files,
    root: PathBuf,
}

impl World {
    fn new(name: &str) -> World {
        let root = std::env::temp_dir().join(format!("penstock-removal-{name}-{}", std::process::id()));
        fs::create_dir_all(partition_dir(&root, OF)).expect("a temporary directory");
        let dirs: Arc<[PathBuf]> = [root.clone()].into();
        let (postbox, inbox) = inbox().expect("an eventfd");
        let files = Files::new(dirs, 1);
        let mut world = World { remover: None, thread: None, postbox, inbox, files, root };
        world.start();
        world
    }

    fn start(&mut self) {
        let dirs = Arc::clone(self.files.data_dirs());
        let (remover, thread) = Remover::start(ShardId(0), dirs, self.postbox.clone()).expect("a thread");
        (self.remover, self.thread) = (Some(remover), Some(thread));
    }

    fn stop(&mut self) {
        self.remover.take().expect("running").begin_stop();
        let ended = self.thread.take().expect("running").join();
        assert!(ended.is_ok() || std::thread::panicking(), "the thread panicked");
    }

    fn remover(&self) -> &Remover {
        self.remover.as_ref().expect("not stopped")
    }

    /// A segment that the shard knows, and a descriptor of its file that nobody else knows of.
    fn segment(&self, base: i64) -> (Arc<SegmentFile>, File) {
        fs::create_dir_all(partition_dir(&self.root, OF)).expect("a temporary directory");
        let name = SegmentName { topic_partition: OF, base_offset: Offset(base) };
        let path = segment_path(&self.root, name);
        fs::write(&path, vec![7; usize::try_from(LENGTH).expect("small")]).expect("writes");
        let id = FileId(u64::try_from(base).expect("positive"));
        self.files.open(id, name);
        (self.files.close(id).expect("just opened"), File::open(path).expect("it is there"))
    }

    fn answer(&self) -> Input {
        loop {
            if self.inbox.prepare_to_park() {
                let mut fds = [PollFd::from_borrowed_fd(self.inbox.wake_fd(), PollFlags::IN)];
                poll(&mut fds, None).expect("a poll");
                let _ = rustix::io::read(self.inbox.wake_fd(), &mut [0; 8]);
                self.inbox.unpark();
            }
            match self.inbox.take() {
                Some(Mail::Input(input)) => return input,
                Some(other) => panic!("unexpected {other:?}"),
                None => {}
            }
        }
    }

    /// Removes both segments, the way that is tested.
    fn remove(&self, whole_partition: bool, segments: &[Offset], held: Vec<Arc<SegmentFile>>) {
        if whole_partition {
            self.remover().delete_partition(LogDir(0), OF, held);
            assert!(matches!(self.answer(), Input::PartitionDeleted { topic_partition: OF }));
            assert!(fs::read_dir(&self.root).expect("there").next().is_none(), "nothing is left of it");
        } else {
            self.remover().unlink_segments(TrimId(4), OF, segments.to_vec(), held);
            assert!(matches!(self.answer(), Input::SegmentsUnlinked { trim: TrimId(4) }));
            let mut left = fs::read_dir(partition_dir(&self.root, OF)).expect("there");
            assert!(left.next().is_none(), "all files are gone");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn length(file: &File) -> u64 {
    file.metadata().expect("it is open").len()
}

#[test]
fn a_file_is_cut_from_its_end_on_and_never_by_more_than_a_piece() {
    const P: u64 = RECLAIM_BYTES;
    let cases: [(u64, u64, &[u64]); 7] = [
        (0, 0, &[]),
        (1, 0, &[0]),
        (P, 0, &[0]),
        (P + 1, 0, &[P, 0]),
        (3 * P, 0, &[2 * P, P, 0]),
        (3 * P, P / 2, &[P / 2 + 2 * P, P / 2 + P, P / 2]),
        (P, 2 * P, &[]),
    ];
    for (length, to, expected) in cases {
        assert_eq!(cuts(length, to).collect::<Vec<u64>>(), expected, "{length} to {to}");
    }
}

#[test]
fn what_nobody_reads_has_lost_its_bytes_when_the_answer_comes() {
    for whole_partition in [false, true] {
        let world = World::new(&format!("unread-{whole_partition}"));
        // Of one of them the shard has no number.
        let ((known, first), (_, second)) = (world.segment(1), world.segment(2));
        drop(known.open().expect("opens, as for a reader who is done"));
        fs::write(partition_dir(&world.root, OF).join("00000000000000000001.summary"), "s").expect("writes");
        world.remove(whole_partition, &[Offset(1), Offset(2), Offset(3)], vec![known]);
        assert_eq!((length(&first), length(&second)), (0, 0));
    }
}

#[test]
fn what_is_read_keeps_its_bytes_until_the_last_reader_is_done() {
    for whole_partition in [false, true] {
        let world = World::new(&format!("read-{whole_partition}"));
        let ((reading, first), (about_to, second)) = (world.segment(1), world.segment(2));
        // One sends from it, the other has only been given the file.
        let open = reading.open().expect("opens");
        let held = vec![reading, Arc::clone(&about_to)];
        world.remove(whole_partition, &[Offset(1), Offset(2)], held);
        let late = about_to.open().expect("it was opened for whoever has it");
        for open in [&open, &late] {
            let mut last = [0; 1];
            open.read_exact_at(&mut last, LENGTH - 1).expect("all bytes are there");
            assert_eq!(last, [7]);
        }
        drop((open, late, about_to));
        while length(&first) + length(&second) > 0 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_an_earlier_run_left_is_removed_and_nothing_else() {
    let world = World::new("left");
    let (_, file) = world.segment(1);
    move_away(&world.root, OF).expect("moves").expect("it was there");
    // It is there again, as after a crash that undid the first: the older one makes room.
    let (_, again) = world.segment(1);
    move_away(&world.root, OF).expect("moves").expect("it was there");
    let directories = left_over(&world.root).expect("lists");
    assert_eq!(directories, [world.root.join(format!("{OF}.deleted"))]);
    let (_, kept) = world.segment(2);
    world.remover().remove_left_over(directories);
    // An answer to what was asked after it.
    world.remover().unlink_segments(TrimId(1), OF, Vec::new(), Vec::new());
    assert!(matches!(world.answer(), Input::SegmentsUnlinked { .. }));
    assert_eq!((length(&again), length(&kept)), (0, LENGTH));
    assert_eq!(length(&file), LENGTH, "it went all at once");
    assert!(left_over(&world.root).expect("lists").is_empty());
}

#[test]
fn a_stop_waits_for_no_removal_and_the_next_run_goes_on() {
    let mut world = World::new("stop");
    let (known, file) = world.segment(1);
    drop(known.open().expect("opens"));
    world.remover().begin_stop();
    world.remover().unlink_segments(TrimId(4), OF, vec![Offset(1)], vec![known]);
    assert!(matches!(world.answer(), Input::SegmentsUnlinked { .. }));
    assert!(partition_dir(&world.root, OF).join("00000000000000000001.log").exists());
    world.remover().delete_partition(LogDir(0), OF, Vec::new());
    assert!(matches!(world.answer(), Input::PartitionDeleted { .. }));
    assert!(!partition_dir(&world.root, OF).exists());
    let left = left_over(&world.root).expect("lists");
    assert_eq!((left.len(), length(&file)), (1, LENGTH));
    world.stop();
    world.start();
    world.remover().remove_left_over(left);
    world.remove(true, &[], Vec::new());
    assert_eq!(length(&file), 0);
}

#[test]
fn what_nobody_wants_is_cut_before_it_goes() {
    let world = World::new("unwanted");
    let (known, file) = world.segment(1);
    remove_unused(&known.path()).expect("removes");
    assert_eq!((known.path().exists(), length(&file)), (false, 0));
    assert_eq!(remove_unused(&known.path()).expect_err("gone").kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_has_no_files_is_answered_all_the_same() {
    let world = World::new("nothing");
    world.remover().unlink_segments(TrimId(1), OF, vec![Offset(5)], Vec::new());
    assert!(matches!(world.answer(), Input::SegmentsUnlinked { trim: TrimId(1) }));
    fs::remove_dir_all(partition_dir(&world.root, OF)).expect("it is there");
    world.remover().delete_partition(LogDir(0), OF, Vec::new());
    assert!(matches!(world.answer(), Input::PartitionDeleted { topic_partition: OF }));
}
