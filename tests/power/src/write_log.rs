//! The log of every write and flush that reached the device, as qemu's blklogwrites keeps it (the format of Linux's dm-log-writes).
//!
//! Shape:  | super block | entry | its data | entry | its data | ...     all in whole sectors
//!         entry: sector u64, sectors u64, flags u64, data_len u64       little-endian, the rest of its sector is zero
//!
//! Decides which entries there are, and what was durable at which of them. A flush makes everything before it durable: a write that
//! was still under way when the flush was asked for counts as durable too, which excuses a broker that does not wait for its writes;
//! the simulator looks for that.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

pub const SECTOR_BYTES: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLAG_FLUSH: u64 = 1;
const FLAG_FUA: u64 = 2;
const FLAG_DISCARD: u64 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes on the device.
    pub at: u64,
    pub bytes: u64,
    /// Where its data lies in the log.
    data_at: u64,
    flags: u64,
    /// Where it ends in the log: whoever saw the log so long has seen this entry.
    pub seen_at: u64,
}

impl Entry {
    pub fn is_flush(&self) -> bool {
        self.flags & FLAG_FLUSH != 0
    }

    /// Durable by itself once it is acknowledged.
    pub fn is_durable(&self) -> bool {
        self.flags & FLAG_FUA != 0
    }

    pub fn writes(&self) -> bool {
        self.bytes > 0
    }
}

pub struct WriteLog {
    file: File,
    pub entries: Vec<Entry>,
}

impl WriteLog {
    pub fn read(file: File) -> io::Result<WriteLog> {
        let end = file.metadata()?.len();
        let mut header = [0; 32];
        file.read_exact_at(&mut header, 0)?;
        let field = |header: &[u8; 32], index: usize| {
            let bytes: [u8; 8] = header[index * 8..][..8].try_into().expect("eight bytes");
            u64::from_le_bytes(bytes)
        };
        if field(&header, 0) != MAGIC {
            return Err(io::Error::other("this is no log of writes"));
        }
        let mut entries = Vec::new();
        let mut at = SECTOR_BYTES;
        while at + SECTOR_BYTES <= end {
            file.read_exact_at(&mut header, at)?;
            let (sector, sectors, flags) = (field(&header, 0), field(&header, 1), field(&header, 2));
            let has_data = flags & FLAG_DISCARD == 0;
            let data_bytes = if has_data { sectors * SECTOR_BYTES } else { 0 };
            let seen_at = at + SECTOR_BYTES + data_bytes;
            if (sector, sectors, flags) == (0, 0, 0) || seen_at > end {
                // The last one was under way when the log was closed.
                break;
            }
            let (at_device, bytes) = (sector * SECTOR_BYTES, sectors * SECTOR_BYTES);
            entries.push(Entry { at: at_device, bytes, data_at: at + SECTOR_BYTES, flags, seen_at });
            at = seen_at;
        }
        Ok(WriteLog { file, entries })
    }

    /// How many entries a log of this length has.
    pub fn entries_seen(&self, log_bytes: u64) -> usize {
        self.entries.partition_point(|entry| entry.seen_at <= log_bytes)
    }

    /// The number of entries that were durable when `cut` had been logged: up to the last flush of them.
    pub fn durable_before(&self, cut: usize) -> usize {
        self.entries[..cut].iter().rposition(Entry::is_flush).map_or(0, |flush| flush + 1)
    }

    /// Writes a part of an entry to where it goes.
    pub fn apply(&self, entry: &Entry, part: Range<u64>, image: &File) -> io::Result<()> {
        let mut data = vec![0; (part.end - part.start) as usize];
        if entry.flags & FLAG_DISCARD == 0 {
            self.file.read_exact_at(&mut data, entry.data_at + part.start)?;
        }
        image.write_all_at(&data, entry.at + part.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sector: u64, sectors: u64, flags: u64) -> Vec<u8> {
        let mut bytes = [sector, sectors, flags, 0].map(u64::to_le_bytes).concat();
        bytes.resize(SECTOR_BYTES as usize, 0);
        bytes
    }

    fn log(bytes: &[u8]) -> WriteLog {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("power-log-{}-{number}", std::process::id()));
        std::fs::write(&path, bytes).expect("writable");
        let log = WriteLog::read(File::open(&path).expect("written")).expect("a log");
        std::fs::remove_file(path).expect("ours");
        log
    }

    #[test]
    fn entries_are_found_up_to_one_that_is_cut() {
        let mut bytes = header(MAGIC, 1, 3);
        bytes.extend(header(8, 2, 0));
        bytes.extend([7; 1024]);
        bytes.extend(header(0, 0, FLAG_FLUSH));
        bytes.extend(header(2, 4, FLAG_DISCARD));
        bytes.extend(header(9, 2, 0));
        let log = log(&[&bytes[..], &[7; 1023]].concat());
        let seen: Vec<(u64, u64, bool)> =
            log.entries.iter().map(|entry| (entry.at, entry.bytes, entry.is_flush())).collect();
        assert_eq!(seen, [(4096, 1024, false), (0, 0, true), (1024, 2048, false)]);
        assert_eq!([0, 1, 2, 3].map(|cut| log.durable_before(cut)), [0, 0, 2, 2]);
        assert_eq!([512, 2048, 2559, 2560].map(|length| log.entries_seen(length)), [0, 1, 1, 2]);
    }
}
