//! The loop of one shard: gathers what happened, steps the core, does what it asks.
//!
//! A turn: all inputs that are there (up to `TURN_INPUTS_MAX`), one look at the clock, `step` for each, `end_turn`, then the effects
//! in order, then one send per connection that has something to send. With nothing to do it sleeps until a socket, a disk
//! completion, mail or a deadline wakes it. Nothing here knows Kafka.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use crate::effect::{CompactedSegment, CompactionFault, DiskError, Effect, Effects, FileId, IndexFault};
use crate::input::Input;
use crate::limits::TURN_INPUTS_MAX;
use crate::metrics::{RuntimeMetrics, ShardMetrics, ShardSnapshot};
use crate::model::{Instant, Now, ShardId};

use super::bulk::Seal;
use super::clock::Clock;
use super::compactor::Source;
use super::files::{Files, SegmentFile};
use super::io_threads::IoThreads;
use super::journal_writer::JournalWriter;
use super::mesh::{Inbox, Mail, Mesh};
use super::sockets::Sockets;

/// The core, as the loop sees it. The real one is `shard::Shard`; tests have smaller ones.
pub trait Core {
    fn step(&mut self, now: Now, input: Input, effects: &mut Effects);
    fn end_turn(&mut self, now: Now, effects: &mut Effects);
    fn next_deadline(&self) -> Option<Instant>;
    fn metrics(&self) -> &ShardMetrics;
}

/// What one shard works with.
///
/// Lives: on the shard's thread, for as long as the shard runs.
pub struct Driver<C> {
    pub shard: ShardId,
    pub core: C,
    pub clock: Clock,
    pub inbox: Inbox,
    pub mesh: Mesh,
    pub sockets: Sockets,
    pub journal: JournalWriter,
    pub io: IoThreads,
    pub files: Arc<Files>,
    pub metrics: Rc<RefCell<RuntimeMetrics>>,
}

/// What is carried from turn to turn.
#[derive(Default)]
struct Turn {
    inputs: VecDeque<Input>,
    effects: Effects,
    stopped: bool,
    has_nothing_to_serve: bool,
}

impl<C: Core> Driver<C> {
    /// Runs the shard until it has said `Stopped`. `effects` is what the core asked for when it was made.
    pub fn run(mut self, effects: Effects) -> io::Result<()> {
        let mut turn = Turn { effects, ..Turn::default() };
        self.perform(&mut turn);
        self.after_effects(&mut turn)?;
        while !turn.stopped {
            self.gather(&mut turn)?;
            let due = self.core.next_deadline().is_some_and(|deadline| self.clock.instant() >= deadline);
            if due {
                turn.inputs.push_front(Input::Tick);
            }
            if turn.inputs.is_empty() {
                self.after_effects(&mut turn)?;
            } else {
                self.turn(&mut turn)?;
            }
            let has_work = !turn.inputs.is_empty() || self.sockets.has_work() || self.mesh.has_to_self();
            if !has_work && !turn.stopped {
                self.sleep()?;
            }
        }
        let has_nothing_to_serve = turn.has_nothing_to_serve;
        let dirs = Arc::clone(self.files.data_dirs());
        self.finish(&mut turn)?;
        if has_nothing_to_serve { Err(nothing_to_serve(&dirs)) } else { Ok(()) }
    }

    fn gather(&mut self, turn: &mut Turn) -> io::Result<()> {
        self.journal.take_completions(&mut turn.inputs);
        let to_self = self.mesh.take_to_self();
        let from = self.shard;
        turn.inputs.extend(to_self.map(|message| Input::Shard { from, message }));
        while turn.inputs.len() < TURN_INPUTS_MAX {
            let Some(mail) = self.inbox.take() else { break };
            self.on_mail(mail, turn);
        }
        let room = TURN_INPUTS_MAX.saturating_sub(turn.inputs.len());
        if room > 0 {
            self.sockets.poll(self.clock.instant(), room, &mut turn.inputs)?;
        }
        Ok(())
    }

    fn on_mail(&mut self, mail: Mail, turn: &mut Turn) {
        match mail {
            Mail::Messages { from, messages } => {
                turn.inputs.extend(messages.into_iter().map(|message| Input::Shard { from, message }));
            }
            Mail::Input(input) => turn.inputs.push_back(input),
            Mail::RangeResident { connection, result } => {
                self.sockets.on_resident(connection, result, &mut turn.inputs);
            }
            Mail::Stop => {
                self.sockets.stop_listening();
                self.io.begin_stop();
                turn.inputs.push_back(Input::Stop);
            }
            // The asker may have given up.
            Mail::Snapshot(to) => drop(to.try_send(self.snapshot())),
        }
    }

    fn turn(&mut self, turn: &mut Turn) -> io::Result<()> {
        let now = self.clock.now();
        let count = turn.inputs.len().min(TURN_INPUTS_MAX);
        for input in turn.inputs.drain(..count) {
            self.core.step(now, input, &mut turn.effects);
        }
        self.core.end_turn(now, &mut turn.effects);
        {
            let mut metrics = self.metrics.borrow_mut();
            metrics.turns += 1;
            metrics.inputs += count as u64;
        }
        self.perform(turn);
        self.after_effects(turn)
    }

    fn perform(&mut self, turn: &mut Turn) {
        while let Some(effect) = turn.effects.pop() {
            match effect {
                Effect::Send { connection, pieces } => {
                    self.sockets.send(connection, pieces, &mut turn.inputs);
                }
                Effect::Close { connection } => self.sockets.close(connection, &mut turn.inputs),
                Effect::Pause { connection } => self.sockets.pause(connection),
                Effect::Resume { connection } => self.sockets.resume(connection),
                Effect::TellShard { to, message } => self.mesh.tell(to, message),
                Effect::Stopped => turn.stopped = true,
                Effect::NothingToServe => {
                    tracing::error!("every log dir has failed: the broker ends");
                    turn.has_nothing_to_serve = true;
                    self.mesh.stop_all();
                }
                other => self.perform_on_disk(other, turn),
            }
        }
    }

    fn perform_on_disk(&mut self, effect: Effect, turn: &mut Turn) {
        match effect {
            Effect::CommitJournal(commit) => {
                self.files.commits().note(commit.dir, StdInstant::now());
                self.journal.commit(commit, &mut turn.inputs);
            }
            Effect::PrepareJournalFile { dir, file, bytes } => self.io.prepare_journal_file(dir, file, bytes),
            Effect::OpenSegment { file, segment, origin: _ } => self.files.open(file, segment),
            Effect::CloseSegment { file } => {
                // Whoever sends from it holds it.
                drop(self.files.close(file));
                self.io.close(file);
            }
            Effect::WriteLogStart { trim, topic_partition, bytes } => {
                self.io.write_log_start(trim, topic_partition, bytes);
            }
            Effect::UnlinkSegments { trim, topic_partition, segments, files } => {
                let held = self.forget(files);
                self.io.unlink_segments(trim, topic_partition, segments, held);
            }
            Effect::WriteSegment { file, position, pieces } => match self.files.find(file) {
                Some(open) => self.io.write(open, position, pieces),
                None => turn.inputs.push_back(not_open(file)),
            },
            Effect::SealSegment { file, position, tail, length, summary } => match self.files.find(file) {
                Some(open) => self.io.seal(open, Seal { position, tail, length, summary }),
                None => turn.inputs.push_back(not_open(file)),
            },
            Effect::RestoreSegments { dir, segments } => self.io.restore(dir, segments),
            Effect::LoadIndex { file, of, sealed } => match self.files.find(file) {
                Some(open) => self.io.load_index(open, of, sealed),
                None => {
                    let fault = DiskError { operation: "load index", errno: libc::EBADF };
                    let result = Err(IndexFault::Disk(fault));
                    turn.inputs.push_back(Input::IndexLoaded { file, result });
                }
            },
            Effect::SyncSegments { sync, files } => {
                // A segment that was closed in the meantime was sealed or deleted: nothing is left to sync.
                let open = files.into_iter().filter_map(|file| self.files.find(file)).collect();
                self.io.sync(sync, open);
            }
            Effect::ReadSegment { read, file, position, length } => match self.files.find(file) {
                Some(open) => self.io.read(read, open, position, length),
                None => {
                    let result = Err(DiskError { operation: "read segment", errno: libc::EBADF });
                    turn.inputs.push_back(Input::ReadDone { read, result });
                }
            },
            Effect::DeletePartition { dir, topic_partition, files } => {
                let held = self.forget(files);
                self.io.delete_partition(dir, topic_partition, held);
            }
            Effect::AppendMetadata { append, batch } => self.io.append_metadata(append, batch),
            other => self.perform_compaction(other, turn),
        }
    }

    fn perform_compaction(&mut self, effect: Effect, turn: &mut Turn) {
        let lost = DiskError { operation: "find segment", errno: libc::EBADF };
        match effect {
            Effect::MapKeys { compaction, segments, from, map_bytes, bytes_per_second } => {
                match self.sources(segments) {
                    Some(sources) => {
                        let compactor = self.io.compactor();
                        compactor.map_keys(compaction, sources, from, map_bytes, bytes_per_second);
                    }
                    None => {
                        let result = Err(CompactionFault::Disk(lost));
                        turn.inputs.push_back(Input::KeysMapped { compaction, result });
                    }
                }
            }
            Effect::RewriteSegments {
                compaction,
                topic_partition,
                segments,
                rules,
                snapshot,
                bytes_per_second,
            } => match self.sources(segments) {
                Some(sources) => {
                    let compactor = self.io.compactor();
                    let told = (rules, snapshot);
                    compactor.rewrite(compaction, topic_partition, sources, told, bytes_per_second);
                }
                None => {
                    let result = Err(CompactionFault::Disk(lost));
                    turn.inputs.push_back(Input::SegmentsRewritten { compaction, result });
                }
            },
            Effect::SwapSegments { compaction, topic_partition, replaced, files } => {
                let held = files.into_iter().filter_map(|file| self.files.find(file)).collect();
                self.io.compactor().swap(compaction, topic_partition, replaced, held);
            }
            Effect::EndCompaction { compaction } => self.io.compactor().end(compaction),
            other => unreachable!("{other:?} is not for the disk"),
        }
    }

    fn sources(&self, segments: Vec<CompactedSegment>) -> Option<Vec<Source>> {
        segments.into_iter().map(|segment| Some((self.files.find(segment.file)?, segment))).collect()
    }

    /// Forgets the numbers. Returns the files: whoever still sends from one holds it, too.
    fn forget(&self, files: Vec<FileId>) -> Vec<Arc<SegmentFile>> {
        files.iter().for_each(|file| self.io.close(*file));
        files.into_iter().filter_map(|file| self.files.close(file)).collect()
    }

    fn after_effects(&mut self, turn: &mut Turn) -> io::Result<()> {
        self.journal.submit()?;
        let sent = self.mesh.flush();
        self.metrics.borrow_mut().mesh_messages += sent;
        let mut cold = Vec::new();
        self.sockets.flush(self.clock.instant(), &mut turn.inputs, &mut cold);
        cold.into_iter().for_each(|range| self.io.make_resident(range));
        Ok(())
    }

    /// Everything that came before the last look at the kernel is looked for here once more: that look used up its edges.
    fn sleep(&mut self) -> io::Result<()> {
        if self.journal.completions() > 0 || !self.inbox.prepare_to_park() {
            return Ok(());
        }
        self.metrics.borrow_mut().parks += 1;
        let deadline = self.core.next_deadline().into_iter().chain(self.sockets.next_deadline()).min();
        let wait = deadline.map(|deadline| Duration::from_nanos(deadline.ns_since(self.clock.instant())));
        let result = self.sockets.wait(wait);
        self.inbox.unpark();
        result
    }

    /// Sends what can still be sent, and lets what was started on the disk end.
    fn finish(mut self, turn: &mut Turn) -> io::Result<()> {
        self.after_effects(turn)?;
        while self.journal.in_flight() > 0 {
            self.journal.wait()?;
            self.journal.take_completions(&mut turn.inputs);
            self.journal.submit()?;
        }
        self.io.stop();
        Ok(())
    }

    fn snapshot(&self) -> ShardSnapshot {
        let mut runtime = self.metrics.borrow().clone();
        self.io.add_counts_to(&mut runtime);
        runtime.segment_descriptors = self.files.open_descriptors(self.shard);
        ShardSnapshot { shard: self.shard.0, core: self.core.metrics().clone(), runtime }
    }
}

fn nothing_to_serve(dirs: &[PathBuf]) -> io::Error {
    let dirs: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    io::Error::other(format!(
        "every log dir has failed ({}). Check the disks, the errors are above; then start the broker again: what was acknowledged is \
         recovered from what they still have",
        dirs.join(", ")
    ))
}

fn not_open(file: FileId) -> Input {
    Input::SegmentFailed { file, error: DiskError { operation: "find segment", errno: libc::EBADF } }
}

#[cfg(test)]
mod tests;
