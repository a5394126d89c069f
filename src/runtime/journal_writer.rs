//! Writes group commits: one copy into an aligned buffer, one direct write that returns when its data is synced.
//!
//! A private io_uring carries the writes: all of a turn leave with one system call, and a completion makes the ring's descriptor
//! readable, which the shard's epoll sees like any socket. The files were filled with zeros before, so a sync changes no
//! metadata. Commits may be under way together; the core puts their completions in order. A failed or short write is reported
//! once and is final: the core decides what that means. Why not through the executor: docs/decisions/0001 and 0005.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

use crate::effect::{CommitId, DiskError, JournalCommit};
use crate::input::Input;
use crate::limits::{BLOCK_BYTES, COMMITS_IN_FLIGHT_MAX};
use crate::metrics::RuntimeMetrics;
use crate::model::ShardId;

use super::aligned::AlignedBuffer;
use super::files::journal_path;

/// Submissions that fit before the kernel is told.
const RING_ENTRIES: u32 = 16;

/// The smallest buffer that is kept.
const BUFFER_BYTES_MIN: usize = 64 * 1024;

const _: () = assert!(COMMITS_IN_FLIGHT_MAX <= RING_ENTRIES as usize);

/// A write at the device. The kernel reads the buffer until its completion.
#[derive(Debug)]
struct InFlight {
    commit: CommitId,
    buffer: AlignedBuffer,
    length: u32,
    started: Instant,
}

/// Lives: one per shard, on its thread.
pub struct JournalWriter {
    data_dir: PathBuf,
    shard: ShardId,
    ring: IoUring,
    /// Opened at the first commit into them; a ring has few files.
    files: HashMap<u32, File>,
    /// By the user data of their submission.
    in_flight: HashMap<u64, InFlight>,
    free: Vec<AlignedBuffer>,
    submitted: u64,
    unsubmitted: bool,
    metrics: Rc<RefCell<RuntimeMetrics>>,
}

impl JournalWriter {
    pub fn new(
        data_dir: PathBuf,
        shard: ShardId,
        metrics: Rc<RefCell<RuntimeMetrics>>,
    ) -> io::Result<JournalWriter> {
        // Completions wait until this thread enters the kernel anyway, instead of interrupting it. Since Linux 5.19.
        let ring = IoUring::builder()
            .setup_coop_taskrun()
            .build(RING_ENTRIES)
            .or_else(|_| IoUring::new(RING_ENTRIES))?;
        Ok(JournalWriter {
            data_dir,
            shard,
            ring,
            files: HashMap::new(),
            in_flight: HashMap::new(),
            free: Vec::new(),
            submitted: 0,
            unsubmitted: false,
            metrics,
        })
    }

    /// Readable when a commit has completed.
    pub fn readiness(&self) -> BorrowedFd<'_> {
        // SAFETY: the ring, and so its descriptor, lives as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }
    }

    /// Prepares the commit; it starts with the next `submit`. Answered by `JournalCommitted` or `JournalFailed`.
    pub fn commit(&mut self, commit: JournalCommit, inputs: &mut impl Extend<Input>) {
        if let Err(error) = self.prepare(commit) {
            tracing::error!(shard = %self.shard, ?error, "a journal commit cannot be started");
            inputs.extend([Input::JournalFailed { error }]);
        }
    }

    fn prepare(&mut self, commit: JournalCommit) -> Result<(), DiskError> {
        assert!(commit.position.is_multiple_of(BLOCK_BYTES), "a commit starts on a block");
        assert!(commit.length.is_multiple_of(BLOCK_BYTES) && commit.length > 0, "a commit is whole blocks");
        let length = usize::try_from(commit.length).expect("a commit is smaller than a file of the ring");
        let mut buffer = self.take_buffer(length);
        let bytes = &mut buffer.bytes_mut()[..length];
        let mut at = 0;
        for piece in &commit.pieces {
            bytes[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        bytes[at..].fill(0);
        let fd = self.file(commit.file)?;
        let length = u32::try_from(length).expect("a commit is smaller than a file of the ring");
        self.submitted += 1;
        let write = opcode::Write::new(fd, buffer.as_ptr(), length)
            .offset(commit.position)
            .rw_flags(libc::RWF_DSYNC)
            .build()
            .user_data(self.submitted);
        // SAFETY: the buffer is kept in `in_flight` until the kernel has completed the write.
        let pushed = unsafe { self.ring.submission().push(&write) };
        assert!(pushed.is_ok(), "no more commits are in flight than the ring has entries");
        let in_flight = InFlight { commit: commit.commit, buffer, length, started: Instant::now() };
        self.in_flight.insert(self.submitted, in_flight);
        self.unsubmitted = true;
        Ok(())
    }

    /// Starts what was prepared.
    pub fn submit(&mut self) -> io::Result<()> {
        if self.unsubmitted {
            self.unsubmitted = false;
            self.ring.submit()?;
        }
        Ok(())
    }

    /// Takes what has completed since the last call.
    pub fn reap(&mut self, inputs: &mut impl Extend<Input>) {
        loop {
            let next = self.ring.completion().next();
            let Some(completion) = next else { return };
            let Some(done) = self.in_flight.remove(&completion.user_data()) else { continue };
            inputs.extend([self.complete(&done, completion.result())]);
            if self.free.len() < COMMITS_IN_FLIGHT_MAX {
                self.free.push(done.buffer);
            }
        }
    }

    /// Sleeps until a commit has completed.
    pub fn wait(&self) -> io::Result<()> {
        self.ring.submit_and_wait(1).map(drop)
    }

    fn complete(&self, done: &InFlight, result: i32) -> Input {
        let errno = match u32::try_from(result) {
            Ok(written) if written == done.length => {
                let mut metrics = self.metrics.borrow_mut();
                metrics.journal_commits += 1;
                metrics.journal_bytes += u64::from(done.length);
                let elapsed = u64::try_from(done.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                metrics.journal_latency.record_ns(elapsed);
                return Input::JournalCommitted { commit: done.commit };
            }
            Ok(_short) => libc::EIO,
            Err(_) => -result,
        };
        let error = DiskError { operation: "write journal", errno };
        tracing::error!(shard = %self.shard, commit = done.commit.0, ?error, "a journal commit failed");
        Input::JournalFailed { error }
    }

    /// Commits that were started and not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn take_buffer(&mut self, length: usize) -> AlignedBuffer {
        let fits = self.free.iter().position(|buffer| buffer.len() >= length);
        match fits.or(self.free.len().checked_sub(1)).map(|index| self.free.swap_remove(index)) {
            Some(buffer) if buffer.len() >= length => buffer,
            _ => AlignedBuffer::new(length.next_power_of_two().max(BUFFER_BYTES_MIN)),
        }
    }

    fn file(&mut self, number: u32) -> Result<Fd, DiskError> {
        if !self.files.contains_key(&number) {
            let path = journal_path(&self.data_dir, self.shard, number);
            let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(path);
            let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
            let file = file.map_err(|error| DiskError { operation: "open journal", errno: errno(error) })?;
            self.files.insert(number, file);
        }
        Ok(Fd(self.files[&number].as_fd().as_raw_fd()))
    }
}
