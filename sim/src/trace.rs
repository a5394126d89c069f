//! What happened, as numbers: a rolling hash of every input and effect, and the last steps in words.
//!
//! Two runs of one seed must have the same hash. Words are made only when a failure is reported.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::Bytes;
use penstock::effect::Effect;
use penstock::input::Input;
use penstock::model::Instant;
use protocol::Piece;

const STEPS_KEPT: usize = 60;

#[derive(Debug, Clone, Copy)]
struct Step {
    at: Instant,
    place: u16,
    what: &'static str,
    numbers: [u64; 3],
}

/// Shards count from 0; the others are the world's own.
pub const WORLD: u16 = u16::MAX;

#[derive(Debug)]
pub struct Trace {
    hash: u64,
    steps: VecDeque<Step>,
    /// Every step is printed as it happens.
    pub loud: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Trace { hash: 0xcbf2_9ce4_8422_2325, steps: VecDeque::with_capacity(STEPS_KEPT), loud: false }
    }
}

impl Trace {
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn mix_bytes(&mut self, bytes: &[u8]) {
        let mut hash = bytes.len() as u64;
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let word = u64::from_le_bytes(word.try_into().expect("chunks of eight"));
            hash = (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31);
        }
        for byte in words.remainder() {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        self.mix(hash);
    }

    fn mix_all(&mut self, pieces: &[Bytes]) {
        for piece in pieces {
            self.mix_bytes(piece);
        }
    }

    pub fn step(&mut self, at: Instant, place: u16, what: &'static str, numbers: [u64; 3]) {
        self.mix(at.0);
        self.mix(u64::from(place));
        self.mix_bytes(what.as_bytes());
        numbers.into_iter().for_each(|number| self.mix(number));
        let step = Step { at, place, what, numbers };
        if self.loud {
            eprintln!("{}", describe(&step));
        }
        if self.steps.len() == STEPS_KEPT {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    pub fn input(&mut self, at: Instant, shard: u16, input: &Input) {
        let (what, numbers) = name_input(input);
        if let Input::Received { frame, .. } = input {
            self.mix_bytes(frame);
        }
        self.step(at, shard, what, numbers);
    }

    pub fn effect(&mut self, at: Instant, shard: u16, effect: &Effect) {
        let (what, numbers) = name_effect(effect);
        match effect {
            Effect::Send { pieces, .. } => {
                for piece in pieces {
                    match piece {
                        Piece::Bytes(bytes) => self.mix_bytes(bytes),
                        Piece::File(range) => {
                            self.mix(range.file ^ range.position.rotate_left(7) ^ range.length)
                        }
                    }
                }
            }
            Effect::CommitJournal(commit) => self.mix_all(&commit.pieces),
            Effect::WriteSegment { pieces, .. } => self.mix_all(pieces),
            Effect::WriteLogStart { bytes, .. } => self.mix_bytes(bytes),
            Effect::SealSegment { summary, .. } => self.mix_bytes(summary),
            Effect::SwapSegments { replaced, .. } => {
                replaced.iter().for_each(|base_offset| self.mix(base_offset.0 as u64));
            }
            Effect::RestoreSegments { segments, .. } => {
                segments.iter().for_each(|segment| self.mix_bytes(&segment.summary));
            }
            Effect::AppendMetadata { batch, .. } => self.mix_bytes(batch),
            _ => {}
        }
        self.step(at, shard, what, numbers);
    }

    /// The last steps, oldest first.
    #[must_use]
    pub fn tail(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let _ = writeln!(text, "  {}", describe(step));
        }
        text
    }
}

fn describe(step: &Step) -> String {
    let Step { at, place, what, numbers: [a, b, c] } = step;
    let place = if *place == WORLD { "world".to_owned() } else { format!("shard {place}") };
    format!("{:>12} us {place:<8} {what} {a} {b} {c}", at.0 / 1_000)
}

fn name_input(input: &Input) -> (&'static str, [u64; 3]) {
    match input {
        Input::Accepted { connection, .. } => ("> Accepted", [connection.0, 0, 0]),
        Input::Received { connection, frame } => {
            let key = frame.get(..2).map_or(0, |key| u64::from(key[0]) << 8 | u64::from(key[1]));
            ("> Received", [connection.0, frame.len() as u64, key])
        }
        Input::Sent { connection, bytes } => ("> Sent", [connection.0, *bytes, 0]),
        Input::Closed { connection } => ("> Closed", [connection.0, 0, 0]),
        Input::JournalCommitted { commit, .. } => ("> JournalCommitted", [commit.0, 0, 0]),
        Input::JournalFailed { .. } => ("> JournalFailed", [0; 3]),
        Input::JournalFileReady { file, .. } => ("> JournalFileReady", [u64::from(*file), 0, 0]),
        Input::SegmentWritten { file, position, length } => {
            ("> SegmentWritten", [file.0, *position, *length])
        }
        Input::SegmentsSynced { sync } => ("> SegmentsSynced", [sync.0, 0, 0]),
        Input::SegmentSealed { file } => ("> SegmentSealed", [file.0, 0, 0]),
        Input::SegmentFailed { file, .. } => ("> SegmentFailed", [file.0, 0, 0]),
        Input::ReadDone { read, result } => ("> ReadDone", [read.0, u64::from(result.is_ok()), 0]),
        Input::IndexLoaded { file, result } => {
            let bytes = result.as_ref().map_or(0, |section| section.len() as u64);
            ("> IndexLoaded", [file.0, u64::from(result.is_ok()), bytes])
        }
        Input::PartitionDeleted { .. } => ("> PartitionDeleted", [0; 3]),
        Input::LogStartWritten { trim, result } => {
            ("> LogStartWritten", [trim.0, u64::from(result.is_ok()), 0])
        }
        Input::KeysMapped { compaction, result } => {
            let mapped = result.as_ref().map_or([0, 0], |mapped| [mapped.clean_end.0 as u64, mapped.keys]);
            ("> KeysMapped", [compaction.0, mapped[0], mapped[1]])
        }
        Input::SegmentsRewritten { compaction, result } => {
            let new = result.as_ref().map_or([0, 0], |new| [new.sealed.length, new.records_dropped]);
            ("> SegmentsRewritten", [compaction.0, new[0], new[1]])
        }
        Input::SegmentsSwapped { compaction, result } => {
            ("> SegmentsSwapped", [compaction.0, u64::from(result.is_ok()), 0])
        }
        Input::SegmentsUnlinked { trim } => ("> SegmentsUnlinked", [trim.0, 0, 0]),
        Input::MetadataAppended { append, result } => {
            ("> MetadataAppended", [*append, u64::from(result.is_ok()), 0])
        }
        Input::SegmentLacksSpace { file, .. } => ("> SegmentLacksSpace", [file.0, 0, 0]),
        Input::JournalFileLacksSpace { file, .. } => ("> JournalFileLacksSpace", [u64::from(*file), 0, 0]),
        Input::MetadataLacksSpace { append, .. } => ("> MetadataLacksSpace", [*append, 0, 0]),
        Input::DiskSpace { dir, space } => ("> DiskSpace", [u64::from(dir.0), space.usable_bytes, 0]),
        Input::Shard { from, .. } => ("> Shard", [u64::from(from.0), 0, 0]),
        Input::Tick => ("> Tick", [0; 3]),
        Input::Stop => ("> Stop", [0; 3]),
    }
}

fn name_effect(effect: &Effect) -> (&'static str, [u64; 3]) {
    match effect {
        Effect::Send { connection, pieces } => {
            ("< Send", [connection.0, pieces.iter().map(Piece::len).sum(), pieces.len() as u64])
        }
        Effect::Close { connection } => ("< Close", [connection.0, 0, 0]),
        Effect::Pause { connection } => ("< Pause", [connection.0, 0, 0]),
        Effect::Resume { connection } => ("< Resume", [connection.0, 0, 0]),
        Effect::CommitJournal(commit) => (
            "< CommitJournal",
            [commit.commit.0, u64::from(commit.file) << 40 | commit.position, commit.length],
        ),
        Effect::PrepareJournalFile { file, bytes, .. } => {
            ("< PrepareJournalFile", [u64::from(*file), *bytes, 0])
        }
        Effect::OpenSegment { file, segment, origin } => {
            ("< OpenSegment", [file.0, segment.base_offset.0 as u64, *origin as u64])
        }
        Effect::WriteSegment { file, position, pieces } => {
            ("< WriteSegment", [file.0, *position, pieces.iter().map(|piece| piece.len() as u64).sum()])
        }
        Effect::SyncSegments { sync, files } => ("< SyncSegments", [sync.0, files.len() as u64, 0]),
        Effect::RestoreSegments { dir, segments } => {
            let bytes = segments.iter().map(|segment| segment.length - segment.position).sum();
            ("< RestoreSegments", [u64::from(dir.0), segments.len() as u64, bytes])
        }
        Effect::SealSegment { file, position, length, .. } => ("< SealSegment", [file.0, *position, *length]),
        Effect::CloseSegment { file } => ("< CloseSegment", [file.0, 0, 0]),
        Effect::ReadSegment { read, file, position, .. } => ("< ReadSegment", [read.0, file.0, *position]),
        Effect::LoadIndex { file, sealed, .. } => {
            ("< LoadIndex", [file.0, sealed.base_offset.0 as u64, sealed.length])
        }
        Effect::DeletePartition { .. } => ("< DeletePartition", [0; 3]),
        Effect::WriteLogStart { trim, bytes, .. } => ("< WriteLogStart", [trim.0, bytes.len() as u64, 0]),
        Effect::UnlinkSegments { trim, segments, .. } => {
            ("< UnlinkSegments", [trim.0, segments.len() as u64, segments[0].0 as u64])
        }
        Effect::AppendMetadata { append, batch } => ("< AppendMetadata", [*append, batch.len() as u64, 0]),
        Effect::MapKeys { compaction, segments, from, .. } => {
            ("< MapKeys", [compaction.0, segments.len() as u64, from.0 as u64])
        }
        Effect::RewriteSegments { compaction, segments, rules, .. } => {
            ("< RewriteSegments", [compaction.0, segments.len() as u64, rules.clean_end.0 as u64])
        }
        Effect::SwapSegments { compaction, replaced, .. } => {
            ("< SwapSegments", [compaction.0, replaced.len() as u64, replaced[0].0 as u64])
        }
        Effect::EndCompaction { compaction } => ("< EndCompaction", [compaction.0, 0, 0]),
        Effect::TellShard { to, .. } => ("< TellShard", [u64::from(to.0), 0, 0]),
        Effect::Stopped => ("< Stopped", [0; 3]),
        Effect::NothingToServe => ("< NothingToServe", [0; 3]),
    }
}
