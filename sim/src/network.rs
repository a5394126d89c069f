//! The network between clients and broker: TCP-shaped. Bytes stay in order, are delayed, arrive in any pieces, and a
//! connection may be cut at any byte.
//!
//! The broker's end does what `runtime/socket` does: frames come out of the shard's own `FrameReceiver`, sends are taken
//! in parts, and file pieces are read from the disk when they leave.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::{Buf, Bytes, BytesMut};
use penstock::effect::FileId;
use penstock::input::Input;
use penstock::model::{ConnectionId, ShardId};
use penstock::shard::FrameReceiver;
use protocol::Piece;

use crate::disk::Disk;
use crate::random::Random;
use crate::schedule::{ClientId, Event, Schedule};

/// What a client's socket and the broker's hold of what was not read.
const SOCKET_BYTES: usize = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Times in a million, per event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkFaults {
    pub cut: u64,
    pub slow: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkCounters {
    pub links: u64,
    pub cuts: u64,
    pub pauses: u64,
    pub direct_receives: u64,
    pub file_pieces: u64,
    pub closed_by_broker: u64,
    pub answers_to_closed_files: u64,
}

enum Leaving {
    Bytes(Bytes),
    File { index: usize, position: u64, length: u64 },
}

impl Leaving {
    fn len(&self) -> u64 {
        match self {
            Leaving::Bytes(bytes) => bytes.len() as u64,
            Leaving::File { length, .. } => *length,
        }
    }
}

/// One connection, both ends and what is between them.
struct Link {
    client: ClientId,
    shard: ShardId,
    connection: ConnectionId,
    listener: u16,
    accepted: bool,
    /// The broker's end is there.
    at_broker: bool,
    /// The client's end is there.
    at_client: bool,
    /// The broker was told to stop while its end was there.
    saw_stop: bool,
    to_broker: VecDeque<Bytes>,
    to_broker_fin: bool,
    to_broker_due: bool,
    receiver: FrameReceiver,
    paused: bool,
    leaving: VecDeque<Leaving>,
    leaving_due: bool,
    close_when_left: bool,
    to_client: VecDeque<Bytes>,
    to_client_fin: bool,
    to_client_due: bool,
}

/// What an event means to one of the two ends.
#[derive(Default)]
pub struct Arrivals {
    pub inputs: Vec<(ShardId, Input)>,
    pub to_client: Option<(ClientId, LinkId, ClientArrival)>,
}

pub enum ClientArrival {
    Bytes(Bytes),
    Closed,
}

pub struct Network {
    random: Random,
    pub faults: NetworkFaults,
    pub counters: NetworkCounters,
    pub violations: Vec<String>,
    links: BTreeMap<LinkId, Link>,
    by_connection: BTreeMap<(ShardId, ConnectionId), LinkId>,
    next_link: u64,
    /// The broker at the other end was told to stop.
    stopping: bool,
}

impl Network {
    #[must_use]
    pub fn new(seed: u64) -> Network {
        Network {
            random: Random::stream(seed, "network"),
            faults: NetworkFaults::default(),
            counters: NetworkCounters::default(),
            violations: Vec::new(),
            links: BTreeMap::new(),
            by_connection: BTreeMap::new(),
            next_link: 0,
            stopping: false,
        }
    }

    fn delay(&mut self) -> u64 {
        if self.random.per_million(self.faults.slow) {
            return self.random.between(5_000_000, 200_000_000);
        }
        self.random.log_uniform(5_000, 1_000_000)
    }

    /// A client connects to a shard of the running broker.
    pub fn connect(
        &mut self,
        client: ClientId,
        shard: ShardId,
        frame_bytes_max: usize,
        schedule: &mut Schedule,
    ) -> LinkId {
        self.next_link += 1;
        self.counters.links += 1;
        let link = LinkId(self.next_link);
        let connection = ConnectionId(self.next_link);
        self.links.insert(
            link,
            Link {
                client,
                shard,
                connection,
                listener: 0,
                accepted: false,
                at_broker: true,
                at_client: true,
                saw_stop: self.stopping,
                to_broker: VecDeque::new(),
                to_broker_fin: false,
                to_broker_due: true,
                receiver: FrameReceiver::new(frame_bytes_max),
                paused: false,
                leaving: VecDeque::new(),
                leaving_due: false,
                close_when_left: false,
                to_client: VecDeque::new(),
                to_client_fin: false,
                to_client_due: false,
            },
        );
        self.by_connection.insert((shard, connection), link);
        schedule.after(self.random.log_uniform(5_000, 500_000), Event::ToBroker { link });
        link
    }

    /// The broker was told to stop.
    pub fn on_stop(&mut self) {
        self.stopping = true;
        self.links.values_mut().filter(|link| link.at_broker).for_each(|link| link.saw_stop = true);
    }

    /// Whether an answer on this connection may be that of a broker that stops. The broker's next life tells nothing about that: the
    /// answer may have been under way for longer than the broker was gone.
    #[must_use]
    pub fn saw_stop(&self, id: LinkId) -> bool {
        self.links.get(&id).is_some_and(|link| link.saw_stop)
    }

    /// The client sends.
    pub fn write(&mut self, id: LinkId, bytes: Bytes, schedule: &mut Schedule) {
        if let Some(link) = self.links.get_mut(&id)
            && link.at_broker
        {
            link.to_broker.push_back(bytes);
        }
        self.wake_to_broker(id, schedule);
    }

    /// Whether a client's socket takes more. One that waits for no answers would fill the world while the broker does not read.
    #[must_use]
    pub fn takes_more(&self, id: LinkId) -> bool {
        let under_way = |link: &Link| link.to_broker.iter().map(Bytes::len).sum::<usize>();
        self.links.get(&id).is_none_or(|link| under_way(link) < SOCKET_BYTES)
    }

    /// The client closes. What is under way arrives, or only a part of it does.
    pub fn close(&mut self, id: LinkId, schedule: &mut Schedule) {
        let cut = self.random.percent(50);
        if let Some(link) = self.links.get_mut(&id) {
            link.at_client = false;
            link.to_client.clear();
            link.to_broker_fin = true;
            if cut {
                keep_prefix(&mut link.to_broker, &mut self.random);
            }
        }
        self.wake_to_broker(id, schedule);
    }

    fn wake_to_broker(&mut self, id: LinkId, schedule: &mut Schedule) {
        let delay = self.delay();
        if let Some(link) = self.links.get_mut(&id)
            && link.at_broker
            && !link.paused
            && !link.to_broker_due
        {
            link.to_broker_due = true;
            schedule.after(delay, Event::ToBroker { link: id });
        }
    }

    fn wake_to_client(&mut self, id: LinkId, schedule: &mut Schedule) {
        let delay = self.delay();
        if let Some(link) = self.links.get_mut(&id)
            && !link.to_client_due
        {
            link.to_client_due = true;
            schedule.after(delay, Event::ToClient { link: id });
        }
    }

    /// The connection breaks, now, for both ends.
    fn cut(&mut self, id: LinkId, arrivals: &mut Arrivals, schedule: &mut Schedule) {
        self.counters.cuts += 1;
        if let Some(link) = self.links.get_mut(&id) {
            link.to_broker.clear();
            keep_prefix(&mut link.to_client, &mut self.random);
            link.to_client_fin = true;
        }
        self.close_at_broker(id, arrivals);
        self.wake_to_client(id, schedule);
    }

    fn close_at_broker(&mut self, id: LinkId, arrivals: &mut Arrivals) {
        if let Some(link) = self.links.get_mut(&id)
            && link.at_broker
        {
            link.at_broker = false;
            link.leaving.clear();
            link.to_broker.clear();
            self.by_connection.remove(&(link.shard, link.connection));
            arrivals.inputs.push((link.shard, Input::Closed { connection: link.connection }));
        }
        self.forget(id);
    }

    fn forget(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| !link.at_broker && !link.at_client) {
            self.links.remove(&id);
        }
    }

    /// Bytes arrive at the broker.
    pub fn on_to_broker(&mut self, id: LinkId, schedule: &mut Schedule) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let cut = self.random.per_million(self.faults.cut);
        let Some(link) = self.links.get_mut(&id) else { return arrivals };
        link.to_broker_due = false;
        if !link.at_broker {
            return arrivals;
        }
        if !link.accepted {
            link.accepted = true;
            let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);
            let (connection, listener) = (link.connection, link.listener);
            arrivals.inputs.push((link.shard, Input::Accepted { connection, listener, peer }));
        }
        if cut {
            self.cut(id, &mut arrivals, schedule);
            return arrivals;
        }
        if link.paused {
            return arrivals;
        }
        if receive(link, &mut self.random, &mut self.counters, &mut arrivals).is_err() {
            self.violations.push(format!("a frame of {:?} was refused", link.client));
            self.close_from_broker(id, &mut arrivals, schedule);
            return arrivals;
        }
        let rest = !link.to_broker.is_empty();
        let fin = link.to_broker_fin;
        if rest {
            self.wake_to_broker(id, schedule);
        } else if fin {
            self.close_at_broker(id, &mut arrivals);
        }
        arrivals
    }

    /// The shard answers. What names a file that was closed meanwhile, because its partition is deleted, cannot be sent: the
    /// connection is closed, as `runtime/` does.
    pub fn send(
        &mut self,
        shard: ShardId,
        connection: ConnectionId,
        pieces: Vec<Piece>,
        disk: &Disk,
        schedule: &mut Schedule,
    ) {
        // Crossing the connection's own end: the input that tells of it is under way.
        let Some(id) = self.by_connection.get(&(shard, connection)).copied() else { return };
        let delay = self.delay();
        let Some(link) = self.links.get_mut(&id) else { return };
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => link.leaving.push_back(Leaving::Bytes(bytes)),
                Piece::File(range) => {
                    self.counters.file_pieces += 1;
                    let Some(index) = disk.lease(FileId(range.file)) else {
                        if disk.was_closed(FileId(range.file)) {
                            self.counters.answers_to_closed_files += 1;
                        } else {
                            self.violations
                                .push(format!("an answer names a file that is not open: {range:?}"));
                        }
                        self.close_effect(shard, connection, schedule);
                        return;
                    };
                    let (position, length) = (range.position, range.length);
                    link.leaving.push_back(Leaving::File { index, position, length });
                }
            }
        }
        if !link.leaving_due {
            link.leaving_due = true;
            schedule.after(delay / 4, Event::FromBroker { link: id });
        }
    }

    pub fn close_effect(&mut self, shard: ShardId, connection: ConnectionId, schedule: &mut Schedule) {
        let Some(id) = self.by_connection.get(&(shard, connection)).copied() else { return };
        self.counters.closed_by_broker += 1;
        if let Some(link) = self.links.get_mut(&id) {
            link.close_when_left = true;
            if !link.leaving_due {
                link.leaving_due = true;
                schedule.after(1_000, Event::FromBroker { link: id });
            }
        }
    }

    pub fn pause(&mut self, shard: ShardId, connection: ConnectionId, paused: bool, schedule: &mut Schedule) {
        let Some(id) = self.by_connection.get(&(shard, connection)).copied() else { return };
        self.counters.pauses += u64::from(paused);
        if let Some(link) = self.links.get_mut(&id) {
            link.paused = paused;
        }
        if !paused {
            self.wake_to_broker(id, schedule);
        }
    }

    fn close_from_broker(&mut self, id: LinkId, arrivals: &mut Arrivals, schedule: &mut Schedule) {
        if let Some(link) = self.links.get_mut(&id) {
            link.to_client_fin = true;
        }
        self.close_at_broker(id, arrivals);
        self.wake_to_client(id, schedule);
    }

    /// The broker's socket takes bytes.
    pub fn on_from_broker(&mut self, id: LinkId, disk: &Disk, schedule: &mut Schedule) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let cut = self.random.per_million(self.faults.cut);
        let delay = self.delay();
        let Some(link) = self.links.get_mut(&id) else { return arrivals };
        link.leaving_due = false;
        if !link.at_broker {
            return arrivals;
        }
        let queued: u64 = link.leaving.iter().map(Leaving::len).sum();
        let whole = self.random.percent(60);
        let room = if whole { queued } else { self.random.between(1, queued + 1) };
        let sent = leave(link, room, disk, &mut self.violations);
        if sent > 0 {
            arrivals.inputs.push((link.shard, Input::Sent { connection: link.connection, bytes: sent }));
        }
        if cut {
            self.cut(id, &mut arrivals, schedule);
            return arrivals;
        }
        if !link.leaving.is_empty() {
            link.leaving_due = true;
            schedule.after(delay, Event::FromBroker { link: id });
        } else if link.close_when_left {
            self.close_from_broker(id, &mut arrivals, schedule);
            return arrivals;
        }
        self.wake_to_client(id, schedule);
        arrivals
    }

    /// Bytes, or the end, arrive at the client.
    pub fn on_to_client(&mut self, id: LinkId, schedule: &mut Schedule) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let Some(link) = self.links.get_mut(&id) else { return arrivals };
        link.to_client_due = false;
        if !link.at_client {
            return arrivals;
        }
        let client = link.client;
        if let Some(mut bytes) = link.to_client.pop_front() {
            if self.random.percent(30) && bytes.len() > 1 {
                let rest = bytes.split_off(self.random.between(1, bytes.len() as u64) as usize);
                link.to_client.push_front(rest);
            }
            arrivals.to_client = Some((client, id, ClientArrival::Bytes(bytes)));
        } else if link.to_client_fin {
            link.at_client = false;
            arrivals.to_client = Some((client, id, ClientArrival::Closed));
            self.forget(id);
            return arrivals;
        }
        if !link.to_client.is_empty() || link.to_client_fin {
            self.wake_to_client(id, schedule);
        }
        arrivals
    }

    /// The broker is gone. What it had handed to the network arrives in part; every connection ends.
    pub fn crash(&mut self, schedule: &mut Schedule) {
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            let lost = self.random.percent(50);
            if let Some(link) = self.links.get_mut(&id)
                && link.at_broker
            {
                link.at_broker = false;
                link.to_broker.clear();
                link.leaving.clear();
                if lost {
                    keep_prefix(&mut link.to_client, &mut self.random);
                }
                link.to_client_fin = true;
            }
            self.wake_to_client(id, schedule);
            self.forget(id);
        }
        self.by_connection.clear();
        self.stopping = false;
    }
}

/// Cuts what is in transit at any byte.
fn keep_prefix(transit: &mut VecDeque<Bytes>, random: &mut Random) {
    let total: u64 = transit.iter().map(|bytes| bytes.len() as u64).sum();
    let mut keep = random.below(total + 1) as usize;
    transit.retain_mut(|bytes| {
        let kept = keep.min(bytes.len());
        bytes.truncate(kept);
        keep -= kept;
        kept > 0
    });
}

/// One `recv`, as large as chance has it, through the shard's frame receiver.
fn receive(
    link: &mut Link,
    random: &mut Random,
    counters: &mut NetworkCounters,
    arrivals: &mut Arrivals,
) -> Result<(), ()> {
    let mut frames: Vec<BytesMut> = Vec::new();
    let rounds = random.between(1, 4);
    for _ in 0..rounds {
        let Some(front) = link.to_broker.front_mut() else { break };
        let mut room =
            if random.percent(70) { front.len() } else { random.between(1, front.len() as u64 + 1) as usize };
        let direct = random.percent(70);
        if direct && let Some(buffer) = link.receiver.direct() {
            room = room.min(buffer.capacity() - buffer.len());
            buffer.extend_from_slice(&front[..room]);
            counters.direct_receives += 1;
            frames.extend(link.receiver.take_direct());
        } else {
            room = room.min(penstock::limits::RECEIVE_BYTES);
            link.receiver.feed(BytesMut::from(&front[..room]), &mut frames).map_err(|_| ())?;
        }
        front.advance(room);
        if front.is_empty() {
            link.to_broker.pop_front();
        }
    }
    for frame in frames {
        arrivals.inputs.push((link.shard, Input::Received { connection: link.connection, frame }));
    }
    Ok(())
}

/// Moves up to `room` bytes from the socket's queue into the network; says how many.
fn leave(link: &mut Link, room: u64, disk: &Disk, violations: &mut Vec<String>) -> u64 {
    let mut sent = 0;
    while sent < room {
        let Some(front) = link.leaving.front_mut() else { break };
        let count = front.len().min(room - sent);
        let bytes = match front {
            Leaving::Bytes(bytes) => bytes.split_to(count as usize),
            Leaving::File { index, position, length } => {
                let read = disk.read_leased(*index, *position, count).unwrap_or_else(|| {
                    violations
                        .push(format!("an answer names bytes that are not there: {position} + {length}"));
                    Bytes::from(vec![0; count as usize])
                });
                *position += count;
                *length -= count;
                read
            }
        };
        sent += count;
        if !bytes.is_empty() && link.at_client {
            link.to_client.push_back(bytes);
        }
        if link.leaving.front().is_some_and(|front| front.len() == 0) {
            link.leaving.pop_front();
        }
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next life may begin before the last answer of the one before is there.
    #[test]
    fn a_connection_remembers_that_its_broker_was_told_to_stop() {
        let (mut network, mut schedule) = (Network::new(1), Schedule::new(1));
        let mut connect =
            |network: &mut Network| network.connect(ClientId(0), ShardId(0), 1 << 20, &mut schedule);
        let before = connect(&mut network);
        assert!(!network.saw_stop(before));
        network.on_stop();
        let during = connect(&mut network);
        assert!(network.saw_stop(before) && network.saw_stop(during));
        network.crash(&mut Schedule::new(1));
        let after = connect(&mut network);
        assert!(network.saw_stop(before) && network.saw_stop(during), "their answers may be under way");
        assert!(!network.saw_stop(after), "another broker");
        network.crash(&mut Schedule::new(1));
        network.on_stop();
        assert!(!network.saw_stop(after), "that broker was gone before");
    }
}
