//! Random schedules of joins, heartbeats, lost answers, crashes, pauses and changes of topics, with clients as they are.
//!
//! A client owns what it was told to own, and says so; it hears nothing of an answer that is lost. Checked after every step: no partition
//! belongs to two clients at once, as long as neither has been put out (a client that was put out does not know that yet); and what the
//! coordinator believes has one owner for each partition (`check_invariants`). In the end, when nothing is lost any more, everybody has its
//! share and every partition one owner.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Event {
    Join {
        client: usize,
        topics: u8,
        is_static: bool,
        by_regex: bool,
    },
    Beat {
        client: usize,
        is_lost: bool,
    },
    Subscribe {
        client: usize,
        topics: u8,
    },
    Leave {
        client: usize,
    },
    /// The process is gone without a word.
    Crash {
        client: usize,
    },
    Pass {
        ms: u64,
    },
    Grow,
    Recreate,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let client = 0usize..5;
    prop_oneof![
        4 => (client.clone(), 1u8..8, any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(client, topics, is_static, by_regex)| Event::Join { client, topics, is_static, by_regex }),
        24 => (client.clone(), prop::bool::weighted(0.2))
            .prop_map(|(client, is_lost)| Event::Beat { client, is_lost }),
        2 => (client.clone(), 1u8..8).prop_map(|(client, topics)| Event::Subscribe { client, topics }),
        2 => client.clone().prop_map(|client| Event::Leave { client }),
        2 => client.prop_map(|client| Event::Crash { client }),
        4 => (1u64..30_000).prop_map(|ms| Event::Pass { ms }),
        1 => Just(Event::Grow),
        1 => Just(Event::Recreate),
        1 => Just(Event::Restart),
    ]
}

/// A consumer process.
#[derive(Debug, Clone)]
struct Client {
    member_id: String,
    instance_id: Option<String>,
    epoch: i32,
    topics: BTreeSet<String>,
    regex: Option<String>,
    owned: Assignment,
    /// The last answer was lost: the next heartbeat says everything.
    unsure: bool,
}

struct Clients {
    world: World,
    clients: Vec<Option<Client>>,
    /// Static members that left for a while.
    joins: usize,
}

fn topic_names(bits: u8) -> BTreeSet<String> {
    (0..3).filter(|bit| bits & (1 << bit) != 0).map(|bit| format!("t{bit}")).collect()
}

impl Clients {
    fn new() -> Clients {
        Clients { world: World::new(&[("t0", 4), ("t1", 3), ("t2", 1)]), clients: vec![None; 5], joins: 0 }
    }

    fn run(&mut self, event: &Event) {
        match event {
            Event::Join { client, topics, is_static, by_regex } => {
                if self.clients[*client].is_none() {
                    self.joins += 1;
                    let names = topic_names(*topics);
                    let regex = by_regex.then(|| names.iter().cloned().collect::<Vec<_>>().join("|"));
                    self.clients[*client] = Some(Client {
                        member_id: format!("m{}", self.joins),
                        instance_id: is_static.then(|| format!("i{client}")),
                        epoch: 0,
                        topics: if *by_regex { BTreeSet::new() } else { names },
                        regex,
                        owned: Assignment::default(),
                        unsure: true,
                    });
                    self.beat(*client, false);
                }
            }
            Event::Beat { client, is_lost } => self.beat(*client, *is_lost),
            Event::Subscribe { client, topics } => {
                if let Some(client) = &mut self.clients[*client] {
                    client.regex = client.regex.as_ref().map(|_| String::new());
                    client.topics = topic_names(*topics);
                    client.unsure = true;
                }
            }
            Event::Leave { client } => self.leave(*client),
            Event::Crash { client } => self.clients[*client] = None,
            Event::Pass { ms } => self.world.pass(*ms),
            Event::Grow => {
                if self.world.image.topic_by_name("t2").unwrap().partitions.len() < 6 {
                    self.world.grow_topic("t2", 1);
                }
            }
            Event::Recreate => {
                if self.world.topics < 60 {
                    self.world.delete_topic("t1");
                    self.world.create_topic("t1", 3);
                }
            }
            Event::Restart => self.world.restart(),
        }
        self.world.run_timers();
        self.check();
    }

    fn request(client: &Client) -> ConsumerHeartbeatAsk {
        let is_full = client.unsure || client.epoch == 0;
        ConsumerHeartbeatAsk {
            member_epoch: GroupEpoch(client.epoch),
            instance_id: client.instance_id.as_deref().map(InstanceId::from),
            rebalance_timeout_ms: if is_full { 20_000 } else { -1 },
            subscribed_topic_names: is_full
                .then(|| client.topics.iter().map(|topic| topic.as_str().into()).collect()),
            // Said, even if there is none: a static member's predecessor may have had one.
            subscribed_topic_regex: is_full.then(|| client.regex.as_deref().unwrap_or_default().into()),
            topic_partitions: Some(client.owned.clone()),
            ..join(&client.member_id, &[])
        }
    }

    fn beat(&mut self, index: usize, is_lost: bool) {
        let Some(client) = &mut self.clients[index] else { return };
        let answer = self.world.beat(&Clients::request(client));
        if is_lost {
            client.unsure = true;
            return;
        }
        match answer {
            Ok(answer) => {
                client.unsure = false;
                client.epoch = answer.member_epoch.0;
                if let Some(assignment) = answer.assignment {
                    client.owned = assignment;
                }
            }
            Err(refusal) if refusal.error == ErrorCode::UNRELEASED_INSTANCE_ID => {}
            Err(refusal) if refusal.error == ErrorCode::FENCED_INSTANCE_ID => self.clients[index] = None,
            // Fenced: it gives up everything and joins again.
            Err(refusal) => {
                let expected = [ErrorCode::FENCED_MEMBER_EPOCH, ErrorCode::UNKNOWN_MEMBER_ID];
                assert!(expected.contains(&refusal.error), "{refusal}");
                client.epoch = 0;
                client.owned = Assignment::default();
                client.unsure = true;
            }
        }
    }

    fn leave(&mut self, index: usize) {
        let Some(client) = self.clients[index].take() else { return };
        let epoch = if client.instance_id.is_some() { -2 } else { -1 };
        let instance_id = client.instance_id.as_deref().map(InstanceId::from);
        let request = ConsumerHeartbeatAsk { instance_id, ..still(&client.member_id, epoch) };
        // Whoever is not known any more has left already.
        if let Err(refusal) = self.world.beat(&request) {
            assert!([ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::FENCED_INSTANCE_ID].contains(&refusal.error));
        }
    }

    fn check(&self) {
        let mut owners: BTreeMap<(TopicId, PartitionIndex), &str> = BTreeMap::new();
        let members = &self.world.group.members;
        for client in self.clients.iter().flatten().filter(|client| members.contains_key(&*client.member_id))
        {
            for (topic_id, partitions) in client.owned.topics() {
                for partition in partitions {
                    let other = owners.insert((topic_id, *partition), &client.member_id);
                    assert_eq!(other, None, "{partition:?} of {topic_id}: {} owns it, too", client.member_id);
                }
            }
        }
    }

    /// Nothing is lost any more: within some heartbeats all is shared out.
    fn settle(&mut self) {
        for round in 0.. {
            for index in 0..self.clients.len() {
                self.beat(index, false);
                self.world.run_timers();
                self.check();
            }
            self.world.pass(5_000);
            let is_settled = self.world.group.state() == GroupState::Stable
                && self.clients.iter().flatten().all(|client| client.epoch > 0 && !client.unsure);
            if self.clients.iter().flatten().next().is_none() {
                return;
            }
            // Sessions of the crashed last nine rounds; then there are some more steps to take.
            if round >= 12 && is_settled {
                break;
            }
            assert!(round < 40, "{:?} {:#?}", self.world.group.state(), self.world.group);
        }
        let mut owned = BTreeSet::new();
        for client in self.clients.iter().flatten() {
            owned.extend(client.owned.topics().flat_map(|(topic_id, partitions)| {
                partitions.iter().map(move |partition| (topic_id, *partition))
            }));
        }
        let mut expected = BTreeSet::new();
        for topic in self.world.image.topics.values() {
            let subscribes = |client: &Client| {
                let by_regex =
                    client.regex.as_deref().unwrap_or_default().split('|').any(|name| name == &*topic.name);
                client.topics.contains(&*topic.name) || by_regex
            };
            if self.clients.iter().flatten().any(subscribes) {
                let count = i32::try_from(topic.partitions.len()).unwrap();
                expected.extend((0..count).map(|partition| (topic.topic_id, PartitionIndex(partition))));
            }
        }
        assert_eq!(owned, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_partition_is_owned_twice_and_all_are_owned_in_the_end(events in prop::collection::vec(event(), 1..80)) {
        let mut clients = Clients::new();
        for event in &events {
            clients.run(event);
        }
        clients.settle();
        clients.world.restart();
    }
}
