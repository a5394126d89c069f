//! One thread of the generator: its lines, its timers, its recorder, and the loop around them.
//!
//! Decides when the thread sleeps and what it looks at first. Nothing here knows Kafka.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use core::time::Duration;

use crossbeam_channel::Sender;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::line::{Change, Line, Mind};
use super::shared::{Shared, Tick};
use crate::conversation::{Conversation as _, Nanoseconds};
use crate::error::LoadError;
use crate::recorder::Recorder;
use crate::window::Window;

const EVENTS_MAX: usize = 256;
const RECEIVE_BYTES: usize = 256 << 10;
const SECOND: Nanoseconds = 1_000_000_000;
/// The longest sleep before: how late it may be seen that the end has come forward.
const LONGEST_SLEEP: Nanoseconds = 100_000_000;
/// The longest sleep when the schedule is over: how late it may be seen that everybody leaves.
const LAST_SLEEP: Nanoseconds = 5_000_000;
/// Timer slack: the kernel may otherwise let the thread sleep 50 us longer than it asked for.
const SLACK_NS: u64 = 1;

/// What a thread leaves behind.
pub struct Left {
    pub recorder: Recorder,
    /// Of the measured part.
    pub cpu_seconds: f64,
}

pub struct Worker<'a> {
    shared: &'a Shared,
    window: Window,
    recorder: Rc<RefCell<Recorder>>,
    lines: Vec<Line>,
    epoll: OwnedFd,
    timers: BinaryHeap<Reverse<(Nanoseconds, usize)>>,
    /// Lines that had more to write than their turn was long.
    again: Vec<usize>,
    ticks: Sender<Tick>,
    groups: usize,
    second: u32,
    cpu_at_begin: f64,
    cpu_at_end: Option<f64>,
    stopped: bool,
    told_done: bool,
}

/// Pins this thread and makes its sleeps exact.
pub fn settle_thread(cpu: Option<usize>) -> Result<(), LoadError> {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(SLACK_NS));
    let Some(cpu) = cpu else { return Ok(()) };
    if cpu >= rustix::thread::CpuSet::MAX_CPU {
        return Err(LoadError::usage(format!("there is no core {cpu}"), ""));
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).map_err(|error| {
        LoadError::failed(format!("cannot run on core {cpu}: {error}"), "choose cores that this machine has")
    })
}

impl<'a> Worker<'a> {
    pub fn new(
        shared: &'a Shared,
        window: Window,
        recorder: Rc<RefCell<Recorder>>,
        lines: Vec<Line>,
        ticks: Sender<Tick>,
        groups: usize,
    ) -> Result<Worker<'a>, LoadError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|error| LoadError::failed(format!("the kernel gives no epoll: {error}"), ""))?;
        Ok(Worker {
            shared,
            window,
            recorder,
            lines,
            epoll,
            timers: BinaryHeap::new(),
            again: Vec::new(),
            ticks,
            groups,
            second: 0,
            cpu_at_begin: 0.0,
            cpu_at_end: None,
            stopped: false,
            told_done: false,
        })
    }

    pub fn run(mut self) -> Result<Left, LoadError> {
        let mut buffer = vec![0; RECEIVE_BYTES];
        let mut events = Vec::with_capacity(EVENTS_MAX);
        for index in 0..self.lines.len() {
            self.watch(index, true)?;
            let change = self.lines[index].pump(self.shared, &self.recorder);
            self.follow(index, change)?;
        }
        while !self.shared.quit.load(Ordering::Relaxed) {
            let now = self.shared.clock.now();
            self.on_moment(now)?;
            self.fire_timers(now)?;
            for index in std::mem::take(&mut self.again) {
                let change = self.lines[index].pump(self.shared, &self.recorder);
                self.follow(index, change)?;
            }
            self.maybe_done();
            let timeout = self.sleep_for();
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(LoadError::failed(format!("epoll failed: {error}"), "")),
            }
            for event in &events {
                self.on_event(event.data.u64() as usize, event.flags, &mut buffer)?;
            }
        }
        for line in &mut self.lines {
            if let Mind::Producer(producer) = &mut line.mind {
                producer.on_abandoned();
            }
        }
        let cpu_seconds = self.cpu_at_end.unwrap_or_else(thread_cpu_seconds) - self.cpu_at_begin;
        // Minds hold the recorder; they go first.
        drop(self.lines);
        let recorder = Rc::try_unwrap(self.recorder)
            .map_err(|_| LoadError::failed("the recorder is still in use", ""))?
            .into_inner();
        Ok(Left { recorder, cpu_seconds })
    }

    fn on_event(&mut self, index: usize, flags: EventFlags, buffer: &mut [u8]) -> Result<(), LoadError> {
        if flags.contains(EventFlags::OUT)
            || self.lines[index].wants_room() && flags.intersects(EventFlags::ERR)
        {
            let now = self.shared.clock.now();
            let change = self.lines[index].on_writable(now, self.shared, &self.recorder);
            self.follow(index, change)?;
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP) {
            let change = self.lines[index].on_readable(buffer, self.shared, &self.recorder)?;
            self.follow(index, change)?;
        }
        Ok(())
    }

    fn fire_timers(&mut self, now: Nanoseconds) -> Result<(), LoadError> {
        while let Some(Reverse((at, index))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            // One that was set anew is in the heap twice.
            if self.lines[index].timer != Some(at) {
                continue;
            }
            self.lines[index].timer = None;
            let change = self.lines[index].on_timer(now, self.shared, &self.recorder)?;
            self.follow(index, change)?;
        }
        Ok(())
    }

    /// Does what a line's change asks for, and sets its timer.
    fn follow(&mut self, index: usize, change: Change) -> Result<(), LoadError> {
        match change {
            Change::None => {}
            Change::NewSocket => self.watch(index, true)?,
            Change::Again => self.again.push(index),
        }
        if self.lines[index].wants_room() != self.lines[index].watched_for_room {
            self.watch(index, false)?;
        }
        let line = &mut self.lines[index];
        let wake_at = line.wake_at();
        if let Some(at) = wake_at
            && line.timer != Some(at)
        {
            self.timers.push(Reverse((at, index)));
        }
        line.timer = wake_at;
        Ok(())
    }

    fn watch(&mut self, index: usize, is_new: bool) -> Result<(), LoadError> {
        let line = &mut self.lines[index];
        line.watched_for_room = line.wants_room();
        let Some(socket) = line.socket() else { return Ok(()) };
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, line.wants_room());
        let data = EventData::new_u64(index as u64);
        let set = if is_new {
            match epoll::add(&self.epoll, socket, data, flags) {
                // It was watched while it was connecting.
                Err(rustix::io::Errno::EXIST) => epoll::modify(&self.epoll, socket, data, flags),
                added => added,
            }
        } else {
            epoll::modify(&self.epoll, socket, data, flags)
        };
        set.map_err(|error| LoadError::failed(format!("a socket cannot be watched: {error}"), ""))
    }

    fn sleep_for(&self) -> Timespec {
        let now = self.shared.clock.now();
        let mut until = self.next_moment(now);
        if let Some(Reverse((at, _))) = self.timers.peek() {
            until = until.min(*at);
        }
        let sleep = if self.shared.spin || !self.again.is_empty() { 0 } else { until.saturating_sub(now) };
        Timespec { tv_sec: (sleep / SECOND) as i64, tv_nsec: (sleep % SECOND) as i64 }
    }

    fn next_moment(&self, now: Nanoseconds) -> Nanoseconds {
        if self.stopped {
            return now + LAST_SLEEP;
        }
        let mut next = self.second_ends().min(self.window.end.moment()).min(now + LONGEST_SLEEP);
        if now < self.window.begin {
            next = next.min(self.window.begin);
        }
        next
    }

    /// The end of the second that is running.
    fn second_ends(&self) -> Nanoseconds {
        self.window.start + (u64::from(self.second) + 1) * SECOND
    }

    /// Ends of seconds, the measured part's begin and end.
    fn on_moment(&mut self, now: Nanoseconds) -> Result<(), LoadError> {
        if self.stopped {
            return Ok(());
        }
        let end = self.window.end.moment();
        // A run that is stopped in its warm-up has no measured part.
        if self.cpu_at_begin == 0.0 && (now >= self.window.begin || now >= end) {
            self.cpu_at_begin = thread_cpu_seconds();
        }
        while now >= self.second_ends() && self.second_ends() <= end {
            self.tick(now)?;
        }
        if now >= end {
            self.stopped = true;
            self.cpu_at_end = Some(thread_cpu_seconds());
            for index in 0..self.lines.len() {
                let line = &mut self.lines[index];
                if let Mind::Producer(producer) = &mut line.mind {
                    producer.on_stop(now);
                }
                let change = line.pump(self.shared, &self.recorder);
                self.follow(index, change)?;
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Nanoseconds) -> Result<(), LoadError> {
        let mut positions = vec![0; self.groups];
        let mut backlog = 0;
        for line in &self.lines {
            line.check_failing(now, self.shared)?;
            match &line.mind {
                Mind::Producer(producer) => backlog += producer.backlog(now),
                Mind::Consumer { consumer, group, .. } => {
                    positions[*group] += consumer.positions().iter().sum::<i64>();
                }
                Mind::Idle { .. } => {}
            }
        }
        let interval = self.recorder.borrow_mut().take_interval();
        // The receiver is gone only when the run has ended.
        let _ = self.ticks.send(Tick { second: self.second, interval, backlog, positions });
        self.second += 1;
        Ok(())
    }

    fn maybe_done(&mut self) {
        if self.stopped && !self.told_done && self.lines.iter().all(Line::is_done) {
            self.told_done = true;
            self.shared.done.fetch_add(1, Ordering::Release);
        }
    }
}

fn thread_cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32).as_secs_f64()
}
