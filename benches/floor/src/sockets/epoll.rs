//! Readiness and system calls: recv(2), send(2), epoll_wait(2); the journal goes through a small private ring whose
//! descriptor sits in the same epoll set.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::rc::Rc;

use io_uring::IoUring;

use super::{JournalBy, Setup, Sockets, send_outbox, set_nodelay};
use crate::arena::BufferSource;
use crate::frames::Assembler;
use crate::host;
use crate::journal::RingJournal;
use crate::stage::{Stage, Worker};
use crate::tail::{Keep, TAIL_BYTES, Tail};

const EVENTS_MAX: usize = 256;
const LISTENER: u64 = u64::MAX;
const JOURNAL: u64 = u64::MAX - 1;
/// One connection's turn ends after so many full receives, so that others get theirs.
const RECEIVES_PER_TURN_MAX: usize = 16;

pub struct EpollSockets;

impl Sockets for EpollSockets {
    fn serve(self: Box<Self>, listener: TcpListener, setup: Setup) -> io::Result<()> {
        if setup.journal != JournalBy::Ring {
            return Err(io::Error::other(
                "the epoll variant has no executor for glommio's files: use --journal ring",
            ));
        }
        host::pin(host::SERVER_CORE)?;
        listener.set_nonblocking(true)?;
        let journal = match setup.stage {
            Stage::Null | Stage::Crc | Stage::Copy => None,
            stage => Some(RingJournal::open(&setup.directory, stage == Stage::Sync)?),
        };
        let source = BufferSource::for_stage(setup.stage, setup.journal)?;
        let mut worker = Worker::new(setup.stage, source, setup.groups_in_flight_max);
        worker.answers = setup.answers(&listener)?;
        worker.copies = (setup.keep == Keep::Copies).then(|| Tail::new(TAIL_BYTES));
        let tail = (setup.keep == Keep::Frames).then(|| Rc::new(RefCell::new(Tail::new(TAIL_BYTES))));
        // SAFETY: a plain system call; the result is checked below.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        let ring = IoUring::builder().setup_coop_taskrun().build(64)?;
        let (connections, dirty) = (Vec::new(), Vec::new());
        let mut server = Server { epoll, listener, ring, journal, worker, tail, connections, dirty };
        server.watch(server.listener.as_raw_fd(), LISTENER)?;
        server.watch(server.ring.as_raw_fd(), JOURNAL)?;
        server.run()
    }
}

struct Server {
    epoll: RawFd,
    listener: TcpListener,
    ring: IoUring,
    journal: Option<RingJournal>,
    worker: Worker,
    tail: Option<Rc<RefCell<Tail>>>,
    connections: Vec<(RawFd, Assembler)>,
    dirty: Vec<u32>,
}

impl Server {
    fn watch(&self, fd: RawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: `event` is live for the call.
        let result = unsafe { libc::epoll_ctl(self.epoll, libc::EPOLL_CTL_ADD, fd, &mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        loop {
            // SAFETY: the array has EVENTS_MAX elements.
            let count = unsafe { libc::epoll_wait(self.epoll, events.as_mut_ptr(), EVENTS_MAX as i32, -1) };
            for event in &events[..count.max(0) as usize] {
                match event.u64 {
                    LISTENER => self.accept()?,
                    JOURNAL => self.reap_journal(),
                    token => self.receive(token as u32),
                }
            }
            self.write_groups()?;
            let mut dirty = std::mem::take(&mut self.dirty);
            self.worker.take_dirty(&mut dirty);
            for connection in dirty.drain(..) {
                let fd = self.connections[connection as usize].0;
                send_outbox(&mut self.worker, connection, fd);
            }
            self.dirty = dirty;
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            let fd = stream.into_raw_fd();
            set_nodelay(fd);
            self.watch(fd, self.connections.len() as u64)?;
            self.connections.push((fd, Assembler::keeping(self.tail.clone())));
        }
        Ok(())
    }

    fn receive(&mut self, connection: u32) {
        let (fd, assembler) = &mut self.connections[connection as usize];
        for _ in 0..RECEIVES_PER_TURN_MAX {
            let room = assembler.room();
            let room_bytes = room.len();
            // SAFETY: the pointer and the length are those of one live slice.
            let count = unsafe { libc::recv(*fd, room.as_mut_ptr().cast(), room_bytes, 0) };
            if count <= 0 {
                if count == 0 {
                    // SAFETY: the descriptor is ours; closing it takes it out of the epoll set.
                    unsafe { libc::close(*fd) };
                }
                return;
            }
            let fed = assembler.advance(count as usize, |frame| self.worker.on_frame(connection, frame));
            if fed.is_err() || (count as usize) < room_bytes {
                return;
            }
        }
    }

    fn reap_journal(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        for completion in self.ring.completion() {
            journal.on_completion(completion.user_data() as u32, completion.result());
        }
        while let Some(group) = journal.take_durable() {
            self.worker.on_durable(group);
        }
    }

    fn write_groups(&mut self) -> io::Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        while let Some(group) = self.worker.start_group() {
            for entry in journal.submissions(group, 0) {
                // SAFETY: the group keeps its buffer alive until its completions were counted.
                unsafe { self.ring.submission().push(&entry) }.expect("64 entries hold all groups in flight");
            }
            self.ring.submit()?;
        }
        Ok(())
    }
}
