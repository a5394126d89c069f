//! The socket variants: how bytes come from the kernel to the worker and answers go back.
//!
//! Decides nothing about stages: every variant drives the same worker and the same frames.

pub mod epoll;
pub mod executor;
mod provided;
pub mod ring;

use std::io;
use std::net::TcpListener;
use std::os::fd::RawFd;
use std::path::PathBuf;

use clap::ValueEnum;
use loadgen::null_broker::Answers;

use crate::stage::{Stage, Worker};
use crate::tail::Keep;

/// Serves one worker on one listener, on one pinned thread, until the process ends.
pub trait Sockets {
    fn serve(self: Box<Self>, listener: TcpListener, setup: Setup) -> io::Result<()>;
}

/// What a server is to be, as the parent process says it on the command line.
#[derive(Clone, Debug)]
pub struct Setup {
    pub stage: Stage,
    pub journal: JournalBy,
    pub groups_in_flight_max: usize,
    /// Only the epoll variant keeps a tail.
    pub keep: Keep,
    pub directory: PathBuf,
    /// The client is not ours but `penstock load`, or any other that speaks Kafka's protocol.
    pub for_load: bool,
}

impl Setup {
    /// What such a client is told beside its answers to Produce.
    pub fn answers(&self, listener: &TcpListener) -> io::Result<Option<Answers>> {
        let address = listener.local_addr()?;
        Ok(self.for_load.then(|| Answers::new(address, PARTITIONS)))
    }
}

/// Of topics that nobody has created.
const PARTITIONS: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    /// recv(2), send(2) and epoll_wait(2).
    Epoll,
    /// glommio's own TcpStream, one task per connection.
    Glommio,
    /// A private ring inside a glommio executor, woken through an eventfd: COOP_TASKRUN, multishot, provided buffers.
    Ring,
    /// The same, woken by polling the ring's own descriptor.
    RingFd,
    /// The same as ring with SINGLE_ISSUER and DEFER_TASKRUN.
    RingDefer,
    /// The same ring with no executor around it: DEFER_TASKRUN and submit-and-wait. The bound for the ones above.
    RingBare,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JournalBy {
    /// Linked write and data sync through a private ring, from an own huge-page arena.
    Ring,
    /// glommio's DmaFile and DmaBuffer; only in variants that run inside an executor.
    Glommio,
}

impl Variant {
    pub fn sockets(self) -> Box<dyn Sockets> {
        match self {
            Variant::Epoll => Box::new(epoll::EpollSockets),
            Variant::Glommio => Box::new(executor::GlommioSockets),
            Variant::Ring => Box::new(ring::RingSockets { wake: ring::Wake::EventFd }),
            Variant::RingFd => Box::new(ring::RingSockets { wake: ring::Wake::RingFd }),
            Variant::RingDefer => Box::new(ring::RingSockets { wake: ring::Wake::EventFdDeferred }),
            Variant::RingBare => Box::new(ring::RingSockets { wake: ring::Wake::Bare }),
        }
    }
}

/// Sends the outbox of one connection without waiting. Answers are far smaller than a socket's send buffer, so a peer
/// that lets it fill does not read its answers, which no client here does.
pub fn send_outbox(worker: &mut Worker, connection: u32, fd: RawFd) {
    let outbox = worker.outbox(connection);
    // SAFETY: the pointer and the length are those of one live vector.
    let sent = unsafe {
        libc::send(fd, outbox.as_ptr().cast(), outbox.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
    };
    if sent >= 0 {
        assert_eq!(sent as usize, outbox.len(), "the peer does not read its answers");
    }
    outbox.clear();
}

pub fn set_nodelay(fd: RawFd) {
    let on: libc::c_int = 1;
    // SAFETY: `on` is a live int of the length given.
    unsafe {
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), length);
    }
}
