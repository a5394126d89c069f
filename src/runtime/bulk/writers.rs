//! The threads that write the segments of one shard in one log dir. A segment belongs to one of them, so what is asked of it happens
//! in order; a log dir that is slow takes nothing from the others.
//!
//! Plain blocking writes: a thread that waits in one large write is hard to beat, and it copies into memory that stays in its cache
//! (docs/decisions/0005). What is left of a seal when the bytes are written, a sync above all, is handed to who waits for syncs.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::effect::FileId;
use crate::input::{Input, SegmentOperation};
use crate::model::{LogDir, ShardId};
use crate::runtime::aligned::Aligned;
use crate::runtime::files::SegmentFile;
use crate::runtime::io_threads::thread;
use crate::runtime::segment_writer::SegmentWriter;

use super::{Order, Replies, Seal, send};

/// Of one log dir. More of them only take turns on the shard's core; fewer leave the device idle while one copies.
const WRITERS: usize = 2;
const STACK_BYTES: usize = 256 * 1024;

enum Job {
    Write { file: Arc<SegmentFile>, position: u64, pieces: Vec<Bytes> },
    Seal { file: Arc<SegmentFile>, seal: Seal },
    Close { file: FileId },
}

/// Gives each segment to its thread.
#[derive(Debug)]
pub struct Writers {
    /// By log dir.
    dirs: Vec<Vec<Sender<Job>>>,
}

impl Writers {
    /// `descriptors_max`: segments that the shard keeps open for writing though nothing is written to them. Dropping the writers ends
    /// the threads, once everything that was ordered is done.
    pub fn start(
        shard: ShardId,
        dirs: usize,
        descriptors_max: usize,
        replies: &Replies,
        syncs: &Sender<Order>,
    ) -> io::Result<(Writers, Vec<JoinHandle<()>>)> {
        let open_max = (descriptors_max / dirs.max(1) / WRITERS).max(1);
        let mut writers = Writers { dirs: Vec::new() };
        let mut threads = Vec::new();
        for dir in 0..dirs {
            let mut senders = Vec::new();
            for index in 0..WRITERS {
                let (sender, jobs) = unbounded();
                let mut writer = Writer {
                    written: HashMap::new(),
                    open: 0,
                    open_max,
                    scratch: Aligned::default(),
                    replies: replies.clone(),
                    syncs: syncs.clone(),
                };
                let name = format!("write-{shard}-{dir}-{index}");
                threads.push(thread(name, STACK_BYTES, move || writer.run(&jobs))?);
                senders.push(sender);
            }
            writers.dirs.push(senders);
        }
        Ok((writers, threads))
    }

    pub fn write(&self, file: Arc<SegmentFile>, position: u64, pieces: Vec<Bytes>) {
        self.post(file.id, Job::Write { file, position, pieces });
    }

    pub fn seal(&self, file: Arc<SegmentFile>, seal: Seal) {
        self.post(file.id, Job::Seal { file, seal });
    }

    pub fn close(&self, file: FileId) {
        self.post(file, Job::Close { file });
    }

    fn post(&self, file: FileId, job: Job) {
        let LogDir(dir) = file.dir();
        let index = usize::try_from(file.0 % WRITERS as u64).expect("less than a length");
        send(&self.dirs[usize::from(dir)][index], job);
    }
}

/// One thread's segments.
struct Writer {
    written: HashMap<FileId, (Arc<SegmentFile>, SegmentWriter)>,
    /// Of these, how many have a descriptor.
    open: usize,
    open_max: usize,
    scratch: Aligned,
    replies: Replies,
    syncs: Sender<Order>,
}

impl Writer {
    fn run(&mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Write { file, position, pieces } => self.write(&file, position, &pieces),
                Job::Seal { file, seal } => self.seal(file, seal),
                Job::Close { file } => {
                    if let Some(file) = self.forget(file) {
                        file.write_side.end();
                    }
                }
            }
            self.maybe_park();
        }
    }

    fn write(&mut self, file: &Arc<SegmentFile>, position: u64, pieces: &[Bytes]) {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        let (_, writer) =
            self.written.entry(file.id).or_insert_with(|| (Arc::clone(file), SegmentWriter::default()));
        let was_open = writer.is_open();
        let result = writer.write(file, &mut self.scratch, position, pieces);
        self.open += usize::from(writer.is_open() && !was_open);
        self.replies.counts.writes.fetch_add(1, Ordering::Relaxed);
        self.replies.counts.bytes.fetch_add(length, Ordering::Relaxed);
        self.replies.answer(match result {
            Ok(()) => Input::SegmentWritten { file: file.id, position, length },
            Err(error) => super::segment_unwritten(file, SegmentOperation::Write { length }, error.into()),
        });
    }

    fn seal(&mut self, file: Arc<SegmentFile>, seal: Seal) {
        let mut writer = self.written.remove(&file.id).map(|(_, writer)| writer).unwrap_or_default();
        self.open -= usize::from(writer.is_open());
        match writer.finish(&file, &mut self.scratch, &seal) {
            Ok(written) => send(&self.syncs, Order::SyncSealed { file, written, summary: seal.summary }),
            // Asked for again, it is opened again.
            Err(error) => {
                file.write_side.give_back();
                self.replies.answer(super::segment_unwritten(&file, SegmentOperation::Seal, error.into()));
            }
        }
    }

    fn forget(&mut self, file: FileId) -> Option<Arc<SegmentFile>> {
        let (file, writer) = self.written.remove(&file)?;
        self.open -= usize::from(writer.is_open());
        Some(file)
    }

    /// All at once, so that it is rare to have to look at all.
    fn maybe_park(&mut self) {
        if self.open > self.open_max {
            self.written.values_mut().for_each(|(file, writer)| writer.park(file));
            self.open = 0;
        }
    }
}
