//! The processor alone: checksum and copy at batch sizes, hot and cold.

use std::hint::black_box;
use std::io;
use std::time::Duration;

use crate::figures::{Table, median, short};
use crate::frames::crc32c;
use crate::host;

const SIZES: [(usize, &str); 4] = [(1 << 10, "1K"), (16 << 10, "16K"), (1 << 20, "1M"), (64 << 20, "64M")];

/// GB/s of the pinned thread's own processor time, so that neighbours do not count.
pub fn print(rounds: usize, slice: Duration) -> io::Result<()> {
    host::pin(host::SERVER_CORE)?;
    let mut table = Table::new(&["size", "CRC-32C GB/s", "copy GB/s"]);
    for (bytes, name) in SIZES {
        let source = vec![3u8; bytes];
        let mut target = vec![0u8; bytes];
        let (mut checksums, mut copies) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            checksums.push(rate(bytes, slice, || {
                black_box(crc32c(black_box(&source)));
            }));
            copies.push(rate(bytes, slice, || {
                target.copy_from_slice(black_box(&source));
                black_box(&mut target);
            }));
        }
        table.row([name.into(), short(median(checksums)), short(median(copies))]);
    }
    table.print();
    Ok(())
}

fn rate(bytes: usize, slice: Duration, mut work: impl FnMut()) -> f64 {
    let per_look = (1 << 20) / bytes + 1;
    let (before, mut turns) = (host::thread_cpu(), 0);
    while host::thread_cpu() - before < slice {
        (0..per_look).for_each(|_| work());
        turns += per_look;
    }
    (turns * bytes) as f64 / (host::thread_cpu() - before).as_secs_f64() / 1e9
}
