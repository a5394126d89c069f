//! What the kernel says of the broker's process: processor time, memory, context switches, and the disk under its files.
//!
//! Decides which figures are the broker's. Processor time is that of all its threads, ended ones and io workers included. The
//! disk's figures are everybody's: write-back and other programs count too. Does not decide when a measured part begins.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "reads /proc and /sys")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::LoadError;
use crate::report::{BrokerProcess, DeviceFigures};

const SECTOR_BYTES: u64 = 512;
const GIGABYTE: f64 = 1e9;
const MILLION: f64 = 1e6;

/// Runs from `start` until `end`, which may be asked more than once.
#[derive(Clone, Debug)]
pub struct ProcessMeter {
    pid: u32,
    cpu_seconds: f64,
    switches: BTreeMap<u32, Switches>,
    device: Option<(Device, DeviceCounts)>,
}

impl ProcessMeter {
    pub fn start(pid: u32) -> Result<ProcessMeter, LoadError> {
        let cpu_seconds = cpu_seconds(pid).ok_or_else(|| {
            LoadError::failed(
                format!("there is no process {pid} whose processor time can be read"),
                "name the broker's process id with --broker-pid, or leave it out",
            )
        })?;
        let device = Device::under(pid).map(|device| {
            let counts = device.counts();
            (device, counts)
        });
        Ok(ProcessMeter { pid, cpu_seconds, switches: switches(pid), device })
    }

    /// `bytes` and `records` are those that the broker served in the meantime. None: the process is gone.
    #[must_use]
    pub fn end(&self, bytes: u64, records: u64) -> Option<BrokerProcess> {
        // A process of that number that has used less time is another process.
        let cpu_seconds = cpu_seconds(self.pid)? - self.cpu_seconds;
        if cpu_seconds < 0.0 {
            return None;
        }
        let status = text(&format!("/proc/{}/status", self.pid));
        let spent = self.switches_since_start();
        Some(BrokerProcess {
            pid: self.pid,
            cpu_seconds,
            cpu_seconds_per_gigabyte: per(cpu_seconds, bytes, GIGABYTE),
            cpu_seconds_per_million_records: per(cpu_seconds, records, MILLION),
            resident_bytes: number(&status, "VmRSS:") * 1024,
            resident_bytes_max: number(&status, "VmHWM:") * 1024,
            context_switches_voluntary: spent.voluntary,
            context_switches_involuntary: spent.involuntary,
            device: self.device.as_ref().map(|(device, at_start)| device.figures(*at_start)),
        })
    }

    /// Of the threads that live now: what an ended thread did after the start is not known.
    fn switches_since_start(&self) -> Switches {
        let mut spent = Switches::default();
        for (task, now) in switches(self.pid) {
            let before = self.switches.get(&task).copied().unwrap_or_default();
            spent.voluntary += now.voluntary.saturating_sub(before.voluntary);
            spent.involuntary += now.involuntary.saturating_sub(before.involuntary);
        }
        spent
    }
}

/// Cost for each `unit` of `count`; 0 where there was nothing.
#[must_use]
pub fn per(cpu_seconds: f64, count: u64, unit: f64) -> f64 {
    if count == 0 { 0.0 } else { cpu_seconds * unit / count as f64 }
}

/// Of all threads, living and ended, to the nanosecond. None: no such process.
#[must_use]
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let pid = libc::pid_t::try_from(pid).ok()?;
    // SAFETY: both calls write only to the value they are given, and say so by their result.
    let read = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) == 0 && libc::clock_gettime(clock, &raw mut time) == 0
    };
    read.then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Switches {
    voluntary: u64,
    involuntary: u64,
}

/// By thread.
fn switches(pid: u32) -> BTreeMap<u32, Switches> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return BTreeMap::new() };
    let of_task = |path: PathBuf| {
        let task = path.file_name()?.to_str()?.parse().ok()?;
        Some((task, parse_switches(&fs::read_to_string(path.join("status")).ok()?)))
    };
    tasks.filter_map(Result::ok).filter_map(|entry| of_task(entry.path())).collect()
}

fn parse_switches(status: &str) -> Switches {
    Switches {
        voluntary: number(status, "voluntary_ctxt_switches:"),
        involuntary: number(status, "nonvoluntary_ctxt_switches:"),
    }
}

/// The number behind a key of /proc/PID/status, whatever its unit; 0 where the key is missing.
fn number(status: &str, key: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A whole block device: flushes are not counted by partition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Device {
    name: String,
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DeviceCounts {
    read_sectors: u64,
    written_sectors: u64,
    flushes: u64,
}

impl Device {
    /// The device with the most regular files that the process has open. None where that is no single block device: tmpfs, overlay,
    /// btrfs, or a process whose files we may not see.
    fn under(pid: u32) -> Option<Device> {
        let mut files: BTreeMap<u64, usize> = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.filter_map(Result::ok) {
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if metadata.is_file() {
                *files.entry(metadata.dev()).or_default() += 1;
            }
        }
        let (device, _) = files.into_iter().max_by_key(|(_, count)| *count)?;
        Device::of_number(libc::major(device), libc::minor(device))
    }

    fn of_number(major: u32, minor: u32) -> Option<Device> {
        let folder = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        let whole = if folder.join("partition").exists() { folder.parent()?.to_owned() } else { folder };
        let name = whole.file_name()?.to_str()?.to_owned();
        Some(Device { name, folder: whole })
    }

    fn counts(&self) -> DeviceCounts {
        parse_device(&read(&self.folder.join("stat")))
    }

    fn figures(&self, at_start: DeviceCounts) -> DeviceFigures {
        let now = self.counts();
        DeviceFigures {
            name: self.name.clone(),
            write_cache: read(&self.folder.join("queue/write_cache")).trim().to_owned(),
            read_bytes: now.read_sectors.saturating_sub(at_start.read_sectors) * SECTOR_BYTES,
            written_bytes: now.written_sectors.saturating_sub(at_start.written_sectors) * SECTOR_BYTES,
            flushes: now.flushes.saturating_sub(at_start.flushes),
        }
    }
}

/// Shape:  reads merged SECTORS ms | writes merged SECTORS ms | in_flight ms ms | discards merged sectors ms | FLUSHES ms
fn parse_device(stat: &str) -> DeviceCounts {
    let fields: Vec<u64> = stat.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let field = |index: usize| fields.get(index).copied().unwrap_or(0);
    DeviceCounts { read_sectors: field(2), written_sectors: field(6), flushes: field(15) }
}

fn text(path: &str) -> String {
    read(Path::new(path))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_the_kernels_texts() {
        let status = "VmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(number(status, "VmRSS:"), 1024);
        assert_eq!(number(status, "VmSwap:"), 0);
        assert_eq!(parse_switches(status), Switches { voluntary: 7, involuntary: 3 });
        let stat = "  1 2 30 4 5 6 70 8 9 10 11 12 13 14 15 160 17\n";
        let counts = DeviceCounts { read_sectors: 30, written_sectors: 70, flushes: 160 };
        assert_eq!(parse_device(stat), counts);
        assert_eq!(parse_device("1 2 3").flushes, 0);
    }

    #[test]
    fn a_cost_of_nothing_is_nothing() {
        assert_eq!(per(2.0, 4_000_000_000, GIGABYTE), 0.5);
        assert_eq!(per(2.0, 0, MILLION), 0.0);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let meter = ProcessMeter::start(std::process::id()).unwrap();
        let process = meter.end(0, 0).unwrap();
        assert!(process.cpu_seconds >= 0.0 && process.resident_bytes > 0);
        assert!(process.resident_bytes_max >= process.resident_bytes);
        assert_eq!(process.cpu_seconds_per_gigabyte, 0.0);
    }

    #[test]
    fn a_process_that_is_not_there_is_said_so() {
        let error = ProcessMeter::start(u32::MAX).unwrap_err();
        assert!(error.to_string().contains("--broker-pid"), "{error}");
    }
}
