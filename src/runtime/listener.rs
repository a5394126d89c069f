//! Listening sockets: one per shard and listener, all on the same port, so that the kernel spreads the connections.
//!
//! Decides who may connect (limits in all and per address) and how accept errors are survived. Not what is done with a connection.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// The sockets of one listener, one for each shard, bound but not yet listening. Port 0 is resolved once and shared.
pub fn bind(address: SocketAddr, shards: u16) -> io::Result<Vec<Socket>> {
    if address.port() != 0 {
        // Sockets that share a port do not see each other: one that does not share finds out whether it is taken.
        socket(address, false)?;
    }
    let first = socket(address, true)?;
    let bound = local_address(&first)?;
    let mut sockets = vec![first];
    for _ in 1..shards {
        sockets.push(socket(bound, true)?);
    }
    Ok(sockets)
}

/// Where a bound socket is.
pub fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    // Accepted sockets inherit both.
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// From here on clients can connect.
pub fn listen(socket: &Socket) -> io::Result<()> {
    socket.listen(BACKLOG)
}

/// What an accept came to.
#[derive(Debug)]
pub enum Accepted {
    Connection(Socket, SocketAddr),
    /// Nobody waits.
    Empty,
    /// This one client is lost; the next may be well.
    Skip,
    /// The process or the system has run out of something: try again later.
    Exhausted(io::Error),
}

#[must_use]
pub fn accept(listener: &Socket) -> Accepted {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    match acceptfrom_with(listener, flags) {
        Ok((socket, peer)) => match peer.and_then(|peer| SocketAddr::try_from(peer).ok()) {
            Some(peer) => Accepted::Connection(socket.into(), peer),
            None => Accepted::Skip,
        },
        Err(Errno::AGAIN) => Accepted::Empty,
        Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
            Accepted::Exhausted(error.into())
        }
        Err(_) => Accepted::Skip,
    }
}

/// The limits on connections, for all shards together.
#[derive(Debug)]
pub struct Gate {
    connections_max: usize,
    per_ip_max: usize,
    connections: AtomicUsize,
    /// Empty while `per_ip_max` is out of reach.
    per_ip: Mutex<HashMap<IpAddr, usize>>,
}

impl Gate {
    #[must_use]
    pub fn new(connections_max: usize, per_ip_max: usize) -> Gate {
        Gate { connections_max, per_ip_max, connections: AtomicUsize::new(0), per_ip: Mutex::default() }
    }

    /// False: over a limit, close it.
    pub fn enter(&self, peer: IpAddr) -> bool {
        if self.connections.fetch_add(1, Ordering::Relaxed) >= self.connections_max {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        if self.counts_per_ip() {
            let mut per_ip = self.per_ip.lock().unwrap_or_else(PoisonError::into_inner);
            let count = per_ip.entry(peer).or_insert(0);
            if *count >= self.per_ip_max {
                self.connections.fetch_sub(1, Ordering::Relaxed);
                return false;
            }
            *count += 1;
        }
        true
    }

    pub fn leave(&self, peer: IpAddr) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        if self.counts_per_ip() {
            let mut per_ip = self.per_ip.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = per_ip.get_mut(&peer) {
                *count -= 1;
                if *count == 0 {
                    per_ip.remove(&peer);
                }
            }
        }
    }

    fn counts_per_ip(&self) -> bool {
        self.per_ip_max < self.connections_max
    }
}
