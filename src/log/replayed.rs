//! What the journal's batches add to what a log knew at a checkpoint, or where the segment before ends.
//!
//! Decides whether these batches follow each other, and what the log knows behind them; so a start need not read the segment. The
//! batches of a segment without a checkpoint may come before it is known what came before them: then this is the difference.

use std::collections::BTreeSet;

use protocol::record::BatchHeader;

use crate::model::{LeaderEpoch, Offset, SealedSegment};

use super::checkpoint::Checkpoint;
use super::leader_epochs::LeaderEpochs;
use super::producer_state::ProducerStates;
use super::recovery::{End, Gaps, ScanFault, check};
use super::snapshot::Malformed;

/// One segment's journaled batches.
#[derive(Debug)]
pub struct Replayed {
    end: End,
    max_timestamp: i64,
    epochs: LeaderEpochs,
    producers: ProducerStates,
    /// Whose transactions ended here.
    ended: BTreeSet<i64>,
    /// The fields above are all that the log knows, and not the difference to what it knew where the segment begins.
    is_whole: bool,
}

impl Replayed {
    /// From the checkpoint on, or from the beginning of the segment.
    ///
    /// Errors: the checkpoint is not one.
    pub fn new(base_offset: Offset, checkpoint: Option<&Checkpoint>) -> Result<Replayed, Malformed> {
        let Some(checkpoint) = checkpoint else {
            return Ok(Replayed {
                end: End { base_offset, next_offset: base_offset, length: 0 },
                max_timestamp: -1,
                epochs: LeaderEpochs::default(),
                producers: ProducerStates::default(),
                ended: BTreeSet::new(),
                is_whole: false,
            });
        };
        let (epochs, producers) = checkpoint.snapshot.decode()?;
        if checkpoint.next_offset <= base_offset {
            return Err(Malformed);
        }
        Ok(Replayed {
            end: End { base_offset, next_offset: checkpoint.next_offset, length: checkpoint.length },
            max_timestamp: checkpoint.max_timestamp,
            epochs,
            producers,
            ended: BTreeSet::new(),
            is_whole: true,
        })
    }

    /// Whether it tells all that the log knows behind these batches, and not only what they changed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The segment, with all these batches.
    #[must_use]
    pub fn sealed(&self) -> SealedSegment {
        let End { base_offset, next_offset, length } = self.end;
        let max_timestamp = self.max_timestamp;
        SealedSegment { base_offset, next_offset, length, max_timestamp, clean_end: base_offset }
    }

    /// Takes one Data entry: what begins before the end is a remainder that is known already, anything else the next batch.
    ///
    /// Errors: it is not.
    pub fn on_data(&mut self, position: u64, bytes: &[u8]) -> Result<(), ScanFault> {
        if position < self.end.length {
            return Ok(());
        }
        let left = bytes.len() as u64;
        let header = BatchHeader::at_front_of(bytes).ok_or(ScanFault::Cut { left })?;
        let batch = check(&self.end, header, left, Gaps::None)?;
        if position != self.end.length || batch.length != left {
            return Err(ScanFault::NotABatch { expected: self.end.length });
        }
        self.end.length += batch.length;
        self.end.next_offset = batch.last_offset.plus(1);
        self.max_timestamp = self.max_timestamp.max(batch.max_timestamp);
        self.epochs.assign(LeaderEpoch(header.partition_leader_epoch()), Offset(header.base_offset()));
        self.producers.on_batch(header, None);
        if header.is_control() {
            self.ended.insert(header.producer_id());
        }
        Ok(())
    }

    /// Brings what a log knew where the segment begins to its end.
    pub(super) fn apply(self, epochs: &mut LeaderEpochs, producers: &mut ProducerStates) {
        if self.is_whole {
            *epochs = self.epochs;
            *producers = self.producers;
            return;
        }
        for (epoch, start) in self.epochs.0 {
            epochs.assign(epoch, start);
        }
        producers.merge(self.producers, &self.ended);
    }
}
