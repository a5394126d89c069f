//! All that can happen to a shard. Nothing else can.

use core::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use crate::effect::{
    CommitId, CompactionFault, CompactionId, DiskError, FileId, IndexFault, MappedKeys, ReadId, Rewritten,
    SwapFault, SyncId, TrimId,
};
use crate::model::{ConnectionId, DiskSpace, LogDir, ShardId, TopicPartition};
use crate::shard_message::ShardMessage;

/// What was asked of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentOperation {
    Write { length: u64 },
    Seal,
}

#[derive(Debug)]
pub enum Input {
    /// `listener` counts the configured listeners from 0: it decides which address Metadata advertises.
    Accepted {
        connection: ConnectionId,
        listener: u16,
        peer: SocketAddr,
    },
    /// One whole request frame without its length prefix, in order of arrival. Its buffer has no other owner.
    Received {
        connection: ConnectionId,
        frame: BytesMut,
    },
    /// `bytes` of earlier `Send`s have left for the socket.
    Sent {
        connection: ConnectionId,
        bytes: u64,
    },
    /// The connection is gone, for whatever reason; also the answer to `Effect::Close`. Comes once.
    Closed {
        connection: ConnectionId,
    },

    /// The commit is written and synced. In any order; the journal restores it.
    JournalCommitted {
        dir: LogDir,
        commit: CommitId,
    },
    /// A write or sync of the journal failed: final for this shard's log dir.
    JournalFailed {
        dir: LogDir,
        error: DiskError,
    },
    /// `file` of the ring is written full of zeros and synced (answers `PrepareJournalFile`).
    JournalFileReady {
        dir: LogDir,
        file: u32,
    },
    /// Answers one `WriteSegment`. Not yet synced.
    SegmentWritten {
        file: FileId,
        position: u64,
        length: u64,
    },
    /// Answers one `WriteSegment` or `SealSegment`, or one of `RestoreSegments`, for which the disk had no room. Part of it may be in the file, none of it
    /// counts; it may be asked for again.
    SegmentLacksSpace {
        file: FileId,
        operation: SegmentOperation,
        error: DiskError,
    },
    /// Answers `PrepareJournalFile`: no room. The file is gone again.
    JournalFileLacksSpace {
        dir: LogDir,
        file: u32,
        error: DiskError,
    },
    /// Answers `SyncSegments`.
    SegmentsSynced {
        sync: SyncId,
    },
    /// Answers `SealSegment`, or one of `RestoreSegments`: truncated, summed up, synced.
    SegmentSealed {
        file: FileId,
    },
    /// A write, sync or seal of a segment failed: final for this shard's log dir.
    SegmentFailed {
        file: FileId,
        error: DiskError,
    },
    /// Answers `LoadIndex` with the index section of a summary. Checked: it is well-formed and of this segment.
    IndexLoaded {
        file: FileId,
        result: Result<Bytes, IndexFault>,
    },
    /// Answers `ReadSegment`.
    ReadDone {
        read: ReadId,
        result: Result<Bytes, DiskError>,
    },
    /// Answers `WriteLogStart`. An error is not final: the old file or the new one is there.
    LogStartWritten {
        trim: TrimId,
        result: Result<(), DiskError>,
    },
    /// Answers `UnlinkSegments`. What could not be unlinked goes at the next start.
    SegmentsUnlinked {
        trim: TrimId,
    },
    /// Answers `MapKeys`.
    KeysMapped {
        compaction: CompactionId,
        result: Result<MappedKeys, CompactionFault>,
    },
    /// Answers `RewriteSegments`.
    SegmentsRewritten {
        compaction: CompactionId,
        result: Result<Rewritten, CompactionFault>,
    },
    /// Answers `SwapSegments`.
    SegmentsSwapped {
        compaction: CompactionId,
        result: Result<(), SwapFault>,
    },
    /// Answers `DeletePartition`: its directory is gone.
    PartitionDeleted {
        topic_partition: TopicPartition,
    },
    /// Answers `AppendMetadata`, in order. Shard 0 only.
    MetadataAppended {
        append: u64,
        result: Result<(), DiskError>,
    },

    /// Answers `AppendMetadata`: no room. The log is as it was before.
    MetadataLacksSpace {
        append: u64,
        error: DiskError,
    },
    /// What the volume of a log dir has and what is free for this user. Comes at the start and when it has changed enough to matter.
    DiskSpace {
        dir: LogDir,
        space: DiskSpace,
    },

    Shard {
        from: ShardId,
        message: ShardMessage,
    },
    /// Time has passed: a deadline that the shard named may be due.
    Tick,
    /// Finish what is acknowledged, seal every segment, then say `Effect::Stopped`.
    Stop,
}
