//! Brings cold ranges of segments into the page cache, so that `sendfile` finds every page, and reads ahead of who goes on.
//!
//! The kernel's own read-ahead asks for as much as the device is set to, 8 MiB on some hosts, and a commit of the journal that comes
//! meanwhile waits behind all of it. So it is off where there are commits: each thread has the device read one piece and the one behind
//! it, however many clients there are. In a log dir that nobody writes to it is on: it is faster, and costs less.
//!
//! Lives: helper threads of one shard. The ranges of one connection all go to the same thread: it knows what that one has read.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use rustix::fs::{Advice, fadvise, sendfile};

use crate::limits::{COLD_AHEAD_BYTES_MAX, COLD_PIECE_BYTES, COLD_READERS};
use crate::model::{ConnectionId, ShardId};

use super::files::{OpenFile, SegmentFile};
use super::io_threads::{post, thread};
use super::last_commits::LastCommits;
use super::mesh::{Mail, Postbox};

const STACK_BYTES: usize = 128 * 1024;

/// How much lower than that of others its share of the processor is: the shard goes first on a core that they share.
const NICENESS: i32 = 10;

/// A cold range that a connection waits for.
#[derive(Debug)]
pub struct ColdRange {
    pub connection: ConnectionId,
    pub file: Arc<SegmentFile>,
    pub position: u64,
    pub length: u64,
}

/// The sending side; the shard's loop owns it. The threads end with it.
#[derive(Debug)]
pub struct ColdReaders {
    threads: Vec<Sender<ColdRange>>,
}

impl ColdReaders {
    pub fn start(
        shard: ShardId,
        commits: &Arc<LastCommits>,
        reply: &Postbox,
    ) -> io::Result<(ColdReaders, Vec<JoinHandle<()>>)> {
        let (mut threads, mut handles) = (Vec::new(), Vec::new());
        for index in 0..COLD_READERS {
            let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
            let (sender, ranges) = unbounded();
            let (commits, reply) = (Arc::clone(commits), reply.clone());
            handles.push(thread(format!("read-{shard}-{index}"), STACK_BYTES, move || {
                // Of this thread only. Where it is not allowed it is as the others.
                let _ = rustix::process::nice(NICENESS);
                read_all(&ranges, &commits, &reply, &nowhere);
            })?);
            threads.push(sender);
        }
        Ok((ColdReaders { threads }, handles))
    }

    pub fn read(&self, range: ColdRange) {
        let chosen = usize::try_from(range.connection.0 % COLD_READERS as u64).expect("few threads");
        post(&self.threads[chosen], range);
    }
}

fn read_all(ranges: &Receiver<ColdRange>, commits: &LastCommits, reply: &Postbox, nowhere: &File) {
    let mut last: Option<Stream> = None;
    while let Some(range) = next_range(ranges, &mut last, nowhere) {
        let is_quiet = commits.is_quiet(range.file.id.dir(), Instant::now());
        let result = read_range(&mut last, &range, is_quiet, nowhere);
        reply.send(Mail::RangeResident { connection: range.connection, result });
    }
}

/// Reads ahead while nobody waits. None: it is time to end.
fn next_range(ranges: &Receiver<ColdRange>, last: &mut Option<Stream>, nowhere: &File) -> Option<ColdRange> {
    while let Some(stream) = last.as_mut().filter(|stream| stream.has_ahead()) {
        match ranges.try_recv() {
            Ok(range) => return Some(range),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        // Whoever needs what cannot be read asks for it, and hears of it then.
        let open = stream.open.upgrade();
        if open.is_none_or(|open| stream.read_piece(&open, nowhere).is_err()) {
            *last = None;
        }
    }
    ranges.recv().ok()
}

fn read_range(
    last: &mut Option<Stream>,
    range: &ColdRange,
    is_quiet: bool,
    nowhere: &File,
) -> io::Result<Arc<OpenFile>> {
    let open = range.file.open()?;
    let going_on = last.take().filter(|stream| stream.goes_on_at(&open, range.position));
    let mut stream = going_on.unwrap_or_else(|| Stream::new(&open, range.position));
    stream.want(&open, range.position + range.length, is_quiet)?;
    while stream.read < stream.wanted {
        stream.read_piece(&open, nowhere)?;
    }
    *last = Some(stream);
    Ok(open)
}

/// One client's way through one file, in pieces that begin at multiples of their size.
///
/// Invariants: `read <= asked <= read + 2 pieces`, `wanted <= until`.
struct Stream {
    /// It keeps no file open, which may have been deleted meanwhile.
    open: Weak<OpenFile>,
    began: u64,
    /// Up to here everything came into memory.
    read: u64,
    /// Up to here the kernel has been asked to read.
    asked: u64,
    /// Up to here a client waits.
    wanted: u64,
    /// Up to here it is read ahead.
    until: u64,
    kernel_reads_ahead: bool,
}

impl Stream {
    fn new(open: &Arc<OpenFile>, position: u64) -> Stream {
        let began = position - position % COLD_PIECE_BYTES;
        let open = Arc::downgrade(open);
        Stream {
            open,
            began,
            read: began,
            asked: began,
            wanted: began,
            until: began,
            kernel_reads_ahead: false,
        }
    }

    /// What it has read ahead is not asked for: the connection found it in memory.
    fn goes_on_at(&self, open: &Arc<OpenFile>, position: u64) -> bool {
        self.open.as_ptr() == Arc::as_ptr(open) && (self.wanted..=self.read).contains(&position)
    }

    /// Reads ahead as far as the client has come: one that takes a single range makes the device read no more than that.
    fn want(&mut self, open: &OpenFile, end: u64, is_quiet: bool) -> io::Result<()> {
        self.kernel_reads_ahead = is_quiet;
        // Of the descriptor, which others use, too: so it is said each time. A hint.
        let advice = if is_quiet { Advice::Normal } else { Advice::Random };
        let _ = fadvise(&**open, 0, None, advice);
        let ahead = if is_quiet || self.wanted == self.began { 0 } else { end - self.began };
        self.wanted = end;
        let whole_pieces = (end + ahead.min(COLD_AHEAD_BYTES_MAX)).next_multiple_of(COLD_PIECE_BYTES);
        self.until = self.until.max(whole_pieces.min(open.metadata()?.len())).max(end);
        Ok(())
    }

    fn has_ahead(&self) -> bool {
        self.read < self.until
    }

    /// Waits for the next piece while the device already reads the one behind it.
    fn read_piece(&mut self, open: &OpenFile, nowhere: &File) -> io::Result<()> {
        while !self.kernel_reads_ahead && self.asked < self.until.min(self.read + 2 * COLD_PIECE_BYTES) {
            // A hint: the piece is read below in any case.
            let _ = fadvise(&**open, self.asked, NonZeroU64::new(COLD_PIECE_BYTES), Advice::WillNeed);
            self.asked += COLD_PIECE_BYTES;
        }
        let end = self.until.min(self.read + COLD_PIECE_BYTES);
        let mut at = self.read;
        while at < end {
            let left = usize::try_from(end - at).expect("a piece is small");
            // Waits for every page, and copies none.
            if sendfile(nowhere, &**open, Some(&mut at), left)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.read = end;
        self.asked = self.asked.max(end);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
