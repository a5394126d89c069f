//! Memory for direct I/O: aligned to a block, reused.

use crate::limits::BLOCK_BYTES;

const BLOCK: usize = 4096;
const _: () = assert!(BLOCK as u64 == BLOCK_BYTES);

/// A buffer that grows to what was asked of it and keeps that. Its memory does not move when the value does.
#[derive(Debug, Default)]
pub struct Aligned {
    memory: Vec<u8>,
}

impl Aligned {
    /// `length` aligned bytes, with whatever they held before.
    pub fn with_room(&mut self, length: usize) -> &mut [u8] {
        if self.memory.len() < length + BLOCK {
            self.memory = vec![0; length.next_power_of_two() + BLOCK];
        }
        let start = self.memory.as_ptr().align_offset(BLOCK);
        &mut self.memory[start..start + length]
    }
}
