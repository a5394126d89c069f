//! The machine: pinning, processor time, steal, and the facts that belong beside every figure.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

pub const CLIENT_CORE: usize = 0;
pub const SERVER_CORE: usize = 1;

/// Pins the calling thread, and the threads it will start, to one core.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: a zeroed cpu_set_t is an empty set, and CPU_SET stays inside it for the two cores used here.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to.
    let result = unsafe { libc::clock_gettime(id, &mut time) };
    assert_eq!(result, 0, "the clock was checked when its id was taken");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// All processor time of a process in nanoseconds: its threads, those that ended, and its kernel I/O workers.
pub fn cpu_of(pid: u32) -> io::Result<Duration> {
    let mut id: libc::clockid_t = 0;
    // SAFETY: `id` is valid to write to.
    let result = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &mut id) };
    if result == 0 { Ok(clock(id)) } else { Err(io::Error::from_raw_os_error(result)) }
}

pub fn thread_cpu() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// What others took of the processors while a measurement ran.
pub struct StealMeter {
    before: (u64, u64, u64),
}

impl StealMeter {
    pub fn start() -> StealMeter {
        StealMeter { before: ticks() }
    }

    pub fn sentence(&self) -> String {
        let (stolen, idle, all) = ticks();
        let all = (all - self.before.2).max(1) as f64 / 100.0;
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        format!(
            "During the run: {:.1} % of the processor time stolen by the host, {:.1} % idle, load {}.",
            (stolen - self.before.0) as f64 / all,
            (idle - self.before.1) as f64 / all,
            load.split_whitespace().next().unwrap_or_default()
        )
    }
}

/// Ticks of (stolen, idle, all) processor time since boot, over all cores.
fn ticks() -> (u64, u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = first.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let field = |index: usize| ticks.get(index).copied().unwrap_or(0);
    (field(7), field(3), ticks.iter().take(8).sum())
}

/// One line per fact, as the rows of a table.
pub fn facts(directory: &Path) -> Vec<(String, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let memory = read("/proc/meminfo").lines().next().unwrap_or_default().replace("MemTotal:", "");
    vec![
        ("kernel".into(), read("/proc/sys/kernel/osrelease").trim().into()),
        ("processor".into(), model.trim_start_matches([' ', '\t', ':']).into()),
        ("cores".into(), format!("{cores}, client on {CLIENT_CORE}, server on {SERVER_CORE}")),
        ("memory".into(), memory.trim().into()),
        ("file system".into(), mount_of(directory)),
        ("write cache of the disks".into(), write_caches()),
    ]
}

fn mount_of(directory: &Path) -> String {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_path_buf());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let holding = fields.filter(|fields| fields.len() > 3 && directory.starts_with(fields[1]));
    holding.max_by_key(|fields| fields[1].len()).map_or("unknown".into(), |fields| fields[2..4].join(" "))
}

fn write_caches() -> String {
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mode = fs::read_to_string(entry.path().join("queue/write_cache")).unwrap_or_default();
        if !name.starts_with("loop") && !name.starts_with("ram") {
            found.push(format!("{name} {}", mode.trim()));
        }
    }
    found.join(", ")
}
