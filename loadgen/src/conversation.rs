//! The border between what a connection says and how its bytes move.
//!
//! A `Conversation` is the mind of one connection: no clock, no socket, no thread. The engine asks it for requests, tells it when
//! they were written, hands it whole answers, and tells it that the connection is gone. `producer` and `consumer` implement it.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::error::LoadError;

/// Nanoseconds on the run's monotonic clock, which is one for all threads.
pub type Nanoseconds = u64;

/// A request on its way: a head of its own, bodies that are shared.
///
/// Shape:  | head | body | head | body | ... in the order of `pieces`
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub enum Piece {
    Own(Vec<u8>),
    Shared(Rc<[u8]>),
}

/// Requests that the engine is to write, first to last.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub requests: VecDeque<Request>,
    /// Requests that were written: their buffers may be filled again.
    pub spare: Vec<Request>,
}

/// When the conversation wants to be asked again if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    At(Nanoseconds),
    /// Only when an answer has come.
    OnAnswer,
    /// It has said all it had to say, and has had all its answers: the connection may close.
    Finished,
}

pub trait Conversation {
    /// Adds the requests that are due to `outgoing`. Called after every other event, and at the moment last returned; never
    /// while the connection is away.
    fn poll(&mut self, now: Nanoseconds, outgoing: &mut Outgoing) -> Next;

    /// The first bytes of the next `requests` requests, in order, went to the kernel at `at`. Where the socket was full before,
    /// it has had room since `room_since`, else that is 0.
    fn on_written(&mut self, at: Nanoseconds, room_since: Nanoseconds, requests: usize);

    /// One whole answer, without its length. An error ends the run.
    fn on_answer(&mut self, now: Nanoseconds, answer: &[u8]) -> Result<(), LoadError>;

    /// The connection is gone. All requests that were not answered are gone with it: those that were written, wholly or partly,
    /// may have reached the broker; those that `on_written` never told of have not, and the engine has dropped them.
    fn on_disconnected(&mut self, now: Nanoseconds);

    /// The connection is there again; nothing has been sent on it.
    fn on_connected(&mut self, now: Nanoseconds);

    /// The schedule is over: nothing new becomes due; what is in flight may still be answered.
    fn on_stop(&mut self, now: Nanoseconds);
}
