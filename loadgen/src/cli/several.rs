//! Commands that make several runs, or look at several reports.
//!
//! Decides what is told on the way. Order, statistics and search are decided in `pair`, `compare` and `saturate`.

use std::path::PathBuf;

use super::single::{allow_connections, exit_code};
use super::{Compare, Console, Drive, Pair, Saturate};
use crate::error::LoadError;
use crate::figures;
use crate::files::{self, PromisedFile};
use crate::report::RunReport;
use crate::settings::Settings;
use crate::window::Stop;
use crate::workload::{Options, Workload};
use crate::{compare, pair, saturate};

pub(super) fn compare(flags: &Compare, console: &mut Console<'_>) -> Result<u8, LoadError> {
    let reports = [files::read_report(&flags.a)?, files::read_report(&flags.b)?];
    let names = [flags.a.display().to_string(), flags.b.display().to_string()];
    let text =
        compare::compare([&names[0], &names[1]], [&reports[0], &reports[1]], flags.force, console.paint)?;
    console.say(&text);
    Ok(0)
}

pub(super) fn pair(
    flags: &Pair,
    drive: &mut Drive<'_>,
    stop: &Stop,
    console: &mut Console<'_>,
) -> Result<u8, LoadError> {
    let raw = &flags.load.settings;
    if raw.bootstrap.is_some() || raw.broker_pid.is_some() {
        return Err(LoadError::usage(
            "a pair has two brokers, and --bootstrap or --broker-pid names one",
            "write them as --a HOST:PORT/PID and --b HOST:PORT/PID",
        ));
    }
    let settings = settled(flags.load.settle()?)?;
    let json = promise(&flags.json)?;
    let sides = [&flags.a, &flags.b].map(|side| Options {
        bootstrap: side.bootstrap.clone(),
        broker_pid: side.pid,
        ..settings.options.clone()
    });
    console.say(&format!("{}\n", console.paint.bold(&figures::workload(&settings.workload))));
    let shared = std::cell::RefCell::new(&mut *console);
    let made = pair::pairs(
        flags.pairs,
        flags.steal_max,
        stop,
        &mut |side, number| {
            let options = &sides[side as usize];
            let report = drive(&settings.workload, options, &mut |_| ())?;
            shared.borrow_mut().say(&format!("{number:>3} {side:?}  {}\n", line(&report)));
            Ok(report)
        },
        &mut |text| shared.borrow_mut().say(text),
    )?;
    console.say(&format!("\n{}", pair::page(&made, console.paint)));
    let reports: Vec<&RunReport> = made.iter().flat_map(|pair| [&pair.a, &pair.b]).collect();
    finish(json, &reports)?;
    Ok(worst(&reports, console))
}

pub(super) fn saturate(
    flags: &Saturate,
    drive: &mut Drive<'_>,
    stop: &Stop,
    console: &mut Console<'_>,
) -> Result<u8, LoadError> {
    let settings = settled(flags.load.settle()?)?;
    let json = promise(&flags.json)?;
    console.say(&format!("{}\n", console.paint.bold(&figures::workload(&settings.workload))));
    let mut run = |workload: &Workload| drive(workload, &settings.options, &mut |_| ());
    let found =
        saturate::saturate(&settings.workload, flags.slo, stop, &mut run, &mut |text| console.say(text))?;
    console.say(&saturate::page(&found, flags.slo));
    let reports: Vec<&RunReport> = found.curve.iter().map(|(_, report)| report).collect();
    finish(json, &reports)?;
    Ok(worst(&reports, console))
}

fn settled(settings: Settings) -> Result<Settings, LoadError> {
    if !settings.expect.is_empty() {
        return Err(LoadError::usage("--expect is about one run, and here are several", "leave it out"));
    }
    allow_connections(&settings.workload)?;
    Ok(settings)
}

fn promise(path: &Option<PathBuf>) -> Result<Option<PromisedFile>, LoadError> {
    path.as_ref().map(|path| PromisedFile::create(path, "--json")).transpose()
}

fn finish(file: Option<PromisedFile>, reports: &[&RunReport]) -> Result<(), LoadError> {
    file.map_or(Ok(()), |file| file.finish(&files::all_to_json(reports)))
}

fn line(report: &RunReport) -> String {
    let response = &report.latencies.response;
    format!(
        "{:>9} records/s  p50 {:>9}  p99 {:>9}  p99.9 {:>9}  steal {:.1} %",
        figures::three_digits(report.produced.records as f64 / report.seconds.max(f64::MIN_POSITIVE)),
        figures::time(response.p50_ns as f64),
        figures::time(response.p99_ns as f64),
        figures::time(response.p999_ns as f64),
        report.machine.steal_percent,
    )
}

/// Says why runs do not count, each reason once.
fn worst(reports: &[&RunReport], console: &mut Console<'_>) -> u8 {
    let reasons: std::collections::BTreeSet<&String> =
        reports.iter().flat_map(|report| &report.invalid_because).collect();
    for reason in reasons {
        console.say(&format!("{}\n", console.paint.red(&format!("! {reason}"))));
    }
    let codes: Vec<u8> = reports.iter().map(|report| exit_code(report, &[])).collect();
    // Of 0, 2 and 3 a failed verification is the worst.
    if codes.contains(&2) { 2 } else { codes.into_iter().max().unwrap_or(0) }
}
