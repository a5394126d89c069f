//! A broker that acknowledges and forgets: what the generator costs by itself, and whether its latencies are right.
//!
//! One thread, no file. Decides when answers leave: at once, or a fixed time after their request. Nothing that it has taken can be
//! read back. Which bytes an answer has is decided in `answers`.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a server: sockets and a clock")]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use core::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use crate::error::LoadError;

mod answers;
#[cfg(test)]
mod tests;

pub use answers::{Answer, Answers, Step};

const EVENTS_MAX: usize = 256;
/// Larger than any request that is skipped in one call: what is skipped is never written here.
const BUFFER_BYTES: usize = 4 << 20;
const READ_BYTES: usize = 256 << 10;
const REQUEST_BYTES_MAX: usize = 256 << 20;
const LISTENER: u64 = u64::MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NullBrokerOptions {
    /// Of topics that a client asks for and that were not created.
    pub partitions: u32,
    /// The core it runs on; None: any.
    pub cpu: Option<usize>,
    pub delay: AddedDelay,
}

/// How much later Produce is answered. Above 0, a whole core is spent on being exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddedDelay {
    pub usual: Duration,
    /// Every so many requests one waits for `slow` instead: a tail that is known beforehand.
    pub slow_every: Option<NonZeroU64>,
    pub slow: Duration,
}

impl AddedDelay {
    fn is_zero(&self) -> bool {
        self.usual.is_zero() && self.slow_every.is_none()
    }

    /// Of the `count`-th request, counted from 1.
    fn of(&self, count: u64) -> Duration {
        if self.slow_every.is_some_and(|every| count.is_multiple_of(every.get())) {
            self.slow
        } else {
            self.usual
        }
    }
}

/// Serves until the process ends. `on_ready` hears the address, whose port was free if `listen` has port 0.
pub fn serve(
    listen: SocketAddr,
    options: &NullBrokerOptions,
    on_ready: impl FnOnce(SocketAddr),
) -> Result<(), LoadError> {
    let failed = |what: &str, error: std::io::Error| LoadError::failed(format!("{what}: {error}"), "");
    let listener = TcpListener::bind(listen).map_err(|error| {
        LoadError::failed(format!("cannot listen on {listen}: {error}"), "choose another address")
    })?;
    listener.set_nonblocking(true).map_err(|error| failed("cannot listen", error))?;
    let address = listener.local_addr().map_err(|error| failed("cannot listen", error))?;
    if let Some(cpu) = options.cpu {
        let mut set = rustix::thread::CpuSet::new();
        set.set(cpu);
        rustix::thread::sched_setaffinity(None, &set)
            .map_err(|error| failed(&format!("cannot run on core {cpu}"), error.into()))?;
    }
    let epoll =
        epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| failed("no epoll", error.into()))?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)
        .map_err(|error| failed("no epoll", error.into()))?;
    on_ready(address);
    let server = Server {
        answers: Answers::new(address, options.partitions),
        delay: options.delay,
        produced: 0,
        listener,
        epoll,
        clients: Vec::new(),
        delayed: VecDeque::new(),
        waiting: BinaryHeap::new(),
        zero: Instant::now(),
    };
    server.run()
}

/// One connection.
struct Client {
    socket: OwnedFd,
    /// The beginning of a request.
    received: Vec<u8>,
    /// Bytes of a request that was understood before it was there as a whole.
    skip: usize,
    unsent: Vec<u8>,
    waits_for_room: bool,
}

/// An answer that leaves later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Later {
    at: Duration,
    client: usize,
    bytes: Vec<u8>,
}

struct Server {
    answers: Answers,
    delay: AddedDelay,
    /// Requests so far.
    produced: u64,
    listener: TcpListener,
    epoll: OwnedFd,
    clients: Vec<Option<Client>>,
    /// To Produce: they leave in the order of the requests, so one that is slow holds up all behind it.
    delayed: VecDeque<Later>,
    /// To Fetch: each waits for as long as it asked to.
    waiting: BinaryHeap<Reverse<Later>>,
    zero: Instant,
}

impl Server {
    fn run(mut self) -> Result<(), LoadError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            self.send_delayed();
            let timeout = self.sleep_for();
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(LoadError::failed(format!("epoll failed: {error}"), "")),
            }
            for event in &events {
                let index = event.data.u64();
                if index == LISTENER {
                    self.accept();
                    continue;
                }
                let (index, flags) = (index as usize, event.flags);
                if flags.contains(EventFlags::OUT) {
                    self.send(index);
                }
                if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                    self.receive(index, &mut buffer);
                    self.send(index);
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok(socket) =
            rustix::net::accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)
        {
            // Only costs time where it fails.
            let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
            let index = self.clients.len();
            let data = EventData::new_u64(index as u64);
            if epoll::add(&self.epoll, &socket, data, EventFlags::IN).is_ok() {
                let client = Client {
                    socket,
                    received: Vec::new(),
                    skip: 0,
                    unsent: Vec::new(),
                    waits_for_room: false,
                };
                self.clients.push(Some(client));
            }
        }
    }

    fn receive(&mut self, index: usize, buffer: &mut [u8]) {
        let Some(client) = &mut self.clients[index] else { return };
        loop {
            let skipping = client.skip > 0;
            let read = if skipping {
                let part = client.skip.min(buffer.len());
                // TCP drops the bytes without copying them.
                rustix::net::recv(&client.socket, &mut buffer[..part], RecvFlags::DONTWAIT | RecvFlags::TRUNC)
            } else {
                rustix::net::recv(&client.socket, &mut buffer[..READ_BYTES], RecvFlags::DONTWAIT)
            };
            let read = match read {
                Ok((_, 0)) => break,
                Ok((_, read)) => read,
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(_) => break,
            };
            if skipping {
                client.skip -= read;
                continue;
            }
            let now = self.zero.elapsed();
            let is_whole = client.received.is_empty();
            client.received.extend_from_slice(if is_whole { &[] } else { &buffer[..read] });
            let mut pending = std::mem::take(&mut client.received);
            let mut reply = |answer: Answer| match answer {
                Answer::Produced(bytes) if self.delay.is_zero() => client.unsent.extend_from_slice(bytes),
                Answer::Produced(bytes) => {
                    self.produced += 1;
                    let at = now + self.delay.of(self.produced);
                    let later = Later { at, client: index, bytes: bytes.to_vec() };
                    self.delayed.push_back(later);
                }
                Answer::Now(bytes) => client.unsent.extend_from_slice(&bytes),
                Answer::After(wait, bytes) => {
                    self.waiting.push(Reverse(Later { at: now + wait, client: index, bytes }));
                }
            };
            let bytes = if is_whole { &buffer[..read] } else { &pending };
            let Some((used, skip)) = take_requests(&mut self.answers, bytes, &mut reply) else { break };
            client.skip = skip;
            if is_whole {
                client.received.extend_from_slice(&buffer[used..read]);
            } else {
                pending.drain(..used);
                client.received = pending;
            }
            if read < READ_BYTES && client.skip == 0 {
                return;
            }
        }
        self.clients[index] = None;
    }

    fn send(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else { return };
        while !client.unsent.is_empty() {
            match rustix::net::send(&client.socket, &client.unsent, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
            {
                Ok(sent) if sent == client.unsent.len() => client.unsent.clear(),
                Ok(sent) => drop(client.unsent.drain(..sent)),
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(_) => {
                    self.clients[index] = None;
                    return;
                }
            }
        }
        let waits = !client.unsent.is_empty();
        if waits != client.waits_for_room {
            client.waits_for_room = waits;
            let mut flags = EventFlags::IN;
            flags.set(EventFlags::OUT, waits);
            let data = EventData::new_u64(index as u64);
            if epoll::modify(&self.epoll, client.socket.as_fd(), data, flags).is_err() {
                self.clients[index] = None;
            }
        }
    }

    fn send_delayed(&mut self) {
        let now = self.zero.elapsed();
        while self.delayed.front().is_some_and(|later| later.at <= now) {
            let Some(later) = self.delayed.pop_front() else { return };
            self.send_later(later);
        }
        while self.waiting.peek().is_some_and(|Reverse(later)| later.at <= now) {
            let Some(Reverse(later)) = self.waiting.pop() else { return };
            self.send_later(later);
        }
    }

    fn send_later(&mut self, later: Later) {
        if let Some(client) = self.clients.get_mut(later.client).and_then(Option::as_mut) {
            client.unsent.extend_from_slice(&later.bytes);
            self.send(later.client);
        }
    }

    fn sleep_for(&self) -> Option<Timespec> {
        let wait = match (self.delayed.front(), self.waiting.peek()) {
            (Some(_), _) => Duration::ZERO,
            (None, Some(Reverse(later))) => later.at.saturating_sub(self.zero.elapsed()),
            (None, None) => return None,
        };
        Some(Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) })
    }
}

/// Answers the requests of `bytes`: how many of them are used up, and how many that are yet to come need not be looked at.
/// None: they are no requests.
fn take_requests(
    answers: &mut Answers,
    bytes: &[u8],
    reply: &mut impl FnMut(Answer<'_>),
) -> Option<(usize, usize)> {
    let mut used = 0;
    loop {
        let rest = &bytes[used..];
        let Some(length) = rest.first_chunk::<4>() else { return Some((used, 0)) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > REQUEST_BYTES_MAX {
            return None;
        }
        let there = &rest[4..rest.len().min(4 + length)];
        match answers.answer(there, there.len() == length, reply) {
            Step::Answered => {
                if there.len() < length {
                    return Some((bytes.len(), length - there.len()));
                }
                used += 4 + length;
            }
            Step::Incomplete => return Some((used, 0)),
            Step::NoRequest => return None,
        }
    }
}
