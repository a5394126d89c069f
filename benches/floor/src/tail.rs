//! The hot tail: the last bytes that were produced, first in, first out.
//!
//! Decides how many bytes stay and whose memory is used again. Whether what is kept is a copy of a frame or the memory it
//! was received into is the caller's choice, and the question this file exists for.

use std::collections::VecDeque;

use bytes::Bytes;
use clap::ValueEnum;

pub const TAIL_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// No tail.
    Nothing,
    /// A copy of each frame in memory of its own; receive memory stays hot in the cache.
    Copies,
    /// The receive memory itself; the next receive goes elsewhere.
    Frames,
}

/// Invariants: the bytes kept are at most the bound, but for the newest chunk. Memory that falls out is used again before
/// new memory is asked for, so that page faults end with the first round.
pub struct Tail {
    chunks: VecDeque<Vec<u8>>,
    copies: VecDeque<Bytes>,
    spare: Vec<Vec<u8>>,
    bytes: usize,
    bytes_max: usize,
}

impl Tail {
    pub fn new(bytes_max: usize) -> Tail {
        Tail { chunks: VecDeque::new(), copies: VecDeque::new(), spare: Vec::new(), bytes: 0, bytes_max }
    }

    /// Memory to receive into, of at least `bytes`; what it holds is old.
    pub fn fresh(&mut self, bytes: usize) -> Vec<u8> {
        match self.spare.iter().position(|chunk| chunk.len() == bytes) {
            Some(index) => self.spare.swap_remove(index),
            None => vec![0; bytes],
        }
    }

    pub fn keep(&mut self, chunk: Vec<u8>) {
        self.bytes += chunk.len();
        self.chunks.push_back(chunk);
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.chunks.pop_front() else { return };
            self.bytes -= oldest.len();
            self.spare.push(oldest);
        }
    }

    /// Keeps a chunk and returns another one of its size.
    pub fn exchange(&mut self, chunk: Vec<u8>) -> Vec<u8> {
        let bytes = chunk.len();
        self.keep(chunk);
        self.fresh(bytes)
    }

    pub fn keep_copy(&mut self, frame: &[u8]) {
        self.bytes += frame.len();
        self.copies.push_back(Bytes::copy_from_slice(frame));
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.copies.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_memory_falls_out_and_is_used_again() {
        let mut tail = Tail::new(20);
        assert_eq!(tail.exchange(vec![1; 10]), vec![0; 10]);
        assert_eq!(tail.exchange(vec![2; 10]), vec![0; 10]);
        assert_eq!(tail.exchange(vec![3; 10]), vec![1; 10]);
        let mut copies = Tail::new(20);
        (0..5).for_each(|_| copies.keep_copy(&[0; 10]));
        assert_eq!((copies.copies.len(), copies.bytes), (2, 20));
    }
}
