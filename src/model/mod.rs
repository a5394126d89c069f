//! Kafka's nouns as types. Plain data: nothing here decides anything.

mod assignment;
pub mod consumer_group;
pub mod control;
mod disk_space;
pub mod group;
mod ids;
mod lag;
pub mod metadata_image;
mod offset;
mod sealed_segment;
mod snapshot;
mod time;
pub mod topic_config;

pub use assignment::Assignment;
pub use disk_space::{DiskSpace, LogDirStatus};
pub use ids::{
    BrokerId, ConnectionId, DirectoryId, GenerationId, LeaderEpoch, LogDir, PartitionIndex, ProducerEpoch,
    ProducerId, ShardId, TopicId, TopicPartition,
};
pub use lag::Lag;
pub use offset::{DurableOffset, Offset};
pub use sealed_segment::SealedSegment;
pub use snapshot::Snapshot;
pub use time::{Instant, Now};
