//! A ring of provided buffers: the kernel picks the memory of a receive when the bytes are there.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use crate::arena::{Arena, ArenaSlot};

pub const GROUP_ID: u16 = 7;

/// Invariants: a buffer is either the kernel's (its entry lies between head and tail) or ours (named by one completion).
pub struct ProvidedBuffers {
    entries: *mut BufRingEntry,
    mask: u16,
    tail: u16,
    buffer_bytes: usize,
    /// The entries' page and the buffers, in that order; kept so that they are never handed out again.
    _entries_slot: ArenaSlot,
    memory: *mut u8,
    _memory_slot: ArenaSlot,
}

impl ProvidedBuffers {
    /// `count` is a power of two.
    pub fn register(ring: &IoUring, buffer_bytes: usize, count: u16) -> io::Result<ProvidedBuffers> {
        assert!(count.is_power_of_two());
        let entries_slot = take(&Arena::new(4096, 1, false)?);
        let memory_slot = take(&Arena::new(buffer_bytes * count as usize, 1, true)?);
        let entries = entries_slot.as_ptr().cast::<BufRingEntry>().cast_mut();
        let memory = memory_slot.as_ptr().cast_mut();
        // SAFETY: the entries are one page-aligned page of ours (16 bytes each, 256 at most), zeroed before it is registered.
        unsafe {
            std::ptr::write_bytes(entries.cast::<u8>(), 0, 4096);
            ring.submitter().register_buf_ring_with_flags(entries as u64, count, GROUP_ID, 0)?;
        }
        let (_entries_slot, _memory_slot) = (entries_slot, memory_slot);
        let mut buffers = ProvidedBuffers {
            entries,
            mask: count - 1,
            tail: 0,
            buffer_bytes,
            _entries_slot,
            memory,
            _memory_slot,
        };
        for id in 0..count {
            buffers.push(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The received bytes a completion names.
    pub fn bytes(&self, id: u16, length: usize) -> &[u8] {
        assert!(id <= self.mask && length <= self.buffer_bytes, "the kernel names a buffer of this ring");
        // SAFETY: inside the mapping by the assertion; the kernel does not touch it until it is given back.
        unsafe { std::slice::from_raw_parts(self.memory.add(id as usize * self.buffer_bytes), length) }
    }

    /// Gives a buffer back; the kernel sees it at the next `publish`.
    pub fn push(&mut self, id: u16) {
        // SAFETY: the index is masked into the ring; the entry is ours until the tail passes it.
        unsafe {
            let entry = &mut *self.entries.add((self.tail & self.mask) as usize);
            entry.set_addr(self.memory.add(id as usize * self.buffer_bytes) as u64);
            entry.set_len(self.buffer_bytes as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    pub fn publish(&mut self) {
        // SAFETY: the tail is a u16 inside the first entry, shared with the kernel, hence atomic.
        unsafe {
            let tail = BufRingEntry::tail(self.entries).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

fn take(arena: &Arena) -> ArenaSlot {
    arena.take().expect("a new arena has a free slot")
}
