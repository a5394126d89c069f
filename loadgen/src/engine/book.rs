//! The ledgers of all topic-partitions, shared by the threads; and how producers and consumers write into them.
//!
//! Each ledger has a lock of its own: a partition's producers and its reader are rarely at it at the same moment.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::consumer::BatchSink;
use crate::conversation::Nanoseconds;
use crate::ledger::{FoundBatch, PartitionLedger, SentBatch};
use crate::producer::{End, Ends};
use crate::recorder::Recorder;
use crate::report::Verification;
use crate::verdict;

#[derive(Clone)]
pub struct Book {
    ledgers: Arc<Vec<Mutex<PartitionLedger>>>,
}

impl Book {
    #[must_use]
    pub fn new(start_offsets: &[i64], run: u32) -> Book {
        let ledgers = start_offsets.iter().map(|offset| Mutex::new(PartitionLedger::new(*offset, run)));
        Book { ledgers: Arc::new(ledgers.collect()) }
    }

    pub fn ledger(&self, partition: usize) -> MutexGuard<'_, PartitionLedger> {
        // A thread that panicked has ended the run; what it left is still read for the report.
        self.ledgers[partition].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        (0..self.ledgers.len()).map(|partition| self.ledger(partition).bytes() as u64).sum()
    }

    /// Sum of the offsets after the last acknowledged batches.
    #[must_use]
    pub fn acknowledged_ends(&self) -> i64 {
        (0..self.ledgers.len()).map(|partition| self.ledger(partition).acknowledged_end()).sum()
    }

    #[must_use]
    pub fn read_positions(&self) -> Vec<i64> {
        (0..self.ledgers.len()).map(|partition| self.ledger(partition).read_position()).collect()
    }

    /// The verdict over all partitions, whose logs end at `end_offsets`. Nobody writes into the book any more.
    #[must_use]
    pub fn finish(self, end_offsets: &[i64], name: impl Fn(usize) -> String) -> Verification {
        let mut total = Verification::default();
        let Ok(ledgers) = Arc::try_unwrap(self.ledgers) else {
            unreachable!("the threads that had a copy have ended");
        };
        for (partition, ledger) in ledgers.into_iter().enumerate() {
            let ledger = ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
            verdict::add(&mut total, ledger.finish(end_offsets[partition], &name(partition)));
        }
        total
    }
}

/// A producer's ends go into the book, or nowhere if nothing is verified.
pub struct BookOfEnds(pub Option<Book>);

impl Ends for BookOfEnds {
    fn on_end(&mut self, partition: usize, sent: SentBatch, end: End) -> Option<Nanoseconds> {
        let mut ledger = self.0.as_ref()?.ledger(partition);
        match end {
            End::Acknowledged { base_offset } => ledger.on_acknowledged(sent, base_offset),
            End::AcknowledgedElsewhere => ledger.on_acknowledged_elsewhere(sent),
            End::Unknown => ledger.on_unknown(sent),
            End::Refused => {
                ledger.on_refused(sent);
                None
            }
        }
    }
}

/// What a consumer reads: into the book where it is the one that verifies, and into the histogram of end-to-end times.
pub struct Reading {
    pub book: Option<Book>,
    pub run: u32,
    /// The topic-partition of each assignment.
    pub partitions: Vec<usize>,
    /// None: after the run, when nothing is measured.
    pub recorder: Option<Rc<RefCell<Recorder>>>,
}

impl BatchSink for Reading {
    fn on_batch(&mut self, partition: usize, found: FoundBatch, now: Nanoseconds) {
        let intended = match &self.book {
            Some(book) => book.ledger(self.partitions[partition]).on_read(found, now),
            None => found.stamp.filter(|stamp| stamp.run == self.run).map(|stamp| stamp.intended_ns),
        };
        if let (Some(intended), Some(recorder)) = (intended, &self.recorder) {
            recorder.borrow_mut().on_end_to_end(now, intended);
        }
    }
}
