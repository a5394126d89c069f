//! All client sockets of one shard, behind five calls: `poll`, `send`, `close`, `pause`/`resume`, `flush`.
//!
//! Readiness comes from one epoll instance, edge-triggered: an idle connection costs its memory and nothing else, and a turn learns
//! of all ready sockets with one system call. The shard's loop sleeps here too, so mail and journal completions wake it through
//! descriptors of their own. Nothing outside this file knows epoll, so that another way to do socket I/O can take its place.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use protocol::Piece;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::Socket;

use crate::input::Input;
use crate::metrics::RuntimeMetrics;
use crate::model::{ConnectionId, Instant};

use super::cold_reader::ColdRange;
use super::connection::{Connection, Flushed, Received};
use super::files::{Files, OpenFile};
use super::listener::{self, Accepted, Gate};
use super::receive_chunks::ReceiveChunks;

/// Events of one look at the kernel.
const EVENTS_MAX: usize = 256;

/// Connections accepted per listener and turn.
const ACCEPTS_MAX: usize = 64;

/// Bytes received per turn: beyond it the shard works first.
const TURN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a listener rests after the process ran out of descriptors or memory.
const ACCEPT_REST_MS: u64 = 100;

/// The low bits of a connection id are its slot; the bits above count connections and are never reused.
const SLOT_BITS: u32 = 20;

const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const FOREVER: Timespec = Timespec { tv_sec: i64::MAX / 4, tv_nsec: 0 };

const WAKE: u64 = u64::MAX;
const LISTENER: u64 = 1 << 63;

/// What the configuration says about connections.
#[derive(Debug, Clone)]
pub struct SocketConfig {
    pub frame_bytes_max: usize,
    pub idle_ms_max: u64,
    pub gate: Arc<Gate>,
}

#[derive(Debug)]
struct ListenerState {
    socket: Socket,
    index: u16,
    ready: bool,
    rests_until: Option<Instant>,
}

/// Lives: one per shard, on its thread.
pub struct Sockets {
    epoll: OwnedFd,
    listeners: Vec<ListenerState>,
    slots: Vec<Option<Box<Connection>>>,
    free: Vec<u32>,
    accepted: u64,
    ready: VecDeque<ConnectionId>,
    dirty: Vec<ConnectionId>,
    /// At their end of stream, given one more turn for answers.
    ending: Vec<ConnectionId>,
    events: Vec<Event>,
    chunks: ReceiveChunks,
    frames: Vec<BytesMut>,
    config: SocketConfig,
    files: Arc<Files>,
    metrics: Rc<RefCell<RuntimeMetrics>>,
    next_sweep: Instant,
    /// `wait` has just looked at the kernel: `poll` need not again.
    has_waited: bool,
}

impl Sockets {
    pub fn new(
        config: SocketConfig,
        files: Arc<Files>,
        metrics: Rc<RefCell<RuntimeMetrics>>,
    ) -> io::Result<Sockets> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Sockets {
            epoll,
            listeners: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            accepted: 0,
            ready: VecDeque::new(),
            dirty: Vec::new(),
            ending: Vec::new(),
            events: Vec::with_capacity(EVENTS_MAX),
            chunks: ReceiveChunks::default(),
            frames: Vec::new(),
            config,
            files,
            metrics,
            next_sweep: Instant(0),
            has_waited: false,
        })
    }

    /// Lets an eventfd end `wait`. It is never read: each write to it is a new edge.
    pub fn wake_by(&self, eventfd: impl AsFd) -> io::Result<()> {
        epoll::add(&self.epoll, eventfd, EventData::new_u64(WAKE), EventFlags::IN | EventFlags::ET)?;
        Ok(())
    }

    /// Sleeps until something happens, or for `timeout`. What happened is for the next `poll`.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap_or(FOREVER));
        self.has_waited = true;
        self.take_events(timeout.as_ref())
    }

    /// Starts to accept from a bound socket.
    pub fn listen(&mut self, socket: Socket, index: u16) -> io::Result<()> {
        listener::listen(&socket)?;
        let data = EventData::new_u64(LISTENER | self.listeners.len() as u64);
        epoll::add(&self.epoll, &socket, data, EventFlags::IN | EventFlags::ET)?;
        self.listeners.push(ListenerState { socket, index, ready: true, rests_until: None });
        Ok(())
    }

    /// Accepts no more; connections stay.
    pub fn stop_listening(&mut self) {
        self.listeners.clear();
    }

    /// There is something to do that the kernel will not tell again.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.ready.is_empty()
            || !self.dirty.is_empty()
            || !self.ending.is_empty()
            || self.listeners.iter().any(|listener| listener.ready && listener.rests_until.is_none())
    }

    /// When `poll` has something to do although nothing happened.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let rests = self.listeners.iter().filter_map(|listener| listener.rests_until).min();
        let sweep = (self.slots.len() > self.free.len()).then_some(self.next_sweep);
        rests.into_iter().chain(sweep).min()
    }

    /// Takes what the kernel has: connections and frames become inputs, until about `room` of them or a fair share of bytes.
    pub fn poll(&mut self, now: Instant, room: usize, inputs: &mut VecDeque<Input>) -> io::Result<()> {
        for id in std::mem::take(&mut self.ending) {
            match self.connection(id) {
                Some(connection) if connection.has_queue() => connection.flags.closing = true,
                Some(_) => self.remove(id, inputs),
                None => {}
            }
        }
        if !std::mem::take(&mut self.has_waited) {
            self.take_events(Some(&NO_WAIT))?;
        }
        self.accept(now, inputs);
        self.receive(now, room, inputs);
        if now >= self.next_sweep {
            self.sweep(now, inputs);
        }
        Ok(())
    }

    fn take_events(&mut self, timeout: Option<&Timespec>) -> io::Result<()> {
        self.events.clear();
        let buffer = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, buffer, timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for index in 0..self.events.len() {
            let Event { data, flags } = self.events[index];
            match data.u64() {
                WAKE => {}
                listener if listener & LISTENER != 0 => {
                    let index = usize::try_from(listener & !LISTENER).expect("an index of this process");
                    if let Some(listener) = self.listeners.get_mut(index) {
                        listener.ready = true;
                    }
                }
                id => self.on_event(ConnectionId(id), flags),
            }
        }
        Ok(())
    }

    fn on_event(&mut self, id: ConnectionId, events: EventFlags) {
        let Some(connection) = self.connection(id) else { return };
        let ended = EventFlags::HUP | EventFlags::ERR;
        let flags = &mut connection.flags;
        flags.hangup |= events.intersects(ended | EventFlags::RDHUP);
        let mut is_ready = false;
        let mut is_dirty = false;
        if events.intersects(EventFlags::IN | EventFlags::RDHUP | ended) {
            flags.readable = true;
            is_ready = !flags.paused && !flags.in_ready && !flags.closing;
            flags.in_ready |= is_ready;
        }
        if flags.blocked && events.intersects(EventFlags::OUT | ended) {
            flags.blocked = false;
            is_dirty = !flags.in_dirty;
            flags.in_dirty = true;
        }
        if is_ready {
            self.ready.push_back(id);
        }
        if is_dirty {
            self.dirty.push(id);
        }
    }

    fn accept(&mut self, now: Instant, inputs: &mut VecDeque<Input>) {
        for index in 0..self.listeners.len() {
            let listener = &mut self.listeners[index];
            if listener.rests_until.is_some_and(|until| now >= until) {
                listener.rests_until = None;
            }
            if !listener.ready || listener.rests_until.is_some() {
                continue;
            }
            for _ in 0..ACCEPTS_MAX {
                let listener = &mut self.listeners[index];
                match listener::accept(&listener.socket) {
                    Accepted::Connection(socket, peer) => {
                        let number = listener.index;
                        if !self.config.gate.enter(peer.ip()) {
                            self.metrics.borrow_mut().connections_refused += 1;
                            continue;
                        }
                        match self.add(socket, peer.ip(), now) {
                            Some(connection) => {
                                inputs.push_back(Input::Accepted { connection, listener: number, peer });
                            }
                            None => self.config.gate.leave(peer.ip()),
                        }
                    }
                    Accepted::Skip => self.metrics.borrow_mut().accept_errors += 1,
                    Accepted::Empty => {
                        listener.ready = false;
                        break;
                    }
                    Accepted::Exhausted(error) => {
                        tracing::warn!(%error, "cannot accept connections: raise the limit of open files (ulimit -n)");
                        listener.rests_until = Some(now.after_ms(ACCEPT_REST_MS));
                        self.metrics.borrow_mut().accept_errors += 1;
                        break;
                    }
                }
            }
        }
    }

    fn add(&mut self, socket: Socket, peer: std::net::IpAddr, now: Instant) -> Option<ConnectionId> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).ok().filter(|slot| slot >> SLOT_BITS == 0)?;
                self.slots.push(None);
                slot
            }
        };
        self.accepted += 1;
        let id = ConnectionId(self.accepted << SLOT_BITS | u64::from(slot));
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        if epoll::add(&self.epoll, &socket, EventData::new_u64(id.0), flags).is_err() {
            self.free.push(slot);
            return None;
        }
        if self.slots.len() - self.free.len() == 1 {
            self.next_sweep = now.after_ms(self.sweep_ms());
        }
        let connection = Connection::new(id, socket, peer, self.config.frame_bytes_max, now);
        self.slots[slot as usize] = Some(Box::new(connection));
        let mut metrics = self.metrics.borrow_mut();
        metrics.connections += 1;
        metrics.connections_accepted += 1;
        Some(id)
    }

    fn receive(&mut self, now: Instant, room: usize, inputs: &mut VecDeque<Input>) {
        let mut bytes = 0;
        let count_max = inputs.len() + room;
        for _ in 0..self.ready.len() {
            if inputs.len() >= count_max || bytes >= TURN_BYTES_MAX {
                break;
            }
            let Some(id) = self.ready.pop_front() else { break };
            let Some(connection) = find(&mut self.slots, id) else { continue };
            connection.flags.in_ready = false;
            if connection.flags.paused || connection.flags.closing {
                continue;
            }
            connection.last_active = now;
            let received = connection.receive(self.chunks.room(), &mut self.frames);
            let frames = self.frames.drain(..);
            inputs.extend(frames.map(|frame| Input::Received { connection: id, frame }));
            let again = match received {
                Received::More(got) => {
                    bytes += got;
                    true
                }
                Received::Drained(got) => {
                    bytes += got;
                    connection.flags.readable = connection.flags.hangup;
                    connection.flags.hangup
                }
                Received::End => {
                    connection.flags.closing = true;
                    self.ending.push(id);
                    false
                }
                Received::Failed => {
                    self.remove(id, inputs);
                    continue;
                }
            };
            if again {
                connection.flags.in_ready = true;
                self.ready.push_back(id);
            }
        }
        self.metrics.borrow_mut().received_bytes += bytes as u64;
    }

    /// Queues one answer. It leaves with the next `flush`.
    pub fn send(&mut self, id: ConnectionId, pieces: Vec<Piece>, inputs: &mut VecDeque<Input>) {
        let Some(connection) = find(&mut self.slots, id) else { return };
        if !connection.enqueue(pieces, &self.files) {
            self.remove(id, inputs);
            return;
        }
        if !connection.flags.in_dirty && !connection.flags.blocked {
            connection.flags.in_dirty = true;
            self.dirty.push(id);
        }
    }

    /// Sends what is queued, then closes.
    pub fn close(&mut self, id: ConnectionId, inputs: &mut VecDeque<Input>) {
        let Some(connection) = self.connection(id) else { return };
        connection.flags.closing = true;
        if !connection.has_queue() {
            self.remove(id, inputs);
        }
    }

    pub fn pause(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connection(id) {
            connection.flags.paused = true;
        }
    }

    pub fn resume(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection(id) else { return };
        let flags = &mut connection.flags;
        flags.paused = false;
        if flags.readable && !flags.in_ready && !flags.closing {
            flags.in_ready = true;
            self.ready.push_back(id);
        }
    }

    /// A helper thread has read the range that `flush` named.
    pub fn on_resident(
        &mut self,
        id: ConnectionId,
        result: io::Result<Arc<OpenFile>>,
        inputs: &mut VecDeque<Input>,
    ) {
        let Some(connection) = self.connection(id) else { return };
        let open = match result {
            Ok(open) => open,
            Err(error) => {
                tracing::error!(connection = %id, %error, "cannot read a segment for an answer: closing");
                self.remove(id, inputs);
                return;
            }
        };
        connection.on_resident(open);
        if !connection.flags.in_dirty {
            connection.flags.in_dirty = true;
            self.dirty.push(id);
        }
    }

    /// Sends all that was queued, as far as sockets take it; reports what has left, and which ranges must be read first.
    pub fn flush(&mut self, now: Instant, inputs: &mut VecDeque<Input>, cold: &mut Vec<ColdRange>) {
        for id in std::mem::take(&mut self.dirty) {
            let Some(connection) = find(&mut self.slots, id) else { continue };
            connection.flags.in_dirty = false;
            if connection.flags.waits_for_file {
                continue;
            }
            let (mut sent, mut from_files) = (0, 0);
            let flushed = connection.flush(&mut sent, &mut from_files);
            if sent > 0 {
                connection.last_active = now;
                inputs.push_back(Input::Sent { connection: id, bytes: sent });
                let mut metrics = self.metrics.borrow_mut();
                metrics.sent_bytes += sent;
                metrics.sendfile_bytes += from_files;
            }
            match flushed {
                Flushed::Empty if connection.flags.closing => self.remove(id, inputs),
                Flushed::Empty => {}
                Flushed::Blocked => connection.flags.blocked = true,
                Flushed::Again => {
                    connection.flags.in_dirty = true;
                    self.dirty.push(id);
                }
                Flushed::Cold { file, position, length } => {
                    connection.flags.waits_for_file = true;
                    self.metrics.borrow_mut().cold_reads += 1;
                    cold.push(ColdRange { connection: id, file, position, length });
                }
                Flushed::Failed => self.remove(id, inputs),
            }
        }
    }

    /// Closes connections on which nothing moved for `connections.max.idle.ms`.
    fn sweep(&mut self, now: Instant, inputs: &mut VecDeque<Input>) {
        self.next_sweep = now.after_ms(self.sweep_ms());
        let idle_ns = self.config.idle_ms_max.saturating_mul(1_000_000);
        let idle: Vec<ConnectionId> = self
            .slots
            .iter()
            .flatten()
            .filter(|connection| now.ns_since(connection.last_active) >= idle_ns && !connection.flags.paused)
            .map(|connection| connection.id)
            .collect();
        self.metrics.borrow_mut().connections_idle_closed += idle.len() as u64;
        for id in idle {
            self.remove(id, inputs);
        }
    }

    fn sweep_ms(&self) -> u64 {
        (self.config.idle_ms_max / 8).clamp(100, 30_000)
    }

    fn remove(&mut self, id: ConnectionId, inputs: &mut VecDeque<Input>) {
        let slot = slot_of(id);
        if let Some(connection) = self.slots[slot].take_if(|connection| connection.id == id) {
            self.config.gate.leave(connection.peer);
            self.free.push(u32::try_from(slot).expect("made from a u32"));
            self.metrics.borrow_mut().connections -= 1;
            inputs.push_back(Input::Closed { connection: id });
        }
    }

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        find(&mut self.slots, id)
    }
}

fn slot_of(id: ConnectionId) -> usize {
    usize::try_from(id.0 & ((1 << SLOT_BITS) - 1)).expect("few bits")
}

/// None: closed in the meantime.
fn find(slots: &mut [Option<Box<Connection>>], id: ConnectionId) -> Option<&mut Connection> {
    slots.get_mut(slot_of(id))?.as_deref_mut().filter(|connection| connection.id == id)
}
