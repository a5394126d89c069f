//! Questions about partitions. Most are answered at once; an offset by time may need a batch, or an index, that is not in memory, and a
//! log start must be durable before anybody hears of it.

use protocol::error_code::ErrorCode;

use super::Shard;
use super::append::Origin;
use super::fetch::index_error;
use super::requests::{Request, Waiting};
use crate::api::delete_records::HIGH_WATERMARK;
use crate::api::list_offsets::{
    EARLIEST, EARLIEST_LOCAL, EARLIEST_PENDING_UPLOAD, LATEST, LATEST_TIERED, MAX_TIMESTAMP,
};
use crate::effect::{DiskError, Effect, Effects, FileId, ReadId};
use crate::log::{self, Lookup};
use crate::model::{LeaderEpoch, Now, Offset};
use crate::replication::Partition;
use crate::shard_message::{Answer, AnswerItem, AskItem, Question, ShardMessage};
use crate::stdx::{IdMap, Slab, SlabKey};
use crate::storage::{IndexWait, LogId};

/// Batches that are being read for questions, and questions that wait for an index.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    asked: Slab<Asked>,
    reads: IdMap<ReadId, Read>,
    next_read: u64,
    trims: IdMap<LogId, Vec<WaitingTrim>>,
    /// In the order they were asked.
    waiting: Vec<(LogId, SlabKey, AskItem, Offset)>,
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
    item: AskItem,
    timestamp: i64,
    from: Offset,
    next_offset: Offset,
    /// Where the batch stands, for the operator.
    position: u64,
    segment: Offset,
}

/// A DeleteRecords that waits for its log start to be durable.
#[derive(Debug, Clone, Copy)]
struct WaitingTrim {
    asked: SlabKey,
    index: u32,
    log_start: Offset,
}

/// A question's answer, or what it waits for.
enum Found {
    Now(Answer),
    InBatch { file: FileId, position: u64, length: u64, timestamp: i64, from: Offset, next_offset: Offset },
    NeedsIndex { log: LogId, segment: Offset },
    LogStart { log: LogId, log_start: Offset },
}

impl Lookups {
    /// Coordinators read by the same numbers.
    pub fn next_read_id(&mut self) -> ReadId {
        let read = ReadId(self.next_read);
        self.next_read += 1;
        read
    }
}

impl Shard {
    pub(super) fn answer_questions(&mut self, origin: Origin, questions: &[AskItem], effects: &mut Effects) {
        let outstanding = questions.len();
        let answers = Vec::with_capacity(outstanding);
        let asked = self.lookups.asked.insert(Asked { origin, answers, outstanding });
        for item in questions {
            self.answer_question(asked, item, Offset::ZERO, effects);
        }
        if outstanding == 0 {
            self.tell_answered(asked, effects);
        }
    }

    /// `from`: where a lookup by time goes on.
    fn answer_question(&mut self, asked: SlabKey, item: &AskItem, from: Offset, effects: &mut Effects) {
        match self.find(item, from) {
            Ok(Found::Now(answer)) => self.on_answer(asked, item.index, ErrorCode::NONE, answer, effects),
            Err(error) => self.on_answer(asked, item.index, error, Answer::Nothing, effects),
            Ok(Found::InBatch { file, position, length, timestamp, from, next_offset }) => {
                let read = self.lookups.next_read_id();
                let segment = self.storage.segment_of(file);
                let about = Read { asked, item: *item, timestamp, from, next_offset, position, segment };
                self.lookups.reads.insert(read, about);
                effects.push(Effect::ReadSegment { read, file, position, length });
            }
            Ok(Found::NeedsIndex { log, segment }) => {
                match self.storage.load_index(self.turn, log, segment, effects) {
                    Ok(IndexWait::Usual) => self.lookups.waiting.push((log, asked, *item, from)),
                    Ok(IndexWait::TooLong) => {
                        let error = ErrorCode::KAFKA_STORAGE_ERROR;
                        self.on_answer(asked, item.index, error, Answer::Nothing, effects);
                    }
                    Err(fault) => {
                        self.on_answer(asked, item.index, index_error(&fault), Answer::Nothing, effects);
                    }
                }
            }
            Ok(Found::LogStart { log, log_start }) => {
                let trim = WaitingTrim { asked, index: item.index, log_start };
                self.lookups.trims.entry(log).or_default().push(trim);
                self.storage.trim(log, log_start);
            }
        }
    }

    /// An index of this log was loaded, or could not be.
    pub(super) fn repeat_questions(&mut self, log: LogId, effects: &mut Effects) {
        let waiting = std::mem::take(&mut self.lookups.waiting);
        let (ready, rest) = waiting.into_iter().partition(|(waits_for, ..)| *waits_for == log);
        self.lookups.waiting = rest;
        for (_, asked, item, from) in ready {
            self.answer_question(asked, &item, from, effects);
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

    /// `from`: for a lookup by time that goes on.
    fn find(&self, item: &AskItem, from: Offset) -> Result<Found, ErrorCode> {
        let partition =
            self.partitions.get(item.topic_partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        partition.check_leader_epoch(item.current_leader_epoch)?;
        if !self.storage.serves(partition.log) {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        let log = self.storage.log(partition.log);
        match item.question {
            Question::OffsetAt { timestamp, committed_only } => {
                Ok(self.offset_at(partition, timestamp, committed_only, from))
            }
            Question::EpochEnd { leader_epoch } => {
                let (leader_epoch, end) = log.epoch_end(leader_epoch);
                Ok(Found::Now(Answer::EpochEnd { leader_epoch, end_offset: end.0 }))
            }
            Question::Trim { offset } => self.plan_trim(partition, offset),
            Question::Size => Ok(Found::Now(Answer::Size(log.size_bytes()))),
            Question::Producers => Ok(Found::Now(Answer::Producers(log.producers()))),
        }
    }

    /// Errors: OFFSET_OUT_OF_RANGE (negative, but for -1, or above the high watermark).
    fn plan_trim(&self, partition: &Partition, offset: i64) -> Result<Found, ErrorCode> {
        let high_watermark = partition.high_watermark();
        let wanted = if offset == HIGH_WATERMARK { high_watermark } else { Offset(offset) };
        if wanted < Offset::ZERO || wanted > high_watermark {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        let log_start = self.storage.log(partition.log).log_start_offset();
        if wanted <= log_start {
            return Ok(Found::Now(Answer::LogStart(log_start)));
        }
        Ok(Found::LogStart { log: partition.log, log_start: wanted })
    }

    fn offset_at(&self, partition: &Partition, timestamp: i64, committed_only: bool, from: Offset) -> Found {
        let log = self.storage.log(partition.log);
        let end = if committed_only { partition.last_stable_offset() } else { partition.high_watermark() };
        let at = |offset: Offset| {
            let leader_epoch = log.latest_epoch_at(offset);
            Found::Now(Answer::OffsetAt { timestamp: -1, offset: offset.0, leader_epoch })
        };
        let lookup = match timestamp {
            LATEST => return at(end),
            EARLIEST | EARLIEST_LOCAL => return at(log.log_start_offset()),
            LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Found::Now(nowhere()),
            MAX_TIMESTAMP => log.max_timestamp(from, end),
            timestamp => log.offset_at(timestamp, from, end),
        };
        match lookup {
            Lookup::Found { offset, timestamp, leader_epoch } => {
                Found::Now(Answer::OffsetAt { timestamp, offset: offset.0, leader_epoch })
            }
            Lookup::NotFound => Found::Now(nowhere()),
            Lookup::NeedsIndex { segment } => Found::NeedsIndex { log: partition.log, segment },
            Lookup::ReadBatch { file, position, length, timestamp, from, next_offset } => {
                Found::InBatch { file, position, length, timestamp, from, next_offset }
            }
        }
    }

    /// The batch is here: the answer is in it, or behind it, or the log has left it behind meanwhile.
    pub(super) fn on_lookup_read(
        &mut self,
        read: ReadId,
        result: Result<bytes::Bytes, DiskError>,
        effects: &mut Effects,
    ) {
        let Some(read) = self.lookups.reads.remove(&read) else { return };
        let (asked, item) = (read.asked, read.item);
        let log_start = self
            .partitions
            .get(item.topic_partition)
            .map_or(Offset::ZERO, |partition| self.storage.log(partition.log).log_start_offset());
        let from = read.from.max(log_start);
        let found = result.map(|bytes| log::offset_in_read_batch(&bytes, read.timestamp, from));
        match found {
            Ok(Ok(Lookup::Found { offset, timestamp, leader_epoch })) => {
                let answer = Answer::OffsetAt { timestamp, offset: offset.0, leader_epoch };
                self.on_answer(asked, item.index, ErrorCode::NONE, answer, effects);
            }
            // Its file may be gone.
            _ if log_start >= read.next_offset => self.answer_question(asked, &item, log_start, effects),
            Ok(Ok(Lookup::NotFound)) if from < read.next_offset => {
                self.answer_question(asked, &item, read.next_offset, effects);
            }
            Ok(_) => {
                let file = format!("{}/{:020}.log", item.topic_partition, read.segment.0);
                tracing::warn!(file, position = read.position, "a batch is damaged");
                self.on_answer(asked, item.index, ErrorCode::CORRUPT_MESSAGE, Answer::Nothing, effects);
            }
            Err(_) => {
                self.on_answer(asked, item.index, ErrorCode::KAFKA_STORAGE_ERROR, Answer::Nothing, effects);
            }
        }
    }

    /// Log starts have moved, or could not be written: whoever waited for that hears of it.
    pub(super) fn answer_trims(&mut self, now: Now, effects: &mut Effects) {
        for (log, result) in self.storage.take_trimmed() {
            let log_start = self.storage.log(log).log_start_offset();
            match result {
                Ok(()) => {
                    let answer = Ok(Answer::LogStart(log_start));
                    self.end_trims(log, &answer, |trim| trim.log_start <= log_start, effects);
                    // A reader that waits below the start waits for nothing.
                    self.tell_watchers(now, log, effects);
                }
                Err(_) => self.end_trims(log, &Err(ErrorCode::KAFKA_STORAGE_ERROR), |_| true, effects),
            }
        }
        let dead = |log: &LogId| self.storage.dir(log.dir()).failed().is_some();
        for log in self.lookups.trims.keys().copied().filter(dead).collect::<Vec<LogId>>() {
            self.end_trims(log, &Err(ErrorCode::KAFKA_STORAGE_ERROR), |_| true, effects);
        }
    }

    /// The partition is being deleted.
    pub(super) fn forget_trims(&mut self, log: LogId, effects: &mut Effects) {
        self.end_trims(log, &Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), |_| true, effects);
    }

    fn end_trims(
        &mut self,
        log: LogId,
        result: &Result<Answer, ErrorCode>,
        which: impl Fn(&WaitingTrim) -> bool,
        effects: &mut Effects,
    ) {
        let Some(waiting) = self.lookups.trims.remove(&log) else { return };
        let (done, left): (Vec<WaitingTrim>, Vec<WaitingTrim>) = waiting.into_iter().partition(which);
        if !left.is_empty() {
            self.lookups.trims.insert(log, left);
        }
        for WaitingTrim { asked, index, .. } in done {
            let (error, answer) = match result {
                Ok(answer) => (ErrorCode::NONE, answer.clone()),
                Err(error) => (*error, Answer::Nothing),
            };
            self.on_answer(asked, index, error, answer, effects);
        }
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

    /// A request has waited for long enough: what is not answered yet counts as timed out.
    pub(super) fn give_up_ask(&mut self, key: SlabKey, effects: &mut Effects) {
        let is_ask =
            self.requests.get(key).is_some_and(|request| matches!(request.waiting, Waiting::Ask { .. }));
        if !is_ask {
            return;
        }
        if let Some(Request { place, waiting: Waiting::Ask { mut plan, .. } }) = self.requests.remove(key) {
            plan.time_out();
            self.complete(place, plan.respond(), effects);
        }
    }
}

fn nowhere() -> Answer {
    Answer::OffsetAt { timestamp: -1, offset: -1, leader_epoch: LeaderEpoch(-1) }
}
