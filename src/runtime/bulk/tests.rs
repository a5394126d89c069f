//! The disk work of one shard, without a shard: each order is answered once, in the order of its file, and the stop finishes all.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::unbounded;
use rustix::event::{PollFd, PollFlags, poll};

use crate::effect::{FileId, ReadId, SegmentName, SyncId};
use crate::input::Input;
use crate::limits::{
    BLOCK_BYTES, BULK_READ_BYTES, BULK_WRITE_BYTES, JOURNAL_FILL_BYTES, SYNCED_ONE_BY_ONE_MAX,
};
use crate::model::{LogDir, Offset, PartitionIndex, ShardId, TopicId, TopicPartition};
use crate::runtime::bulk::writers::Writers;
use crate::runtime::bulk::{By, Replies, Seal};
use crate::runtime::files::{Files, SegmentFile, journal_path, partition_dir};
use crate::runtime::io_threads::IoThreads;
use crate::runtime::mesh::{Inbox, Mail, inbox};
use crate::runtime::reserve::Reserve;
use crate::runtime::summary_file::summary_path;

const BOTH: [By; 2] = [By::Executor, By::Threads];

struct World {
    io: Option<IoThreads>,
    inbox: Inbox,
    files: Arc<Files>,
    directory: PathBuf,
}

impl World {
    fn new(name: &str, by: By) -> World {
        let root = std::env::var_os("CARGO_TARGET_TMPDIR")
            .map_or_else(|| PathBuf::from("target/tmp"), PathBuf::from);
        let directory = root.join(format!("bulk-{name}-{by:?}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the target directory is writable");
        let files = Arc::new(Files::new([directory.clone()].into(), 1));
        let (postbox, inbox) = inbox().expect("an eventfd");
        let reserves = [Reserve::new(&directory)].into();
        let io = IoThreads::start_by(by, ShardId(0), &files, &reserves, &postbox, None);
        let io = io.expect("the executor starts");
        World { io: Some(io), inbox, files, directory }
    }

    fn io(&self) -> &IoThreads {
        self.io.as_ref().expect("not stopped")
    }

    fn file(&self, number: u64) -> Arc<SegmentFile> {
        let segment = SegmentName { topic_partition: partition(number), base_offset: Offset(0) };
        self.files.open(FileId(number), segment);
        self.files.find(FileId(number)).expect("just opened")
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

    /// Ends the threads; what they had not answered before.
    fn stop(&mut self) -> Vec<Input> {
        self.io.take().expect("stopped once").stop();
        let mut answers = Vec::new();
        while let Some(Mail::Input(input)) = self.inbox.take() {
            answers.push(input);
        }
        answers
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn partition(number: u64) -> TopicPartition {
    let partition = i32::try_from(number).expect("small");
    TopicPartition { topic_id: TopicId([3; 16]), partition: PartitionIndex(partition) }
}

fn pattern(length: usize) -> Bytes {
    (0..length).map(|n| (n * 31 % 251).to_le_bytes()[0]).collect::<Vec<u8>>().into()
}

#[test]
fn a_segment_written_in_uneven_pieces_and_sealed_reads_back_as_it_was() {
    for by in BOTH {
        uneven(World::new("uneven", by));
    }
}

fn uneven(mut world: World) {
    let file = world.file(1);
    let whole = 3 * BULK_WRITE_BYTES + 5 * 4096;
    let all = pattern(whole + 77);
    let first = 4096 * 3;
    world.io().write(Arc::clone(&file), 0, vec![all.slice(..100), all.slice(100..first)]);
    let pieces =
        vec![all.slice(first..first + 1), all.slice(first + 1..whole - 5000), all.slice(whole - 5000..whole)];
    world.io().write(Arc::clone(&file), first as u64, pieces);
    let summary = pattern(500);
    let (position, tail, length) = (whole as u64, all.slice(whole..), all.len() as u64);
    world.io().seal(Arc::clone(&file), Seal { position, tail, length, summary: summary.clone() });
    assert!(matches!(world.answer(), Input::SegmentWritten { position: 0, .. }));
    assert!(matches!(world.answer(), Input::SegmentWritten { position, .. } if position == first as u64));
    assert!(matches!(world.answer(), Input::SegmentSealed { .. }));
    assert!(std::fs::read(file.path()).expect("readable") == all);
    assert!(std::fs::read(summary_path(&file.path())).expect("readable") == summary);
    let entries = std::fs::read_dir(file.path().parent().expect("in a directory")).expect("readable");
    assert_eq!(entries.count(), 2, "nothing is left of the new file");
    let ranges = [
        (0, all.len()),
        (0, 1),
        (4095, 2),
        (5, BULK_READ_BYTES),
        (BULK_READ_BYTES - 1, BULK_READ_BYTES + 2),
        (all.len() - 1, 1),
    ];
    for (from, length) in ranges {
        world.io().read(ReadId(9), Arc::clone(&file), from as u64, length as u64);
        let Input::ReadDone { result: Ok(bytes), .. } = world.answer() else { panic!("readable") };
        assert!(bytes == all.slice(from..from + length), "{from} {length}");
    }
    world.io().read(ReadId(9), Arc::clone(&file), all.len() as u64 - 1, 2);
    assert!(matches!(world.answer(), Input::ReadDone { result: Err(_), .. }), "past the end");
    assert!(world.stop().is_empty());
}

#[test]
fn many_files_are_synced_by_one_order_and_answered_once() {
    for by in BOTH {
        many(World::new("many", by));
    }
}

fn many(mut world: World) {
    let files: Vec<_> = (0..100).map(|number| world.file(number)).collect();
    let block = pattern(BLOCK_BYTES as usize);
    for round in 0..3 {
        for file in &files {
            world.io().write(Arc::clone(file), round * BLOCK_BYTES, vec![block.clone()]);
        }
        for _ in &files {
            assert!(matches!(world.answer(), Input::SegmentWritten { .. }));
        }
        world.io().sync(SyncId(round), files.clone());
        assert!(matches!(world.answer(), Input::SegmentsSynced { sync } if sync == SyncId(round)));
    }
    world.io().sync(SyncId(10), Vec::new());
    assert!(matches!(world.answer(), Input::SegmentsSynced { sync: SyncId(10) }));
    world.io().sync(SyncId(11), vec![world.file(500)]);
    assert!(matches!(world.answer(), Input::SegmentsSynced { sync: SyncId(11) }), "never written: clean");
    for file in files {
        world.io().close(file.id);
        world.io().close(file.id);
    }
    assert!(world.stop().is_empty());
}

#[test]
fn very_many_files_are_synced_with_their_file_system() {
    for by in BOTH {
        very_many(World::new("very-many", by));
    }
}

fn very_many(mut world: World) {
    let files: Vec<_> = (0..=SYNCED_ONE_BY_ONE_MAX as u64).map(|number| world.file(number)).collect();
    for file in &files {
        world.io().write(Arc::clone(file), 0, vec![pattern(100)]);
    }
    for _ in &files {
        assert!(matches!(world.answer(), Input::SegmentWritten { length: 100, .. }));
    }
    world.io().sync(SyncId(1), files.clone());
    assert!(matches!(world.answer(), Input::SegmentsSynced { sync: SyncId(1) }));
    let mut metrics = crate::metrics::RuntimeMetrics::default();
    world.io().add_counts_to(&mut metrics);
    assert_eq!((metrics.segment_syncs, metrics.file_system_syncs), (1, 1));
    assert!(world.stop().is_empty());
}

#[test]
fn a_block_that_was_written_in_part_is_written_again_with_its_bytes() {
    for by in BOTH {
        partial(World::new("partial", by));
    }
}

fn partial(mut world: World) {
    let file = world.file(1);
    let all = pattern(30_000);
    // Where each write ends, and whether the writer has forgotten the file before the next one.
    let ends = [(10, false), (5_000, false), (5_001, true), (8_192, true), (8_193, true), (20_000, false)];
    let mut from = 0;
    for (end, forgets) in ends {
        let middle = from + (end - from) / 2;
        let pieces = vec![all.slice(from..middle), all.slice(middle..end)];
        world.io().write(Arc::clone(&file), from as u64, pieces);
        let answer = world.answer();
        let Input::SegmentWritten { position, length, .. } = answer else { panic!("{answer:?}") };
        assert_eq!((position as usize, length as usize), (from, end - from));
        let found = std::fs::read(file.path()).expect("readable");
        assert!(found[..end] == all[..end], "up to {end}");
        let padding = &found[end..end.next_multiple_of(BLOCK_BYTES as usize)];
        assert!(padding.iter().all(|byte| *byte == 0), "after {end}");
        if forgets {
            world.io().close(file.id);
        }
        from = end;
    }
    let (tail, summary) = (all.slice(20_000..20_400), Bytes::from_static(b"summary"));
    world.io().seal(Arc::clone(&file), Seal { position: 20_000, tail, length: 20_400, summary });
    assert!(matches!(world.answer(), Input::SegmentSealed { .. }));
    assert!(std::fs::read(file.path()).expect("readable") == all[..20_400]);
    assert!(world.stop().is_empty());
}

#[test]
fn a_file_that_cannot_be_written_fails_once_for_each_order_and_holds_up_nobody() {
    for by in BOTH {
        failing(World::new("failing", by));
    }
}

fn failing(mut world: World) {
    std::fs::write(partition_dir(&world.directory, partition(1)), b"in the way").expect("writable");
    let (bad, good) = (world.file(1), world.file(2));
    let block = pattern(BLOCK_BYTES as usize);
    world.io().write(Arc::clone(&bad), 0, vec![block.clone()]);
    assert!(matches!(world.answer(), Input::SegmentFailed { file, .. } if file == bad.id));
    world.io().write(Arc::clone(&good), 0, vec![block]);
    assert!(matches!(world.answer(), Input::SegmentWritten { file, .. } if file == good.id));
    let nothing = Seal { position: 0, tail: Bytes::new(), length: 0, summary: Bytes::new() };
    world.io().seal(bad, nothing);
    assert!(matches!(world.answer(), Input::SegmentFailed { .. }));
    world.io().read(ReadId(1), world.file(7), 0, 10);
    assert!(matches!(world.answer(), Input::ReadDone { result: Err(_), .. }), "there is no such file");
    assert!(world.stop().is_empty());
}

#[test]
fn files_that_had_to_be_closed_are_opened_again_where_they_ended() {
    for by in BOTH {
        parked(World::new("parked", by));
    }
}

fn parked(mut world: World) {
    let (postbox, answers) = inbox().expect("an eventfd");
    let replies = Replies { postbox, counts: Arc::default() };
    let (syncs, _orders) = unbounded();
    // One thread writes both, and may keep one of them open.
    let files = [world.file(2), world.file(4)];
    let (writers, threads) = Writers::start(ShardId(0), 1, 1, &replies, &syncs).expect("threads");
    let all = pattern(30_000);
    let ends = [10, 5_000, 8_192, 8_193, 30_000];
    for (from, end) in [0].iter().chain(&ends).zip(&ends) {
        for file in &files {
            writers.write(Arc::clone(file), *from as u64, vec![all.slice(*from..*end)]);
        }
    }
    drop(writers);
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    for _ in 0..2 * ends.len() {
        let answer = answers.take();
        assert!(matches!(answer, Some(Mail::Input(Input::SegmentWritten { .. }))), "{answer:?}");
    }
    for file in &files {
        assert!(std::fs::read(file.path()).expect("readable")[..30_000] == all[..]);
        let unsynced = file.write_side.unsynced().expect("it was not synced");
        assert!(unsynced.file.is_none(), "it was closed");
    }
    world.io().sync(SyncId(1), files.to_vec());
    let answer = world.answer();
    assert!(matches!(answer, Input::SegmentsSynced { .. }), "{answer:?}");
    assert!(world.stop().is_empty());
}

#[test]
fn the_stop_finishes_what_was_ordered() {
    for by in BOTH {
        stop(World::new("stop", by));
    }
}

fn stop(mut world: World) {
    let file = world.file(1);
    for count in 0..16 {
        world.io().write(Arc::clone(&file), count * BULK_WRITE_BYTES as u64, vec![pattern(BULK_WRITE_BYTES)]);
    }
    let written = (0..16).map(|_| world.answer());
    assert!(written.into_iter().all(|answer| matches!(answer, Input::SegmentWritten { .. })));
    let all = 16 * BULK_WRITE_BYTES as u64;
    world.io().sync(SyncId(1), vec![Arc::clone(&file)]);
    world.io().write(Arc::clone(&file), all, vec![pattern(100)]);
    let (summary, tail) = (Bytes::from_static(b"summary"), Bytes::new());
    world.io().seal(Arc::clone(&file), Seal { position: all + 100, tail, length: all + 100, summary });
    let bytes = 2 * JOURNAL_FILL_BYTES as u64 + BLOCK_BYTES;
    world.io().prepare_journal_file(LogDir(0), 3, bytes);
    world.io().delete_partition(LogDir(0), partition(9), Vec::new());
    let answers = world.stop();
    assert_eq!(answers.len(), 5);
    assert!(answers.iter().any(|answer| matches!(answer, Input::JournalFileReady { file: 3, .. })));
    assert!(answers.iter().any(|answer| matches!(answer, Input::SegmentsSynced { .. })));
    let written = answers.iter().position(|answer| matches!(answer, Input::SegmentWritten { .. }));
    let sealed = answers.iter().position(|answer| matches!(answer, Input::SegmentSealed { .. }));
    assert!(written.is_some() && written < sealed, "the seal follows the write that was ordered before it");
    assert_eq!(std::fs::metadata(file.path()).expect("sealed").len(), all + 100);
    let journal = std::fs::read(journal_path(&world.directory, ShardId(0), 3)).expect("filled");
    assert!(journal.len() as u64 == bytes && journal.iter().all(|byte| *byte == 0));
}
