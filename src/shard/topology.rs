//! Which shard owns a partition.

use crate::model::{ShardId, TopicPartition};

/// The owner of a partition, the same on every shard and in every run with as many shards.
///
/// The partitions of one topic go round the shards from a start that its id gives, so that any topic with as many
/// partitions as there are shards uses all of them.
#[must_use]
pub fn shard_of(topic_partition: TopicPartition, shards: u16) -> ShardId {
    assert!(shards > 0, "a broker has at least one shard");
    let [a, b, c, d, ..] = topic_partition.topic_id.0;
    let start = u64::from(u32::from_be_bytes([a, b, c, d]));
    let partition = u64::from(topic_partition.partition.0.unsigned_abs());
    let shard = (start + partition) % u64::from(shards);
    ShardId(u16::try_from(shard).expect("a remainder of a u16 fits a u16"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionIndex, TopicId};

    #[test]
    fn partitions_of_a_topic_are_spread_evenly() {
        for (seed, shards) in [(0_u8, 1_u16), (7, 2), (200, 3), (255, 8)] {
            let mut counts = vec![0; usize::from(shards)];
            for partition in 0..i32::from(shards) * 5 {
                let topic_partition =
                    TopicPartition { topic_id: TopicId([seed; 16]), partition: PartitionIndex(partition) };
                counts[usize::from(shard_of(topic_partition, shards).0)] += 1;
            }
            assert_eq!(counts, vec![5; usize::from(shards)]);
        }
    }
}
