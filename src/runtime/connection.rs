//! One client's socket: what is being received, what waits to be sent.
//!
//! Decides nothing about Kafka: bytes become frames in `FrameReceiver`, answers are pieces in order. All system calls are
//! non-blocking; what may block (cold file ranges) is handed to a helper thread by the caller.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::Piece;
use rustix::fs::sendfile;
use socket2::{MaybeUninitSlice, Socket};

use crate::effect::FileId;
use crate::model::{ConnectionId, Instant};
use crate::shard::FrameReceiver;

use super::files::{Files, OpenFile, SegmentFile};
use super::residency::is_resident;

/// Pieces of one `sendmsg`.
const SEND_PIECES_MAX: usize = 64;

/// File bytes of one `sendfile`, and of one look at the page cache.
const SENDFILE_BYTES_MAX: u64 = 256 * 1024;

/// What is brought into memory at once for a cold range.
const FAULT_BYTES_MAX: u64 = 256 * 1024;

/// A connection that can send more than this yields to the others first.
const SEND_BUDGET_BYTES: u64 = 2 * 1024 * 1024;

/// A queue that grew beyond this is given back when it is empty.
const QUEUE_KEPT: usize = 16;

#[derive(Debug)]
enum Outgoing {
    Bytes(Bytes),
    File(FileSend),
}

#[derive(Debug)]
struct FileSend {
    file: Arc<SegmentFile>,
    /// Its descriptor, from the first use to the end of the range.
    open: Option<Arc<OpenFile>>,
    position: u64,
    end: u64,
    /// Up to here every page was seen in memory.
    resident_until: u64,
}

#[derive(Debug)]
pub struct Connection {
    pub id: ConnectionId,
    pub socket: Socket,
    pub peer: IpAddr,
    pub receiver: FrameReceiver,
    queue: VecDeque<Outgoing>,
    pub flags: Flags,
    pub last_active: Instant,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states")]
#[derive(Debug, Default)]
pub struct Flags {
    /// The kernel said that there is something to read, and no read has come back short since.
    pub readable: bool,
    /// In the list of connections to receive from.
    pub in_ready: bool,
    /// In the list of connections to send to.
    pub in_dirty: bool,
    /// The core asked not to read.
    pub paused: bool,
    /// The socket takes no more until the kernel says so.
    pub blocked: bool,
    /// A helper thread is reading a cold range for the head of the queue.
    pub waits_for_file: bool,
    /// The peer ended its side, or reset.
    pub hangup: bool,
    /// Close as soon as the queue is empty; receive no more.
    pub closing: bool,
}

/// What a receive came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, and perhaps more behind them.
    More(usize),
    /// So many bytes, and that was all.
    Drained(usize),
    End,
    Failed,
}

/// What a flush came to.
#[derive(Debug)]
pub enum Flushed {
    /// Nothing is left.
    Empty,
    /// The socket is full.
    Blocked,
    /// The budget is used up.
    Again,
    /// The range must be read from the disk first.
    Cold {
        file: Arc<SegmentFile>,
        position: u64,
        length: u64,
    },
    Failed,
}

impl Connection {
    #[must_use]
    pub fn new(
        id: ConnectionId,
        socket: Socket,
        peer: IpAddr,
        frame_bytes_max: usize,
        now: Instant,
    ) -> Connection {
        Connection {
            id,
            socket,
            peer,
            receiver: FrameReceiver::new(frame_bytes_max),
            queue: VecDeque::new(),
            flags: Flags::default(),
            last_active: now,
        }
    }

    #[must_use]
    pub fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// One receive: into the frame under way first, what is left over into the spare room of `chunk`.
    ///
    /// Invariants: the chunk has spare room and no bytes, before and after.
    pub fn receive(&mut self, chunk: &mut BytesMut, frames: &mut Vec<BytesMut>) -> Received {
        let chunk_max = chunk.capacity() - chunk.len();
        assert!(chunk.is_empty() && chunk_max > 0, "a chunk to receive into has room and nothing else");
        let has_frame = self.receiver.direct().is_some();
        let direct_max = if has_frame { self.receiver.direct_bytes_max() } else { 0 };
        let result = match self.receiver.direct() {
            Some(frame) if direct_max > 0 => {
                let spare = &mut frame.spare_capacity_mut()[..direct_max];
                let result = receive_two(&self.socket, spare, chunk.spare_capacity_mut());
                if let Ok(got) = result {
                    // SAFETY: the kernel has written the first `got` bytes of frame and chunk, in this order.
                    unsafe { frame.advance_mut(got.min(direct_max)) };
                }
                result
            }
            _ => self.socket.recv_with_flags(chunk.spare_capacity_mut(), libc::MSG_DONTWAIT),
        };
        let got = match result {
            Ok(0) => return Received::End,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::Drained(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Received::More(0),
            Err(_) => return Received::Failed,
        };
        if direct_max > 0 {
            frames.extend(self.receiver.take_direct());
        }
        // SAFETY: what did not go into the frame the kernel has written into the chunk.
        unsafe { chunk.advance_mut(got.saturating_sub(direct_max)) };
        if let Err(error) = self.receiver.feed(chunk.split(), frames) {
            tracing::debug!(connection = %self.id, peer = %self.peer, ?error, "a frame was refused");
            return Received::Failed;
        }
        if got < direct_max + chunk_max { Received::Drained(got) } else { Received::More(got) }
    }

    /// Puts an answer behind those that wait. False: a file is not known, the answer cannot be sent.
    pub fn enqueue(&mut self, pieces: Vec<Piece>, files: &Files) -> bool {
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) if bytes.is_empty() => {}
                Piece::Bytes(bytes) => self.queue.push_back(Outgoing::Bytes(bytes)),
                Piece::File(range) if range.length == 0 => {}
                Piece::File(range) => {
                    let Some(file) = files.find(FileId(range.file)) else {
                        tracing::error!(connection = %self.id, ?range, "an answer names an unknown file");
                        return false;
                    };
                    let (position, end) = (range.position, range.position + range.length);
                    self.queue.push_back(Outgoing::File(FileSend {
                        file,
                        open: None,
                        position,
                        end,
                        resident_until: 0,
                    }));
                }
            }
        }
        true
    }

    /// The helper thread has read the range that `Flushed::Cold` named.
    pub fn on_resident(&mut self, open: Arc<OpenFile>) {
        self.flags.waits_for_file = false;
        if let Some(Outgoing::File(send)) = self.queue.front_mut() {
            send.open = Some(open);
            send.resident_until = send.end.min(send.position + FAULT_BYTES_MAX);
        }
    }

    /// Sends what the socket takes. Adds the bytes to `sent`, those of files also to `from_files`.
    pub fn flush(&mut self, sent: &mut u64, from_files: &mut u64) -> Flushed {
        let budget_end = *sent + SEND_BUDGET_BYTES;
        loop {
            if *sent >= budget_end {
                return Flushed::Again;
            }
            let result = match self.queue.front_mut() {
                None => {
                    if self.queue.capacity() > QUEUE_KEPT {
                        self.queue = VecDeque::new();
                    }
                    return Flushed::Empty;
                }
                Some(Outgoing::Bytes(_)) => self.send_bytes(),
                Some(Outgoing::File(send)) => match send_file(&self.socket, send) {
                    FileSent::Bytes(count) => {
                        *from_files += count;
                        if send.position == send.end {
                            self.queue.pop_front();
                        }
                        Ok(count)
                    }
                    FileSent::Cold => {
                        let length = (send.end - send.position).min(FAULT_BYTES_MAX);
                        return Flushed::Cold {
                            file: Arc::clone(&send.file),
                            position: send.position,
                            length,
                        };
                    }
                    FileSent::Error(error) => Err(error),
                },
            };
            match result {
                Ok(count) => *sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flushed::Blocked,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Failed,
            }
        }
    }

    /// One `sendmsg` of the pieces up to the next file.
    fn send_bytes(&mut self) -> io::Result<u64> {
        let mut slices = [IoSlice::new(&[]); SEND_PIECES_MAX];
        let mut count = 0;
        let mut file_follows = false;
        for piece in &self.queue {
            match piece {
                Outgoing::Bytes(bytes) if count < SEND_PIECES_MAX => {
                    slices[count] = IoSlice::new(bytes);
                    count += 1;
                }
                Outgoing::Bytes(_) => break,
                Outgoing::File(_) => {
                    file_follows = true;
                    break;
                }
            }
        }
        let more = if file_follows { libc::MSG_MORE } else { 0 };
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | more;
        let sent = self.socket.send_vectored_with_flags(&slices[..count], flags)?;
        let mut left = sent;
        while left > 0 {
            let Some(Outgoing::Bytes(bytes)) = self.queue.front_mut() else {
                unreachable!("no more was sent than was queued");
            };
            let take = left.min(bytes.len());
            bytes.advance(take);
            left -= take;
            if bytes.is_empty() {
                self.queue.pop_front();
            }
        }
        Ok(sent as u64)
    }
}

enum FileSent {
    Bytes(u64),
    Cold,
    Error(io::Error),
}

fn send_file(socket: &Socket, send: &mut FileSend) -> FileSent {
    if send.open.is_none() {
        send.open = send.file.opened();
    }
    let Some(file) = send.open.as_deref() else { return FileSent::Cold };
    let length = (send.end - send.position).min(SENDFILE_BYTES_MAX);
    if send.position + length > send.resident_until {
        if !is_resident(file, send.position, length) {
            return FileSent::Cold;
        }
        send.resident_until = send.position + length;
    }
    let mut offset = send.position;
    let count = usize::try_from(length).expect("at most SENDFILE_BYTES_MAX");
    match sendfile(socket, &**file, Some(&mut offset), count) {
        // The file is shorter than the core said: the answer can never be completed.
        Ok(0) => FileSent::Error(io::ErrorKind::UnexpectedEof.into()),
        Ok(sent) => {
            send.position += sent as u64;
            FileSent::Bytes(sent as u64)
        }
        Err(error) => FileSent::Error(error.into()),
    }
}

fn receive_two(
    socket: &Socket,
    first: &mut [MaybeUninit<u8>],
    second: &mut [MaybeUninit<u8>],
) -> io::Result<usize> {
    let mut buffers = [MaybeUninitSlice::new(first), MaybeUninitSlice::new(second)];
    Ok(socket.recv_vectored_with_flags(&mut buffers, libc::MSG_DONTWAIT)?.0)
}
