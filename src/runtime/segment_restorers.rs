//! Threads that bring a recovery's bytes into segment files. A journal tells of all its segments in turn, so nearly each write is for
//! another file: one after the other they would wait for the disk, and open each file again and again.
//!
//! Decides which thread writes a segment, always the same one, and how many files are open. What failed is told at the next call.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use rustix::fs::OFlags;

use crate::effect::{DiskError, SegmentName};
use crate::limits::{RESTORE_QUEUE, RESTORE_THREADS};

use super::descriptors::descriptors_max;
use super::files::{open_or_create, partition_dir, segment_path, sync_dir};
use super::io_threads::{disk_error, thread};
use super::summary_file::{self, summary_path};

const STACK_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub enum Work {
    Write {
        position: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        length: u64,
    },
    Summary {
        bytes: Vec<u8>,
        synced: bool,
    },
    /// The file, its summary and its entry in its directory.
    Sync,
}

#[derive(Debug)]
enum Order {
    Restore(SegmentName, Work),
    /// Answered when all before it is done.
    Tell(Sender<()>),
}

/// Lives: one per start, from the first write on.
///
/// Invariants: what is asked of one segment happens in this order. After a failure nothing more is written.
#[derive(Debug)]
pub struct SegmentRestorers {
    orders: Vec<Sender<Order>>,
    threads: Vec<JoinHandle<()>>,
    failed: Arc<OnceLock<DiskError>>,
}

impl SegmentRestorers {
    pub fn start(data_dir: &Path) -> io::Result<SegmentRestorers> {
        let failed = Arc::new(OnceLock::new());
        let mut restorers =
            SegmentRestorers { orders: Vec::new(), threads: Vec::new(), failed: Arc::clone(&failed) };
        let open_max = usize::try_from(descriptors_max()).unwrap_or(usize::MAX) / RESTORE_THREADS;
        for number in 0..RESTORE_THREADS {
            let (orders, waiting) = bounded(RESTORE_QUEUE);
            let open = OpenFiles { data_dir: data_dir.to_path_buf(), max: open_max, ..OpenFiles::default() };
            let failed = Arc::clone(&failed);
            let run = move || serve(open, &waiting, &failed);
            restorers.threads.push(thread(format!("restore-{number}"), STACK_BYTES, run)?);
            restorers.orders.push(orders);
        }
        Ok(restorers)
    }

    /// Begins the work. Waits while too much is under way.
    ///
    /// Errors: the first failure, of any segment.
    pub fn begin(&self, segment: SegmentName, work: Work) -> Result<(), DiskError> {
        self.check()?;
        let topic = u128::from_be_bytes(segment.topic_partition.topic_id.0);
        let spread = (topic as usize).wrapping_add(segment.topic_partition.partition.0 as usize);
        let orders = &self.orders[spread % self.orders.len()];
        orders.send(Order::Restore(segment, work)).expect("a thread that restores ends with its orders");
        Ok(())
    }

    /// Waits for all that was begun.
    ///
    /// Errors: the first failure.
    pub fn finish(&self) -> Result<(), DiskError> {
        let (tell, told) = bounded(self.orders.len());
        for orders in &self.orders {
            let asked = orders.send(Order::Tell(tell.clone()));
            asked.expect("a thread that restores ends with its orders");
        }
        drop(tell);
        while told.recv().is_ok() {}
        self.check()
    }

    fn check(&self) -> Result<(), DiskError> {
        self.failed.get().map_or(Ok(()), |error| Err(*error))
    }
}

impl Drop for SegmentRestorers {
    fn drop(&mut self) {
        self.orders.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that restores segments panicked");
            }
        }
    }
}

fn serve(mut open: OpenFiles, orders: &Receiver<Order>, failed: &OnceLock<DiskError>) {
    for order in orders {
        match order {
            // Nobody waits any more: the start was given up.
            Order::Tell(tell) => drop(tell.send(())),
            Order::Restore(..) if failed.get().is_some() => {}
            Order::Restore(segment, work) => {
                if let Err(error) = open.restore(segment, work) {
                    let path = segment_path(&open.data_dir, segment);
                    tracing::error!(path = %path.display(), %error, "cannot restore a segment from the journal");
                    // An earlier one was faster.
                    let _ = failed.set(disk_error("restore segment", &error));
                }
            }
        }
    }
}

/// The files of one thread, the one that was opened longest ago closed first.
#[derive(Debug, Default)]
struct OpenFiles {
    data_dir: PathBuf,
    max: usize,
    files: HashMap<SegmentName, File>,
    order: VecDeque<SegmentName>,
}

impl OpenFiles {
    fn restore(&mut self, segment: SegmentName, work: Work) -> io::Result<()> {
        match work {
            Work::Write { position, bytes } => self.opened(segment)?.write_all_at(&bytes, position),
            Work::Truncate { length } => self.opened(segment)?.set_len(length),
            Work::Summary { bytes, synced } => {
                let path = segment_path(&self.data_dir, segment);
                let write = if synced { summary_file::write_synced } else { summary_file::write };
                // Never the only copy: the next start reads the segment.
                if let Err(error) = write(&path, &bytes) {
                    tracing::warn!(?segment, %error, "cannot write a summary");
                }
                Ok(())
            }
            Work::Sync => {
                self.opened(segment)?.sync_all()?;
                let path = segment_path(&self.data_dir, segment);
                match File::open(summary_path(&path)) {
                    Ok(summary) => summary.sync_all()?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
                sync_dir(&partition_dir(&self.data_dir, segment.topic_partition))
            }
        }
    }

    fn opened(&mut self, segment: SegmentName) -> io::Result<&File> {
        if !self.files.contains_key(&segment) {
            if self.files.len() >= self.max
                && let Some(oldest) = self.order.pop_front()
            {
                self.files.remove(&oldest);
            }
            let file = open_or_create(&segment_path(&self.data_dir, segment), OFlags::empty())?;
            self.files.insert(segment, file);
            self.order.push_back(segment);
        }
        Ok(&self.files[&segment])
    }
}
