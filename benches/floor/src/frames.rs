//! The bytes on the wire: one Produce request built once, its answer, and how received bytes become frames.
//!
//! Decides the shape of a frame and where the next receive lands. Knows no sockets and no disk.
//! It is a sketch of Produce v9 with one topic, one partition and one record batch: enough to cost what a broker's framing
//! costs, not a codec.

use std::cell::RefCell;
use std::rc::Rc;

use crc_fast::{CrcAlgorithm, checksum};

use crate::tail::Tail;

pub const LENGTH_BYTES: usize = 4;
/// A frame larger than this is received straight into memory of its own size.
pub const SMALL_FRAME_BYTES_MAX: usize = 64 << 10;
/// Kept memory is left when less room than this remains in it.
const ROOM_BYTES_MIN: usize = 4 << 10;
/// What no client here exceeds: a length above it is a broken peer, not a large request.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
pub const BATCH_HEADER_BYTES: usize = 61;
const BATCH_CRC_AT: usize = 17;
const BATCH_CRC_FROM: usize = 21;
const TOPIC: &[u8] = b"floor";
const CORRELATION_AT: usize = 8;

/// The Castagnoli checksum of record batches.
pub fn crc32c(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// A Produce request, length prefix included, whose record batch has exactly `batch_bytes` bytes and a valid checksum.
pub fn produce_request(batch_bytes: usize) -> Vec<u8> {
    produce_request_of(0, &record_batch(batch_bytes))
}

/// A Produce request with this batch for a partition.
pub fn produce_request_of(partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; LENGTH_BYTES];
    frame.extend_from_slice(&0i16.to_be_bytes());
    frame.extend_from_slice(&9i16.to_be_bytes());
    frame.extend_from_slice(&0i32.to_be_bytes());
    frame.extend_from_slice(&(TOPIC.len() as i16).to_be_bytes());
    frame.extend_from_slice(TOPIC);
    frame.push(0); // header tags
    frame.push(0); // no transactional id
    frame.extend_from_slice(&(-1i16).to_be_bytes());
    frame.extend_from_slice(&30_000i32.to_be_bytes());
    frame.push(2); // one topic
    frame.push(TOPIC.len() as u8 + 1);
    frame.extend_from_slice(TOPIC);
    frame.push(2); // one partition
    frame.extend_from_slice(&partition.to_be_bytes());
    push_varint(&mut frame, batch.len() as u32 + 1);
    frame.extend_from_slice(batch);
    frame.extend_from_slice(&[0, 0, 0]); // partition, topic and request tags
    let length = (frame.len() - LENGTH_BYTES) as u32;
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    frame
}

/// One record batch, format 2, with a valid checksum over incompressible bytes.
pub fn record_batch(batch_bytes: usize) -> Vec<u8> {
    assert!(batch_bytes >= BATCH_HEADER_BYTES, "a record batch has a header");
    let mut batch = vec![0; batch_bytes];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for byte in &mut batch[BATCH_HEADER_BYTES..] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state as u8;
    }
    batch[8..12].copy_from_slice(&(batch_bytes as u32 - 12).to_be_bytes());
    batch[16] = 2;
    let crc = crc32c(&batch[BATCH_CRC_FROM..]);
    batch[BATCH_CRC_AT..BATCH_CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// The answer to one Produce request; the correlation id is to be patched in.
pub fn produce_answer() -> Vec<u8> {
    let mut answer = vec![0; LENGTH_BYTES + 4];
    answer.push(0); // header tags
    answer.push(2); // one topic
    answer.push(TOPIC.len() as u8 + 1);
    answer.extend_from_slice(TOPIC);
    answer.push(2); // one partition
    answer.extend_from_slice(&0i32.to_be_bytes());
    answer.extend_from_slice(&0i16.to_be_bytes()); // no error
    answer.extend_from_slice(&0i64.to_be_bytes());
    answer.extend_from_slice(&(-1i64).to_be_bytes());
    answer.extend_from_slice(&0i64.to_be_bytes());
    answer.extend_from_slice(&[1, 0, 0, 0]); // no record errors, no message, partition and topic tags
    answer.extend_from_slice(&0i32.to_be_bytes());
    answer.push(0);
    let length = (answer.len() - LENGTH_BYTES) as u32;
    answer[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    answer
}

pub const ANSWER_CORRELATION_AT: usize = LENGTH_BYTES;
/// The error code of the one partition.
pub const ANSWER_ERROR_AT: usize = LENGTH_BYTES + 4 + 1 + 1 + 1 + TOPIC.len() + 1 + 4;
pub const REQUEST_CORRELATION_AT: usize = CORRELATION_AT;

fn push_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What a server needs of a request: the correlation id and the record batch.
pub struct Request<'a> {
    pub correlation_id: [u8; 4],
    pub batch: &'a [u8],
}

impl<'a> Request<'a> {
    /// Walks a whole frame, length prefix included; nothing when the frame is not one of ours.
    pub fn parse(frame: &'a [u8]) -> Option<Request<'a>> {
        let correlation_id = frame.get(CORRELATION_AT..CORRELATION_AT + 4)?.try_into().ok()?;
        let client_id_bytes = u16::from_be_bytes(frame.get(12..14)?.try_into().ok()?) as usize;
        let mut at = 14 + client_id_bytes + 1 + 1 + 2 + 4 + 1;
        let topic_bytes = (*frame.get(at)? as usize).checked_sub(1)?;
        at += 1 + topic_bytes + 1 + 4;
        let mut batch_bytes = 0usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = *frame.get(at)?;
            at += 1;
            batch_bytes |= ((byte & 0x7f) as usize) << shift;
            if byte < 0x80 {
                break;
            }
        }
        let batch = frame.get(at..at.checked_add(batch_bytes.checked_sub(1)?)?)?;
        (batch.len() >= BATCH_HEADER_BYTES).then_some(Request { correlation_id, batch })
    }
}

/// Whether the checksum stored in the batch is that of its bytes.
pub fn batch_is_intact(batch: &[u8]) -> bool {
    let stored = &batch[BATCH_CRC_AT..BATCH_CRC_FROM];
    stored == crc32c(&batch[BATCH_CRC_FROM..]).to_be_bytes()
}

/// Received bytes of one connection on their way to being frames.
///
/// Shape:  small: | parsed ... | partial frame | room |      large: | partial frame | room, exactly the rest |
/// A frame that fits the small buffer is handed out in place. A larger one moves what has arrived into memory of its own,
/// and the rest is received there directly.
/// With a tail, the memory that frames were received into is kept there instead of being received into again.
pub struct Assembler {
    small: Vec<u8>,
    small_from: usize,
    small_filled: usize,
    /// Grown to the largest frame seen and never cleared: zeroing a frame's memory would cost as much as copying it.
    large: Vec<u8>,
    /// The size of the large frame in progress; 0 when there is none.
    large_bytes: usize,
    large_filled: usize,
    tail: Option<Rc<RefCell<Tail>>>,
}

/// The peer sent a length that cannot be a frame.
#[derive(Debug)]
pub struct BrokenFrame;

impl Assembler {
    pub fn new() -> Assembler {
        Assembler::keeping(None)
    }

    pub fn keeping(tail: Option<Rc<RefCell<Tail>>>) -> Assembler {
        Assembler {
            small: vec![0; SMALL_FRAME_BYTES_MAX],
            small_from: 0,
            small_filled: 0,
            large: Vec::new(),
            large_bytes: 0,
            large_filled: 0,
            tail,
        }
    }

    /// Where the next receive lands; never empty.
    pub fn room(&mut self) -> &mut [u8] {
        if self.is_in_large_frame() {
            &mut self.large[self.large_filled..self.large_bytes]
        } else {
            &mut self.small[self.small_filled..]
        }
    }

    /// The rest of a large frame is due: a receive may wait until all of it is there.
    pub fn is_in_large_frame(&self) -> bool {
        self.large_bytes > 0
    }

    /// Takes `count` bytes that were received into `room`.
    pub fn advance(&mut self, count: usize, mut on_frame: impl FnMut(&[u8])) -> Result<(), BrokenFrame> {
        if self.is_in_large_frame() {
            self.large_filled += count;
            if self.large_filled == self.large_bytes {
                on_frame(&self.large[..self.large_bytes]);
                if let Some(tail) = &self.tail {
                    self.large = tail.borrow_mut().exchange(std::mem::take(&mut self.large));
                }
                self.large_bytes = 0;
            }
            return Ok(());
        }
        self.small_filled += count;
        let (parsed, next_bytes) =
            parse_frames(&self.small[self.small_from..self.small_filled], &mut on_frame)?;
        self.small_from += parsed;
        if next_bytes > SMALL_FRAME_BYTES_MAX {
            self.begin_large(next_bytes, None, self.small_from);
        }
        let room_bytes = self.small.len() - self.small_filled;
        if self.tail.is_none() || room_bytes < ROOM_BYTES_MIN {
            self.make_room();
        }
        Ok(())
    }

    /// Moves the partial frame to the front: of the same memory, or of other memory when this one is kept.
    fn make_room(&mut self) {
        let partial_bytes = self.small_filled - self.small_from;
        match &self.tail {
            Some(tail) => {
                let mut fresh = tail.borrow_mut().fresh(SMALL_FRAME_BYTES_MAX);
                fresh[..partial_bytes].copy_from_slice(&self.small[self.small_from..self.small_filled]);
                tail.borrow_mut().keep(std::mem::replace(&mut self.small, fresh));
            }
            None if self.small_from > 0 => self.small.copy_within(self.small_from..self.small_filled, 0),
            None => {}
        }
        self.small_from = 0;
        self.small_filled = partial_bytes;
    }

    /// Takes bytes that were received elsewhere (a provided buffer); whole frames are handed out in place.
    pub fn feed(&mut self, mut bytes: &[u8], mut on_frame: impl FnMut(&[u8])) -> Result<(), BrokenFrame> {
        while !bytes.is_empty() && (self.is_in_large_frame() || self.small_filled > self.small_from) {
            let room = self.room();
            let count = bytes.len().min(room.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.advance(count, &mut on_frame)?;
            bytes = &bytes[count..];
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let (parsed, next_bytes) = parse_frames(bytes, &mut on_frame)?;
        let rest = &bytes[parsed..];
        if next_bytes > SMALL_FRAME_BYTES_MAX {
            self.begin_large(next_bytes, Some(rest), 0);
        } else {
            self.small[..rest.len()].copy_from_slice(rest);
            self.small_filled = rest.len();
        }
        Ok(())
    }

    fn begin_large(&mut self, frame_bytes: usize, rest: Option<&[u8]>, small_from: usize) {
        let rest = rest.unwrap_or(&self.small[small_from..self.small_filled]);
        if self.large.len() < frame_bytes {
            self.large.resize(frame_bytes, 0);
        }
        self.large_bytes = frame_bytes;
        self.large[..rest.len()].copy_from_slice(rest);
        self.large_filled = rest.len();
        self.small_from = self.small_filled;
        if self.tail.is_none() {
            (self.small_from, self.small_filled) = (0, 0);
        }
    }
}

/// Hands out the whole frames; returns the bytes they took and, when known, the size of the frame that follows (else 0).
fn parse_frames(bytes: &[u8], mut on_frame: impl FnMut(&[u8])) -> Result<(usize, usize), BrokenFrame> {
    let mut at = 0;
    while let Some(length) = bytes.get(at..at + LENGTH_BYTES) {
        let body = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let frame_bytes = LENGTH_BYTES + body;
        if frame_bytes > FRAME_BYTES_MAX {
            return Err(BrokenFrame);
        }
        let Some(frame) = bytes.get(at..at + frame_bytes) else { return Ok((at, frame_bytes)) };
        on_frame(frame);
        at += frame_bytes;
    }
    Ok((at, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(pieces: &[usize], in_place: bool, keeps: bool, stream: &[u8]) -> Vec<Vec<u8>> {
        let tail = keeps.then(|| Rc::new(RefCell::new(Tail::new(1 << 20))));
        let mut assembler = Assembler::keeping(tail);
        let mut frames = Vec::new();
        let (mut at, mut turn) = (0, 0);
        while at < stream.len() {
            let piece = pieces[turn % pieces.len()].min(stream.len() - at);
            turn += 1;
            let taken = if in_place {
                assembler.feed(&stream[at..at + piece], |frame| frames.push(frame.to_vec())).unwrap();
                piece
            } else {
                let room = assembler.room();
                let taken = piece.min(room.len());
                room[..taken].copy_from_slice(&stream[at..at + taken]);
                assembler.advance(taken, |frame| frames.push(frame.to_vec())).unwrap();
                taken
            };
            at += taken;
        }
        frames
    }

    #[test]
    fn every_cut_of_the_stream_gives_the_same_frames() {
        let sent: Vec<Vec<u8>> = [100, 70_000, 61, 300_000, 65_000, 65_450, 200]
            .iter()
            .map(|bytes| produce_request(*bytes))
            .collect();
        let stream = sent.concat();
        for pieces in [&[1][..], &[3, 1000], &[65_536], &[70_001, 2], &[1 << 20]] {
            for (in_place, keeps) in [(false, false), (true, false), (false, true)] {
                let found = frames_of(pieces, in_place, keeps, &stream);
                let lengths = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).collect::<Vec<_>>();
                assert_eq!(lengths(&found), lengths(&sent), "pieces of {pieces:?}, in place: {in_place}");
                assert!(found == sent, "pieces of {pieces:?}, in place: {in_place}");
            }
        }
    }

    #[test]
    fn request_parses_back_to_an_intact_batch() {
        let mut frame = produce_request(1024);
        frame[REQUEST_CORRELATION_AT..REQUEST_CORRELATION_AT + 4].copy_from_slice(&7i32.to_be_bytes());
        let request = Request::parse(&frame).unwrap();
        assert_eq!((request.correlation_id, request.batch.len()), (7i32.to_be_bytes(), 1024));
        assert!(batch_is_intact(request.batch));
        let last = frame.len() - 4;
        frame[last] ^= 1;
        assert!(!batch_is_intact(Request::parse(&frame).unwrap().batch));
        assert!(Request::parse(&frame[..40]).is_none());
    }

    #[test]
    fn a_length_no_frame_has_is_refused() {
        assert!(Assembler::new().feed(&[0xff; 8], |_| {}).is_err());
    }
}
