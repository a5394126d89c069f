//! Members that are not heard of, and members that do not give up.

use super::*;

#[test]
fn a_member_that_is_not_heard_of_is_put_out() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    world.beat_ok(&join("b", &["t"]));
    world.pass(SESSION_MS - 1);
    world.beat_ok(&still("b", 2));
    assert_eq!(world.group.members.len(), 2);
    world.pass(1);
    assert_eq!(world.group.members.keys().map(MemberId::as_str).collect::<Vec<_>>(), ["b"]);
    assert_eq!(world.beat_ok(&owning("b", 2, &Assignment::default())).member_epoch, GroupEpoch(3));
    expect_error(world.beat(&still("a", 1)), ErrorCode::UNKNOWN_MEMBER_ID);
    world.restart();
}

#[test]
fn members_that_are_put_out_together_make_one_epoch() {
    let mut world = World::new(&[("t", 2)]);
    for member_id in ["a", "b", "c"] {
        world.beat_ok(&join(member_id, &["t"]));
    }
    assert_eq!(world.group.group_epoch, GroupEpoch(3));
    world.pass(SESSION_MS);
    assert!(world.group.is_empty());
    assert_eq!(world.group.group_epoch, GroupEpoch(4));
}

#[test]
fn a_static_member_may_be_away_for_a_session() {
    let mut world = World::new(&[("t", 1)]);
    world.beat_ok(&join_static("a", "i", &["t"]));
    world.pass(10_000);
    world.beat_ok(&ConsumerHeartbeatAsk { instance_id: Some("i".into()), ..still("a", -2) });
    world.pass(SESSION_MS - 10_001);
    assert_eq!(world.group.members.len(), 1);
    world.pass(1);
    assert!(world.group.is_empty());
    assert!(world.group.instances.is_empty());
}

#[test]
fn a_member_that_does_not_give_up_in_time_is_put_out() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&ConsumerHeartbeatAsk { rebalance_timeout_ms: 30_000, ..join("a", &["t"]) });
    world.beat_ok(&join("b", &["t"]));
    let both = assignment(&[(1, &[0, 1])]);
    world.beat_ok(&owning("a", 1, &both));
    for _ in 0..3 {
        world.pass(9_999);
        world.beat_ok(&owning("a", 1, &both));
        world.beat_ok(&still("b", 2));
    }
    world.pass(3);
    assert_eq!(world.group.members.keys().map(MemberId::as_str).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_member_that_has_given_up_is_not_put_out() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&ConsumerHeartbeatAsk { rebalance_timeout_ms: 10_000, ..join("a", &["t"]) });
    world.beat_ok(&join("b", &["t"]));
    world.beat_ok(&owning("a", 1, &assignment(&[(1, &[0, 1])])));
    world.beat_ok(&owning("a", 1, &assignment(&[(1, &[0])])));
    world.pass(20_000);
    assert_eq!(world.group.members.len(), 2);
}

#[test]
fn after_a_start_sessions_and_rebalances_begin_anew() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&ConsumerHeartbeatAsk { rebalance_timeout_ms: 10_000, ..join("a", &["t"]) });
    world.beat_ok(&join("b", &["t"]));
    world.beat_ok(&owning("a", 1, &assignment(&[(1, &[0, 1])])));
    world.now.instant = world.now.instant.after_ms(1_000_000);
    world.restart();
    world.pass(9_999);
    assert_eq!(world.group.members.len(), 2);
    world.pass(1);
    assert_eq!(world.group.members.keys().map(MemberId::as_str).collect::<Vec<_>>(), ["b"]);
    world.pass(SESSION_MS);
    assert!(world.group.is_empty());
}

#[test]
fn a_pause_of_the_process_counts_for_nobody() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    world.group.on_pause(60_000);
    world.pass(SESSION_MS + 59_999);
    assert_eq!(world.group.members.len(), 1);
    world.pass(1);
    assert!(world.group.is_empty());
}
