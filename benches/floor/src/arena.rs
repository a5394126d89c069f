//! Aligned memory for direct writes: an own arena of huge pages, or glommio's DMA buffers.
//!
//! Decides where a group's bytes live. Both kinds look like one growing slice to the stages.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use glommio::io::DmaBuffer;

use crate::sockets::JournalBy;
use crate::stage::Stage;

pub const BLOCK_BYTES: usize = 4096;
/// One group's buffer: a huge page, so that one write is one extent of physical memory.
pub const GROUP_BYTES: usize = 2 << 20;
const ARENA_GROUPS: usize = 48;

/// An anonymous mapping of huge pages, touched once, never returned.
pub struct Arena {
    base: *mut u8,
    group_bytes: usize,
    free: Rc<RefCell<Vec<usize>>>,
}

impl Arena {
    pub fn groups() -> io::Result<Arena> {
        Arena::new(GROUP_BYTES, ARENA_GROUPS, true)
    }

    /// `count` slots of `slot_bytes` (a power of two, at least a block); huge pages when `huge`.
    pub fn new(slot_bytes: usize, count: usize, huge: bool) -> io::Result<Arena> {
        let bytes = (slot_bytes * count).next_multiple_of(GROUP_BYTES);
        // SAFETY: an anonymous private mapping at an address the kernel chooses aliases nothing.
        let mapped = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes + GROUP_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = (mapped as usize).next_multiple_of(GROUP_BYTES) as *mut u8;
        let advice = if huge { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        // SAFETY: base..base+bytes lies inside the mapping above, which was made one huge page longer.
        unsafe {
            libc::madvise(base.cast(), bytes, advice);
            std::ptr::write_bytes(base, 1, bytes);
        }
        Ok(Arena { base, group_bytes: slot_bytes, free: Rc::new(RefCell::new((0..count).rev().collect())) })
    }

    pub fn take(&self) -> Option<ArenaSlot> {
        let index = self.free.borrow_mut().pop()?;
        // SAFETY: each index is handed out once at a time, and slots do not overlap.
        let start = unsafe { self.base.add(index * self.group_bytes) };
        Some(ArenaSlot { start, bytes: self.group_bytes, index, free: self.free.clone() })
    }
}

/// One slot; back to the arena when dropped. The arena's memory lives as long as the process.
pub struct ArenaSlot {
    start: *mut u8,
    bytes: usize,
    index: usize,
    free: Rc<RefCell<Vec<usize>>>,
}

impl ArenaSlot {
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }
}

impl Drop for ArenaSlot {
    fn drop(&mut self) {
        self.free.borrow_mut().push(self.index);
    }
}

/// Memory of one group.
pub enum Buffer {
    Arena(ArenaSlot),
    Dma(DmaBuffer),
    /// Given away to a write, which does not give it back.
    Given,
}

impl Buffer {
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            // SAFETY: the slot is exclusively ours until dropped, and the arena initialised its bytes.
            Buffer::Arena(slot) => unsafe { std::slice::from_raw_parts_mut(slot.start, slot.bytes) },
            Buffer::Dma(buffer) => buffer.as_bytes_mut(),
            Buffer::Given => &mut [],
        }
    }

    pub fn as_ptr(&self) -> *const u8 {
        match self {
            Buffer::Arena(slot) => slot.start,
            Buffer::Dma(buffer) => buffer.as_ptr(),
            Buffer::Given => std::ptr::null(),
        }
    }
}

/// Where group buffers come from.
pub enum BufferSource {
    Arena(Arena),
    /// The executor's registered memory; only inside a glommio executor.
    Dma,
}

impl BufferSource {
    /// The arena is touched when it is made, so it is made only for a stage that copies.
    pub fn for_stage(stage: Stage, journal: JournalBy) -> io::Result<BufferSource> {
        if stage >= Stage::Copy && journal == JournalBy::Ring {
            return Ok(BufferSource::Arena(Arena::groups()?));
        }
        Ok(BufferSource::Dma)
    }

    pub fn take(&self) -> Buffer {
        match self {
            BufferSource::Arena(arena) => {
                Buffer::Arena(arena.take().expect("clients here have less in flight than the arena holds"))
            }
            BufferSource::Dma => Buffer::Dma(glommio::allocate_dma_buffer(GROUP_BYTES)),
        }
    }
}
