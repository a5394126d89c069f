//! What waits in one log dir: appends for room in its journal, results for their commit.
//!
//! Each dir has queues of its own, so that a slow, full or failed disk holds up nothing but what it was asked for. A request that
//! spans dirs is split into parts, and answered when all parts are done.

use std::collections::VecDeque;

use super::append::{AppendJob, Origin};
use crate::effect::CommitId;
use crate::shard_message::AppendResult;
use crate::stdx::SlabKey;

/// Who hears of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Request(Origin),
    /// The others of a request that spans log dirs.
    Part(SlabKey),
}

/// A request whose items are in several log dirs.
#[derive(Debug)]
pub(super) struct Split {
    pub origin: Origin,
    /// Parts that are not done.
    pub outstanding: usize,
    pub results: Vec<AppendResult>,
}

/// Results that wait for their commit.
#[derive(Debug)]
pub(super) struct Undurable {
    pub commit: CommitId,
    pub asker: Asker,
    pub results: Vec<AppendResult>,
}

/// Lives: one per shard and log dir.
/// Invariants: commits of `undurable` do not decrease from front to back.
#[derive(Debug, Default)]
pub(super) struct DirQueues {
    /// Appends whose records are not durable yet, in the order of commits.
    undurable: VecDeque<Undurable>,
    /// Appends that wait for room in the journal, in order of arrival.
    pub deferred: VecDeque<AppendJob>,
}

impl DirQueues {
    /// A duplicate waits for an older commit: behind others it waits for theirs, so that answers keep their order.
    pub fn push(&mut self, commit: CommitId, asker: Asker, results: Vec<AppendResult>) {
        let commit = self.undurable.back().map_or(commit, |last| last.commit.max(commit));
        self.undurable.push_back(Undurable { commit, asker, results });
    }

    pub fn pop_durable(&mut self, durable: CommitId) -> Option<Undurable> {
        self.undurable.pop_front_if(|first| first.commit <= durable)
    }

    /// The last one, if it waits for more than `commit`.
    pub fn pop_beyond(&mut self, commit: CommitId) -> Option<Undurable> {
        self.undurable.pop_back_if(|last| last.commit > commit)
    }
}
