//! Errors with words, as the rows of admin answers carry them. Decides how much of a message is told, not what it says.

use protocol::error_code::ErrorCode;

use crate::model::control::{ControlAnswer, ControlError};

/// Messages may quote names of any length that a request can carry; a string of an answer must not exceed what a string may hold.
const MESSAGE_BYTES_MAX: usize = 512;
const _: () = assert!(MESSAGE_BYTES_MAX < protocol::STRING_BYTES_MAX);

pub(super) fn refused(error: ErrorCode, message: impl Into<String>) -> ControlError {
    ControlError { error, message: Some(message.into()) }
}

/// The message, cut to what an answer tells.
pub(super) fn told(result: &ControlError) -> Option<&str> {
    let message = result.message.as_deref()?;
    let end = (0..=message.len().min(MESSAGE_BYTES_MAX)).rev().find(|end| message.is_char_boundary(*end));
    message.get(..end.unwrap_or(0))
}

/// The error of a request that failed as a whole.
///
/// Invariants: the control plane answers what it was asked, or that it failed.
pub(super) fn failure(answer: ControlAnswer) -> ControlError {
    match answer {
        ControlAnswer::Failed(error) => error,
        other => panic!("the control plane answered another question: {other:?}"),
    }
}
