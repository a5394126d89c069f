//! Makes a run: the only part of the generator with sockets, threads and clocks.
//!
//! Decides the order of things: topics, offsets, connections, threads, the schedule, the last answers, reading back, the report.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "sockets, threads and clocks live here"
)]

mod book;
mod clock;
mod cluster;
mod control;
mod line;
mod link;
mod outcome;
mod plan;
mod shared;
#[cfg(test)]
mod tests;
mod threads;
mod worker;

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use core::time::Duration;

use crate::chance::Chance;
use crate::error::LoadError;
use crate::host::HostMeter;
use crate::process::ProcessMeter;
use crate::recorder::Interval;
use crate::report::{RunReport, Second, Verification};
use crate::window::Stop;
use crate::workload::{Acks, ConsumeFrom, Options, Verify, Workload};

use book::Book;
use clock::{Clock, nanoseconds};
use cluster::{Cluster, EARLIEST, LATEST};
use control::Control;
use outcome::Outcome;
use plan::LineSetup;
use shared::{Presence, Shared, Tick};
use threads::{Crew, Threads};

/// How long answers are waited for when the schedule is over, at least: as long as a broker may take for a Produce.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(31);
/// How long consumers may take to catch up before what they have not read is read after the run.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(5);
/// A broker that was restarted may recover for long.
const RESTART_WITHIN: Duration = Duration::from_secs(300);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(2);

/// Makes one run against the broker of `options` and tells of each second of it. Once `stop` is wished nothing more is due: what is
/// outstanding is awaited and judged as at the end of a whole run.
pub fn run(
    workload: &Workload,
    options: &Options,
    stop: &Stop,
    on_second: &mut dyn FnMut(&Second),
) -> Result<RunReport, LoadError> {
    let clock = Clock::start();
    let started_unix_ms = clock.unix_ms_at_zero().unsigned_abs();
    let mut control = Control::connect(&options.bootstrap)?;
    let loopback = control.peer().ip().is_loopback();
    let cluster = Cluster::prepare(&mut control, workload)?;
    let run = run_number();
    let reads = workload.consumers > 0 && workload.groups > 0;
    let log_ends = match options.verify {
        Verify::Off if !reads => Vec::new(),
        _ => cluster.offsets(workload.partitions, LATEST)?,
    };
    let book = (options.verify != Verify::Off).then(|| Book::new(&log_ends, run));
    let lines = make_lines(workload, options, &cluster, &clock, run, &log_ends, book.as_ref())?;
    let mut running = Running::start(workload, options, &cluster, clock, lines, run, book.clone())?;
    running.measure(stop, on_second)?;
    let mut outcome = running.finish()?;
    outcome.loopback = loopback;
    let verification = match book {
        None => Verification { off: true, ..Verification::default() },
        Some(book) => read_back(workload, options, &cluster, clock, run, &log_ends, book)?,
    };
    outcome.report(workload, options, started_unix_ms, verification)
}

fn run_number() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Chance::new(since.as_nanos() as u64, u64::from(std::process::id())).number() as u32
}

fn make_lines(
    workload: &Workload,
    options: &Options,
    cluster: &Cluster,
    clock: &Clock,
    run: u32,
    log_ends: &[i64],
    book: Option<&Book>,
) -> Result<Vec<LineSetup>, LoadError> {
    let wording = plan::wording(workload, cluster);
    let mut lines = plan::producers(workload, cluster, &wording, run, clock.unix_ms_at_zero(), book)?;
    if workload.consumers > 0 && workload.groups > 0 {
        let starts = match workload.consume_from {
            ConsumeFrom::End => log_ends.to_vec(),
            ConsumeFrom::Beginning => cluster.offsets(workload.partitions, EARLIEST)?,
        };
        // What a restart may change is judged after it.
        let judge = book.filter(|_| options.verify == Verify::On);
        lines.extend(plan::consumers(workload, cluster, &starts, judge)?);
    }
    lines.extend(plan::idle(workload, cluster)?);
    Ok(lines)
}

/// A run whose threads are at work.
struct Running<'a> {
    workload: &'a Workload,
    options: &'a Options,
    threads: Threads,
    book: Option<Book>,
    /// Ticks of seconds that not all threads have told of.
    pending: Vec<(Interval, u64, Vec<i64>, usize)>,
    timeline: Vec<Second>,
    ledger_bytes_max: u64,
    host: HostMeter,
    process: Option<ProcessMeter>,
    outcome: Outcome,
}

impl<'a> Running<'a> {
    fn start(
        workload: &'a Workload,
        options: &'a Options,
        cluster: &Cluster,
        clock: Clock,
        lines: Vec<LineSetup>,
        run: u32,
        book: Option<Book>,
    ) -> Result<Running<'a>, LoadError> {
        let shared = Shared::new(clock, options, Presence::new(workload.producers));
        let crew = Crew { workload, wording: plan::wording(workload, cluster), run, measures: true };
        let threads = Threads::start(&crew, options, shared, lines)?;
        let process = options.broker_pid.map(ProcessMeter::start).transpose()?;
        Ok(Running {
            workload,
            options,
            threads,
            book,
            pending: Vec::new(),
            timeline: Vec::new(),
            ledger_bytes_max: 0,
            host: HostMeter::start(),
            process,
            outcome: Outcome::default(),
        })
    }

    /// Until the schedule is over, and what was asked is answered, and what consumers were to read is read.
    fn measure(&mut self, stop: &Stop, on_second: &mut dyn FnMut(&Second)) -> Result<(), LoadError> {
        let begin = self.threads.window().begin;
        self.collect_while(begin, on_second, |_| !stop.is_wished())?;
        self.host = HostMeter::start();
        self.process = self.options.broker_pid.map(ProcessMeter::start).transpose()?;
        let end = self.threads.window().end.clone();
        self.collect_while(end.moment(), on_second, |_| !stop.is_wished())?;
        let now = self.threads.shared().clock.now();
        if now < end.moment() {
            end.bring_forward(now);
            self.outcome.stopped_early = true;
        }
        self.outcome.machine = self.host.end(false);
        self.outcome.broker = self.process.as_ref().and_then(|process| process.end(0, 0));
        let patience = LAST_ANSWERS_WITHIN.max(self.options.reconnect_for);
        let given_up = end.moment() + nanoseconds(patience);
        let count = self.threads.count();
        self.collect_while(given_up, on_second, |running| {
            running.threads.shared().done.load(Ordering::Acquire) < count
        })?;
        if self.options.verify == Verify::On && self.workload.consumers > 0 && self.workload.groups > 0 {
            let given_up = self.threads.shared().clock.now() + nanoseconds(CATCH_UP_WITHIN);
            self.collect_while(given_up, on_second, |running| {
                running
                    .book
                    .as_ref()
                    .is_some_and(|book| book.read_positions().iter().sum::<i64>() < book.acknowledged_ends())
            })?;
        }
        Ok(())
    }

    /// Takes ticks until `given_up`, or until `wanted` says no.
    fn collect_while(
        &mut self,
        given_up: u64,
        on_second: &mut dyn FnMut(&Second),
        wanted: impl Fn(&Running<'_>) -> bool,
    ) -> Result<(), LoadError> {
        loop {
            self.threads.check()?;
            while let Some(tick) = self.threads.try_tick() {
                self.on_tick(tick, on_second)?;
            }
            let now = self.threads.shared().clock.now();
            if now >= given_up || !wanted(self) {
                return Ok(());
            }
            let is_measuring = now < self.threads.window().end.moment();
            let most = if is_measuring { Duration::from_millis(100) } else { LOOK_AGAIN_AFTER };
            if let Some(tick) = self.threads.tick_within(Duration::from_nanos(given_up - now).min(most)) {
                self.on_tick(tick, on_second)?;
            }
        }
    }

    fn on_tick(&mut self, tick: Tick, on_second: &mut dyn FnMut(&Second)) -> Result<(), LoadError> {
        let at = tick.second as usize - self.timeline.len();
        if at >= self.pending.len() {
            let groups = vec![0; self.workload.groups as usize];
            self.pending.resize_with(at + 1, || (Interval::new(), 0, groups.clone(), 0));
        }
        let (interval, backlog, positions, told) = &mut self.pending[at];
        interval.merge(&tick.interval);
        *backlog += tick.backlog;
        for (sum, position) in positions.iter_mut().zip(&tick.positions) {
            *sum += position;
        }
        *told += 1;
        let all = self.threads.count();
        while self.pending.first().is_some_and(|(.., told)| *told == all) {
            let (interval, backlog, positions, _) = self.pending.remove(0);
            let second = self.second(&interval, backlog, &positions);
            on_second(&second);
            self.timeline.push(second);
            self.check_ledger()?;
        }
        Ok(())
    }

    fn second(&self, interval: &Interval, backlog_batches: u64, positions: &[i64]) -> Second {
        let number = self.timeline.len() as u32;
        let at = |quantile| {
            if interval.response.is_empty() { 0 } else { interval.response.value_at_quantile(quantile) }
        };
        let reads = self.workload.consumers > 0 && self.workload.groups > 0;
        let lag_records = self.book.as_ref().filter(|_| reads).map(|book| {
            let slowest = positions.iter().min().copied().unwrap_or(0);
            u64::try_from(book.acknowledged_ends() - slowest).unwrap_or(0)
        });
        let presence = &self.threads.shared().presence;
        presence.forget_partial_loss(self.workload.producers);
        Second {
            second: number,
            warm_up: Duration::from_secs(u64::from(number)) < self.workload.warm_up,
            records: interval.records,
            bytes: interval.bytes,
            consumed_records: interval.consumed_records,
            errors: interval.errors,
            response_p50_ns: at(0.5),
            response_p99_ns: at(0.99),
            response_p999_ns: at(0.999),
            response_max_ns: if interval.response.is_empty() { 0 } else { interval.response.max() },
            backlog_batches,
            lag_records,
            connected: presence.connected(),
        }
    }

    fn check_ledger(&mut self) -> Result<(), LoadError> {
        let bytes = self.book.as_ref().map_or(0, Book::bytes);
        self.ledger_bytes_max = self.ledger_bytes_max.max(bytes);
        if bytes <= self.options.ledger_bytes_max {
            return Ok(());
        }
        Err(LoadError::failed(
            format!("the ledger of what is to be read back has grown to {} MB", bytes / 1_000_000),
            "raise --ledger-bytes-max, let consumers read during the run, or run shorter",
        ))
    }

    /// Ends the threads and takes what they have measured.
    fn finish(mut self) -> Result<Outcome, LoadError> {
        let outages = self.threads.shared().presence.take_outages();
        let left = self.threads.finish()?;
        let mut outcome = std::mem::take(&mut self.outcome);
        outcome.seconds = self.threads.window().seconds();
        outcome.timeline = std::mem::take(&mut self.timeline);
        outcome.ledger_bytes_max = self.ledger_bytes_max.max(self.book.as_ref().map_or(0, Book::bytes));
        outcome.take(left, outages);
        if outcome.acknowledged_batches() == 0
            && self.workload.acks != Acks::None
            && self.workload.producers > 0
        {
            if outcome.stopped_early {
                return Err(LoadError::failed("stopped before a batch was acknowledged", ""));
            }
            return Err(LoadError::failed(
                format!("no batch was acknowledged: {}", outcome.errors_in_words()),
                "look at the broker's log",
            ));
        }
        Ok(outcome)
    }
}

/// Reads what nobody has read and judges.
fn read_back(
    workload: &Workload,
    options: &Options,
    cluster: &Cluster,
    clock: Clock,
    run: u32,
    log_ends_before: &[i64],
    book: Book,
) -> Result<Verification, LoadError> {
    let mut restarted_cluster = None;
    if let Verify::AfterRestart { command } = &options.verify {
        restart(command)?;
        let within = RESTART_WITHIN.max(options.reconnect_for);
        restarted_cluster = Some(Cluster::wait_until_back(&options.bootstrap, workload, within)?);
    }
    let restarted = restarted_cluster.is_some();
    let cluster = restarted_cluster.as_ref().unwrap_or(cluster);
    let log_ends = cluster.offsets(workload.partitions, LATEST)?;
    let starts = if restarted { log_ends_before.to_vec() } else { book.read_positions() };
    let count = workload.consumers.max(options.cpus.len().max(1) as u32);
    let lines = plan::readers(workload, cluster, count, 0, &starts, Some(&log_ends), Some(&book))?;
    if !lines.is_empty() {
        let shared = Shared::new(clock, options, Presence::default());
        let crew = Crew { workload, wording: plan::wording(workload, cluster), run, measures: false };
        let mut threads = Threads::start(&crew, options, shared, lines)?;
        wait_for_readers(&mut threads, options, &book)?;
        threads.finish()?;
    }
    let partitions = workload.partitions as usize;
    let name = |index: usize| format!("{}-{}", cluster.topics[index / partitions], index % partitions);
    let mut verification = book.finish(&log_ends, name);
    verification.restarted = restarted;
    Ok(verification)
}

/// Until all is read, or nothing has moved for as long as a broker may be away.
fn wait_for_readers(threads: &mut Threads, options: &Options, book: &Book) -> Result<(), LoadError> {
    let patience = nanoseconds(LAST_ANSWERS_WITHIN.max(options.reconnect_for));
    let count = threads.count();
    let mut read: i64 = book.read_positions().iter().sum();
    let mut moved_at = threads.shared().clock.now();
    let mut looked_at = moved_at;
    while threads.shared().done.load(Ordering::Acquire) < count {
        threads.check()?;
        // Nobody ticks in a reading back; this only waits.
        let _ = threads.tick_within(LOOK_AGAIN_AFTER);
        let now = threads.shared().clock.now();
        if now - looked_at < nanoseconds(Duration::from_millis(200)) {
            continue;
        }
        looked_at = now;
        let sum = book.read_positions().iter().sum();
        if sum != read {
            (read, moved_at) = (sum, now);
        }
        if now - moved_at > patience {
            return Err(LoadError::failed(
                format!("reading back has stood still for {} s", patience / 1_000_000_000),
                "look at the broker's log",
            ));
        }
    }
    Ok(())
}

fn restart(command: &str) -> Result<(), LoadError> {
    let failed = |why: String| {
        LoadError::failed(
            format!("the restart command {why}"),
            "it must end with 0 once the broker is on its way",
        )
    };
    let status =
        Command::new("sh").arg("-c").arg(command).status().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(format!("ended with {status}"))) }
}
