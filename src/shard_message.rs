//! All that shards of one broker say to each other.
//!
//! A client's request costs at most one message to each shard that it concerns, and one back. `RequestId` is the asker's:
//! the answer carries it home unchanged.

use std::sync::Arc;

use bytes::BytesMut;
use protocol::Piece;
use protocol::error_code::ErrorCode;

use crate::model::control::{ControlAnswer, ControlRequest};
use crate::model::group::{GroupAnswer, GroupAsk};
use crate::model::metadata_image::MetadataImage;
use crate::model::{Lag, LeaderEpoch, LogDir, Offset, TopicPartition};

/// A request that waits at its connection's shard for answers. Unique per shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// In a `Watch`, instead of a known end: tell when the indexes of the partition that were being loaded are here, or have failed.
pub const INDEX_IS_LOADED: Offset = Offset(-1);

#[derive(Debug)]
pub enum ShardMessage {
    /// Answered by `Appended` when every item is durable (`wait`) or appended (`!wait`: acks=0, durable.acks=false), or refused.
    Append {
        request: RequestId,
        wait: bool,
        transactional: bool,
        items: Vec<AppendItem>,
    },
    Appended {
        request: RequestId,
        results: Vec<AppendResult>,
    },
    /// Answered by `Fetched` at once, with what can be read now.
    Fetch {
        request: RequestId,
        committed_only: bool,
        bytes_max: u64,
        items: Vec<ReadItem>,
    },
    Fetched {
        request: RequestId,
        results: Vec<ReadResult>,
    },
    /// Told by one `Grown` as soon as one of the partitions can be read beyond the end that the asker knows, or is gone.
    /// Replaces an earlier `Watch` of the same request.
    Watch {
        request: RequestId,
        known: Vec<(TopicPartition, Offset)>,
    },
    Grown {
        request: RequestId,
    },
    Unwatch {
        request: RequestId,
    },
    Ask {
        request: RequestId,
        questions: Vec<AskItem>,
    },
    Answered {
        request: RequestId,
        answers: Vec<AnswerItem>,
    },
    /// To coordinators of the receiver. Answered by one `Coordinated` when all of them have, which may take as long as a rebalance.
    Coordinate {
        request: RequestId,
        items: Vec<CoordinateItem>,
    },
    Coordinated {
        request: RequestId,
        answers: Vec<CoordinatedItem>,
    },
    /// Nobody waits for the answer any more.
    Uncoordinate {
        request: RequestId,
    },
    /// To shard 0, which hosts the controller. Answered when every shard has applied the change.
    Control {
        request: RequestId,
        ask: ControlRequest,
    },
    ControlAnswered {
        request: RequestId,
        answer: ControlAnswer,
    },
    /// How far readers are behind in partitions of the receiver. Answered by `LagMeasured` at once.
    MeasureLag {
        round: u64,
        items: Vec<LagItem>,
    },
    /// Of unknown partitions nothing is told.
    LagMeasured {
        round: u64,
        lags: Vec<(u32, Lag)>,
    },
    /// From shard 0 to all; answered by `ImageApplied`.
    Image {
        image: Arc<MetadataImage>,
    },
    ImageApplied {
        version: u64,
    },
    /// The sender cannot serve these partitions until the broker is started again.
    Offline {
        partitions: Vec<TopicPartition>,
    },
    /// To shard 0: the log dir failed at the sender, so new partitions should go elsewhere.
    LogDirFailed {
        dir: LogDir,
    },
}

/// `index` is the item's place in the client's request.
#[derive(Debug)]
pub struct AppendItem {
    pub index: u32,
    pub topic_partition: TopicPartition,
    /// The records field of the request; its buffer is shared with nobody, so offsets are stamped in place.
    pub records: BytesMut,
}

#[derive(Debug, Clone)]
pub struct AppendResult {
    pub index: u32,
    pub error: ErrorCode,
    /// -1 when refused.
    pub base_offset: i64,
    /// -1 unless the topic uses LogAppendTime.
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    /// Index in the batch, reason.
    pub record_errors: Vec<(i32, &'static str)>,
    pub message: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
pub struct ReadItem {
    pub index: u32,
    pub topic_partition: TopicPartition,
    pub fetch_offset: i64,
    /// -1: not checked.
    pub current_leader_epoch: LeaderEpoch,
    /// -1: not checked for divergence.
    pub last_fetched_epoch: LeaderEpoch,
    pub bytes_max: u64,
}

#[derive(Debug, Clone)]
pub struct ReadResult {
    pub index: u32,
    pub error: ErrorCode,
    /// All three are -1 with an error.
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    /// Whole batches from the one that holds `fetch_offset`; the first even if larger than `bytes_max`.
    pub pieces: Vec<Piece>,
    pub bytes: u64,
    /// Length of the first batch, so that the asker can keep KIP-74's promise when it trims.
    pub first_batch_bytes: u64,
    /// Where a reader with other history must truncate to: (epoch, end offset).
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// There may be more, in this segment, whose index is being loaded: watch with `INDEX_IS_LOADED` to read it then.
    pub needs_index: Option<Offset>,
    /// Somebody has waited for that for so long that to tell nothing would hide a fault.
    pub index_is_late: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct AskItem {
    pub index: u32,
    pub topic_partition: TopicPartition,
    pub current_leader_epoch: LeaderEpoch,
    pub question: Question,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// ListOffsets: a timestamp or one of Kafka's negative specials that the API layer let through.
    OffsetAt { timestamp: i64, committed_only: bool },
    /// OffsetForLeaderEpoch.
    EpochEnd { leader_epoch: LeaderEpoch },
    /// DescribeProducers.
    Producers,
    /// DeleteRecords: the log shall start at this offset, or, at -1, at the high watermark. Answered when that is durable.
    Trim { offset: i64 },
    /// DescribeLogDirs: bytes of all segments, wherever they are.
    Size,
}

#[derive(Debug, Clone)]
pub struct AnswerItem {
    pub index: u32,
    pub error: ErrorCode,
    pub answer: Answer,
}

#[derive(Debug, Clone)]
pub enum Answer {
    /// With an error.
    Nothing,
    OffsetAt {
        timestamp: i64,
        offset: i64,
        leader_epoch: LeaderEpoch,
    },
    EpochEnd {
        leader_epoch: LeaderEpoch,
        end_offset: i64,
    },
    Producers(Vec<ProducerAnswer>),
    Size(u64),
    LogStart(Offset),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerAnswer {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub last_sequence: i32,
    pub last_timestamp: i64,
    pub current_transaction_start_offset: i64,
}

/// A committed offset. `index` is the asker's.
#[derive(Debug, Clone, Copy)]
pub struct LagItem {
    pub index: u32,
    pub topic_partition: TopicPartition,
    pub committed: Offset,
}

/// One ask of a request: `index` is its place there.
#[derive(Debug, Clone)]
pub struct CoordinateItem {
    pub index: u32,
    pub to: CoordinatorOf,
    pub ask: CoordinatorAsk,
}

/// Which coordinators of a shard are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoordinatorOf {
    /// The one of this partition of an internal topic.
    Partition(TopicPartition),
    /// Each that coordinates groups; there may be none.
    AllGroups,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinatorAsk {
    Group(GroupAsk),
}

impl CoordinatorAsk {
    /// What may have to be recorded before it is answered.
    #[must_use]
    pub fn may_write(&self) -> bool {
        let CoordinatorAsk::Group(ask) = self;
        ask.may_write()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinatorAnswer {
    Group(GroupAnswer),
}

/// Several have the same index where all coordinators were asked.
#[derive(Debug)]
pub struct CoordinatedItem {
    pub index: u32,
    pub answer: Result<CoordinatorAnswer, ErrorCode>,
}
