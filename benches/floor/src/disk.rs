//! Disk questions: which layout a group commit writes to, how many files are synced, whose buffers are written.
//!
//! One pinned thread, no network. Every question is asked of all its candidates in each round.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

use crate::arena::Arena;
use crate::figures::{Table, median, paired_ratio, short};
use crate::host;
use crate::journal::{self, JOURNAL_BYTES};
use crate::sockets::executor::run_pinned;

const SIZES: [(usize, &str); 3] = [(4 << 10, "4K"), (64 << 10, "64K"), (1 << 20, "1M")];
const FILES: usize = 100;
const FILE_BYTES: usize = 256 << 10;
const WRITE_BYTES: usize = 1 << 20;
const WRITES_IN_FLIGHT: usize = 4;

/// Bytes at a block boundary.
pub struct AlignedBytes {
    memory: Vec<u8>,
    from: usize,
    bytes: usize,
}

impl AlignedBytes {
    pub fn new(bytes: usize) -> AlignedBytes {
        let memory = vec![1; bytes + 4096];
        let from = memory.as_ptr().align_offset(4096);
        AlignedBytes { memory, from, bytes }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.from..self.from + self.bytes]
    }
}

#[derive(Clone, Copy)]
enum Layout {
    Prewritten,
    Fallocated,
    Extending,
}

/// Write and fdatasync of one group, by layout of the file.
pub fn journal_layouts(directory: &Path, rounds: usize, slice: Duration) -> io::Result<()> {
    host::pin(host::SERVER_CORE)?;
    journal::prewrite(directory)?;
    let layouts = [
        ("prewritten", Layout::Prewritten),
        ("fallocated", Layout::Fallocated),
        ("extending", Layout::Extending),
    ];
    let mut table = Table::new(&["group", "layout", "write + fdatasync, median us", "ratio", "CPU us"]);
    for (bytes, name) in SIZES {
        let mut times = vec![Vec::new(); layouts.len()];
        let mut processor = vec![Vec::new(); layouts.len()];
        for _ in 0..rounds {
            for (index, (_, layout)) in layouts.iter().enumerate() {
                let (elapsed, cpu) = commit_for(directory, *layout, bytes, slice)?;
                times[index].push(elapsed);
                processor[index].push(cpu);
            }
        }
        for (index, (layout, _)) in layouts.iter().enumerate() {
            table.row([
                name.into(),
                (*layout).into(),
                short(median(times[index].clone())),
                short(paired_ratio(&times[index], &times[0])),
                short(median(processor[index].clone())),
            ]);
        }
    }
    table.print();
    Ok(())
}

/// Median microseconds and mean processor microseconds of one commit.
fn commit_for(directory: &Path, layout: Layout, bytes: usize, slice: Duration) -> io::Result<(f64, f64)> {
    let path = directory.join("layout");
    let file = match layout {
        Layout::Prewritten => journal::open_direct(&journal::path(directory))?,
        Layout::Fallocated | Layout::Extending => {
            let file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .custom_flags(libc::O_DIRECT)
                .open(&path)?;
            if matches!(layout, Layout::Fallocated) {
                // SAFETY: a plain system call on an open descriptor.
                let result = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, JOURNAL_BYTES as i64) };
                if result != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            file
        }
    };
    let mut buffer = AlignedBytes::new(bytes);
    let mut times = Vec::new();
    let (begin, cpu_before) = (Instant::now(), host::thread_cpu());
    let mut position = 0;
    while begin.elapsed() < slice && position + bytes as u64 <= JOURNAL_BYTES {
        let started = Instant::now();
        file.write_all_at(buffer.bytes_mut(), position)?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
        position += bytes as u64;
    }
    let cpu = (host::thread_cpu() - cpu_before).as_secs_f64() * 1e6 / times.len() as f64;
    let _ = std::fs::remove_file(path);
    Ok((median(times), cpu))
}

/// Making 100 written segment files durable: one fdatasync each, or one syncfs for all.
pub fn sync_many(directory: &Path, rounds: usize) -> io::Result<()> {
    host::pin(host::SERVER_CORE)?;
    let folder = directory.join("segments");
    std::fs::create_dir_all(&folder)?;
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); 3];
    let mut processor: Vec<Vec<f64>> = vec![Vec::new(); 3];
    for round in 0..rounds * 3 {
        let method = round % 3;
        let files = write_segments(&folder)?;
        let (begin, before) = (Instant::now(), host::thread_cpu());
        match method {
            0 => files.iter().try_for_each(File::sync_data)?,
            1 => sync_files_by_ring(&files)?,
            // SAFETY: a plain system call on an open descriptor.
            _ => match unsafe { libc::syncfs(files[0].as_raw_fd()) } {
                0 => {}
                _ => return Err(io::Error::last_os_error()),
            },
        }
        times[method].push(begin.elapsed().as_secs_f64() * 1e3);
        processor[method].push((host::thread_cpu() - before).as_secs_f64() * 1e3);
    }
    std::fs::remove_dir_all(&folder)?;
    let names = ["fdatasync, one after the other", "fdatasync, all at once through a ring", "one syncfs"];
    let mut table =
        Table::new(&["100 files, 256 KiB written to each", "median ms", "ratio", "CPU ms of the caller"]);
    for (index, name) in names.iter().enumerate() {
        table.row([
            (*name).into(),
            short(median(times[index].clone())),
            short(paired_ratio(&times[index], &times[0])),
            short(median(processor[index].clone())),
        ]);
    }
    table.print();
    Ok(())
}

/// New fallocated files with one direct write each, as a segment gets between two syncs.
fn write_segments(folder: &Path) -> io::Result<Vec<File>> {
    let mut buffer = AlignedBytes::new(FILE_BYTES);
    let mut files = Vec::new();
    for index in 0..FILES {
        let path = folder.join(format!("{index}.log"));
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(true).write(true).custom_flags(libc::O_DIRECT).open(path)?;
        // SAFETY: a plain system call on an open descriptor.
        unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, 0, 4 * FILE_BYTES as i64) };
        file.write_all_at(buffer.bytes_mut(), 0)?;
        files.push(file);
    }
    Ok(files)
}

fn sync_files_by_ring(files: &[File]) -> io::Result<()> {
    let mut ring = IoUring::new(FILES.next_power_of_two() as u32)?;
    for file in files {
        let entry =
            opcode::Fsync::new(Fd(file.as_raw_fd())).flags(io_uring::types::FsyncFlags::DATASYNC).build();
        // SAFETY: a sync points at no memory; the files outlive the wait below.
        unsafe { ring.submission().push(&entry) }.map_err(io::Error::other)?;
    }
    ring.submit_and_wait(files.len())?;
    let failed = ring.completion().find(|completion| completion.result() < 0);
    failed.map_or(Ok(()), |completion| Err(io::Error::from_raw_os_error(-completion.result())))
}

/// 1 MiB x 4 direct writes into the prewritten journal: own arena of huge or small pages, and glommio's DMA buffers.
pub fn buffers(directory: &Path, rounds: usize, slice: Duration) -> io::Result<()> {
    journal::prewrite(directory)?;
    let names = [
        "own arena, huge pages, private ring",
        "own arena, 4 KiB pages, private ring",
        "glommio write_rc_at, buffers used again",
        "glommio write_at, a buffer per write",
    ];
    let mut rates = vec![Vec::new(); names.len()];
    let mut costs = vec![Vec::new(); names.len()];
    for round in 0..rounds * names.len() {
        let method = round % names.len();
        let (begin, before) = (Instant::now(), host::cpu_of(std::process::id())?);
        let bytes = match method {
            0 | 1 => write_by_ring(directory, method == 0, slice)?,
            _ => write_by_glommio(directory, method == 2, slice)?,
        };
        let cpu = host::cpu_of(std::process::id())? - before;
        rates[method].push(bytes as f64 / begin.elapsed().as_secs_f64() / 1e9);
        costs[method].push(cpu.as_secs_f64() / (bytes as f64 / 1e9));
    }
    let mut table =
        Table::new(&["1 MiB x 4 in flight, prewritten", "GB/s", "ratio", "CPU-s/GB, set-up included"]);
    for (index, name) in names.iter().enumerate() {
        table.row([
            (*name).into(),
            short(median(rates[index].clone())),
            short(paired_ratio(&rates[index], &rates[0])),
            short(median(costs[index].clone())),
        ]);
    }
    table.print();
    Ok(())
}

fn write_by_ring(directory: &Path, huge: bool, slice: Duration) -> io::Result<u64> {
    host::pin(host::SERVER_CORE)?;
    let file = journal::open_direct(&journal::path(directory))?;
    let arena = Arena::new(WRITE_BYTES, WRITES_IN_FLIGHT, huge)?;
    let slots: Vec<_> = (0..WRITES_IN_FLIGHT).filter_map(|_| arena.take()).collect();
    let mut ring: IoUring = IoUring::builder().setup_coop_taskrun().build(16)?;
    let (begin, mut position, mut bytes) = (Instant::now(), 0, 0);
    let mut idle: Vec<usize> = (0..WRITES_IN_FLIGHT).collect();
    while begin.elapsed() < slice || idle.len() < WRITES_IN_FLIGHT {
        while begin.elapsed() < slice {
            let Some(slot) = idle.pop() else { break };
            let write = opcode::Write::new(Fd(file.as_raw_fd()), slots[slot].as_ptr(), WRITE_BYTES as u32);
            // SAFETY: the slot is written from until its completion puts it back among the idle ones.
            unsafe { ring.submission().push(&write.offset(position).build().user_data(slot as u64)) }
                .map_err(io::Error::other)?;
            position = (position + WRITE_BYTES as u64) % JOURNAL_BYTES;
        }
        ring.submit_and_wait(1)?;
        for completion in ring.completion() {
            if completion.result() != WRITE_BYTES as i32 {
                return Err(io::Error::other("a direct write was short or failed"));
            }
            bytes += WRITE_BYTES as u64;
            idle.push(completion.user_data() as usize);
        }
    }
    Ok(bytes)
}

fn write_by_glommio(directory: &Path, used_again: bool, slice: Duration) -> io::Result<u64> {
    let path = journal::path(directory);
    let (sender, receiver) = std::sync::mpsc::channel();
    run_pinned(move || async move {
        let opened = glommio::io::OpenOptions::new().read(true).write(true).dma_open(path).await;
        let file = Rc::new(opened.map_err(|error| io::Error::other(error.to_string()))?);
        let state = Rc::new(RefCell::new((0u64, 0u64)));
        let begin = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..WRITES_IN_FLIGHT {
            let (file, state) = (file.clone(), state.clone());
            tasks.push(glommio::spawn_local(async move {
                let kept = Rc::new(file.alloc_dma_buffer(WRITE_BYTES));
                while begin.elapsed() < slice {
                    let position = state.borrow().0;
                    state.borrow_mut().0 = (position + WRITE_BYTES as u64) % JOURNAL_BYTES;
                    let written = match used_again {
                        true => file.write_rc_at(kept.clone(), position).await,
                        false => file.write_at(file.alloc_dma_buffer(WRITE_BYTES), position).await,
                    };
                    state.borrow_mut().1 += written.expect("a direct write failed") as u64;
                }
            }));
        }
        for task in tasks {
            task.await;
        }
        let bytes = state.borrow().1;
        sender.send(bytes).map_err(io::Error::other)
    })?;
    receiver.recv().map_err(io::Error::other)
}
