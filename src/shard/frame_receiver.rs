//! From bytes as they arrive to whole frames: the 4-byte length prefix, and nothing else.
//!
//! A frame that has arrived whole stays where it was received: a slice of the shard's receive chunk, which it pins. Chunks fill in
//! the order of arrival and the hot tail is evicted in that order, so a chunk goes as a whole. A frame of which a part has arrived is
//! copied into memory of its own, grows with its bytes and is then received into directly.

use bytes::{Buf, BytesMut};

use crate::limits::FRAME_GROWTH_BYTES;

const PREFIX_BYTES: usize = 4;

/// Why a connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// Zero or negative.
    Length(i32),
    TooLarge {
        length: usize,
        max: usize,
    },
}

/// Lives: one per connection.
///
/// Invariants: memory held is at most the bytes that arrived + `FRAME_GROWTH_BYTES`, whatever length was claimed.
#[derive(Debug)]
pub struct FrameReceiver {
    frame_bytes_max: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Prefix { bytes: [u8; PREFIX_BYTES], have: usize },
    Body { length: usize, body: BytesMut },
}

const NOTHING_YET: State = State::Prefix { bytes: [0; PREFIX_BYTES], have: 0 };

impl FrameReceiver {
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> FrameReceiver {
        FrameReceiver { frame_bytes_max, state: NOTHING_YET }
    }

    /// Takes bytes in order of arrival and appends each frame that is whole to `frames`.
    ///
    /// Errors: a length that is not acceptable. The frames before it are delivered; the connection cannot go on.
    pub fn feed(&mut self, mut bytes: BytesMut, frames: &mut Vec<BytesMut>) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Prefix { bytes: prefix, have } => {
                    let take = (PREFIX_BYTES - *have).min(bytes.len());
                    prefix[*have..*have + take].copy_from_slice(&bytes[..take]);
                    *have += take;
                    bytes.advance(take);
                    if *have == PREFIX_BYTES {
                        let length = checked_length(i32::from_be_bytes(*prefix), self.frame_bytes_max)?;
                        self.begin_body(length, &mut bytes, frames);
                    }
                }
                State::Body { length, body } => {
                    let take = (*length - body.len()).min(bytes.len());
                    reserve_for(body, *length, take);
                    body.extend_from_slice(&bytes[..take]);
                    bytes.advance(take);
                    frames.extend(self.take_whole());
                }
            }
        }
        Ok(())
    }

    /// The frame itself if it is here, else room for what is.
    fn begin_body(&mut self, length: usize, bytes: &mut BytesMut, frames: &mut Vec<BytesMut>) {
        if bytes.len() >= length {
            frames.push(bytes.split_to(length));
            self.state = NOTHING_YET;
            return;
        }
        let room = if bytes.is_empty() { 0 } else { length.min(bytes.len().max(FRAME_GROWTH_BYTES)) };
        self.state = State::Body { length, body: BytesMut::with_capacity(room) };
    }

    /// A frame of which the rest may be received straight into its own memory: the spare capacity of what is returned, never
    /// more than the frame needs. None while the shared receive buffer serves as well (no frame begun).
    pub fn direct(&mut self) -> Option<&mut BytesMut> {
        match &mut self.state {
            State::Body { length, body } if !body.is_empty() => {
                let missing = *length - body.len();
                reserve_for(body, *length, missing.min(FRAME_GROWTH_BYTES));
                Some(body)
            }
            _ => None,
        }
    }

    /// How many bytes `direct`'s buffer may take before the frame is whole.
    #[must_use]
    pub fn direct_bytes_max(&self) -> usize {
        match &self.state {
            State::Body { length, body } => (*length - body.len()).min(body.capacity() - body.len()),
            State::Prefix { .. } => 0,
        }
    }

    /// The frame, if the bytes received into `direct` made it whole.
    pub fn take_direct(&mut self) -> Option<BytesMut> {
        self.take_whole()
    }

    /// Memory that is held for a frame under way.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Body { body, .. } => body.capacity(),
            State::Prefix { .. } => 0,
        }
    }

    fn take_whole(&mut self) -> Option<BytesMut> {
        match &mut self.state {
            State::Body { length, body } if body.len() == *length => {
                let frame = std::mem::take(body);
                self.state = NOTHING_YET;
                Some(frame)
            }
            _ => None,
        }
    }
}

fn checked_length(length: i32, max: usize) -> Result<usize, FrameError> {
    match usize::try_from(length) {
        Ok(0) | Err(_) => Err(FrameError::Length(length)),
        Ok(length) if length > max => Err(FrameError::TooLarge { length, max }),
        Ok(length) => Ok(length),
    }
}

/// Room for `more` bytes: exact for what is small, doubling (but never past the frame) for what is large.
fn reserve_for(body: &mut BytesMut, length: usize, more: usize) {
    if body.capacity() - body.len() >= more {
        return;
    }
    let doubled = body.len().min(FRAME_GROWTH_BYTES);
    let wanted = (body.len() + more.max(doubled)).min(length);
    body.reserve(wanted - body.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(body.len()).expect("small").to_be_bytes().to_vec();
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let bodies: Vec<Vec<u8>> =
            (1..60usize).map(|n| vec![u8::try_from(n).expect("small"); n * 7]).collect();
        let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        for cut in [1, 2, 3, 5, 64, 1000, stream.len()] {
            let mut receiver = FrameReceiver::new(1 << 20);
            let mut frames = Vec::new();
            for chunk in stream.chunks(cut) {
                receiver.feed(BytesMut::from(chunk), &mut frames).expect("valid");
            }
            assert_eq!(frames, bodies, "cut at {cut}");
        }
    }

    #[test]
    fn a_claimed_length_allocates_nothing_before_its_bytes_arrive() {
        let mut receiver = FrameReceiver::new(100 << 20);
        let mut frames = Vec::new();
        receiver.feed(BytesMut::from(&90_000_000_i32.to_be_bytes()[..]), &mut frames).expect("allowed");
        assert_eq!(receiver.held_bytes(), 0);
        receiver.feed(BytesMut::from(&[1; 100][..]), &mut frames).expect("allowed");
        assert!(receiver.held_bytes() <= 100 + FRAME_GROWTH_BYTES);
        assert!(frames.is_empty());
    }

    #[test]
    fn a_large_frame_is_received_into_directly() {
        let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let stream = framed(&body);
        let mut receiver = FrameReceiver::new(100 << 20);
        let mut frames = Vec::new();
        receiver.feed(BytesMut::from(&stream[..1000]), &mut frames).expect("allowed");
        let mut at = 1000;
        let frame = loop {
            let buffer = receiver.direct().expect("a frame is under way");
            let room = (buffer.capacity() - buffer.len()).min(stream.len() - at);
            assert!(room > 0);
            buffer.extend_from_slice(&stream[at..at + room]);
            at += room;
            if let Some(frame) = receiver.take_direct() {
                break frame;
            }
        };
        assert_eq!((&frame[..], at), (&body[..], stream.len()));
    }

    #[test]
    fn absurd_lengths_are_errors() {
        for (length, error) in [
            (0, FrameError::Length(0)),
            (-1, FrameError::Length(-1)),
            (i32::MIN, FrameError::Length(i32::MIN)),
            (101, FrameError::TooLarge { length: 101, max: 100 }),
            (i32::MAX, FrameError::TooLarge { length: 0x7FFF_FFFF, max: 100 }),
        ] {
            let got =
                FrameReceiver::new(100).feed(BytesMut::from(&length.to_be_bytes()[..]), &mut Vec::new());
            assert_eq!(got, Err(error));
        }
    }
}
