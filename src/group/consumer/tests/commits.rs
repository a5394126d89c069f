//! Who may commit, and who may ask for what was committed.

use super::*;

fn check(world: &World, member_id: &str, epoch: i32, partition: i32) -> Result<(), ErrorCode> {
    let check = world.group.check_commit(member_id, None, GroupEpoch(epoch), Committer::Consumer)?;
    check.check(TopicId([1; 16]), PartitionIndex(partition))
}

#[test]
fn commits_of_an_empty_group_need_no_member() {
    let world = World::new(&[]);
    assert_eq!(check(&world, "", -1, 0), Ok(()));
    assert_eq!(check(&world, "a", 1, 0), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn a_member_commits_with_its_epoch() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    assert_eq!(check(&world, "a", 1, 0), Ok(()));
    assert_eq!(check(&world, "a", 2, 0), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(check(&world, "b", 1, 0), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(check(&world, "", -1, 0), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn a_member_that_is_behind_commits_what_it_has_had_since() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    world.beat_ok(&join("b", &["t"]));
    world.beat_ok(&owning("a", 1, &assignment(&[(1, &[0, 1])])));
    // To be given up, and still its own.
    assert_eq!(check(&world, "a", 1, 1), Ok(()));
    world.beat_ok(&owning("a", 1, &assignment(&[(1, &[0])])));
    world.beat_ok(&still("b", 2));
    assert_eq!(check(&world, "a", 1, 0), Ok(()));
    assert_eq!(check(&world, "a", 1, 1), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(check(&world, "b", 1, 1), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(check(&world, "b", 2, 1), Ok(()));
}

#[test]
fn old_commits_and_transactions_have_rules_of_their_own() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    let check = |member_id: &str, instance_id: Option<&str>, epoch: i32, committer| {
        world.group.check_commit(member_id, instance_id, GroupEpoch(epoch), committer).map(drop)
    };
    assert_eq!(check("a", None, 1, Committer::OldConsumer), Err(ErrorCode::UNSUPPORTED_VERSION));
    assert_eq!(check("a", None, 1, Committer::Transaction), Ok(()));
    assert_eq!(check("", None, -1, Committer::Transaction), Ok(()));
    assert_eq!(check("", Some("i"), -1, Committer::Transaction), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn fetches_need_the_epoch_of_the_member_that_asks() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    let group = &world.group;
    assert_eq!(group.check_fetch(None, GroupEpoch(-1)), Ok(()));
    assert_eq!(group.check_fetch(Some("a"), GroupEpoch(1)), Ok(()));
    assert_eq!(group.check_fetch(Some("a"), GroupEpoch(0)), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(group.check_fetch(Some("b"), GroupEpoch(1)), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(group.check_fetch(None, GroupEpoch(1)), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}
