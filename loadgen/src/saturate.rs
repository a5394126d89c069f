//! The highest rate at which a broker still keeps a promise, and its latencies below that rate.
//!
//! Decides which rates are tried and when a rate holds: the percentile is within the promise, nearly all that was offered was reached,
//! and neither backlog nor lag grows. Never judges by a fixed number of records that wait: at a million records a second a thousand of
//! them is one millisecond. Does not run anything itself.

use std::time::Duration;

use crate::error::{ErrorKind, LoadError};
use crate::expectation::{QUANTILES, Quantile};
use crate::figures;
use crate::report::{RunReport, Second};
use crate::table::{aligned, table};
use crate::window::Stop;
use crate::words::Phrase;
use crate::workload::{Rate, Workload};

const REACHED_MIN: f64 = 0.995;
/// Growth over the whole run, as a share of what was due.
const GROWTH_MAX: f64 = 0.005;
/// The search ends when the lowest rate that failed is so close above the highest that held.
const PRECISION: f64 = 1.02;
/// Where a longer run does not confirm a rate, the next try is so far below.
const STEP_BACK: f64 = 0.95;
const CONFIRMATIONS_MAX: u32 = 5;
const RATE_MIN: f64 = 1.0;
const RATE_MAX: f64 = 1e12;
/// How much longer than a try the confirmation is.
const CONFIRMATION_FACTOR: u32 = 2;
const CURVE: [f64; 3] = [0.5, 0.7, 0.9];

/// A promise about the response, such as `p99=10ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slo {
    quantile: Quantile,
    name: &'static str,
    limit: Duration,
}

impl std::str::FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Slo, String> {
        let hint = || format!("it is written p99=10ms, with {}", QUANTILES.map(|(name, _)| name).join(", "));
        let (name, limit) = text.split_once('=').ok_or_else(hint)?;
        let (name, quantile) =
            QUANTILES.into_iter().find(|(known, _)| *known == name.trim()).ok_or_else(hint)?;
        Ok(Slo { quantile, name, limit: Duration::parse(limit.trim())? })
    }
}

/// What one run says about its rate; None: it holds.
#[must_use]
pub fn objection(report: &RunReport, slo: Slo) -> Option<String> {
    let found = slo.quantile.nanoseconds(&report.latencies.response);
    if report.latencies.response.samples == 0 {
        return Some("nothing was answered".to_owned());
    }
    let due = report.produced.records_due as f64;
    let reached = if due > 0.0 { report.produced.records as f64 / due } else { 0.0 };
    if reached < REACHED_MIN {
        return Some(format!("only {:.1} % of the rate was reached", reached * 100.0));
    }
    if found > slo.limit.as_nanos() as f64 {
        return Some(format!("{} is {}", slo.name, figures::time(found)));
    }
    let batches_due = due / f64::from(report.workload.records_per_batch);
    if growth(&report.timeline, |second| Some(second.backlog_batches)) > batches_due * GROWTH_MAX {
        return Some("the backlog grows".to_owned());
    }
    if growth(&report.timeline, |second| second.lag_records) > due * GROWTH_MAX {
        return Some("the readers fall behind".to_owned());
    }
    None
}

/// How much higher the straight line through the measured seconds ends than it begins.
fn growth(timeline: &[Second], value: fn(&Second) -> Option<u64>) -> f64 {
    let measured = timeline.iter().filter(|second| !second.warm_up);
    let points: Vec<(f64, f64)> =
        measured.filter_map(|second| Some((f64::from(second.second), value(second)? as f64))).collect();
    let count = points.len() as f64;
    if points.len() < 2 {
        return 0.0;
    }
    let (mean_x, mean_y) = (
        points.iter().map(|(x, _)| x).sum::<f64>() / count,
        points.iter().map(|(_, y)| y).sum::<f64>() / count,
    );
    let along = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    let across = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    if across == 0.0 { 0.0 } else { along / across * (count - 1.0) }
}

/// What is to be run next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Try(f64),
    /// Longer than a try.
    Confirm(f64),
    Found(f64),
    /// No rate holds.
    NoRate,
}

/// Doubles or halves until one rate holds and one does not, bisects, confirms.
///
/// Invariants: holds < fails, where both are known.
#[derive(Clone, Debug)]
pub struct Search {
    start: f64,
    holds: Option<f64>,
    fails: Option<f64>,
    confirmed: bool,
    refuted: u32,
    step_back_to: Option<f64>,
}

impl Search {
    #[must_use]
    pub fn new(start: f64) -> Search {
        Search { start, holds: None, fails: None, confirmed: false, refuted: 0, step_back_to: None }
    }

    #[must_use]
    pub fn step(&self) -> Step {
        if let Some(rate) = self.step_back_to {
            let give_up = self.refuted >= CONFIRMATIONS_MAX || rate < RATE_MIN;
            return if give_up { Step::NoRate } else { Step::Confirm(rate) };
        }
        match (self.holds, self.fails) {
            (Some(holds), _) if self.confirmed => Step::Found(holds),
            (None, None) => Step::Try(self.start),
            (Some(holds), None) if holds >= RATE_MAX => Step::Confirm(holds),
            (Some(holds), None) => Step::Try(holds * 2.0),
            (None, Some(fails)) if fails <= RATE_MIN => Step::NoRate,
            (None, Some(fails)) => Step::Try((fails / 2.0).max(RATE_MIN)),
            (Some(holds), Some(fails)) if fails / holds > PRECISION => Step::Try((holds * fails).sqrt()),
            (Some(holds), Some(_)) => Step::Confirm(holds),
        }
    }

    /// What the run of `step` said.
    pub fn on_result(&mut self, step: Step, held: bool) {
        match (step, held) {
            (Step::Try(rate), true) => self.holds = Some(rate),
            (Step::Try(rate), false) => self.fails = Some(rate),
            (Step::Confirm(rate), true) => {
                self.holds = Some(rate);
                self.confirmed = true;
                self.step_back_to = None;
            }
            (Step::Confirm(rate), false) => {
                self.refuted += 1;
                self.fails = Some(rate);
                self.step_back_to = Some(rate * STEP_BACK);
            }
            (Step::Found(_) | Step::NoRate, _) => {}
        }
    }
}

/// The rate that was found, and the runs at parts of it, slowest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Saturation {
    /// None: it was stopped before any rate held.
    pub rate: Option<Rate>,
    /// It was stopped: the rate is the highest of those that were tried, and runs may be missing.
    pub stopped_early: bool,
    pub curve: Vec<(f64, RunReport)>,
}

/// Called for each run.
pub type Run<'a> = dyn FnMut(&Workload) -> Result<RunReport, LoadError> + 'a;

/// Searches from the workload's rate on. Once `stop` is wished no run is begun, and what there is is what was found.
pub fn saturate(
    workload: &Workload,
    slo: Slo,
    stop: &Stop,
    run: &mut Run<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<Saturation, LoadError> {
    let (start, with_unit): (f64, fn(f64) -> Rate) = match workload.rate {
        Rate::BytesPerSecond(bytes) => (bytes, Rate::BytesPerSecond),
        Rate::RecordsPerSecond(records) => (records, Rate::RecordsPerSecond),
        Rate::Max => {
            return Err(LoadError::usage(
                "saturate needs a rate to begin with",
                "say --rate 10000 or --rate 10MB/s",
            ));
        }
    };
    let mut search = Search::new(start);
    // Of the rate that holds, the run that said so last.
    let mut confirmation = None;
    let mut found = Saturation { rate: None, stopped_early: false, curve: Vec::new() };
    let highest = loop {
        let step = search.step();
        let (rate, factor) = match step {
            Step::Try(rate) => (rate, 1),
            Step::Confirm(rate) => (rate, CONFIRMATION_FACTOR),
            Step::Found(rate) => break rate,
            Step::NoRate => {
                return Err(LoadError {
                    kind: ErrorKind::Invalid,
                    what: format!("no rate keeps {} within {}", slo.name, slo.limit.print()),
                    fix: "promise less, or look at a run at a low rate".to_owned(),
                });
            }
        };
        let tried =
            Workload { rate: with_unit(rate), duration: workload.duration * factor, ..workload.clone() };
        let Some((report, objection)) = judged_run(&tried, slo, stop, run, tell)? else {
            found.stopped_early = true;
            found.rate = search.holds.map(with_unit);
            found.curve.extend(confirmation.map(|report| (1.0, report)));
            return Ok(found);
        };
        let verdict = objection.as_deref().unwrap_or("holds");
        tell(&format!("{:>22}  {verdict}\n", figures::rate(with_unit(rate))));
        search.on_result(step, objection.is_none());
        if objection.is_none() {
            confirmation = Some(report);
        }
    };
    found.rate = Some(with_unit(highest));
    for part in CURVE {
        let Some(report) =
            whole_run(&Workload { rate: with_unit(highest * part), ..workload.clone() }, stop, run)?
        else {
            found.stopped_early = true;
            break;
        };
        found.curve.push((part, report));
    }
    found.curve.extend(confirmation.map(|report| (1.0, report)));
    Ok(found)
}

/// A rate that does not hold because of the generator is tried once more: it may have been chance, and it says nothing of the broker.
/// None: it was stopped.
fn judged_run(
    workload: &Workload,
    slo: Slo,
    stop: &Stop,
    run: &mut Run<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<Option<(RunReport, Option<String>)>, LoadError> {
    let mut is_again = false;
    loop {
        let Some(report) = whole_run(workload, stop, run)? else { return Ok(None) };
        let objection = objection(&report, slo);
        let Some(reason) = objection.as_ref().filter(|_| report.generator.limited) else {
            return Ok(Some((report, objection)));
        };
        let what = format!("at {} the generator is the limit: {reason}", figures::rate(workload.rate));
        if is_again {
            return Err(LoadError {
                kind: ErrorKind::Invalid,
                what,
                fix: "give it more cores with --cpus, or larger batches".to_owned(),
            });
        }
        tell(&format!("{what}; once more\n"));
        is_again = true;
    }
}

/// A run that lost nothing; None: it was stopped, which does not excuse a loss.
fn whole_run(workload: &Workload, stop: &Stop, run: &mut Run<'_>) -> Result<Option<RunReport>, LoadError> {
    if stop.is_wished() {
        return Ok(None);
    }
    let report = match run(workload) {
        Ok(report) => report,
        // It was stopped before it had anything to report.
        Err(error) if stop.is_wished() && error.kind != ErrorKind::Verification => return Ok(None),
        Err(error) => return Err(error),
    };
    refuse_losses(&report)?;
    Ok(Some(report).filter(|report| !report.stopped_early))
}

fn refuse_losses(report: &RunReport) -> Result<(), LoadError> {
    if report.verification.is_clean() {
        return Ok(());
    }
    Err(LoadError {
        kind: ErrorKind::Verification,
        what: format!("verification failed at {}", figures::rate(report.workload.rate)),
        fix: report.verification.examples.first().cloned().unwrap_or_default(),
    })
}

#[must_use]
pub fn page(saturation: &Saturation, slo: Slo) -> String {
    let mut rows =
        table(vec!["load", "records/s", "MB/s", "p50", "p90", "p99", "p99.9", "p99.99", "max", "CPU-s/GB"]);
    for (part, report) in &saturation.curve {
        let response = &report.latencies.response;
        let times = [
            response.p50_ns,
            response.p90_ns,
            response.p99_ns,
            response.p999_ns,
            response.p9999_ns,
            response.max_ns,
        ];
        let cost = report
            .broker
            .as_ref()
            .map_or_else(|| "-".to_owned(), |broker| figures::three_digits(broker.cpu_seconds_per_gigabyte));
        let head = [
            format!("{:.0} %", part * 100.0),
            figures::three_digits(report.produced.records as f64 / report.seconds.max(f64::MIN_POSITIVE)),
            figures::megabytes_per_second(report.produced.bytes, report.seconds),
        ];
        rows.add_row(head.into_iter().chain(times.map(|time| figures::time(time as f64))).chain([cost]));
    }
    let stopped = if saturation.stopped_early { "stopped early; of what was tried, the " } else { "" };
    let rate = saturation.rate.map_or_else(|| "none yet".to_owned(), figures::rate);
    format!(
        "\n{stopped}highest rate with {} within {}: {rate}\n\n{}",
        slo.name,
        slo.limit.print(),
        aligned(rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::report;

    /// A broker that holds any rate up to `capacity`; longer runs need `reserve` below it.
    fn search(start: f64, capacity: f64, reserve: f64) -> (Step, u32) {
        let mut search = Search::new(start);
        for runs in 0..200 {
            match search.step() {
                step @ Step::Try(rate) => search.on_result(step, rate <= capacity),
                step @ Step::Confirm(rate) => search.on_result(step, rate <= capacity * reserve),
                end @ (Step::Found(_) | Step::NoRate) => return (end, runs),
            }
        }
        panic!("the search does not end");
    }

    #[test]
    fn the_rate_is_found_within_two_percent_from_anywhere() {
        for start in [1.0, 1_000.0, 50_000.0, 1e9] {
            for capacity in [3.0, 777.0, 123_456.0, 2e8] {
                let (end, runs) = search(start, capacity, 1.0);
                let Step::Found(rate) = end else { panic!("{start} {capacity}: {end:?}") };
                assert!(
                    rate <= capacity && rate * PRECISION * 1.001 >= capacity,
                    "{start} {capacity}: {rate}"
                );
                assert!(runs < 50, "{runs}");
            }
        }
    }

    #[test]
    fn what_a_longer_run_refutes_is_lowered() {
        let Step::Found(rate) = search(1000.0, 10_000.0, 0.9).0 else { panic!("nothing found") };
        assert!((8_000.0..=9_000.0).contains(&rate), "{rate}");
        assert_eq!(search(1000.0, 10_000.0, 0.1).0, Step::NoRate);
        assert_eq!(search(1000.0, 0.5, 1.0).0, Step::NoRate);
    }

    fn loaded(rate: f64, capacity: f64) -> RunReport {
        let mut report = report();
        report.produced.records_due = (rate * 10.0) as u64;
        report.produced.records = (rate.min(capacity) * 10.0) as u64;
        report
    }

    #[test]
    fn a_broker_is_searched_and_its_curve_is_shown() {
        let slo: Slo = "p99=10ms".parse().unwrap();
        let workload = report().workload;
        let mut durations = Vec::new();
        let mut run = |workload: &Workload| {
            durations.push(workload.duration);
            let Rate::RecordsPerSecond(rate) = workload.rate else { panic!("{:?}", workload.rate) };
            Ok(RunReport { workload: workload.clone(), ..loaded(rate, 100_000.0) })
        };
        let mut told = 0;
        let found = saturate(&workload, slo, &Stop::default(), &mut run, &mut |_| told += 1).unwrap();
        let Some(Rate::RecordsPerSecond(rate)) = found.rate else { panic!("{:?}", found.rate) };
        assert!((98_000.0..=100_600.0).contains(&rate), "{rate}");
        assert_eq!(found.curve.iter().map(|(part, _)| *part).collect::<Vec<_>>(), [0.5, 0.7, 0.9, 1.0]);
        assert_eq!(durations.len(), told + 3);
        assert_eq!(durations[told - 1], workload.duration * 2, "the last try is the confirmation");
        let text = page(&found, slo);
        assert!(text.contains("highest rate with p99 within 10ms") && text.contains("100 %"), "{text}");
    }

    #[test]
    fn what_was_found_before_a_stop_is_kept() {
        let slo: Slo = "p99=10ms".parse().unwrap();
        let workload = Workload { rate: Rate::RecordsPerSecond(1_000.0), ..report().workload };
        for (runs_before, rate) in [(0, None), (3, Some(Rate::RecordsPerSecond(4_000.0)))] {
            let (stop, mut runs) = (Stop::default(), 0);
            let mut run = |workload: &Workload| {
                runs += 1;
                if runs > runs_before {
                    stop.wish();
                }
                let Rate::RecordsPerSecond(rate) = workload.rate else { panic!("{:?}", workload.rate) };
                Ok(RunReport { stopped_early: stop.is_wished(), ..loaded(rate, 100_000.0) })
            };
            let found = saturate(&workload, slo, &stop, &mut run, &mut |_| ()).unwrap();
            assert_eq!((found.rate, found.stopped_early, runs), (rate, true, runs_before + 1));
            assert_eq!(found.curve.len(), usize::from(rate.is_some()));
            assert!(page(&found, slo).contains("stopped early"));
        }
    }

    #[test]
    fn a_rate_holds_only_if_nothing_speaks_against_it() {
        let slo: Slo = "p99=2ms".parse().unwrap();
        let fine = report();
        assert_eq!(objection(&fine, slo), None);
        assert!(objection(&fine, "p99=1ms".parse().unwrap()).is_some_and(|text| text.contains("p99 is")));
        assert!(objection(&loaded(2.0, 1.0), slo).is_some_and(|text| text.contains("reached")));
        let timeline = |backlog: fn(u32) -> u64, lag: fn(u32) -> Option<u64>| {
            let second = |second| Second {
                second,
                warm_up: second < 2,
                backlog_batches: if second < 2 { 1_000_000 } else { backlog(second) },
                lag_records: lag(second),
                ..Second::default()
            };
            RunReport { timeline: (0..12).map(second).collect(), ..report() }
        };
        assert_eq!(objection(&timeline(|_| 20, |_| None), slo), None);
        assert_eq!(objection(&timeline(|second| u64::from(second % 2) * 9, |_| Some(5)), slo), None);
        let grows = timeline(|second| u64::from(second) * 50, |_| None);
        assert!(objection(&grows, slo).is_some_and(|text| text.contains("backlog")));
        let falls_behind = timeline(|_| 0, |second| Some(u64::from(second) * 1000));
        assert!(objection(&falls_behind, slo).is_some_and(|text| text.contains("readers")));
    }

    #[test]
    fn promises_are_read_or_explained() {
        for text in ["p99", "p98=1ms", "p99=soon", ""] {
            assert!(text.parse::<Slo>().is_err(), "{text}");
        }
        let rateless = Workload { rate: Rate::Max, ..report().workload };
        let slo = "p99.9=5ms".parse().unwrap();
        assert!(saturate(&rateless, slo, &Stop::default(), &mut |_| Ok(report()), &mut |_| ()).is_err());
    }

    #[test]
    fn a_generator_that_is_the_limit_and_a_loss_end_the_search() {
        let slo = "p99=10ms".parse().unwrap();
        let workload = report().workload;
        let mut limited = loaded(2.0, 1.0);
        limited.generator.limited = true;
        let error = saturate(&workload, slo, &Stop::default(), &mut |_| Ok(limited.clone()), &mut |_| ())
            .unwrap_err();
        assert!(error.to_string().contains("generator is the limit"), "{error}");
        let mut lossy = report();
        lossy.verification.lost = 1;
        let error =
            saturate(&workload, slo, &Stop::default(), &mut |_| Ok(lossy.clone()), &mut |_| ()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Verification);
    }
}
