//! Questions about partitions. Most are answered at once; an offset by time may need a batch, or an index, that is not in memory.

use protocol::error_code::ErrorCode;

use super::Shard;
use super::append::Origin;
use super::fetch::index_error;
use super::requests::{Request, Waiting};
use crate::api::list_offsets::{
    EARLIEST, EARLIEST_LOCAL, EARLIEST_PENDING_UPLOAD, LATEST, LATEST_TIERED, MAX_TIMESTAMP,
};
use crate::effect::{DiskError, Effect, Effects, FileId, ReadId};
use crate::log::{self, Lookup};
use crate::model::{LeaderEpoch, Offset, TopicPartition};
use crate::replication::Partition;
use crate::shard_message::{Answer, AnswerItem, AskItem, Question, ShardMessage};
use crate::stdx::{IdMap, Slab, SlabKey};
use crate::storage::LogId;

/// Batches that are being read for questions, and questions that wait for an index.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    asked: Slab<Asked>,
    reads: IdMap<ReadId, Read>,
    next_read: u64,
    /// In the order they were asked.
    waiting: Vec<(LogId, SlabKey, AskItem)>,
}

/// One request's questions to this shard, with the answers so far.
#[derive(Debug)]
struct Asked {
    origin: Origin,
    answers: Vec<AnswerItem>,
    outstanding: usize,
}

#[derive(Debug, Clone, Copy)]
struct Read {
    asked: SlabKey,
    index: u32,
    timestamp: i64,
    topic_partition: TopicPartition,
    /// Where the batch stands, for the operator.
    position: u64,
    segment: Offset,
}

/// A question's answer, or the batch that holds it, or what is missing to tell.
enum Found {
    Now(Answer),
    InBatch { file: FileId, position: u64, length: u64, timestamp: i64 },
    NeedsIndex { log: LogId, segment: Offset },
}

impl Shard {
    pub(super) fn answer_questions(&mut self, origin: Origin, questions: &[AskItem], effects: &mut Effects) {
        let outstanding = questions.len();
        let answers = Vec::with_capacity(outstanding);
        let asked = self.lookups.asked.insert(Asked { origin, answers, outstanding });
        for item in questions {
            self.answer_question(asked, item, effects);
        }
        if outstanding == 0 {
            self.tell_answered(asked, effects);
        }
    }

    fn answer_question(&mut self, asked: SlabKey, item: &AskItem, effects: &mut Effects) {
        match self.find(item) {
            Ok(Found::Now(answer)) => self.on_answer(asked, item.index, ErrorCode::NONE, answer, effects),
            Err(error) => self.on_answer(asked, item.index, error, Answer::Nothing, effects),
            Ok(Found::InBatch { file, position, length, timestamp }) => {
                let read = ReadId(self.lookups.next_read);
                self.lookups.next_read += 1;
                let (index, topic_partition) = (item.index, item.topic_partition);
                let segment = self.storage.segment_of(file);
                let about = Read { asked, index, timestamp, topic_partition, position, segment };
                self.lookups.reads.insert(read, about);
                effects.push(Effect::ReadSegment { read, file, position, length });
            }
            Ok(Found::NeedsIndex { log, segment }) => {
                match self.storage.load_index(self.turn, log, segment, effects) {
                    Ok(()) => self.lookups.waiting.push((log, asked, *item)),
                    Err(fault) => {
                        self.on_answer(asked, item.index, index_error(&fault), Answer::Nothing, effects);
                    }
                }
            }
        }
    }

    /// An index of this log was loaded, or could not be.
    pub(super) fn repeat_questions(&mut self, log: LogId, effects: &mut Effects) {
        let waiting = std::mem::take(&mut self.lookups.waiting);
        let (ready, rest) = waiting.into_iter().partition(|(waits_for, ..)| *waits_for == log);
        self.lookups.waiting = rest;
        for (_, asked, item) in ready {
            self.answer_question(asked, &item, effects);
        }
    }

    fn on_answer(
        &mut self,
        asked: SlabKey,
        index: u32,
        error: ErrorCode,
        answer: Answer,
        effects: &mut Effects,
    ) {
        let Some(known) = self.lookups.asked.get_mut(asked) else { return };
        known.answers.push(AnswerItem { index, error, answer });
        known.outstanding -= 1;
        if known.outstanding == 0 {
            self.tell_answered(asked, effects);
        }
    }

    fn find(&self, item: &AskItem) -> Result<Found, ErrorCode> {
        let partition =
            self.partitions.get(item.topic_partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        partition.check_leader_epoch(item.current_leader_epoch)?;
        if !self.storage.serves(partition.log) {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        let log = self.storage.log(partition.log);
        match item.question {
            Question::OffsetAt { timestamp, committed_only } => {
                Ok(self.offset_at(partition, timestamp, committed_only))
            }
            Question::EpochEnd { leader_epoch } => {
                let (leader_epoch, end) = log.epoch_end(leader_epoch);
                Ok(Found::Now(Answer::EpochEnd { leader_epoch, end_offset: end.0 }))
            }
            Question::Size => Ok(Found::Now(Answer::Size(log.size_bytes()))),
            Question::Producers => Ok(Found::Now(Answer::Producers(log.producers()))),
        }
    }

    fn offset_at(&self, partition: &Partition, timestamp: i64, committed_only: bool) -> Found {
        let log = self.storage.log(partition.log);
        let end = if committed_only { partition.last_stable_offset() } else { partition.high_watermark() };
        let at = |offset: Offset| {
            let leader_epoch = log.latest_epoch_at(offset);
            Found::Now(Answer::OffsetAt { timestamp: -1, offset: offset.0, leader_epoch })
        };
        let nowhere = Answer::OffsetAt { timestamp: -1, offset: -1, leader_epoch: LeaderEpoch(-1) };
        let lookup = match timestamp {
            LATEST => return at(end),
            EARLIEST | EARLIEST_LOCAL => return at(log.log_start_offset()),
            LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Found::Now(nowhere),
            MAX_TIMESTAMP => log.max_timestamp(end),
            timestamp => log.offset_at(timestamp, end),
        };
        match lookup {
            Lookup::Found { offset, timestamp, leader_epoch } => {
                Found::Now(Answer::OffsetAt { timestamp, offset: offset.0, leader_epoch })
            }
            Lookup::NotFound => Found::Now(nowhere),
            Lookup::NeedsIndex { segment } => Found::NeedsIndex { log: partition.log, segment },
            Lookup::ReadBatch { file, position, length, timestamp } => {
                Found::InBatch { file, position, length, timestamp }
            }
        }
    }

    /// The batch is here: the answer is in it, or there is none.
    pub(super) fn on_lookup_read(
        &mut self,
        read: ReadId,
        result: Result<bytes::Bytes, DiskError>,
        effects: &mut Effects,
    ) {
        let Some(read) = self.lookups.reads.remove(&read) else { return };
        let found = result.map(|bytes| log::offset_in_read_batch(&bytes, read.timestamp));
        let (error, answer) = match found {
            Ok(Ok(Lookup::Found { offset, timestamp, leader_epoch })) => {
                (ErrorCode::NONE, Answer::OffsetAt { timestamp, offset: offset.0, leader_epoch })
            }
            Ok(_) => {
                let file = format!("{}/{:020}.log", read.topic_partition, read.segment.0);
                tracing::warn!(file, position = read.position, "a batch is damaged");
                (ErrorCode::CORRUPT_MESSAGE, Answer::Nothing)
            }
            Err(_) => (ErrorCode::KAFKA_STORAGE_ERROR, Answer::Nothing),
        };
        self.on_answer(read.asked, read.index, error, answer, effects);
    }

    fn tell_answered(&mut self, asked: SlabKey, effects: &mut Effects) {
        let Some(Asked { origin, answers, .. }) = self.lookups.asked.remove(asked) else { return };
        match origin {
            Origin::Here(key) => self.on_answered(key, answers, effects),
            Origin::Shard(to, request) => {
                effects.push(Effect::TellShard { to, message: ShardMessage::Answered { request, answers } });
            }
        }
    }

    pub(super) fn on_answered(&mut self, key: SlabKey, answers: Vec<AnswerItem>, effects: &mut Effects) {
        let Some(Request { waiting: Waiting::Ask { plan, outstanding }, .. }) = self.requests.get_mut(key)
        else {
            return;
        };
        plan.fill(answers);
        *outstanding -= 1;
        if *outstanding > 0 {
            return;
        }
        if let Some(Request { place, waiting: Waiting::Ask { plan, .. } }) = self.requests.remove(key) {
            self.complete(place, plan.respond(), effects);
        }
    }
}
