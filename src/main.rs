//! The command line: arguments become a configuration and options, and the broker runs.
//!
//! Decides what the commands mean and what a person is told. Everything else is the library's.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the process starts here")]

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use loadgen::cli::LoadCommand;
use loadgen::words::Word;
use penstock::config::{Config, ConfigError, Origin, RawConfig};
use penstock::runtime::{self, Options, Ready, StartError, preflight};
use tracing_subscriber::EnvFilter;

/// Frames come and go by the hundred thousand a second, first in, first out: docs/decisions/0006.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A Kafka-compatible broker: one shard per core, durable by default.
#[derive(Debug, Parser)]
#[command(name = "penstock", version, max_term_width = 120)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A broker for this machine, at once: 127.0.0.1:9092, topics are created when first used
    Dev(Dev),
    /// A broker for others
    Serve(Serve),
    /// Measure a broker, ours or another, and verify that it keeps what it acknowledges
    Load(LoadCommand),
}

/// The command line is wrong: not 2, which `load` has for a broker that lost records.
const EXIT_USAGE: u8 = 64;

#[derive(Debug, Args)]
struct Dev {
    /// Where the data is kept [default: penstock in your data directory]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where clients connect
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    listen: Vec<String>,
    /// Drive it with a moderate load for so long, show its latencies, and verify every record
    #[arg(long, value_name = "TIME")]
    load: Option<Word<Duration>>,
    /// End after the load: 0 if every record was verified; without --data-dir the data is removed
    #[arg(long, requires = "load")]
    exit: bool,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Debug, Args)]
struct Serve {
    /// Where the data is kept; one broker per directory
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    data_dir: Option<PathBuf>,
    /// Where clients connect; give it once per listener [default: PLAINTEXT://:9092]
    #[arg(long, value_name = "[NAME://]HOST:PORT", num_args = 1..)]
    listen: Vec<String>,
    /// What clients are told to connect to, by listener [default: as --listen]
    #[arg(long, value_name = "[NAME://]HOST:PORT", num_args = 1..)]
    advertise: Vec<String>,
    /// A file of Kafka's server.properties; other options win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Debug, Args)]
struct Machine {
    /// The cores to run on, such as 0,2-5 [default: all that are allowed]
    #[arg(long, value_name = "LIST", value_parser = parse_cpus)]
    cpus: Option<CpuList>,
    /// How many shards [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// Let the kernel move shards between cores
    #[arg(long)]
    no_pin: bool,
    /// Set one key of the configuration; docs/CONFIG.md lists them
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Serve /metrics, /livez and /readyz over HTTP, for this host only unless you say otherwise
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<SocketAddr>,
}

#[derive(Debug, Clone)]
struct CpuList(Vec<usize>);

fn parse_cpus(text: &str) -> Result<CpuList, String> {
    preflight::parse_cpus(text).map(CpuList)
}

fn main() -> ExitCode {
    let started = Instant::now();
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    start_log();
    let result = match command_line.command {
        Command::Dev(dev) => run_dev(dev, started),
        Command::Serve(serve) => run_serve(serve, started),
        Command::Load(load) => Ok(loadgen::cli::run(load)),
    };
    result.unwrap_or_else(|error| {
        // Nobody can be told if the standard error is closed.
        let _ = writeln!(io::stderr(), "penstock: {error}");
        ExitCode::FAILURE
    })
}

/// Warnings, and how far a long start is, to the standard error; `PENSTOCK_LOG` asks for more, in the syntax of tracing's filters.
fn start_log() {
    let filter = EnvFilter::try_from_env("PENSTOCK_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,penstock::start=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

fn run_dev(dev: Dev, started: Instant) -> Result<ExitCode, StartError> {
    let mut raw = RawConfig::default();
    set(&mut raw, "auto.create.topics.enable", "true")?;
    set_listeners(&mut raw, "listeners", &dev.listen)?;
    let passing = passing_data_dir(&dev);
    let data_dir = dev.data_dir.or_else(|| passing.clone()).unwrap_or_else(preflight::default_data_dir);
    let options = options(raw, Some(data_dir), dev.machine, started)?;
    let exit_code = Arc::new(OnceLock::new());
    let result = runtime::run(options, |ready| {
        let exit = dev.exit.then(|| Arc::clone(&exit_code));
        tell(&if dev.exit { serve_banner(ready) } else { dev_banner(ready) });
        if let Some(Word(duration)) = dev.load {
            start_load(ready, duration, exit);
        }
    });
    if let Some(folder) = passing {
        // What is left behind is a folder that nobody uses again.
        let _ = std::fs::remove_dir_all(folder);
    }
    Ok(exit_code.get().map_or(result?, |code| ExitCode::from(*code)))
}

/// A run that ends by itself leaves nothing behind, unless it was told where.
fn passing_data_dir(dev: &Dev) -> Option<PathBuf> {
    let name = format!("penstock-load-{}", std::process::id());
    (dev.exit && dev.data_dir.is_none()).then(|| preflight::default_data_dir().with_file_name(name))
}

/// Beside the broker, on a thread of its own. With `exit` the broker stops after it, as if by a signal.
fn start_load(ready: &Ready, duration: Duration, exit: Option<Arc<OnceLock<u8>>>) {
    let bootstrap = ready.listeners.first().map(|(_, address)| address.to_string()).unwrap_or_default();
    thread::spawn(move || {
        let code = loadgen::cli::run_on_embedded(&bootstrap, duration);
        if let Some(exit) = exit {
            exit.get_or_init(|| code);
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
        }
    });
}

fn run_serve(serve: Serve, started: Instant) -> Result<ExitCode, StartError> {
    let mut raw = RawConfig::default();
    if let Some(path) = &serve.config {
        let text = std::fs::read_to_string(path).map_err(|error| {
            StartError::new(
                format!("cannot read {}: {error}", path.display()),
                "name a readable file with --config",
            )
        })?;
        let warnings = raw.set_from_properties(&text, &path.display().to_string()).map_err(refused)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    }
    set_listeners(&mut raw, "listeners", &serve.listen)?;
    set_listeners(&mut raw, "advertised.listeners", &serve.advertise)?;
    let options = options(raw, serve.data_dir, serve.machine, started)?;
    runtime::run(options, |ready| tell(&serve_banner(ready)))
}

fn options(
    mut raw: RawConfig,
    data_dir: Option<PathBuf>,
    machine: Machine,
    started: Instant,
) -> Result<Options, StartError> {
    if let Some(data_dir) = &data_dir {
        set(&mut raw, "log.dirs", &absolute(data_dir).display().to_string())?;
    }
    if let Some(shards) = machine.shards {
        set(&mut raw, "shards", &shards.to_string())?;
    }
    for assignment in &machine.set {
        if let Some(warning) = raw.set_assignment(assignment).map_err(refused)? {
            tracing::warn!("{warning}");
        }
    }
    let config = Config::validate(&raw).map_err(refused)?;
    let data_dirs = config.log_dirs.iter().map(PathBuf::from).collect();
    let cpus = machine.cpus.map(|CpuList(cpus)| cpus);
    Ok(Options { config, data_dirs, cpus, pin: !machine.no_pin, admin: machine.admin, started })
}

fn set(raw: &mut RawConfig, key: &str, value: &str) -> Result<(), StartError> {
    if let Some(warning) = raw.set(key, value, Origin::CommandLine).map_err(refused)? {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// `HOST:PORT` is short for the listener PLAINTEXT.
fn set_listeners(raw: &mut RawConfig, key: &str, listeners: &[String]) -> Result<(), StartError> {
    if listeners.is_empty() {
        return Ok(());
    }
    let full = |listener: &String| {
        if listener.contains("://") { listener.clone() } else { format!("PLAINTEXT://{listener}") }
    };
    let full: Vec<String> = listeners.iter().map(full).collect();
    let names = full.iter().filter_map(|listener| listener.split("://").next());
    let own: Vec<String> = names
        .filter(|name| !["SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(name))
        .map(|name| format!("{name}:PLAINTEXT"))
        .collect();
    if key == "listeners"
        && full.iter().any(|listener| !listener.starts_with("PLAINTEXT://"))
        && !own.is_empty()
    {
        set(raw, "listener.security.protocol.map", &own.join(","))?;
    }
    set(raw, key, &full.join(","))
}

fn refused(error: ConfigError) -> StartError {
    StartError::new(format!("configuration: {error}"), String::new())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whoever started the broker may not listen.
fn tell(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn cores(ready: &Ready) -> String {
    match &ready.cpus {
        Some(cpus) => format!("{} shards on cores {}", ready.shards, preflight::ranges(cpus)),
        None => format!("{} shards, not pinned", ready.shards),
    }
}

fn data_dirs(ready: &Ready) -> String {
    let shown: Vec<String> = ready.data_dirs.iter().map(|path| path.display().to_string()).collect();
    shown.join(", ")
}

fn ready_line(ready: &Ready) -> String {
    let listeners: Vec<String> =
        ready.listeners.iter().map(|(name, address)| format!("{name}://{address}")).collect();
    format!("penstock is ready on {} after {} ms\n", listeners.join(", "), ready.took.as_millis())
}

fn serve_banner(ready: &Ready) -> String {
    let admin = ready.admin.map(|address| format!("  admin  http://{address}/metrics\n")).unwrap_or_default();
    format!(
        "  data   {}\n  cores  {}\n  cluster {}\n{admin}{}",
        data_dirs(ready),
        cores(ready),
        ready.cluster_id,
        ready_line(ready)
    )
}

fn dev_banner(ready: &Ready) -> String {
    let address = ready.listeners.first().map(|(_, address)| address.to_string()).unwrap_or_default();
    format!(
        "{}\n  try it:\n    \
         echo hello | kcat -b {address} -P -t first\n    \
         kcat -b {address} -C -t first -e\n    \
         kafka-topics.sh --bootstrap-server {address} --create --topic second --partitions 3\n    \
         kafka-console-producer.sh --bootstrap-server {address} --topic second\n    \
         kafka-console-consumer.sh --bootstrap-server {address} --topic second --partition 0 --offset earliest\n  \
         stop it: Ctrl-C\n",
        serve_banner(ready)
    )
}
