//! Disk questions.

/// Bytes at a block boundary.
pub struct AlignedBytes {
    memory: Vec<u8>,
    from: usize,
    bytes: usize,
}

impl AlignedBytes {
    pub fn new(bytes: usize) -> AlignedBytes {
        let memory = vec![0; bytes + 4096];
        let from = memory.as_ptr().align_offset(4096);
        AlignedBytes { memory, from, bytes }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.from..self.from + self.bytes]
    }
}
