//! Every heartbeat that is refused, and why.

use super::*;

#[test]
fn malformed_heartbeats_are_refused() {
    let check = |request: ConsumerHeartbeatAsk, message: &str| {
        let mut world = World::new(&[]);
        let refusal = world.beat(&request).unwrap_err();
        assert_eq!((refusal.error, refusal.message.as_str()), (ErrorCode::INVALID_REQUEST, message));
    };
    check(join("", &["t"]), "MemberId can't be empty.");
    check(ConsumerHeartbeatAsk { api_version: 0, ..still("", 1) }, "MemberId can't be empty.");
    check(join_static("a", "", &["t"]), "InstanceId can't be empty.");
    check(ConsumerHeartbeatAsk { rack_id: Some("".into()), ..join("a", &["t"]) }, "RackId can't be empty.");
    check(
        ConsumerHeartbeatAsk { rebalance_timeout_ms: -1, ..join("a", &["t"]) },
        "RebalanceTimeoutMs must be provided in first request.",
    );
    let rejoin = "TopicPartitions must be empty when (re-)joining.";
    check(ConsumerHeartbeatAsk { topic_partitions: None, ..join("a", &["t"]) }, rejoin);
    let some = Some(assignment(&[(1, &[0])]));
    check(ConsumerHeartbeatAsk { topic_partitions: some, ..join("a", &["t"]) }, rejoin);
    check(
        ConsumerHeartbeatAsk { subscribed_topic_names: None, ..join("a", &["t"]) },
        "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
    );
    check(still("a", -2), "InstanceId can't be null.");
    check(still("a", -3), "MemberEpoch is invalid.");
    check(ConsumerHeartbeatAsk { group_id: String::new(), ..join("a", &["t"]) }, "GroupId can't be empty.");
}

#[test]
fn an_assignor_that_is_not_configured_is_refused() {
    let mut world = World::new(&[]);
    let request = ConsumerHeartbeatAsk { server_assignor: Some("sticky".into()), ..join("a", &["t"]) };
    let refusal = world.beat(&request).unwrap_err();
    let message = "ServerAssignor sticky is not supported. Supported assignors: uniform, range.";
    assert_eq!((refusal.error, refusal.message.as_str()), (ErrorCode::UNSUPPORTED_ASSIGNOR, message));
}

#[test]
fn unknown_members_are_refused() {
    let mut world = World::new(&[("t", 1)]);
    world.beat_ok(&join("a", &["t"]));
    for epoch in [1, -1] {
        expect_error(world.beat(&still("b", epoch)), ErrorCode::UNKNOWN_MEMBER_ID);
    }
    let leave = ConsumerHeartbeatAsk { instance_id: Some("i".into()), ..still("a", -2) };
    expect_error(world.beat(&leave), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_full_group_takes_nobody_but_its_members() {
    let mut world = World::new(&[("t", 1)]);
    world.config.groups.consumer.members_max = 1;
    world.beat_ok(&join("a", &["t"]));
    let refusal = world.beat(&join("b", &["t"])).unwrap_err();
    let message = "The consumer group has reached its maximum capacity of 1 members.";
    assert_eq!((refusal.error, refusal.message.as_str()), (ErrorCode::GROUP_MAX_SIZE_REACHED, message));
    world.beat_ok(&join("a", &["t"]));
    world.beat_ok(&still("a", 1));
}

#[test]
fn a_state_of_a_newer_broker_is_left_by_joining_again() {
    let mut world = World::new(&[("t", 1)]);
    world.beat_ok(&join("a", &["t"]));
    let mut current = world.member("a").current.clone();
    current.state = MemberState::Unknown;
    let record = current.to_record("g", &"a".into());
    world.append(vec![record]);
    let owned = assignment(&[(1, &[0])]);
    expect_error(world.beat(&owning("a", 1, &owned)), ErrorCode::FENCED_MEMBER_EPOCH);
    let answer = world.beat_ok(&join("a", &["t"]));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(1), Some(owned)));
    assert_eq!(world.state_of("a"), (1, MemberState::Stable));
}
