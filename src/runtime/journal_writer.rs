//! Writes group commits: one copy into a DMA buffer, one aligned write, one data sync.
//!
//! The files were filled with zeros before, so a sync here changes no metadata. Commits may be under way together; the core puts
//! their completions in order. A failed or short write is reported once and is final: the core decides what that means.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use glommio::GlommioError;
use glommio::io::{DmaFile, OpenOptions};

use crate::effect::{DiskError, JournalCommit};
use crate::input::Input;
use crate::limits::BLOCK_BYTES;
use crate::metrics::RuntimeMetrics;
use crate::model::ShardId;

use super::completions::Completions;
use super::files::journal_path;

/// Lives: one per shard, on its executor.
#[derive(Debug, Clone)]
pub struct JournalWriter(Rc<State>);

#[derive(Debug)]
struct State {
    data_dir: PathBuf,
    shard: ShardId,
    /// Opened at the first commit into them; a ring has few files.
    files: RefCell<HashMap<u32, Rc<DmaFile>>>,
    in_flight: Cell<usize>,
    completions: Completions,
    metrics: Rc<RefCell<RuntimeMetrics>>,
}

impl JournalWriter {
    #[must_use]
    pub fn new(
        data_dir: PathBuf,
        shard: ShardId,
        completions: Completions,
        metrics: Rc<RefCell<RuntimeMetrics>>,
    ) -> JournalWriter {
        JournalWriter(Rc::new(State {
            data_dir,
            shard,
            files: RefCell::default(),
            in_flight: Cell::new(0),
            completions,
            metrics,
        }))
    }

    /// Starts the commit. Answered by `JournalCommitted` or `JournalFailed`.
    pub fn commit(&self, commit: JournalCommit) {
        let state = Rc::clone(&self.0);
        state.in_flight.set(state.in_flight.get() + 1);
        glommio::spawn_local(async move {
            let id = commit.commit;
            let input = match state.write(commit).await {
                Ok(()) => Input::JournalCommitted { commit: id },
                Err(error) => {
                    tracing::error!(shard = %state.shard, ?error, "a journal commit failed");
                    Input::JournalFailed { error }
                }
            };
            state.in_flight.set(state.in_flight.get() - 1);
            state.completions.push(input);
        })
        .detach();
    }

    /// Commits that were started and not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.get()
    }
}

impl State {
    async fn write(&self, commit: JournalCommit) -> Result<(), DiskError> {
        assert!(commit.position.is_multiple_of(BLOCK_BYTES), "a commit starts on a block");
        assert!(commit.length.is_multiple_of(BLOCK_BYTES) && commit.length > 0, "a commit is whole blocks");
        let file = self.file(commit.file).await.map_err(|error| disk_error("open journal file", &error))?;
        let started = Instant::now();
        let length = usize::try_from(commit.length).expect("at most COMMIT_BYTES_MAX");
        let mut buffer = file.alloc_dma_buffer(length);
        let bytes = buffer.as_bytes_mut();
        let mut at = 0;
        for piece in &commit.pieces {
            bytes[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        bytes[at..].fill(0);
        drop(commit.pieces);
        let written = file
            .write_at(buffer, commit.position)
            .await
            .map_err(|error| disk_error("write journal", &error))?;
        if written != length {
            return Err(DiskError { operation: "write journal (short)", errno: libc::EIO });
        }
        file.fdatasync().await.map_err(|error| disk_error("sync journal", &error))?;
        let mut metrics = self.metrics.borrow_mut();
        metrics.journal_commits += 1;
        metrics.journal_bytes += commit.length;
        let elapsed = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        metrics.journal_latency.record_ns(elapsed);
        Ok(())
    }

    async fn file(&self, number: u32) -> Result<Rc<DmaFile>, GlommioError<()>> {
        if let Some(file) = self.files.borrow().get(&number) {
            return Ok(Rc::clone(file));
        }
        let path = journal_path(&self.data_dir, self.shard, number);
        let file = Rc::new(OpenOptions::new().read(true).write(true).dma_open(&path).await?);
        // Two commits may open the file at once: the second one's descriptor is closed when it is dropped.
        let mut files = self.files.borrow_mut();
        Ok(Rc::clone(files.entry(number).or_insert(file)))
    }
}

fn disk_error(operation: &'static str, error: &GlommioError<()>) -> DiskError {
    let errno = match error {
        GlommioError::IoError(error) => error.raw_os_error(),
        GlommioError::EnhancedIoError { source, .. } => source.raw_os_error(),
        _ => None,
    };
    DiskError { operation, errno: errno.unwrap_or(libc::EIO) }
}
