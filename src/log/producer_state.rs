//! What a log remembers of its idempotent producers.
//!
//! Decides whether a batch is new, a duplicate or out of order. Who may use a producer id is decided above.

use std::collections::{BTreeMap, BTreeSet};

use protocol::error_code::ErrorCode;
use protocol::record::BatchHeader;

use crate::model::{Instant, Offset};
use crate::shard_message::ProducerAnswer;

/// Batches of one producer whose repetition is recognised. Kafka's number: a producer has at most 5 requests under way.
pub(super) const BATCHES_MAX: usize = 5;

/// Producers that one log remembers. Beyond it those that were silent longest are forgotten, a tenth at a time; a
/// forgotten producer that comes back is accepted with any sequence, as after expiry.
pub(super) const PRODUCERS_MAX: usize = 10_000;

const NO_EPOCH: i16 = -1;
const NO_SEQUENCE: i32 = -1;
const NO_TIMESTAMP: i64 = -1;
const NO_TRANSACTION: i64 = -1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProducedBatch {
    pub base_offset: Offset,
    pub max_timestamp: i64,
    pub base_sequence: i32,
    pub last_offset_delta: i32,
}

const NO_BATCH: ProducedBatch = ProducedBatch {
    base_offset: Offset::ZERO,
    max_timestamp: NO_TIMESTAMP,
    base_sequence: NO_SEQUENCE,
    last_offset_delta: 0,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProducerState {
    /// Of the epoch below, oldest first: the first `batches_count` count.
    batches: [ProducedBatch; BATCHES_MAX],
    batches_count: u8,
    pub producer_epoch: i16,
    pub last_timestamp: i64,
    /// Base offset of its newest batch, markers included: who was silent longest.
    pub latest_offset: Offset,
    /// First offset of the open transaction; -1: none.
    pub transaction_start_offset: i64,
    /// None: not since the log was opened.
    last_append: Option<Instant>,
}

/// What a batch is to the producers of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    /// It is in the log already, with these offsets.
    Duplicate {
        base_offset: Offset,
        next_offset: Offset,
        max_timestamp: i64,
    },
}

/// Every producer that the log knows, by id.
///
/// Lives: per log. Invariants: at most `PRODUCERS_MAX`. No allocation before the first producer.
/// Source: KIP-98, KIP-360; Apache Kafka 4.3.1, asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerStates(pub(super) BTreeMap<i64, Box<ProducerState>>);

type Refusal = (ErrorCode, &'static str);

impl ProducerStates {
    /// Judges a produced batch; changes nothing.
    ///
    /// Errors: INVALID_PRODUCER_EPOCH (older than the known one), OUT_OF_ORDER_SEQUENCE_NUMBER (not the next sequence,
    ///         not one of the last 5 batches; a new epoch that does not start at 0), INVALID_TXN_STATE (not transactional
    ///         while its producer has a transaction open).
    pub(super) fn check(&self, header: &BatchHeader) -> Result<Verdict, Refusal> {
        let Some(known) = self.0.get(&header.producer_id()) else { return Ok(Verdict::New) };
        if let Some(batch) = known.batch_like(header) {
            return Ok(Verdict::Duplicate {
                base_offset: batch.base_offset,
                next_offset: batch.base_offset.plus(i64::from(batch.last_offset_delta) + 1),
                max_timestamp: batch.max_timestamp,
            });
        }
        if header.producer_epoch() < known.producer_epoch {
            return Err((
                ErrorCode::INVALID_PRODUCER_EPOCH,
                "The producer epoch is older than the last one seen",
            ));
        }
        if !known.expects(header) {
            return Err((
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
                "The sequence does not follow the last one seen",
            ));
        }
        if known.transaction_start_offset >= 0 && !header.is_transactional() {
            return Err((ErrorCode::INVALID_TXN_STATE, "The producer has a transaction open"));
        }
        Ok(Verdict::New)
    }

    /// Takes note of a batch that is in the log, as it was stamped. `at`: None while a log is recovered.
    pub fn on_batch(&mut self, header: &BatchHeader, at: Option<Instant>) {
        if !header.has_producer_id() {
            return;
        }
        if self.0.len() >= PRODUCERS_MAX && !self.0.contains_key(&header.producer_id()) {
            self.forget_silent();
        }
        let producer = self.0.entry(header.producer_id()).or_insert_with(|| Box::new(ProducerState::new()));
        producer.on_batch(header, at);
    }

    /// Adds what later batches told of their producers, as if they had come one by one. `ended`: whose transactions ended among them.
    pub(super) fn merge(&mut self, later: ProducerStates, ended: &BTreeSet<i64>) {
        for (producer_id, mut producer) in later.0 {
            if let Some(earlier) = self.0.remove(&producer_id) {
                producer.follow(&earlier, ended.contains(&producer_id));
            } else if self.0.len() >= PRODUCERS_MAX {
                self.forget_silent();
            }
            self.0.insert(producer_id, producer);
        }
    }

    /// Forgets the tenth that was silent longest, except producers with an open transaction.
    fn forget_silent(&mut self) {
        let idle = self.0.values().filter(|producer| producer.transaction_start_offset < 0);
        let mut latest: Vec<Offset> = idle.map(|producer| producer.latest_offset).collect();
        let count = (PRODUCERS_MAX / 10).min(latest.len());
        let Some(index) = count.checked_sub(1) else { return };
        let (_, &mut newest_to_go, _) = latest.select_nth_unstable(index);
        self.0.retain(|_, producer| {
            producer.transaction_start_offset >= 0 || producer.latest_offset > newest_to_go
        });
    }

    /// Forgets producers that were silent for `expiration_ms`, and says how many. Age counts by the monotonic clock; that
    /// of a producer known only from recovery begins at the first call.
    pub fn expire(&mut self, now: Instant, expiration_ms: u64) -> usize {
        let before = self.0.len();
        self.0.retain(|_, producer| {
            let last_append = *producer.last_append.get_or_insert(now);
            producer.transaction_start_offset >= 0 || last_append.after_ms(expiration_ms) > now
        });
        before - self.0.len()
    }

    /// Forgets batches from `offset` on, and producers of which nothing is left: what they did there is known from elsewhere.
    pub fn end_before(&mut self, offset: Offset) {
        self.0.retain(|_, producer| producer.end_before(offset));
    }

    /// Forgets those that `others` does not know.
    pub(super) fn keep_known(&mut self, others: &ProducerStates) {
        // Both rise. Mostly all are known, which is told without looking up each of them.
        let mut known = others.0.keys();
        if self.0.keys().all(|producer_id| known.any(|other| other == producer_id)) {
            return;
        }
        self.0.retain(|producer_id, _| others.0.contains_key(producer_id));
    }

    pub fn answers(&self) -> Vec<ProducerAnswer> {
        let producers = self.0.iter();
        let answers = producers.map(|(producer_id, producer)| ProducerAnswer {
            producer_id: *producer_id,
            producer_epoch: producer.producer_epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp: producer.last_timestamp,
            current_transaction_start_offset: producer.transaction_start_offset,
        });
        answers.collect()
    }

    /// By producer id: where the newest batch with records of each ends.
    pub(super) fn last_offsets(&self) -> impl Iterator<Item = (i64, Offset)> + '_ {
        self.0.iter().filter_map(|(producer_id, producer)| {
            let last = producer.batches().last()?;
            Some((*producer_id, last.base_offset.plus(i64::from(last.last_offset_delta))))
        })
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// As recovery would know them.
    #[cfg(test)]
    pub fn without_times(mut self) -> ProducerStates {
        self.0.values_mut().for_each(|producer| producer.last_append = None);
        self
    }
}

impl ProducerState {
    pub fn new() -> ProducerState {
        ProducerState {
            batches: [NO_BATCH; BATCHES_MAX],
            batches_count: 0,
            producer_epoch: NO_EPOCH,
            last_timestamp: NO_TIMESTAMP,
            latest_offset: Offset::ZERO,
            transaction_start_offset: NO_TRANSACTION,
            last_append: None,
        }
    }

    /// Takes from an earlier state what still counts. Epochs only grow, so two equal ones have no other between them.
    fn follow(&mut self, earlier: &ProducerState, transaction_ended: bool) {
        if earlier.producer_epoch == self.producer_epoch {
            let mut both = earlier.clone();
            self.batches().iter().for_each(|batch| both.push(*batch));
            (self.batches, self.batches_count) = (both.batches, both.batches_count);
        }
        if earlier.transaction_start_offset >= 0 && !transaction_ended {
            self.transaction_start_offset = earlier.transaction_start_offset;
        }
    }

    pub fn batches(&self) -> &[ProducedBatch] {
        &self.batches[..usize::from(self.batches_count)]
    }

    /// Whether a batch is left.
    fn end_before(&mut self, offset: Offset) -> bool {
        let kept = self.batches().iter().take_while(|batch| batch.base_offset < offset).count();
        let Some(last) = self.batches()[..kept].last().copied() else { return false };
        self.batches_count = u8::try_from(kept).expect("fewer than before");
        if self.latest_offset >= offset {
            self.latest_offset = last.base_offset;
            self.last_timestamp = last.max_timestamp;
        }
        if self.transaction_start_offset >= offset.0 {
            self.transaction_start_offset = NO_TRANSACTION;
        }
        true
    }

    fn batch_like(&self, header: &BatchHeader) -> Option<&ProducedBatch> {
        if header.producer_epoch() != self.producer_epoch {
            return None;
        }
        self.batches().iter().find(|batch| {
            batch.base_sequence == header.base_sequence()
                && batch.last_offset_delta == header.last_offset_delta()
        })
    }

    /// Is this the next sequence? Any is, while no epoch is known.
    fn expects(&self, header: &BatchHeader) -> bool {
        if self.producer_epoch == NO_EPOCH {
            true
        } else if header.producer_epoch() == self.producer_epoch {
            header.base_sequence() == next_sequence(self.last_sequence(), 1)
        } else {
            header.base_sequence() == 0
        }
    }

    fn last_sequence(&self) -> i32 {
        self.batches()
            .last()
            .map_or(NO_SEQUENCE, |batch| next_sequence(batch.base_sequence, batch.last_offset_delta))
    }

    fn on_batch(&mut self, header: &BatchHeader, at: Option<Instant>) {
        if header.producer_epoch() != self.producer_epoch {
            self.producer_epoch = header.producer_epoch();
            (self.batches, self.batches_count) = ([NO_BATCH; BATCHES_MAX], 0);
        }
        self.last_timestamp = header.max_timestamp();
        self.latest_offset = Offset(header.base_offset());
        self.last_append = at;
        if header.is_control() {
            self.transaction_start_offset = NO_TRANSACTION;
            return;
        }
        if header.is_transactional() && self.transaction_start_offset < 0 {
            self.transaction_start_offset = header.base_offset();
        }
        self.push(ProducedBatch {
            base_offset: Offset(header.base_offset()),
            max_timestamp: header.max_timestamp(),
            base_sequence: header.base_sequence(),
            last_offset_delta: header.last_offset_delta(),
        });
    }

    pub fn push(&mut self, batch: ProducedBatch) {
        if usize::from(self.batches_count) == BATCHES_MAX {
            self.batches.copy_within(1.., 0);
            self.batches_count -= 1;
        }
        self.batches[usize::from(self.batches_count)] = batch;
        self.batches_count += 1;
    }
}

/// `sequence` moved on, wrapping from `i32::MAX` to 0. From none (-1) the next is 0.
fn next_sequence(sequence: i32, by: i32) -> i32 {
    let next = i64::from(sequence) + i64::from(by);
    (next & i64::from(i32::MAX)) as i32
}
