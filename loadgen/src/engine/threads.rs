//! The threads of a run: made, started at one moment, watched, ended.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use core::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::book::{BookOfEnds, Reading};
use super::clock::nanoseconds;
use super::line::{Line, Mind};
use super::plan::{LineSetup, Role};
use super::shared::{Shared, Tick};
use super::worker::{Left, Worker, settle_thread};
use crate::chance::Chance;
use crate::consumer::{Consumer, FetchCounts};
use crate::conversation::Nanoseconds;
use crate::error::LoadError;
use crate::producer::{Pacing, Plan, Producer};
use crate::recorder::Recorder;
use crate::schedule::{Pace, Schedule};
use crate::template::{Templates, Wording};
use crate::window::{ScheduleEnd, Window};
use crate::workload::{Options, Rate, Workload};

/// Between the moment when all threads are ready and the start of the schedule.
const HEAD_START: Nanoseconds = 20_000_000;

/// What all threads are told.
pub struct Crew<'a> {
    pub workload: &'a Workload,
    pub wording: Wording,
    pub run: u32,
    /// False: it only reads back.
    pub measures: bool,
}

/// None: the run has not begun.
type Handle = JoinHandle<Result<Option<Left>, LoadError>>;

pub struct Threads {
    shared: Arc<Shared>,
    window: Window,
    ticks: Receiver<Tick>,
    handles: Vec<Option<Handle>>,
    left: Vec<Left>,
}

/// A thread's core and lines, each with its place among the lines of its thread.
type Share = (Option<usize>, Vec<(usize, LineSetup)>);

/// What one thread begins with.
struct Beginning {
    cpu: Option<usize>,
    setups: Vec<(usize, LineSetup)>,
    workload: Workload,
    wording: Wording,
    run: u32,
    measures: bool,
    shared: Arc<Shared>,
    /// Told once, and dropped: a thread that ends before it was ready is noticed.
    ready: Sender<()>,
    /// Told once; dropped if the run cannot begin.
    go: Receiver<Window>,
    ticks: Sender<Tick>,
}

impl Threads {
    /// Deals the lines out in turns and starts the schedule once every thread is ready.
    ///
    /// Errors: a thread that cannot be started, pinned or made ready; those that were have ended then.
    pub fn start(
        crew: &Crew<'_>,
        options: &Options,
        shared: Shared,
        lines: Vec<LineSetup>,
    ) -> Result<Threads, LoadError> {
        let spawn = |beginning: Beginning| {
            std::thread::Builder::new().name("load".to_owned()).spawn(move || beginning.run())
        };
        Threads::start_with(crew, options, shared, lines, spawn)
    }

    fn start_with(
        crew: &Crew<'_>,
        options: &Options,
        shared: Shared,
        lines: Vec<LineSetup>,
        mut spawn: impl FnMut(Beginning) -> io::Result<Handle>,
    ) -> Result<Threads, LoadError> {
        let shares = shares(options, lines);
        let count = shares.len();
        let shared = Arc::new(shared);
        let (ready, all_ready) = crossbeam_channel::bounded(count);
        let (go_sender, go) = crossbeam_channel::bounded(count);
        let (tick_sender, ticks) = crossbeam_channel::unbounded();
        let mut handles: Vec<Option<Handle>> = Vec::new();
        for (cpu, setups) in shares {
            let beginning = Beginning {
                cpu,
                setups,
                workload: crew.workload.clone(),
                wording: crew.wording.clone(),
                run: crew.run,
                measures: crew.measures,
                shared: Arc::clone(&shared),
                ready: ready.clone(),
                go: go.clone(),
                ticks: tick_sender.clone(),
            };
            match spawn(beginning) {
                Ok(handle) => handles.push(Some(handle)),
                Err(error) => {
                    // Those that wait for it hear that there will be no go.
                    drop(go_sender);
                    join(&mut handles, &mut Vec::new())?;
                    return Err(LoadError::failed(format!("no thread can be started: {error}"), ""));
                }
            }
        }
        drop(ready);
        if all_ready.iter().take(count).count() < count {
            drop(go_sender);
            join(&mut handles, &mut Vec::new())?;
            return Err(LoadError::failed("a thread has ended before it was ready", "this is a defect"));
        }
        let window = window_from(shared.clock.now() + HEAD_START, crew);
        for _ in 0..count {
            // One that has ended since is noticed by `check`.
            let _ = go_sender.send(window.clone());
        }
        Ok(Threads { shared, window, ticks, handles, left: Vec::new() })
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn window(&self) -> &Window {
        &self.window
    }

    pub fn count(&self) -> usize {
        self.handles.len()
    }

    pub fn try_tick(&self) -> Option<Tick> {
        self.ticks.try_recv().ok()
    }

    pub fn tick_within(&self, time: Duration) -> Option<Tick> {
        match self.ticks.recv_timeout(time) {
            Ok(tick) => Some(tick),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => None,
            // All threads have ended: `check` says why, and this must not turn into a busy loop.
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                std::thread::sleep(time);
                None
            }
        }
    }

    /// An error that has ended a thread ends the run.
    pub fn check(&mut self) -> Result<(), LoadError> {
        if !self.handles.iter().flatten().any(JoinHandle::is_finished) {
            return Ok(());
        }
        self.shared.quit.store(true, Ordering::Relaxed);
        join(&mut self.handles, &mut self.left)
    }

    pub fn finish(&mut self) -> Result<Vec<Left>, LoadError> {
        self.shared.quit.store(true, Ordering::Relaxed);
        join(&mut self.handles, &mut self.left)?;
        Ok(std::mem::take(&mut self.left))
    }
}

fn join(handles: &mut [Option<Handle>], left: &mut Vec<Left>) -> Result<(), LoadError> {
    let mut result = Ok(());
    for handle in handles {
        let Some(handle) = handle.take() else { continue };
        match handle.join() {
            Ok(Ok(one)) => left.extend(one),
            Ok(Err(error)) => result = result.and(Err(error)),
            Err(_) => {
                let panicked =
                    LoadError::failed("a thread of the generator has panicked", "this is a defect");
                result = result.and(Err(panicked));
            }
        }
    }
    result
}

/// The lines of each thread, with the core it runs on.
fn shares(options: &Options, lines: Vec<LineSetup>) -> Vec<Share> {
    let cpus: Vec<Option<usize>> = match &options.cpus[..] {
        [] => vec![None],
        cpus => cpus.iter().copied().map(Some).collect(),
    };
    let mut shares: Vec<Share> = cpus.into_iter().map(|cpu| (cpu, Vec::new())).collect();
    let count = shares.len();
    for (index, line) in lines.into_iter().enumerate() {
        shares[index % count].1.push((index / count, line));
    }
    shares
}

fn window_from(start: Nanoseconds, crew: &Crew<'_>) -> Window {
    if !crew.measures {
        return Window { start, begin: start, end: ScheduleEnd::at(start) };
    }
    let begin = start + nanoseconds(crew.workload.warm_up);
    Window { start, begin, end: ScheduleEnd::at(begin + nanoseconds(crew.workload.duration)) }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Relaxed);
        // Whatever they say, the run has an error already.
        let _ = join(&mut self.handles, &mut self.left);
    }
}

impl Beginning {
    fn run(self) -> Result<Option<Left>, LoadError> {
        settle_thread(self.cpu)?;
        let mut templates = Templates::new(self.wording.clone());
        let records_per_second = self.warm(&mut templates);
        // Nobody hears it where another thread could not be started; `go` tells.
        let _ = self.ready.send(());
        drop(self.ready);
        let Ok(window) = self.go.recv() else { return Ok(None) };
        let recorder = Rc::new(RefCell::new(Recorder::new(window.clone(), self.setups.len())));
        let templates = Rc::new(RefCell::new(templates));
        let mut lines = Vec::new();
        let groups = self.workload.groups as usize;
        for (slot, setup) in self.setups {
            let mind = match setup.role {
                Role::Producer(plan) => {
                    let mut plan = *plan;
                    plan.slot = slot;
                    plan.pacing = pacing(&self.workload, records_per_second, &plan, &window);
                    let ends = BookOfEnds(setup.book.clone());
                    Mind::Producer(Box::new(Producer::new(
                        plan,
                        Rc::clone(&templates),
                        Rc::clone(&recorder),
                        ends,
                    )))
                }
                Role::Consumer { assignments, partitions, settings, group } => {
                    let reading = Reading {
                        book: setup.book.clone(),
                        run: self.run,
                        partitions,
                        recorder: self.measures.then(|| Rc::clone(&recorder)),
                    };
                    let ends = assignments.iter().all(|assignment| assignment.until.is_some());
                    let consumer = Box::new(Consumer::new(&assignments, settings, reading)?);
                    Mind::Consumer { consumer, told: FetchCounts::default(), group, ends }
                }
                Role::Idle => Mind::Idle { greeted: false },
            };
            lines.push(Line::new(mind, setup.address, setup.socket));
        }
        Worker::new(&self.shared, window, recorder, lines, self.ticks, groups)?.run().map(Some)
    }

    /// Makes the templates that will be wanted, and tells the rate of all producers in records.
    fn warm(&self, templates: &mut Templates) -> Option<f64> {
        let records = self.workload.records_per_batch.max(1);
        let mut bytes = 0;
        for (_, setup) in &self.setups {
            let Role::Producer(plan) = &setup.role else { continue };
            if bytes > 0 && plan.keys.is_none() {
                continue;
            }
            for target in &plan.targets {
                bytes = templates.batch_bytes(records, target.partition);
                if plan.keys.is_none() {
                    break;
                }
            }
        }
        match self.workload.rate {
            Rate::Max => None,
            Rate::RecordsPerSecond(rate) => Some(rate),
            Rate::BytesPerSecond(rate) => Some(rate * f64::from(records) / bytes.max(1) as f64),
        }
    }
}

/// One producer's share of the rate, which begins at another phase than those of the others.
fn pacing(workload: &Workload, records_per_second: Option<f64>, plan: &Plan, window: &Window) -> Pacing {
    let Some(records_per_second) = records_per_second else {
        return Pacing::Closed { start: window.start, end: window.end.clone() };
    };
    let producers = f64::from(workload.producers.max(1));
    let pace = Pace {
        records_per_second: (records_per_second / producers).max(f64::MIN_POSITIVE),
        records_per_request: plan.records_per_batch * plan.batches_per_request,
        linger: nanoseconds(workload.linger),
        arrival: workload.arrival,
        start: window.start,
        end: window.end.clone(),
        phase: f64::from(plan.connection) / producers,
    };
    Pacing::Open(Schedule::new(pace, Chance::new(workload.seed, u64::from(plan.connection))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::Clock;
    use crate::engine::shared::Presence;
    use crate::engine::tests::{options, workload};

    fn wording() -> Wording {
        Wording {
            produce_version: 9,
            client_id: "load".into(),
            acks: -1,
            timeout_ms: 1_000,
            topics: vec!["topic".into()],
            record_bytes: 100,
            codec: crate::workload::Codec::None,
            seed: 1,
            keys: None,
        }
    }

    /// Two threads without lines; the last one is not started.
    #[test]
    fn a_thread_that_cannot_be_started_leaves_nobody_waiting() {
        let workload = workload();
        let crew = Crew { workload: &workload, wording: wording(), run: 1, measures: true };
        let options = Options { cpus: vec![0, 0], ..options("127.0.0.1:1") };
        let mut started = 0;
        let shared = Shared::new(Clock::start(), &options, Presence::default());
        let result = Threads::start_with(&crew, &options, shared, Vec::new(), |beginning| {
            started += 1;
            match started {
                1 => std::thread::Builder::new().spawn(move || beginning.run()),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        let error = result.err().expect("it cannot be started").to_string();
        assert!(error.starts_with("no thread can be started"), "{error}");
    }

    #[test]
    fn a_thread_that_is_not_ready_says_why_and_ends_all() {
        let workload = workload();
        let crew = Crew { workload: &workload, wording: wording(), run: 1, measures: true };
        let options = Options { cpus: vec![0, 1_000_000], ..options("127.0.0.1:1") };
        let shared = Shared::new(Clock::start(), &options, Presence::default());
        let error = Threads::start(&crew, &options, shared, Vec::new()).err().expect("there is no such core");
        assert!(error.to_string().starts_with("there is no core 1000000"), "{error}");
    }
}
