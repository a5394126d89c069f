//! Clients that speak bytes. Each keeps its own picture of the cluster and writes what it was told into the ledger.

pub mod admin;
pub mod batch;
pub mod consumer;
pub mod consumer_member;
mod group_wire;
pub mod loner;
pub mod member;
pub mod port;
pub mod producer;
pub mod wire;

use bytes::Bytes;

use crate::checkers::Ledger;
use crate::network::{LinkId, Network};
use crate::random::Random;
use crate::schedule::{ClientId, Schedule};

/// What a client may touch.
pub struct Io<'a> {
    pub client: ClientId,
    pub network: &'a mut Network,
    pub schedule: &'a mut Schedule,
    pub ledger: &'a mut Ledger,
    pub random: &'a mut Random,
    /// Shards of the running broker; 0 while it is down.
    pub shards: u16,
    /// The faults have stopped: finish what was begun, begin nothing.
    pub calm: bool,
    /// The world has not seen enough yet: go on.
    pub thin: bool,
}

/// After how many nanoseconds a client wants to be woken; an earlier alarm is forgotten.
pub type Alarm = Option<u64>;

pub trait Client {
    fn wake(&mut self, io: &mut Io<'_>) -> Alarm;
    fn arrived(&mut self, io: &mut Io<'_>, link: LinkId, bytes: Bytes) -> Alarm;
    fn closed(&mut self, io: &mut Io<'_>, link: LinkId) -> Alarm;
    /// Nothing that it began is open.
    fn is_done(&self) -> bool;
    /// One line for the report of a world that does not come to rest.
    fn describe(&self) -> String;
    /// The final reader's result.
    fn as_consumer(&self) -> Option<&consumer::Consumer> {
        None
    }
}
