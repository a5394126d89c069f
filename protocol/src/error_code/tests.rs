//! Numbers and names of error codes.

use super::*;

#[test]
fn codes_run_from_minus_one_to_136_without_a_gap() {
    let codes: Vec<i16> = ErrorCode::ALL.iter().map(|error| error.code()).collect();
    assert_eq!(codes, (-1..=136).collect::<Vec<i16>>());
    for error in ErrorCode::ALL {
        assert_eq!(ErrorCode::try_from(error.code()), Ok(*error));
    }
    for code in [-2, 137, i16::MIN, i16::MAX] {
        assert_eq!(ErrorCode::try_from(code), Err(UnknownErrorCode(code)));
    }
}

#[test]
fn names_are_kafkas() {
    assert_eq!(ErrorCode::NOT_LEADER_OR_FOLLOWER.to_string(), "NOT_LEADER_OR_FOLLOWER");
    assert_eq!(ErrorCode::REBOOTSTRAP_REQUIRED.code(), 129);
    assert!(ErrorCode::NOT_COORDINATOR.retriable());
    assert!(!ErrorCode::NONE.retriable());
    assert!(!ErrorCode::MESSAGE_TOO_LARGE.retriable());
}
