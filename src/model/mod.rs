//! Kafka's nouns as types. Plain data: nothing here decides anything.

pub mod control;
mod disk_space;
mod ids;
pub mod metadata_image;
mod offset;
mod sealed_segment;
mod snapshot;
mod time;
pub mod topic_config;

pub use disk_space::{DiskSpace, LogDirStatus};
pub use ids::{
    BrokerId, ConnectionId, DirectoryId, LeaderEpoch, LogDir, PartitionIndex, ProducerEpoch, ProducerId,
    ShardId, TopicId, TopicPartition,
};
pub use offset::{DurableOffset, Offset};
pub use sealed_segment::SealedSegment;
pub use snapshot::Snapshot;
pub use time::{Instant, Now};
