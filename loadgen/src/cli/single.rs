//! One run: from flags to the last page and the exit code.
//!
//! Decides the order: everything that can be wrong is found before the run begins.

use rustix::process::{Resource, getrlimit, setrlimit};

use super::{Console, Drive, Single, null};
use crate::error::{ErrorKind, LoadError};
use crate::expectation::Expectation;
use crate::figures;
use crate::files::{self, PromisedFile};
use crate::live::Live;
use crate::picture;
use crate::report::{RunReport, Verification};
use crate::settings::{self, Settings};
use crate::table;
use crate::workload::{Acks, Verify, Workload};

/// Files that are neither connections nor ours to count: standard streams, epoll, reports.
const FILES_BESIDE_CONNECTIONS: u64 = 64;

/// Files that were promised before the run.
#[derive(Debug, Default)]
pub(super) struct Promised {
    json: Option<PromisedFile>,
    hdr: Option<PromisedFile>,
    quiet: bool,
}

pub(super) fn run(flags: &Single, drive: &mut Drive<'_>, console: &mut Console<'_>) -> Result<u8, LoadError> {
    let mut settings = flags.load.settle()?;
    if flags.print_workload {
        console.say(&settings::to_toml(&settings.workload));
        return Ok(0);
    }
    let promise = |path: &Option<std::path::PathBuf>, flag| {
        path.as_ref().map(|path| PromisedFile::create(path, flag)).transpose()
    };
    let promised = Promised {
        json: promise(&flags.json, "--json")?,
        hdr: promise(&flags.hdr, "--hdr")?,
        quiet: flags.quiet,
    };
    // It ends when it is dropped, which is after the run.
    let _null_broker = if flags.null_broker { Some(null::start_for(&mut settings)?) } else { None };
    run_settled(&settings, Some(promised), drive, console)
}

pub(super) fn run_settled(
    settings: &Settings,
    promised: Option<Promised>,
    drive: &mut Drive<'_>,
    console: &mut Console<'_>,
) -> Result<u8, LoadError> {
    let promised = promised.unwrap_or_default();
    let expectations: Vec<Expectation> =
        settings.expect.iter().map(|text| Expectation::parse(text)).collect::<Result<_, _>>()?;
    allow_connections(&settings.workload)?;
    let paint = console.paint;
    if !promised.quiet {
        console.say(&format!("{}\n", paint.bold(&figures::workload(&settings.workload))));
    }
    if settings.options.verify == Verify::Off {
        console.say(&format!(
            "{}\n",
            paint.red("verification is off: nobody will look whether the records are there")
        ));
    }
    let mut live = Live::new(&settings.workload, paint);
    let report = drive(&settings.workload, &settings.options, &mut |second| {
        if !promised.quiet {
            console.say(&live.line(second));
        }
    })?;
    let violations: Vec<String> =
        expectations.iter().filter_map(|expectation| expectation.violation(&report)).collect();
    console.say(&table::page(&report, &violations, paint)?);
    if let Some(file) = promised.json {
        file.finish(&files::to_json(&report))?;
    }
    if let Some(file) = promised.hdr {
        let histogram = picture::decode(&report.latencies.response)?;
        file.finish(
            histogram.map(|histogram| files::to_percentiles(&histogram)).unwrap_or_default().as_bytes(),
        )?;
    }
    Ok(exit_code(&report, &violations))
}

/// A loss weighs more than figures that do not count.
pub(super) fn exit_code(report: &RunReport, violations: &[String]) -> u8 {
    if !is_verified(&report.verification, report.workload.acks) {
        ErrorKind::Verification.exit_code()
    } else if !report.invalid_because.is_empty() || !violations.is_empty() {
        ErrorKind::Invalid.exit_code()
    } else {
        0
    }
}

/// What nobody has read is not verified, unless that was wanted or there is nothing to read.
fn is_verified(verification: &Verification, acks: Acks) -> bool {
    let all_read =
        verification.off || acks == Acks::None || verification.verified >= verification.acknowledged;
    verification.is_clean() && all_read
}

/// Each connection is an open file, and the usual limit is 1024: it is raised as far as we may.
pub(super) fn allow_connections(workload: &Workload) -> Result<(), LoadError> {
    let readers = u64::from(workload.consumers) * u64::from(workload.groups);
    let connections = u64::from(workload.producers) + readers + u64::from(workload.idle_connections);
    let wanted = connections + FILES_BESIDE_CONNECTIONS;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    limit.current = limit.maximum;
    if limit.maximum.is_some_and(|maximum| maximum < wanted) || setrlimit(Resource::Nofile, limit).is_err() {
        return Err(LoadError::failed(
            format!("{connections} connections need more open files than this process may have"),
            format!("raise the limit with `ulimit -n {wanted}`, or ask for fewer connections"),
        ));
    }
    Ok(())
}
