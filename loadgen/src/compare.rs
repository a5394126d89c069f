//! Two reports side by side: what is compared, and which way is better.
//!
//! Decides the figures that pairs and comparisons share. Reports of different workloads are refused: their ratio means nothing.

use crate::error::LoadError;
use crate::figures::{self, Paint};
use crate::report::RunReport;
use crate::settings;
use crate::table::{aligned, table};
use crate::workload::Workload;

/// One figure of a report; None where it was not measured.
pub struct Compared {
    pub name: &'static str,
    pub better: Better,
    pub of: fn(&RunReport) -> Option<f64>,
    pub show: fn(f64) -> String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

pub const COMPARED: [Compared; 10] = [
    Compared {
        name: "records/s",
        better: Better::Higher,
        of: |report| positive(report.produced.records as f64 / report.seconds),
        show: figures::three_digits,
    },
    Compared {
        name: "MB/s",
        better: Better::Higher,
        of: |report| positive(report.produced.bytes as f64 / report.seconds / 1e6),
        show: figures::three_digits,
    },
    Compared {
        name: "response p50",
        better: Better::Lower,
        of: |report| positive(report.latencies.response.p50_ns as f64),
        show: figures::time,
    },
    Compared {
        name: "response p99",
        better: Better::Lower,
        of: |report| positive(report.latencies.response.p99_ns as f64),
        show: figures::time,
    },
    Compared {
        name: "response p99.9",
        better: Better::Lower,
        of: |report| positive(report.latencies.response.p999_ns as f64),
        show: figures::time,
    },
    Compared {
        name: "response max",
        better: Better::Lower,
        of: |report| positive(report.latencies.response.max_ns as f64),
        show: figures::time,
    },
    Compared {
        name: "end to end p99",
        better: Better::Lower,
        of: |report| report.latencies.end_to_end.as_ref().and_then(|summary| positive(summary.p99_ns as f64)),
        show: figures::time,
    },
    Compared {
        name: "broker CPU-s/GB",
        better: Better::Lower,
        of: |report| report.broker.as_ref().and_then(|broker| positive(broker.cpu_seconds_per_gigabyte)),
        show: figures::three_digits,
    },
    Compared {
        name: "broker CPU-s/M records",
        better: Better::Lower,
        of: |report| {
            report.broker.as_ref().and_then(|broker| positive(broker.cpu_seconds_per_million_records))
        },
        show: figures::three_digits,
    },
    Compared {
        name: "broker memory, most",
        better: Better::Lower,
        of: |report| report.broker.as_ref().and_then(|broker| positive(broker.resident_bytes_max as f64)),
        show: |bytes| figures::bytes(bytes as u64),
    },
];

/// A ratio needs two numbers over 0.
fn positive(number: f64) -> Option<f64> {
    (number.is_finite() && number > 0.0).then_some(number)
}

/// `force`: compare different workloads all the same.
pub fn compare(
    names: [&str; 2],
    reports: [&RunReport; 2],
    force: bool,
    paint: Paint,
) -> Result<String, LoadError> {
    let differences = differences(&reports[0].workload, &reports[1].workload);
    if !differences.is_empty() && !force {
        return Err(LoadError::usage(
            format!("the two had different workloads: {}", differences.join("; ")),
            "run the same one on both, or say --force",
        ));
    }
    let mut text = format!("A  {}\nB  {}\n", origin(names[0], reports[0]), origin(names[1], reports[1]));
    for difference in &differences {
        text.push_str(&format!("{}\n", paint.red(&format!("! {difference}"))));
    }
    let mut rows = table(vec!["", "A", "B", "B / A", ""]);
    for compared in &COMPARED {
        let [Some(a), Some(b)] = reports.map(compared.of) else { continue };
        let ratio = format!("{:.3}", b / a);
        rows.add_row([
            compared.name.to_owned(),
            (compared.show)(a),
            (compared.show)(b),
            ratio,
            side(b / a, compared.better),
        ]);
    }
    text.push_str(&aligned(rows));
    for (letter, report) in ["A", "B"].into_iter().zip(reports) {
        text.push_str(&doubts(letter, report, paint));
    }
    text.push_str("one run of each: `penstock load pair` says how much of this is chance\n");
    Ok(text)
}

fn origin(name: &str, report: &RunReport) -> String {
    format!(
        "{name}: {}, {} cores, Linux {}, penstock {}",
        report.bootstrap, report.machine.cpus, report.machine.kernel, report.penstock_version
    )
}

/// Within a hundredth nobody is better.
#[must_use]
pub fn side(ratio: f64, better: Better) -> String {
    let b_is_better = match better {
        Better::Higher => ratio > 1.0,
        Better::Lower => ratio < 1.0,
    };
    match (ratio - 1.0).abs() < 0.01 {
        true => String::new(),
        false if b_is_better => "B is better".to_owned(),
        false => "A is better".to_owned(),
    }
}

/// What speaks against believing the figures of one report.
fn doubts(letter: &str, report: &RunReport, paint: Paint) -> String {
    let mut doubts = report.invalid_because.clone();
    if !report.verification.is_clean() {
        doubts.push("verification failed".to_owned());
    }
    if report.verification.off {
        doubts.push("nobody has verified it".to_owned());
    }
    if report.machine.steal_percent > 1.0 {
        doubts.push(format!("the hypervisor took {:.1} % of the time", report.machine.steal_percent));
    }
    doubts.iter().map(|doubt| format!("{}\n", paint.red(&format!("! {letter}: {doubt}")))).collect()
}

/// In the words of a workload file: `rate = 10000 and 20000`.
fn differences(a: &Workload, b: &Workload) -> Vec<String> {
    let rows = |workload: &Workload| -> toml::Table {
        settings::to_toml(workload).parse().expect("what was printed reads back")
    };
    let (a, b) = (rows(a), rows(b));
    let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let show = |value: Option<&toml::Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    keys.into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| format!("{key} = {} and {}", show(a.get(key)), show(b.get(key))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::files::tests::report;

    const PLAIN: Paint = Paint { colours: false };

    #[test]
    fn ratios_say_who_is_better() {
        let (a, mut b) = (report(), report());
        b.produced.records *= 2;
        b.latencies.response.p99_ns *= 3;
        let text = compare(["a.json", "b.json"], [&a, &b], false, PLAIN).unwrap();
        let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
        assert!(row("records/s").contains("2.000") && row("records/s").contains("B is better"), "{text}");
        assert!(
            row("response p99 ").contains("3.000") && row("response p99 ").contains("A is better"),
            "{text}"
        );
        assert!(row("response p50").contains("1.000") && !row("response p50").contains("better"), "{text}");
        assert!(row("end to end").is_empty(), "{text}");
    }

    #[test]
    fn other_workloads_are_refused_by_name_unless_forced() {
        let (a, mut b) = (report(), report());
        b.workload.partitions = 99;
        let error = compare(["a", "b"], [&a, &b], false, PLAIN).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(error.to_string().contains("partitions = 4 and 99"), "{error}");
        assert!(compare(["a", "b"], [&a, &b], true, PLAIN).unwrap().contains("! partitions = 4 and 99"));
    }

    #[test]
    fn doubts_are_shown() {
        let (a, mut b) = (report(), report());
        b.machine.steal_percent = 4.0;
        b.verification.lost = 1;
        b.invalid_because.push("the generator was too slow".to_owned());
        let text = compare(["a", "b"], [&a, &b], false, PLAIN).unwrap();
        for doubt in ["! B: verification failed", "! B: the hypervisor", "! B: the generator was too slow"] {
            assert!(text.contains(doubt), "{text}");
        }
        assert!(!text.contains("! A"), "{text}");
    }
}
