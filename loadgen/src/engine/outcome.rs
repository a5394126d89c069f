//! What a run has measured, put together into its report.
//!
//! Decides when figures say nothing about the broker.

use super::worker::Left;
use crate::error::LoadError;
use crate::process::per;
use crate::recorder::{Merged, merged, summary};
use crate::report::{
    BrokerProcess, Generator, Latencies, MachineFacts, REPORT_VERSION, RunReport, Second, Verification,
};
use crate::workload::{Acks, Options, Rate, Workload};

/// Share of the records that were due which must be acknowledged in the measured part.
const RATE_REACHED_MIN: f64 = 0.99;
/// The generator's own delay at p99 may be this share of the response's.
const DELAY_SHARE_MAX: f64 = 0.1;

#[derive(Default)]
pub struct Outcome {
    /// Of the measured part.
    pub seconds: f64,
    pub stopped_early: bool,
    pub loopback: bool,
    pub machine: MachineFacts,
    /// Without its shares of what was served, which are not known yet.
    pub broker: Option<BrokerProcess>,
    pub timeline: Vec<Second>,
    pub ledger_bytes_max: u64,
    merged: Option<Merged>,
    threads: u32,
    cpu_seconds: f64,
}

impl Outcome {
    pub fn take(&mut self, left: Vec<Left>, outages_ns: Vec<u64>) {
        self.threads = left.len() as u32;
        self.cpu_seconds = left.iter().map(|left| left.cpu_seconds).sum();
        let recorders: Vec<_> = left.into_iter().map(|left| left.recorder).collect();
        let mut merged = merged(&recorders);
        merged.produced.outages_ns = outages_ns;
        self.merged = Some(merged);
    }

    pub fn acknowledged_batches(&self) -> u64 {
        self.merged.as_ref().map_or(0, |merged| merged.acknowledged_batches)
    }

    pub fn errors_in_words(&self) -> String {
        let errors = self.merged.iter().flat_map(|merged| &merged.produced.errors);
        let words: Vec<String> = errors.map(|(name, count)| format!("{count} x {name}")).collect();
        if words.is_empty() { "the broker answered nothing".to_owned() } else { words.join(", ") }
    }

    pub fn report(
        self,
        workload: &Workload,
        options: &Options,
        started_unix_ms: u64,
        verification: Verification,
    ) -> Result<RunReport, LoadError> {
        let Some(mut merged) = self.merged else {
            return Err(LoadError::failed("the run has measured nothing", "this is a defect"));
        };
        if workload.rate == Rate::Max {
            merged.produced.records_due = merged.produced.records;
        }
        let reads = workload.consumers > 0 && workload.groups > 0;
        let served_bytes = merged.produced.bytes + merged.consumed.bytes;
        let served_records = merged.produced.records + merged.consumed.records;
        let latencies = latencies(&merged, reads);
        // Nothing is waited for with acks=0: its response is the delay.
        let limited = workload.rate != Rate::Max
            && workload.acks != Acks::None
            && latencies.delay.p99_ns as f64 > DELAY_SHARE_MAX * latencies.response.p99_ns as f64;
        let generator = Generator {
            threads: self.threads,
            cpu_seconds: self.cpu_seconds,
            cpu_seconds_per_gigabyte: per(self.cpu_seconds, served_bytes, 1e9),
            cpu_seconds_per_million_records: per(self.cpu_seconds, served_records, 1e6),
            limited,
            ledger_bytes_max: self.ledger_bytes_max,
        };
        let broker = self.broker.map(|broker| BrokerProcess {
            cpu_seconds_per_gigabyte: per(broker.cpu_seconds, served_bytes, 1e9),
            cpu_seconds_per_million_records: per(broker.cpu_seconds, served_records, 1e6),
            ..broker
        });
        let mut invalid_because = invalid_because(workload, &merged, &latencies, limited);
        if self.stopped_early && self.seconds == 0.0 {
            invalid_because.push("stopped in the warm-up: nothing was measured".to_owned());
        }
        Ok(RunReport {
            report_version: REPORT_VERSION,
            penstock_version: env!("CARGO_PKG_VERSION").to_owned(),
            bootstrap: options.bootstrap.clone(),
            started_unix_ms,
            workload: workload.clone(),
            machine: MachineFacts { loopback: self.loopback, ..self.machine },
            seconds: self.seconds,
            stopped_early: self.stopped_early,
            produced: merged.produced,
            consumed: reads.then_some(merged.consumed),
            latencies,
            generator,
            broker,
            verification,
            timeline: self.timeline,
            invalid_because,
        })
    }
}

fn latencies(merged: &Merged, reads: bool) -> Latencies {
    let p99 = &merged.connection_p99;
    Latencies {
        response: summary(&merged.response),
        service: summary(&merged.service),
        delay: summary(&merged.delay),
        response_by_record: summary(&merged.by_record),
        end_to_end: reads.then(|| summary(&merged.end_to_end)),
        connection_p99_median_ns: p99.get(p99.len() / 2).copied().unwrap_or(0),
        connection_p99_max_ns: p99.last().copied().unwrap_or(0),
    }
}

fn invalid_because(
    workload: &Workload,
    merged: &Merged,
    latencies: &Latencies,
    limited: bool,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if limited {
        reasons.push(format!(
            "generator-limited: the p99 of its own delay is {} us, over 10 % of the response's {} us",
            latencies.delay.p99_ns / 1_000,
            latencies.response.p99_ns / 1_000
        ));
    }
    let (done, due) = (merged.produced.records, merged.produced.records_due);
    if workload.rate != Rate::Max && (done as f64) < due as f64 * RATE_REACHED_MIN {
        let verb = if workload.acks == Acks::None { "written" } else { "acknowledged" };
        reasons.push(format!("rate not reached: {done} of {due} records that were due were {verb} in time"));
    }
    reasons
}
