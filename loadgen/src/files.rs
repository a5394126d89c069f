//! What a run leaves behind: its report as JSON, its response as an HDR percentile file.
//!
//! Decides formats, and that a file which cannot be made is known before the run, not after it.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "writes and reads reports")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use crate::error::LoadError;
use crate::report::{REPORT_VERSION, RunReport};

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;
const TICKS_PER_HALF_DISTANCE: u32 = 5;

/// A file that can be made, and does not exist under its name until it is whole. An earlier one of that name stays until then.
#[derive(Debug)]
pub struct PromisedFile {
    path: PathBuf,
    partial: PathBuf,
    file: Option<File>,
}

impl PromisedFile {
    /// `flag` is the one that named it.
    pub fn create(path: &Path, flag: &str) -> Result<PromisedFile, LoadError> {
        let refuse = |error: &dyn std::fmt::Display| {
            LoadError::failed(
                format!("{flag} {} cannot be written: {error}", path.display()),
                "name a file in a directory that is there and writable",
            )
        };
        if path.is_dir() {
            return Err(refuse(&"it is a directory"));
        }
        let mut name = path.file_name().ok_or_else(|| refuse(&"it names no file"))?.to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = File::create(&partial).map_err(|error| refuse(&error))?;
        Ok(PromisedFile { path: path.to_owned(), partial, file: Some(file) })
    }

    pub fn finish(mut self, content: &[u8]) -> Result<(), LoadError> {
        let mut file = self.file.take().expect("it is taken once, here");
        let written = file.write_all(content).and_then(|()| fs::rename(&self.partial, &self.path));
        written.map_err(|error| {
            LoadError::failed(
                format!("{} cannot be written: {error}", self.path.display()),
                "make room, and run again",
            )
        })
    }
}

impl Drop for PromisedFile {
    fn drop(&mut self) {
        // After `finish` nothing of that name is left; before it nobody wants it.
        let _ = fs::remove_file(&self.partial);
    }
}

#[must_use]
pub fn to_json(report: &RunReport) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(report).expect("a report has string keys and finite numbers");
    json.push(b'\n');
    json
}

/// Of several runs: a list.
#[must_use]
pub fn all_to_json(reports: &[&RunReport]) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(reports).expect("a report has string keys and finite numbers");
    json.push(b'\n');
    json
}

pub fn read_report(path: &Path) -> Result<RunReport, LoadError> {
    let refuse = |what: String| {
        LoadError::failed(
            format!("{}: {what}", path.display()),
            "name a file that `penstock load --json` has written",
        )
    };
    let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    parse_report(&text).map_err(refuse)
}

/// The version is looked at first: a report of another one need not have our fields.
fn parse_report(text: &str) -> Result<RunReport, String> {
    #[derive(serde::Deserialize)]
    struct Version {
        report_version: u32,
    }
    let not_a_report = |error: serde_json::Error| format!("not a report: {error}");
    let Version { report_version } = serde_json::from_str(text).map_err(not_a_report)?;
    if report_version != REPORT_VERSION {
        return Err(format!(
            "a report of version {report_version}, and this program reads version {REPORT_VERSION}"
        ));
    }
    serde_json::from_str(text).map_err(not_a_report)
}

/// The text that HdrHistogram's own tools write and its plotter reads. In milliseconds.
#[must_use]
pub fn to_percentiles(histogram: &Histogram<u64>) -> String {
    let milliseconds = |nanoseconds: f64| nanoseconds / NANOSECONDS_PER_MILLISECOND;
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut seen = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        seen += step.count_since_last_iteration();
        let value = milliseconds(step.value_iterated_to() as f64);
        let quantile = step.quantile();
        let _ = write!(text, "{value:>12.6} {quantile:>2.12} {seen:>10}");
        let _ =
            if quantile < 1.0 { writeln!(text, " {:>14.2}", 1.0 / (1.0 - quantile)) } else { writeln!(text) };
    }
    let _ = writeln!(
        text,
        "#[Mean    = {:>12.6}, StdDeviation   = {:>12.6}]",
        milliseconds(histogram.mean()),
        milliseconds(histogram.stdev())
    );
    let _ = writeln!(
        text,
        "#[Max     = {:>12.6}, Total count    = {:>12}]",
        milliseconds(histogram.max() as f64),
        histogram.len()
    );
    let _ = writeln!(
        text,
        "#[Buckets = {:>12}, SubBuckets     = {:>12}]",
        histogram.buckets(),
        10u32.pow(u32::from(histogram.sigfig())) * 2
    );
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::picture::tests::{histogram, summary};
    use crate::report::{
        BrokerProcess, DeviceFigures, Generator, Latencies, MachineFacts, Produced, Verification,
    };
    use crate::settings::default_workload;

    pub(crate) fn report() -> RunReport {
        let response = summary(&[(800_000, 980), (1_500_000, 19), (4_000_000, 1)]);
        RunReport {
            report_version: REPORT_VERSION,
            penstock_version: "0.1.0".to_owned(),
            bootstrap: "127.0.0.1:9092".to_owned(),
            started_unix_ms: 1,
            workload: default_workload(),
            machine: MachineFacts { kernel: "6.0".to_owned(), cpus: 2, ..MachineFacts::default() },
            seconds: 10.0,
            stopped_early: false,
            produced: Produced {
                records: 100_000,
                batches: 6_250,
                requests: 6_250,
                bytes: 104_000_000,
                records_due: 100_000,
                ..Produced::default()
            },
            consumed: None,
            latencies: Latencies {
                response: response.clone(),
                service: summary(&[(700_000, 1000)]),
                delay: summary(&[(10_000, 1000)]),
                response_by_record: response,
                ..Latencies::default()
            },
            generator: Generator { threads: 1, cpu_seconds: 0.5, ..Generator::default() },
            broker: Some(BrokerProcess {
                pid: 7,
                cpu_seconds: 0.8,
                cpu_seconds_per_gigabyte: 7.7,
                device: Some(DeviceFigures { name: "vda".to_owned(), ..DeviceFigures::default() }),
                ..BrokerProcess::default()
            }),
            verification: Verification { acknowledged: 6_250, verified: 6_250, ..Verification::default() },
            timeline: Vec::new(),
            invalid_because: Vec::new(),
        }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("loadgen-files-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_report_reads_back() {
        let folder = folder("json");
        let path = folder.join("report.json");
        let promised = PromisedFile::create(&path, "--json").unwrap();
        assert!(!path.exists(), "it is not there until it is whole");
        promised.finish(&to_json(&report())).unwrap();
        assert_eq!(read_report(&path).unwrap(), report());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_promise_that_is_not_kept_leaves_the_earlier_file() {
        let folder = folder("kept");
        let path = folder.join("report.json");
        fs::write(&path, "earlier").unwrap();
        drop(PromisedFile::create(&path, "--json").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "earlier");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_made_is_said_before_the_run() {
        for path in ["/nowhere/at/all.json", "/", "/tmp"] {
            let error = PromisedFile::create(Path::new(path), "--json").unwrap_err().to_string();
            assert!(error.contains("--json") && error.contains(path), "{error}");
        }
    }

    #[test]
    fn other_versions_and_other_files_are_refused() {
        assert!(parse_report("{\"report_version\": 99}").unwrap_err().contains("version 99"));
        assert!(parse_report("{}").unwrap_err().contains("not a report"));
        assert!(parse_report("hello").unwrap_err().contains("not a report"));
    }

    #[test]
    fn percentiles_rise_to_the_maximum() {
        let text = to_percentiles(&histogram(&[(1_000_000, 99), (5_000_000, 1)]));
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .take_while(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect())
            .collect();
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] <= pair[1][1]), "{text}");
        let last = rows.last().unwrap();
        assert_eq!((last[1], last[2]), (1.0, 100.0));
        assert!((last[0] - 5.0).abs() < 0.01, "{text}");
        assert!(text.contains("Total count    =          100]"), "{text}");
    }
}
