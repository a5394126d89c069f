//! What a fetch gets: batches from memory, older ones as ranges of files.
//!
//! Decides which bytes. How far a reader may see (`below`) and how requests share their bytes are decided above.

use bytes::Bytes;
use protocol::error_code::ErrorCode;
use protocol::{FileRange, Piece};

use crate::model::Offset;

use super::PartitionLog;
use super::segment::{Segment, SegmentState};

/// Bytes to send, in order. Empty if there is nothing to read yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadPlan {
    pub pieces: Vec<Piece>,
    /// Of all pieces.
    pub bytes: u64,
    /// Length of the first batch, which is always there whole.
    pub first_batch_bytes: u64,
}

/// Why there is nothing to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    Error(ErrorCode),
    /// Where the batches of this segment stand is not in memory: load its index, then ask again.
    NeedsIndex {
        segment: Offset,
    },
}

impl PartitionLog {
    /// Plans a read from the batch that holds `from`, of batches whose base offset is below `below`.
    ///
    /// Shape:  | file range (one per segment) ... | tail batch | tail batch | tail bat          (cut at bytes_max)
    /// Invariants: touches nothing. The first batch comes whole, also above `bytes_max`; after it the plan ends at exactly
    ///             `bytes_max`, in the middle of a batch if need be, as Kafka's does. It ends earlier where it would need an index.
    /// Errors: NeedsIndex for the first batch; OFFSET_OUT_OF_RANGE below the log start or above the log end; KAFKA_STORAGE_ERROR if the file that has the
    ///         first batch was not opened.
    pub fn plan_read(&self, from: Offset, below: Offset, bytes_max: u64) -> Result<ReadPlan, Unread> {
        if from < self.log_start || from > self.log_end {
            return Err(Unread::Error(ErrorCode::OFFSET_OUT_OF_RANGE));
        }
        let mut plan = ReadPlan::default();
        if from >= below.min(self.log_end) {
            return Ok(plan);
        }
        if self.tail.batch_holding(from).is_some() {
            self.plan_tail(from, below, bytes_max, &mut plan);
        } else {
            self.plan_files(from, below, bytes_max, &mut plan)?;
        }
        assert!(plan.bytes >= plan.first_batch_bytes, "the first batch is whole");
        Ok(plan)
    }

    /// Appends batches of the tail, from the one that holds `from` on, while the plan has room.
    fn plan_tail(&self, from: Offset, below: Offset, bytes_max: u64, plan: &mut ReadPlan) {
        for batch in self.tail.batches_from(from).take_while(|batch| batch.base_offset < below) {
            let length = batch.bytes.len() as u64;
            if plan.pieces.is_empty() {
                plan.first_batch_bytes = length;
                plan.push(batch.bytes.clone());
                continue;
            }
            let room = bytes_max.saturating_sub(plan.bytes);
            if room < length {
                if room > 0 {
                    plan.push(batch.bytes.slice(..room as usize));
                }
                return;
            }
            plan.push(batch.bytes.clone());
        }
    }

    /// From files up to where the tail begins, then from the tail.
    fn plan_files(
        &self,
        from: Offset,
        below: Offset,
        bytes_max: u64,
        plan: &mut ReadPlan,
    ) -> Result<(), Unread> {
        let after = self.segments.partition_point(|segment| segment.base_offset <= from);
        let first = after.checked_sub(1).expect("the log has no offset before its first segment");
        let segment = &self.segments[first];
        let index = segment.index().ok_or(Unread::NeedsIndex { segment: segment.base_offset })?;
        let batch = index.batch_holding(from).expect("a segment has a batch behind each of its offsets");
        assert_ne!(segment.state, SegmentState::Journaled, "its index comes when it is sealed");
        plan.first_batch_bytes = batch.length;
        let bytes_max = bytes_max.max(batch.length);
        let mut position = batch.position;
        for segment in &self.segments[first..] {
            // Its end is in no file yet. Whoever reads on from here asks for its index, and so has it sealed.
            if segment.state == SegmentState::Journaled {
                return Ok(());
            }
            // None: the end of what may be read is inside of a segment whose index is not here.
            let Some(below) = segment.position_below(below) else { break };
            let end = self.cold_end(segment).min(below);
            let length = end.saturating_sub(position).min(bytes_max - plan.bytes);
            if length == 0 {
                break;
            }
            let Some(file) = segment.file else {
                let error = Unread::Error(ErrorCode::KAFKA_STORAGE_ERROR);
                return if plan.bytes == 0 { Err(error) } else { Ok(()) };
            };
            plan.bytes += length;
            plan.pieces.push(Piece::File(FileRange { file: file.0, position, length }));
            position = 0;
        }
        if let Some(front) = self.tail.front()
            && plan.bytes < bytes_max
        {
            self.plan_tail(front.base_offset, below, bytes_max, plan);
        }
        Ok(())
    }

    /// Where the bytes of `segment` that are no longer in memory end.
    pub(super) fn cold_end(&self, segment: &Segment) -> u64 {
        let end = match self.tail.front() {
            Some(front) if front.segment < segment.base_offset => 0,
            Some(front) if front.segment == segment.base_offset => front.position,
            _ => segment.length,
        };
        assert!(segment.is_in_file(end), "what is not in memory is in the file");
        end
    }
}

impl ReadPlan {
    fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len() as u64;
        self.pieces.push(Piece::Bytes(bytes));
    }
}
