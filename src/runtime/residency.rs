//! Whether a range of a file is in memory, so that sending it cannot wait for the disk.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{ReadWriteFlags, preadv2};

/// `cachestat` counts the pages of a range (Linux 6.5); older kernels and some sandboxes refuse it.
static CACHESTAT_WORKS: AtomicBool = AtomicBool::new(true);

const SYS_CACHESTAT: libc::c_long = 451;
const PAGE_BYTES: u64 = 4096;

#[repr(C)]
struct Range {
    offset: u64,
    length: u64,
}

#[repr(C)]
#[derive(Default)]
struct Stat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// True if every page of the range is in memory. Where the kernel cannot count them, the first and the last page speak for all.
pub fn is_resident(file: &File, position: u64, length: u64) -> bool {
    debug_assert!(length > 0, "an empty range needs no look");
    let first = position / PAGE_BYTES;
    let last = (position + length - 1) / PAGE_BYTES;
    if let Some(cached) = cached_pages(file, first * PAGE_BYTES, (last - first + 1) * PAGE_BYTES)
        && cached < last - first + 1
    {
        return false;
    }
    // A page that is only just being read counts as cached: a read that must not wait tells.
    readable_now(file, position) && readable_now(file, position + length - 1)
}

fn readable_now(file: &File, position: u64) -> bool {
    let mut byte = [0];
    let got = preadv2(file, &mut [IoSliceMut::new(&mut byte)], position, ReadWriteFlags::NOWAIT);
    matches!(got, Ok(1))
}

fn cached_pages(file: &File, offset: u64, length: u64) -> Option<u64> {
    if !CACHESTAT_WORKS.load(Ordering::Relaxed) {
        return None;
    }
    let range = Range { offset, length };
    let mut stat = Stat::default();
    // SAFETY: both pointers are valid for the call; the kernel reads one and fills the other, of the layout it documents.
    let result = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            file.as_raw_fd(),
            std::ptr::from_ref(&range),
            std::ptr::from_mut(&mut stat),
            0,
        )
    };
    if result == 0 {
        return Some(stat.cached);
    }
    CACHESTAT_WORKS.store(false, Ordering::Relaxed);
    None
}
