//! Fetch at work: rounds of reading, and waiting between them.
//!
//! A round reads every partition of the request as it is now. If that is too little, the request parks, and each shard that owns
//! one of its partitions is told what is known: it speaks up once when there is more. So a fetch that finds records at once, the
//! usual case of a busy topic, costs no bookkeeping at all.

use std::cmp::Reverse;

use protocol::Piece;
use protocol::error_code::ErrorCode;

use super::Shard;
use super::requests::{Request, Waiting, by_shard};
use crate::api::fetch::FetchPlan;
use crate::effect::{Effect, Effects, IndexFault};
use crate::limits::{FETCH_INDEX_WAIT_MS, SHARD_UNSENT_BYTES_MAX};
use crate::model::{Instant, Now, Offset, ShardId, TopicPartition};
use crate::replication::failed_read;
use crate::shard_message::{INDEX_IS_LOADED, ReadItem, ReadResult, RequestId, ShardMessage};
use crate::stdx::SlabKey;
use crate::storage::{IndexWait, LogId};

/// Lives: one per fetch that is under way.
#[derive(Debug)]
pub(super) struct FetchWait {
    plan: FetchPlan,
    state: State,
    /// Set when it parks first.
    deadline: Option<Instant>,
    /// Until then it waits for an index although its time is over: records that are there are no matter of waiting.
    index_deadline: Option<Instant>,
    watched: Vec<ShardId>,
}

#[derive(Debug)]
enum State {
    Reading { results: Vec<Option<ReadResult>>, outstanding: usize },
    Parked,
}

impl FetchWait {
    pub fn new(plan: FetchPlan) -> FetchWait {
        FetchWait { plan, state: State::Parked, deadline: None, index_deadline: None, watched: Vec::new() }
    }

    pub fn watched(&self) -> &[ShardId] {
        &self.watched
    }
}

impl Shard {
    /// Reads every partition once; `items` go to their shards.
    pub(super) fn start_round(
        &mut self,
        now: Now,
        key: SlabKey,
        items: Vec<(ShardId, ReadItem)>,
        effects: &mut Effects,
    ) {
        let crowded = self.unsent_bytes >= SHARD_UNSENT_BYTES_MAX;
        let Some(fetch) = self.fetch_wait(key) else { return };
        // While readers leave too much unread, each gets its first batch and no more.
        let bytes_max = if crowded { 0 } else { fetch.plan.max_bytes };
        let committed_only = fetch.plan.committed_only;
        let mut results = fetch.plan.fresh_results();
        let mut outstanding = 0;
        let mut here = Vec::new();
        for (shard, items) in by_shard(items) {
            if shard == self.id {
                here = self.read_items(committed_only, bytes_max, &items, effects);
            } else {
                outstanding += 1;
                let request = RequestId(key.0);
                let message = ShardMessage::Fetch { request, committed_only, bytes_max, items };
                effects.push(Effect::TellShard { to: shard, message });
            }
        }
        fill(&mut results, here);
        let Some(fetch) = self.fetch_wait(key) else { return };
        fetch.state = State::Reading { results, outstanding };
        if outstanding == 0 {
            self.end_round(now, key, effects);
        }
    }

    pub(super) fn on_fetched(
        &mut self,
        now: Now,
        key: SlabKey,
        read: Vec<ReadResult>,
        effects: &mut Effects,
    ) {
        let Some(fetch) = self.fetch_wait(key) else { return };
        let State::Reading { results, outstanding } = &mut fetch.state else { return };
        fill(results, read);
        *outstanding -= 1;
        if *outstanding == 0 {
            self.end_round(now, key, effects);
        }
    }

    /// Enough: answer. Too little: wait for more.
    fn end_round(&mut self, now: Now, key: SlabKey, effects: &mut Effects) {
        let stopping = self.stopping;
        let Some(fetch) = self.fetch_wait(key) else { return };
        let State::Reading { results, .. } = &mut fetch.state else { return };
        let bytes: u64 = results.iter().flatten().map(|result| result.bytes).sum();
        let has_waited = fetch.index_deadline.is_some_and(|instant| instant <= now.instant);
        let must_tell = results
            .iter()
            .flatten()
            .any(|result| result.error != ErrorCode::NONE || result.diverging.is_some());
        let deadline = fetch.deadline.unwrap_or(now.instant.after_ms(fetch.plan.max_wait_ms));
        let is_over = stopping || has_waited;
        // It would get nothing, though there is something.
        let lacks_index = bytes == 0 && results.iter().flatten().any(|result| result.needs_index.is_some());
        let is_enough = bytes >= fetch.plan.min_bytes || deadline <= now.instant;
        if must_tell || is_over || (is_enough && !lacks_index) {
            if !stopping {
                give_up_indexes(results, bytes == 0 && has_waited);
            }
            self.answer_fetch(key, effects);
        } else {
            if lacks_index && fetch.index_deadline.is_none() {
                let instant = now.instant.after_ms(FETCH_INDEX_WAIT_MS);
                fetch.index_deadline = Some(instant);
                self.deadlines.push(Reverse((instant, key)));
            }
            self.park_fetch(now, key, deadline, effects);
        }
    }

    fn answer_fetch(&mut self, key: SlabKey, effects: &mut Effects) {
        let Some(Request { place, waiting: Waiting::Fetch(fetch) }) = self.requests.remove(key) else {
            return;
        };
        self.unwatch_everywhere(key, &fetch.watched, effects);
        if let State::Reading { results, .. } = fetch.state {
            let pieces = fetch.plan.respond(&mut self.sessions, results);
            self.complete(place, pieces, effects);
        }
    }

    /// What was read is dropped: a parked request pins nothing of the tail.
    fn park_fetch(&mut self, now: Now, key: SlabKey, deadline: Instant, effects: &mut Effects) {
        let shards = self.shards;
        let Some(fetch) = self.fetch_wait(key) else { return };
        let State::Reading { results, .. } = std::mem::replace(&mut fetch.state, State::Parked) else {
            return;
        };
        if fetch.deadline.is_none() {
            fetch.deadline = Some(deadline);
            self.deadlines.push(Reverse((deadline, key)));
        }
        let Some(fetch) = self.fetch_wait(key) else { return };
        let known = |item: ReadItem| {
            let result = results[item.index as usize].as_ref()?;
            let end = match result.needs_index {
                Some(_) => INDEX_IS_LOADED,
                None if fetch.plan.committed_only => Offset(result.last_stable_offset),
                None => Offset(result.high_watermark),
            };
            let shard = super::shard_of(item.topic_partition, shards);
            Some((shard, (item.topic_partition, end)))
        };
        let groups = by_shard(fetch.plan.items().filter_map(known).collect());
        fetch.watched = groups.iter().map(|(shard, _)| *shard).collect();
        let request = RequestId(key.0);
        for (shard, known) in groups {
            if shard == self.id {
                self.watch(now, shard, request, &known, effects);
            } else {
                effects
                    .push(Effect::TellShard { to: shard, message: ShardMessage::Watch { request, known } });
            }
        }
    }

    /// There is more to read: look again. While a round is under way its own results will tell.
    pub(super) fn on_grown(&mut self, now: Now, from: ShardId, key: SlabKey, effects: &mut Effects) {
        let Some(fetch) = self.fetch_wait(key) else { return };
        fetch.watched.retain(|shard| *shard != from);
        if matches!(fetch.state, State::Parked) {
            self.read_again(now, key, effects);
        }
    }

    /// Its time is over: it gets what there is.
    pub(super) fn finish_parked_fetch(&mut self, now: Now, key: SlabKey, effects: &mut Effects) {
        let Some(fetch) = self.fetch_wait(key) else { return };
        if matches!(fetch.state, State::Parked) {
            self.read_again(now, key, effects);
        }
    }

    fn read_again(&mut self, now: Now, key: SlabKey, effects: &mut Effects) {
        let shards = self.shards;
        let Some(fetch) = self.fetch_wait(key) else { return };
        let items =
            fetch.plan.items().map(|item| (super::shard_of(item.topic_partition, shards), item)).collect();
        self.start_round(now, key, items, effects);
    }

    /// Reads partitions of this shard, in order, within the limit of the whole request.
    pub(super) fn read_items(
        &mut self,
        committed_only: bool,
        bytes_max: u64,
        items: &[ReadItem],
        effects: &mut Effects,
    ) -> Vec<ReadResult> {
        let mut left = bytes_max;
        let mut first = true;
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            let Some(partition) = self.partitions.get(item.topic_partition) else {
                results.push(failed_read(item.index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
                continue;
            };
            if !self.storage.serves(partition.log) {
                results.push(failed_read(item.index, ErrorCode::KAFKA_STORAGE_ERROR));
                continue;
            }
            let log = partition.log;
            let limit = item.bytes_max.min(left);
            let mut result = partition.read(self.storage.log(log), item, committed_only, limit, first);
            if let Some(segment) = result.needs_index {
                match self.storage.load_index(self.turn, log, segment, effects) {
                    Ok(wait) => result.index_is_late = wait == IndexWait::TooLong,
                    Err(fault) => result = failed_read(item.index, index_error(&fault)),
                }
            } else if matches!(result.pieces.first(), Some(Piece::File(_))) {
                self.storage.on_index_used(log, Offset(item.fetch_offset));
            }
            left = left.saturating_sub(result.bytes);
            first &= result.bytes == 0;
            self.metrics.fetched_bytes += result.bytes;
            results.push(result);
        }
        results
    }

    /// Somebody waits for these partitions; if there is more already than it knows, it hears at once.
    pub(super) fn watch(
        &mut self,
        now: Now,
        home: ShardId,
        request: RequestId,
        known: &[(TopicPartition, Offset)],
        effects: &mut Effects,
    ) {
        self.partitions.unwatch(home, request);
        let storage = &self.storage;
        if self.partitions.watch(home, request, known, &|log| storage.is_loading_index(log)) {
            self.tell_grown(now, home, request, effects);
        }
    }

    /// The end of a partition has moved: those who wait for it hear once.
    pub(super) fn tell_watchers(&mut self, now: Now, log: LogId, effects: &mut Effects) {
        for watcher in self.partitions.take_watchers(log) {
            self.tell_grown(now, watcher.home, watcher.request, effects);
        }
    }

    pub(super) fn tell_grown(&mut self, now: Now, home: ShardId, request: RequestId, effects: &mut Effects) {
        if home == self.id {
            self.on_grown(now, home, SlabKey(request.0), effects);
        } else {
            effects.push(Effect::TellShard { to: home, message: ShardMessage::Grown { request } });
        }
    }

    pub(super) fn unwatch_everywhere(&mut self, key: SlabKey, watched: &[ShardId], effects: &mut Effects) {
        let request = RequestId(key.0);
        for &shard in watched {
            if shard == self.id {
                self.partitions.unwatch(shard, request);
            } else {
                effects.push(Effect::TellShard { to: shard, message: ShardMessage::Unwatch { request } });
            }
        }
    }

    fn fetch_wait(&mut self, key: SlabKey) -> Option<&mut FetchWait> {
        match &mut self.requests.get_mut(key)?.waiting {
            Waiting::Fetch(fetch) => Some(fetch),
            _ => None,
        }
    }
}

/// What a client hears when the index of a segment cannot be had.
pub(super) fn index_error(fault: &IndexFault) -> ErrorCode {
    match fault {
        IndexFault::Disk(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        IndexFault::NotABatch { .. } => ErrorCode::CORRUPT_MESSAGE,
    }
}

/// Indexes have not come, for want of room on the disk mostly: those that are late, or `all`. Nothing, and no error, would say that all
/// was read; beside records of other partitions, too.
fn give_up_indexes(results: &mut [Option<ReadResult>], all: bool) {
    let is_given_up =
        |result: &&mut ReadResult| result.needs_index.is_some() && (all || result.index_is_late);
    for result in results.iter_mut().flatten().filter(is_given_up) {
        *result = failed_read(result.index, ErrorCode::KAFKA_STORAGE_ERROR);
    }
}

fn fill(results: &mut [Option<ReadResult>], read: Vec<ReadResult>) {
    for result in read {
        let index = result.index as usize;
        results[index] = Some(result);
    }
}
