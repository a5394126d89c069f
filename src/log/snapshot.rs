//! What a log knows at one offset beside its batches, as bytes: leader epochs and producers.
//!
//! Decides the form of both sections (`docs/FORMATS.md`, 2.1). Where they are kept is decided by the journal's checkpoints and
//! by the summaries of sealed segments. Little-endian; what is read is not trusted.

use bytes::{BufMut, BytesMut};

use crate::model::{LeaderEpoch, Offset};

pub use crate::model::Snapshot;

use super::leader_epochs::LeaderEpochs;
use super::producer_state::{BATCHES_MAX, PRODUCERS_MAX, ProducedBatch, ProducerState, ProducerStates};

pub(super) const EPOCH_BYTES: usize = 12;
/// Of a producer without its batches.
const PRODUCER_BYTES: usize = 36;
const BATCH_BYTES: usize = 24;

/// The most that one producer takes.
pub(super) const PRODUCER_BYTES_MAX: usize = PRODUCER_BYTES + BATCHES_MAX * BATCH_BYTES;

/// The bytes are not what an encoder writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Snapshot {
    /// `end`: epochs that begin there or later have no records yet, and are left out: a walk over the batches would not
    /// find them either.
    pub(super) fn of(epochs: &LeaderEpochs, producers: &ProducerStates, end: Offset) -> Snapshot {
        let mut bytes = BytesMut::with_capacity(epochs.0.len() * EPOCH_BYTES);
        epochs.encode_below(end, &mut bytes);
        let epochs = bytes.freeze();
        let mut bytes = BytesMut::with_capacity(producers.len() * PRODUCER_BYTES_MAX);
        producers.encode(&mut bytes);
        Snapshot { epochs, producers: bytes.freeze() }
    }

    /// Errors: what no encoder writes. Nothing is allocated that the bytes do not pay for.
    pub fn decode(&self) -> Result<(LeaderEpochs, ProducerStates), Malformed> {
        Ok((LeaderEpochs::decode(&self.epochs)?, ProducerStates::decode(&self.producers)?))
    }
}

impl LeaderEpochs {
    /// Epochs that begin below `end`, oldest first.
    ///
    /// Shape:  epoch 4 | start offset 8 | epoch 4 | ...
    pub fn encode_below(&self, end: Offset, out: &mut impl BufMut) {
        for (epoch, start) in self.0.iter().take_while(|(_, start)| *start < end) {
            out.put_i32_le(epoch.0);
            out.put_i64_le(start.0);
        }
    }

    /// Errors: a part of an epoch; an epoch or an offset that is negative or does not rise.
    pub fn decode(mut bytes: &[u8]) -> Result<LeaderEpochs, Malformed> {
        let mut epochs = Vec::with_capacity(bytes.len() / EPOCH_BYTES);
        let (mut last_epoch, mut last_start) = (LeaderEpoch(-1), Offset(-1));
        while !bytes.is_empty() {
            let epoch = LeaderEpoch(i32::from_le_bytes(take(&mut bytes)?));
            let start = Offset(i64::from_le_bytes(take(&mut bytes)?));
            if epoch <= last_epoch || start <= last_start {
                return Err(Malformed);
            }
            (last_epoch, last_start) = (epoch, start);
            epochs.push((epoch, start));
        }
        Ok(LeaderEpochs(epochs))
    }
}

impl ProducerStates {
    /// By producer id. When a producer was last heard of is not told: clocks of two runs have nothing in common.
    ///
    /// Shape:  producer id 8 | last timestamp 8 | latest offset 8 | transaction start 8 | epoch 2 | batches 1 | zero 1
    ///         | base offset 8 | max timestamp 8 | base sequence 4 | last offset delta 4 |  per batch, oldest first
    pub fn encode(&self, out: &mut impl BufMut) {
        for (producer_id, producer) in &self.0 {
            out.put_i64_le(*producer_id);
            out.put_i64_le(producer.last_timestamp);
            out.put_i64_le(producer.latest_offset.0);
            out.put_i64_le(producer.transaction_start_offset);
            out.put_i16_le(producer.producer_epoch);
            out.put_u8(producer.batches().len() as u8);
            out.put_u8(0);
            for batch in producer.batches() {
                out.put_i64_le(batch.base_offset.0);
                out.put_i64_le(batch.max_timestamp);
                out.put_i32_le(batch.base_sequence);
                out.put_i32_le(batch.last_offset_delta);
            }
        }
    }

    /// Errors: a part of a producer; ids that do not rise; more producers or batches than are kept; a batch whose offsets
    /// cannot be.
    pub fn decode(mut bytes: &[u8]) -> Result<ProducerStates, Malformed> {
        let mut producers = ProducerStates::default();
        while !bytes.is_empty() {
            let producer_id = i64::from_le_bytes(take(&mut bytes)?);
            let producer = ProducerState::decode(&mut bytes)?;
            let rises = producers.0.last_key_value().is_none_or(|(last, _)| *last < producer_id);
            if !rises || producers.len() == PRODUCERS_MAX {
                return Err(Malformed);
            }
            producers.0.insert(producer_id, Box::new(producer));
        }
        Ok(producers)
    }
}

impl ProducerState {
    fn decode(bytes: &mut &[u8]) -> Result<ProducerState, Malformed> {
        let mut producer = ProducerState::new();
        producer.last_timestamp = i64::from_le_bytes(take(bytes)?);
        producer.latest_offset = Offset(i64::from_le_bytes(take(bytes)?));
        producer.transaction_start_offset = i64::from_le_bytes(take(bytes)?);
        producer.producer_epoch = i16::from_le_bytes(take(bytes)?);
        let [batches, zero] = take(bytes)?;
        if usize::from(batches) > BATCHES_MAX || zero != 0 || producer.latest_offset < Offset::ZERO {
            return Err(Malformed);
        }
        for _ in 0..batches {
            producer.push(ProducedBatch::decode(bytes)?);
        }
        Ok(producer)
    }
}

impl ProducedBatch {
    fn decode(bytes: &mut &[u8]) -> Result<ProducedBatch, Malformed> {
        let batch = ProducedBatch {
            base_offset: Offset(i64::from_le_bytes(take(bytes)?)),
            max_timestamp: i64::from_le_bytes(take(bytes)?),
            base_sequence: i32::from_le_bytes(take(bytes)?),
            last_offset_delta: i32::from_le_bytes(take(bytes)?),
        };
        let offsets = i64::from(batch.last_offset_delta) + 1;
        let is_placed =
            batch.base_offset >= Offset::ZERO && batch.base_offset.0.checked_add(offsets).is_some();
        (is_placed && offsets > 0).then_some(batch).ok_or(Malformed)
    }
}

fn take<const COUNT: usize>(bytes: &mut &[u8]) -> Result<[u8; COUNT], Malformed> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    *bytes = rest;
    Ok(*taken)
}
