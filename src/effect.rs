//! All that a shard may ask of the world.
//!
//! Order matters per connection, per file and per shard pair; nowhere else. Each effect that has an answer says which;
//! it is answered exactly once, failure included.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use protocol::Piece;

use crate::model::{ConnectionId, LogDir, Offset, SealedSegment, ShardId, Snapshot, TopicPartition};
use crate::shard_message::ShardMessage;

/// Counts the commits of one journal. Their numbers go on where a start goes on with a journal; records wait for numbers of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub u64);

/// A segment file that is open somewhere in this process: the shard in the upper 16 bits, the log dir in the next 8, a count below.
/// Unique while the process lives; `Piece::File` carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

impl FileId {
    #[must_use]
    pub fn new(shard: ShardId, dir: LogDir, count: u64) -> FileId {
        assert!(count < 1 << 40, "fewer files are opened in the life of a process");
        FileId(u64::from(shard.0) << 48 | u64::from(dir.0) << 40 | count)
    }

    #[must_use]
    pub fn dir(self) -> LogDir {
        LogDir((self.0 >> 40) as u8)
    }
}

/// One sync of a shard: the log dir in the upper 8 bits, a count below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncId(pub u64);

impl SyncId {
    #[must_use]
    pub fn new(dir: LogDir, count: u64) -> SyncId {
        SyncId(u64::from(dir.0) << 56 | count)
    }

    #[must_use]
    pub fn dir(self) -> LogDir {
        LogDir((self.0 >> 56) as u8)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// A log whose start is being moved or whose oldest segments go: the log dir in the upper 8 bits. One thing at a time for each log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrimId(pub u64);

impl TrimId {
    #[must_use]
    pub fn dir(self) -> LogDir {
        LogDir((self.0 >> 56) as u8)
    }
}

/// A log that is being compacted: the log dir in the upper 8 bits. One step of it at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactionId(pub u64);

impl CompactionId {
    #[must_use]
    pub fn dir(self) -> LogDir {
        LogDir((self.0 >> 56) as u8)
    }
}

/// A sealed segment that compaction reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactedSegment {
    pub file: FileId,
    pub sealed: SealedSegment,
}

/// By what rules records stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanRules {
    /// The map holds the keys of all dirty records below it; what lies beyond stays.
    pub clean_end: Offset,
    /// The wall clock, for delete horizons.
    pub now_ms: i64,
    pub delete_retention_ms: i64,
    /// By producer id: where the last batch of each ends. That batch stays, if only without its records.
    pub producers: Arc<[(i64, Offset)]>,
    /// Of a segment that several are merged into.
    pub length_max: u64,
}

/// What came of mapping keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappedKeys {
    /// Where the map was full, or where the last segment ends.
    pub clean_end: Offset,
    pub keys: u64,
    pub bytes_read: u64,
}

/// What came of rewriting segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    pub sealed: SealedSegment,
    /// Its index, as the section of its summary.
    pub index: Bytes,
    /// False: it has the very bytes of the one segment that it was made of.
    pub is_changed: bool,
    pub records_dropped: u64,
}

/// Why a step of a compaction came to nothing. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactionFault {
    Disk(DiskError),
    /// What stands there in the segment's file is not the batch that must.
    Damaged {
        segment: Offset,
        position: u64,
    },
    /// The new segment would be larger than one may be.
    Outgrown,
    /// It was told to end.
    GivenUp,
}

/// How the files of compacted segments could not be put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapFault {
    /// The old ones stand.
    Unchanged(DiskError),
    /// Nobody knows which: final for the log dir.
    Unknown(DiskError),
}

/// Names a segment on disk: `TOPIC_ID-PARTITION/BASE_OFFSET.log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    pub topic_partition: TopicPartition,
    pub base_offset: Offset,
}

/// What the operating system said. `operation` and `errno` are for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskError {
    pub operation: &'static str,
    pub errno: i32,
}

/// Why the index of a segment could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexFault {
    Disk(DiskError),
    /// What stands there in the segment's file is not the batch that must.
    NotABatch {
        position: u64,
    },
}

/// One group commit: write `pieces` from `position` on, pad with zeros to `length`, sync the data of the file.
///
/// Invariants: position and length are multiples of `BLOCK_BYTES`; the file was prepared.
#[derive(Debug, Clone)]
pub struct JournalCommit {
    pub dir: LogDir,
    pub commit: CommitId,
    /// The physical file of the ring: `journal/SHARD/FILE.journal` of the log dir.
    pub file: u32,
    pub position: u64,
    pub length: u64,
    pub pieces: Vec<Bytes>,
}

/// What there is of a segment's file when it gets its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileOrigin {
    /// Nothing: the first write creates it.
    New,
    /// An earlier run sealed it.
    Sealed,
    /// An earlier run left it open, and may have written to it.
    LeftOpen,
}

/// Bytes of a segment in a file of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalPiece {
    pub file: u32,
    pub position: u32,
    pub length: u32,
}

/// A segment whose last bytes are in the journal alone.
#[derive(Debug, Clone)]
pub struct RestoreSegment {
    pub file: FileId,
    pub segment: SegmentName,
    /// [0, position) is in the file, synced.
    pub position: u64,
    /// What follows, in order.
    pub pieces: Vec<JournalPiece>,
    pub length: u64,
    pub summary: Bytes,
}

#[derive(Debug)]
pub enum Effect {
    /// One answer, length prefix included. Answered by `Sent`, in parts or at once.
    Send {
        connection: ConnectionId,
        pieces: Vec<Piece>,
    },
    /// Send what is queued, then close.
    Close {
        connection: ConnectionId,
    },
    /// Read no more from this socket until `Resume`. Frames already received still come.
    Pause {
        connection: ConnectionId,
    },
    Resume {
        connection: ConnectionId,
    },

    CommitJournal(JournalCommit),
    /// Fill a new file of the ring with zeros and sync it, in the background.
    PrepareJournalFile {
        dir: LogDir,
        file: u32,
        bytes: u64,
    },
    /// Gives the number to a segment. Not answered.
    OpenSegment {
        file: FileId,
        segment: SegmentName,
        origin: FileOrigin,
    },
    /// Begins where the write before ended, at first at 0; every byte of it is durable in the journal. Where it ends inside a block, zeros
    /// follow up to the block's end. Where it begins inside one, what stands in front of it in the block stays.
    WriteSegment {
        file: FileId,
        position: u64,
        pieces: Vec<Bytes>,
    },
    /// Data sync of all of them, which no write waits for (and of their directories, where the file is new).
    SyncSegments {
        sync: SyncId,
        files: Vec<FileId>,
    },
    /// Write `tail` at `position` (where the last write ended; it ends in the same block, or is empty), truncate to `length`, sync the
    /// file. Then write `summary` beside it, as a new file that is synced and renamed, and sync the directory.
    SealSegment {
        file: FileId,
        position: u64,
        tail: Bytes,
        length: u64,
        summary: Bytes,
    },
    /// Completes segments of an earlier run. Each: write what `pieces` of the journal hold at `position`, truncate to `length`, make its
    /// summary, and sync all. Answered for each, as a `SealSegment` is.
    RestoreSegments {
        dir: LogDir,
        segments: Vec<RestoreSegment>,
    },
    /// The index of a sealed segment: the section of its summary, else made of the batch headers in its file, and then the summary
    /// is written again. Answered by `IndexLoaded`.
    LoadIndex {
        file: FileId,
        of: TopicPartition,
        sealed: SealedSegment,
    },
    /// Forget the number; whoever still sends from the file may finish. Not answered.
    CloseSegment {
        file: FileId,
    },
    ReadSegment {
        read: ReadId,
        file: FileId,
        position: u64,
        length: u64,
    },
    /// Make `bytes` the partition's `log-start` file: a new file, synced, renamed, and its directories synced. Answered by
    /// `LogStartWritten`.
    WriteLogStart {
        trim: TrimId,
        topic_partition: TopicPartition,
        bytes: Bytes,
    },
    /// Forget the numbers and unlink the segments with their summaries, oldest first, off the executor; whoever still sends from
    /// one may finish. Nothing need be synced. Answered by `SegmentsUnlinked`.
    UnlinkSegments {
        trim: TrimId,
        topic_partition: TopicPartition,
        segments: Vec<Offset>,
        files: Vec<FileId>,
    },
    /// Read the segments and put the keys of their records from offset `from` on into a map of at most `map_bytes`, off the executor, at no
    /// more than so many bytes a second. The map stays until `EndCompaction`. Answered by `KeysMapped`.
    MapKeys {
        compaction: CompactionId,
        segments: Vec<CompactedSegment>,
        from: Offset,
        map_bytes: u64,
        bytes_per_second: u64,
    },
    /// Write, by the map and the rules, one new segment of these, with its summary, of which `snapshot` is a part, beside them under names that nothing reads, and sync
    /// both. Answered by `SegmentsRewritten`.
    RewriteSegments {
        compaction: CompactionId,
        topic_partition: TopicPartition,
        segments: Vec<CompactedSegment>,
        rules: CleanRules,
        snapshot: Snapshot,
        bytes_per_second: u64,
    },
    /// Put what was rewritten last in the place of `files`, whose base offsets are `replaced`: durable, and at any moment either all of
    /// it or nothing. Whoever sends from one of the old files may finish. Answered by `SegmentsSwapped`.
    SwapSegments {
        compaction: CompactionId,
        topic_partition: TopicPartition,
        replaced: Vec<Offset>,
        files: Vec<FileId>,
    },
    /// Forget the map, and end the step that is under way, if any: it is answered all the same. Not answered.
    EndCompaction {
        compaction: CompactionId,
    },
    /// Forget the numbers, unlink the directory and its files, off the executor; whoever still sends from one may finish.
    /// Answered by `PartitionDeleted`.
    DeletePartition {
        dir: LogDir,
        topic_partition: TopicPartition,
        files: Vec<FileId>,
    },
    /// Append and sync, in order. Shard 0 only.
    AppendMetadata {
        append: u64,
        batch: Bytes,
    },

    TellShard {
        to: ShardId,
        message: ShardMessage,
    },
    /// Everything acknowledged is sealed; the shard needs no more turns.
    Stopped,
    /// Every log dir has failed, and no shard has a partition left that it could serve: the process is to end, with an error. Shard 0
    /// only, once.
    NothingToServe,
}

/// The effects of a turn, in order.
#[derive(Debug, Default)]
pub struct Effects(VecDeque<Effect>);

impl Effects {
    pub fn push(&mut self, effect: Effect) {
        self.0.push_back(effect);
    }

    pub fn pop(&mut self) -> Option<Effect> {
        self.0.pop_front()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
