//! Consumer groups in their coordinator, and groups that change their protocol with members in them.

use bytes::BytesMut;
use protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolAssignmentTopicPartition, ConsumerProtocolSubscription,
    ConsumerProtocolSubscriptionTopicPartition,
};
use protocol::{Message, Piece, Reader, Writer};

use super::tests::World;
use super::*;
use crate::model::consumer_group::{
    ConsumerHeartbeatAnswer, ConsumerHeartbeatAsk, DescribedConsumerGroup, MemberId, Refusal,
};
use crate::model::group::{
    CommitPartition, DeleteOffsetsAsk, GroupClient, JoinAnswer, JoinProtocol, LeaveAsk, LeavingMember,
    ListAsk, SyncAsk,
};
use crate::model::{Assignment, GenerationId, LeaderEpoch, Offset, PartitionIndex, TopicId};

pub(super) fn encoded<'m, M: Message<'m>>(message: &M) -> bytes::Bytes {
    let mut writer = Writer::new();
    writer.put(&1i16.to_be_bytes());
    message.encode(&mut writer, 1).unwrap();
    let mut bytes = BytesMut::new();
    for piece in writer.finish() {
        if let Piece::Bytes(piece) = piece {
            bytes.extend_from_slice(&piece);
        }
    }
    bytes.freeze()
}

pub(super) fn subscription(topic: &str, owned: &[i32]) -> bytes::Bytes {
    let owned_partitions =
        vec![ConsumerProtocolSubscriptionTopicPartition { topic, partitions: owned.to_vec().into() }];
    encoded(&ConsumerProtocolSubscription {
        topics: vec![topic].into(),
        owned_partitions: owned_partitions.into(),
        ..ConsumerProtocolSubscription::default()
    })
}

pub(super) fn assigned(topic: &str, partitions: &[i32], user_data: Option<&[u8]>) -> bytes::Bytes {
    let partitions = partitions.to_vec().into();
    let assigned_partitions = vec![ConsumerProtocolAssignmentTopicPartition { topic, partitions }].into();
    encoded(&ConsumerProtocolAssignment { assigned_partitions, user_data })
}

/// The partitions that a SyncGroup tells of, all topics together.
pub(super) fn read_assignment(bytes: &[u8]) -> Vec<i32> {
    let mut reader = Reader::new(bytes);
    assert_eq!(i16::from_be_bytes(reader.take_array().unwrap()), 1);
    let assignment = ConsumerProtocolAssignment::decode(&mut reader, 1).unwrap();
    assignment
        .assigned_partitions
        .iter()
        .flat_map(|topic| topic.partitions.iter().collect::<Vec<_>>())
        .collect()
}

pub(super) fn classic(member_id: &str, metadata: bytes::Bytes) -> JoinAsk {
    JoinAsk {
        client: GroupClient { client_id: "old".to_owned(), client_host: "/127.0.0.1".to_owned() },
        group_id: "g".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.to_owned(),
        group_instance_id: None,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinProtocol { name: "cooperative-sticky".to_owned(), metadata }],
        must_know_member_id: false,
        may_skip_assignment: false,
    }
}

pub(super) fn consumer(member_id: &str, epoch: i32) -> ConsumerHeartbeatAsk {
    let joins = epoch == 0;
    ConsumerHeartbeatAsk {
        api_version: 1,
        group_id: "g".to_owned(),
        member_id: member_id.into(),
        member_epoch: GroupEpoch(epoch),
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: if joins { 60_000 } else { -1 },
        subscribed_topic_names: joins.then(|| ["t".into()].into()),
        subscribed_topic_regex: None,
        server_assignor: None,
        topic_partitions: joins.then(Assignment::default),
        client_id: "new".into(),
        client_host: "/127.0.0.1".into(),
    }
}

fn owning(member_id: &str, epoch: i32, partitions: &[i32]) -> ConsumerHeartbeatAsk {
    let partitions: Vec<PartitionIndex> = partitions.iter().copied().map(PartitionIndex).collect();
    let owned = [(TopicId([1; 16]), partitions)].into_iter().collect();
    ConsumerHeartbeatAsk { topic_partitions: Some(owned), ..consumer(member_id, epoch) }
}

impl World {
    pub(super) fn beat(&mut self, ask: ConsumerHeartbeatAsk) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        match self.ask(GroupAsk::ConsumerHeartbeat(ask)) {
            Ok(GroupAnswer::ConsumerHeard(heard)) => heard,
            other => panic!("{other:?}"),
        }
    }

    fn beat_error(&mut self, ask: ConsumerHeartbeatAsk) -> ErrorCode {
        self.beat(ask).unwrap_err().error
    }

    fn sync(&mut self, member: &JoinAnswer) -> Result<Vec<i32>, ErrorCode> {
        let sync = SyncAsk {
            group_id: "g".to_owned(),
            generation_id: member.generation_id,
            member_id: member.member_id.clone(),
            group_instance_id: None,
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("cooperative-sticky".to_owned()),
            assignments: Vec::new(),
        };
        match self.ask(GroupAsk::Sync(sync))? {
            GroupAnswer::Sync(answer) => Ok(read_assignment(&answer.assignment)),
            other => panic!("{other:?}"),
        }
    }

    /// One classic member that has all of `t`.
    fn one_classic_member(&mut self) -> JoinAnswer {
        let joined = self.join(classic("", subscription("t", &[])));
        assert_eq!(joined.error, ErrorCode::NONE);
        let sync = SyncAsk {
            group_id: "g".to_owned(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: None,
            protocol_type: None,
            protocol_name: None,
            assignments: vec![(joined.member_id.clone(), assigned("t", &[0, 1, 2, 3], None))],
        };
        assert!(self.ask(GroupAsk::Sync(sync)).is_ok());
        joined
    }

    /// As a member that knows the errors of consumer groups.
    fn commit_as(&mut self, member_id: &str, epoch: i32, offset: i64) -> Result<Vec<ErrorCode>, ErrorCode> {
        let partition = CommitPartition {
            topic: "t".to_owned(),
            topic_id: TopicId([1; 16]),
            partition: 0,
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(0),
            metadata: String::new(),
        };
        let commit = CommitAsk {
            group_id: "g".to_owned(),
            member_id: member_id.to_owned(),
            group_instance_id: None,
            generation_id: GenerationId(epoch),
            knows_member_epochs: true,
            retention_ms: None,
            partitions: vec![partition],
        };
        match self.ask(GroupAsk::CommitOffsets(commit))? {
            GroupAnswer::OffsetsCommitted(errors) => Ok(errors),
            other => panic!("{other:?}"),
        }
    }

    fn listed_type(&mut self) -> (&'static str, &'static str) {
        match self.ask(GroupAsk::List(ListAsk { states: Vec::new(), types: Vec::new() })) {
            Ok(GroupAnswer::Listed(groups)) => {
                let group = groups.iter().find(|group| group.group_id == "g").unwrap();
                assert_eq!(group.protocol_type, "consumer");
                (group.group_type, group.state)
            }
            other => panic!("{other:?}"),
        }
    }

    fn describe_consumer_group(&mut self) -> DescribedConsumerGroup {
        match self.ask(GroupAsk::DescribeConsumerGroup { group_id: "g".to_owned() }) {
            Ok(GroupAnswer::ConsumerGroupDescribed(group)) => group,
            other => panic!("{other:?}"),
        }
    }

    fn partitions_of(&mut self, member_id: &str) -> Vec<i32> {
        let group = self.describe_consumer_group();
        let member = group.members.iter().find(|member| member.member_id.as_str() == member_id).unwrap();
        member
            .assignment
            .iter()
            .flat_map(|(_, _, partitions)| partitions)
            .map(|partition| partition.0)
            .collect()
    }

    /// Everything that the log says, from the beginning.
    fn types_after_a_start(&mut self) -> (&'static str, &'static str) {
        self.reload();
        self.listed_type()
    }
}

#[test]
fn a_group_of_consumers_is_made_kept_and_deleted() {
    let mut world = World::new("");
    let answer = world.beat(consumer("m", 0)).unwrap();
    assert_eq!((answer.member_epoch, answer.heartbeat_interval_ms), (GroupEpoch(2), 5_000));
    assert_eq!(answer.assignment.unwrap().partition_count(), 4);
    assert_eq!(world.listed_type(), ("consumer", "Stable"));
    assert_eq!(world.types_after_a_start(), ("consumer", "Stable"));
    let described = world.describe_consumer_group();
    assert_eq!((described.members.len(), described.assignor), (1, "uniform"));
    assert!(!described.members[0].is_classic);
    let delete = || GroupAsk::Delete { group_id: "g".to_owned() };
    assert_eq!(world.ask(delete()), Err(ErrorCode::NON_EMPTY_GROUP));
    let describe = GroupAsk::Describe { group_id: "g".to_owned() };
    assert_eq!(world.ask(describe), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    world.beat(consumer("m", -1)).unwrap();
    assert_eq!(world.listed_type(), ("consumer", "Empty"));
    assert_eq!(world.ask(delete()), Ok(GroupAnswer::Deleted));
    assert_eq!(world.ask(delete()), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    world.reload();
    assert_eq!(world.ask(delete()), Err(ErrorCode::GROUP_ID_NOT_FOUND));
}

#[test]
fn a_group_that_is_not_there_is_not_found() {
    let mut world = World::new("");
    assert_eq!(world.beat_error(consumer("m", 1)), ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(world.beat_error(consumer("m", -1)), ErrorCode::GROUP_ID_NOT_FOUND);
    // Whoever is refused makes no group.
    let bad = ConsumerHeartbeatAsk { subscribed_topic_regex: Some("(".into()), ..consumer("m", 0) };
    assert_eq!(world.beat_error(bad), ErrorCode::INVALID_REGULAR_EXPRESSION);
    let describe = GroupAsk::DescribeConsumerGroup { group_id: "g".to_owned() };
    assert_eq!(world.ask(describe), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    assert!(world.log.is_empty());
}

#[test]
fn a_group_that_begins_with_a_regular_expression_has_an_epoch_less() {
    let mut world = World::new("");
    let join = ConsumerHeartbeatAsk {
        subscribed_topic_names: None,
        subscribed_topic_regex: Some("t".into()),
        ..consumer("m", 0)
    };
    assert_eq!(world.beat(join).unwrap().member_epoch, GroupEpoch(1));
    // It was looked up meanwhile.
    let answer = world.beat(consumer("m", 1)).unwrap();
    assert_eq!((answer.member_epoch, answer.assignment.unwrap().partition_count()), (GroupEpoch(2), 4));
    assert_eq!(world.types_after_a_start(), ("consumer", "Stable"));
    assert_eq!(world.describe_consumer_group().group_epoch, GroupEpoch(2));
}

#[test]
fn in_version_0_the_broker_chooses_the_id() {
    let mut world = World::new("");
    let join = ConsumerHeartbeatAsk { api_version: 0, ..consumer("", 0) };
    let first = world.beat(join.clone()).unwrap().member_id;
    let second = world.beat(join).unwrap().member_id;
    assert_eq!(first.as_str().len(), 22);
    assert_ne!(first, second);
    assert_eq!(world.describe_consumer_group().members.len(), 2);
}

#[test]
fn a_silent_consumer_is_put_out() {
    let mut world = World::new("");
    world.beat(consumer("m", 0)).unwrap();
    world.wait(44_999);
    assert_eq!(world.listed_type().1, "Stable");
    world.wait(1);
    assert_eq!(world.listed_type().1, "Empty");
    assert_eq!(world.beat_error(consumer("m", 1)), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn commits_are_checked_by_the_members_epoch() {
    let mut world = World::new("");
    world.beat(consumer("m", 0)).unwrap();
    assert_eq!(world.commit_as("m", 2, 7), Ok(vec![ErrorCode::NONE]));
    assert_eq!(world.commit("g", "m", 2, 8), Err(ErrorCode::UNSUPPORTED_VERSION));
    assert_eq!(world.commit_as("m", 3, 8), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(world.commit_as("n", 2, 8), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(world.commit_as("", -1, 8), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    // What it has had since the epoch before, it may still commit with that.
    world.beat(consumer("n", 0)).unwrap();
    world.beat(owning("m", 2, &[0, 1])).unwrap();
    world.beat(owning("m", 2, &[0, 1])).unwrap();
    assert_eq!(world.commit_as("m", 2, 7), Ok(vec![ErrorCode::NONE]));
    assert_eq!(world.commit_as("n", 2, 8), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(world.committed("g"), 7);
    let subscribed = DeleteOffsetsAsk { group_id: "g".to_owned(), partitions: vec![("t".to_owned(), 0)] };
    let expected = GroupAnswer::OffsetsDeleted(vec![ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC]);
    assert_eq!(world.ask(GroupAsk::DeleteOffsets(subscribed)), Ok(expected));
}

#[test]
fn offsets_of_a_consumer_group_stay_while_they_are_subscribed_to() {
    let mut world = World::new("offsets.retention.minutes=1");
    world.beat(consumer("m", 0)).unwrap();
    assert_eq!(world.commit_as("m", 2, 7), Ok(vec![ErrorCode::NONE]));
    for _ in 0..60 {
        world.wait(20_000);
        world.beat(consumer("m", 2)).unwrap();
    }
    assert_eq!(world.committed("g"), 7);
    world.beat(consumer("m", -1)).unwrap();
    world.wait(1_200_000);
    assert_eq!(world.committed("g"), -1);
    let describe = GroupAsk::DescribeConsumerGroup { group_id: "g".to_owned() };
    assert_eq!(world.ask(describe), Err(ErrorCode::GROUP_ID_NOT_FOUND));
}

#[test]
fn empty_groups_become_what_the_next_member_speaks() {
    let mut world = World::new("");
    assert_eq!(world.commit("g", "", -1, 7), Ok(vec![ErrorCode::NONE]));
    world.beat(consumer("m", 0)).unwrap();
    assert_eq!(world.types_after_a_start(), ("consumer", "Stable"));
    world.beat(consumer("m", -1)).unwrap();
    world.one_classic_member();
    assert_eq!(world.types_after_a_start(), ("classic", "Stable"));
    world.wait(20_000);
    assert_eq!(world.listed_type(), ("classic", "Empty"));
    world.beat(consumer("m", 0)).unwrap();
    assert_eq!(world.types_after_a_start(), ("consumer", "Stable"));
    assert_eq!(world.committed("g"), 7);
}

#[test]
fn a_classic_group_takes_a_member_of_the_new_protocol_and_shares_with_it() {
    let mut world = World::new("");
    let old = world.one_classic_member();
    let answer = world.beat(consumer("m", 0)).unwrap();
    // The group goes on from the generation that it had.
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(2), Some(Assignment::default())));
    assert_eq!(world.listed_type(), ("consumer", "Reconciling"));
    assert_eq!(world.types_after_a_start(), ("consumer", "Reconciling"));

    // The old member owns all until it says otherwise, in its own protocol.
    assert_eq!(world.partitions_of(&old.member_id), [0, 1, 2, 3]);
    assert_eq!(world.heartbeat(&old), ErrorCode::REBALANCE_IN_PROGRESS);
    let joined = world.join(classic(&old.member_id, subscription("t", &[0, 1, 2, 3])));
    assert_eq!(
        (joined.error, joined.generation_id, joined.leader.as_str()),
        (ErrorCode::NONE, old.generation_id, "")
    );
    assert_eq!(joined.protocol_name.as_deref(), Some("cooperative-sticky"));
    assert_eq!(world.sync(&joined), Ok(vec![0, 1]));
    assert_eq!(world.beat(consumer("m", 2)).unwrap().assignment, None);
    // It still has to say that it gave up the others.
    assert_eq!(world.heartbeat(&joined), ErrorCode::REBALANCE_IN_PROGRESS);
    let joined = world.join(classic(&old.member_id, subscription("t", &[0, 1])));
    assert_eq!((joined.error, joined.generation_id), (ErrorCode::NONE, GenerationId(2)));
    assert_eq!(world.sync(&joined), Ok(vec![0, 1]));
    assert_eq!(world.heartbeat(&joined), ErrorCode::NONE);
    assert_eq!(world.beat(consumer("m", 2)).unwrap().assignment.unwrap().partition_count(), 2);
    assert_eq!(world.listed_type(), ("consumer", "Stable"));
    let described = world.describe_consumer_group();
    let kinds: Vec<bool> = described.members.iter().map(|member| member.is_classic).collect();
    assert_eq!(kinds.iter().filter(|is_classic| **is_classic).count(), 1);
    assert_eq!(world.commit("g", &old.member_id, 2, 5), Ok(vec![ErrorCode::NONE]));
    assert_eq!(world.commit("g", &old.member_id, 3, 5), Err(ErrorCode::ILLEGAL_GENERATION));
}

#[test]
fn when_the_last_new_member_goes_the_group_is_classic_again() {
    for (silently, starts_anew) in [(false, false), (true, false), (false, true)] {
        let mut world = World::new("");
        let old = world.one_classic_member();
        world.beat(consumer("m", 0)).unwrap();
        let joined = world.join(classic(&old.member_id, subscription("t", &[])));
        assert_eq!(world.sync(&joined), Ok(vec![0, 1]));
        if silently {
            for _ in 0..9 {
                world.wait(5_000);
                world.heartbeat(&joined);
            }
        } else {
            world.beat(consumer("m", -1)).unwrap();
        }
        if starts_anew {
            world.reload();
        }
        assert_eq!(world.listed_type(), ("classic", "PreparingRebalance"), "{silently} {starts_anew}");
        assert_eq!(world.heartbeat(&joined), ErrorCode::REBALANCE_IN_PROGRESS);
        let rejoined = world.join(classic(&old.member_id, subscription("t", &[0, 1])));
        assert_eq!((rejoined.error, &rejoined.leader), (ErrorCode::NONE, &old.member_id));
        assert!(rejoined.generation_id > joined.generation_id);
        assert_eq!(world.types_after_a_start().0, "classic");
    }
}

#[test]
fn a_classic_member_may_leave_a_group_of_both() {
    let mut world = World::new("");
    let old = world.one_classic_member();
    world.beat(consumer("m", 0)).unwrap();
    assert_eq!(
        world.leave(&[("nobody", None), (&old.member_id, None)]),
        Ok(vec![ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::NONE])
    );
    let answer = world.beat(consumer("m", 2)).unwrap();
    assert_eq!((answer.member_epoch, answer.assignment.unwrap().partition_count()), (GroupEpoch(3), 4));
    // An administrator may send away the other one too.
    let leave = LeavingMember { member_id: "m".to_owned(), group_instance_id: None, reason: None };
    let leave = GroupAsk::Leave(LeaveAsk { group_id: "g".to_owned(), members: vec![leave] });
    assert_eq!(world.ask(leave), Ok(GroupAnswer::Left(vec![ErrorCode::NONE])));
    assert_eq!(world.listed_type(), ("consumer", "Empty"));
}

#[test]
fn a_classic_member_joins_a_consumer_group() {
    let mut world = World::new("");
    world.beat(consumer("m", 0)).unwrap();
    let known = JoinAsk { must_know_member_id: true, ..classic("", subscription("t", &[])) };
    let joined = world.join(known);
    assert_eq!(joined.error, ErrorCode::MEMBER_ID_REQUIRED);
    let joined = world.join(classic(&joined.member_id, subscription("t", &[])));
    assert_eq!((joined.error, joined.generation_id), (ErrorCode::NONE, GenerationId(3)));
    assert_eq!(world.sync(&joined), Ok(vec![]));
    // What it waits for is not free yet, so there is no reason to join again.
    assert_eq!(world.heartbeat(&joined), ErrorCode::NONE);
    world.beat(owning("m", 2, &[0, 1, 2, 3])).unwrap();
    world.beat(owning("m", 2, &[0, 1])).unwrap();
    assert_eq!(world.heartbeat(&joined), ErrorCode::REBALANCE_IN_PROGRESS);
    let joined = world.join(classic(&joined.member_id, subscription("t", &[])));
    assert_eq!(world.sync(&joined), Ok(vec![2, 3]));
    // One that does not join when it is told to is put out.
    world.beat(consumer("n", 0)).unwrap();
    for _ in 0..13 {
        world.heartbeat(&joined);
        world.beat(consumer("m", 3)).ok();
        world.wait(5_000);
    }
    assert_eq!(world.heartbeat(&joined), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn what_is_no_consumer_does_not_join_a_consumer_group() {
    let mut world = World::new("");
    world.beat(consumer("m", 0)).unwrap();
    let mut other_type = classic("", subscription("t", &[]));
    other_type.protocol_type = "connect".to_owned();
    let no_protocols = JoinAsk { protocols: Vec::new(), ..classic("", subscription("t", &[])) };
    let garbage = classic("", bytes::Bytes::from_static(&[0]));
    for ask in [other_type, no_protocols, garbage] {
        assert_eq!(world.join(ask).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    world.join(classic("", subscription("t", &[])));
    let mut stranger = classic("", subscription("t", &[]));
    stranger.protocols[0].name = "range".to_owned();
    assert_eq!(world.join(stranger).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}

#[test]
fn what_cannot_be_upgraded_stays_as_it_is() {
    let check = |settings: &str, assignment: bytes::Bytes, metadata: bytes::Bytes| {
        let mut world = World::new(settings);
        let joined = world.join(classic("", metadata));
        let sync = SyncAsk {
            group_id: "g".to_owned(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: None,
            protocol_type: None,
            protocol_name: None,
            assignments: vec![(joined.member_id.clone(), assignment)],
        };
        assert!(world.ask(GroupAsk::Sync(sync)).is_ok());
        let written = world.log.len();
        assert_eq!(world.beat_error(consumer("m", 0)), ErrorCode::GROUP_ID_NOT_FOUND);
        assert_eq!(world.log.len(), written);
        assert_eq!(world.heartbeat(&joined), ErrorCode::NONE);
        assert_eq!(world.listed_type(), ("classic", "Stable"));
    };
    let all = || assigned("t", &[0, 1, 2, 3], None);
    let good = || subscription("t", &[]);
    check("group.consumer.migration.policy=disabled", all(), good());
    check("group.consumer.migration.policy=downgrade", all(), good());
    check("", assigned("t", &[0], Some(b"x")), good());
    check("", bytes::Bytes::from_static(&[9]), good());
    check("", all(), bytes::Bytes::from_static(&[0, 0, 0]));
}

#[test]
fn policies_forbid_either_way() {
    let mut world = World::new("group.consumer.migration.policy=disabled");
    world.beat(consumer("m", 0)).unwrap();
    assert_eq!(world.join(classic("", subscription("t", &[]))).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let mut world = World::new("group.consumer.migration.policy=upgrade");
    let old = world.one_classic_member();
    world.beat(consumer("m", 0)).unwrap();
    world.beat(consumer("m", -1)).unwrap();
    assert_eq!(world.listed_type().0, "consumer");
    // Alone among its kind, the old member has a group all the same.
    let joined = world.join(classic(&old.member_id, subscription("t", &[0, 1, 2, 3])));
    assert_eq!(world.sync(&joined), Ok(vec![0, 1, 2, 3]));
    assert_eq!(world.heartbeat(&joined), ErrorCode::NONE);
    world.create_topic("t", 9);
    world.image.version += 1;
    assert_eq!(world.heartbeat(&joined), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn whoever_waits_in_a_classic_group_is_sent_to_the_new_one() {
    let mut world = World::new("");
    let old = world.one_classic_member();
    let waiting = world.begin_join(classic("", subscription("t", &[])));
    assert_eq!(world.answer(waiting), None);
    world.beat(consumer("m", 0)).unwrap();
    assert_eq!(world.joined(waiting).error, ErrorCode::REBALANCE_IN_PROGRESS);
    let group = world.describe_consumer_group();
    assert_eq!(group.members.len(), 3);
    assert!(group.members.iter().any(|member| member.member_id == MemberId::from(old.member_id.as_str())));
}

#[test]
fn a_static_member_may_change_its_protocol() {
    let mut world = World::new("");
    let join = JoinAsk { group_instance_id: Some("i".to_owned()), ..classic("", subscription("t", &[])) };
    let joined = world.join(join);
    let sync = SyncAsk {
        group_id: "g".to_owned(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        group_instance_id: Some("i".to_owned()),
        protocol_type: None,
        protocol_name: None,
        assignments: vec![(joined.member_id.clone(), assigned("t", &[0, 1, 2, 3], None))],
    };
    assert!(world.ask(GroupAsk::Sync(sync)).is_ok());
    let answer =
        world.beat(ConsumerHeartbeatAsk { instance_id: Some("i".into()), ..consumer("m", 0) }).unwrap();
    assert_eq!(answer.assignment.unwrap().partition_count(), 4);
    let group = world.describe_consumer_group();
    assert_eq!(group.members.len(), 1);
    assert!(!group.members[0].is_classic);
    assert_eq!(world.types_after_a_start(), ("consumer", "Stable"));
}
