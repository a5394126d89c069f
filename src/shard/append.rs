//! Produce at work: records go to the partitions of this shard, and whoever sent them hears of it when they are durable.

use protocol::error_code::ErrorCode;
use protocol::record::BatchView;

use super::Shard;
use super::durability::{Asker, Split, Undurable};
use super::requests::Waiting;
use crate::api::produce::{ProducePlan, refused};
use crate::effect::{CommitId, Effect, Effects};
use crate::input::Input;
use crate::model::{Instant, LogDir, Now, ShardId};
use crate::shard_message::{AppendItem, AppendResult, RequestId, ShardMessage};
use crate::stdx::SlabKey;

/// Who asked, and so who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Here(SlabKey),
    Shard(ShardId, RequestId),
}

/// The records of one request for this shard.
#[derive(Debug)]
pub(super) struct AppendJob {
    pub asker: Asker,
    pub wait: bool,
    pub transactional: bool,
    pub items: Vec<AppendItem>,
}

impl Shard {
    /// Sends each shard its records. The request is answered when all of them have.
    pub(super) fn start_produce(
        &mut self,
        now: Now,
        key: SlabKey,
        wait: bool,
        transactional: bool,
        items: Vec<(ShardId, AppendItem)>,
        effects: &mut Effects,
    ) {
        for (shard, items) in super::requests::by_shard(items) {
            if shard == self.id {
                self.append(now, Origin::Here(key), wait, transactional, items, effects);
            } else {
                let request = RequestId(key.0);
                let message = ShardMessage::Append { request, wait, transactional, items };
                effects.push(Effect::TellShard { to: shard, message });
            }
        }
    }

    /// Takes the records of a request for this shard; if they are in several log dirs, each dir's by themselves.
    pub(super) fn append(
        &mut self,
        now: Now,
        origin: Origin,
        wait: bool,
        transactional: bool,
        items: Vec<AppendItem>,
        effects: &mut Effects,
    ) {
        let mut parts: Vec<(LogDir, Vec<AppendItem>)> = Vec::new();
        for item in items {
            // What is not here is refused, wherever.
            let dir = self.partitions.get(item.topic_partition).map_or(LogDir(0), |known| known.log.dir());
            match parts.iter_mut().find(|(other, _)| *other == dir) {
                Some((_, items)) => items.push(item),
                None => parts.push((dir, vec![item])),
            }
        }
        let asker = if parts.len() == 1 {
            Asker::Request(origin)
        } else if parts.is_empty() {
            return self.tell_appended(Asker::Request(origin), Vec::new(), effects);
        } else {
            let split = Split { origin, outstanding: parts.len(), results: Vec::new() };
            Asker::Part(self.splits.insert(split))
        };
        for (dir, items) in parts {
            self.append_in(now, dir, AppendJob { asker, wait, transactional, items }, effects);
        }
    }

    /// Appends, or waits behind those that wait for room in the journal. While the disk lacks room nobody waits: all are refused.
    fn append_in(&mut self, now: Now, dir: LogDir, job: AppendJob, effects: &mut Effects) {
        let storage = self.storage.dir(dir);
        let deferred = &mut self.queues[usize::from(dir.0)].deferred;
        if (deferred.is_empty() && !storage.is_full()) || storage.lacks_space() {
            self.append_now(now, dir, job, effects);
        } else {
            deferred.push_back(job);
        }
    }

    pub(super) fn run_deferred(&mut self, now: Now, effects: &mut Effects) {
        for dir in self.storage.dirs() {
            while !self.storage.dir(dir).is_full() || self.storage.dir(dir).lacks_space() {
                let Some(job) = self.queues[usize::from(dir.0)].deferred.pop_front() else { break };
                self.append_now(now, dir, job, effects);
            }
        }
    }

    /// At once, if somebody waits for room and there is some: it came after they were looked at, and perhaps nothing else will.
    pub(super) fn room_deadline(&self) -> Option<Instant> {
        let has_room = |dir: LogDir| !self.storage.dir(dir).is_full() || self.storage.dir(dir).lacks_space();
        let waits = |dir: LogDir| !self.queues[usize::from(dir.0)].deferred.is_empty();
        let somebody =
            self.storage.dirs().any(|dir| has_room(dir) && (waits(dir) || self.has_decided_records(dir)));
        somebody.then_some(self.turn)
    }

    fn append_now(&mut self, now: Now, dir: LogDir, job: AppendJob, effects: &mut Effects) {
        let mut results = Vec::with_capacity(job.items.len());
        let mut commit = CommitId(0);
        for item in job.items {
            let (result, item_commit) = self.append_item(now, item, job.transactional, effects);
            commit = commit.max(item_commit);
            results.push(result);
        }
        if job.wait && commit > self.storage.dir(dir).durable_commit() {
            self.queues[usize::from(dir.0)].push(commit, job.asker, results);
        } else {
            self.tell_appended(job.asker, results, effects);
        }
    }

    /// The result, and the commit that must be durable before anybody is told.
    fn append_item(
        &mut self,
        now: Now,
        item: AppendItem,
        transactional: bool,
        effects: &mut Effects,
    ) -> (AppendResult, CommitId) {
        let index = item.index;
        let fail = |error| (refused(index, error), CommitId(0));
        let Some(partition) = self.partitions.get(item.topic_partition) else {
            return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        };
        if !self.storage.serves(partition.log) {
            return fail(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        // Only a coordinator can add a partition to a transaction, and this broker has none yet.
        let in_transaction = BatchView::parse(&item.records).is_ok_and(|batch| batch.is_transactional());
        if transactional && in_transaction {
            return fail(ErrorCode::INVALID_TXN_STATE);
        }
        let (log, epoch) = (partition.log, partition.leader_epoch);
        let record_bytes = item.records.len() as u64;
        match self.storage.append(log, now, epoch, item.records, transactional) {
            Ok(stored) => {
                self.metrics.produced_batches += 1;
                self.metrics.produced_bytes += record_bytes;
                let appended = stored.appended;
                let result = AppendResult {
                    index,
                    error: ErrorCode::NONE,
                    base_offset: appended.base_offset.0,
                    log_append_time_ms: appended.log_append_time_ms,
                    log_start_offset: self.storage.log(log).log_start_offset().0,
                    record_errors: Vec::new(),
                    message: None,
                };
                if self.partitions.has_durable_acks(log) {
                    return (result, stored.commit);
                }
                self.partitions.on_appended_without_durability(log, appended.next_offset);
                self.tell_watchers(now, log, effects);
                (result, CommitId(0))
            }
            Err(reason) => {
                let result = AppendResult {
                    record_errors: reason.record_errors,
                    message: reason.message,
                    ..refused(index, reason.error)
                };
                (result, CommitId(0))
            }
        }
    }

    /// The journal or a segment of a log dir has moved on.
    pub(super) fn on_storage_input(&mut self, now: Now, input: &Input, effects: &mut Effects) {
        let mut durable = Vec::new();
        let Some(dir) = self.storage.on_input(now, input, effects, &mut durable) else { return };
        for (log, end) in durable {
            self.partitions.on_durable(log, end);
            self.tell_watchers(now, log, effects);
            self.seats_go_on(log);
        }
        self.maybe_tell_failure(dir, effects);
        for log in self.storage.take_hopeless(dir) {
            self.tell_watchers(now, log, effects);
            self.repeat_questions(log, effects);
        }
        let durable_commit = self.storage.dir(dir).durable_commit();
        while let Some(undurable) = self.queues[usize::from(dir.0)].pop_durable(durable_commit) {
            assert!(
                undurable.commit <= self.storage.dir(dir).durable_commit(),
                "acknowledged implies durable"
            );
            self.note_acknowledged(now, &undurable.results);
            self.tell_appended(undurable.asker, undurable.results, effects);
        }
        self.release_coordinated(now, dir, effects);
        self.run_deferred(now, effects);
    }

    /// Tells, once, how long after the start of the process records were taken again.
    fn note_acknowledged(&mut self, now: Now, results: &[AppendResult]) {
        let is_first = self.metrics.first_acknowledged.is_none();
        if is_first && results.iter().any(|result| result.error == ErrorCode::NONE) {
            self.metrics.first_acknowledged = Some(now.instant);
            let ms = now.instant.ms_since_start();
            tracing::info!(target: "penstock::start", shard = self.id.0, "first record acknowledged after {ms} ms");
        }
    }

    /// The journal of a dir has failed for good: nobody who waits for it will see success. Or it is full and the disk has no room: who
    /// waits for a commit that cannot be written is told now. Such records may yet become durable, as after any lost answer; an
    /// idempotent producer that sends them again is told so.
    pub(super) fn fail_what_cannot_become_durable(&mut self, effects: &mut Effects) {
        for dir in self.storage.dirs() {
            let queue = usize::from(dir.0);
            let mut refuse = Vec::new();
            if let Some(last) = self.storage.dir(dir).stalled_after() {
                refuse.extend(std::iter::from_fn(|| self.queues[queue].pop_beyond(last)));
                refuse.reverse();
            }
            if self.storage.dir(dir).failed().is_some() {
                let all = CommitId(u64::MAX);
                refuse.extend(std::iter::from_fn(|| self.queues[queue].pop_durable(all)));
                while let Some(job) = self.queues[queue].deferred.pop_front() {
                    let refused =
                        job.items.iter().map(|item| refused(item.index, ErrorCode::KAFKA_STORAGE_ERROR));
                    self.tell_appended(job.asker, refused.collect(), effects);
                }
            }
            for undurable in refuse {
                self.refuse_undurable(undurable, effects);
            }
        }
    }

    fn refuse_undurable(&mut self, mut undurable: Undurable, effects: &mut Effects) {
        for result in undurable.results.iter_mut().filter(|result| result.error == ErrorCode::NONE) {
            *result = refused(result.index, ErrorCode::KAFKA_STORAGE_ERROR);
        }
        self.tell_appended(undurable.asker, undurable.results, effects);
    }

    fn tell_appended(&mut self, asker: Asker, results: Vec<AppendResult>, effects: &mut Effects) {
        match asker {
            Asker::Request(Origin::Here(key)) => self.on_appended(key, results, effects),
            Asker::Request(Origin::Shard(to, request)) => {
                effects.push(Effect::TellShard { to, message: ShardMessage::Appended { request, results } });
            }
            Asker::Part(key) => {
                let Some(split) = self.splits.get_mut(key) else { return };
                split.results.extend(results);
                split.outstanding -= 1;
                if split.outstanding > 0 {
                    return;
                }
                let Some(Split { origin, results, .. }) = self.splits.remove(key) else { return };
                self.tell_appended(Asker::Request(origin), results, effects);
            }
        }
    }

    /// One shard's results have come home.
    pub(super) fn on_appended(&mut self, key: SlabKey, results: Vec<AppendResult>, effects: &mut Effects) {
        let Some(request) = self.requests.get_mut(key) else { return };
        let Waiting::Produce { plan, outstanding } = &mut request.waiting else {
            unreachable!("a key names the request that was inserted with it")
        };
        plan.fill(results);
        *outstanding -= 1;
        if *outstanding > 0 {
            return;
        }
        let Some(request) = self.requests.remove(key) else { return };
        let Waiting::Produce { plan, .. } = request.waiting else { return };
        self.finish_produce(request.place, &plan, effects);
    }

    /// acks=0 has no answer: the only way to tell of an error is to close the connection.
    pub(super) fn finish_produce(
        &mut self,
        place: super::requests::Home,
        plan: &ProducePlan,
        effects: &mut Effects,
    ) {
        if plan.acks != 0 {
            self.complete(place, plan.respond(), effects);
        } else if plan.has_error() {
            self.close_connection(place.connection, "an error with acks=0", effects);
        }
    }
}
