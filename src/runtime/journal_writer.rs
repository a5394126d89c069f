//! Writes group commits: one copy into an aligned buffer, one write and one data sync, linked, through a private ring.
//!
//! The files were filled with zeros before, so a sync here changes no metadata. Commits may be under way together; the core puts
//! their completions in order. A failed or short write is reported once and is final: the core decides what that means. Submission
//! is one system call per turn; completions are read from shared memory when the ring's eventfd has told of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use io_uring::squeue::Flags;
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::OFlags;

use crate::effect::{CommitId, DiskError, JournalCommit};
use crate::input::Input;
use crate::limits::{BLOCK_BYTES, COMMITS_IN_FLIGHT_MAX};
use crate::metrics::RuntimeMetrics;
use crate::model::{LogDir, ShardId};

use super::aligned::Aligned;
use super::files::{journal_path, path_of};
use super::io_threads::{disk_error, when_locked_memory_is_back};

/// Two entries per commit.
const ENTRIES: u32 = 64;
const _: () = assert!(COMMITS_IN_FLIGHT_MAX * 2 <= ENTRIES as usize);

/// Buffers kept for the next commits.
const BUFFERS_KEPT: usize = COMMITS_IN_FLIGHT_MAX;

/// Lives: one per shard, on its thread, for the journals of all its log dirs.
///
/// Invariants: a buffer is owned by its slot until both completions of its commit were read, whatever happens.
pub struct JournalWriter {
    data_dirs: Arc<[PathBuf]>,
    shard: ShardId,
    ring: IoUring,
    eventfd: OwnedFd,
    /// Opened at the first commit into them; a ring has few files.
    files: HashMap<(LogDir, u32), File>,
    slots: Vec<Option<Commit>>,
    buffers: Vec<Aligned>,
    /// Commits that have not found room in the ring.
    waiting: VecDeque<JournalCommit>,
    in_flight: usize,
    unsubmitted: bool,
    metrics: Rc<RefCell<RuntimeMetrics>>,
}

struct Commit {
    dir: LogDir,
    id: CommitId,
    buffer: Aligned,
    length: usize,
    started: Instant,
    completions_left: u8,
    error: Option<DiskError>,
}

#[derive(Clone, Copy)]
enum Step {
    Write = 0,
    Sync = 1,
}

impl JournalWriter {
    pub fn new(
        data_dirs: Arc<[PathBuf]>,
        shard: ShardId,
        metrics: Rc<RefCell<RuntimeMetrics>>,
    ) -> io::Result<JournalWriter> {
        let ring = when_locked_memory_is_back(|| IoUring::new(ENTRIES))?;
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        ring.submitter().register_eventfd(eventfd.as_raw_fd())?;
        Ok(JournalWriter {
            data_dirs,
            shard,
            ring,
            eventfd,
            files: HashMap::new(),
            slots: Vec::new(),
            buffers: Vec::new(),
            waiting: VecDeque::new(),
            in_flight: 0,
            unsubmitted: false,
            metrics,
        })
    }

    /// Readable (edge-triggered) when a completion came. The edge may be used up by a look at the kernel that was made for other
    /// reasons: before a sleep, `completions` tells what no edge will tell again.
    pub fn completion_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }

    /// Takes the commit. Answered by `JournalCommitted` or `JournalFailed`. It leaves with the next `submit`.
    pub fn commit(&mut self, commit: JournalCommit, inputs: &mut VecDeque<Input>) {
        if self.in_flight >= ENTRIES as usize / 2 {
            self.waiting.push_back(commit);
            return;
        }
        if let Err(error) = self.start(&commit) {
            let error = disk_error("open journal file", &error);
            tracing::error!(shard = %self.shard, dir = %commit.dir, ?error, "a journal commit failed");
            inputs.push_back(Input::JournalFailed { dir: commit.dir, error });
        }
    }

    /// Commits that were started and not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Hands what `commit` prepared to the kernel.
    pub fn submit(&mut self) -> io::Result<()> {
        while self.unsubmitted {
            match self.ring.submit() {
                Ok(_) => self.unsubmitted = !self.ring.submission().is_empty(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The kernel lacks memory for the moment: what is queued stays queued.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY)) => {
                    std::thread::yield_now();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the completions that are there.
    pub fn take_completions(&mut self, inputs: &mut VecDeque<Input>) {
        if self.in_flight == 0 {
            return;
        }
        while let Some((user_data, result)) = self.next_completion() {
            self.on_completion(user_data, result, inputs);
        }
        while self.in_flight < ENTRIES as usize / 2 {
            let Some(commit) = self.waiting.pop_front() else { break };
            self.commit(commit, inputs);
        }
    }

    /// How many completions are there that were not taken.
    pub fn completions(&mut self) -> usize {
        if self.in_flight == 0 { 0 } else { self.ring.completion().len() }
    }

    /// Waits for one completion at least.
    pub fn wait(&mut self) -> io::Result<()> {
        match self.ring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn next_completion(&mut self) -> Option<(u64, i32)> {
        self.ring.completion().next().map(|entry| (entry.user_data(), entry.result()))
    }

    fn start(&mut self, commit: &JournalCommit) -> io::Result<()> {
        assert!(commit.position.is_multiple_of(BLOCK_BYTES), "a commit starts on a block");
        assert!(commit.length.is_multiple_of(BLOCK_BYTES) && commit.length > 0, "a commit is whole blocks");
        let fd = Fd(self.file(commit.dir, commit.file)?.as_raw_fd());
        let length = usize::try_from(commit.length).expect("at most COMMIT_BYTES_MAX");
        let mut buffer = self.buffers.pop().unwrap_or_default();
        let bytes = buffer.with_room(length);
        let mut at = 0;
        for piece in &commit.pieces {
            bytes[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        bytes[at..].fill(0);
        let slot = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let count = u32::try_from(length).expect("at most COMMIT_BYTES_MAX");
        let write = opcode::Write::new(fd, bytes.as_ptr(), count).offset(commit.position).build();
        let sync = opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build();
        let write = write.flags(Flags::IO_LINK).user_data(user_data(slot, Step::Write));
        let sync = sync.user_data(user_data(slot, Step::Sync));
        // SAFETY: the buffer's memory does not move with its owner, which the slot keeps until both completions were read; the file
        // stays open as long as this value lives, and this value outlives its commits (`Driver::finish`).
        let pushed = unsafe { self.ring.submission().push_multiple(&[write, sync]) };
        pushed.expect("fewer commits are in flight than half the ring's entries");
        self.slots[slot] = Some(Commit {
            dir: commit.dir,
            id: commit.commit,
            buffer,
            length,
            started: Instant::now(),
            completions_left: 2,
            error: None,
        });
        self.in_flight += 1;
        self.unsubmitted = true;
        Ok(())
    }

    fn on_completion(&mut self, user_data: u64, result: i32, inputs: &mut VecDeque<Input>) {
        let slot = usize::try_from(user_data >> 1).expect("made from a usize");
        let commit = self.slots[slot].as_mut().expect("two completions for each commit");
        let is_write = user_data & 1 == Step::Write as u64;
        let operation = if is_write { "write journal" } else { "sync journal" };
        if result < 0 {
            // The cause comes first; a sync that was cancelled because its write failed says nothing more.
            commit.error.get_or_insert(DiskError { operation, errno: -result });
        } else if is_write && usize::try_from(result) != Ok(commit.length) {
            commit.error = Some(DiskError { operation: "write journal (short)", errno: libc::EIO });
        }
        commit.completions_left -= 1;
        if commit.completions_left > 0 {
            return;
        }
        let commit = self.slots[slot].take().expect("looked at above");
        self.in_flight -= 1;
        inputs.push_back(match commit.error {
            None => {
                self.count(&commit);
                Input::JournalCommitted { dir: commit.dir, commit: commit.id }
            }
            Some(error) => {
                tracing::error!(shard = %self.shard, dir = %commit.dir, ?error, "a journal commit failed");
                Input::JournalFailed { dir: commit.dir, error }
            }
        });
        if self.buffers.len() < BUFFERS_KEPT {
            self.buffers.push(commit.buffer);
        }
    }

    fn count(&self, commit: &Commit) {
        let mut metrics = self.metrics.borrow_mut();
        metrics.journal_commits += 1;
        metrics.journal_bytes += commit.length as u64;
        let elapsed = u64::try_from(commit.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        metrics.journal_latency.record_ns(elapsed);
    }

    fn file(&mut self, dir: LogDir, number: u32) -> io::Result<&File> {
        if !self.files.contains_key(&(dir, number)) {
            let path = journal_path(path_of(&self.data_dirs, dir), self.shard, number);
            let flags = i32::try_from(OFlags::DIRECT.bits()).expect("an open flag");
            let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
            self.files.insert((dir, number), file);
        }
        Ok(&self.files[&(dir, number)])
    }
}

/// The kernel may still read from the buffers of commits under way: if this value goes before them, they stay.
impl Drop for JournalWriter {
    fn drop(&mut self) {
        for commit in self.slots.drain(..).flatten() {
            std::mem::forget(commit.buffer);
        }
    }
}

fn user_data(slot: usize, step: Step) -> u64 {
    (slot as u64) << 1 | step as u64
}
