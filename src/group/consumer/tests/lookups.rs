//! Subscriptions by regular expression.

use super::*;
use crate::limits::{GROUP_REGEX_REFRESH_MS_MIN, GROUP_REGEX_SLICE};

fn join_regex(member_id: &str, regex: &str) -> ConsumerHeartbeatAsk {
    ConsumerHeartbeatAsk {
        subscribed_topic_names: None,
        subscribed_topic_regex: Some(regex.into()),
        ..join(member_id, &[])
    }
}

fn topics_of(world: &World, regex: &str) -> Vec<String> {
    world.group.regexes[regex].topics.iter().map(ToString::to_string).collect()
}

#[test]
fn a_pattern_is_looked_up_after_the_heartbeat_that_brings_it() {
    let mut world = World::new(&[("ab", 1), ("abc", 1), ("b", 1)]);
    let answer = world.beat_ok(&join_regex("a", "ab.*"));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(1), Some(Assignment::default())));
    world.run_timers();
    assert_eq!(topics_of(&world, "ab.*"), ["ab", "abc"]);
    let answer = world.beat_ok(&still("a", 1));
    assert_eq!(
        (answer.member_epoch, answer.assignment),
        (GroupEpoch(2), Some(assignment(&[(1, &[0]), (2, &[0])])))
    );
    world.restart();
    world.run_timers();
    assert_eq!(world.group.group_epoch, GroupEpoch(2));
}

#[test]
fn a_pattern_matches_whole_names() {
    let check = |regex: &str, expected: &[&str]| {
        let mut world = World::new(&[("a", 1), ("ab", 1), ("b", 1)]);
        world.beat_ok(&join_regex("m", regex));
        world.run_timers();
        assert_eq!(topics_of(&world, regex), expected, "{regex}");
    };
    check("a", &["a"]);
    check("a|ab", &["a", "ab"]);
    check("^a$|b", &["a", "b"]);
    check(".", &["a", "b"]);
    check("(?i)A.?", &["a", "ab"]);
    check("x", &[]);
}

#[test]
fn what_is_not_a_pattern_is_refused() {
    let mut world = World::new(&[("a", 1)]);
    for regex in ["(", "a)|(b", "*", "[", "a{9999999}", "(?x) a # comment"] {
        let refusal = world.beat(&join_regex("m", regex)).unwrap_err();
        assert_eq!(refusal.error, ErrorCode::INVALID_REGULAR_EXPRESSION, "{regex}");
    }
    assert!(world.group.is_empty());
}

#[test]
fn the_empty_pattern_subscribes_to_nothing() {
    let mut world = World::new(&[("a", 1)]);
    world.beat_ok(&join_regex("m", ""));
    world.run_timers();
    assert!(world.group.regexes.is_empty());
    assert_eq!(world.beat_ok(&still("m", 1)).assignment, None);
}

#[test]
fn names_and_a_pattern_add_up() {
    let mut world = World::new(&[("a", 1), ("b", 1)]);
    let both = ConsumerHeartbeatAsk { subscribed_topic_regex: Some("a".into()), ..join("m", &["b"]) };
    assert_eq!(world.beat_ok(&both).assignment, Some(assignment(&[(2, &[0])])));
    world.run_timers();
    assert_eq!(world.beat_ok(&still("m", 1)).assignment, Some(assignment(&[(1, &[0]), (2, &[0])])));
}

#[test]
fn a_pattern_that_another_member_has_is_known_at_once() {
    let mut world = World::new(&[("a", 2)]);
    world.beat_ok(&join_regex("m", "a"));
    world.run_timers();
    world.beat_ok(&still("m", 1));
    assert_eq!(world.beat_ok(&join_regex("n", "a")).member_epoch, GroupEpoch(3));
    assert_eq!(world.group.targets["n"], assignment(&[(1, &[1])]));
    // The last who subscribes to it takes it along.
    world.beat_ok(&still("m", -1));
    assert!(world.group.regexes.contains_key("a"));
    world.beat_ok(&still("n", -1));
    assert!(world.group.regexes.is_empty());
    world.restart();
}

#[test]
fn another_pattern_takes_away_what_it_does_not_match_before_it_is_looked_up() {
    let mut world = World::new(&[("a", 1), ("b", 1)]);
    world.beat_ok(&join_regex("m", "a"));
    world.run_timers();
    world.beat_ok(&still("m", 1));
    let owned = assignment(&[(1, &[0])]);
    let changed = ConsumerHeartbeatAsk { subscribed_topic_regex: Some("b".into()), ..owning("m", 2, &owned) };
    let answer = world.beat_ok(&changed);
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(2), Some(Assignment::default())));
    assert!(!world.group.regexes.contains_key("a"));
    world.run_timers();
    let answer = world.beat_ok(&owning("m", 2, &Assignment::default()));
    assert_eq!((answer.member_epoch, answer.assignment), (GroupEpoch(3), Some(assignment(&[(2, &[0])]))));
    world.restart();
}

#[test]
fn new_topics_are_found_but_not_more_often_than_the_limit() {
    let mut world = World::new(&[("a1", 1)]);
    world.beat_ok(&join_regex("m", "a."));
    world.run_timers();
    world.create_topic("a2", 1);
    world.run_timers();
    assert_eq!(topics_of(&world, "a."), ["a1"]);
    world.pass(GROUP_REGEX_REFRESH_MS_MIN);
    assert_eq!(topics_of(&world, "a."), ["a1", "a2"]);
    assert_eq!(world.group.group_epoch, GroupEpoch(3));
    // What does not match changes nothing.
    world.create_topic("b", 1);
    world.pass(GROUP_REGEX_REFRESH_MS_MIN);
    assert_eq!(world.group.group_epoch, GroupEpoch(3));
    world.delete_topic("a1");
    world.pass(GROUP_REGEX_REFRESH_MS_MIN);
    assert_eq!(topics_of(&world, "a."), ["a2"]);
}

#[test]
fn many_topics_are_looked_up_in_slices() {
    let mut world = World::new(&[]);
    let count = 2 * GROUP_REGEX_SLICE + 7;
    for number in 0..count {
        let name: Arc<str> = format!("t{number:05}").into();
        world.image.names.insert(name, TopicId([1; 16]));
    }
    world.image_changed();
    world.beat_ok(&join_regex("m", "t.*"));
    let mut slices = 0;
    while world.group.next_deadline().is_some_and(|deadline| deadline <= world.now.instant) {
        let mut records = Vec::new();
        let view = View {
            now: world.now,
            image: &world.image,
            config: &world.config,
            mutations: Mutations::default(),
        };
        world.group.on_time(view, &mut records);
        world.append(records);
        slices += 1;
    }
    assert_eq!(slices, 3);
    assert_eq!(world.group.regexes["t.*"].topics.len(), count);
}

#[test]
fn a_pattern_that_comes_while_another_is_looked_up_has_its_turn() {
    let mut world = World::new(&[]);
    for number in 0..2 * GROUP_REGEX_SLICE {
        world.image.names.insert(format!("t{number:05}").into(), TopicId([1; 16]));
    }
    world.image_changed();
    world.beat_ok(&join_regex("m", "t.*"));
    let mut records = Vec::new();
    world.group.on_time(
        View { now: world.now, image: &world.image, config: &world.config, mutations: Mutations::default() },
        &mut records,
    );
    assert_eq!(records, []);
    world.beat_ok(&join_regex("n", "t00001"));
    world.run_timers();
    assert_eq!(topics_of(&world, "t00001"), ["t00001"]);
    assert_eq!(world.group.regexes.len(), 2);
}
