//! The control plane's seat: shard 0 hosts the controller; every shard applies the images that it publishes.
//!
//! A change is recorded (Effect::AppendMetadata), then published to all shards, and only then answered: who creates a topic may
//! produce to it through any connection. One is recorded at a time. If the disk has no room for it, it and what was decided after it
//! are taken back, and the next request finds the controller as it was. After any other error nobody knows what the log says: the
//! metadata stays as it is until the broker is started again; records are served on.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use protocol::error_code::ErrorCode;

use super::Shard;
use crate::effect::{DiskError, Effect, Effects};
use crate::metadata::{Controller, Decision, Mark};
use crate::model::control::{ControlAnswer, ControlError, ControlRequest};
use crate::model::metadata_image::{MetadataImage, TopicImage};
use crate::model::{LogDir, Now, PartitionIndex, ShardId, TopicPartition};
use crate::replication::Partition;
use crate::shard_message::{RequestId, ShardMessage};
use crate::stdx::SlabKey;

/// Lives: on shard 0.
#[derive(Debug)]
pub(super) struct ControlHost {
    controller: Controller,
    /// What the log says for certain.
    recorded: Mark,
    shards: u16,
    last_append: u64,
    /// Changes in order: recorded, then applied everywhere, then answered.
    changes: VecDeque<Change>,
    /// A change is on its way to the log.
    appending: bool,
    /// The metadata log cannot be written any more.
    failed: bool,
}

#[derive(Debug)]
struct Change {
    append: u64,
    /// Not recorded yet, and not on its way to the log.
    batch: Option<Bytes>,
    /// Where the controller stands with it.
    mark: Mark,
    from: ShardId,
    request: RequestId,
    answer: ControlAnswer,
    image: Arc<MetadataImage>,
    /// None: not recorded yet. Some: shards that have not applied it.
    applying: Option<u16>,
}

impl ControlHost {
    pub fn new(controller: Controller, shards: u16) -> ControlHost {
        let recorded = controller.mark();
        ControlHost {
            controller,
            recorded,
            shards,
            last_append: 0,
            changes: VecDeque::new(),
            appending: false,
            failed: false,
        }
    }

    /// The first change that is not recorded goes to the log, unless another one is on its way.
    fn record_next(&mut self, effects: &mut Effects) {
        if self.appending {
            return;
        }
        let waiting = self.changes.iter_mut().find_map(|change| Some((change.append, change.batch.take()?)));
        if let Some((append, batch)) = waiting {
            self.appending = true;
            effects.push(Effect::AppendMetadata { append, batch });
        }
    }

    fn take_changes(&mut self, which: impl Fn(&Change) -> bool) -> Vec<Change> {
        let (taken, kept): (Vec<Change>, Vec<Change>) =
            std::mem::take(&mut self.changes).into_iter().partition(which);
        self.changes = kept.into();
        taken
    }
}

impl Shard {
    pub(super) fn on_control(
        &mut self,
        now: Now,
        from: ShardId,
        request: RequestId,
        ask: ControlRequest,
        effects: &mut Effects,
    ) {
        let host = self.control.as_mut().expect("the control plane is asked on the shard that hosts it");
        if host.failed {
            self.tell_control_answered(now, from, request, metadata_log_failed(), effects);
            return;
        }
        let decision = host.controller.handle(now, ask);
        let Decision { answer, batch } = decision;
        if batch.is_none() && host.changes.is_empty() {
            self.tell_control_answered(now, from, request, answer, effects);
            return;
        }
        // An answer without a change of its own may rest on changes that are not true everywhere yet: it goes with the last.
        let mut applying = host.changes.back().and_then(|last| last.applying);
        if batch.is_some() {
            host.last_append += 1;
            applying = None;
        }
        let (append, image, mark) = (host.last_append, host.controller.image(), host.controller.mark());
        host.changes.push_back(Change { append, batch, mark, from, request, answer, image, applying });
        host.record_next(effects);
    }

    /// The disk has no room for a change: it has not happened, nor has what was decided after it.
    pub(super) fn on_metadata_lacks_space(
        &mut self,
        now: Now,
        append: u64,
        error: DiskError,
        effects: &mut Effects,
    ) {
        let host =
            self.control.as_mut().expect("metadata is appended by the shard that hosts the controller");
        tracing::warn!(?error, "no room for a change of metadata: it is refused");
        host.appending = false;
        let refused: Vec<Change> = host.take_changes(|change| change.append >= append);
        let recorded = host.recorded.clone();
        host.controller.roll_back(recorded);
        for change in refused {
            self.tell_control_answered(now, change.from, change.request, metadata_lacks_space(), effects);
        }
    }

    /// The change is on disk: now it is true, and every shard is told.
    pub(super) fn on_metadata_appended(
        &mut self,
        now: Now,
        append: u64,
        result: Result<(), DiskError>,
        effects: &mut Effects,
    ) {
        let host =
            self.control.as_mut().expect("metadata is appended by the shard that hosts the controller");
        host.appending = false;
        if result.is_err() {
            host.failed = true;
            let refused: Vec<Change> = host.take_changes(|change| change.append >= append);
            for change in refused {
                self.tell_control_answered(now, change.from, change.request, metadata_log_failed(), effects);
            }
            return;
        }
        let others = host.shards - 1;
        let mut recorded = host.changes.iter_mut().filter(|change| change.append == append);
        let Some(change) = recorded.next() else { return };
        change.applying = Some(others);
        let (image, mark) = (change.image.clone(), change.mark.clone());
        recorded.for_each(|follower| follower.applying = Some(others));
        host.recorded = mark;
        host.record_next(effects);
        for to in (1..=others).map(ShardId) {
            effects.push(Effect::TellShard { to, message: ShardMessage::Image { image: image.clone() } });
        }
        self.apply_image(now, image, effects);
        self.answer_applied(now, effects);
    }

    pub(super) fn on_image_applied(&mut self, now: Now, version: u64, effects: &mut Effects) {
        let Some(host) = &mut self.control else { return };
        for change in host.changes.iter_mut().filter(|change| change.image.version == version) {
            change.applying = change.applying.map(|left| left.saturating_sub(1));
        }
        self.answer_applied(now, effects);
    }

    fn answer_applied(&mut self, now: Now, effects: &mut Effects) {
        let Some(host) = &mut self.control else { return };
        let applied: Vec<Change> = host.take_changes(|change| change.applying == Some(0));
        for change in applied {
            self.tell_control_answered(now, change.from, change.request, change.answer, effects);
        }
    }

    fn tell_control_answered(
        &mut self,
        now: Now,
        to: ShardId,
        request: RequestId,
        answer: ControlAnswer,
        effects: &mut Effects,
    ) {
        if to == self.id {
            self.on_control_answered(now, SlabKey(request.0), answer, effects);
        } else {
            let message = ShardMessage::ControlAnswered { request, answer };
            effects.push(Effect::TellShard { to, message });
        }
    }

    /// Opens, changes and deletes this shard's partitions as the next image says.
    pub(super) fn apply_image(&mut self, now: Now, image: Arc<MetadataImage>, effects: &mut Effects) {
        let before = std::mem::replace(&mut self.image, image.clone());
        if before.broker_overrides != image.broker_overrides {
            let before = self.config.retention_check_ms;
            self.config = Arc::new(self.static_config.with_dynamic(&image.broker_overrides));
            if before != self.config.retention_check_ms {
                self.housekeeping.set_retention_check(self.config.retention_check_ms);
            }
            self.housekeeping.set_cleaner_backoff(self.config.cleaner.backoff_ms);
        }
        for (topic_id, topic) in &before.topics {
            if !image.topics.contains_key(topic_id) {
                self.offline.retain(|of| of.topic_id != *topic_id);
                self.close_topic(now, topic, effects);
            }
        }
        let mut offline = Vec::new();
        for (topic_id, topic) in &image.topics {
            if before.topics.get(topic_id).is_none_or(|known| !Arc::ptr_eq(known, topic)) {
                self.open_topic(now, topic, &mut offline, effects);
            }
        }
        if !offline.is_empty() {
            self.tell_offline(offline, effects);
        }
        self.seat_coordinators(now, effects);
    }

    fn owned(&self, topic: &TopicImage) -> Vec<TopicPartition> {
        let count = i32::try_from(topic.partitions.len()).expect("Kafka counts partitions in 32 bits");
        (0..count)
            .map(|partition| TopicPartition {
                topic_id: topic.topic_id,
                partition: PartitionIndex(partition),
            })
            .filter(|topic_partition| super::shard_of(*topic_partition, self.shards) == self.id)
            .collect()
    }

    fn close_topic(&mut self, now: Now, topic: &TopicImage, effects: &mut Effects) {
        for topic_partition in self.owned(topic) {
            let Some((log, watchers)) = self.partitions.remove(topic_partition) else { continue };
            self.offline_here -= u64::from(!self.storage.serves(log));
            self.storage.delete(log, effects);
            self.forget_trims(log, effects);
            self.repeat_questions(log, effects);
            for watcher in watchers {
                self.tell_grown(now, watcher.home, watcher.request, effects);
            }
        }
    }

    /// `offline`: takes those that cannot be served.
    fn open_topic(
        &mut self,
        now: Now,
        topic: &Arc<TopicImage>,
        offline: &mut Vec<TopicPartition>,
        effects: &mut Effects,
    ) {
        for topic_partition in self.owned(topic) {
            let image =
                topic.partition(topic_partition.partition).expect("owned partitions are of the topic");
            if let Some(partition) = self.partitions.get_mut(topic_partition) {
                partition.leader_epoch = image.leader_epoch;
                let log = partition.log;
                self.storage.log_mut(log).begin_leader_epoch(image.leader_epoch);
                if let Some(log) = self.partitions.set_config(topic_partition, &topic.config) {
                    self.storage.set_config(log, topic.config.clone());
                }
                continue;
            }
            let mut dir = self.log_dirs.find(image.directory);
            if self.storage.dir(LogDir(0)).mutations().dir_by_hash_not_by_record() {
                let index = usize::from(topic_partition.topic_id.0[1]) % self.log_dirs.len();
                dir = u8::try_from(index).ok().map(LogDir);
            }
            let log = self.storage.open(now, dir, topic_partition, topic.config.clone(), effects);
            self.storage.log_mut(log).begin_leader_epoch(image.leader_epoch);
            let recovered = self.storage.durable_end(log);
            let partition = Partition::new(topic_partition, log, image.leader_epoch, recovered);
            self.partitions.insert(partition, topic.config.clone());
            if !self.storage.serves(log) {
                offline.push(topic_partition);
            }
        }
    }

    /// A log dir has failed: its partitions are offline, and no new ones should go there.
    pub(super) fn maybe_tell_failure(&mut self, dir: LogDir, effects: &mut Effects) {
        if self.storage.dir(dir).failed().is_none() || !self.log_dirs.note_failure(dir) {
            return;
        }
        let partitions = self.partitions.iter().filter(|partition| partition.log.dir() == dir);
        let partitions = partitions.map(|partition| partition.topic_partition).collect();
        self.tell_offline(partitions, effects);
        if self.control.is_some() {
            self.on_log_dir_failed(dir, effects);
        } else {
            let message = ShardMessage::LogDirFailed { dir };
            effects.push(Effect::TellShard { to: ShardId(0), message });
        }
    }

    /// It has failed on one of the shards.
    pub(super) fn on_log_dir_failed(&mut self, dir: LogDir, effects: &mut Effects) {
        let Some(host) = &mut self.control else { return };
        host.controller.avoid_dir(self.log_dirs.id(dir));
        self.log_dirs.note_failure_somewhere(dir);
        self.maybe_give_up(effects);
    }

    /// Whoever watches over the process shall hear that nothing is served any more; Kafka's broker stops then, too. As long as a shard
    /// has a partition that it can read and write, it goes on.
    pub(super) fn maybe_give_up(&mut self, effects: &mut Effects) {
        if self.given_up || self.control.is_none() || !self.log_dirs.all_failed_somewhere() {
            return;
        }
        let is_offline = |topic: &Arc<TopicImage>| {
            (0..).zip(&topic.partitions).all(|(partition, _)| {
                let partition = PartitionIndex(partition);
                self.offline.contains(&TopicPartition { topic_id: topic.topic_id, partition })
            })
        };
        if self.image.topics.values().all(is_offline) {
            self.given_up = true;
            effects.push(Effect::NothingToServe);
        }
    }

    /// These partitions of this shard cannot be served any more: every shard must say so to those who ask for the metadata.
    pub(super) fn tell_offline(&mut self, partitions: Vec<TopicPartition>, effects: &mut Effects) {
        let before = self.offline.len();
        self.offline.extend(partitions.iter().copied());
        self.offline_here += (self.offline.len() - before) as u64;
        for to in (0..self.shards).map(ShardId).filter(|to| *to != self.id) {
            let message = ShardMessage::Offline { partitions: partitions.clone() };
            effects.push(Effect::TellShard { to, message });
        }
        self.maybe_give_up(effects);
    }
}

fn metadata_lacks_space() -> ControlAnswer {
    ControlAnswer::Failed(ControlError {
        error: ErrorCode::KAFKA_STORAGE_ERROR,
        message: Some("the disk has no room for the metadata log: delete topics or free space".to_owned()),
    })
}

fn metadata_log_failed() -> ControlAnswer {
    ControlAnswer::Failed(ControlError {
        error: ErrorCode::KAFKA_STORAGE_ERROR,
        message: Some("the metadata log cannot be written: see the broker's log".to_owned()),
    })
}
