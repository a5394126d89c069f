//! A private ring: multishot accept and receive into provided buffers, one submission per turn.
//!
//! Decides when a connection leaves multishot receives: after the first frame that does not fit a provided buffer it
//! receives straight into the frame's own memory, so that a large frame is never assembled by copying. The journal's
//! writes go through the same ring, or through glommio.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use glommio::io::PollableFd;
use glommio::yield_if_needed;
use io_uring::squeue::Entry;
use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode};

use super::executor::{DmaJournal, RingDescriptor, Signal, run_pinned};
use super::provided::{GROUP_ID, ProvidedBuffers};
use super::{JournalBy, Setup, Sockets, set_nodelay};
use crate::arena::BufferSource;
use crate::frames::{Assembler, SMALL_FRAME_BYTES_MAX};
use crate::host;
use crate::journal::RingJournal;
use crate::stage::{Group, Stage, Worker};

const SUBMISSIONS_MAX: u32 = 1024;
const COMPLETIONS_MAX: u32 = 4096;
const BUFFERS: u16 = 128;

const ACCEPT: u64 = 1 << 32;
const RECEIVE: u64 = 2 << 32;
const SEND: u64 = 3 << 32;
const CANCEL: u64 = 4 << 32;
const JOURNAL: u64 = 5 << 32;

/// How the thread sleeps until the ring has completions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// In glommio, on an eventfd registered with the ring.
    EventFd,
    /// In glommio, on the ring's descriptor.
    RingFd,
    /// In glommio, on an eventfd, completions run only when asked for. The ring's descriptor does not work here: deferred
    /// work wakes an eventfd and no poll.
    EventFdDeferred,
    /// In the ring itself.
    Bare,
}

pub struct RingSockets {
    pub wake: Wake,
}

impl Sockets for RingSockets {
    fn serve(self: Box<Self>, listener: TcpListener, setup: Setup) -> io::Result<()> {
        if self.wake != Wake::Bare {
            return run_pinned(
                move || async move { Server::new(listener, &setup, self.wake)?.run(setup).await },
            );
        }
        if setup.journal != JournalBy::Ring {
            return Err(io::Error::other(
                "ring-bare has no executor for glommio's files: use --journal ring",
            ));
        }
        host::pin(host::SERVER_CORE)?;
        Server::new(listener, &setup, self.wake)?.run_bare()
    }
}

struct Connection {
    fd: RawFd,
    assembler: Assembler,
    is_direct: bool,
    is_cancelling: bool,
    is_closed: bool,
    sending: Vec<u8>,
    sent: usize,
}

struct Server {
    wake: Wake,
    ring: IoUring,
    listener: TcpListener,
    buffers: ProvidedBuffers,
    connections: Vec<Connection>,
    worker: Worker,
    journal: Option<RingJournal>,
    completions: Vec<(u64, i32, u32)>,
    dirty: Vec<u32>,
}

impl Server {
    fn new(listener: TcpListener, setup: &Setup, wake: Wake) -> io::Result<Server> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(COMPLETIONS_MAX);
        match wake {
            Wake::EventFd | Wake::RingFd => builder.setup_coop_taskrun(),
            Wake::EventFdDeferred | Wake::Bare => builder.setup_single_issuer().setup_defer_taskrun(),
        };
        let ring = builder.build(SUBMISSIONS_MAX)?;
        let buffers = ProvidedBuffers::register(&ring, SMALL_FRAME_BYTES_MAX, BUFFERS)?;
        let by_ring = setup.journal == JournalBy::Ring;
        let source = BufferSource::for_stage(setup.stage, setup.journal)?;
        let mut worker = Worker::new(setup.stage, source, setup.groups_in_flight_max);
        worker.answers = setup.answers(&listener)?;
        let journal = match setup.stage {
            Stage::Write | Stage::Sync if by_ring => {
                Some(RingJournal::open(&setup.directory, setup.stage == Stage::Sync)?)
            }
            _ => None,
        };
        let connections = Vec::new();
        let (completions, dirty) = (Vec::new(), Vec::new());
        let mut server =
            Server { wake, ring, listener, buffers, connections, worker, journal, completions, dirty };
        let accept = opcode::AcceptMulti::new(Fd(server.listener.as_raw_fd())).build();
        server.push(accept.user_data(ACCEPT));
        Ok(server)
    }

    fn push(&mut self, entry: Entry) {
        // SAFETY: what an entry points at (assembler memory, sending vectors, group buffers) stays in place until its
        // completion: connections are never removed, and their vectors are not touched while an operation holds them.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit().expect("submitting to a healthy ring");
        }
    }

    fn run_bare(&mut self) -> io::Result<()> {
        loop {
            self.turn();
            self.ring.submit_and_wait(1)?;
        }
    }

    async fn run(mut self, setup: Setup) -> io::Result<()> {
        let sleep = Sleep::new(&self)?;
        let committer = Committer::start(&setup).await?;
        let poller =
            committer.as_ref().map(|committer| Poller::start(Sleep::new(&self), committer.durable.clone()));
        loop {
            self.turn();
            if let Some(committer) = &committer {
                committer.exchange(&mut self.worker);
                self.flush();
            }
            self.submit()?;
            if !self.ring.completion().is_empty() {
                yield_if_needed().await;
                continue;
            }
            match (&committer, &poller) {
                (Some(committer), Some(poller)) => {
                    poller.ask();
                    committer.durable.wait().await;
                }
                _ => sleep.until_completions().await?,
            }
        }
    }

    /// One system call for everything the turn queued; deferred completions run inside it.
    fn submit(&mut self) -> io::Result<()> {
        let count = self.ring.submission().len();
        if self.wake == Wake::EventFdDeferred {
            const GETEVENTS: u32 = 1;
            // SAFETY: no argument is passed; `count` entries are in the queue.
            unsafe { self.ring.submitter().enter::<libc::sigset_t>(count as u32, 0, GETEVENTS, None)? };
        } else if count > 0 {
            self.ring.submit()?;
        }
        Ok(())
    }

    /// Takes every completion there is, starts groups, queues answers. Nothing is submitted.
    fn turn(&mut self) {
        let mut completions = std::mem::take(&mut self.completions);
        let drained = self.ring.completion().map(|found| (found.user_data(), found.result(), found.flags()));
        completions.extend(drained);
        for (user_data, result, flags) in completions.drain(..) {
            let connection = user_data as u32;
            match user_data & (0xff << 32) {
                ACCEPT => self.on_accept(result, flags),
                RECEIVE => self.on_receive(connection, result, flags),
                SEND => self.on_send(connection, result),
                JOURNAL => self.on_journal(connection, result),
                _ => {}
            }
        }
        self.completions = completions;
        self.buffers.publish();
        if let Some(mut journal) = self.journal.take() {
            while let Some(group) = self.worker.start_group() {
                for entry in journal.submissions(group, JOURNAL) {
                    self.push(entry);
                }
            }
            self.journal = Some(journal);
        }
        self.flush();
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        self.worker.take_dirty(&mut dirty);
        for connection in dirty.drain(..) {
            self.maybe_send(connection);
        }
        self.dirty = dirty;
    }

    fn on_accept(&mut self, result: i32, flags: u32) {
        assert!(cqueue::more(flags), "accept ended: {}", io::Error::from_raw_os_error(-result));
        set_nodelay(result);
        let connection = self.connections.len() as u32;
        self.connections.push(Connection {
            fd: result,
            assembler: Assembler::new(),
            is_direct: false,
            is_cancelling: false,
            is_closed: false,
            sending: Vec::new(),
            sent: 0,
        });
        self.arm(connection);
    }

    fn arm(&mut self, connection: u32) {
        let link = &mut self.connections[connection as usize];
        let fd = Fd(link.fd);
        let entry = if link.is_direct {
            let waits_for_all = link.assembler.is_in_large_frame();
            let room = link.assembler.room();
            let flags = if waits_for_all { libc::MSG_WAITALL } else { 0 };
            opcode::Recv::new(fd, room.as_mut_ptr(), room.len() as u32).flags(flags).build()
        } else {
            opcode::RecvMulti::new(fd, GROUP_ID).build()
        };
        self.push(entry.user_data(RECEIVE | connection as u64));
    }

    fn on_receive(&mut self, connection: u32, result: i32, flags: u32) {
        let link = &mut self.connections[connection as usize];
        let mut fed = Ok(());
        if let Some(id) = cqueue::buffer_select(flags) {
            let bytes = self.buffers.bytes(id, result.max(0) as usize);
            fed = link.assembler.feed(bytes, |frame| self.worker.on_frame(connection, frame));
            self.buffers.push(id);
        } else if result > 0 {
            fed = link.assembler.advance(result as usize, |frame| self.worker.on_frame(connection, frame));
        }
        let is_over = result == 0 || (result < 0 && result != -libc::ENOBUFS && result != -libc::ECANCELED);
        if is_over || fed.is_err() {
            link.is_closed = true;
            // SAFETY: the descriptor is ours; the kernel holds its own reference for an operation in flight.
            unsafe { libc::close(link.fd) };
            return;
        }
        if !cqueue::more(flags) {
            self.buffers.publish();
            self.arm(connection);
        } else if link.assembler.is_in_large_frame() && !link.is_cancelling {
            link.is_direct = true;
            link.is_cancelling = true;
            self.push(opcode::AsyncCancel::new(RECEIVE | connection as u64).build().user_data(CANCEL));
        }
    }

    fn maybe_send(&mut self, connection: u32) {
        let link = &mut self.connections[connection as usize];
        if link.sending.is_empty() && !link.is_closed {
            std::mem::swap(&mut link.sending, self.worker.outbox(connection));
            link.sent = 0;
            self.push_send(connection);
        }
    }

    fn push_send(&mut self, connection: u32) {
        let link = &self.connections[connection as usize];
        let rest = &link.sending[link.sent..];
        let send = opcode::Send::new(Fd(link.fd), rest.as_ptr(), rest.len() as u32).flags(libc::MSG_NOSIGNAL);
        self.push(send.build().user_data(SEND | connection as u64));
    }

    fn on_send(&mut self, connection: u32, result: i32) {
        let link = &mut self.connections[connection as usize];
        link.sent += result.max(0) as usize;
        if result > 0 && link.sent < link.sending.len() {
            return self.push_send(connection);
        }
        link.sending.clear();
        if !self.worker.outbox(connection).is_empty() {
            self.maybe_send(connection);
        }
    }

    fn on_journal(&mut self, sequence: u32, result: i32) {
        let journal = self.journal.as_mut().expect("only an open journal has completions");
        journal.on_completion(sequence, result);
        while let Some(group) = journal.take_durable() {
            self.worker.on_durable(group);
        }
    }
}

/// How a task of the executor waits for completions of the private ring.
enum Sleep {
    OnEvent(PollableFd<OwnedFd>),
    OnRing(PollableFd<RingDescriptor>),
}

impl Sleep {
    fn new(server: &Server) -> io::Result<Sleep> {
        if server.wake == Wake::RingFd {
            return Ok(Sleep::OnRing(
                PollableFd::new(RingDescriptor(server.ring.as_raw_fd())).map_err(to_io)?,
            ));
        }
        let event = eventfd()?;
        // The second of two sleeps replaces the first one's registration, which then is never woken nor waited for.
        let _ = server.ring.submitter().unregister_eventfd();
        server.ring.submitter().register_eventfd(event.as_raw_fd())?;
        Ok(Sleep::OnEvent(PollableFd::new(event).map_err(to_io)?))
    }

    async fn until_completions(&self) -> io::Result<()> {
        match self {
            Sleep::OnRing(ring) => ring.readable().await.map_err(to_io),
            Sleep::OnEvent(event) => {
                event.readable().await.map_err(to_io)?;
                clear(event.get_ref().as_raw_fd());
                Ok(())
            }
        }
    }
}

/// Turns completions of the ring into a signal, for a loop that waits for more than one thing: a wait of glommio's that
/// is dropped before its end costs a cancellation.
struct Poller {
    is_asked: Rc<std::cell::Cell<bool>>,
    asked: Rc<Signal>,
}

impl Poller {
    fn start(sleep: io::Result<Sleep>, woken: Rc<Signal>) -> Poller {
        let poller = Poller { is_asked: Rc::default(), asked: Rc::default() };
        let (is_asked, asked) = (poller.is_asked.clone(), poller.asked.clone());
        glommio::spawn_local(async move {
            let sleep = sleep.expect("a descriptor for the poller");
            loop {
                asked.wait().await;
                sleep.until_completions().await.expect("the ring's descriptor is pollable");
                is_asked.set(false);
                woken.notify();
            }
        })
        .detach();
        poller
    }

    fn ask(&self) {
        if !self.is_asked.replace(true) {
            self.asked.notify();
        }
    }
}

/// The journal through glommio beside a private socket ring: one group at a time.
struct Committer {
    queued: Rc<Signal>,
    durable: Rc<Signal>,
    hand_over: Rc<std::cell::RefCell<HandOver>>,
}

#[derive(Default)]
struct HandOver {
    to_write: Vec<Group>,
    written: Vec<Group>,
}

impl Committer {
    async fn start(setup: &Setup) -> io::Result<Option<Committer>> {
        if setup.stage < Stage::Write || setup.journal == JournalBy::Ring {
            return Ok(None);
        }
        let file = DmaJournal::open(&setup.directory, setup.stage == Stage::Sync).await?;
        let (queued, durable): (Rc<Signal>, Rc<Signal>) = Default::default();
        let hand_over: Rc<std::cell::RefCell<HandOver>> = Rc::default();
        let committer =
            Committer { queued: queued.clone(), durable: durable.clone(), hand_over: hand_over.clone() };
        glommio::spawn_local(async move {
            loop {
                let groups = std::mem::take(&mut hand_over.borrow_mut().to_write);
                if groups.is_empty() {
                    queued.wait().await;
                    continue;
                }
                for mut group in groups {
                    file.write(&mut group).await;
                    hand_over.borrow_mut().written.push(group);
                    durable.notify();
                }
            }
        })
        .detach();
        Ok(Some(committer))
    }

    fn exchange(&self, worker: &mut Worker) {
        let mut hand_over = self.hand_over.borrow_mut();
        for group in hand_over.written.drain(..) {
            worker.on_durable(group);
        }
        while let Some(group) = worker.start_group() {
            hand_over.to_write.push(group);
            self.queued.notify();
        }
    }
}

fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the new descriptor is owned by nobody else.
    unsafe {
        let fd = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

fn clear(eventfd: RawFd) {
    let mut count = 0u64;
    // SAFETY: eight bytes are read into eight bytes.
    unsafe { libc::read(eventfd, (&raw mut count).cast(), 8) };
}

fn to_io(error: glommio::GlommioError<()>) -> io::Error {
    io::Error::other(error.to_string())
}
