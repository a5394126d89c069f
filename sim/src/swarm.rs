//! Many seeds on all cores, and the table of mutations. Each worker is a process of its own, so that a broker that
//! aborts is one failed seed and not the end of the swarm.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the swarm itself runs in real time, on real threads; the worlds in it do not"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::coverage::Coverage;
use crate::mutations::Mutation;
use crate::{run_seed, world::Outcome};

/// Every so many seeds one is run twice, to see that it is the same.
const REPEATED_EVERY: u64 = 50;

/// Whoever watches a swarm hears of it this often.
const PROGRESS: Duration = Duration::from_secs(10);

/// What a worker is to do: seeds `from`, `from + stride` ... below `to`.
#[derive(Debug, Clone)]
pub struct Job {
    pub from: u64,
    pub to: u64,
    pub stride: u64,
    pub mutation: Option<String>,
}

/// A line from a worker.
#[derive(Debug)]
enum Line {
    Begin(u64),
    Fine(Totals),
    Failed(u64, String),
    Panic(String),
    Cover(String, u64),
    /// The worker is gone.
    End,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    steps: u64,
    crashes: u64,
    commits: u64,
    acknowledged: u64,
}

/// The body of a worker process: one line for each thing that the parent must know.
pub fn work(job: &Job) -> std::io::Result<()> {
    let mutation =
        job.mutation.as_deref().map_or(Some(Mutation::default()), Mutation::named).unwrap_or_default();
    // The broker's last words, where the parent finds them: stderr is for people.
    std::panic::set_hook(Box::new(|panic| println!("panic {}", panic.to_string().replace('\n', " "))));
    let mut out = std::io::stdout().lock();
    let mut coverage = Coverage::default();
    let mut seed = job.from;
    while seed < job.to {
        writeln!(out, "begin {seed}")?;
        out.flush()?;
        let outcome = run_seed(seed, mutation);
        coverage.merge(&outcome.coverage);
        let repeats = !seed.is_multiple_of(REPEATED_EVERY) || run_seed(seed, mutation).hash == outcome.hash;
        if !repeats {
            writeln!(out, "failed {seed} a seed repeats itself exactly: the hashes of two runs differ")?;
        } else if outcome.violations.is_empty() {
            let Outcome { steps, crashes, commits, acknowledged, .. } = outcome;
            writeln!(out, "fine {steps} {crashes} {commits} {acknowledged}")?;
        } else {
            let what = outcome.violations.join(" | ");
            writeln!(out, "failed {seed} {}", what.replace('\n', " "))?;
            if job.mutation.is_some() {
                break;
            }
        }
        seed += job.stride;
    }
    for (name, count) in coverage.iter() {
        writeln!(out, "cover {count} {name}")?;
    }
    out.flush()
}

fn parse(line: &str) -> Option<Line> {
    let (word, rest) = line.split_once(' ')?;
    match word {
        "begin" => Some(Line::Begin(rest.parse().ok()?)),
        "fine" => {
            let mut numbers = rest.split(' ').map_while(|number| number.parse::<u64>().ok());
            let mut next = || numbers.next();
            let (steps, crashes, commits, acknowledged) = (next()?, next()?, next()?, next()?);
            Some(Line::Fine(Totals { steps, crashes, commits, acknowledged }))
        }
        "failed" => {
            let (seed, what) = rest.split_once(' ')?;
            Some(Line::Failed(seed.parse().ok()?, what.to_owned()))
        }
        "panic" => Some(Line::Panic(rest.to_owned())),
        "cover" => {
            let (count, name) = rest.split_once(' ')?;
            Some(Line::Cover(name.to_owned(), count.parse().ok()?))
        }
        _ => None,
    }
}

fn spawn(job: &Job, worker: usize, lines: Sender<(usize, Line)>) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    let numbers = [job.from, job.to, job.stride].map(|number| number.to_string());
    command.arg("--worker").args(numbers);
    if let Some(mutation) = &job.mutation {
        command.args(["--mutation", mutation]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let out = child.stdout.take().ok_or_else(|| std::io::Error::other("the worker has no output"))?;
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok).filter_map(|line| parse(&line)) {
            if lines.send((worker, line)).is_err() {
                return;
            }
        }
        let _ = lines.send((worker, Line::End));
    });
    Ok(child)
}

struct Worker {
    job: Job,
    child: Child,
    /// Begun and not yet ended.
    seed: Option<u64>,
    panic: String,
}

/// Runs `count` seeds from `first` on. True: all were fine.
pub fn swarm(first: u64, count: u64, workers: usize) -> std::io::Result<bool> {
    let (lines, from_workers) = channel();
    let mut crew: Vec<Option<Worker>> = Vec::new();
    for worker in 0..workers {
        let stride = workers as u64;
        let job = Job { from: first + worker as u64, to: first + count, stride, mutation: None };
        let child = spawn(&job, worker, lines.clone())?;
        crew.push(Some(Worker { job, child, seed: None, panic: String::new() }));
    }
    let mut tally = Tally::new(count);
    while crew.iter().any(Option::is_some) {
        let Ok((at, line)) = from_workers.recv() else { break };
        let Some(worker) = &mut crew[at] else { continue };
        match line {
            Line::Begin(seed) => worker.seed = Some(seed),
            Line::Fine(of_seed) => {
                tally.add(of_seed);
                worker.seed = None;
            }
            Line::Failed(seed, what) => {
                tally.fail(seed, &what);
                worker.seed = None;
            }
            Line::Panic(words) => worker.panic = words,
            Line::Cover(name, sum) => tally.coverage.add(&name, sum),
            Line::End => {
                let _ = worker.child.wait();
                let died = worker.seed;
                let words = std::mem::take(&mut worker.panic);
                let mut job = worker.job.clone();
                crew[at] = None;
                if let Some(seed) = died {
                    tally.fail(seed, &words);
                    job.from = seed + job.stride;
                    let child = spawn(&job, at, lines.clone())?;
                    crew[at] = Some(Worker { job, child, seed: None, panic: String::new() });
                }
            }
        }
        if tally.failed.len() >= 10 {
            println!("more than enough failures; the rest is not run");
            stop(&mut crew);
            break;
        }
        tally.tell_progress();
    }
    tally.report(workers);
    Ok(tally.failed.is_empty())
}

/// What became of the seeds so far.
struct Tally {
    count: u64,
    started: Instant,
    /// When whoever watches heard of it last.
    told: Instant,
    fine: u64,
    totals: Totals,
    coverage: Coverage,
    failed: Vec<u64>,
}

impl Tally {
    fn new(count: u64) -> Tally {
        let now = Instant::now();
        let (totals, coverage, failed) = (Totals::default(), Coverage::default(), Vec::new());
        Tally { count, started: now, told: now, fine: 0, totals, coverage, failed }
    }

    fn add(&mut self, of_seed: Totals) {
        self.fine += 1;
        self.totals.steps += of_seed.steps;
        self.totals.crashes += of_seed.crashes;
        self.totals.commits += of_seed.commits;
        self.totals.acknowledged += of_seed.acknowledged;
    }

    fn fail(&mut self, seed: u64, what: &str) {
        println!("FAILED seed {seed}: {what}");
        self.failed.push(seed);
    }

    fn seeds_per_second(&self) -> f64 {
        self.fine as f64 / self.started.elapsed().as_secs_f64().max(0.001)
    }

    fn tell_progress(&mut self) {
        if self.told.elapsed() < PROGRESS {
            return;
        }
        self.told = Instant::now();
        let (fine, count, failed, rate) = (self.fine, self.count, self.failed.len(), self.seeds_per_second());
        eprintln!("{fine} of {count} seeds fine, {failed} failed; {rate:.1} seeds/s");
    }

    fn report(&self, workers: usize) {
        println!("coverage, summed over {} seeds:\n{}", self.fine, self.coverage);
        let Totals { steps, crashes, commits, acknowledged } = self.totals;
        println!(
            "{} seeds fine, {} failed; {:.1} seeds/s on {workers} workers; {steps} steps, {crashes} crashes, \
             {commits} commits, {acknowledged} records acknowledged; commit {}",
            self.fine,
            self.failed.len(),
            self.seeds_per_second(),
            revision(),
        );
        for seed in &self.failed {
            println!("replay: cargo run -p sim --release -- --seed {seed}");
        }
    }
}

fn stop(crew: &mut [Option<Worker>]) {
    for worker in crew.iter_mut().flatten() {
        let _ = worker.child.kill();
        let _ = worker.child.wait();
    }
}

/// Tries every mutation, or the named one, on up to `budget` seeds. True: each was caught.
pub fn mutations(only: Option<&str>, first: u64, budget: u64, workers: usize) -> std::io::Result<bool> {
    let mut waiting: Vec<&str> =
        Mutation::names().filter(|name| only.is_none_or(|only| only == *name)).collect();
    waiting.reverse();
    let (lines, from_workers) = channel();
    let mut crew: Vec<Option<Trial>> = (0..workers).map(|_| None).collect();
    let mut survivors = 0;
    loop {
        for (at, seat) in crew.iter_mut().enumerate() {
            if seat.is_none()
                && let Some(name) = waiting.pop()
            {
                let job = Job { from: first, to: first + budget, stride: 1, mutation: Some(name.to_owned()) };
                let child = spawn(&job, at, lines.clone())?;
                *seat = Some(Trial { name, child, seed: None, caught: None, fine: 0, panic: String::new() });
            }
        }
        if crew.iter().all(Option::is_none) {
            return Ok(survivors == 0);
        }
        if let Some(survived) = hear(&from_workers, &mut crew) {
            survivors += u64::from(survived);
        }
    }
}

struct Trial {
    name: &'static str,
    child: Child,
    seed: Option<u64>,
    caught: Option<String>,
    fine: u64,
    panic: String,
}

/// One line of a trial. Some(survived) when the trial is over.
fn hear(from_workers: &Receiver<(usize, Line)>, crew: &mut [Option<Trial>]) -> Option<bool> {
    let (at, line) = from_workers.recv().ok()?;
    let trial = crew.get_mut(at)?.as_mut()?;
    match line {
        Line::Begin(seed) => trial.seed = Some(seed),
        Line::Fine(_) => {
            trial.fine += 1;
            trial.seed = None;
        }
        Line::Failed(seed, what) => {
            trial.caught = Some(format!("seed {seed}: {}", what.chars().take(140).collect::<String>()));
            trial.seed = None;
        }
        Line::Panic(words) => trial.panic = words,
        Line::Cover(..) => {}
        Line::End => {
            let _ = trial.child.wait();
            let aborted = trial.seed.map(|seed| format!("seed {seed}: {}", trial.panic));
            let caught = trial.caught.take().or(aborted);
            let (name, seeds) = (trial.name, trial.fine + 1);
            crew[at] = None;
            match &caught {
                Some(how) => println!("{name:<32} caught by seed number {seeds:>4}  {how}"),
                None => println!("{name:<32} SURVIVED {} seeds", seeds - 1),
            }
            return Some(caught.is_none());
        }
    }
    None
}

/// The commit that runs, for the report of a failure.
#[must_use]
pub fn revision() -> String {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    text.and_then(|text| String::from_utf8(text).ok())
        .map_or("unknown".to_owned(), |text| text.trim().to_owned())
}
