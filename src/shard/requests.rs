//! Requests from their frame to their answer: begun in order, parked while they wait, answered once.

use core::net::IpAddr;
use std::cmp::Reverse;
use std::collections::VecDeque;

use bytes::BytesMut;
use protocol::Piece;
use protocol::error_code::ErrorCode;

use super::connection::{Leaving, Place, Reading};
use super::fetch::FetchWait;
use super::{Shard, append, connection as connections};
use crate::api::partition_questions::QuestionPlan;
use crate::api::produce::ProducePlan;
use crate::api::{self, ApiContext, ControlResponder, GroupPlan, Outcome, RequestInfo};
use crate::effect::{Effect, Effects};
use crate::limits::SHARD_REQUESTS_BYTES_MAX;
use crate::model::control::{ControlAnswer, ControlRequest};
use crate::model::{ConnectionId, Now, ProducerId, ShardId};
use crate::shard_message::{AskItem, CoordinatorAsk, RequestId, ShardMessage};
use crate::stdx::SlabKey;

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home {
    pub connection: ConnectionId,
    pub place: Place,
}

/// A request that could not be answered at once.
pub(super) struct Request {
    pub place: Home,
    pub waiting: Waiting,
}

/// What it waits for. `outstanding` counts the shards that still owe results.
pub(super) enum Waiting {
    Produce {
        plan: ProducePlan,
        outstanding: usize,
    },
    Fetch(FetchWait),
    Ask {
        plan: QuestionPlan,
        outstanding: usize,
    },
    Coordinate {
        plan: GroupPlan,
        /// Shards that owe an answer.
        outstanding: Vec<ShardId>,
    },
    /// The topic that its coordinators live in is being made.
    CoordinatorTopic {
        plan: GroupPlan,
        asks: Vec<CoordinatorAsk>,
    },
    Control {
        respond: ControlResponder,
    },
    ProducerId {
        info: RequestInfo,
    },
    /// The shard's own question: a block of producer ids. Nobody is answered.
    ProducerIdBlock,
}

/// Ids that this shard may give out, and who waits for more.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    next: i64,
    left: u32,
    waiting: VecDeque<SlabKey>,
    asked: bool,
}

/// Groups items by their shard, each group in the order of the request.
pub(super) fn by_shard<T>(mut items: Vec<(ShardId, T)>) -> Vec<(ShardId, Vec<T>)> {
    items.sort_by_key(|(shard, _)| *shard);
    let mut groups: Vec<(ShardId, Vec<T>)> = Vec::new();
    for (shard, item) in items {
        match groups.last_mut() {
            Some((last, group)) if *last == shard => group.push(item),
            _ => groups.push((shard, vec![item])),
        }
    }
    groups
}

impl Shard {
    /// Begins every request that may begin now.
    pub(super) fn begin_ready(&mut self, now: Now, effects: &mut Effects) {
        if self.request_bytes < SHARD_REQUESTS_BYTES_MAX {
            self.ready.append(&mut self.crowded);
        }
        while let Some(connection) = self.ready.pop() {
            self.begin_requests(now, connection, effects);
        }
    }

    fn begin_requests(&mut self, now: Now, connection: ConnectionId, effects: &mut Effects) {
        loop {
            let Some(known) = self.connections.get_mut(&connection) else { return };
            if self.request_bytes >= SHARD_REQUESTS_BYTES_MAX {
                self.crowded.push(connection);
                break;
            }
            if self.stopping {
                break;
            }
            let Some((place, frame)) = known.begin_next(now.instant) else { break };
            self.request_bytes += frame.len() as u64;
            self.metrics.on_request(connections::api_key_of(&frame), frame.len() as u64);
            self.begin(now, Home { connection, place }, frame, effects);
        }
        let Some(known) = self.connections.get_mut(&connection) else { return };
        match known.update_reading() {
            Reading::Unchanged => {}
            Reading::Pause => effects.push(Effect::Pause { connection }),
            Reading::Resume => effects.push(Effect::Resume { connection }),
        }
    }

    fn begin(&mut self, now: Now, home: Home, frame: BytesMut, effects: &mut Effects) {
        let Some(known) = self.connections.get(&home.connection) else { return };
        let shards = self.shards;
        let shard_of = move |topic_partition| super::shard_of(topic_partition, shards);
        let context = ApiContext {
            image: &self.image,
            config: &self.config,
            listener: known.listener,
            peer: known.peer,
            now,
            shard_of: &shard_of,
            log_dirs: self.log_dirs.all(),
            offline: &self.offline,
        };
        match api::dispatch(&context, &mut self.sessions, frame) {
            Outcome::Answer(pieces) => self.complete(home, pieces, effects),
            Outcome::Close(reason) => self.close_connection(home.connection, reason, effects),
            Outcome::Produce { plan, items } => self.begin_produce(now, home, plan, items, effects),
            Outcome::Fetch { plan, items } => {
                let key = self.park(home, Waiting::Fetch(FetchWait::new(plan)));
                self.start_round(now, key, items, effects);
            }
            Outcome::Ask { plan, items } => self.begin_ask(now, home, plan, items, effects),
            Outcome::Coordinate { plan, asks } => self.begin_coordinate(now, home, plan, asks, effects),
            Outcome::Control { ask, respond } => {
                let key = self.park(home, Waiting::Control { respond });
                self.ask_control(now, key, ask, effects);
            }
            Outcome::ProducerId { info } => {
                let key = self.park(home, Waiting::ProducerId { info });
                self.producer_ids.waiting.push_back(key);
                self.give_producer_ids(now, effects);
            }
        }
    }

    fn begin_produce(
        &mut self,
        now: Now,
        home: Home,
        plan: ProducePlan,
        items: Vec<(ShardId, crate::shard_message::AppendItem)>,
        effects: &mut Effects,
    ) {
        if items.is_empty() {
            self.finish_produce(home, &plan, effects);
            return;
        }
        let (wait, transactional) = (plan.acks != 0, plan.transactional);
        let outstanding = by_shard(items.iter().map(|(shard, _)| (*shard, ())).collect()).len();
        let key = self.park(home, Waiting::Produce { plan, outstanding });
        if !wait {
            self.complete(home, Vec::new(), effects);
        }
        self.start_produce(now, key, wait, transactional, items, effects);
    }

    fn begin_ask(
        &mut self,
        now: Now,
        home: Home,
        plan: QuestionPlan,
        items: Vec<(ShardId, AskItem)>,
        effects: &mut Effects,
    ) {
        if items.is_empty() {
            self.complete(home, plan.respond(), effects);
            return;
        }
        let groups = by_shard(items);
        let deadline = plan.wait_ms_max().map(|ms| now.instant.after_ms(ms));
        let key = self.park(home, Waiting::Ask { plan, outstanding: groups.len() });
        if let Some(deadline) = deadline {
            self.deadlines.push(Reverse((deadline, key)));
        }
        for (shard, questions) in groups {
            if shard == self.id {
                self.answer_questions(append::Origin::Here(key), &questions, effects);
            } else {
                let message = ShardMessage::Ask { request: RequestId(key.0), questions };
                effects.push(Effect::TellShard { to: shard, message });
            }
        }
    }

    pub(super) fn park(&mut self, place: Home, waiting: Waiting) -> SlabKey {
        let key = self.requests.insert(Request { place, waiting });
        if let Some(known) = self.connections.get_mut(&place.connection) {
            known.attach(place.place, key);
        }
        key
    }

    /// The answer is known. It leaves when those before it have left.
    pub(super) fn complete(&mut self, home: Home, answer: Vec<Piece>, effects: &mut Effects) {
        let connection = home.connection;
        let Some(known) = self.connections.get_mut(&connection) else { return };
        let (leaving, freed) = known.complete(home.place, answer);
        self.request_bytes -= freed;
        if known.has_waiting_frames() {
            self.ready.push(connection);
        }
        for Leaving { api_key, began, bytes, pieces } in leaving {
            self.metrics.on_response(api_key, bytes, self.turn.ns_since(began));
            self.unsent_bytes += bytes;
            if !pieces.is_empty() {
                effects.push(Effect::Send { connection, pieces });
            }
        }
    }

    pub(super) fn close_connection(
        &mut self,
        connection: ConnectionId,
        reason: &'static str,
        effects: &mut Effects,
    ) {
        let Some(known) = self.connections.get_mut(&connection) else { return };
        if !known.is_closing() {
            tracing::debug!(connection = connection.0, reason, "closing a connection");
            self.metrics.refused_frames += 1;
            known.start_closing();
            effects.push(Effect::Close { connection });
        }
    }

    /// The socket is gone: so is everything that only it waited for. Appends go on.
    pub(super) fn forget_connection(&mut self, now: Now, connection: ConnectionId, effects: &mut Effects) {
        let Some(known) = self.connections.remove(&connection) else { return };
        self.request_bytes -= known.begun_bytes();
        self.unsent_bytes -= known.unsent_bytes();
        for key in known.parked() {
            match self.requests.remove(key).map(|request| request.waiting) {
                Some(Waiting::Fetch(fetch)) => self.unwatch_everywhere(key, fetch.watched(), effects),
                Some(Waiting::Coordinate { outstanding, .. }) => {
                    self.uncoordinate(now, key, &outstanding, effects);
                }
                _ => {}
            }
        }
    }

    pub(super) fn ask_control(&mut self, now: Now, key: SlabKey, ask: ControlRequest, effects: &mut Effects) {
        let request = RequestId(key.0);
        let controller = ShardId(0);
        if self.id == controller {
            self.on_control(now, controller, request, ask, effects);
        } else {
            effects
                .push(Effect::TellShard { to: controller, message: ShardMessage::Control { request, ask } });
        }
    }

    pub(super) fn on_control_answered(
        &mut self,
        now: Now,
        key: SlabKey,
        answer: ControlAnswer,
        effects: &mut Effects,
    ) {
        let Some(request) = self.requests.remove(key) else { return };
        match request.waiting {
            Waiting::Control { respond } => {
                let pieces =
                    self.with_context(now, request.place.connection, |context| respond(context, answer));
                self.complete(request.place, pieces, effects);
            }
            Waiting::CoordinatorTopic { plan, asks } => {
                self.coordinate_everywhere(now, request.place, plan, asks, effects);
            }
            Waiting::ProducerIdBlock => self.on_producer_id_block(now, answer, effects),
            _ => unreachable!("a key names the request that was inserted with it"),
        }
    }

    /// For answers that are made when the request is long decoded.
    pub(super) fn with_context<T>(
        &self,
        now: Now,
        connection: ConnectionId,
        make: impl FnOnce(&ApiContext<'_>) -> T,
    ) -> T {
        // Of a connection that is gone nobody reads the answer.
        let known = self.connections.get(&connection);
        let (listener, peer) =
            known.map_or((0, IpAddr::from([0, 0, 0, 0])), |known| (known.listener, known.peer));
        let shards = self.shards;
        let shard_of = move |topic_partition| super::shard_of(topic_partition, shards);
        make(&ApiContext {
            image: &self.image,
            config: &self.config,
            listener,
            peer,
            now,
            shard_of: &shard_of,
            log_dirs: self.log_dirs.all(),
            offline: &self.offline,
        })
    }

    fn on_producer_id_block(&mut self, now: Now, answer: ControlAnswer, effects: &mut Effects) {
        self.producer_ids.asked = false;
        if let ControlAnswer::ProducerIds { first, count } = answer {
            self.producer_ids.next = first;
            self.producer_ids.left = count;
            self.give_producer_ids(now, effects);
            return;
        }
        while let Some(key) = self.producer_ids.waiting.pop_front() {
            self.answer_producer_id(key, Err(ErrorCode::COORDINATOR_NOT_AVAILABLE), effects);
        }
    }

    fn give_producer_ids(&mut self, now: Now, effects: &mut Effects) {
        while self.producer_ids.left > 0 {
            let Some(key) = self.producer_ids.waiting.pop_front() else { return };
            let id = ProducerId(self.producer_ids.next);
            self.producer_ids.next += 1;
            self.producer_ids.left -= 1;
            self.answer_producer_id(key, Ok(id), effects);
        }
        if !self.producer_ids.waiting.is_empty() && !self.producer_ids.asked {
            self.producer_ids.asked = true;
            let nobody = Home { connection: ConnectionId(u64::MAX), place: Place(0) };
            let key = self.requests.insert(Request { place: nobody, waiting: Waiting::ProducerIdBlock });
            self.ask_control(now, key, ControlRequest::AllocateProducerIds, effects);
        }
    }

    fn answer_producer_id(&mut self, key: SlabKey, id: Result<ProducerId, ErrorCode>, effects: &mut Effects) {
        let Some(Request { place, waiting: Waiting::ProducerId { info } }) = self.requests.remove(key) else {
            return;
        };
        self.complete(place, api::init_producer_id::respond(info, id), effects);
    }
}
