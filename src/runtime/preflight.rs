//! What must hold before the broker starts: each failure names its cause and its fix.
//!
//! Decides nothing that the broker does later. Raises what it may raise itself (open files).

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::sched_getaffinity;

use crate::limits::RESERVE_BYTES;

use super::files::is_full_disk;

/// Enough for 10,000 connections and as many segments.
const OPEN_FILES_WANTED: u64 = 1_048_576;

/// A broker that was killed holds its lock until the kernel has taken its memory back: its successor waits this long for it.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// Held by the broker that runs in a directory.
pub const LOCK: &str = "lock";

/// Why the broker does not start.
#[derive(Debug)]
pub struct StartError {
    pub problem: String,
    pub fix: String,
}

impl StartError {
    pub fn new(problem: impl Into<String>, fix: impl Into<String>) -> StartError {
        StartError { problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n  fix: {}", self.fix) }
    }
}

impl std::error::Error for StartError {}

/// The exclusive use of a data directory, for as long as this value lives.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Creates the data directory if it is not there, and takes it for this process.
pub fn lock(data_dir: &Path) -> Result<DirLock, StartError> {
    let shown = data_dir.display();
    fs::create_dir_all(data_dir).map_err(|error| {
        StartError::new(
            format!("cannot create the data directory {shown}: {error}"),
            "choose another with --data-dir, or give this user the right to create it",
        )
    })?;
    let path = data_dir.join(LOCK);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(
        |error| {
            StartError::new(
                format!("cannot open {}: {error}", path.display()),
                "give this user the right to write there",
            )
        },
    )?;
    let mut result = flock(&file, FlockOperation::NonBlockingLockExclusive);
    for _ in 0..LOCK_TRIES {
        if result != Err(rustix::io::Errno::WOULDBLOCK) {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        result = flock(&file, FlockOperation::NonBlockingLockExclusive);
    }
    match result {
        Ok(()) => Ok(DirLock { _file: file }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StartError::new(
            format!("another broker runs in {shown}: it holds {}", path.display()),
            "stop that broker, or choose another directory with --data-dir",
        )),
        Err(error) => Err(StartError::new(
            format!("cannot lock {}: {error}", path.display()),
            "use a local file system for the data directory",
        )),
    }
}

/// Raises the limits, then checks all that does not depend on the directory.
pub fn check_process() -> Result<(), StartError> {
    raise(Resource::Nofile, OPEN_FILES_WANTED);
    check_io_uring()
}

/// As far as the hard limit allows; a privileged process moves that too.
fn raise(resource: Resource, wanted: u64) {
    let limit = getrlimit(resource);
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return;
    }
    let all = Rlimit { current: Some(wanted), maximum: Some(wanted) };
    if limit.maximum.is_some_and(|maximum| maximum < wanted) && setrlimit(resource, all).is_ok() {
        return;
    }
    let upto = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    // What cannot be raised stays as it is; running out of descriptors later is survived.
    let _ = setrlimit(resource, Rlimit { current: Some(upto), maximum: limit.maximum });
}

fn check_io_uring() -> Result<(), StartError> {
    // SAFETY: without parameters the kernel refuses with EFAULT before it does anything; the errno tells whether it got so far.
    let result = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, std::ptr::null_mut::<libc::c_void>()) };
    debug_assert!(result < 0, "a ring needs parameters");
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EPERM) if disabled.trim() != "0" && !disabled.is_empty() => Err(StartError::new(
            format!("io_uring is switched off: kernel.io_uring_disabled is {}", disabled.trim()),
            "as root: sysctl -w kernel.io_uring_disabled=0",
        )),
        Some(libc::EPERM) => Err(StartError::new(
            "io_uring is not permitted here, most likely by a container's seccomp profile",
            "run the container with --security-opt seccomp=unconfined, or with a profile that allows the io_uring_* calls",
        )),
        Some(libc::ENOSYS) => Err(StartError::new(
            "this kernel has no io_uring, or a sandbox hides it",
            "use Linux 5.19 or newer, and a container runtime that passes io_uring through",
        )),
        _ => Ok(()),
    }
}

/// Every start is recorded in the metadata log, and for that there is no room; nor was there a reserve to give up.
pub fn no_room_for_metadata(data_dir: &Path, free_bytes: u64) -> StartError {
    StartError::new(
        format!(
            "the disk of {} is too full for the metadata log: {free_bytes} bytes are free",
            data_dir.display()
        ),
        format!(
            "free {RESERVE_BYTES} bytes there, or make the file system larger, and start again; nothing is lost"
        ),
    )
}

/// Recovery writes what the journals hold into segments, and for that there is no room.
pub fn no_room_for_recovery(data_dir: &Path, free_bytes: u64, journal_bytes: u64) -> StartError {
    let shown = data_dir.display();
    StartError::new(
        format!(
            "the disk of {shown} is too full for recovery: {free_bytes} bytes are free, and what the journals hold may need up to \
             {journal_bytes}"
        ),
        format!(
            "free {} more bytes there, or make the file system larger, and start again; nothing is lost. The journals themselves \
             ({shown}/journal) must stay",
            journal_bytes.saturating_sub(free_bytes)
        ),
    )
}

/// Direct I/O works here. Little room is no reason not to start: a broker that runs is what topics can be deleted with.
pub fn check_data_dir(data_dir: &Path) -> Result<(), StartError> {
    let path = data_dir.join(".direct-io-test");
    let result = try_direct_io(&path);
    let _ = fs::remove_file(&path);
    if let Err(error) = &result
        && is_full_disk(error)
    {
        tracing::warn!(data_dir = %data_dir.display(), "the disk is full");
        return Ok(());
    }
    result.map_err(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => StartError::new(
            format!("the file system of {} has no direct I/O", data_dir.display()),
            "use ext4 or XFS on a local disk; tmpfs, overlay and network file systems may lack it",
        ),
        _ => StartError::new(
            format!("cannot write to {}: {error}", data_dir.display()),
            "give this user the right to write there",
        ),
    })
}

fn try_direct_io(path: &Path) -> io::Result<()> {
    let flags = i32::try_from(OFlags::DIRECT.bits()).expect("an open flag");
    let file = OpenOptions::new().write(true).create(true).truncate(true).custom_flags(flags).open(path)?;
    let memory = vec![0_u8; 8192];
    let start = memory.as_ptr().align_offset(4096);
    file.write_all_at(&memory[start..start + 4096], 0)
}

/// The CPUs that this process may use, in order.
pub fn allowed_cpus() -> Result<Vec<usize>, StartError> {
    let set = sched_getaffinity(None).map_err(|error| {
        StartError::new(format!("cannot find out which CPUs are allowed: {error}"), "use --no-pin")
    })?;
    Ok((0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// `--cpus` against what is allowed.
pub fn check_cpus(wanted: &[usize]) -> Result<(), StartError> {
    let allowed = allowed_cpus()?;
    match wanted.iter().find(|cpu| !allowed.contains(cpu)) {
        None => Ok(()),
        Some(cpu) => Err(StartError::new(
            format!("--cpus names CPU {cpu}, which this process may not use; allowed: {}", ranges(&allowed)),
            "choose among the allowed CPUs, or change the process's CPU set (taskset, cpuset, docker --cpuset-cpus)",
        )),
    }
}

/// `0-2,5`.
#[must_use]
pub fn ranges(cpus: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for cpu in cpus {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *cpu => *last = *cpu,
            _ => parts.push((*cpu, *cpu)),
        }
    }
    let text = parts.iter().map(
        |(first, last)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        },
    );
    text.collect::<Vec<_>>().join(",")
}

/// `0,2-5` to a list; duplicates go.
pub fn parse_cpus(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("{text:?} is not a list of CPUs such as 0,2-5");
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().map_err(|_| wrong())?;
        let last: usize = last.trim().parse().map_err(|_| wrong())?;
        if first > last || last >= rustix::thread::CpuSet::MAX_CPU {
            return Err(wrong());
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Ok(cpus)
}

/// Why a listener cannot be bound.
#[must_use]
pub fn bind_error(name: &str, address: SocketAddr, error: &io::Error) -> StartError {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => StartError::new(
            format!("listener {name}: port {} is taken by another process ({address})", address.port()),
            format!(
                "find it with `ss -ltnp sport = :{}`, or choose another port with --listen",
                address.port()
            ),
        ),
        Some(libc::EADDRNOTAVAIL) => StartError::new(
            format!("listener {name}: {} is not an address of this host", address.ip()),
            "listen on an address of this host (0.0.0.0 and [::] are all of them), and advertise others with --advertise",
        ),
        Some(libc::EACCES) => StartError::new(
            format!("listener {name}: port {} is for privileged processes", address.port()),
            "choose a port from 1024 on",
        ),
        _ => StartError::new(format!("listener {name}: cannot listen on {address}: {error}"), String::new()),
    }
}

/// Where `penstock dev` keeps its data when nobody says: this user's data directory, or the current one.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    let of_user = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    of_user.map_or_else(|| PathBuf::from("penstock-data"), |path| path.join("penstock"))
}
