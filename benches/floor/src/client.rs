//! The client: pinned, closed loop, requests encoded once, so that it costs less than what it measures.
//!
//! Decides when a request is sent (a fixed number in flight per connection) and checks that every answer is the next one
//! due. Time of a request runs from the moment its place in flight was free.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::frames::{
    ANSWER_CORRELATION_AT, ANSWER_ERROR_AT, REQUEST_CORRELATION_AT, produce_answer, produce_request,
};
use crate::host;
use crate::sockets::set_nodelay;

const HEAD_BYTES: usize = REQUEST_CORRELATION_AT + 4;
const IOVECS_MAX: usize = 512;
const RECEIVE_BYTES: usize = 64 << 10;
const WARM_UP: Duration = Duration::from_millis(300);
/// A server that touches its memory first, on a busy machine, is slow to its first answer.
const START_MAX: Duration = Duration::from_secs(10);
/// A disk that others write to can hold a sync for longer than a short run lasts.
const STALL_MAX: Duration = Duration::from_secs(5);
const HIGHEST_MICROSECONDS: u64 = 60_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    pub batch_bytes: usize,
    pub connections: usize,
    pub in_flight: usize,
}

/// What one run measured. Processor time is that of the server process, nothing else.
#[derive(Clone, Debug)]
pub struct Figures {
    pub requests: u64,
    pub bytes: u64,
    pub seconds: f64,
    pub server_cpu_seconds: f64,
    pub client_cpu_seconds: f64,
    pub p50_microseconds: u64,
    pub p99_microseconds: u64,
}

impl Figures {
    pub fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    pub fn gigabytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds / 1e9
    }

    pub fn cpu_seconds_per_gigabyte(&self) -> f64 {
        self.server_cpu_seconds / (self.bytes as f64 / 1e9)
    }

    pub fn cpu_seconds_per_million_requests(&self) -> f64 {
        self.server_cpu_seconds / (self.requests as f64 / 1e6)
    }

    pub fn server_cpu_share(&self) -> f64 {
        self.server_cpu_seconds / self.seconds
    }

    pub fn client_cpu_share(&self) -> f64 {
        self.client_cpu_seconds / self.seconds
    }
}

struct Connection {
    stream: TcpStream,
    /// Of one length; requests take them in turns, from another start on each connection.
    frames: Rc<Vec<Vec<u8>>>,
    first_frame: usize,
    /// The first bytes of each request in flight, the correlation id among them; the rest is shared by all.
    heads: Vec<[u8; HEAD_BYTES]>,
    next_sequence: u32,
    unsent: VecDeque<u32>,
    unsent_from: usize,
    waiting: VecDeque<(u32, Instant)>,
    received: Vec<u8>,
    waits_for_room: bool,
}

pub struct Client {
    epoll: RawFd,
    answer_bytes: usize,
    workload: Workload,
    connections: Vec<Connection>,
    histogram: Histogram<u64>,
    answers: u64,
    scratch: Vec<u8>,
}

impl Client {
    pub fn connect(port: u16, workload: Workload) -> io::Result<Client> {
        Client::connect_with(port, workload, vec![produce_request(workload.batch_bytes)])
    }

    /// Requests take the frames, which have one length, in turns.
    pub fn connect_with(port: u16, workload: Workload, frames: Vec<Vec<u8>>) -> io::Result<Client> {
        // SAFETY: a plain system call; the result is checked.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        let frames = Rc::new(frames);
        let mut connections = Vec::new();
        for token in 0..workload.connections {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nonblocking(true)?;
            set_nodelay(stream.as_raw_fd());
            let mut head = [0; HEAD_BYTES];
            head.copy_from_slice(&frames[0][..HEAD_BYTES]);
            connections.push(Connection {
                stream,
                frames: Rc::clone(&frames),
                first_frame: token,
                heads: vec![head; workload.in_flight],
                next_sequence: 0,
                unsent: VecDeque::new(),
                unsent_from: 0,
                waiting: VecDeque::new(),
                received: Vec::new(),
                waits_for_room: false,
            });
            control(epoll, libc::EPOLL_CTL_ADD, &connections[token].stream, token, libc::EPOLLIN)?;
        }
        let histogram =
            Histogram::new_with_bounds(1, HIGHEST_MICROSECONDS, 3).expect("the bounds are in order");
        let answer_bytes = produce_answer().len();
        let scratch = vec![0; RECEIVE_BYTES];
        Ok(Client { epoll, answer_bytes, workload, connections, histogram, answers: 0, scratch })
    }

    /// Warms up, then measures for `duration`.
    pub fn measure(&mut self, server_pid: u32, duration: Duration) -> io::Result<Figures> {
        for token in 0..self.connections.len() {
            self.pump(token)?;
        }
        let given_up = Instant::now() + START_MAX;
        while self.answers == 0 && Instant::now() < given_up {
            self.run_until(Instant::now() + Duration::from_millis(20))?;
        }
        self.run_until(Instant::now() + WARM_UP)?;
        self.histogram.reset();
        self.answers = 0;
        let (begin, server_before, client_before) =
            (Instant::now(), host::cpu_of(server_pid)?, host::thread_cpu());
        self.run_until(begin + duration)?;
        while self.answers == 0 && begin.elapsed() < STALL_MAX {
            self.run_until(Instant::now() + Duration::from_millis(20))?;
        }
        let seconds = begin.elapsed().as_secs_f64();
        let server_cpu = host::cpu_of(server_pid)? - server_before;
        let client_cpu = host::thread_cpu() - client_before;
        if self.answers == 0 {
            return Err(io::Error::other("the server answered nothing"));
        }
        Ok(Figures {
            requests: self.answers,
            bytes: self.answers * self.workload.batch_bytes as u64,
            seconds,
            server_cpu_seconds: server_cpu.as_secs_f64(),
            client_cpu_seconds: client_cpu.as_secs_f64(),
            p50_microseconds: self.histogram.value_at_quantile(0.5),
            p99_microseconds: self.histogram.value_at_quantile(0.99),
        })
    }

    fn run_until(&mut self, end: Instant) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 128];
        while Instant::now() < end {
            // SAFETY: the array has as many elements as are named.
            let count =
                unsafe { libc::epoll_wait(self.epoll, events.as_mut_ptr(), events.len() as i32, 100) };
            for event in &events[..count.max(0) as usize] {
                let token = event.u64 as usize;
                if event.events & libc::EPOLLIN as u32 != 0 {
                    self.receive(token)?;
                }
                self.pump(token)?;
            }
        }
        Ok(())
    }

    fn receive(&mut self, token: usize) -> io::Result<()> {
        let connection = &mut self.connections[token];
        let fd = connection.stream.as_raw_fd();
        // SAFETY: the pointer and the length are those of one live vector.
        let count = unsafe { libc::recv(fd, self.scratch.as_mut_ptr().cast(), self.scratch.len(), 0) };
        if count <= 0 {
            return match count {
                0 => Err(io::Error::other("the server closed a connection")),
                _ => Ok(()),
            };
        }
        connection.received.extend_from_slice(&self.scratch[..count as usize]);
        let now = Instant::now();
        let whole = connection.received.len() / self.answer_bytes * self.answer_bytes;
        for answer in connection.received[..whole].chunks_exact(self.answer_bytes) {
            let (sequence, since) =
                connection.waiting.pop_front().ok_or(io::Error::other("an answer too many"))?;
            if answer[ANSWER_CORRELATION_AT..ANSWER_CORRELATION_AT + 4] != sequence.to_be_bytes() {
                return Err(io::Error::other("answers came out of order"));
            }
            if answer[ANSWER_ERROR_AT..ANSWER_ERROR_AT + 2] != [0, 0] {
                return Err(io::Error::other(format!("an answer with an error: {answer:?}")));
            }
            self.histogram.saturating_record((now - since).as_micros() as u64);
            self.answers += 1;
        }
        connection.received.drain(..whole);
        Ok(())
    }

    /// Fills the places in flight and sends what the socket takes.
    fn pump(&mut self, token: usize) -> io::Result<()> {
        let connection = &mut self.connections[token];
        if connection.waiting.len() < self.workload.in_flight {
            let now = Instant::now();
            while connection.waiting.len() < self.workload.in_flight {
                let sequence = connection.next_sequence;
                connection.next_sequence = sequence.wrapping_add(1);
                let slot = sequence as usize % self.workload.in_flight;
                connection.heads[slot][REQUEST_CORRELATION_AT..].copy_from_slice(&sequence.to_be_bytes());
                connection.unsent.push_back(sequence);
                connection.waiting.push_back((sequence, now));
            }
        }
        connection.send()?;
        let waits = !connection.unsent.is_empty();
        if waits != connection.waits_for_room {
            connection.waits_for_room = waits;
            let events = if waits { libc::EPOLLIN | libc::EPOLLOUT } else { libc::EPOLLIN };
            control(self.epoll, libc::EPOLL_CTL_MOD, &connection.stream, token, events)?;
        }
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours alone.
        unsafe { libc::close(self.epoll) };
    }
}

impl Connection {
    fn send(&mut self) -> io::Result<()> {
        let frame_bytes = self.frames[0].len();
        while !self.unsent.is_empty() {
            let mut vectors: Vec<libc::iovec> = Vec::new();
            let mut skip = self.unsent_from;
            for sequence in self.unsent.iter().take(IOVECS_MAX / 2) {
                let head = &self.heads[*sequence as usize % self.heads.len()];
                let frame = &self.frames[(self.first_frame + *sequence as usize) % self.frames.len()];
                for part in [&head[..], &frame[HEAD_BYTES..]] {
                    let skipped = skip.min(part.len());
                    skip -= skipped;
                    let part = &part[skipped..];
                    vectors
                        .push(libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
                }
            }
            // SAFETY: every vector points into `frames` or `heads`, both borrowed for the call.
            let sent = unsafe {
                let mut message: libc::msghdr = std::mem::zeroed();
                message.msg_iov = vectors.as_mut_ptr();
                message.msg_iovlen = vectors.len();
                libc::sendmsg(self.stream.as_raw_fd(), &message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
            };
            if sent < 0 {
                let error = io::Error::last_os_error();
                return if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) };
            }
            let sent = self.unsent_from + sent as usize;
            self.unsent.drain(..sent / frame_bytes);
            self.unsent_from = sent % frame_bytes;
        }
        Ok(())
    }
}

fn control(epoll: RawFd, operation: i32, stream: &TcpStream, token: usize, events: i32) -> io::Result<()> {
    let mut event = libc::epoll_event { events: events as u32, u64: token as u64 };
    // SAFETY: `event` is live for the call.
    let result = unsafe { libc::epoll_ctl(epoll, operation, stream.as_raw_fd(), &mut event) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
