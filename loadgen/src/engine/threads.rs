//! The threads of a run: made, started at one moment, watched, ended.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier, OnceLock};
use std::thread::JoinHandle;

use core::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::book::{BookOfEnds, Reading};
use super::clock::nanoseconds;
use super::line::{Line, Mind};
use super::plan::{LineSetup, Role};
use super::shared::{Moments, Shared, Tick};
use super::worker::{Left, Worker, settle_thread};
use crate::chance::Chance;
use crate::consumer::{Consumer, FetchCounts};
use crate::conversation::Nanoseconds;
use crate::error::LoadError;
use crate::producer::{Pacing, Plan, Producer};
use crate::recorder::{Recorder, Window};
use crate::schedule::{Pace, Schedule};
use crate::template::{Templates, Wording};
use crate::workload::{Rate, Workload};

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

pub struct Threads {
    shared: Arc<Shared>,
    moments: Moments,
    ticks: Receiver<Tick>,
    handles: Vec<Option<JoinHandle<Result<Left, LoadError>>>>,
    left: Vec<Left>,
}

/// What one thread begins with.
struct Beginning {
    cpu: Option<usize>,
    setups: Vec<(usize, LineSetup)>,
    workload: Workload,
    wording: Wording,
    run: u32,
    measures: bool,
    shared: Arc<Shared>,
    ready: Arc<Barrier>,
    moments: Arc<OnceLock<Moments>>,
    ticks: Sender<Tick>,
}

impl Threads {
    /// Deals the lines out in turns and starts the schedule once every thread is ready.
    pub fn start(
        crew: &Crew<'_>,
        options: &crate::workload::Options,
        shared: Shared,
        lines: Vec<LineSetup>,
    ) -> Result<Threads, LoadError> {
        let cpus: Vec<Option<usize>> = if options.cpus.is_empty() {
            vec![None]
        } else {
            options.cpus.iter().copied().map(Some).collect()
        };
        let mut shares: Vec<Vec<(usize, LineSetup)>> = cpus.iter().map(|_| Vec::new()).collect();
        let count = shares.len();
        for (index, line) in lines.into_iter().enumerate() {
            shares[index % count].push((index / count, line));
        }
        let shared = Arc::new(shared);
        let ready = Arc::new(Barrier::new(count + 1));
        let moments = Arc::new(OnceLock::new());
        let (sender, ticks) = crossbeam_channel::unbounded();
        let mut handles = Vec::new();
        for (cpu, setups) in cpus.into_iter().zip(shares) {
            let beginning = Beginning {
                cpu,
                setups,
                workload: crew.workload.clone(),
                wording: crew.wording.clone(),
                run: crew.run,
                measures: crew.measures,
                shared: Arc::clone(&shared),
                ready: Arc::clone(&ready),
                moments: Arc::clone(&moments),
                ticks: sender.clone(),
            };
            let thread = std::thread::Builder::new().name("load".to_owned()).spawn(move || beginning.run());
            let handle = thread
                .map_err(|error| LoadError::failed(format!("no thread can be started: {error}"), ""))?;
            handles.push(Some(handle));
        }
        ready.wait();
        let start = shared.clock.now() + HEAD_START;
        let begin = start + nanoseconds(crew.workload.warm_up);
        let (begin, end) =
            if crew.measures { (begin, begin + nanoseconds(crew.workload.duration)) } else { (start, start) };
        let moments = *moments.get_or_init(|| Moments { start, window: Window { begin, end } });
        ready.wait();
        Ok(Threads { shared, moments, ticks, handles, left: Vec::new() })
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn moments(&self) -> Moments {
        self.moments
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
        self.join()
    }

    pub fn finish(&mut self) -> Result<Vec<Left>, LoadError> {
        self.shared.quit.store(true, Ordering::Relaxed);
        self.join()?;
        Ok(std::mem::take(&mut self.left))
    }

    fn join(&mut self) -> Result<(), LoadError> {
        let mut result = Ok(());
        for handle in &mut self.handles {
            let Some(handle) = handle.take() else { continue };
            match handle.join() {
                Ok(Ok(left)) => self.left.push(left),
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
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Relaxed);
        // Whatever they say, the run has an error already.
        let _ = self.join();
    }
}

impl Beginning {
    fn run(self) -> Result<Left, LoadError> {
        let settled = settle_thread(self.cpu);
        let mut templates = Templates::new(self.wording.clone());
        let records_per_second = self.warm(&mut templates);
        self.ready.wait();
        self.ready.wait();
        settled?;
        let moments = *self
            .moments
            .get()
            .ok_or_else(|| LoadError::failed("the run has no start", "this is a defect"))?;
        let recorder = Rc::new(RefCell::new(Recorder::new(moments.window, self.setups.len())));
        let templates = Rc::new(RefCell::new(templates));
        let mut lines = Vec::new();
        let groups = self.workload.groups as usize;
        for (slot, setup) in self.setups {
            let mind = match setup.role {
                Role::Producer(plan) => {
                    let mut plan = *plan;
                    plan.slot = slot;
                    plan.pacing = pacing(&self.workload, records_per_second, &plan, moments);
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
        Worker::new(&self.shared, moments, recorder, lines, self.ticks, groups)?.run()
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
fn pacing(workload: &Workload, records_per_second: Option<f64>, plan: &Plan, moments: Moments) -> Pacing {
    let Moments { start, window } = moments;
    let Some(records_per_second) = records_per_second else {
        return Pacing::Closed { start, end: window.end };
    };
    let producers = f64::from(workload.producers.max(1));
    let pace = Pace {
        records_per_second: (records_per_second / producers).max(f64::MIN_POSITIVE),
        records_per_request: plan.records_per_batch * plan.batches_per_request,
        linger: nanoseconds(workload.linger),
        arrival: workload.arrival,
        start,
        end: window.end,
        phase: f64::from(plan.connection) / producers,
    };
    Pacing::Open(Schedule::new(pace, Chance::new(workload.seed, u64::from(plan.connection))))
}
