//! A coordinator of groups as its host drives it, with the log that it writes; offsets, their end, and the admin of groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::config::{Config, RawConfig};
use crate::coordinator::CoordinatorRecord;
use crate::model::group::*;
use crate::model::metadata_image::{MetadataImage, PartitionImage, TopicImage};
use crate::model::topic_config::TopicConfig;
use crate::model::{BrokerId, DirectoryId, GenerationId, LeaderEpoch, Now, Offset, TopicId};
use crate::mutations::Mutations;

const START_MS: i64 = 1_795_252_975_881;

pub(super) struct World {
    pub coordinator: GroupCoordinator,
    pub log: Vec<CoordinatorRecord>,
    pub image: MetadataImage,
    config: Arc<Config>,
    now: Now,
    next_ticket: u64,
    answers: BTreeMap<Ticket, GroupReply>,
    seed: u8,
}

impl World {
    pub fn new(settings: &str) -> World {
        let mut raw = RawConfig::default();
        let at_once = "group.initial.rebalance.delay.ms=0\ngroup.consumer.assignment.interval.ms=0";
        raw.set_from_properties(at_once, "test").unwrap();
        raw.set_from_properties(settings, "test").unwrap();
        let mut world = World {
            coordinator: GroupCoordinator::new(RandomIds::new([1; 16], 0)),
            log: Vec::new(),
            image: MetadataImage::empty("c".into(), BrokerId(1)),
            config: Arc::new(Config::validate(&raw).unwrap()),
            now: Now { instant: Instant(0), wall_ms: START_MS },
            next_ticket: 0,
            answers: BTreeMap::new(),
            seed: 1,
        };
        world.create_topic("t", 1);
        world.create_topic("u", 2);
        world.reload();
        world
    }

    pub fn create_topic(&mut self, name: &str, id: u8) {
        let partition = PartitionImage {
            leader: BrokerId(1),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            replicas: vec![BrokerId(1)],
            isr: vec![BrokerId(1)],
            directory: DirectoryId::UNASSIGNED,
        };
        let topic = TopicImage {
            name: name.into(),
            topic_id: TopicId([id; 16]),
            partitions: vec![partition; 4],
            overrides: BTreeMap::new(),
            config: Arc::new(TopicConfig::default()),
            internal: false,
        };
        self.image.names.insert(name.into(), topic.topic_id);
        self.image.topics.insert(topic.topic_id, Arc::new(topic));
    }

    pub fn delete_topic(&mut self, name: &str) {
        let id = self.image.names.remove(name).unwrap();
        self.image.topics.remove(&id);
        self.decide(|coordinator, view, decision| coordinator.on_image(view, decision));
        self.run();
    }

    /// The process is gone; another coordinator reads the log.
    pub fn reload(&mut self) {
        self.seed += 1;
        self.coordinator = GroupCoordinator::new(RandomIds::new([self.seed; 16], 0));
        let view =
            View { now: self.now, image: &self.image, config: &self.config, mutations: Mutations::default() };
        for record in &self.log {
            self.coordinator.replay(view, START_MS, &record.key, record.value.as_deref()).unwrap();
        }
        self.decide(|coordinator, view, decision| coordinator.on_loaded(view, decision));
        self.run();
    }

    fn decide(&mut self, decide: impl FnOnce(&mut GroupCoordinator, View<'_>, &mut Decision<GroupReply>)) {
        let view =
            View { now: self.now, image: &self.image, config: &self.config, mutations: Mutations::default() };
        let mut decision = Decision::default();
        decide(&mut self.coordinator, view, &mut decision);
        for record in decision.records {
            self.coordinator.replay(view, self.now.wall_ms, &record.key, record.value.as_deref()).unwrap();
            self.log.push(record);
        }
        for (ticket, answer) in decision.answers {
            assert!(self.answers.insert(ticket, answer).is_none(), "{ticket:?} is answered twice");
        }
    }

    /// Everything that is due now.
    pub fn run(&mut self) {
        for _ in 0..10_000 {
            if self.coordinator.next_deadline().is_none_or(|deadline| deadline > self.now.instant) {
                return;
            }
            self.decide(|coordinator, view, decision| coordinator.on_time(view, decision));
        }
        panic!("it is never done");
    }

    pub fn wait(&mut self, ms: u64) {
        let end = self.now.instant.after_ms(ms);
        while let Some(next) = self.coordinator.next_deadline().filter(|next| *next <= end) {
            self.advance(next.max(self.now.instant));
            self.run();
        }
        self.advance(end);
    }

    /// Time passes in which the coordinator is not asked.
    pub fn pass(&mut self, ms: u64) {
        self.advance(self.now.instant.after_ms(ms));
    }

    fn advance(&mut self, to: Instant) {
        self.now.wall_ms += i64::try_from(to.ns_since(self.now.instant) / 1_000_000).unwrap();
        self.now.instant = to;
    }

    pub fn begin(&mut self, ask: GroupAsk) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.decide(|coordinator, view, decision| coordinator.handle(view, ticket, ask, decision));
        self.run();
        ticket
    }

    pub fn forget(&mut self, ticket: Ticket) {
        self.decide(|coordinator, view, decision| coordinator.forget(view, ticket, decision));
        self.run();
    }

    pub fn answer(&mut self, ticket: Ticket) -> Option<GroupReply> {
        self.answers.remove(&ticket)
    }

    pub fn ask(&mut self, ask: GroupAsk) -> GroupReply {
        let ticket = self.begin(ask);
        self.answer(ticket).expect("answered at once")
    }

    pub fn begin_join(&mut self, join: JoinAsk) -> Ticket {
        self.begin(GroupAsk::Join(join))
    }

    pub fn joined(&mut self, ticket: Ticket) -> JoinAnswer {
        match self.answer(ticket).expect("joined by now") {
            Ok(GroupAnswer::Join(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub fn join(&mut self, join: JoinAsk) -> JoinAnswer {
        let ticket = self.begin_join(join);
        self.joined(ticket)
    }

    pub fn begin_sync(&mut self, member: &JoinAnswer, assignments: &[(&str, &'static str)]) -> Ticket {
        let assignments =
            assignments.iter().map(|(id, text)| ((*id).to_owned(), Bytes::from_static(text.as_bytes())));
        self.begin(GroupAsk::Sync(SyncAsk {
            group_id: "g".to_owned(),
            generation_id: member.generation_id,
            member_id: member.member_id.clone(),
            group_instance_id: None,
            protocol_type: None,
            protocol_name: None,
            assignments: assignments.collect(),
        }))
    }

    pub fn synced(&mut self, ticket: Ticket) -> Result<String, ErrorCode> {
        match self.answer(ticket).expect("synced by now") {
            Ok(GroupAnswer::Sync(answer)) => Ok(String::from_utf8(answer.assignment.to_vec()).unwrap()),
            Err(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub fn heartbeat(&mut self, member: &JoinAnswer) -> ErrorCode {
        let ask = HeartbeatAsk {
            group_id: "g".to_owned(),
            generation_id: member.generation_id,
            member_id: member.member_id.clone(),
            group_instance_id: None,
        };
        self.ask(GroupAsk::Heartbeat(ask)).err().unwrap_or(ErrorCode::NONE)
    }

    pub fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Result<Vec<ErrorCode>, ErrorCode> {
        let members = members.iter().map(|(member_id, instance_id)| LeavingMember {
            member_id: (*member_id).to_owned(),
            group_instance_id: instance_id.map(str::to_owned),
            reason: None,
        });
        match self.ask(GroupAsk::Leave(LeaveAsk { group_id: "g".to_owned(), members: members.collect() })) {
            Ok(GroupAnswer::Left(errors)) => Ok(errors),
            Err(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub fn commit(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        offset: i64,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        self.commit_with(CommitAsk {
            member_id: member.to_owned(),
            generation_id: GenerationId(generation),
            ..commit_ask(group, offset)
        })
    }

    fn commit_with(&mut self, ask: CommitAsk) -> Result<Vec<ErrorCode>, ErrorCode> {
        match self.ask(GroupAsk::CommitOffsets(ask)) {
            Ok(GroupAnswer::OffsetsCommitted(errors)) => Ok(errors),
            Err(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    /// Of partition 0 of `t`.
    pub fn committed(&mut self, group: &str) -> i64 {
        let topics =
            Some(vec![FetchTopic { name: "t".to_owned(), topic_id: TopicId::ZERO, partitions: vec![0] }]);
        self.fetch(group, topics)[0].partitions[0].offset.0
    }

    fn fetch(&mut self, group: &str, topics: Option<Vec<FetchTopic>>) -> Vec<FetchedTopic> {
        let ask = FetchAsk {
            group_id: group.to_owned(),
            member_id: None,
            member_epoch: -1,
            require_stable: false,
            topics,
        };
        match self.ask(GroupAsk::FetchOffsets(ask)) {
            Ok(GroupAnswer::OffsetsFetched(topics)) => topics,
            other => panic!("{other:?}"),
        }
    }

    pub fn describe(&mut self) -> DescribedGroup {
        match self.ask(GroupAsk::Describe { group_id: "g".to_owned() }) {
            Ok(GroupAnswer::Described(group)) => group,
            other => panic!("{other:?}"),
        }
    }

    fn list(&mut self, states: &[&str], types: &[&str]) -> Vec<String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        match self.ask(GroupAsk::List(ListAsk { states: owned(states), types: owned(types) })) {
            Ok(GroupAnswer::Listed(rows)) => rows
                .into_iter()
                .map(|row| format!("{} {} {}", row.group_id, row.state, row.protocol_type))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    fn delete(&mut self, group_id: &str) -> Result<(), ErrorCode> {
        self.ask(GroupAsk::Delete { group_id: group_id.to_owned() }).map(|_| ())
    }

    fn delete_offset(&mut self, topic: &str) -> Result<Vec<ErrorCode>, ErrorCode> {
        let partitions = vec![(topic.to_owned(), 0)];
        match self.ask(GroupAsk::DeleteOffsets(DeleteOffsetsAsk { group_id: "g".to_owned(), partitions })) {
            Ok(GroupAnswer::OffsetsDeleted(errors)) => Ok(errors),
            Err(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    /// A group of one consumer of `topic` in generation 1.
    fn with_consumer(settings: &str, topic: &str) -> (World, JoinAnswer) {
        let mut world = World::new(settings);
        let mut subscription = vec![0, 1, 0, 0, 0, 1, 0, u8::try_from(topic.len()).unwrap()];
        subscription.extend_from_slice(topic.as_bytes());
        subscription.extend_from_slice(&[0xff; 4]);
        subscription.extend_from_slice(&[0; 4]);
        let protocols = vec![JoinProtocol { name: "range".to_owned(), metadata: Bytes::from(subscription) }];
        let member = world.join(JoinAsk { protocols, ..join_ask("") });
        let sync = world.begin_sync(&member, &[]);
        world.synced(sync).unwrap();
        (world, member)
    }
}

/// Of version 3: no id is asked for first.
pub(super) fn join_ask(member_id: &str) -> JoinAsk {
    JoinAsk {
        client: GroupClient { client_id: "c".to_owned(), client_host: "/h".to_owned() },
        group_id: "g".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.to_owned(),
        group_instance_id: None,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinProtocol { name: "range".to_owned(), metadata: Bytes::from_static(b"m") }],
        must_know_member_id: false,
        may_skip_assignment: false,
    }
}

fn commit_ask(group: &str, offset: i64) -> CommitAsk {
    CommitAsk {
        group_id: group.to_owned(),
        member_id: String::new(),
        group_instance_id: None,
        generation_id: GenerationId(-1),
        knows_member_epochs: false,
        retention_ms: None,
        partitions: vec![CommitPartition {
            topic: "t".to_owned(),
            topic_id: TopicId([1; 16]),
            partition: 0,
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(3),
            metadata: "note".to_owned(),
        }],
    }
}

#[test]
fn a_group_belongs_to_the_partition_that_java_says() {
    for (group, partitions, expected) in [
        ("", 50, 0),
        ("a", 50, 47),
        ("my-group", 50, 36),
        ("console-consumer-12345", 50, 6),
        ("gruppe-\u{e4}\u{1f980}", 50, 32),
        // Its hash is the smallest int: without its sign that is 0.
        ("polygenelubricants", 50, 0),
    ] {
        assert_eq!(partition_of_group(group, partitions).0, expected, "{group}");
    }
}

#[test]
fn offsets_survive_and_may_go_back() {
    let mut world = World::new("");
    assert_eq!(world.committed("g"), -1);
    for offset in [7, 5, -5] {
        assert_eq!(world.commit("g", "", -1, offset), Ok(vec![ErrorCode::NONE]));
        assert_eq!(world.committed("g"), offset);
        world.reload();
        assert_eq!(world.committed("g"), offset);
    }
    let all = world.fetch("g", None);
    let FetchedOffset { leader_epoch, metadata, .. } = &all[0].partitions[0];
    assert_eq!((all.len(), leader_epoch.0, metadata.as_str()), (1, 3, "note"));
    assert_eq!(world.fetch("nobody", None), []);
}

#[test]
fn an_offset_of_an_earlier_topic_of_the_name_is_not_found() {
    let mut world = World::new("");
    world.commit("g", "", -1, 7).unwrap();
    for (id, offset) in [(1, 7), (9, -1), (0, 7)] {
        let topic = FetchTopic { name: "t".to_owned(), topic_id: TopicId([id; 16]), partitions: vec![0] };
        assert_eq!(world.fetch("g", Some(vec![topic]))[0].partitions[0].offset.0, offset, "{id}");
    }
}

#[test]
fn who_may_commit() {
    let mut world = World::new("");
    for (knows_member_epochs, error) in
        [(false, ErrorCode::ILLEGAL_GENERATION), (true, ErrorCode::GROUP_ID_NOT_FOUND)]
    {
        let ask = CommitAsk { knows_member_epochs, generation_id: GenerationId(0), ..commit_ask("new", 1) };
        assert_eq!(world.commit_with(ask), Err(error));
    }
    let joined = world.join(join_ask(""));
    let me = joined.member_id.as_str();
    assert_eq!(world.commit("g", me, 1, 1), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    let sync = world.begin_sync(&joined, &[]);
    world.synced(sync).unwrap();
    for (member, generation, result) in [
        (me, 1, Ok(vec![ErrorCode::NONE])),
        (me, 2, Err(ErrorCode::ILLEGAL_GENERATION)),
        ("who", 1, Err(ErrorCode::UNKNOWN_MEMBER_ID)),
        ("", 1, Err(ErrorCode::UNKNOWN_MEMBER_ID)),
        ("", -1, Err(ErrorCode::UNKNOWN_MEMBER_ID)),
    ] {
        assert_eq!(world.commit("g", member, generation, 1), result, "{member} {generation}");
    }
    let fenced = CommitAsk {
        group_instance_id: Some("i".to_owned()),
        member_id: me.to_owned(),
        generation_id: GenerationId(1),
        ..commit_ask("g", 1)
    };
    assert_eq!(world.commit_with(fenced), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn long_metadata_is_refused_for_its_partition_alone() {
    let mut world = World::new("offset.metadata.max.bytes=4");
    let mut ask = commit_ask("g", 1);
    let partition = ask.partitions[0].clone();
    ask.partitions.push(CommitPartition { metadata: "notes".to_owned(), partition: 1, ..partition });
    let result = world.commit_with(ask);
    assert_eq!(result, Ok(vec![ErrorCode::NONE, ErrorCode::OFFSET_METADATA_TOO_LARGE]));
}

#[test]
fn offsets_expire_when_nobody_needs_them() {
    let settings = "offsets.retention.minutes=10\noffsets.retention.check.interval.ms=1000";
    const MINUTE_MS: u64 = 60_000;
    // Alone: from the commit on, and the group with them.
    let mut world = World::new(settings);
    world.commit("g", "", -1, 7).unwrap();
    world.wait(9 * MINUTE_MS);
    assert_eq!(world.committed("g"), 7);
    world.wait(2 * MINUTE_MS);
    assert_eq!((world.committed("g"), world.list(&[], &[])), (-1, Vec::new()));
    world.reload();
    assert_eq!((world.committed("g"), world.list(&[], &[])), (-1, Vec::new()));

    // With a consumer of the topic: never. Without: from when the group became empty.
    let (mut world, member) = World::with_consumer(settings, "t");
    world.commit("g", &member.member_id, 1, 7).unwrap();
    for _ in 0..30 * 60 / 5 {
        world.wait(5_000);
        assert_eq!(world.heartbeat(&member), ErrorCode::NONE);
    }
    assert_eq!(world.committed("g"), 7);
    assert_eq!(world.leave(&[(&member.member_id, None)]), Ok(vec![ErrorCode::NONE]));
    world.wait(9 * MINUTE_MS);
    world.reload();
    assert_eq!(world.committed("g"), 7);
    world.wait(2 * MINUTE_MS);
    assert_eq!((world.committed("g"), world.list(&[], &[])), (-1, Vec::new()));

    // With a consumer of another topic: from the commit on; the group stays.
    let (mut world, member) = World::with_consumer(settings, "u");
    world.commit("g", &member.member_id, 1, 7).unwrap();
    for _ in 0..11 * 60 / 5 {
        world.wait(5_000);
        assert_eq!(world.heartbeat(&member), ErrorCode::NONE);
    }
    assert_eq!((world.committed("g"), world.list(&[], &[])), (-1, vec!["g Stable consumer".to_owned()]));

    // With a time of its own.
    let mut world = World::new(settings);
    world.commit_with(CommitAsk { retention_ms: Some(MINUTE_MS), ..commit_ask("g", 7) }).unwrap();
    world.reload();
    assert_eq!(world.committed("g"), 7);
    world.wait(MINUTE_MS + 1_000);
    assert_eq!(world.committed("g"), -1);
}

#[test]
fn offsets_of_a_deleted_topic_go_at_once() {
    let (mut world, member) = World::with_consumer("", "t");
    world.commit("g", &member.member_id, 1, 7).unwrap();
    world.commit("h", "", -1, 7).unwrap();
    world.delete_topic("t");
    assert_eq!((world.committed("g"), world.committed("h")), (-1, -1));
    world.create_topic("t", 1);
    world.reload();
    assert_eq!((world.committed("g"), world.committed("h")), (-1, -1));
}

#[test]
fn a_topic_that_was_deleted_at_the_last_moment_is_noticed_by_a_start() {
    let mut world = World::new("");
    world.commit("g", "", -1, 7).unwrap();
    let id = world.image.names.remove("t").unwrap();
    world.image.topics.remove(&id);
    world.reload();
    assert_eq!(world.committed("g"), -1);
}

#[test]
fn very_many_offsets_go_in_slices() {
    let mut world = World::new("");
    for group in 0..3 {
        let mut ask = commit_ask(&format!("g{group}"), 1);
        let partition = ask.partitions[0].clone();
        ask.partitions =
            (0..5_000).map(|index| CommitPartition { partition: index, ..partition.clone() }).collect();
        world.commit_with(ask).unwrap();
    }
    let before = world.log.len();
    world.delete_topic("t");
    assert_eq!((world.log.len() - before, world.list(&[], &[])), (15_003, Vec::new()));
}

#[test]
fn groups_are_deleted_when_they_are_empty() {
    let (mut world, member) = World::with_consumer("", "t");
    world.commit("g", &member.member_id, 1, 7).unwrap();
    assert_eq!(world.delete("g"), Err(ErrorCode::NON_EMPTY_GROUP));
    assert_eq!(world.delete("who"), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    world.leave(&[(&member.member_id, None)]).unwrap();
    assert_eq!(world.delete("g"), Ok(()));
    assert_eq!((world.committed("g"), world.delete("g")), (-1, Err(ErrorCode::GROUP_ID_NOT_FOUND)));
    world.reload();
    assert_eq!((world.committed("g"), world.list(&[], &[])), (-1, Vec::new()));
}

#[test]
fn offsets_are_deleted_unless_the_topic_is_consumed() {
    assert_eq!(World::new("").delete_offset("t"), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    let (mut world, member) = World::with_consumer("", "u");
    world.commit("g", &member.member_id, 1, 7).unwrap();
    assert_eq!(world.delete_offset("u"), Ok(vec![ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC]));
    assert_eq!((world.delete_offset("t"), world.committed("g")), (Ok(vec![ErrorCode::NONE]), -1));
    // Members of another kind: nobody knows what they consume.
    let mut world = World::new("");
    world.join(JoinAsk { protocol_type: "connect".to_owned(), ..join_ask("") });
    assert_eq!(world.delete_offset("t"), Err(ErrorCode::NON_EMPTY_GROUP));
}

#[test]
fn lists_are_filtered_by_state_and_type() {
    let (mut world, _) = World::with_consumer("", "t");
    world.commit("h", "", -1, 7).unwrap();
    let (stable, empty) = ("g Stable consumer".to_owned(), "h Empty ".to_owned());
    for (states, types, expected) in [
        (&[][..], &[][..], vec![stable.clone(), empty.clone()]),
        (&["stable"], &[], vec![stable.clone()]),
        (&["Empty", "Dead"], &["Classic"], vec![empty.clone()]),
        (&[], &["consumer"], vec![]),
        (&["PreparingRebalance"], &[], vec![]),
    ] {
        assert_eq!(world.list(states, types), expected, "{states:?} {types:?}");
    }
}
