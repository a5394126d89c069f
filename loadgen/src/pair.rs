//! Two brokers on one machine, in turns: which one is faster, and how much of the difference is chance.
//!
//! Decides the order of runs, which pairs count, and the statistics. The order is A B, B A, A B, ...: what drifts hits both. A pair in
//! which the hypervisor took time is run again. Does not run anything itself.

use crate::chance::Chance;
use crate::compare::{self, COMPARED};
use crate::error::{ErrorKind, LoadError};
use crate::figures::Paint;
use crate::report::RunReport;
use crate::table::{aligned, table};
use crate::window::Stop;

const RESAMPLES: usize = 10_000;
const SEED: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

/// Called for each run; the number counts runs, repeated ones too, from 1.
pub type Run<'a> = dyn FnMut(Side, u32) -> Result<RunReport, LoadError> + 'a;

#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub a: RunReport,
    pub b: RunReport,
}

/// Runs until `count` pairs were undisturbed: the hypervisor took at most `steal_percent_max` of the time of both runs. Above that a
/// pair says more about the neighbours than about the brokers.
///
/// Once `stop` is wished no run is begun, and the pair that was being made does not count: its runs had not the same time.
///
/// Errors: twice as many pairs were run and that was not enough, or records were lost.
pub fn pairs(
    count: u32,
    steal_percent_max: f64,
    stop: &Stop,
    run: &mut Run<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Pair>, LoadError> {
    let mut pairs = Vec::new();
    let mut runs = 0;
    let mut attempts = 0;
    while pairs.len() < count as usize {
        if attempts == count * 2 {
            return Err(LoadError {
                kind: ErrorKind::Invalid,
                what: format!("{attempts} pairs were run, and only {} were undisturbed", pairs.len()),
                fix: format!(
                    "the hypervisor takes over {steal_percent_max} % of the time: use a quieter machine, or allow more \
                     with --steal-max"
                ),
            });
        }
        attempts += 1;
        // By pairs that count, so that each broker goes first equally often.
        let order = if pairs.len().is_multiple_of(2) { [Side::A, Side::B] } else { [Side::B, Side::A] };
        let mut made = Vec::new();
        for side in order {
            runs += 1;
            if let Some(report) = take(side, runs, run, stop)? {
                made.push(report);
            }
        }
        if made.len() < order.len() {
            tell(&format!("stopped after {} of {count} pairs\n", pairs.len()));
            return Ok(pairs);
        }
        if order[0] == Side::B {
            made.reverse();
        }
        let Ok([a, b]) = <[RunReport; 2]>::try_from(made) else { unreachable!("each of two sides has run") };
        let pair = Pair { a, b };
        let steal = pair.a.machine.steal_percent.max(pair.b.machine.steal_percent);
        if steal > steal_percent_max {
            tell(&format!("the hypervisor took {steal:.1} % of the time: this pair does not count\n"));
            continue;
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// A whole run; None: there is none, because of the wish to stop.
fn take(side: Side, number: u32, run: &mut Run<'_>, stop: &Stop) -> Result<Option<RunReport>, LoadError> {
    if stop.is_wished() {
        return Ok(None);
    }
    match run(side, number) {
        Ok(report) => Ok(Some(verified(side, report)?).filter(|report| !report.stopped_early)),
        // It was stopped before it had anything to report.
        Err(error) if stop.is_wished() && error.kind != ErrorKind::Verification => Ok(None),
        Err(error) => Err(error),
    }
}

/// A fast run with one loss is a failed run.
fn verified(side: Side, report: RunReport) -> Result<RunReport, LoadError> {
    if report.verification.is_clean() {
        return Ok(report);
    }
    Err(LoadError {
        kind: ErrorKind::Verification,
        what: format!("verification failed on {side:?} ({})", report.bootstrap),
        fix: report.verification.examples.first().cloned().unwrap_or_default(),
    })
}

/// The middle ratio B / A of all pairs, and where it would lie 95 times of 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Ratio {
    /// None without any ratio.
    #[must_use]
    pub fn of(ratios: &[f64]) -> Option<Ratio> {
        let median_of_all = median(ratios)?;
        let mut chance = Chance::new(SEED, 0);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| {
                let draw = |_| ratios[(chance.fraction() * ratios.len() as f64) as usize];
                median(&ratios.iter().map(draw).collect::<Vec<_>>())
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let at = |quantile: f64| medians[((medians.len() - 1) as f64 * quantile).round() as usize];
        Some(Ratio { median: median_of_all, low: at(0.025), high: at(0.975) })
    }

    /// The interval leaves out equality.
    #[must_use]
    pub fn is_a_difference(self) -> bool {
        self.low > 1.0 || self.high < 1.0
    }
}

fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(lower.midpoint(upper))
}

/// The figures of both, their ratio and a sentence for each.
#[must_use]
pub fn page(pairs: &[Pair], paint: Paint) -> String {
    let mut rows = table(vec!["median of pairs", "A", "B", "B / A", "95 % interval", ""]);
    for compared in &COMPARED {
        let both = pairs.iter().filter_map(|pair| (compared.of)(&pair.a).zip((compared.of)(&pair.b)));
        let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
        let ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b / a).collect();
        let (Some(ratio), Some(a), Some(b)) = (Ratio::of(&ratios), median(&a), median(&b)) else { continue };
        let sentence = match ratio.is_a_difference() {
            true => compare::side(ratio.median, compared.better),
            false => "no difference seen".to_owned(),
        };
        rows.add_row([
            compared.name.to_owned(),
            (compared.show)(a),
            (compared.show)(b),
            format!("{:.3}", ratio.median),
            format!("{:.3} .. {:.3}", ratio.low, ratio.high),
            sentence,
        ]);
    }
    let mut text = aligned(rows);
    if pairs.len() < 5 {
        text.push_str(&format!("{}\n", paint.yellow("! fewer than 5 pairs: the intervals are too narrow")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::report;

    fn with(steal_percent: f64, p99_ns: u64) -> RunReport {
        let mut report = report();
        report.machine.steal_percent = steal_percent;
        report.latencies.response.p99_ns = p99_ns;
        report
    }

    #[test]
    fn who_goes_first_alternates() {
        let mut order = Vec::new();
        let mut run = |side, _| {
            order.push(side);
            Ok(report())
        };
        assert_eq!(pairs(3, 1.0, &Stop::default(), &mut run, &mut |_| ()).unwrap().len(), 3);
        use Side::{A, B};
        assert_eq!(order, [A, B, B, A, A, B]);
    }

    #[test]
    fn disturbed_pairs_are_run_again_up_to_a_limit() {
        let mut run = |_, number| Ok(with(if number == 2 { 5.0 } else { 0.0 }, 1));
        let mut told = Vec::new();
        let made = pairs(2, 1.0, &Stop::default(), &mut run, &mut |text| told.push(text.to_owned())).unwrap();
        assert_eq!(made.len(), 2);
        assert_eq!(told.len(), 1);
        let error = pairs(2, 1.0, &Stop::default(), &mut |_, _| Ok(with(5.0, 1)), &mut |_| ()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
    }

    #[test]
    fn whole_pairs_are_what_a_stop_leaves() {
        let (stop, mut told) = (Stop::default(), String::new());
        let mut run = |_, number| {
            if number == 4 {
                stop.wish();
            }
            Ok(RunReport { stopped_early: stop.is_wished(), ..report() })
        };
        let made = pairs(5, 1.0, &stop, &mut run, &mut |text| told.push_str(text)).unwrap();
        assert_eq!((made.len(), &*told), (1, "stopped after 1 of 5 pairs\n"));
        let mut never = |_, _| panic!("no run is begun");
        assert!(pairs(5, 1.0, &stop, &mut never, &mut |_| ()).unwrap().is_empty());
    }

    #[test]
    fn one_lost_batch_ends_it() {
        let mut lossy = report();
        lossy.verification.lost = 1;
        let error = pairs(2, 1.0, &Stop::default(), &mut |_, _| Ok(lossy.clone()), &mut |_| ()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Verification);
    }

    #[test]
    fn the_interval_holds_the_median_and_leaves_out_equality_where_all_agree() {
        let same = Ratio::of(&[0.5, 0.51, 0.49, 0.5, 0.52]).unwrap();
        assert!(same.low <= same.median && same.median <= same.high && same.is_a_difference());
        assert_eq!(same.median, 0.5);
        let mixed = Ratio::of(&[0.8, 1.2, 1.0, 0.9, 1.1]).unwrap();
        assert!(!mixed.is_a_difference(), "{mixed:?}");
        assert_eq!(Ratio::of(&[]), None);
        assert_eq!(median(&[1.0, 2.0]), Some(1.5));
    }

    #[test]
    fn the_page_speaks_of_differences_only_where_pairs_agree() {
        let made: Vec<Pair> = (0..5)
            .map(|index| Pair { a: with(0.0, 1_000_000), b: with(0.0, 2_000_000 + index * 1000) })
            .collect();
        let text = page(&made, Paint { colours: false });
        let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
        assert!(row("response p99 ").contains("A is better"), "{text}");
        assert!(row("response p50").contains("no difference seen"), "{text}");
        assert!(!text.contains("fewer than 5"), "{text}");
        assert!(page(&made[..2], Paint { colours: false }).contains("fewer than 5"));
    }
}
