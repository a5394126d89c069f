//! One pinned thread per shard, each with a loop of its own: starts them, waits for them. A panic in any of them has aborted the
//! process.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use crossbeam_channel::Sender;
use rustix::thread::{CpuSet, sched_setaffinity};
use socket2::Socket;

use crate::effect::Effects;
use crate::model::ShardId;

use super::clock::Clock;
use super::driver::{Core, Driver};
use super::files::Files;
use super::io_threads::IoThreads;
use super::journal_writer::JournalWriter;
use super::mesh::{Inbox, Mesh, Postbox, inbox};
use super::metadata_file::MetadataFile;
use super::reserve::Reserve;
use super::sockets::{SocketConfig, Sockets};

/// What is the same for all shards.
#[derive(Debug, Clone)]
pub struct Common {
    pub clock: Clock,
    /// By the numbers of the log dirs.
    pub data_dirs: Arc<[PathBuf]>,
    pub reserves: Arc<[Reserve]>,
    pub shards: u16,
    /// Shard n runs on `cpus[n % len]`; None: not pinned.
    pub cpus: Option<Vec<usize>>,
    pub sockets: SocketConfig,
}

/// What one shard is started with. `listeners` are bound, in the order of their numbers.
pub struct ShardSeed<F> {
    pub listeners: Vec<Socket>,
    pub metadata: Option<MetadataFile>,
    /// Directories of deleted partitions that are to be removed.
    pub left_over: Vec<PathBuf>,
    /// Makes the core on the shard's own thread, with the effects that it starts with.
    pub make: F,
}

/// The running shards.
pub struct Executors {
    pub postboxes: Vec<Postbox>,
    threads: Vec<std::thread::JoinHandle<io::Result<()>>>,
}

impl Executors {
    /// Starts one executor for each seed. `ready` hears from each shard when clients can connect, or why they cannot.
    pub fn start<C, F>(
        common: &Common,
        seeds: Vec<ShardSeed<F>>,
        ready: &Sender<io::Result<()>>,
    ) -> io::Result<Executors>
    where
        C: Core + 'static,
        F: FnOnce(&Clock) -> (C, Effects) + Send + 'static,
    {
        assert_eq!(seeds.len(), usize::from(common.shards), "one seed per shard");
        let files = Arc::new(Files::new(Arc::clone(&common.data_dirs), common.shards));
        let mut postboxes = Vec::new();
        let mut inboxes = Vec::new();
        for _ in &seeds {
            let (postbox, inbox) = inbox()?;
            postboxes.push(postbox);
            inboxes.push(inbox);
        }
        let mut threads = Vec::new();
        for (index, (seed, inbox)) in seeds.into_iter().zip(inboxes).enumerate() {
            let shard = ShardId(u16::try_from(index).expect("no more than `shards`"));
            let mesh = Mesh::new(shard, postboxes.clone());
            let io = IoThreads::start(shard, &files, &common.reserves, &postboxes[index], seed.metadata)?;
            io.remove_left_over(seed.left_over);
            let parts = Parts { shard, inbox, mesh, io, listeners: seed.listeners };
            let (common, files, ready, make) = (common.clone(), Arc::clone(&files), ready.clone(), seed.make);
            let run = move || match run_shard(&common, parts, files, make, &ready) {
                Ok(()) => Ok(()),
                Err(error) => {
                    tracing::error!(%shard, %error, "a shard could not go on");
                    // Nobody listens once the shards have started: the join tells then.
                    let _ = ready.try_send(Err(io::Error::new(error.kind(), error.to_string())));
                    Err(error)
                }
            };
            threads.push(std::thread::Builder::new().name(format!("shard-{shard}")).spawn(run)?);
        }
        Ok(Executors { postboxes, threads })
    }

    /// Returns when every shard has stopped; the first error of any.
    pub fn join(self) -> io::Result<()> {
        let mut result = Ok(());
        for thread in self.threads {
            let joined = thread.join().unwrap_or_else(|_| Err(io::Error::other("a shard panicked")));
            result = result.and(joined);
        }
        result
    }
}

struct Parts {
    shard: ShardId,
    inbox: Inbox,
    mesh: Mesh,
    io: IoThreads,
    listeners: Vec<Socket>,
}

fn run_shard<C: Core + 'static>(
    common: &Common,
    parts: Parts,
    files: Arc<Files>,
    make: impl FnOnce(&Clock) -> (C, Effects) + 'static,
    ready: &Sender<io::Result<()>>,
) -> io::Result<()> {
    let Parts { shard, inbox, mesh, io, listeners } = parts;
    if let Some(cpus) = &common.cpus {
        pin(cpus[usize::from(shard.0) % cpus.len()])?;
    }
    let metrics = Rc::new(RefCell::default());
    let mut sockets = Sockets::new(common.sockets.clone(), Arc::clone(&files), Rc::clone(&metrics))?;
    let journal = JournalWriter::new(Arc::clone(&common.data_dirs), shard, Rc::clone(&metrics))?;
    sockets.wake_by(inbox.wake_fd())?;
    sockets.wake_by(journal.completion_fd())?;
    let clock = common.clock;
    let (core, effects) = make(&clock);
    for (index, listener) in listeners.into_iter().enumerate() {
        sockets.listen(listener, u16::try_from(index).expect("few listeners"))?;
    }
    let driver = Driver { shard, core, clock, inbox, mesh, sockets, journal, io, files, metrics };
    // The starter hears from every shard once; it is there until then.
    let _ = ready.send(Ok(()));
    driver.run(effects)
}

fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}
