//! A shard: one core's part of the broker, as a plain value.
//!
//! `step` takes one thing that happened, `end_turn` closes a turn in which several did; both only push effects. What a request
//! means is `api`'s, what a partition holds is `storage`'s: here is who asks whom, and who waits for what.

mod append;
mod ask;
mod connection;
mod control;
mod coordinators;
mod durability;
mod fetch;
mod frame_receiver;
mod housekeeping;
mod indexes;
mod lags;
mod log_dirs;
mod partitions;
mod requests;
mod seats;
mod topology;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use self::ask::Lookups;
use self::connection::Connection;
use self::control::ControlHost;
use self::coordinators::Coordinators;
use self::durability::{DirQueues, Split};
pub use self::frame_receiver::{FrameError, FrameReceiver};
use self::housekeeping::Housekeeping;
use self::lags::Lags;
use self::log_dirs::LogDirs;
use self::partitions::Partitions;
use self::requests::{ProducerIds, Request};
pub use self::topology::shard_of;
use crate::api::fetch_session::FetchSessions;
use crate::config::Config;
use crate::effect::{Effect, Effects};
use crate::input::Input;
use crate::limits::STALE_DEADLINES_MAX;
use crate::metadata::Controller;
use crate::metrics::{MemoryMetrics, ShardMetrics, StorageMetrics};
use crate::model::metadata_image::MetadataImage;
use crate::model::{ConnectionId, Instant, Now, ShardId, TopicPartition};
use crate::shard_message::ShardMessage;
use crate::stdx::{IdMap, Slab, SlabKey};
use crate::storage::{DirStart, Storage, Storages};

/// What a shard begins with.
pub struct ShardStart {
    pub shard: ShardId,
    pub shards: u16,
    pub config: Arc<Config>,
    /// As the metadata log says after this start was recorded in it.
    pub image: Arc<MetadataImage>,
    /// In the order of their numbers.
    pub dirs: Vec<DirStart>,
    /// Random: what this shard's coordinators make ids from.
    pub seed: [u8; 16],
    /// Shard 0 hosts the controller.
    pub controller: Option<Controller>,
}

/// Lives: one per core.
///
/// Invariants: an answer that acknowledges records leaves only when their commit is durable; answers of a connection leave in
/// the order of its requests; what waits is bounded by `limits`.
pub struct Shard {
    id: ShardId,
    shards: u16,
    /// As the broker was started.
    static_config: Arc<Config>,
    /// With what was changed since, by IncrementalAlterConfigs.
    config: Arc<Config>,
    image: Arc<MetadataImage>,
    storage: Storages,
    partitions: Partitions,
    connections: IdMap<ConnectionId, Connection>,
    requests: Slab<Request>,
    sessions: FetchSessions,
    /// By log dir.
    queues: Vec<DirQueues>,
    splits: Slab<Split>,
    log_dirs: LogDirs,
    lookups: Lookups,
    deadlines: BinaryHeap<Reverse<(Instant, SlabKey)>>,
    producer_ids: ProducerIds,
    control: Option<ControlHost>,
    coordinators: Coordinators,
    /// Bytes of all requests under way.
    request_bytes: u64,
    /// Bytes of all answers that have not left for their sockets.
    unsent_bytes: u64,
    /// Connections that may have a request to begin.
    ready: Vec<ConnectionId>,
    /// Connections that could not begin one because the whole shard has too much under way.
    crowded: Vec<ConnectionId>,
    housekeeping: Housekeeping,
    lags: Lags,
    /// Partitions, of all shards, whose disk failed or whose files are damaged.
    offline: BTreeSet<TopicPartition>,
    /// How many of them are of this shard.
    offline_here: u64,
    /// On shard 0: it has asked for the end, since nothing can be served.
    given_up: bool,
    stopping: bool,
    stopped: bool,
    /// When the present turn began.
    turn: Instant,
    metrics: ShardMetrics,
}

impl Shard {
    pub fn new(start: ShardStart, now: Now, effects: &mut Effects) -> Shard {
        let queues = start.dirs.iter().map(|_| DirQueues::default()).collect();
        let log_dirs = LogDirs::new(&start.dirs, &start.config.log_dirs);
        let mut shard = Shard {
            id: start.shard,
            shards: start.shards,
            image: Arc::new(start.image.without_topics()),
            storage: Storages::new(start.dirs),
            partitions: Partitions::default(),
            connections: IdMap::default(),
            requests: Slab::default(),
            sessions: FetchSessions::new(
                start.shard,
                start.config.fetch_sessions_max.div_ceil(usize::from(start.shards)),
            ),
            queues,
            splits: Slab::default(),
            log_dirs,
            lookups: Lookups::default(),
            deadlines: BinaryHeap::new(),
            producer_ids: ProducerIds::default(),
            control: start.controller.map(|controller| ControlHost::new(controller, start.shards)),
            coordinators: Coordinators::new(start.seed, now),
            request_bytes: 0,
            unsent_bytes: 0,
            ready: Vec::new(),
            crowded: Vec::new(),
            housekeeping: Housekeeping::new(
                now,
                start.config.retention_delay_ms,
                start.config.cleaner.backoff_ms,
            ),
            lags: Lags::new(now),
            offline: BTreeSet::new(),
            offline_here: 0,
            given_up: false,
            stopping: false,
            stopped: false,
            turn: now.instant,
            metrics: ShardMetrics::default(),
            config: start.config.clone(),
            static_config: start.config,
        };
        for dir in shard.storage.dirs() {
            shard.maybe_tell_failure(dir, effects);
        }
        shard.apply_image(now, start.image, effects);
        shard
    }

    /// One thing has happened.
    ///
    /// Pure: the same shard, input and `now` give the same effects.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Effects) {
        self.notice_pause(now);
        self.turn = now.instant;
        match input {
            Input::Accepted { connection, listener, peer } => {
                self.connections.insert(connection, Connection::new(listener, peer.ip()));
            }
            Input::Received { connection, frame } => {
                if let Some(known) = self.connections.get_mut(&connection) {
                    known.on_received(frame);
                    self.ready.push(connection);
                }
            }
            Input::Sent { connection, bytes } => {
                if let Some(known) = self.connections.get_mut(&connection) {
                    self.unsent_bytes -= known.on_sent(bytes);
                    if known.has_waiting_frames() {
                        self.ready.push(connection);
                    }
                }
            }
            Input::Closed { connection } => self.forget_connection(now, connection, effects),
            Input::ReadDone { read, result } => self.on_read_done(now, read, result, effects),
            Input::IndexLoaded { file, result } => self.on_index_loaded(now, file, &result, effects),
            Input::MetadataAppended { append, result } => {
                self.on_metadata_appended(now, append, result, effects)
            }
            Input::MetadataLacksSpace { append, error } => {
                self.on_metadata_lacks_space(now, append, error, effects);
            }
            Input::Shard { from, message } => self.on_shard_message(now, from, message, effects),
            Input::DiskSpace { dir, space } => {
                self.log_dirs.note_space(dir, space);
                self.on_storage_input(now, &Input::DiskSpace { dir, space }, effects);
            }
            Input::Tick => {}
            Input::Stop => self.start_stopping(now, effects),
            input => self.on_storage_input(now, &input, effects),
        }
        self.begin_ready(now, effects);
    }

    /// All that had happened is stepped through: groups close here, so that they hold what arrived together.
    pub fn end_turn(&mut self, now: Now, effects: &mut Effects) {
        self.turn = now.instant;
        self.expire(now, effects);
        self.keep_house(now);
        self.run_deferred(now, effects);
        self.begin_ready(now, effects);
        self.wake_readers_of_compacted(now, effects);
        self.end_coordination(now, effects);
        self.maybe_measure_lags(now, effects);
        self.storage.end_turn(now, effects);
        self.answer_trims(now, effects);
        self.fail_what_cannot_become_durable(effects);
        self.fail_coordinators(now, effects);
        self.drop_stale_deadlines();
        self.count();
        if self.stopping && !self.stopped && self.storage.is_stopped() {
            self.stopped = true;
            effects.push(Effect::Stopped);
        }
    }

    /// When `Input::Tick` is due, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let parked = self.deadlines.peek().map(|Reverse((instant, _))| *instant);
        let housekeeping = self.housekeeping.next_deadline(self.turn);
        let coordinators = self.coordinators.next_deadline().into_iter().chain(self.lags_deadline());
        let storage = self.storage.next_deadline().into_iter().chain(self.room_deadline());
        parked.into_iter().chain(storage).chain(coordinators).chain([housekeeping]).min()
    }

    #[must_use]
    pub fn metrics(&self) -> &ShardMetrics {
        &self.metrics
    }

    #[must_use]
    pub fn storage(&self) -> &Storages {
        &self.storage
    }

    fn on_shard_message(&mut self, now: Now, from: ShardId, message: ShardMessage, effects: &mut Effects) {
        match message {
            ShardMessage::Append { request, wait, transactional, items } => {
                let origin = append::Origin::Shard(from, request);
                self.append(now, origin, wait, transactional, items, effects);
            }
            ShardMessage::Appended { request, results } => {
                self.on_appended(SlabKey(request.0), results, effects)
            }
            ShardMessage::Fetch { request, committed_only, bytes_max, items } => {
                let results = self.read_items(committed_only, bytes_max, &items, effects);
                effects.push(Effect::TellShard {
                    to: from,
                    message: ShardMessage::Fetched { request, results },
                });
            }
            ShardMessage::Fetched { request, results } => {
                self.on_fetched(now, SlabKey(request.0), results, effects);
            }
            ShardMessage::Watch { request, known } => self.watch(now, from, request, &known, effects),
            ShardMessage::Grown { request } => self.on_grown(now, from, SlabKey(request.0), effects),
            ShardMessage::Unwatch { request } => self.partitions.unwatch(from, request),
            ShardMessage::Ask { request, questions } => {
                self.answer_questions(append::Origin::Shard(from, request), &questions, effects);
            }
            ShardMessage::Answered { request, answers } => {
                self.on_answered(SlabKey(request.0), answers, effects);
            }
            ShardMessage::Coordinate { request, items } => {
                self.coordinate(now, append::Origin::Shard(from, request), items, effects);
            }
            ShardMessage::Coordinated { request, answers } => {
                self.on_coordinated(now, from, SlabKey(request.0), answers, effects);
            }
            ShardMessage::Uncoordinate { request } => {
                self.forget_coordinated(now, append::Origin::Shard(from, request));
            }
            ShardMessage::MeasureLag { round, items } => {
                let lags = self.lags_of(&items);
                effects
                    .push(Effect::TellShard { to: from, message: ShardMessage::LagMeasured { round, lags } });
            }
            ShardMessage::LagMeasured { round, lags } => self.on_lag_measured(now, round, lags),
            ShardMessage::Control { request, ask } => self.on_control(now, from, request, ask, effects),
            ShardMessage::ControlAnswered { request, answer } => {
                self.on_control_answered(now, SlabKey(request.0), answer, effects);
            }
            ShardMessage::Image { image } => {
                let version = image.version;
                self.apply_image(now, image, effects);
                effects.push(Effect::TellShard { to: from, message: ShardMessage::ImageApplied { version } });
            }
            ShardMessage::ImageApplied { version } => self.on_image_applied(now, version, effects),
            ShardMessage::Offline { partitions } => {
                self.offline.extend(partitions);
                self.maybe_give_up(effects);
            }
            ShardMessage::LogDirFailed { dir } => self.on_log_dir_failed(dir, effects),
        }
    }

    fn start_stopping(&mut self, now: Now, effects: &mut Effects) {
        self.stopping = true;
        let parked: Vec<SlabKey> = self.requests.keys().collect();
        for key in parked {
            self.finish_parked_fetch(now, key, effects);
        }
        self.storage.stop(effects);
    }

    /// What is held now, for whoever scrapes.
    fn count(&mut self) {
        let counters = self.storage.counters();
        self.metrics.partitions = self.partitions.len() as u64;
        self.metrics.parked_requests = self.requests.len() as u64;
        self.metrics.memory = MemoryMetrics {
            hot_tail_bytes: counters.tail_bytes,
            index_bytes: counters.index_bytes,
            unsent_bytes: self.unsent_bytes,
            frame_bytes: self.request_bytes,
        };
        self.metrics.storage = StorageMetrics {
            entries: counters.journal.entries,
            carried_bytes: counters.carried_bytes,
            checkpoint_bytes: counters.checkpoint_bytes,
            closed_for_room: counters.closed_for_room,
            journal_ring_bytes: counters.journal_capacity_bytes,
            journal_live_bytes: counters.journal_used_bytes,
            sealed_segments: counters.segments_sealed,
            evicted_bytes: counters.evicted_bytes,
            log_starts_moved: counters.log_starts_moved,
            unlinked_segments: counters.segments_unlinked,
            index_loads: counters.index_loads,
            index_evictions: counters.index_evictions,
            failed: self.storage.iter().any(|storage| storage.failed().is_some()),
            offline_partitions: self.offline_here,
            lacks_space: self.storage.iter().any(Storage::lacks_space),
            space_refusals: counters.space_refusals,
        };
        self.metrics.cleaner = counters.cleaner;
    }

    /// Long polls and other requests whose time has come.
    fn expire(&mut self, now: Now, effects: &mut Effects) {
        while let Some(Reverse((instant, key))) = self.deadlines.peek().copied() {
            if instant > now.instant {
                break;
            }
            self.deadlines.pop();
            self.finish_parked_fetch(now, key, effects);
            self.give_up_ask(key, effects);
        }
    }

    /// Most requests are answered before their time: nobody is to wake for them, nor is memory to grow with what is long over.
    fn drop_stale_deadlines(&mut self) {
        let requests = &self.requests;
        if self.deadlines.len() > 2 * requests.len() + STALE_DEADLINES_MAX {
            self.deadlines.retain(|Reverse((_, key))| requests.get(*key).is_some());
        }
        while self.deadlines.peek().is_some_and(|Reverse((_, key))| requests.get(*key).is_none()) {
            self.deadlines.pop();
        }
    }
}
