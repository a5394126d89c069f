//! The journal file of stages 4 and 5, and the submissions that write a group to it.
//!
//! Decides offsets and the order of completions. Whose ring carries the submissions is the caller's affair.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use io_uring::opcode;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, FsyncFlags};

use crate::arena::GROUP_BYTES;
use crate::stage::Group;

pub const JOURNAL_BYTES: u64 = 256 << 20;

pub fn path(directory: &Path) -> PathBuf {
    directory.join("journal")
}

/// Makes the journal: every block written once, so that later writes change no metadata.
pub fn prewrite(directory: &Path) -> io::Result<()> {
    let path = path(directory);
    if path.metadata().is_ok_and(|found| found.len() == JOURNAL_BYTES) {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    let mut file = File::create(&path)?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..JOURNAL_BYTES >> 20 {
        file.write_all(&zeros)?;
    }
    file.sync_all()
}

pub fn open_direct(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(path)
}

/// Hands out positions one after the other, around the file.
pub struct Positions {
    next: u64,
}

impl Positions {
    pub fn new() -> Positions {
        Positions { next: 0 }
    }

    pub fn take(&mut self, bytes: usize) -> u64 {
        if self.next + bytes as u64 > JOURNAL_BYTES {
            self.next = 0;
        }
        let position = self.next;
        self.next += bytes as u64;
        position
    }
}

struct Pending {
    group: Group,
    completions_left: u8,
}

/// Groups on their way to the disk through a ring of the caller's.
pub struct RingJournal {
    file: File,
    positions: Positions,
    syncs: bool,
    first_sequence: u64,
    pending: VecDeque<Pending>,
}

impl RingJournal {
    pub fn open(directory: &Path, syncs: bool) -> io::Result<RingJournal> {
        let file = open_direct(&path(directory))?;
        // A first read finds a missing or unaligned file here and not in a completion.
        let mut block = crate::disk::AlignedBytes::new(4096);
        file.read_exact_at(block.bytes_mut(), 0)?;
        Ok(RingJournal {
            file,
            positions: Positions::new(),
            syncs,
            first_sequence: 0,
            pending: VecDeque::new(),
        })
    }

    /// The submissions that make the group durable: a write, and linked behind it a data sync. `tag` is or-ed with the
    /// group's sequence number to form the user data.
    pub fn submissions(&mut self, group: Group, tag: u64) -> Vec<Entry> {
        let bytes = group.write_bytes();
        assert!(bytes <= GROUP_BYTES, "a group fits its buffer");
        let sequence = self.first_sequence + self.pending.len() as u64;
        let position = self.positions.take(bytes);
        let fd = Fd(self.file.as_raw_fd());
        let user_data = tag | (sequence & 0xffff_ffff);
        let write = opcode::Write::new(fd, group.buffer.as_ptr(), bytes as u32).offset(position).build();
        self.pending.push_back(Pending { group, completions_left: if self.syncs { 2 } else { 1 } });
        if !self.syncs {
            return vec![write.user_data(user_data)];
        }
        let sync = opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build();
        vec![write.flags(Flags::IO_LINK).user_data(user_data), sync.user_data(user_data)]
    }

    pub fn on_completion(&mut self, sequence: u32, result: i32) {
        assert!(result >= 0, "the journal write failed: {}", io::Error::from_raw_os_error(-result));
        let index = sequence.wrapping_sub(self.first_sequence as u32) as usize;
        let pending = self.pending.get_mut(index).expect("completions belong to pending groups");
        pending.completions_left -= 1;
    }

    /// The oldest group when it is durable: acknowledgements follow the order of the journal.
    pub fn take_durable(&mut self) -> Option<Group> {
        if self.pending.front()?.completions_left > 0 {
            return None;
        }
        self.first_sequence += 1;
        self.pending.pop_front().map(|pending| pending.group)
    }
}
