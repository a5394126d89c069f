//! Joining, sharing, giving up, leaving; static members; changes of topics.

use super::*;

#[test]
fn the_first_member_gets_everything_in_its_first_answer() {
    let mut world = World::new(&[("t", 3)]);
    let answer = world.beat_ok(&join("a", &["t"]));
    assert_eq!(answer.member_epoch, GroupEpoch(1));
    assert_eq!(answer.heartbeat_interval_ms, 5_000);
    assert_eq!(answer.assignment, Some(assignment(&[(1, &[0, 1, 2])])));
    assert_eq!(world.group.state(), GroupState::Stable);
    // Nothing has changed, so nothing is said.
    let answer = world.beat_ok(&still("a", 1));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(1), None));
    assert_eq!(world.group.group_epoch, GroupEpoch(1));
}

#[test]
fn a_second_member_waits_until_the_first_has_given_up() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    let both = assignment(&[(1, &[0, 1])]);
    let answer = world.beat_ok(&join("b", &["t"]));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(2), Some(Assignment::default())));
    assert_eq!(world.state_of("b"), (2, MemberState::UnreleasedPartitions));
    assert_eq!(world.group.state(), GroupState::Reconciling);

    // The first is told to give one up, and stays in its epoch until it says that it did.
    let answer = world.beat_ok(&owning("a", 1, &both));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(1), Some(assignment(&[(1, &[0])]))));
    assert_eq!(world.state_of("a"), (1, MemberState::UnrevokedPartitions));
    assert_eq!(world.beat_ok(&still("b", 2)).assignment, None);
    assert_eq!(world.beat_ok(&still("a", 1)).member_epoch, GroupEpoch(1));
    assert_eq!(world.beat_ok(&owning("a", 1, &both)).member_epoch, GroupEpoch(1));

    let answer = world.beat_ok(&owning("a", 1, &assignment(&[(1, &[0])])));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(2), None));
    let answer = world.beat_ok(&still("b", 2));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(2), Some(assignment(&[(1, &[1])]))));
    assert_eq!(world.group.state(), GroupState::Stable);
    world.restart();
}

#[test]
fn a_member_that_leaves_leaves_its_partitions_to_others() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    world.beat_ok(&join("b", &["t"]));
    let answer = world.beat_ok(&still("a", -1));
    assert_eq!((answer.member_id.as_str(), answer.member_epoch), ("a", GroupEpoch(-1)));
    assert_eq!(world.group.members.len(), 1);
    assert_eq!(world.group.group_epoch, GroupEpoch(3));
    let answer = world.beat_ok(&owning("b", 2, &Assignment::default()));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(3), Some(assignment(&[(1, &[0, 1])]))));
    world.beat_ok(&still("b", -1));
    assert_eq!(world.group.state(), GroupState::Empty);
    assert_eq!(world.group.next_deadline(), None);
    world.restart();
}

#[test]
fn a_lost_answer_may_be_asked_for_again_with_the_epoch_before() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    world.beat_ok(&join("b", &["t"]));
    let one = assignment(&[(1, &[0])]);
    world.beat_ok(&owning("a", 1, &assignment(&[(1, &[0, 1])])));
    assert_eq!(world.beat_ok(&owning("a", 1, &one)).member_epoch, GroupEpoch(2));
    // It never came, so the member is still at 1; it owns nothing but what it may.
    assert_eq!(world.beat_ok(&owning("a", 1, &one)).member_epoch, GroupEpoch(2));
    expect_error(world.beat(&owning("a", 1, &assignment(&[(1, &[0, 1])]))), ErrorCode::FENCED_MEMBER_EPOCH);
    expect_error(world.beat(&still("a", 1)), ErrorCode::FENCED_MEMBER_EPOCH);
    expect_error(world.beat(&owning("a", 3, &one)), ErrorCode::FENCED_MEMBER_EPOCH);
}

#[test]
fn a_member_that_joins_again_is_told_all() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    let answer = world.beat_ok(&join("a", &["t"]));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(1), Some(assignment(&[(1, &[0, 1])]))));
    assert_eq!(world.group.group_epoch, GroupEpoch(1));
}

#[test]
fn a_full_request_is_answered_in_full() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    let all = assignment(&[(1, &[0, 1])]);
    let full = ConsumerHeartbeatAsk {
        member_epoch: GroupEpoch(1),
        topic_partitions: Some(all.clone()),
        ..join("a", &["t"])
    };
    assert_eq!(world.beat_ok(&full).assignment, Some(all));
}

#[test]
fn another_subscription_takes_effect_at_once() {
    let mut world = World::new(&[("t", 1), ("u", 1)]);
    world.beat_ok(&join("a", &["t"]));
    let changed = ConsumerHeartbeatAsk { member_epoch: GroupEpoch(1), ..join("a", &["u"]) };
    let changed = ConsumerHeartbeatAsk { topic_partitions: Some(assignment(&[(1, &[0])])), ..changed };
    let answer = world.beat_ok(&changed);
    // The old topic first: it is given up at the old epoch.
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(1), Some(Assignment::default())));
    let answer = world.beat_ok(&owning("a", 1, &Assignment::default()));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(2), Some(assignment(&[(2, &[0])]))));
}

#[test]
fn a_topic_that_comes_grows_or_goes_makes_another_epoch() {
    let mut world = World::new(&[]);
    assert_eq!(world.beat_ok(&join("a", &["t"])).assignment, Some(Assignment::default()));
    world.create_topic("other", 1);
    world.beat_ok(&still("a", 1));
    assert_eq!(world.group.group_epoch, GroupEpoch(1));
    world.create_topic("t", 1);
    let answer = world.beat_ok(&still("a", 1));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(2), Some(assignment(&[(2, &[0])]))));
    world.grow_topic("t", 2);
    let answer = world.beat_ok(&still("a", 2));
    assert_eq!(
        (answer.member_epoch, answer.assignment),
        (GroupEpoch(3), Some(assignment(&[(2, &[0, 1, 2])])))
    );
    // Deleted, and made again under another id.
    world.delete_topic("t");
    world.create_topic("t", 1);
    let answer = world.beat_ok(&owning("a", 3, &assignment(&[(2, &[0, 1, 2])])));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(3), Some(Assignment::default())));
    let answer = world.beat_ok(&owning("a", 3, &Assignment::default()));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(4), Some(assignment(&[(3, &[0])]))));
}

#[test]
fn a_refused_heartbeat_does_not_swallow_a_new_image() {
    let mut world = World::new(&[("t", 1)]);
    world.beat_ok(&join("a", &["t"]));
    world.grow_topic("t", 1);
    let bad = ConsumerHeartbeatAsk {
        member_epoch: GroupEpoch(1),
        subscribed_topic_regex: Some("(".into()),
        ..still("a", 1)
    };
    expect_error(world.beat(&bad), ErrorCode::INVALID_REGULAR_EXPRESSION);
    assert_eq!(world.beat_ok(&still("a", 1)).member_epoch, GroupEpoch(2));
}

#[test]
fn a_static_member_that_leaves_for_a_while_has_its_partitions_when_it_is_back() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join_static("a", "i", &["t"]));
    let leave = ConsumerHeartbeatAsk { instance_id: Some("i".into()), ..still("a", -2) };
    assert_eq!(world.beat_ok(&leave).member_epoch, GroupEpoch(-2));
    assert_eq!(world.state_of("a"), (-2, MemberState::Stable));
    world.restart();
    let answer = world.beat_ok(&join_static("a2", "i", &["t"]));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(1), Some(assignment(&[(1, &[0, 1])]))));
    assert_eq!(world.group.group_epoch, GroupEpoch(1));
    assert_eq!(world.group.members.keys().map(MemberId::as_str).collect::<Vec<_>>(), ["a2"]);
    assert_eq!(world.group.timers.next(), Some(world.now.instant.after_ms(SESSION_MS)));
    // The process that was replaced is told so.
    let old = ConsumerHeartbeatAsk { instance_id: Some("i".into()), ..still("a", 1) };
    expect_error(world.beat(&old), ErrorCode::FENCED_INSTANCE_ID);
    world.restart();
}

#[test]
fn a_static_member_comes_back_with_another_subscription() {
    let mut world = World::new(&[("t", 2), ("u", 1)]);
    world.beat_ok(&join_static("a", "i", &["t"]));
    world.beat_ok(&ConsumerHeartbeatAsk { instance_id: Some("i".into()), ..still("a", -2) });
    let answer = world.beat_ok(&join_static("a2", "i", &["u"]));
    // It owns nothing, so there is nothing to give up.
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(2), Some(assignment(&[(2, &[0])]))));
    world.restart();
}

#[test]
fn the_instance_id_of_a_living_member_is_not_given_away() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join_static("a", "i", &["t"]));
    expect_error(world.beat(&join_static("b", "i", &["t"])), ErrorCode::UNRELEASED_INSTANCE_ID);
    let unknown = ConsumerHeartbeatAsk { instance_id: Some("j".into()), ..still("a", 1) };
    expect_error(world.beat(&unknown), ErrorCode::UNKNOWN_MEMBER_ID);
    let answer = world.beat_ok(&ConsumerHeartbeatAsk { instance_id: Some("i".into()), ..still("a", -1) });
    assert_eq!(answer.member_epoch, GroupEpoch(-1));
    world.beat_ok(&join_static("b", "i", &["t"]));
}

#[test]
fn members_choose_the_assignor_by_majority() {
    let mut world = World::new(&[("t", 4), ("u", 4)]);
    let range = |member_id| ConsumerHeartbeatAsk {
        server_assignor: Some("range".into()),
        ..join(member_id, &["t", "u"])
    };
    world.beat_ok(&join("a", &["t", "u"]));
    assert_eq!(world.group.describe(world.view()).assignor, "uniform");
    world.beat_ok(&range("b"));
    assert_eq!(world.group.describe(world.view()).assignor, "range");
    assert_eq!(world.group.targets["a"], assignment(&[(1, &[0, 1]), (2, &[0, 1])]));
    assert_eq!(world.group.targets["b"], assignment(&[(1, &[2, 3]), (2, &[2, 3])]));
}

impl World {
    fn view(&self) -> View<'_> {
        View { now: self.now, image: &self.image, config: &self.config, mutations: Mutations::default() }
    }
}

#[test]
fn a_group_is_described_with_names() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    world.beat_ok(&join("b", &["t"]));
    let described = world.group.describe(world.view());
    assert_eq!(described.state, "Reconciling");
    assert_eq!((described.group_epoch, described.assignment_epoch), (GroupEpoch(2), GroupEpoch(2)));
    let partitions = |numbers: &[i32]| {
        vec![(TopicId([1; 16]), "t".into(), numbers.iter().copied().map(PartitionIndex).collect())]
    };
    let a = &described.members[0];
    assert_eq!((a.member_epoch, &a.assignment), (GroupEpoch(1), &partitions(&[0, 1])));
    assert_eq!(a.target, partitions(&[0]));
    let b = &described.members[1];
    assert_eq!((b.member_epoch, &b.assignment, &b.target), (GroupEpoch(2), &vec![], &partitions(&[1])));
    assert!(world.group.subscribes_to("t") && !world.group.subscribes_to("u"));
}

#[test]
fn a_deleted_group_leaves_nothing() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    world.beat_ok(&ConsumerHeartbeatAsk { subscribed_topic_regex: Some("t".into()), ..join("b", &[]) });
    world.run_timers();
    let mut records = Vec::new();
    world.group.delete(&mut records);
    let mut left: BTreeMap<_, _> =
        world.log.iter().chain(&records).map(|record| (&record.key, &record.value)).collect();
    left.retain(|_, value| value.is_some());
    assert_eq!(left, BTreeMap::new());
}

#[test]
fn the_record_of_an_older_broker_is_taken_away_at_the_next_epoch() {
    let mut world = World::new(&[("t", 1)]);
    let old = protocol::messages::group_record::ConsumerGroupPartitionMetadataValue::default();
    world
        .group
        .replay(&crate::group::records::MemberRecord::PartitionMetadata(Some(old)), Mutations::default());
    world.beat_ok(&join("a", &["t"]));
    assert!(!world.group.has_partition_metadata);
    assert!(world.log.contains(&crate::group::records::consumer_group_partition_metadata_tombstone("g")));
}
