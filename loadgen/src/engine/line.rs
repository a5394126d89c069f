//! One connection of the run with its mind: when it is asked, written, read, lost and made again.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::io::Errno;
use rustix::net::{self, SocketFlags, SocketType, ipproto, sockopt};

use super::book::{BookOfEnds, Reading};
use super::clock::nanoseconds;
use super::control::{CONNECT_WITHIN, request_bytes, versions_request};
use super::link::Link;
use super::shared::Shared;
use crate::consumer::{Consumer, FetchCounts};
use crate::conversation::{Conversation, Nanoseconds, Next, Outgoing, Piece, Request};
use crate::error::LoadError;
use crate::producer::Producer;
use crate::recorder::Recorder;
use crate::report::Consumed;
use protocol::ApiKey;

const BACKOFF_MIN: Nanoseconds = 10_000_000;
/// Short, because an outage is measured up to the next acknowledgement.
const BACKOFF_MAX: Nanoseconds = 100_000_000;
/// Polls and writes in a row, so that one line does not keep others waiting.
const ROUNDS_MAX: usize = 16;

pub enum Mind {
    Producer(Box<Producer<BookOfEnds>>),
    Consumer {
        consumer: Box<Consumer<Reading>>,
        told: FetchCounts,
        group: usize,
        /// It reads up to an end.
        ends: bool,
    },
    /// Says who it is once.
    Idle {
        greeted: bool,
    },
}

enum Stage {
    There(Link),
    Connecting { socket: OwnedFd, given_up: Nanoseconds },
    Away { try_at: Nanoseconds },
}

pub struct Line {
    pub mind: Mind,
    address: SocketAddr,
    stage: Stage,
    outgoing: Outgoing,
    next: Next,
    /// The timer that is set for it.
    pub timer: Option<Nanoseconds>,
    /// What epoll was told last of `wants_room`.
    pub watched_for_room: bool,
    waits_for_room: bool,
    room_since: Nanoseconds,
    lost_at: Nanoseconds,
    backoff: Nanoseconds,
}

/// What the thread has to do about the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    None,
    /// Watch it anew: it is another socket.
    NewSocket,
    /// More can be written at once: come back after the others.
    Again,
}

impl Line {
    pub fn new(mind: Mind, address: SocketAddr, socket: OwnedFd) -> Line {
        Line {
            mind,
            address,
            stage: Stage::There(Link::new(socket)),
            outgoing: Outgoing::default(),
            next: Next::OnAnswer,
            timer: None,
            watched_for_room: false,
            waits_for_room: false,
            room_since: 0,
            lost_at: 0,
            backoff: BACKOFF_MIN,
        }
    }

    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.stage {
            Stage::There(link) => Some(link.socket()),
            Stage::Connecting { socket, .. } => Some(socket.as_fd()),
            Stage::Away { .. } => None,
        }
    }

    /// Writable is of interest, not only readable.
    pub fn wants_room(&self) -> bool {
        self.waits_for_room || matches!(self.stage, Stage::Connecting { .. })
    }

    /// When it is to be looked at again if nothing happens.
    pub fn wake_at(&self) -> Option<Nanoseconds> {
        match (&self.stage, self.next) {
            (Stage::Away { try_at }, _) => Some(*try_at),
            (Stage::Connecting { given_up, .. }, _) => Some(*given_up),
            (Stage::There(_), Next::At(at)) => Some(at),
            (Stage::There(_), _) => None,
        }
    }

    /// Nothing that the run waits for is left.
    pub fn is_done(&self) -> bool {
        match &self.mind {
            Mind::Producer(producer) => producer.is_settled(),
            Mind::Consumer { ends, .. } => !ends || self.next == Next::Finished,
            Mind::Idle { .. } => true,
        }
    }

    pub fn conversation(&mut self) -> Option<&mut dyn Conversation> {
        match &mut self.mind {
            Mind::Producer(producer) => Some(&mut **producer),
            Mind::Consumer { consumer, .. } => Some(&mut **consumer),
            Mind::Idle { .. } => None,
        }
    }

    fn poll(&mut self, now: Nanoseconds) {
        self.next = match &mut self.mind {
            Mind::Producer(producer) => producer.poll(now, &mut self.outgoing),
            Mind::Consumer { consumer, .. } => consumer.poll(now, &mut self.outgoing),
            Mind::Idle { greeted: true } => Next::OnAnswer,
            Mind::Idle { greeted } => {
                *greeted = true;
                if let Ok(bytes) = request_bytes(ApiKey::ApiVersions, 0, 0, &versions_request()) {
                    self.outgoing.requests.push_back(Request { pieces: vec![Piece::Own(bytes)] });
                }
                Next::OnAnswer
            }
        };
    }

    /// Asks the mind and writes until there is nothing to write, or no room.
    pub fn pump(&mut self, shared: &Shared, recorder: &RefCell<Recorder>) -> Change {
        for _ in 0..ROUNDS_MAX {
            if !matches!(self.stage, Stage::There(_)) {
                return Change::None;
            }
            self.poll(shared.clock.now());
            if self.outgoing.requests.is_empty() {
                self.room_since = 0;
            }
            if self.outgoing.requests.is_empty() || self.waits_for_room {
                return Change::None;
            }
            let Stage::There(link) = &mut self.stage else { return Change::None };
            let at = shared.clock.now();
            let Ok(written) = link.write(&mut self.outgoing) else {
                return self.lose(at, shared, recorder);
            };
            let room_since = self.room_since;
            if written.begun > 0
                && let Some(mind) = self.conversation()
            {
                mind.on_written(at, room_since, written.begun);
            }
            self.waits_for_room = written.is_full;
        }
        Change::Again
    }

    /// The socket takes bytes again, or a connection has been made, or has failed.
    pub fn on_writable(&mut self, now: Nanoseconds, shared: &Shared, recorder: &RefCell<Recorder>) -> Change {
        if self.waits_for_room {
            self.waits_for_room = false;
            self.room_since = now;
            return self.pump(shared, recorder);
        }
        if !matches!(self.stage, Stage::Connecting { .. }) {
            return Change::None;
        }
        let Stage::Connecting { socket, .. } =
            std::mem::replace(&mut self.stage, Stage::Away { try_at: now })
        else {
            return Change::None;
        };
        if !matches!(sockopt::socket_error(&socket), Ok(Ok(()))) {
            return self.stay_away(now);
        }
        self.on_connected(socket, now, shared);
        self.pump(shared, recorder);
        Change::NewSocket
    }

    fn on_connected(&mut self, socket: OwnedFd, now: Nanoseconds, shared: &Shared) {
        // Without it the load has Nagle's delays; a socket that is connected takes the option.
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        self.stage = Stage::There(Link::new(socket));
        self.backoff = BACKOFF_MIN;
        match &mut self.mind {
            Mind::Producer(producer) => {
                shared.presence.on_back();
                producer.on_connected(now);
            }
            Mind::Consumer { consumer, .. } => consumer.on_connected(now),
            Mind::Idle { greeted } => *greeted = false,
        }
    }

    pub fn on_readable(
        &mut self,
        buffer: &mut [u8],
        shared: &Shared,
        recorder: &Rc<RefCell<Recorder>>,
    ) -> Result<Change, LoadError> {
        let Stage::There(link) = &mut self.stage else { return Ok(Change::None) };
        let mind = &mut self.mind;
        let there = link.read(buffer, |answer| {
            let now = shared.clock.now();
            match mind {
                Mind::Producer(producer) => {
                    let before = recorder.borrow().acknowledged_batches();
                    producer.on_answer(now, answer)?;
                    if recorder.borrow().acknowledged_batches() > before {
                        shared.presence.on_acknowledged(now);
                    }
                    Ok(())
                }
                Mind::Consumer { consumer, told, .. } => {
                    consumer.on_answer(now, answer)?;
                    let counts = consumer.counts();
                    let read = Consumed {
                        records: counts.records - told.records,
                        batches: counts.batches - told.batches,
                        bytes: counts.bytes - told.bytes,
                        fetches: counts.fetches - told.fetches,
                    };
                    (told.records, told.batches) = (counts.records, counts.batches);
                    (told.bytes, told.fetches) = (counts.bytes, counts.fetches);
                    recorder.borrow_mut().on_consumed(now, &read);
                    Ok(())
                }
                Mind::Idle { .. } => Ok(()),
            }
        })?;
        if !there {
            return Ok(self.lose(shared.clock.now(), shared, recorder));
        }
        Ok(self.pump(shared, recorder))
    }

    fn lose(&mut self, now: Nanoseconds, shared: &Shared, recorder: &RefCell<Recorder>) -> Change {
        self.outgoing.requests.clear();
        self.waits_for_room = false;
        self.room_since = 0;
        self.lost_at = now;
        // Before the mind is told: what the loss made unknown is an error of this second.
        recorder.borrow_mut().on_disconnect();
        if matches!(self.mind, Mind::Producer(_)) {
            shared.presence.on_lost(now);
        }
        if let Some(mind) = self.conversation() {
            mind.on_disconnected(now);
        }
        self.backoff = BACKOFF_MIN;
        self.stay_away(now)
    }

    fn stay_away(&mut self, now: Nanoseconds) -> Change {
        self.stage = Stage::Away { try_at: now + self.backoff };
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        Change::None
    }

    /// Its timer has come.
    pub fn on_timer(
        &mut self,
        now: Nanoseconds,
        shared: &Shared,
        recorder: &RefCell<Recorder>,
    ) -> Result<Change, LoadError> {
        match &self.stage {
            Stage::There(_) => return Ok(self.pump(shared, recorder)),
            Stage::Away { try_at } if now < *try_at => return Ok(Change::None),
            Stage::Connecting { given_up, .. } if now < *given_up => return Ok(Change::None),
            Stage::Connecting { .. } => return Ok(self.stay_away(now)),
            Stage::Away { .. } => {}
        }
        if now.saturating_sub(self.lost_at) > shared.reconnect_for {
            return Err(LoadError::failed(
                format!("{} has been away for {} s", self.address, (now - self.lost_at) / 1_000_000_000),
                "look at the broker's log; --reconnect-for says how long to wait",
            ));
        }
        let Ok(socket) = begin_connecting(self.address) else { return Ok(self.stay_away(now)) };
        self.stage = Stage::Connecting { socket, given_up: now + nanoseconds(CONNECT_WITHIN) };
        Ok(Change::NewSocket)
    }

    /// How long every answer to a consumer has been an error.
    pub fn check_failing(&self, now: Nanoseconds, shared: &Shared) -> Result<(), LoadError> {
        let Mind::Consumer { consumer, .. } = &self.mind else { return Ok(()) };
        match consumer.failing_since() {
            Some(since) if now.saturating_sub(since) > shared.reconnect_for => {
                let names: Vec<&str> = consumer.counts().retries.keys().copied().collect();
                Err(LoadError::failed(
                    format!(
                        "reading has failed for {} s: {}",
                        (now - since) / 1_000_000_000,
                        names.join(", ")
                    ),
                    "look at the broker's log",
                ))
            }
            _ => Ok(()),
        }
    }
}

fn begin_connecting(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { net::AddressFamily::INET } else { net::AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    match net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}
