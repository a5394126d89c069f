//! What somebody wants to hold after a run: `response.p99<2ms`, `errors==0`, `records-per-second>=100000`.
//!
//! Decides which figures can be asked for and how. A rule that does not hold makes the exit code 3.

use std::time::Duration;

use crate::error::LoadError;
use crate::figures;
use crate::report::{RunReport, Summary};
use crate::words::{Bytes, Phrase};
use crate::workload::Rate;

#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    text: String,
    figure: Figure,
    comparison: Comparison,
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Latency(Histogram, Quantile),
    RecordsPerSecond,
    BytesPerSecond,
    Errors,
    Disconnects,
    BrokerCpuSecondsPerGigabyte,
    GeneratorCpuSecondsPerGigabyte,
    StealPercent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Histogram {
    Response,
    ResponseByRecord,
    Service,
    Delay,
    EndToEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    Min,
    Mean,
    P50,
    P90,
    P99,
    P999,
    P9999,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

const HISTOGRAMS: [(&str, Histogram); 5] = [
    ("response", Histogram::Response),
    ("response-by-record", Histogram::ResponseByRecord),
    ("service", Histogram::Service),
    ("delay", Histogram::Delay),
    ("end-to-end", Histogram::EndToEnd),
];
pub const QUANTILES: [(&str, Quantile); 8] = [
    ("min", Quantile::Min),
    ("mean", Quantile::Mean),
    ("p50", Quantile::P50),
    ("p90", Quantile::P90),
    ("p99", Quantile::P99),
    ("p99.9", Quantile::P999),
    ("p99.99", Quantile::P9999),
    ("max", Quantile::Max),
];
const FIGURES: [(&str, Figure); 7] = [
    ("records-per-second", Figure::RecordsPerSecond),
    ("bytes-per-second", Figure::BytesPerSecond),
    ("errors", Figure::Errors),
    ("disconnects", Figure::Disconnects),
    ("broker.cpu-seconds-per-gigabyte", Figure::BrokerCpuSecondsPerGigabyte),
    ("generator.cpu-seconds-per-gigabyte", Figure::GeneratorCpuSecondsPerGigabyte),
    ("steal-percent", Figure::StealPercent),
];
/// Longer ones first: `<=` is not `<`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Quantile {
    #[must_use]
    pub fn nanoseconds(self, summary: &Summary) -> f64 {
        match self {
            Quantile::Mean => summary.mean_ns,
            Quantile::Min => summary.min_ns as f64,
            Quantile::P50 => summary.p50_ns as f64,
            Quantile::P90 => summary.p90_ns as f64,
            Quantile::P99 => summary.p99_ns as f64,
            Quantile::P999 => summary.p999_ns as f64,
            Quantile::P9999 => summary.p9999_ns as f64,
            Quantile::Max => summary.max_ns as f64,
        }
    }
}

impl Expectation {
    pub fn parse(text: &str) -> Result<Expectation, LoadError> {
        let refuse = |what: String, fix: &str| LoadError::usage(format!("expect = {text:?}: {what}"), fix);
        let rule =
            "a rule is written FIGURE<LIMIT, such as response.p99<2ms, errors==0, records-per-second>=50000";
        let (sign, comparison) = COMPARISONS
            .into_iter()
            .find(|(sign, _)| text.contains(sign))
            .ok_or_else(|| refuse("nothing is compared".to_owned(), rule))?;
        let (name, limit) = text.split_once(sign).expect("the sign is in the text");
        let (name, limit) = (name.trim(), limit.trim());
        let figure = figure(name).ok_or_else(|| refuse(format!("there is no figure `{name}`"), &known()))?;
        let limit = figure.limit(limit).map_err(|hint| refuse(format!("`{limit}` is no limit"), &hint))?;
        Ok(Expectation { text: text.to_owned(), figure, comparison, limit })
    }

    /// None: it holds. Otherwise the sentence that says what was found. A figure that was not measured does not hold.
    #[must_use]
    pub fn violation(&self, report: &RunReport) -> Option<String> {
        let Some(found) = self.figure.of(report) else {
            return Some(format!("expected {}, but that was not measured", self.text));
        };
        let holds = match self.comparison {
            Comparison::Less => found < self.limit,
            Comparison::LessOrEqual => found <= self.limit,
            Comparison::Greater => found > self.limit,
            Comparison::GreaterOrEqual => found >= self.limit,
            Comparison::Equal => found == self.limit,
        };
        (!holds).then(|| format!("expected {}, found {}", self.text, self.figure.show(found)))
    }
}

impl Figure {
    fn limit(self, text: &str) -> Result<f64, String> {
        let plain = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        match self {
            Figure::Latency(..) => Duration::parse(text).map(|limit| limit.as_nanos() as f64),
            Figure::BytesPerSecond => Bytes::parse(text.trim_end_matches("/s")).map(|limit| limit.0 as f64),
            Figure::RecordsPerSecond => match Rate::parse(text) {
                Ok(Rate::RecordsPerSecond(limit)) => Ok(limit),
                _ => Err("give a number, such as 50000 or 50k".to_owned()),
            },
            _ => plain(text).ok_or_else(|| "give a number".to_owned()),
        }
    }

    fn of(self, report: &RunReport) -> Option<f64> {
        let per_second = |number: u64| Some(number as f64 / report.seconds).filter(|rate| rate.is_finite());
        match self {
            Figure::Latency(histogram, quantile) => histogram
                .of(report)
                .filter(|summary| summary.samples > 0)
                .map(|summary| quantile.nanoseconds(summary)),
            Figure::RecordsPerSecond => per_second(report.produced.records),
            Figure::BytesPerSecond => per_second(report.produced.bytes),
            Figure::Errors => Some(report.produced.errors.values().sum::<u64>() as f64),
            Figure::Disconnects => Some(report.produced.disconnects as f64),
            Figure::BrokerCpuSecondsPerGigabyte => {
                report.broker.as_ref().map(|broker| broker.cpu_seconds_per_gigabyte)
            }
            Figure::GeneratorCpuSecondsPerGigabyte => Some(report.generator.cpu_seconds_per_gigabyte),
            Figure::StealPercent => Some(report.machine.steal_percent),
        }
    }

    fn show(self, found: f64) -> String {
        match self {
            Figure::Latency(..) => figures::time(found),
            Figure::BytesPerSecond => format!("{}/s", figures::bytes(found as u64)),
            _ => figures::three_digits(found),
        }
    }
}

impl Histogram {
    fn of(self, report: &RunReport) -> Option<&Summary> {
        match self {
            Histogram::Response => Some(&report.latencies.response),
            Histogram::ResponseByRecord => Some(&report.latencies.response_by_record),
            Histogram::Service => Some(&report.latencies.service),
            Histogram::Delay => Some(&report.latencies.delay),
            Histogram::EndToEnd => report.latencies.end_to_end.as_ref(),
        }
    }
}

fn figure(name: &str) -> Option<Figure> {
    if let Some((_, figure)) = FIGURES.into_iter().find(|(known, _)| *known == name) {
        return Some(figure);
    }
    let (histogram, quantile) = name.split_once('.')?;
    let (_, histogram) = HISTOGRAMS.into_iter().find(|(known, _)| *known == histogram)?;
    let (_, quantile) = QUANTILES.into_iter().find(|(known, _)| *known == quantile)?;
    Some(Figure::Latency(histogram, quantile))
}

fn known() -> String {
    format!(
        "there are {}, each with .{}; and {}",
        HISTOGRAMS.map(|(name, _)| name).join(", "),
        QUANTILES.map(|(name, _)| name).join(" ."),
        FIGURES.map(|(name, _)| name).join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::files::tests::report;

    fn violation(rule: &str) -> Option<String> {
        Expectation::parse(rule).unwrap_or_else(|error| panic!("{error}")).violation(&report())
    }

    #[test]
    fn rules_hold_or_say_what_was_found() {
        let holding = [
            "response.p99<2ms",
            "response.p99.9 <= 5ms",
            "service.mean<1ms",
            "delay.max<1s",
            "errors==0",
            "disconnects<1",
            "records-per-second>=10k",
            "records-per-second>=10000",
            "bytes-per-second>10MB/s",
            "broker.cpu-seconds-per-gigabyte<10",
        ];
        for rule in holding {
            assert_eq!(violation(rule), None, "{rule}");
        }
        let broken = [
            ("response.p99<1ms", "found 1.50 ms"),
            ("response.p99==1ms", "found 1.50 ms"),
            ("records-per-second>11k", "found 10,000"),
            ("bytes-per-second>1GB", "found 10.4 MB/s"),
            ("end-to-end.p50<1ms", "not measured"),
        ];
        for (rule, found) in broken {
            let said = violation(rule).unwrap_or_else(|| panic!("{rule} holds"));
            assert!(said.contains(rule) && said.contains(found), "{said}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_what_there_is() {
        for rule in [
            "",
            "response.p99",
            "response.p98<1ms",
            "speed>1",
            "response.p99<fast",
            "errors==none",
            "p99<1ms",
        ] {
            let error = Expectation::parse(rule).expect_err(rule);
            assert_eq!(error.kind, ErrorKind::Usage);
            assert!(!error.fix.is_empty(), "{rule}");
        }
    }
}
