//! Why a run could not be made or is not worth its figures: one line, what to do, and an exit code by kind.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Address, authorization, topic, files: the run could not be made or ended early.
    Failed,
    /// Something acknowledged is missing, twice there, out of order or changed.
    Verification,
    /// The figures say nothing about the broker.
    Invalid,
    /// The command line is wrong.
    Usage,
}

impl ErrorKind {
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Failed => 1,
            ErrorKind::Verification => 2,
            ErrorKind::Invalid => 3,
            ErrorKind::Usage => 64,
        }
    }
}

/// What went wrong and what to do about it, each one sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    pub kind: ErrorKind,
    pub what: String,
    pub fix: String,
}

impl LoadError {
    #[must_use]
    pub fn failed(what: impl Into<String>, fix: impl Into<String>) -> LoadError {
        LoadError { kind: ErrorKind::Failed, what: what.into(), fix: fix.into() }
    }

    #[must_use]
    pub fn usage(what: impl Into<String>, fix: impl Into<String>) -> LoadError {
        LoadError { kind: ErrorKind::Usage, what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.what)?;
        if self.fix.is_empty() { Ok(()) } else { write!(out, "; {}", self.fix) }
    }
}

impl std::error::Error for LoadError {}
