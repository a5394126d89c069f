//! Who may commit, and who may ask for what was committed.

use super::*;

fn check(world: &World, member_id: &str, epoch: i32, partition: i32) -> Result<(), ErrorCode> {
    let check = world.group.check_commit(member_id, None, GroupEpoch(epoch), Some(9));
    let check = check.map_err(|refusal| refusal.error)?;
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
    let group = &world.group;
    expect_error(group.check_commit("a", None, GroupEpoch(1), Some(8)), ErrorCode::UNSUPPORTED_VERSION);
    assert!(matches!(group.check_commit("a", None, GroupEpoch(1), None), Ok(CommitCheck::All)));
    assert!(matches!(group.check_commit("", None, GroupEpoch(-1), None), Ok(CommitCheck::All)));
    expect_error(group.check_commit("", Some("i"), GroupEpoch(-1), None), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn fetches_need_the_epoch_of_the_member_that_asks() {
    let mut world = World::new(&[("t", 2)]);
    world.beat_ok(&join("a", &["t"]));
    let group = &world.group;
    assert_eq!(group.check_fetch(None, GroupEpoch(-1)), Ok(()));
    assert_eq!(group.check_fetch(Some("a"), GroupEpoch(1)), Ok(()));
    expect_error(group.check_fetch(Some("a"), GroupEpoch(0)), ErrorCode::STALE_MEMBER_EPOCH);
    expect_error(group.check_fetch(Some("b"), GroupEpoch(1)), ErrorCode::UNKNOWN_MEMBER_ID);
    expect_error(group.check_fetch(None, GroupEpoch(1)), ErrorCode::UNKNOWN_MEMBER_ID);
}
