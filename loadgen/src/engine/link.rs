//! One socket's bytes: requests out of pieces, answers out of a stream.
//!
//! Decides how much is written and read at a time. Knows nothing of what the bytes mean.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags};

use crate::conversation::{Outgoing, Piece, Request};
use crate::error::LoadError;

/// Pieces handed to the kernel at once.
const SLICES_MAX: usize = 64;
/// Bytes handed to the kernel at once; a socket rarely takes as much.
const SEND_BYTES_MAX: usize = 4 << 20;
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Memory that a connection keeps for its answers.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// Written requests whose buffers are kept.
const SPARE_MAX: usize = 64;
/// Of one read event, so that one connection does not keep others waiting.
const READS_MAX: usize = 8;

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Requests whose first byte went out.
    pub begun: usize,
    /// The socket takes no more for now.
    pub is_full: bool,
}

pub struct Link {
    socket: OwnedFd,
    /// Bytes of the first request that are out; where it has begun, `begun`.
    first_from: usize,
    begun: bool,
    /// The beginning of an answer.
    received: Vec<u8>,
}

impl Link {
    /// `socket` is connected and does not block.
    pub fn new(socket: OwnedFd) -> Link {
        Link { socket, first_from: 0, begun: false, received: Vec::new() }
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// One system call's worth of `outgoing`.
    pub fn write(&mut self, outgoing: &mut Outgoing) -> io::Result<Written> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let (count, wanted) = gather(&outgoing.requests, self.first_from, &mut slices);
        if count == 0 {
            return Ok(Written { begun: 0, is_full: false });
        }
        let sent = net::sendmsg(
            self.socket.as_fd(),
            &slices[..count],
            &mut SendAncillaryBuffer::default(),
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        );
        let sent = match sent {
            Ok(sent) => sent,
            Err(rustix::io::Errno::AGAIN) => return Ok(Written { begun: 0, is_full: true }),
            Err(rustix::io::Errno::INTR) => return Ok(Written { begun: 0, is_full: false }),
            Err(error) => return Err(error.into()),
        };
        Ok(Written { begun: self.advance(sent, outgoing), is_full: sent < wanted })
    }

    /// Takes what is out off the queue; how many requests have begun with it.
    fn advance(&mut self, sent: usize, outgoing: &mut Outgoing) -> usize {
        let mut left = sent;
        let mut begun = 0;
        while left > 0 {
            let Some(request) = outgoing.requests.front() else { break };
            if !self.begun {
                self.begun = true;
                begun += 1;
            }
            let rest = bytes_of(request) - self.first_from;
            if left < rest {
                self.first_from += left;
                break;
            }
            left -= rest;
            self.first_from = 0;
            self.begun = false;
            if let Some(request) = outgoing.requests.pop_front()
                && outgoing.spare.len() < SPARE_MAX
            {
                outgoing.spare.push(request);
            }
        }
        begun
    }

    /// Reads what is there and hands over each whole answer. Ok(false): the other side has closed.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        mut on_answer: impl FnMut(&[u8]) -> Result<(), LoadError>,
    ) -> Result<bool, LoadError> {
        for _ in 0..READS_MAX {
            let (read, room) = if self.received.is_empty() {
                (
                    net::recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT).map(|(_, read)| read),
                    buffer.len(),
                )
            } else {
                self.reserve(buffer.len());
                let room = self.received.capacity() - self.received.len();
                let spare = rustix::buffer::spare_capacity(&mut self.received);
                (net::recv(&self.socket, spare, RecvFlags::DONTWAIT).map(|(_, read)| read), room)
            };
            let read = match read {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(true),
                Err(_) => return Ok(false),
            };
            if self.received.is_empty() {
                let rest = cut(&buffer[..read], &mut on_answer)?;
                self.received.extend_from_slice(rest);
            } else if self.received.len() >= needed(&self.received) {
                let left = cut(&self.received, &mut on_answer)?.len();
                let cut_off = self.received.len() - left;
                self.received.drain(..cut_off);
                if left == 0 && self.received.capacity() > KEPT_BYTES_MAX {
                    self.received = Vec::new();
                }
            }
            if read < room {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Room for the rest of the answer that has begun, at least for `bytes_min`.
    fn reserve(&mut self, bytes_min: usize) {
        let missing = needed(&self.received).saturating_sub(self.received.len());
        self.received.reserve(missing.clamp(bytes_min, ANSWER_BYTES_MAX));
    }
}

/// Fills slices with what is to be sent; how many, and their bytes.
fn gather<'a>(
    requests: &'a VecDeque<Request>,
    skip: usize,
    slices: &mut [IoSlice<'a>; SLICES_MAX],
) -> (usize, usize) {
    let mut skip = skip;
    let mut count = 0;
    let mut bytes = 0;
    for piece in requests.iter().flat_map(|request| &request.pieces) {
        let piece = bytes_of_piece(piece);
        if skip >= piece.len() {
            skip -= piece.len();
            continue;
        }
        let part = &piece[skip..];
        skip = 0;
        slices[count] = IoSlice::new(part);
        count += 1;
        bytes += part.len();
        if count == SLICES_MAX || bytes >= SEND_BYTES_MAX {
            break;
        }
    }
    (count, bytes)
}

fn bytes_of_piece(piece: &Piece) -> &[u8] {
    match piece {
        Piece::Own(bytes) => bytes,
        Piece::Shared(bytes) => bytes,
    }
}

fn bytes_of(request: &Request) -> usize {
    request.pieces.iter().map(|piece| bytes_of_piece(piece).len()).sum()
}

/// Bytes of the first answer with its length; 4 while that is unknown.
fn needed(bytes: &[u8]) -> usize {
    bytes.first_chunk::<4>().map_or(4, |length| 4 + u32::from_be_bytes(*length) as usize)
}

/// Hands over whole answers; returns what is left.
fn cut<'a>(
    bytes: &'a [u8],
    on_answer: &mut impl FnMut(&[u8]) -> Result<(), LoadError>,
) -> Result<&'a [u8], LoadError> {
    let mut rest = bytes;
    loop {
        let needed = needed(rest);
        if needed > ANSWER_BYTES_MAX {
            return Err(LoadError::failed(
                format!("the broker begins an answer of {} bytes", needed - 4),
                "check that the address is that of a broker",
            ));
        }
        if rest.len() < needed || rest.len() < 4 {
            return Ok(rest);
        }
        on_answer(&rest[4..needed])?;
        rest = &rest[needed..];
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn pair() -> (Link, OwnedFd) {
        let (one, other) = net::socketpair(
            net::AddressFamily::UNIX,
            net::SocketType::STREAM,
            net::SocketFlags::NONBLOCK,
            None,
        )
        .unwrap();
        (Link::new(one), other)
    }

    fn request(own: usize, shared: usize) -> Request {
        Request { pieces: vec![Piece::Own(vec![1; own]), Piece::Shared(Rc::from(vec![2; shared]))] }
    }

    #[test]
    fn requests_go_out_whole_over_a_socket_that_fills() {
        let (mut link, other) = pair();
        let mut outgoing = Outgoing::default();
        for _ in 0..50 {
            outgoing.requests.push_back(request(10, 100_000));
        }
        let (mut begun, mut received) = (0, Vec::new());
        let mut buffer = vec![0; 70_000];
        while received.len() < 50 * 100_010 {
            let written = link.write(&mut outgoing).unwrap();
            begun += written.begun;
            if let Ok((_, read)) = net::recv(&other, &mut buffer[..], RecvFlags::DONTWAIT) {
                received.extend_from_slice(&buffer[..read]);
            }
        }
        assert_eq!((begun, outgoing.requests.len()), (50, 0));
        assert!(
            received.chunks(100_010).all(|request| request[..10] == [1; 10] && request[10..] == [2; 100_000])
        );
    }

    #[test]
    fn answers_are_cut_out_of_any_pieces() {
        let (mut link, other) = pair();
        let lengths = [0usize, 5, 70_000, 1, 300_000, 3];
        let stream: Vec<u8> = lengths
            .iter()
            .flat_map(|length| [&(*length as u32).to_be_bytes()[..], &vec![*length as u8; *length]].concat())
            .collect();
        let mut answers = Vec::new();
        let mut buffer = vec![0; 1_000];
        for part in stream.chunks(7_777) {
            net::send(&other, part, SendFlags::empty()).unwrap();
            while link
                .read(&mut buffer, |answer| {
                    assert!(answer.iter().all(|byte| *byte == answer.len() as u8));
                    answers.push(answer.len());
                    Ok(())
                })
                .unwrap()
            {
                let mut peeked = [0; 1];
                if net::recv(link.socket(), &mut peeked[..], RecvFlags::PEEK | RecvFlags::DONTWAIT).is_err() {
                    break;
                }
            }
        }
        assert_eq!(answers, lengths);
    }

    #[test]
    fn a_length_that_no_answer_has_ends_the_run() {
        let (mut link, other) = pair();
        net::send(&other, b"HTTP/1.1 400 Bad Request", SendFlags::empty()).unwrap();
        assert!(link.read(&mut [0; 100], |_| Ok(())).is_err());
        drop(other);
    }
}
