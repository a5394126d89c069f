//! Random schedules of a group whose members speak both protocols, come, go, fall silent and change their minds, over restarts of the broker.
//!
//! Members of the classic protocol are eager: they give up everything before they join. Checked after every step: no partition belongs to
//! two members at once, of those that the group knows. In the end, when nobody comes or goes any more, everybody has its share and every
//! partition one owner, whatever the group has been.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::World;
use super::tests_migration::{assigned, classic, consumer, read_assignment, subscription};
use super::*;
use crate::model::consumer_group::ConsumerHeartbeatAsk;
use crate::model::group::{HeartbeatAsk, JoinAnswer, LeaveAsk, LeavingMember, SyncAsk};
use crate::model::{Assignment, GenerationId, TopicId};

const PARTITIONS: i32 = 4;

#[derive(Debug, Clone)]
enum Event {
    Join { client: usize, is_new: bool },
    Beat { client: usize },
    Leave { client: usize },
    Crash { client: usize },
    Pass { ms: u64 },
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let client = 0usize..4;
    prop_oneof![
        6 => (client.clone(), any::<bool>()).prop_map(|(client, is_new)| Event::Join { client, is_new }),
        24 => client.clone().prop_map(|client| Event::Beat { client }),
        2 => client.clone().prop_map(|client| Event::Leave { client }),
        2 => client.prop_map(|client| Event::Crash { client }),
        6 => (1u64..8_000).prop_map(|ms| Event::Pass { ms }),
        1 => Just(Event::Restart),
    ]
}

/// What a classic client waits for.
#[derive(Debug, Clone, PartialEq)]
enum Waits {
    Nothing,
    Join(Ticket),
    Sync(Ticket),
}

#[derive(Debug, Clone)]
struct Client {
    /// It speaks the new protocol.
    is_new: bool,
    member_id: String,
    epoch: i32,
    owned: BTreeSet<i32>,
    must_join: bool,
    waits: Waits,
}

struct Clients {
    world: World,
    clients: Vec<Option<Client>>,
    joins: usize,
}

impl Clients {
    fn run(&mut self, event: &Event) {
        match event {
            Event::Join { client, is_new } if self.clients[*client].is_none() => {
                self.joins += 1;
                self.clients[*client] = Some(Client {
                    is_new: *is_new,
                    member_id: if *is_new { format!("m{}", self.joins) } else { String::new() },
                    epoch: 0,
                    owned: BTreeSet::new(),
                    must_join: true,
                    waits: Waits::Nothing,
                });
                self.beat(*client);
            }
            Event::Join { .. } => {}
            Event::Beat { client } => self.beat(*client),
            Event::Leave { client } => self.leave(*client),
            Event::Crash { client } => {
                if let Some(Client { waits: Waits::Join(ticket) | Waits::Sync(ticket), .. }) =
                    self.clients[*client].take()
                {
                    self.world.forget(ticket);
                }
            }
            Event::Pass { ms } => self.world.wait(*ms),
            Event::Restart => {
                self.world.reload();
                // Whoever waited has lost its connection.
                for client in
                    self.clients.iter_mut().flatten().filter(|client| client.waits != Waits::Nothing)
                {
                    client.waits = Waits::Nothing;
                    client.must_join = true;
                }
            }
        }
        self.check();
    }

    fn beat(&mut self, index: usize) {
        let Some(mut client) = self.clients[index].take() else { return };
        if client.is_new {
            self.beat_new(&mut client);
        } else {
            self.beat_classic(&mut client);
        }
        self.clients[index] = Some(client);
    }

    fn beat_new(&mut self, client: &mut Client) {
        let partitions: Vec<PartitionIndex> = client.owned.iter().copied().map(PartitionIndex).collect();
        let owned: Assignment = [(TopicId([1; 16]), partitions)].into_iter().collect();
        let ask = consumer(&client.member_id, client.epoch);
        match self.world.beat(ConsumerHeartbeatAsk { topic_partitions: Some(owned), ..ask }) {
            Ok(answer) => {
                client.epoch = answer.member_epoch.0;
                if let Some(assignment) = answer.assignment {
                    let partitions = assignment.partitions(TopicId([1; 16]));
                    client.owned = partitions.iter().map(|partition| partition.0).collect();
                }
            }
            Err(refusal) => {
                let expected = [
                    ErrorCode::FENCED_MEMBER_EPOCH,
                    ErrorCode::UNKNOWN_MEMBER_ID,
                    ErrorCode::GROUP_ID_NOT_FOUND,
                ];
                assert!(expected.contains(&refusal.error), "{refusal}");
                client.epoch = 0;
                client.owned.clear();
            }
        }
    }

    fn beat_classic(&mut self, client: &mut Client) {
        match client.waits.clone() {
            Waits::Join(ticket) => {
                if let Some(reply) = self.world.answer(ticket) {
                    self.on_joined(client, reply);
                }
            }
            Waits::Sync(ticket) => {
                if let Some(reply) = self.world.answer(ticket) {
                    on_synced(client, reply);
                }
            }
            Waits::Nothing if client.must_join => {
                client.owned.clear();
                let ticket =
                    self.world.begin(GroupAsk::Join(classic(&client.member_id, subscription("t", &[]))));
                client.waits = Waits::Join(ticket);
                self.beat_classic(client);
            }
            Waits::Nothing => {
                let heartbeat = HeartbeatAsk {
                    group_id: "g".to_owned(),
                    generation_id: GenerationId(client.epoch),
                    member_id: client.member_id.clone(),
                    group_instance_id: None,
                };
                if let Err(error) = self.world.ask(GroupAsk::Heartbeat(heartbeat)) {
                    on_error(client, error);
                }
            }
        }
    }

    fn on_joined(&mut self, client: &mut Client, reply: GroupReply) {
        client.waits = Waits::Nothing;
        let joined = match reply {
            Ok(GroupAnswer::Join(joined)) => joined,
            other => panic!("{other:?}"),
        };
        if joined.error != ErrorCode::NONE {
            return on_error(client, joined.error);
        }
        client.must_join = false;
        client.member_id.clone_from(&joined.member_id);
        client.epoch = joined.generation_id.0;
        let sync = SyncAsk {
            group_id: "g".to_owned(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: None,
            protocol_type: None,
            protocol_name: None,
            assignments: shares(&joined),
        };
        client.waits = Waits::Sync(self.world.begin(GroupAsk::Sync(sync)));
        self.beat_classic(client);
    }

    fn leave(&mut self, index: usize) {
        let Some(client) = self.clients[index].take() else { return };
        if let Waits::Join(ticket) | Waits::Sync(ticket) = client.waits {
            self.world.forget(ticket);
        }
        if client.is_new {
            self.world.beat(consumer(&client.member_id, -1)).ok();
        } else {
            let leaving =
                LeavingMember { member_id: client.member_id, group_instance_id: None, reason: None };
            self.world
                .ask(GroupAsk::Leave(LeaveAsk { group_id: "g".to_owned(), members: vec![leaving] }))
                .ok();
        }
    }

    fn known_members(&mut self) -> BTreeSet<String> {
        let group_id = || "g".to_owned();
        if let Ok(GroupAnswer::Described(group)) = self.world.ask(GroupAsk::Describe { group_id: group_id() })
        {
            return group.members.into_iter().map(|member| member.member_id).collect();
        }
        match self.world.ask(GroupAsk::DescribeConsumerGroup { group_id: group_id() }) {
            Ok(GroupAnswer::ConsumerGroupDescribed(group)) => {
                group.members.iter().map(|member| member.member_id.to_string()).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    fn check(&mut self) {
        let known = self.known_members();
        let mut owners: BTreeMap<i32, &str> = BTreeMap::new();
        for client in self.clients.iter().flatten().filter(|client| known.contains(&client.member_id)) {
            for partition in &client.owned {
                let other = owners.insert(*partition, &client.member_id);
                assert_eq!(other, None, "{partition} is owned by {}, too", client.member_id);
            }
        }
    }

    fn settle(&mut self) {
        let live = self.clients.iter().flatten().count();
        for round in 0.. {
            for index in 0..self.clients.len() {
                self.beat(index);
                self.check();
            }
            self.world.wait(1_000);
            let owned: usize = self.clients.iter().flatten().map(|client| client.owned.len()).sum();
            let is_calm = |client: &Client| client.waits == Waits::Nothing && client.epoch > 0;
            // The crashed are forgotten after a minute and a rebalance at the latest; each is one more rebalance.
            let is_over = round > 150 && self.clients.iter().flatten().all(is_calm);
            if live == 0 || (is_over && owned == PARTITIONS as usize) {
                break;
            }
            assert!(round < 400, "{:#?} {:#?}", self.clients, self.world.coordinator);
        }
    }
}

/// What a leader assigns: as many partitions to one as to another, and nothing if there are no members to share among.
fn shares(joined: &JoinAnswer) -> Vec<(String, bytes::Bytes)> {
    let count = i32::try_from(joined.members.len()).unwrap();
    let share = |(place, member): (i32, &crate::model::group::JoinedMember)| {
        let partitions: Vec<i32> = (0..PARTITIONS).filter(|partition| partition % count == place).collect();
        (member.member_id.clone(), assigned("t", &partitions, None))
    };
    (0..).zip(&joined.members).map(share).collect()
}

fn on_synced(client: &mut Client, reply: GroupReply) {
    client.waits = Waits::Nothing;
    match reply {
        Ok(GroupAnswer::Sync(answer)) if answer.assignment.is_empty() => client.owned.clear(),
        Ok(GroupAnswer::Sync(answer)) => {
            client.owned = read_assignment(&answer.assignment).into_iter().collect()
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => on_error(client, error),
    }
}

fn on_error(client: &mut Client, error: ErrorCode) {
    match error {
        ErrorCode::REBALANCE_IN_PROGRESS => {}
        ErrorCode::ILLEGAL_GENERATION => client.owned.clear(),
        ErrorCode::UNKNOWN_MEMBER_ID => {
            client.owned.clear();
            client.member_id.clear();
        }
        error => panic!("{error}"),
    }
    client.must_join = true;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_group_is_each_partition_has_one_owner(events in prop::collection::vec(event(), 1..60)) {
        let world = World::new("");
        let mut clients = Clients { world, clients: vec![None; 4], joins: 0 };
        for event in &events {
            clients.run(event);
        }
        clients.settle();
    }
}
