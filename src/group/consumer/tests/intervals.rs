//! How often a group assigns and looks up its regular expressions, and what it sets for itself.

use super::*;

fn world(settings: &str) -> World {
    let mut world = World::new(&[("t", 4)]);
    let mut raw = RawConfig::default();
    raw.set_from_properties(settings, "test").unwrap();
    world.config = Config::validate(&raw).unwrap();
    world
}

/// The group sets this for itself.
fn set(world: &mut World, key: &str, value: &str) {
    let overrides = world.image.group_overrides.entry("g".into()).or_default();
    overrides.insert(key.to_owned(), value.to_owned());
    world.image_changed();
}

fn epochs(world: &World) -> (i32, i32) {
    (world.group.group_epoch.0, world.group.target_epoch.0)
}

#[test]
fn members_who_come_together_are_assigned_together() {
    let mut world = world("group.consumer.assignment.interval.ms=1000");
    assert_eq!(world.beat_ok(&join("a", &["t"])).member_epoch, GroupEpoch(1));
    world.pass(400);
    // Those who come later are members of the target that there is, and have nothing yet.
    for member_id in ["b", "c"] {
        let answer = world.beat_ok(&join(member_id, &["t"]));
        assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(1), Some(Assignment::default())));
    }
    assert_eq!(epochs(&world), (3, 1));
    world.pass(599);
    world.beat_ok(&still("b", 1));
    assert_eq!(epochs(&world), (3, 1));
    world.pass(1);
    world.beat_ok(&still("b", 1));
    assert_eq!(epochs(&world), (3, 3));
    let shares = ["a", "b", "c"].map(|member_id| world.group.targets[member_id].topics().count());
    assert_eq!(shares, [1, 1, 1]);
    world.restart();
}

#[test]
fn the_interval_counts_over_a_restart_and_not_when_the_clock_is_put_back() {
    let mut world = world("group.consumer.assignment.interval.ms=1000");
    world.beat_ok(&join("a", &["t"]));
    world.restart();
    world.beat_ok(&join("b", &["t"]));
    assert_eq!(epochs(&world), (2, 1));
    world.now.wall_ms -= 3_600_000;
    world.beat_ok(&still("b", 1));
    assert_eq!(epochs(&world), (2, 2));
}

#[test]
fn an_interval_of_zero_assigns_at_once() {
    let mut world = world("group.consumer.assignment.interval.ms=1000");
    set(&mut world, "consumer.assignment.interval.ms", "0");
    world.beat_ok(&join("a", &["t"]));
    world.beat_ok(&join("b", &["t"]));
    assert_eq!(epochs(&world), (2, 2));
}

#[test]
fn a_group_has_its_own_session_and_heartbeat() {
    let mut world = world("group.consumer.max.session.timeout.ms=50000");
    assert_eq!(world.beat_ok(&join("a", &["t"])).heartbeat_interval_ms, 5_000);
    set(&mut world, "consumer.heartbeat.interval.ms", "7000");
    set(&mut world, "consumer.session.timeout.ms", "48000");
    assert_eq!(world.beat_ok(&still("a", 1)).heartbeat_interval_ms, 7_000);
    world.restart();
    world.pass(47_999);
    assert!(!world.group.is_empty());
    world.pass(1);
    assert!(world.group.is_empty());
    // What the broker does not allow any more counts as far as it does.
    set(&mut world, "consumer.session.timeout.ms", "60000");
    world.beat_ok(&join("a", &["t"]));
    world.pass(49_999);
    assert!(!world.group.is_empty());
    world.pass(1);
    assert!(world.group.is_empty());
}

#[test]
fn regular_expressions_are_looked_up_anew_when_they_are_old() {
    let mut world = world("group.consumer.regex.refresh.interval.ms=20000");
    let regex = ConsumerHeartbeatAsk {
        subscribed_topic_names: None,
        subscribed_topic_regex: Some("t.*".into()),
        ..join("a", &[])
    };
    world.beat_ok(&regex);
    world.run_timers();
    let first = world.group.looked_up.unwrap();
    world.pass(19_999);
    assert_eq!(world.group.looked_up.unwrap(), first);
    world.pass(1);
    assert_eq!(world.group.looked_up.unwrap(), (first.0, world.now.instant));
    // A new topic does not wait for that.
    world.create_topic("t2", 1);
    world.pass(10_000);
    assert_eq!(world.group.regexes["t.*"].topics.len(), 2);
}
