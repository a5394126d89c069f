//! Scripts of members that join, leave, fall silent, vanish and come back, as their clients would see them.

use super::*;
use crate::coordinator::Coordinator;
use crate::group::tests::{World, join_ask};
use crate::limits::PENDING_MEMBERS_MAX;
use crate::model::group::{GroupAsk, JoinAsk, SyncAsk};

/// As the newest clients ask.
fn modern(member_id: &str) -> JoinAsk {
    JoinAsk { must_know_member_id: true, may_skip_assignment: true, ..join_ask(member_id) }
}

fn with_instance(instance_id: &str) -> JoinAsk {
    JoinAsk { group_instance_id: Some(instance_id.to_owned()), ..modern("") }
}

fn with_protocols(names: &[&str]) -> JoinAsk {
    let protocol =
        |name: &&str| JoinProtocol { name: (*name).to_owned(), metadata: Bytes::from_static(b"m") };
    JoinAsk { protocols: names.iter().map(protocol).collect(), ..join_ask("") }
}

/// Two members in one generation, the leader first, both assigned.
fn pair(world: &mut World) -> (JoinAnswer, JoinAnswer) {
    let first = world.join(join_ask(""));
    let sync = world.begin_sync(&first, &[]);
    world.synced(sync).unwrap();
    let second = world.begin_join(join_ask(""));
    assert_eq!(world.heartbeat(&first), ErrorCode::REBALANCE_IN_PROGRESS);
    let first = world.begin_join(join_ask(&first.member_id));
    let (first, second) = (world.joined(first), world.joined(second));
    sync_pair(world, &first, &second);
    (first, second)
}

fn sync_pair(world: &mut World, leader: &JoinAnswer, follower: &JoinAnswer) {
    let follows = world.begin_sync(follower, &[]);
    let leads = world.begin_sync(leader, &[(&leader.member_id, "one"), (&follower.member_id, "two")]);
    assert_eq!(world.synced(leads), Ok("one".to_owned()));
    assert_eq!(world.synced(follows), Ok("two".to_owned()));
}

#[test]
fn a_new_member_is_told_its_id_first() {
    let mut world = World::new("");
    let required = world.join(modern(""));
    assert_eq!((required.error, required.generation_id.0), (ErrorCode::MEMBER_ID_REQUIRED, -1));
    assert!(required.member_id.starts_with("c-") && required.member_id.len() == 38, "{}", required.member_id);
    let joined = world.join(modern(&required.member_id));
    assert_eq!(
        (joined.error, joined.generation_id.0, &joined.leader),
        (ErrorCode::NONE, 1, &required.member_id)
    );
    assert_eq!((joined.members.len(), joined.protocol_name.as_deref()), (1, Some("range")));
    assert_eq!(world.join(modern("who")).error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_group_that_nobody_ever_joined_is_there_and_empty() {
    let mut world = World::new("");
    world.join(modern(""));
    world.reload();
    assert_eq!(world.describe().state, "Empty");
    // Whoever names a member of a group that is not there makes none.
    let mut world = World::new("");
    assert_eq!(world.join(modern("who")).error, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(
        world.join(JoinAsk { protocols: Vec::new(), ..join_ask("") }).error,
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL
    );
    assert_eq!(
        world.ask(GroupAsk::Describe { group_id: "g".to_owned() }),
        Err(ErrorCode::GROUP_ID_NOT_FOUND)
    );
}

#[test]
fn the_first_rebalance_waits_for_more_and_longer_while_more_come() {
    let mut world = World::new("group.initial.rebalance.delay.ms=3000");
    let first = world.begin_join(join_ask(""));
    world.wait(2_999);
    assert!(world.answer(first).is_none());
    let second = world.begin_join(join_ask(""));
    world.wait(2_999);
    assert!(world.answer(first).is_none(), "the second has prolonged it");
    world.wait(2);
    let (first, second) = (world.joined(first), world.joined(second));
    assert_eq!((first.generation_id.0, second.generation_id.0), (1, 1));
    assert_eq!(first.members.len() + second.members.len(), 2, "only the leader is told");

    // Never longer than the members' own timeout.
    let mut world = World::new("group.initial.rebalance.delay.ms=3000");
    let short = JoinAsk { rebalance_timeout_ms: 7_000, ..join_ask("") };
    let first = world.begin_join(short.clone());
    for _ in 0..6 {
        world.wait(1_000);
        world.begin_join(short.clone());
    }
    assert!(world.answer(first).is_none());
    world.wait(1_001);
    assert_eq!(world.joined(first).error, ErrorCode::NONE);
}

#[test]
fn a_second_member_makes_the_first_join_again() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    assert_eq!((first.generation_id.0, second.generation_id.0), (2, 2));
    assert_eq!((first.members.len(), second.members.len()), (2, 0));
    assert_eq!((world.heartbeat(&first), world.heartbeat(&second)), (ErrorCode::NONE, ErrorCode::NONE));
    let described = world.describe();
    assert_eq!(
        (described.state, described.protocol_name.as_str(), described.members.len()),
        ("Stable", "range", 2)
    );
    assert!(described.members.iter().any(|member| member.assignment == "two" && member.metadata == "m"));
}

#[test]
fn what_is_wrong_is_told_by_name() {
    let mut world = World::new("");
    let (first, _) = pair(&mut world);
    let stale = JoinAnswer { generation_id: GenerationId(1), ..first.clone() };
    let stranger = JoinAnswer { member_id: "who".to_owned(), ..first.clone() };
    assert_eq!(world.heartbeat(&stale), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(world.heartbeat(&stranger), ErrorCode::UNKNOWN_MEMBER_ID);
    for (member, error) in
        [(&stale, ErrorCode::ILLEGAL_GENERATION), (&stranger, ErrorCode::UNKNOWN_MEMBER_ID)]
    {
        let sync = world.begin_sync(member, &[]);
        assert_eq!(world.synced(sync), Err(error));
    }
    let other_protocol = SyncAsk {
        group_id: "g".to_owned(),
        generation_id: first.generation_id,
        member_id: first.member_id.clone(),
        group_instance_id: None,
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("sticky".to_owned()),
        assignments: Vec::new(),
    };
    assert_eq!(world.ask(GroupAsk::Sync(other_protocol)), Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
    for (protocol_type, names) in [("connect", &["range"][..]), ("consumer", &["sticky"]), ("consumer", &[])]
    {
        let ask = JoinAsk { protocol_type: protocol_type.to_owned(), ..with_protocols(names) };
        assert_eq!(
            world.join(ask).error,
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            "{protocol_type} {names:?}"
        );
    }
    assert_eq!(world.leave(&[("who", None), ("", Some("i"))]), Ok(vec![ErrorCode::UNKNOWN_MEMBER_ID; 2]));
    world.leave(&[(&first.member_id, None)]).unwrap();
    assert_eq!(world.heartbeat(&first), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn of_a_group_that_is_not_there_nobody_is_a_member() {
    let mut world = World::new("");
    let ghost = JoinAnswer { member_id: "m".to_owned(), ..pair(&mut World::new("")).0 };
    assert_eq!(world.heartbeat(&ghost), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(world.leave(&[("m", None)]), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let sync = world.begin_sync(&ghost, &[]);
    assert_eq!(world.synced(sync), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn a_silent_member_is_out_after_its_session_and_a_heartbeat_prolongs_it() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    for _ in 0..3 {
        world.wait(9_000);
        let heard = world.heartbeat(&first);
        assert!(heard == ErrorCode::NONE || heard == ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert_eq!(world.heartbeat(&first), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(world.heartbeat(&second), ErrorCode::UNKNOWN_MEMBER_ID);
    let again = world.join(join_ask(&first.member_id));
    assert_eq!((again.generation_id.0, again.members.len()), (3, 1));
}

#[test]
fn after_a_pause_of_the_process_sessions_are_prolonged() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    world.wait(1_000);
    world.pass(60_000);
    world.coordinator.on_pause(60_000);
    world.run();
    assert_eq!((world.heartbeat(&first), world.heartbeat(&second)), (ErrorCode::NONE, ErrorCode::NONE));
}

#[test]
fn a_member_that_does_not_join_again_in_time_is_out() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let third = world.begin_join(join_ask(""));
    let first = world.begin_join(join_ask(&first.member_id));
    for _ in 0..11 {
        world.wait(5_000);
        // It lives, but does not join.
        assert_eq!(world.heartbeat(&second), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert!(world.answer(first).is_none());
    world.wait(5_001);
    let (first, third) = (world.joined(first), world.joined(third));
    assert_eq!((first.generation_id.0, first.members.len(), third.error), (3, 2, ErrorCode::NONE));
    assert_eq!(world.heartbeat(&second), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn if_the_leader_does_not_join_again_another_leads() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let again = world.begin_join(JoinAsk {
        protocols: with_protocols(&["range", "x"]).protocols,
        ..join_ask(&second.member_id)
    });
    assert_eq!(world.heartbeat(&first), ErrorCode::REBALANCE_IN_PROGRESS);
    world.wait(10_001);
    let again = world.joined(again);
    assert_eq!((&again.leader, again.members.len()), (&second.member_id, 1));
}

#[test]
fn members_leave_at_once_and_the_last_empties_the_group() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    assert_eq!(world.leave(&[(&second.member_id, None)]), Ok(vec![ErrorCode::NONE]));
    let first = world.join(join_ask(&first.member_id));
    assert_eq!((first.generation_id.0, first.members.len()), (3, 1));
    world.leave(&[(&first.member_id, None)]).unwrap();
    let described = world.describe();
    assert_eq!((described.state, described.members.len()), ("Empty", 0));
    world.reload();
    assert_eq!(world.describe().state, "Empty");
    assert_eq!(world.join(join_ask("")).generation_id.0, 5, "generations never come twice");
}

#[test]
fn stable_members_survive_a_crash_without_joining_again() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    world.wait(9_000);
    world.pass(60_000);
    world.reload();
    assert_eq!((world.heartbeat(&first), world.heartbeat(&second)), (ErrorCode::NONE, ErrorCode::NONE));
    let sync = world.begin_sync(&second, &[]);
    assert_eq!(world.synced(sync), Ok("two".to_owned()));
    let described = world.describe();
    assert_eq!((described.state, described.members[0].client.client_host.as_str()), ("Stable", "/h"));
    world.wait(10_001);
    assert_eq!(world.heartbeat(&first), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_rebalance_under_way_is_forgotten_by_a_crash_and_the_generation_before_counts() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    world.begin_join(join_ask(""));
    world.reload();
    assert_eq!((world.heartbeat(&first), world.heartbeat(&second)), (ErrorCode::NONE, ErrorCode::NONE));
}

#[test]
fn a_join_that_is_repeated_gets_the_present_generation() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let again = world.join(join_ask(&second.member_id));
    assert_eq!((again.generation_id.0, again.members.len(), &again.leader), (2, 0, &first.member_id));
    assert_eq!(world.heartbeat(&first), ErrorCode::NONE);
    // The leader's means: assign anew.
    let leads = world.begin_join(join_ask(&first.member_id));
    assert_eq!(world.heartbeat(&second), ErrorCode::REBALANCE_IN_PROGRESS);
    let follows = world.begin_join(join_ask(&second.member_id));
    let (leads, follows) = (world.joined(leads), world.joined(follows));
    assert_eq!((leads.generation_id.0, follows.generation_id.0), (3, 3));
    // Before the assignment both may have missed the answer.
    assert_eq!(world.join(join_ask(&leads.member_id)).members.len(), 2);
    assert_eq!(world.join(join_ask(&follows.member_id)).generation_id.0, 3);
    assert_eq!(world.heartbeat(&follows), ErrorCode::NONE);
}

#[test]
fn who_waits_for_an_assignment_joins_again_when_somebody_comes() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let leads = world.begin_join(join_ask(&first.member_id));
    let follows = world.begin_join(join_ask(&second.member_id));
    let (leads, follows) = (world.joined(leads), world.joined(follows));
    let sync = world.begin_sync(&follows, &[]);
    world.begin_join(join_ask(""));
    assert_eq!(world.synced(sync), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    let sync = world.begin_sync(&leads, &[]);
    assert_eq!(world.synced(sync), Err(ErrorCode::REBALANCE_IN_PROGRESS));
}

#[test]
fn a_leader_that_never_assigns_is_out() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let leads = world.begin_join(join_ask(&first.member_id));
    let follows = world.begin_join(join_ask(&second.member_id));
    let (leads, follows) = (world.joined(leads), world.joined(follows));
    let sync = world.begin_sync(&follows, &[]);
    for _ in 0..12 {
        assert_eq!(world.heartbeat(&leads), ErrorCode::NONE);
        world.wait(5_000);
    }
    world.wait(1);
    assert_eq!(world.heartbeat(&leads), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(world.synced(sync), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    assert_eq!(world.join(join_ask(&follows.member_id)).leader, follows.member_id);
}

#[test]
fn the_protocol_that_most_prefer_among_those_that_all_know() {
    let mut world = World::new("group.initial.rebalance.delay.ms=100");
    for (members, chosen) in [
        (&[&["a", "b"][..], &["a", "b"]][..], "a"),
        (&[&["a", "b"], &["b"]], "b"),
        (&[&["a", "b"], &["b", "a"], &["b", "a"]], "b"),
        (&[&["x", "a", "b"], &["b", "y", "a"], &["a", "b"]], "a"),
    ] {
        let joins: Vec<_> = members.iter().map(|names| world.begin_join(with_protocols(names))).collect();
        world.wait(301);
        let ids: Vec<String> = joins
            .into_iter()
            .map(|ticket| {
                let joined = world.joined(ticket);
                assert_eq!(joined.protocol_name.as_deref(), Some(chosen), "{members:?}");
                joined.member_id
            })
            .collect();
        ids.iter().for_each(|id| assert_eq!(world.leave(&[(id, None)]), Ok(vec![ErrorCode::NONE])));
    }
}

#[test]
fn a_static_member_that_comes_back_keeps_its_assignment_and_disturbs_nobody() {
    let mut world = World::new("");
    let first = world.join(with_instance("i"));
    assert!(first.member_id.starts_with("i-"), "{}", first.member_id);
    let sync = world.begin_sync(&first, &[(&first.member_id, "mine")]);
    world.synced(sync).unwrap();
    let back = world.join(with_instance("i"));
    assert_eq!((back.error, back.generation_id.0), (ErrorCode::NONE, 1));
    // As the leader it knows all members, and is told to leave the assignment as it is.
    assert_eq!((back.skip_assignment, back.members.len(), &back.leader), (true, 1, &back.member_id));
    assert_ne!(back.member_id, first.member_id);
    let old = GroupAsk::Heartbeat(crate::model::group::HeartbeatAsk {
        group_id: "g".to_owned(),
        generation_id: first.generation_id,
        member_id: first.member_id.clone(),
        group_instance_id: Some("i".to_owned()),
    });
    assert_eq!(world.ask(old), Err(ErrorCode::FENCED_INSTANCE_ID));
    assert_eq!(world.heartbeat(&first), ErrorCode::UNKNOWN_MEMBER_ID);
    world.reload();
    let sync = world.begin_sync(&back, &[]);
    assert_eq!(world.synced(sync), Ok("mine".to_owned()));
    // An older client would assign if it were told that it leads.
    let older = world.join(JoinAsk { may_skip_assignment: false, ..with_instance("i") });
    assert_eq!((older.skip_assignment, older.members.len(), &older.leader), (false, 0, &back.member_id));
    assert_eq!(world.leave(&[("", Some("i"))]), Ok(vec![ErrorCode::NONE]));
    assert_eq!(world.describe().state, "Empty");
}

#[test]
fn a_static_member_is_fenced_while_it_joins_by_the_next_of_its_name() {
    let mut world = World::new("group.initial.rebalance.delay.ms=1000");
    let first = world.begin_join(with_instance("i"));
    let second = world.begin_join(with_instance("i"));
    assert_eq!(world.joined(first).error, ErrorCode::FENCED_INSTANCE_ID);
    world.wait(1_001);
    assert_eq!(world.joined(second).members.len(), 1);
}

#[test]
fn a_static_member_is_not_out_for_missing_a_rebalance() {
    let mut world = World::new("");
    let mine = world.join(JoinAsk { session_timeout_ms: 600_000, ..with_instance("i") });
    let sync = world.begin_sync(&mine, &[]);
    world.synced(sync).unwrap();
    let other = world.begin_join(join_ask(""));
    world.wait(60_001);
    let other = world.joined(other);
    assert_eq!((other.generation_id.0, other.members.len(), &other.leader), (2, 2, &other.member_id));
}

#[test]
fn an_id_that_is_never_used_holds_a_rebalance_up_for_a_session_only() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    world.join(modern(""));
    assert_eq!(world.heartbeat(&first), ErrorCode::NONE, "nothing begins before it joins");
    let leads = world.begin_join(join_ask(&first.member_id));
    let follows = world.begin_join(join_ask(&second.member_id));
    assert!(world.answer(leads).is_none());
    world.wait(10_001);
    assert_eq!((world.joined(leads).members.len(), world.joined(follows).error), (2, ErrorCode::NONE));
}

#[test]
fn an_id_that_is_given_back_holds_nothing_up() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let required = world.join(modern(""));
    let leads = world.begin_join(join_ask(&first.member_id));
    let follows = world.begin_join(join_ask(&second.member_id));
    assert!(world.answer(leads).is_none());
    assert_eq!(world.leave(&[(&required.member_id, None)]), Ok(vec![ErrorCode::NONE]));
    assert_eq!((world.joined(leads).members.len(), world.joined(follows).error), (2, ErrorCode::NONE));
}

#[test]
fn ids_that_are_never_used_are_bounded() {
    let mut world = World::new("");
    for _ in 0..PENDING_MEMBERS_MAX {
        assert_eq!(world.join(modern("")).error, ErrorCode::MEMBER_ID_REQUIRED);
    }
    assert_eq!(world.join(modern("")).error, ErrorCode::GROUP_MAX_SIZE_REACHED);
}

#[test]
fn a_group_has_at_most_so_many_members() {
    let mut world = World::new("group.max.size=2");
    let (first, second) = pair(&mut world);
    assert_eq!(world.join(join_ask("")).error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert_eq!((world.heartbeat(&first), world.heartbeat(&second)), (ErrorCode::NONE, ErrorCode::NONE));
    assert_eq!(world.join(join_ask(&second.member_id)).error, ErrorCode::NONE);
}

#[test]
fn a_member_that_vanishes_before_it_knows_its_id_leaves_nothing() {
    let mut world = World::new("group.initial.rebalance.delay.ms=1000");
    let gone = world.begin_join(join_ask(""));
    let stays = world.begin_join(join_ask(""));
    world.forget(gone);
    world.wait(2_001);
    assert_eq!((world.joined(stays).members.len(), world.answer(gone)), (1, None));
}

#[test]
fn a_member_that_vanishes_may_come_back_within_its_session() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let third = world.begin_join(join_ask(""));
    let lost = world.begin_join(join_ask(&first.member_id));
    world.forget(lost);
    let follows = world.begin_join(join_ask(&second.member_id));
    let follows = world.joined(follows);
    assert_eq!(follows.error, ErrorCode::NONE, "the first has joined and is not waited for");
    assert_eq!(world.joined(third).generation_id, follows.generation_id);
    let back = world.join(join_ask(&first.member_id));
    assert_eq!((back.members.len(), back.generation_id), (3, follows.generation_id));

    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let third = world.begin_join(join_ask(""));
    let lost = world.begin_join(join_ask(&first.member_id));
    world.forget(lost);
    let follows = world.begin_join(join_ask(&second.member_id));
    let (follows, third) = (world.joined(follows), world.joined(third));
    let waiting = [world.begin_sync(&follows, &[]), world.begin_sync(&third, &[])];
    world.wait(10_001);
    for sync in waiting {
        assert_eq!(world.synced(sync), Err(ErrorCode::REBALANCE_IN_PROGRESS), "the leader did not come back");
    }
    let third = world.begin_join(join_ask(&third.member_id));
    let second = world.join(join_ask(&follows.member_id));
    let third = world.joined(third);
    // One of them leads, and is told of both.
    assert_eq!((second.error, third.error), (ErrorCode::NONE, ErrorCode::NONE));
    assert_eq!(second.members.len() + third.members.len(), 2);
}

#[test]
fn a_repeated_join_of_a_waiting_member_replaces_the_first() {
    let mut world = World::new("");
    let (first, second) = pair(&mut world);
    let once = world.begin_join(join_ask(&first.member_id));
    let twice = world.begin_join(join_ask(&first.member_id));
    assert_eq!(world.joined(once).error, ErrorCode::REBALANCE_IN_PROGRESS);
    world.begin_join(join_ask(&second.member_id));
    assert_eq!(world.joined(twice).error, ErrorCode::NONE);
}

impl ClassicGroup {
    fn check_invariants(&self) {
        let statics = self
            .members
            .iter()
            .filter_map(|(id, member)| Some((member.group_instance_id.clone()?, id.clone())));
        assert_eq!(self.static_members, statics.collect());
        assert_eq!(self.leader.is_some(), !self.members.is_empty(), "{self:?}");
        assert!(self.leader.as_ref().is_none_or(|leader| self.members.contains_key(leader)));
        assert!(self.pending_joins.keys().all(|id| !self.members.contains_key(id)));
        assert!(self.pending_syncs.iter().all(|id| self.members.contains_key(id)));
        let preparing = self.state == ClassicState::PreparingRebalance;
        let completing = self.state == ClassicState::CompletingRebalance;
        assert!(preparing || self.members.values().all(|member| member.joining.is_none()), "{self:?}");
        assert!(completing || self.members.values().all(|member| member.syncing.is_none()), "{self:?}");
        assert_eq!(preparing, self.join_deadline.is_some(), "{self:?}");
        assert!(!completing || self.sync_deadline.is_some() || self.pending_syncs.is_empty());
        assert_eq!(self.state == ClassicState::Empty, self.members.is_empty() && !preparing, "{self:?}");
    }
}

/// Members that do anything at any time, and crashes of the broker in between: no rule is broken, and whoever behaves afterwards finds a
/// group that works.
#[test]
fn whatever_members_do_the_group_stays_consistent_and_recovers() {
    for seed in 0..60_u64 {
        let mut dice = crate::stdx::RandomIds::new([3; 16], seed);
        let mut roll =
            move |sides: u64| u64::from_be_bytes(dice.next_bytes()[..8].try_into().unwrap()) % sides;
        let mut world = World::new("group.initial.rebalance.delay.ms=500");
        let mut known: Vec<JoinAnswer> = Vec::new();
        let mut waiting: Vec<Ticket> = Vec::new();
        let mut highest = 0;
        for _ in 0..300 {
            let some = |roll: &mut dyn FnMut(u64) -> u64, known: &[JoinAnswer]| {
                (!known.is_empty()).then(|| known[roll(known.len() as u64) as usize].clone())
            };
            match (roll(9), some(&mut roll, &known)) {
                (0, _) => waiting.push(world.begin_join(modern(""))),
                (1, _) => {
                    let instance = format!("i{}", roll(3));
                    waiting.push(world.begin_join(with_instance(&instance)));
                }
                (2 | 3, Some(member)) => waiting.push(world.begin_join(modern(&member.member_id))),
                (4, Some(member)) => {
                    world.begin_sync(&member, &[(&member.member_id, "x")]);
                }
                (5, Some(member)) => {
                    world.heartbeat(&member);
                }
                (6, Some(member)) if roll(4) == 0 => {
                    let _ = world.leave(&[(&member.member_id, None)]);
                }
                (7, _) if !waiting.is_empty() => {
                    let at = roll(waiting.len() as u64) as usize;
                    world.forget(waiting.swap_remove(at));
                }
                (8, _) if roll(20) == 0 => {
                    world.reload();
                    waiting.clear();
                    // A rebalance that was not finished is forgotten, with its generation.
                    highest = 0;
                }
                _ => world.wait(roll(4_000)),
            }
            waiting.retain(|ticket| match world.answer(*ticket) {
                None => true,
                Some(Ok(GroupAnswer::Join(answer))) => {
                    known.retain(|member| member.member_id != answer.member_id);
                    if !answer.member_id.is_empty() {
                        known.push(answer);
                    }
                    false
                }
                Some(other) => panic!("{other:?}"),
            });
            if let Some(group) = world.coordinator.classic("g") {
                group.check_invariants();
                assert!(group.generation_id().0 >= highest || group.is_empty(), "seed {seed}");
                highest = group.generation_id().0;
            }
        }
        world.wait(600_000);
        let first = world.join_until_told();
        let sync = world.begin_sync(&first, &[(&first.member_id, "all")]);
        assert_eq!(world.synced(sync), Ok("all".to_owned()), "seed {seed}");
        assert_eq!((world.describe().state, world.describe().members.len()), ("Stable", 1), "seed {seed}");
    }
}

impl World {
    /// A client that does what it is told.
    fn join_until_told(&mut self) -> JoinAnswer {
        let required = self.join(modern(""));
        let ticket = self.begin_join(modern(&required.member_id));
        self.wait(1_001);
        let joined = self.joined(ticket);
        assert_eq!(joined.error, ErrorCode::NONE);
        joined
    }
}
