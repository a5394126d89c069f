//! The null broker as a command, and as a child process beside a run.
//!
//! Decides which cores they have: a child has the last one that is allowed, the generator the first, so that neither waits for the other.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity};

use super::{Console, NullBroker};
use crate::error::LoadError;
use crate::null_broker::{self, AddedDelay, NullBrokerOptions};
use crate::settings::Settings;
use crate::workload::Verify;

const READY: &str = "the null broker is ready on ";

pub(super) fn serve(flags: &NullBroker, console: &mut Console<'_>) -> Result<u8, LoadError> {
    if flags.until_input_ends {
        thread::spawn(|| {
            let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
    }
    let delay = AddedDelay {
        usual: flags.added_delay.0,
        slow_every: flags.slow_every,
        slow: flags.slow_delay.as_ref().map_or(Duration::ZERO, |delay| delay.0),
    };
    let options = NullBrokerOptions { partitions: flags.partitions, cpu: flags.cpu, delay };
    null_broker::serve(flags.listen, &options, |address| console.say(&format!("{READY}{address}\n")))?;
    Ok(0)
}

/// A null broker that lives as long as this value.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one, and lets the run drive and measure it. It keeps nothing: there is nothing to read, and nothing to verify.
pub(super) fn start_for(settings: &mut Settings) -> Result<Running, LoadError> {
    let Settings { workload, options, .. } = settings;
    workload.consumers = 0;
    options.verify = Verify::Off;
    let allowed = allowed_cpus();
    let mut arguments = [
        "load",
        "null-broker",
        "--until-input-ends",
        "--listen",
        "127.0.0.1:0",
        "--partitions",
        &workload.partitions.to_string(),
    ]
    .map(String::from)
    .to_vec();
    if let (Some(first), Some(last), true) = (allowed.first(), allowed.last(), allowed.len() > 1) {
        arguments.extend(["--cpu".to_owned(), last.to_string()]);
        if options.cpus.is_empty() {
            options.cpus = vec![*first];
        }
    }
    let refuse = |error: std::io::Error| {
        LoadError::failed(
            format!("the null broker does not start: {error}"),
            "start it with `penstock load null-broker`",
        )
    };
    let program = std::env::current_exe().map_err(refuse)?;
    let mut command = Command::new(program);
    // A terminal's Ctrl-C ends the load, which awaits its last answers from this broker.
    command.args(arguments).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let child = command.spawn();
    let mut running = Running { child: child.map_err(refuse)? };
    let output = running.child.stdout.take().expect("it was asked for");
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).map_err(refuse)?;
    let address =
        line.trim().strip_prefix(READY).ok_or_else(|| refuse(std::io::ErrorKind::UnexpectedEof.into()))?;
    options.bootstrap = address.to_owned();
    options.broker_pid = Some(running.child.id());
    Ok(running)
}

fn allowed_cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}
