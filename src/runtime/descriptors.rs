//! How many files are open for reading at once, in the whole process.
//!
//! Decides which descriptor is closed when there are too many: the one that was used longest ago. Whoever holds an `OpenFile` keeps
//! it open beyond that, so the bound is exceeded by what is being sent. A file without a name is not closed but left to its heir.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use crossbeam_channel::Sender;
use rustix::process::{Resource, getrlimit};

use crate::limits::{SEGMENT_DESCRIPTORS_MAX, SEGMENT_DESCRIPTORS_MIN, SEGMENT_DESCRIPTORS_SHARE};

/// Who takes files that have no name any more, as long as it is there.
pub type Heir = Weak<Sender<File>>;

/// A descriptor, counted for as long as anyone has it.
#[derive(Debug)]
pub struct OpenFile {
    /// There until it is dropped.
    file: Option<File>,
    heir: OnceLock<Heir>,
    counts: Arc<Counts>,
    shard: usize,
}

impl OpenFile {
    /// It has no name any more: closing it would free all its blocks, on whatever thread that happens. Whoever is the last to have it
    /// leaves it to `heir`.
    pub fn leave_to(&self, heir: &Heir) {
        self.heir.get_or_init(|| Weak::clone(heir));
    }
}

impl Deref for OpenFile {
    type Target = File;

    fn deref(&self) -> &File {
        self.file.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.counts.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(count) = self.counts.by_shard.get(self.shard) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
        let heir = self.heir.get().and_then(Weak::upgrade);
        if let (Some(heir), Some(file)) = (heir, self.file.take()) {
            // Nobody takes it: it is closed here.
            let _ = heir.send(file);
        }
    }
}

#[derive(Debug)]
struct Counts {
    all: AtomicU64,
    by_shard: Vec<AtomicU64>,
}

/// What has a descriptor that may be closed.
pub trait HasDescriptor: Sized {
    fn descriptor(&self) -> &Descriptor<Self>;
}

/// The descriptor of one file, open or not.
#[derive(Debug)]
pub struct Descriptor<T> {
    open: Mutex<Option<Arc<OpenFile>>>,
    /// The tick of its last use.
    used: AtomicU64,
    all: Arc<Descriptors<T>>,
}

/// All that are open.
///
/// Lives: one per process. Invariants: a file that is open stands in `by_use` once, under a tick that is not after its last use.
#[derive(Debug)]
pub struct Descriptors<T> {
    max: u64,
    counts: Arc<Counts>,
    ticks: AtomicU64,
    by_use: Mutex<BTreeMap<u64, Weak<T>>>,
}

impl<T: HasDescriptor> Descriptor<T> {
    pub fn new(all: Arc<Descriptors<T>>) -> Descriptor<T> {
        Descriptor { open: Mutex::default(), used: AtomicU64::new(0), all }
    }

    pub fn opened(&self) -> Option<Arc<OpenFile>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        self.used.store(self.all.tick(), Ordering::Relaxed);
        Some(open)
    }

    /// Takes what was opened for `owner`, unless another thread was faster; closes others if that is too many.
    pub fn keep(&self, owner: &Arc<T>, file: File, shard: usize) -> Arc<OpenFile> {
        let tick = self.all.tick();
        self.used.store(tick, Ordering::Relaxed);
        let opened = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = &*open {
                return Arc::clone(open);
            }
            Arc::clone(open.insert(self.all.count(file, shard)))
        };
        self.all.admit(tick, Arc::downgrade(owner));
        opened
    }

    fn close(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(open);
    }
}

impl<T: HasDescriptor> Descriptors<T> {
    pub fn new(max: u64, shards: u16) -> Descriptors<T> {
        let counts =
            Counts { all: AtomicU64::new(0), by_shard: (0..shards).map(|_| AtomicU64::new(0)).collect() };
        Descriptors { max, counts: Arc::new(counts), ticks: AtomicU64::new(0), by_use: Mutex::default() }
    }

    pub fn open_of(&self, shard: usize) -> u64 {
        self.counts.by_shard.get(shard).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn count(&self, file: File, shard: usize) -> Arc<OpenFile> {
        self.counts.all.fetch_add(1, Ordering::Relaxed);
        if let Some(count) = self.counts.by_shard.get(shard) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let counts = Arc::clone(&self.counts);
        Arc::new(OpenFile { file: Some(file), heir: OnceLock::new(), counts, shard })
    }

    fn admit(&self, tick: u64, owner: Weak<T>) {
        let mut by_use = self.by_use.lock().unwrap_or_else(PoisonError::into_inner);
        by_use.insert(tick, owner);
        // Those that were used since they were put here go further back; each of them at most once.
        let mut looks = 2 * by_use.len();
        while by_use.len() as u64 > self.max && looks > 0 {
            looks -= 1;
            let Some((since, weak)) = by_use.pop_first() else { return };
            let Some(file) = weak.upgrade() else { continue };
            let used = file.descriptor().used.load(Ordering::Relaxed);
            if used > since && used < tick {
                by_use.insert(used, weak);
            } else {
                file.descriptor().close();
            }
        }
    }
}

/// A share of what the process may open: the rest is for connections, journals and segments that are written.
#[must_use]
pub fn descriptors_max() -> u64 {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    (limit / SEGMENT_DESCRIPTORS_SHARE).clamp(SEGMENT_DESCRIPTORS_MIN, SEGMENT_DESCRIPTORS_MAX)
}

/// The same of files that are open for writing: twice as many, as a partition's file is written again at each lap of the journal.
#[must_use]
pub fn writer_descriptors_max() -> u64 {
    2 * descriptors_max()
}

#[cfg(test)]
mod tests;
