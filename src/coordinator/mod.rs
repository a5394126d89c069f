//! What every coordinator is: a value that decides, on top of a partition of a compacted internal topic that remembers.
//!
//! ```text
//! ask -> Coordinator::handle -> records + answers -> the host replays the records into the value, appends them as one batch,
//!                                                    and lets the answers go when all that was appended before them is durable
//! start -> every record of the partition, oldest first -> Coordinator::replay -> Coordinator::on_loaded -> asks
//! ```
//!
//! Decides nothing about groups or transactions (`group`), and nothing about where a partition lives (`shard`).
//! A coordinator never sees a log, a clock or a connection: so it can be tested by tables, and the host can throw it away and load it
//! again whenever an append fails.

mod host;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use host::{Host, Phase};

use crate::config::Config;
use crate::model::metadata_image::MetadataImage;
use crate::model::{Instant, Now};
use crate::mutations::Mutations;

/// A request that waits for its answer. Given by the host, unique among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One record of a coordinator's partition, in Kafka's format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorRecord {
    pub key: Bytes,
    /// None: a tombstone.
    pub value: Option<Bytes>,
}

/// What a coordinator may look at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub now: Now,
    pub image: &'a MetadataImage,
    pub config: &'a Config,
    /// Which rules are broken on purpose: none, but in the simulator.
    pub mutations: Mutations,
}

/// What came of one ask, of time, or of a new image.
///
/// Invariants: `records` become one batch: all of them are there after a crash, or none; only what does not fit a batch becomes
///             several, in order. An answer leaves only when the records of its decision, and of all decisions before it, are durable;
///             so it may tell of state that is not durable yet.
#[derive(Debug)]
pub struct Decision<Answer> {
    pub records: Vec<CoordinatorRecord>,
    /// Also of tickets of earlier asks that waited until now.
    pub answers: Vec<(Ticket, Answer)>,
}

impl<Answer> Default for Decision<Answer> {
    fn default() -> Decision<Answer> {
        Decision { records: Vec::new(), answers: Vec::new() }
    }
}

impl<Answer> Decision<Answer> {
    pub fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.push((ticket, answer));
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.answers.is_empty()
    }
}

/// A record that cannot be understood: of a newer version, or damaged. The host tells of it and goes on without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReplayed {
    pub reason: &'static str,
}

/// The state machine of one partition of an internal topic.
///
/// Lives: one per partition, on the shard that owns it.
/// Invariants: what must survive a crash changes by `replay` alone; everything else (who waits, until when) may be lost with the process.
///             `handle`, `on_time` and `on_image` do not apply the records that they return: the host replays them at once, before it
///             calls again.
pub trait Coordinator {
    type Ask;
    type Answer;

    /// Takes one record: of the partition while it is loaded, or one that this value has just decided.
    fn replay(
        &mut self,
        view: View<'_>,
        timestamp_ms: i64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), NotReplayed>;

    /// All records are replayed. Sessions of members begin anew here: nobody could send a heartbeat meanwhile.
    fn on_loaded(&mut self, view: View<'_>, decision: &mut Decision<Self::Answer>);

    /// The answer may come with a later decision: the ticket is then kept here.
    fn handle(
        &mut self,
        view: View<'_>,
        ticket: Ticket,
        ask: Self::Ask,
        decision: &mut Decision<Self::Answer>,
    );

    /// Whoever asked with this ticket is gone; it must not be answered.
    fn forget(&mut self, view: View<'_>, ticket: Ticket, decision: &mut Decision<Self::Answer>);

    /// Deadlines may have passed. After a pause of the process the host has moved them all by `on_pause` before. What there is too much
    /// of for one turn is done in slices: `next_deadline` then says that the time has come already.
    fn on_time(&mut self, view: View<'_>, decision: &mut Decision<Self::Answer>);

    /// The process stood still for so long: deadlines of sessions move by as much.
    fn on_pause(&mut self, paused_ms: u64);

    /// Topics, partitions or configs are not what they were.
    fn on_image(&mut self, view: View<'_>, decision: &mut Decision<Self::Answer>);

    fn next_deadline(&self) -> Option<Instant>;
}
