//! Identities. One newtype each, so that a mix-up does not compile.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $of:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $of);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)
            }
        }
    };
}

number!(
    /// One shard of this broker: 0-based, dense.
    ShardId, u16
);
number!(
    /// One of this broker's log directories, by its place in `log.dirs`.
    LogDir, u8
);
number!(
    /// A connection of one shard. Assigned by the runtime, never reused while the broker runs.
    ConnectionId, u64
);
number!(
    /// A broker of the cluster (`node.id`).
    BrokerId, i32
);
number!(
    /// A partition's number within its topic.
    PartitionIndex, i32
);
number!(
    /// Counts the leaderships of a partition; never goes backwards. -1 is "unknown" on the wire.
    LeaderEpoch, i32
);
number!(
    /// Identifies an idempotent producer.
    ProducerId, i64
);
number!(
    /// Counts the incarnations of a producer id; the newer fences the older.
    ProducerEpoch, i16
);
number!(
    /// Counts the rebalances of a classic group. Negative is "none" on the wire.
    GenerationId, i32
);

/// A topic's UUID: stable over restarts, new after deletion and re-creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    pub const ZERO: TopicId = TopicId([0; 16]);
}

/// 32 hex digits, as in the names of partition directories.
impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TopicId({self})")
    }
}

/// A log dir's `directory.id`: what a partition's record names as its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId(pub [u8; 16]);

impl DirectoryId {
    /// Kafka's word for "not told": a broker with one log dir need not tell.
    pub const UNASSIGNED: DirectoryId = DirectoryId([0; 16]);

    /// Kafka keeps the first hundred ids for itself: no log dir has one.
    #[must_use]
    pub fn is_reserved(self) -> bool {
        self.0[..15].iter().all(|byte| *byte == 0) && self.0[15] < 100
    }

    /// The broker is still to choose: UNASSIGNED, or MIGRATING (2). Of LOST (1) only the controller knows more.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.is_reserved() && matches!(self.0[15], 0 | 2)
    }
}

/// One partition, by the id of its topic. Names are resolved at the edge, in `api/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic_id: TopicId,
    pub partition: PartitionIndex,
}

/// `TOPIC_ID-PARTITION`, the name of the partition's directory.
impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic_id, self.partition)
    }
}
