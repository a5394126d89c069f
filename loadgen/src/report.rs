//! A run's figures as data: what `--json` writes, what tables, pairs and comparisons read.
//!
//! Decides names and units. Times are nanoseconds, sizes bytes, unless a name says otherwise. A field that was not measured is None.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::workload::Workload;

/// Raised when a field changes its meaning; older files are then refused with a sentence.
pub const REPORT_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub report_version: u32,
    pub penstock_version: String,
    pub bootstrap: String,
    pub started_unix_ms: u64,
    pub workload: Workload,
    pub machine: MachineFacts,
    /// The measured part: after the warm-up, until the end of the schedule.
    pub seconds: f64,
    /// Somebody has stopped the run: `seconds` is less than the workload's duration.
    #[serde(default)]
    pub stopped_early: bool,
    pub produced: Produced,
    pub consumed: Option<Consumed>,
    pub latencies: Latencies,
    pub generator: Generator,
    pub broker: Option<BrokerProcess>,
    pub verification: Verification,
    /// A line for each second, warm-up included.
    pub timeline: Vec<Second>,
    /// Why the figures say nothing about the broker; empty: they do.
    pub invalid_because: Vec<String>,
}

/// Of the measured part, acknowledged unless said otherwise. With acks=0: written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Produced {
    pub records: u64,
    pub batches: u64,
    pub requests: u64,
    /// Of record batches, as on the wire.
    pub bytes: u64,
    /// What the schedule asked for; equal to `records` with `--rate max`.
    pub records_due: u64,
    /// By the name of Kafka's error code, or `DISCONNECTED`; batches, of the whole run.
    pub errors: BTreeMap<String, u64>,
    /// Of the whole run.
    pub disconnects: u64,
    /// For each time that all connections were gone: from the first loss to the next acknowledgement.
    pub outages_ns: Vec<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Consumed {
    pub records: u64,
    pub batches: u64,
    pub bytes: u64,
    pub fetches: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    pub response: Summary,
    pub service: Summary,
    pub delay: Summary,
    /// Response by record: the same as by batch unless there is a linger or batches differ in size.
    pub response_by_record: Summary,
    pub end_to_end: Option<Summary>,
    /// p99 of the response of the connection with the median and with the highest p99.
    pub connection_p99_median_ns: u64,
    pub connection_p99_max_ns: u64,
}

/// One merged histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub samples: u64,
    pub mean_ns: f64,
    pub min_ns: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub p9999_ns: u64,
    pub max_ns: u64,
    /// HdrHistogram V2, compressed, base64: the standard tools read it.
    pub histogram: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    pub threads: u32,
    /// Of the generator's own threads, measured part.
    pub cpu_seconds: f64,
    pub cpu_seconds_per_gigabyte: f64,
    pub cpu_seconds_per_million_records: f64,
    /// The p99 of delay is over 10 % of that of response.
    pub limited: bool,
    pub ledger_bytes_max: u64,
}

/// Of the broker's process and machine, measured part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BrokerProcess {
    pub pid: u32,
    pub cpu_seconds: f64,
    pub cpu_seconds_per_gigabyte: f64,
    pub cpu_seconds_per_million_records: f64,
    pub resident_bytes: u64,
    pub resident_bytes_max: u64,
    pub context_switches_voluntary: u64,
    pub context_switches_involuntary: u64,
    /// Of the block device under the broker's files, whoever caused it; None where it cannot be told.
    pub device: Option<DeviceFigures>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceFigures {
    pub name: String,
    /// As the kernel sees it: `write back` needs a flush for every sync, `write through` does not. Empty: not told.
    pub write_cache: String,
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub flushes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineFacts {
    pub kernel: String,
    pub cpu_model: String,
    pub cpus: u32,
    pub memory_bytes: u64,
    /// Share of the measured time that the hypervisor took, in percent.
    pub steal_percent: f64,
    /// Share of the measured time that all cores together were idle, in percent.
    pub idle_percent: f64,
    /// The broker is on this machine: loopback, shared cores.
    pub loopback: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Somebody switched it off.
    pub off: bool,
    /// The broker was restarted before everything was read.
    pub restarted: bool,
    pub acknowledged: u64,
    pub verified: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub corrupted: u64,
    pub refused_but_present: u64,
    pub gaps: u64,
    pub indeterminate_present: u64,
    pub indeterminate_absent: u64,
    pub foreign: u64,
    /// The first few errors in words: topic-partition, offset, what was expected, what was found.
    pub examples: Vec<String>,
}

impl Verification {
    /// Nothing that was acknowledged is missing, twice there, out of order or changed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.reordered + self.corrupted + self.refused_but_present + self.gaps
            == 0
    }
}

/// What the live line shows. Counts are of this second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Since the start of the schedule; the warm-up has the first ones.
    pub second: u32,
    pub warm_up: bool,
    pub records: u64,
    pub bytes: u64,
    pub consumed_records: u64,
    pub errors: u64,
    pub response_p50_ns: u64,
    pub response_p99_ns: u64,
    pub response_p999_ns: u64,
    pub response_max_ns: u64,
    /// Batches that are due and have not been written.
    pub backlog_batches: u64,
    /// Records acknowledged and not yet read by the slowest group; None where nobody reads.
    pub lag_records: Option<u64>,
    pub connected: u32,
}
