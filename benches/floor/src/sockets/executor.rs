//! glommio's own sockets: one task per connection on TcpStream, and the journal either by DmaFile and DmaBuffer or by a
//! private ring polled through the executor.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener as StdListener;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::path::Path;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_lite::AsyncReadExt;
use glommio::io::{DmaFile, OpenOptions, PollableFd};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutorBuilder, Placement, yield_if_needed};
use io_uring::IoUring;

use super::{JournalBy, Setup, Sockets, send_outbox};
use crate::arena::{Buffer, BufferSource};
use crate::frames::Assembler;
use crate::host;
use crate::journal::{self, Positions, RingJournal};
use crate::stage::{Group, Stage, Worker};

/// The registered memory of an executor: room for every group in flight, in huge pages.
pub const IO_MEMORY_BYTES: usize = 128 << 20;
pub const PREEMPT_EVERY: Duration = Duration::from_millis(1);
/// glommio-ng 0.12 can park with a runnable task: when a completion of its latency ring (a cancelled preemption timer is
/// enough) arrives between the wake-up of the task and the first look at the run queue, `run_task_queues` reports that
/// nothing ran, and the executor sleeps until the next event. A server whose only event source is one descriptor then
/// sleeps for ever. The tick bounds that sleep.
const TICK_EVERY: Duration = Duration::from_millis(5);

pub struct GlommioSockets;

impl Sockets for GlommioSockets {
    fn serve(self: Box<Self>, listener: StdListener, setup: Setup) -> io::Result<()> {
        run_pinned(move || async move { serve(listener, setup).await })
    }
}

/// Runs a future on an executor of the server's core.
pub fn run_pinned<F>(future: impl FnOnce() -> F + Send + 'static) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let executor = LocalExecutorBuilder::new(Placement::Fixed(host::SERVER_CORE))
        .io_memory(IO_MEMORY_BYTES)
        .preempt_timer(PREEMPT_EVERY)
        .make()
        .map_err(|error| io::Error::other(error.to_string()))?;
    executor.run(async move {
        glommio::spawn_local(async {
            loop {
                glommio::timer::sleep(TICK_EVERY).await;
            }
        })
        .detach();
        future().await
    })
}

/// One waiter, woken by any number of notices.
#[derive(Default)]
pub struct Signal {
    is_set: RefCell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Signal {
    pub fn notify(&self) {
        *self.is_set.borrow_mut() = true;
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.is_set.replace(false) {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

struct Server {
    worker: RefCell<Worker>,
    fds: RefCell<Vec<RawFd>>,
    frames_arrived: Signal,
}

impl Server {
    fn send_dirty(&self) {
        let mut worker = self.worker.borrow_mut();
        let mut dirty = Vec::new();
        worker.take_dirty(&mut dirty);
        let fds = self.fds.borrow();
        for connection in dirty {
            send_outbox(&mut worker, connection, fds[connection as usize]);
        }
    }
}

async fn serve(listener: StdListener, setup: Setup) -> io::Result<()> {
    let source = BufferSource::for_stage(setup.stage, setup.journal)?;
    let mut worker = Worker::new(setup.stage, source, setup.groups_in_flight_max);
    worker.answers = setup.answers(&listener)?;
    let server = Rc::new(Server {
        worker: RefCell::new(worker),
        fds: RefCell::new(Vec::new()),
        frames_arrived: Signal::default(),
    });
    if setup.stage >= Stage::Write {
        let syncs = setup.stage == Stage::Sync;
        let committing = server.clone();
        match setup.journal {
            JournalBy::Ring => {
                let journal = RingJournal::open(&setup.directory, syncs)?;
                glommio::spawn_local(commit_by_ring(committing, journal)).detach();
            }
            JournalBy::Glommio => {
                let file = DmaJournal::open(&setup.directory, syncs).await?;
                glommio::spawn_local(commit_by_glommio(committing, Rc::new(file))).detach();
            }
        }
    }
    // SAFETY: the descriptor was just released by the listener that owned it.
    let listener = unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) };
    loop {
        let stream = listener.accept().await.map_err(|error| io::Error::other(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| io::Error::other(error.to_string()))?;
        let connection = server.fds.borrow().len() as u32;
        server.fds.borrow_mut().push(stream.as_raw_fd());
        glommio::spawn_local(receive(server.clone(), stream, connection)).detach();
    }
}

async fn receive(server: Rc<Server>, mut stream: TcpStream, connection: u32) {
    let mut assembler = Assembler::new();
    loop {
        let Ok(count) = stream.read(assembler.room()).await else { return };
        if count == 0 {
            return;
        }
        let fed = assembler.advance(count, |frame| server.worker.borrow_mut().on_frame(connection, frame));
        if fed.is_err() {
            return;
        }
        server.send_dirty();
        server.frames_arrived.notify();
        yield_if_needed().await;
    }
}

async fn commit_by_ring(server: Rc<Server>, mut journal: RingJournal) {
    let mut ring: IoUring =
        IoUring::builder().setup_coop_taskrun().build(64).expect("a small ring fits every limit");
    let pollable = PollableFd::new(RingDescriptor(ring.as_raw_fd())).expect("this runs inside an executor");
    loop {
        let mut in_flight = 0;
        while let Some(group) = server.worker.borrow_mut().start_group() {
            in_flight += 1;
            for entry in journal.submissions(group, 0) {
                // SAFETY: the group keeps its buffer alive until its completions were counted.
                unsafe { ring.submission().push(&entry) }.expect("64 entries hold all groups in flight");
            }
        }
        if in_flight == 0 {
            server.frames_arrived.wait().await;
            continue;
        }
        ring.submit().expect("submitting to a healthy ring");
        while in_flight > 0 {
            if ring.completion().is_empty() {
                pollable.readable().await.expect("the ring's descriptor is pollable");
            }
            for completion in ring.completion() {
                journal.on_completion(completion.user_data() as u32, completion.result());
            }
            while let Some(group) = journal.take_durable() {
                in_flight -= 1;
                server.worker.borrow_mut().on_durable(group);
            }
            server.send_dirty();
        }
    }
}

/// The descriptor of a ring that somebody else owns and keeps alive.
pub struct RingDescriptor(pub RawFd);

impl AsRawFd for RingDescriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// The journal through glommio: DmaFile, write_at, fdatasync.
pub struct DmaJournal {
    file: DmaFile,
    positions: RefCell<Positions>,
    syncs: bool,
}

impl DmaJournal {
    pub async fn open(directory: &Path, syncs: bool) -> io::Result<DmaJournal> {
        let opened = OpenOptions::new().read(true).write(true).dma_open(journal::path(directory)).await;
        let file = opened.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(DmaJournal { file, positions: RefCell::new(Positions::new()), syncs })
    }

    /// Writes one group; when this returns, the group is as safe as the stage promises. glommio's buffer can only shrink and
    /// is given away to the write, so each group takes a fresh one from the executor's memory.
    pub async fn write(&self, group: &mut Group) {
        let bytes = group.write_bytes();
        let position = self.positions.borrow_mut().take(bytes);
        let Buffer::Dma(mut buffer) = std::mem::replace(&mut group.buffer, Buffer::Given) else {
            unreachable!("this journal's worker takes DMA buffers");
        };
        buffer.trim_to_size(bytes);
        let written = self.file.write_at(buffer, position).await.expect("the journal write failed");
        assert_eq!(written, bytes, "the journal write was short");
        if self.syncs {
            self.file.fdatasync().await.expect("the journal sync failed");
        }
    }
}

/// One task per group in flight; the groups come back in the order in which they were started.
async fn commit_by_glommio(server: Rc<Server>, file: Rc<DmaJournal>) {
    let durable: Rc<RefCell<VecDeque<Option<Group>>>> = Rc::default();
    let first = Rc::new(RefCell::new(0usize));
    loop {
        server.frames_arrived.wait().await;
        while let Some(mut group) = server.worker.borrow_mut().start_group() {
            let sequence = *first.borrow() + durable.borrow().len();
            durable.borrow_mut().push_back(None);
            let (server, file) = (server.clone(), file.clone());
            let (durable, first) = (durable.clone(), first.clone());
            glommio::spawn_local(async move {
                file.write(&mut group).await;
                durable.borrow_mut()[sequence - *first.borrow()] = Some(group);
                while matches!(durable.borrow().front(), Some(Some(_))) {
                    *first.borrow_mut() += 1;
                    if let Some(group) = durable.borrow_mut().pop_front().flatten() {
                        server.worker.borrow_mut().on_durable(group);
                    }
                }
                server.send_dirty();
                server.frames_arrived.notify();
            })
            .detach();
        }
    }
}
