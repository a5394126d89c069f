//! Requests to coordinators: each shard that has one of them is asked once, and answers once.
//!
//! ```text
//! request -> asks by shard -> Coordinate -> a ticket for each ask -> (the seat answers, at once or after a rebalance) -> Coordinated
//! ```
//!
//! Decides who is asked and who waits. What coordinators are, and when their answers may leave, is `seats`.

use std::collections::{BTreeMap, BTreeSet};

use protocol::error_code::ErrorCode;

use super::Shard;
use super::append::Origin;
use super::requests::{Home, Request, Waiting, by_shard};
use super::seats::Seat;
use crate::api::GroupPlan;
use crate::coordinator::Ticket;
use crate::effect::{Effect, Effects, ReadId};
use crate::group::{OFFSETS_TOPIC, new_offsets_topic, partition_of_group};
use crate::model::control::ControlRequest;
use crate::model::{Instant, Now, ShardId, TopicPartition};
use crate::shard_message::{
    CoordinateItem, CoordinatedItem, CoordinatorAnswer, CoordinatorAsk, CoordinatorOf, RequestId,
    ShardMessage,
};
use crate::stdx::{RandomIds, Slab, SlabKey};
use crate::storage::LogId;

/// Lives: one per shard.
/// Invariants: `by_request` holds exactly `asked`; each waiter is a ticket of one of them, and is counted in its `outstanding`.
#[derive(Debug)]
pub(super) struct Coordinators {
    /// By the partition that each is the coordinator of.
    pub seats: BTreeMap<TopicPartition, Seat>,
    asked: Slab<Asked>,
    waiters: Slab<Waiter>,
    by_request: BTreeMap<(ShardId, RequestId), SlabKey>,
    /// Reads of segments for seats that are being loaded.
    pub reads: BTreeMap<ReadId, TopicPartition>,
    /// Seats that can go on loading.
    pub loading: BTreeSet<TopicPartition>,
    /// Seats whose loading waits for their log.
    pub stalled: BTreeMap<LogId, TopicPartition>,
    /// Seats that have done something in this turn.
    pub touched: BTreeSet<TopicPartition>,
    /// Of all seats, as the last turn left them.
    pub deadline: Option<Instant>,
    /// What the coordinators' own ids are made from.
    pub ids: RandomIds,
}

/// One request's asks to this shard, with the answers so far.
#[derive(Debug)]
struct Asked {
    origin: Origin,
    answers: Vec<CoordinatedItem>,
    outstanding: usize,
    tickets: Vec<SlabKey>,
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    asked: SlabKey,
    index: u32,
    seat: TopicPartition,
}

impl Coordinators {
    pub fn new(seed: [u8; 16], now: Now) -> Coordinators {
        Coordinators {
            seats: BTreeMap::new(),
            asked: Slab::default(),
            waiters: Slab::default(),
            by_request: BTreeMap::new(),
            reads: BTreeMap::new(),
            loading: BTreeSet::new(),
            stalled: BTreeMap::new(),
            touched: BTreeSet::new(),
            deadline: None,
            ids: RandomIds::new(seed, now.wall_ms.unsigned_abs()),
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Tickets of all who wait for this seat.
    pub fn tickets_of(&self, seat: TopicPartition) -> Vec<Ticket> {
        let waits = |key: &SlabKey| self.waiters.get(*key).is_some_and(|waiter| waiter.seat == seat);
        self.waiters.keys().filter(waits).map(|key| Ticket(key.0)).collect()
    }
}

impl Shard {
    /// The first request about groups makes the topic that they live in. Whoever only looks at what is there does not.
    pub(super) fn begin_coordinate(
        &mut self,
        now: Now,
        home: Home,
        plan: GroupPlan,
        asks: Vec<CoordinatorAsk>,
        effects: &mut Effects,
    ) {
        let needs_topic = asks.iter().any(|CoordinatorAsk::Group(ask)| ask.group_id().is_some());
        if !needs_topic || self.image.topic_by_name(OFFSETS_TOPIC).is_some() {
            self.coordinate_everywhere(now, home, plan, asks, effects);
            return;
        }
        let topics = vec![new_offsets_topic(&self.config, self.image.brokers.len())];
        let key = self.park(home, Waiting::CoordinatorTopic { plan, asks });
        self.ask_control(now, key, ControlRequest::CreateTopics { topics, validate_only: false }, effects);
    }

    /// Asks each shard for its part.
    pub(super) fn coordinate_everywhere(
        &mut self,
        now: Now,
        home: Home,
        mut plan: GroupPlan,
        asks: Vec<CoordinatorAsk>,
        effects: &mut Effects,
    ) {
        let mut items = Vec::with_capacity(asks.len());
        for (index, ask) in (0_u32..).zip(asks) {
            let CoordinatorAsk::Group(group_ask) = &ask;
            match group_ask.group_id() {
                None => items.extend((0..self.shards).map(|shard| {
                    let item = CoordinateItem { index, to: CoordinatorOf::AllGroups, ask: ask.clone() };
                    (ShardId(shard), item)
                })),
                Some(group_id) => match self.seat_of_group(group_id) {
                    Some(seat) => {
                        let item = CoordinateItem { index, to: CoordinatorOf::Partition(seat), ask };
                        items.push((super::shard_of(seat, self.shards), item));
                    }
                    None => {
                        let answer = Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
                        plan.fill(vec![CoordinatedItem { index, answer }]);
                    }
                },
            }
        }
        let groups = by_shard(items);
        let outstanding: Vec<ShardId> = groups.iter().map(|(shard, _)| *shard).collect();
        if outstanding.is_empty() {
            let pieces = self.with_context(now, home.connection, |context| plan.respond(context));
            self.complete(home, pieces, effects);
            return;
        }
        let key = self.park(home, Waiting::Coordinate { plan, outstanding });
        for (shard, items) in groups {
            if shard == self.id {
                self.coordinate(now, Origin::Here(key), items, effects);
            } else {
                let message = ShardMessage::Coordinate { request: RequestId(key.0), items };
                effects.push(Effect::TellShard { to: shard, message });
            }
        }
    }

    fn seat_of_group(&self, group_id: &str) -> Option<TopicPartition> {
        let topic = self.image.topic_by_name(OFFSETS_TOPIC)?;
        let partition = partition_of_group(group_id, topic.partitions.len());
        Some(TopicPartition { topic_id: topic.topic_id, partition })
    }

    /// Coordinators of this shard are asked. The answer goes when all of them have answered.
    pub(super) fn coordinate(
        &mut self,
        now: Now,
        origin: Origin,
        items: Vec<CoordinateItem>,
        effects: &mut Effects,
    ) {
        let mut asks = Vec::with_capacity(items.len());
        for CoordinateItem { index, to, ask } in items {
            match to {
                CoordinatorOf::Partition(seat) => asks.push((index, seat, ask)),
                CoordinatorOf::AllGroups => {
                    let seats = self.coordinators.seats.keys();
                    asks.extend(seats.map(|seat| (index, *seat, ask.clone())));
                }
            }
        }
        let outstanding = asks.len();
        let asked = Asked { origin, answers: Vec::new(), outstanding, tickets: Vec::new() };
        let key = self.coordinators.asked.insert(asked);
        self.coordinators.by_request.insert(self.request_of(origin), key);
        if outstanding == 0 {
            self.tell_coordinated(now, key, effects);
            return;
        }
        for (index, seat, ask) in asks {
            let ticket = self.coordinators.waiters.insert(Waiter { asked: key, index, seat });
            if let Some(asked) = self.coordinators.asked.get_mut(key) {
                asked.tickets.push(ticket);
            }
            self.ask_seat(now, seat, Ticket(ticket.0), ask, effects);
        }
    }

    /// Requests of this shard's own connections have names like those of others.
    fn request_of(&self, origin: Origin) -> (ShardId, RequestId) {
        match origin {
            Origin::Here(key) => (self.id, RequestId(key.0)),
            Origin::Shard(from, request) => (from, request),
        }
    }

    /// One ask has its answer. Of a ticket that was forgotten: nobody hears of it.
    pub(super) fn answer_ticket(
        &mut self,
        now: Now,
        ticket: Ticket,
        answer: Result<CoordinatorAnswer, ErrorCode>,
        effects: &mut Effects,
    ) {
        let Some(waiter) = self.coordinators.waiters.remove(SlabKey(ticket.0)) else { return };
        let Some(asked) = self.coordinators.asked.get_mut(waiter.asked) else { return };
        asked.answers.push(CoordinatedItem { index: waiter.index, answer });
        asked.outstanding -= 1;
        if asked.outstanding == 0 {
            self.tell_coordinated(now, waiter.asked, effects);
        }
    }

    fn tell_coordinated(&mut self, now: Now, key: SlabKey, effects: &mut Effects) {
        let Some(Asked { origin, answers, .. }) = self.coordinators.asked.remove(key) else { return };
        self.coordinators.by_request.remove(&self.request_of(origin));
        match origin {
            Origin::Here(key) => self.on_coordinated(now, self.id, key, answers, effects),
            Origin::Shard(to, request) => {
                let message = ShardMessage::Coordinated { request, answers };
                effects.push(Effect::TellShard { to, message });
            }
        }
    }

    /// One shard's answers have come home.
    pub(super) fn on_coordinated(
        &mut self,
        now: Now,
        from: ShardId,
        key: SlabKey,
        answers: Vec<CoordinatedItem>,
        effects: &mut Effects,
    ) {
        let Some(Request { waiting: Waiting::Coordinate { plan, outstanding }, .. }) =
            self.requests.get_mut(key)
        else {
            return;
        };
        plan.fill(answers);
        outstanding.retain(|shard| *shard != from);
        if !outstanding.is_empty() {
            return;
        }
        if let Some(Request { place, waiting: Waiting::Coordinate { plan, .. } }) = self.requests.remove(key)
        {
            let pieces = self.with_context(now, place.connection, |context| plan.respond(context));
            self.complete(place, pieces, effects);
        }
    }

    /// The connection that asked is gone.
    pub(super) fn uncoordinate(
        &mut self,
        now: Now,
        key: SlabKey,
        outstanding: &[ShardId],
        effects: &mut Effects,
    ) {
        for shard in outstanding {
            if *shard == self.id {
                self.forget_coordinated(now, Origin::Here(key));
            } else {
                let message = ShardMessage::Uncoordinate { request: RequestId(key.0) };
                effects.push(Effect::TellShard { to: *shard, message });
            }
        }
    }

    pub(super) fn forget_coordinated(&mut self, now: Now, origin: Origin) {
        let Some(key) = self.coordinators.by_request.remove(&self.request_of(origin)) else { return };
        let Some(asked) = self.coordinators.asked.remove(key) else { return };
        for ticket in asked.tickets {
            if let Some(waiter) = self.coordinators.waiters.remove(ticket) {
                self.forget_ticket(now, waiter.seat, Ticket(ticket.0));
            }
        }
    }
}
