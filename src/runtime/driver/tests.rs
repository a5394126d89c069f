//! When the loop may sleep, and when it must not.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};

use crate::effect::{CommitId, JournalCommit};
use crate::limits::BLOCK_BYTES;
use crate::model::LogDir;

use super::super::files::journal_path;
use super::super::listener::Gate;
use super::super::mesh::inbox;
use super::super::reserve::Reserve;
use super::super::sockets::SocketConfig;
use super::*;

const SHARD: ShardId = ShardId(0);
/// Longer than any sleep that the tests allow.
const DEADLINE_MS: u64 = 20_000;

/// Nothing to do but to wake at a deadline.
struct Idle {
    deadline: Instant,
    metrics: ShardMetrics,
}

impl Core for Idle {
    fn step(&mut self, _: Now, _: Input, _: &mut Effects) {}
    fn end_turn(&mut self, _: Now, _: &mut Effects) {}
    fn next_deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }
    fn metrics(&self) -> &ShardMetrics {
        &self.metrics
    }
}

fn driver(data_dir: &Path) -> Driver<Idle> {
    let clock = Clock::since(std::time::Instant::now());
    let files = Arc::new(Files::new([data_dir.to_owned()].into(), 1));
    let metrics = Rc::new(RefCell::default());
    let (postbox, inbox) = inbox().expect("an eventfd");
    let config =
        SocketConfig { frame_bytes_max: 1 << 20, idle_ms_max: u64::MAX, gate: Arc::new(Gate::new(10, 10)) };
    let sockets = Sockets::new(config, Arc::clone(&files), Rc::clone(&metrics)).expect("an epoll");
    let journal =
        JournalWriter::new([data_dir.to_owned()].into(), SHARD, Rc::clone(&metrics)).expect("a ring");
    sockets.wake_by(inbox.wake_fd()).expect("added");
    sockets.wake_by(journal.completion_fd()).expect("added");
    let reserves = [Reserve::new(data_dir)].into();
    let io = IoThreads::start(SHARD, &files, &reserves, &postbox, None).expect("threads");
    let mesh = Mesh::new(SHARD, vec![postbox]);
    let core = Idle { deadline: clock.instant().after_ms(DEADLINE_MS), metrics: ShardMetrics::default() };
    Driver { shard: SHARD, core, clock, inbox, mesh, sockets, journal, io, files, metrics }
}

/// The loop looks for journal completions, then at the sockets. A completion that comes in between has its edge taken by the second
/// look; the shard would sleep for ever with an acknowledgement in its hands.
#[test]
fn a_completion_whose_edge_was_used_up_is_not_slept_over() {
    let data_dir = std::env::temp_dir().join(format!("penstock-driver-{}", std::process::id()));
    let path = journal_path(&data_dir, SHARD, 0);
    fs::create_dir_all(path.parent().expect("in the data directory")).expect("writable");
    fs::write(&path, vec![0; 1 << 16]).expect("writable");
    let mut driver = driver(&data_dir);
    let mut inputs = VecDeque::new();
    let pieces = vec![Bytes::from_static(b"a record")];
    let commit = JournalCommit {
        dir: LogDir(0),
        commit: CommitId(1),
        file: 0,
        position: 0,
        length: BLOCK_BYTES,
        pieces,
    };
    driver.journal.commit(commit, &mut inputs);
    driver.journal.submit().expect("submitted");
    while driver.journal.completions() < 2 {
        let mut told = [PollFd::from_borrowed_fd(driver.journal.completion_fd(), PollFlags::IN)];
        poll(&mut told, None).expect("polled");
    }
    driver.sockets.poll(driver.clock.instant(), 10, &mut inputs).expect("polled");
    driver.sleep().expect("slept");
    driver.journal.take_completions(&mut inputs);
    assert!(matches!(inputs[0], Input::JournalCommitted { .. }), "{inputs:?}");
    assert!(driver.clock.instant() < driver.core.deadline, "the shard slept until its deadline");
    driver.io.stop();
    fs::remove_dir_all(&data_dir).expect("ours");
}
