//! `penstock load`: its commands, their flags and their exit codes.
//!
//! Decides what a command line means and what a person is told. What a run is, is decided by the engine, which is handed in: the tests
//! hand in another one.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the command line of a program")]

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::engine;
use crate::error::{ErrorKind, LoadError};
use crate::figures::Paint;
use crate::presets;
use crate::report::{RunReport, Second};
use crate::saturate::Slo;
use crate::settings::{self, RawSettings, Settings, WorkloadFile};
use crate::window::Stop;
use crate::words::Word;
use crate::workload::{Options, Workload};

mod null;
mod several;
mod single;
#[cfg(test)]
mod tests;

/// Measures a broker with load that does not wait for it, and reads back everything that was acknowledged
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = examples(), after_long_help = long_examples())]
pub struct LoadCommand {
    #[command(subcommand)]
    how: Option<How>,
    #[command(flatten)]
    single: Box<Single>,
}

#[derive(Debug, Subcommand)]
enum How {
    /// Two brokers in turns, A B, B A, ...: ratios with a 95 % interval
    Pair(Box<Pair>),
    /// Two reports of --json side by side
    Compare(Compare),
    /// The highest rate that keeps a promise, and the latencies below it
    Saturate(Box<Saturate>),
    /// A broker that acknowledges and forgets: what the generator itself can do
    NullBroker(NullBroker),
}

#[derive(Debug, Args)]
struct Load {
    #[command(flatten)]
    settings: RawSettings,
    /// A workload file: TOML, its keys are called as the flags are; flags win over it
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Single {
    #[command(flatten)]
    load: Load,
    /// Write the report there, for `compare` and for programs
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    json: Option<PathBuf>,
    /// Write the response's percentiles there, as HdrHistogram's tools do
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    hdr: Option<PathBuf>,
    /// Only the last page, no line for each second
    #[arg(long, help_heading = "Output")]
    quiet: bool,
    /// Print the workload as a file for --file, and run nothing
    #[arg(long, help_heading = "Output")]
    print_workload: bool,
    /// Drive a broker of our own that does nothing, on another core: what the generator itself can do and costs
    #[arg(long, conflicts_with_all = ["bootstrap", "broker_pid"], help_heading = "Generator")]
    null_broker: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  penstock load pair --a 127.0.0.1:9092/4711 --b 127.0.0.1:9192/4712 --rate 20k\n"
)]
struct Pair {
    /// The first broker; with its process id its processor time is measured
    #[arg(long, value_name = "HOST:PORT[/PID]")]
    a: Side,
    /// The second broker
    #[arg(long, value_name = "HOST:PORT[/PID]")]
    b: Side,
    /// Pairs that must be undisturbed by the hypervisor
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: u32,
    /// The share of its time that the hypervisor may take from a run that counts, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    steal_max: f64,
    /// Write the reports of all pairs there
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    json: Option<PathBuf>,
    #[command(flatten)]
    load: Load,
}

#[derive(Debug, Args)]
struct Compare {
    /// The report of the first run
    a: PathBuf,
    /// The report of the second run
    b: PathBuf,
    /// Compare different workloads all the same
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A rate holds if the promise is kept, 99.5 % of it is reached, and neither backlog nor lag grows.\n\n\
    Example:\n  penstock load saturate --slo p99=10ms --duration 30s --rate 10k\n"
)]
struct Saturate {
    /// The promise about the response, such as p99=10ms or p99.9=50ms
    #[arg(long, value_name = "QUANTILE=TIME", default_value = "p99=10ms")]
    slo: Slo,
    /// Write the reports of the curve there
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    json: Option<PathBuf>,
    #[command(flatten)]
    load: Load,
}

#[derive(Debug, Args)]
struct NullBroker {
    /// Where clients connect
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
    /// Of topics that were not created
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    partitions: u32,
    /// Answer every Produce so much later: latencies are known beforehand, so that the generator's can be checked
    #[arg(long, value_name = "TIME", default_value = "0")]
    added_delay: Word<Duration>,
    /// One in so many is answered later by --slow-delay instead, and holds up those behind it: a known tail
    #[arg(long, value_name = "N", requires = "slow_delay")]
    slow_every: Option<NonZeroU64>,
    /// How much later that one is answered
    #[arg(long, value_name = "TIME", requires = "slow_every")]
    slow_delay: Option<Word<Duration>>,
    /// The core it runs on
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// End when the standard input does: whoever started it is gone
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

/// One broker of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Side {
    bootstrap: String,
    pid: Option<u32>,
}

impl std::str::FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Side, String> {
        let Some((bootstrap, pid)) = text.split_once('/') else {
            return Ok(Side { bootstrap: text.to_owned(), pid: None });
        };
        let pid = pid
            .parse()
            .map_err(|_| format!("`{pid}` is no process id; write it like 127.0.0.1:9092/4711"))?;
        Ok(Side { bootstrap: bootstrap.to_owned(), pid: Some(pid) })
    }
}

/// One run, a line for each second on the way.
type Drive<'a> = dyn FnMut(&Workload, &Options, &mut dyn FnMut(&Second)) -> Result<RunReport, LoadError> + 'a;

/// Where people read. Whoever closed it does not listen: errors of writing are no errors of a run.
struct Console<'a> {
    out: &'a mut dyn Write,
    paint: Paint,
}

impl Console<'_> {
    fn say(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

#[must_use]
pub fn run(command: LoadCommand) -> ExitCode {
    let mut out = io::stdout();
    let mut console = Console { paint: Paint { colours: colours() }, out: &mut out };
    ExitCode::from(told(run_until_signalled(command, &mut console)))
}

/// The first signal ends the run with a report; it is heard from here on, so that a broker of our own keeps its own signals.
fn run_until_signalled(command: LoadCommand, console: &mut Console<'_>) -> Result<u8, LoadError> {
    if let Some(How::NullBroker(options)) = &command.how {
        return null::serve(options, console);
    }
    let stop = Stop::on_signals()
        .map_err(|error| LoadError::failed(format!("signals cannot be heard: {error}"), ""))?;
    let mut drive = |workload: &Workload, options: &Options, on_second: &mut dyn FnMut(&Second)| {
        engine::run(workload, options, &stop, on_second)
    };
    dispatch(command, &mut drive, &stop, console)
}

/// A sensible load on a broker that was started beside us; the exit code of its run.
///
/// Broker and generator share their cores here, so the run shows rather than measures: that it is generator-limited is told, and is
/// no failure.
#[must_use]
pub fn run_on_embedded(bootstrap: &str, duration: Duration) -> u8 {
    let mut out = io::stdout();
    let mut console = Console { paint: Paint { colours: colours() }, out: &mut out };
    let raw = RawSettings {
        bootstrap: Some(bootstrap.to_owned()),
        duration: Some(Word(duration)),
        warm_up: Some(Word(Duration::from_secs(1))),
        ..RawSettings::default()
    };
    let settled = settings::settle(&raw, None);
    // The broker beside us hears the signals.
    let mut drive = |workload: &Workload, options: &Options, on_second: &mut dyn FnMut(&Second)| {
        engine::run(workload, options, &Stop::default(), on_second)
    };
    let code =
        told(settled.and_then(|settings| single::run_settled(&settings, None, &mut drive, &mut console)));
    if code == ErrorKind::Invalid.exit_code() { 0 } else { code }
}

fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn told(result: Result<u8, LoadError>) -> u8 {
    result.unwrap_or_else(|error| {
        // Nobody can be told if the standard error is closed.
        let _ = writeln!(io::stderr(), "penstock load: {error}");
        error.kind.exit_code()
    })
}

fn dispatch(
    command: LoadCommand,
    drive: &mut Drive<'_>,
    stop: &Stop,
    console: &mut Console<'_>,
) -> Result<u8, LoadError> {
    match command.how {
        None => single::run(&command.single, drive, console),
        Some(How::Pair(pair)) => several::pair(&pair, drive, stop, console),
        Some(How::Compare(compare)) => several::compare(&compare, console),
        Some(How::Saturate(saturate)) => several::saturate(&saturate, drive, stop, console),
        Some(How::NullBroker(options)) => null::serve(&options, console),
    }
}

impl Load {
    fn settle(&self) -> Result<Settings, LoadError> {
        let Some(path) = &self.file else { return settings::settle(&self.settings, None) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            LoadError::failed(format!("{name} cannot be read: {error}"), "name a readable file with --file")
        })?;
        settings::settle(&self.settings, Some(WorkloadFile { name: &name, text: &text }))
    }
}

fn examples() -> String {
    format!(
        "Presets:\n{}\nExamples:\n  \
         penstock load                                          10000 records/s for 30 s, to 127.0.0.1:9092\n  \
         penstock load --preset tail-latency --expect 'response.p99<5ms'\n  \
         penstock load --rate 50MB/s --record-bytes 100 --batch-bytes 64KiB --codec lz4\n  \
         penstock load --preset throughput --broker-pid $(pidof penstock) --json before.json\n  \
         penstock load --null-broker --rate max                 what the generator itself can do\n\n\
         Exit codes:\n  \
         0   verified\n  \
         1   the run could not be made, or ended early\n  \
         2   verification failed\n  \
         3   the figures do not count, or an expectation does not hold\n  \
         64  the command line is wrong\n\n\
         Ctrl-C ends a run early, with its report; a second one at once.\n",
        presets::descriptions()
    )
}

fn long_examples() -> String {
    format!(
        "{}\nWhat is measured:\n  \
         response    from the moment a batch was due, by a schedule that waits for nobody, to its answer\n  \
         service     from the first byte written to the answer\n  \
         delay       the generator's own fault; large: its figures do not count\n  \
         end to end  from the moment it was due until a reader has it\n\n\
         Against a broker that restarts:\n  \
         penstock load --duration 60s --verify-after 'systemctl restart broker'\n  \
         (kill the broker during the run as often as you like: --reconnect-for says how long it may be away)\n",
        examples()
    )
}
