//! The seat of one coordinator: replays its partition into it, turns what it decides into batches, and holds answers back until
//! those are durable.
//!
//! ```text
//! Loading --on_loaded--> Active --an append fails, the disk fails--> thrown away; a new host loads again
//! ```
//!
//! Decides when records make a batch and when an answer may leave. Knows neither where the bytes come from nor where they go
//! (`shard::seats`).

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::record::{self, BatchBuilder, BatchError, DecompressLimit};

use super::{Coordinator, CoordinatorRecord, Decision, Ticket, View};
use crate::effect::CommitId;
use crate::limits::COORDINATOR_BATCH_INFLATED_BYTES_MAX;
use crate::model::{Instant, Offset};

/// More than a record's length, timestamp, offset, attributes and the lengths in it ever take.
const RECORD_OVERHEAD_BYTES: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Everything below `next` is replayed.
    Loading {
        next: Offset,
    },
    Active,
}

/// Why a partition cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unloadable {
    pub at: Offset,
    pub reason: &'static str,
}

/// Answers that leave when `commit` is durable.
#[derive(Debug)]
struct Undurable<Answer> {
    commit: CommitId,
    answers: Vec<(Ticket, Answer)>,
}

/// Lives: one per partition of an internal topic, on the shard that owns it.
/// Invariants: commits of `undurable` do not decrease; answers leave in the order of the decisions.
#[derive(Debug)]
pub struct Host<C: Coordinator> {
    coordinator: C,
    phase: Phase,
    batch_bytes_max: usize,
    /// The batch that further records go to.
    open: BatchBuilder,
    /// Full batches before it.
    closed: Vec<Bytes>,
    /// Of decisions since the last append.
    answers: Vec<(Ticket, C::Answer)>,
    undurable: VecDeque<Undurable<C::Answer>>,
    last_commit: CommitId,
    /// It decided something that cannot be recorded, so what it believes is not what the log says.
    broken: Vec<Ticket>,
    is_broken: bool,
}

impl<C: Coordinator> Host<C> {
    #[must_use]
    pub fn new(coordinator: C, log_start: Offset) -> Host<C> {
        Host {
            coordinator,
            phase: Phase::Loading { next: log_start },
            batch_bytes_max: usize::MAX,
            open: BatchBuilder::new(),
            closed: Vec::new(),
            answers: Vec::new(),
            undurable: VecDeque::new(),
            last_commit: CommitId(0),
            broken: Vec::new(),
            is_broken: false,
        }
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// None: it does not know everything yet.
    #[must_use]
    pub fn loaded(&self) -> Option<&C> {
        (self.phase == Phase::Active).then_some(&self.coordinator)
    }

    /// What a batch of the partition may have.
    pub fn set_batch_bytes_max(&mut self, bytes: u32) {
        self.batch_bytes_max = bytes as usize;
    }

    #[must_use]
    pub fn batch_bytes_max(&self) -> u32 {
        u32::try_from(self.batch_bytes_max).unwrap_or(u32::MAX)
    }

    /// The log begins here now: what was below is gone.
    pub fn skip_to(&mut self, log_start: Offset) {
        if let Phase::Loading { next } = &mut self.phase {
            *next = log_start.max(*next);
        }
    }

    /// Replays the whole batches of `bytes`, which begin with the one that holds the next offset.
    ///
    /// Errors: bytes that are no batch, or a batch that is damaged. A record that only the coordinator does not understand is left out.
    pub fn load(&mut self, view: View<'_>, bytes: &[u8]) -> Result<(), Unloadable> {
        let Phase::Loading { mut next } = self.phase else { return Ok(()) };
        let first = next;
        let mut scratch = Vec::new();
        for batch in record::batches(bytes) {
            let unloadable = |reason| Unloadable { at: next, reason };
            let batch = match batch {
                Ok(batch) => batch,
                Err(BatchError::Cut { .. }) => break,
                Err(_) => return Err(unloadable("no batch stands where one must")),
            };
            if !batch.crc_is_valid() {
                return Err(unloadable("a batch is damaged"));
            }
            if !batch.is_control() {
                let limit = DecompressLimit(COORDINATOR_BATCH_INFLATED_BYTES_MAX);
                let records = batch.decompress(limit, &mut scratch);
                for record in records.map_err(|_| unloadable("a batch cannot be decompressed"))? {
                    let record = record.map_err(|_| unloadable("a record of a batch cannot be read"))?;
                    if record.offset >= next.0 {
                        self.load_record(view, &record);
                    }
                }
            }
            next = next.max(Offset(batch.last_offset() + 1));
        }
        if next == first {
            return Err(Unloadable { at: next, reason: "the batch that holds the next offset is not whole" });
        }
        self.phase = Phase::Loading { next };
        Ok(())
    }

    fn load_record(&mut self, view: View<'_>, record: &record::Record<'_>) {
        let Some(key) = record.key else { return };
        let replayed = self.coordinator.replay(view, record.timestamp, key, record.value);
        if let Err(unknown) = replayed {
            tracing::warn!(
                offset = record.offset,
                reason = unknown.reason,
                "a coordinator's record is left out"
            );
        }
    }

    /// All of the partition is replayed.
    pub fn on_loaded(&mut self, view: View<'_>) {
        self.phase = Phase::Active;
        let mut decision = Decision::default();
        self.coordinator.on_loaded(view, &mut decision);
        self.settle(view, decision);
    }

    /// Invariants: the coordinator is active.
    pub fn ask(&mut self, view: View<'_>, ticket: Ticket, ask: C::Ask) {
        assert_eq!(self.phase, Phase::Active, "nothing is asked while the partition is loaded");
        let mut decision = Decision::default();
        self.coordinator.handle(view, ticket, ask, &mut decision);
        if view.mutations.coordinator_reads_do_not_wait() && decision.records.is_empty() {
            let answers = std::mem::take(&mut decision.answers);
            self.undurable.push_front(Undurable { commit: CommitId(0), answers });
        }
        self.settle(view, decision);
    }

    /// Whoever waits with this ticket is gone: its answer, if there is one, too.
    pub fn forget(&mut self, view: View<'_>, ticket: Ticket) {
        self.answers.retain(|(other, _)| *other != ticket);
        for undurable in &mut self.undurable {
            undurable.answers.retain(|(other, _)| *other != ticket);
        }
        if self.phase == Phase::Active {
            let mut decision = Decision::default();
            self.coordinator.forget(view, ticket, &mut decision);
            self.settle(view, decision);
        }
    }

    pub fn on_time(&mut self, view: View<'_>) {
        if self.next_deadline().is_some_and(|deadline| deadline <= view.now.instant) {
            let mut decision = Decision::default();
            self.coordinator.on_time(view, &mut decision);
            self.settle(view, decision);
        }
    }

    pub fn on_pause(&mut self, paused_ms: u64) {
        self.coordinator.on_pause(paused_ms);
    }

    pub fn on_image(&mut self, view: View<'_>) {
        if self.phase == Phase::Active {
            let mut decision = Decision::default();
            self.coordinator.on_image(view, &mut decision);
            self.settle(view, decision);
        }
    }

    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.phase == Phase::Active { self.coordinator.next_deadline() } else { None }
    }

    /// Replays what was decided, and puts it into batches.
    fn settle(&mut self, view: View<'_>, decision: Decision<C::Answer>) {
        let Decision { records, answers } = decision;
        let sizes = records.iter().map(|record| record_bytes(&record.key, record.value.as_ref()));
        let fits = sizes.clone().all(|bytes| bytes + record::BATCH_HEADER_BYTES <= self.batch_bytes_max);
        if !fits {
            tracing::warn!("a coordinator's record is larger than its topic's max.message.bytes");
            self.broken.extend(answers.iter().map(|(ticket, _)| *ticket));
            self.is_broken = true;
            return;
        }
        let bytes: usize = sizes.sum();
        if self.open.length_bytes() + bytes > self.batch_bytes_max {
            self.close_batch();
        }
        for CoordinatorRecord { key, value } in &records {
            let timestamp = view.now.wall_ms;
            if let Err(unknown) = self.coordinator.replay(view, timestamp, key, value.as_deref()) {
                tracing::error!(reason = unknown.reason, "a coordinator does not understand its own record");
                self.is_broken = true;
            }
            if self.open.length_bytes() + record_bytes(key, value.as_ref()) > self.batch_bytes_max {
                self.close_batch();
            }
            self.open.append(timestamp, Some(key), value.as_deref(), &[]);
        }
        self.answers.extend(answers);
    }

    fn close_batch(&mut self) {
        if !self.open.is_empty() {
            let batch = std::mem::take(&mut self.open);
            self.closed.push(batch.build());
        }
    }

    /// Tickets whose decision cannot be recorded. Some: the host must be thrown away.
    pub fn take_broken(&mut self) -> Option<Vec<Ticket>> {
        self.is_broken.then(|| std::mem::take(&mut self.broken))
    }

    #[must_use]
    pub fn has_batches(&self) -> bool {
        !self.closed.is_empty() || !self.open.is_empty()
    }

    /// What is to be appended now, in this order. Once it is, `on_appended` says so, whether or not there was anything.
    pub fn take_batches(&mut self) -> Vec<Bytes> {
        self.close_batch();
        std::mem::take(&mut self.closed)
    }

    /// All batches taken are durable when `commit` is. None: there were none.
    pub fn on_appended(&mut self, commit: Option<CommitId>) {
        self.last_commit = self.last_commit.max(commit.unwrap_or(CommitId(0)));
        if !self.answers.is_empty() {
            let answers = std::mem::take(&mut self.answers);
            self.undurable.push_back(Undurable { commit: self.last_commit, answers });
        }
    }

    /// The answers that may leave.
    pub fn release(&mut self, durable: CommitId) -> Vec<(Ticket, C::Answer)> {
        let mut released = Vec::new();
        while let Some(first) = self.undurable.pop_front_if(|first| first.commit <= durable) {
            released.extend(first.answers);
        }
        released
    }

    /// Somebody waits for a commit.
    #[must_use]
    pub fn has_answers(&self) -> bool {
        !self.undurable.is_empty()
    }

    /// Something that it decided is in a commit beyond this one.
    #[must_use]
    pub fn reaches_beyond(&self, commit: CommitId) -> bool {
        self.last_commit > commit
    }
}

fn record_bytes(key: &Bytes, value: Option<&Bytes>) -> usize {
    RECORD_OVERHEAD_BYTES + key.len() + value.map_or(0, Bytes::len)
}
