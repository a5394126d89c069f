//! Memory for direct writes: aligned, kept and used again.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::limits::BLOCK_BYTES;

/// From this size on a buffer is aligned so that the kernel can back it with huge pages: fewer segments per write.
const HUGE_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// One buffer. Its address stays while it lives, whoever owns it.
#[derive(Debug)]
pub struct AlignedBuffer {
    pointer: NonNull<u8>,
    layout: Layout,
}

impl AlignedBuffer {
    /// `bytes` is rounded up to whole blocks; the contents are zero.
    #[must_use]
    pub fn new(bytes: usize) -> AlignedBuffer {
        let block = usize::try_from(BLOCK_BYTES).expect("small");
        let bytes = bytes.max(1).next_multiple_of(block);
        let align = if bytes >= HUGE_PAGE_BYTES { HUGE_PAGE_BYTES } else { block };
        let layout =
            Layout::from_size_align(bytes, align).expect("a commit is far smaller than the address space");
        // SAFETY: the layout's size is not zero.
        let pointer = unsafe { alloc_zeroed(layout) };
        let Some(pointer) = NonNull::new(pointer) else { handle_alloc_error(layout) };
        if align == HUGE_PAGE_BYTES {
            // SAFETY: the range was just allocated. The advice changes no contents; a kernel that ignores it is as good.
            unsafe { libc::madvise(pointer.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        AlignedBuffer { pointer, layout }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.layout.size()
    }

    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.pointer.as_ptr()
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the allocation is this long, initialised, and borrowed as long as the slice lives.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr(), self.layout.size()) }
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and nobody else frees it.
        unsafe { dealloc(self.pointer.as_ptr(), self.layout) }
    }
}
