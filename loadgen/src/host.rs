//! What the machine says of itself: kernel, processor, memory, and how much of its time was idle or taken away.
//!
//! Decides which files of /proc are believed. Nothing here fails: what cannot be read is empty or 0.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "reads /proc")]

use std::fs;

use crate::report::MachineFacts;

/// Runs from `start` until `end`, which may be asked more than once.
#[derive(Clone, Debug)]
pub struct HostMeter {
    at_start: CpuTimes,
}

impl HostMeter {
    #[must_use]
    pub fn start() -> HostMeter {
        HostMeter { at_start: CpuTimes::now() }
    }

    /// `loopback`: the broker is on this machine.
    #[must_use]
    pub fn end(&self, loopback: bool) -> MachineFacts {
        let spent = CpuTimes::now().since(self.at_start);
        MachineFacts {
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu_model: cpu_model(&text("/proc/cpuinfo")),
            cpus: cpu_count(&text("/proc/stat")),
            memory_bytes: memory_bytes(&text("/proc/meminfo")),
            steal_percent: percent(spent.steal, spent.total),
            idle_percent: percent(spent.idle, spent.total),
            loopback,
        }
    }
}

/// Of all cores together, since boot.
///
/// Units: the kernel's ticks, whose length does not matter: only shares are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CpuTimes {
    total: u64,
    idle: u64,
    steal: u64,
}

impl CpuTimes {
    fn now() -> CpuTimes {
        CpuTimes::parse(&text("/proc/stat"))
    }

    /// Shape:  cpu  user nice system idle iowait irq softirq steal guest guest_nice
    ///
    /// Guests are counted in user and nice already. Waiting for a disk is idleness of the core.
    fn parse(stat: &str) -> CpuTimes {
        let Some(line) = stat.lines().find(|line| line.starts_with("cpu ")) else {
            return CpuTimes::default();
        };
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).map(|field| field.parse().unwrap_or(0)).collect();
        let tick = |index: usize| ticks.get(index).copied().unwrap_or(0);
        CpuTimes { total: ticks.iter().sum(), idle: tick(3) + tick(4), steal: tick(7) }
    }

    /// The kernel lets idle and iowait run backwards now and then.
    fn since(self, earlier: CpuTimes) -> CpuTimes {
        CpuTimes {
            total: self.total.saturating_sub(earlier.total),
            idle: self.idle.saturating_sub(earlier.idle),
            steal: self.steal.saturating_sub(earlier.steal),
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// x86 says `model name`; other processors say little, then the architecture must do.
fn cpu_model(cpuinfo: &str) -> String {
    let named =
        cpuinfo.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == "model name");
    named.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned())
}

fn cpu_count(stat: &str) -> u32 {
    let is_cpu = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
    };
    stat.lines().filter(is_cpu).count() as u32
}

fn memory_bytes(meminfo: &str) -> u64 {
    let kibibytes = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 0 50 800 20 0 10 20 5 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n";

    #[test]
    fn shares_are_of_the_time_between_start_and_end() {
        let earlier = CpuTimes::parse(STAT);
        assert_eq!(earlier, CpuTimes { total: 1000, idle: 820, steal: 20 });
        let later = CpuTimes::parse("cpu  150 0 50 840 20 0 10 30 5 0");
        let spent = later.since(earlier);
        assert_eq!((spent.total, spent.idle, spent.steal), (100, 40, 10));
        assert_eq!((percent(spent.steal, spent.total), percent(spent.idle, spent.total)), (10.0, 40.0));
        assert_eq!(percent(0, 0), 0.0);
        assert_eq!(earlier.since(later).total, 0);
    }

    #[test]
    fn facts_are_found_in_the_kernels_texts() {
        assert_eq!(cpu_count(STAT), 2);
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"), "Some CPU @ 2 GHz");
        assert_eq!(cpu_model("processor\t: 0\n"), std::env::consts::ARCH);
        assert_eq!(memory_bytes("MemTotal:       1000 kB\nMemFree: 5 kB\n"), 1_024_000);
        assert_eq!(memory_bytes(""), 0);
    }

    #[test]
    fn this_machine_has_a_kernel_cores_and_memory() {
        let facts = HostMeter::start().end(true);
        assert!(!facts.kernel.is_empty() && facts.cpus > 0 && facts.memory_bytes > 0 && facts.loopback);
        assert!((0.0..=100.0).contains(&facts.idle_percent) && (0.0..=100.0).contains(&facts.steal_percent));
    }
}
