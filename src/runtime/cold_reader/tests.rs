//! Reading cold ranges of real files: what is in memory afterwards, how far it is read ahead, and what a short file comes to.

use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::effect::{FileId, SegmentName};
use crate::model::{LogDir, Offset, PartitionIndex, TopicId, TopicPartition};
use crate::runtime::files::{Files, partition_dir, segment_path};
use crate::runtime::mesh::{Inbox, inbox};
use crate::runtime::residency::is_resident;

const OF: TopicPartition = TopicPartition { topic_id: TopicId([6; 16]), partition: PartitionIndex(0) };
const PIECE: u64 = COLD_PIECE_BYTES;

struct World {
    files: Files,
    root: PathBuf,
}

impl World {
    fn new(name: &str) -> World {
        let root = std::env::temp_dir().join(format!("penstock-cold-{name}-{}", std::process::id()));
        std::fs::create_dir_all(partition_dir(&root, OF)).expect("a temporary directory");
        World { files: Files::new([root.clone()].into(), 1), root }
    }

    /// A file of so many bytes of which none is in memory, as far as the file system allows.
    fn file(&self, number: u64, bytes: u64) -> Arc<SegmentFile> {
        let segment = SegmentName { topic_partition: OF, base_offset: Offset(number.cast_signed()) };
        let path = segment_path(&self.root, segment);
        std::fs::write(&path, vec![7; usize::try_from(bytes).expect("small")]).expect("writes");
        let file = File::open(&path).expect("is there");
        file.sync_all().expect("syncs");
        fadvise(&file, 0, None, Advice::DontNeed).expect("forgets");
        self.files.open(FileId(number), segment);
        self.files.find(FileId(number)).expect("was just opened")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn nowhere() -> File {
    OpenOptions::new().write(true).open("/dev/null").expect("is everywhere")
}

fn range(file: &Arc<SegmentFile>, position: u64, length: u64) -> ColdRange {
    ColdRange { connection: ConnectionId(0), file: Arc::clone(file), position, length }
}

fn next(inbox: &Inbox) -> io::Result<Arc<OpenFile>> {
    loop {
        if let Some(Mail::RangeResident { result, .. }) = inbox.take() {
            return result;
        }
        if inbox.prepare_to_park() {
            let mut fds = [PollFd::from_borrowed_fd(inbox.wake_fd(), PollFlags::IN)];
            let limit = Timespec::try_from(Duration::from_secs(30)).expect("short");
            assert_ne!(poll(&mut fds, Some(&limit)).expect("polls"), 0, "no answer");
            let _ = rustix::io::read(inbox.wake_fd(), &mut [0; 8]);
            inbox.unpark();
        }
    }
}

#[test]
fn what_a_client_waits_for_is_in_memory_when_it_hears_of_it() {
    let world = World::new("resident");
    let (postbox, inbox) = inbox().expect("an eventfd");
    let (readers, threads) =
        ColdReaders::start(ShardId(0), world.files.commits(), &postbox).expect("threads");
    for is_quiet in [true, false] {
        for (position, length) in [(10, 20), (PIECE - 1, PIECE + 2), (5 * PIECE, 100), (0, 5 * PIECE + 100)] {
            if !is_quiet {
                world.files.commits().note(LogDir(0), Instant::now());
            }
            let file = world.file(2 * position + u64::from(is_quiet), 5 * PIECE + 100);
            readers.read(range(&file, position, length));
            let open = next(&inbox).expect("reads");
            assert!(is_resident(&open, position, length), "{length} bytes at {position}, quiet: {is_quiet}");
        }
    }
    drop(readers);
    threads.into_iter().for_each(|thread| thread.join().expect("ends"));
}

#[test]
fn a_file_that_is_shorter_than_its_range_or_gone_is_an_error_and_the_next_range_is_read() {
    let world = World::new("short");
    let (short, good) = (world.file(1, PIECE), world.file(2, PIECE));
    let gone = world.file(3, PIECE);
    std::fs::remove_file(gone.path()).expect("was there");
    let (postbox, inbox) = inbox().expect("an eventfd");
    let (readers, threads) =
        ColdReaders::start(ShardId(0), world.files.commits(), &postbox).expect("threads");
    readers.read(range(&short, 0, 2 * PIECE));
    assert_eq!(next(&inbox).expect_err("ends early").kind(), io::ErrorKind::UnexpectedEof);
    readers.read(range(&gone, 0, 1));
    assert_eq!(next(&inbox).expect_err("is gone").kind(), io::ErrorKind::NotFound);
    readers.read(range(&good, 0, PIECE));
    next(&inbox).expect("reads");
    drop(readers);
    threads.into_iter().for_each(|thread| thread.join().expect("ends"));
}

#[test]
fn who_goes_on_is_read_ahead_of_by_as_much_as_it_has_read() {
    let world = World::new("ahead");
    let file = world.file(1, 200 * PIECE);
    let nowhere = nowhere();
    let mut last = None;
    // Where the next range begins and ends, and up to where it is read ahead then: in pieces.
    let ways = [(0, 2, 2), (2, 4, 8), (8, 10, 20), (20, 22, 44), (44, 46, 78), (78, 80, 112)];
    for (begin, end, until) in ways {
        read_range(&mut last, &range(&file, begin * PIECE, (end - begin) * PIECE), false, &nowhere)
            .expect("reads");
        let stream = last.as_mut().expect("kept");
        assert_eq!((stream.wanted, stream.until), (end * PIECE, until * PIECE), "from {begin}");
        while stream.has_ahead() {
            let (open, piece) = (file.open().expect("open"), stream.read);
            stream.read_piece(&open, &nowhere).expect("reads");
            // At once: others may have the whole cache dropped at any time.
            assert!(is_resident(&open, piece, stream.read - piece), "piece at {piece}");
        }
        assert_eq!(stream.read, until * PIECE);
    }
    read_range(&mut last, &range(&file, 198 * PIECE + 5, PIECE), false, &nowhere).expect("reads");
    let stream = last.as_ref().expect("kept");
    assert_eq!(
        (stream.began, stream.until),
        (198 * PIECE, 200 * PIECE),
        "somewhere else: whole pieces, none ahead"
    );
    read_range(&mut last, &range(&file, 199 * PIECE + 5, PIECE - 5), false, &nowhere).expect("reads");
    assert!(!last.expect("kept").has_ahead(), "nothing is behind the end");
}

#[test]
fn a_file_that_is_gone_is_not_kept_open() {
    let world = World::new("gone");
    let file = world.file(1, 100 * PIECE);
    let nowhere = nowhere();
    let mut last = None;
    for begin in [0, 10] {
        read_range(&mut last, &range(&file, begin * PIECE, 10 * PIECE), false, &nowhere).expect("reads");
    }
    assert!(last.as_ref().is_some_and(Stream::has_ahead), "it went on");
    let opened = Arc::downgrade(&file.open().expect("open"));
    assert!(world.files.close(file.id).is_some());
    drop(file);
    assert_eq!(opened.strong_count(), 0, "nobody has it open");
    let (sender, ranges) = unbounded();
    sender.send(range(&world.file(2, PIECE), 0, PIECE)).expect("somebody listens");
    drop(sender);
    assert!(next_range(&ranges, &mut last, &nowhere).is_some(), "who waits goes first");
    assert!(next_range(&ranges, &mut last, &nowhere).is_none(), "and then it ends");
}
