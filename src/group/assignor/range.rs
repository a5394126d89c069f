//! The range assignor: each topic is cut into ranges, one for each subscriber.
//!
//! ```text
//! members a, b, c     topic of 5: | 0 1 | 2 3 | 4 |     topic of 5: | 0 1 | 2 3 | 4 |     so a has 0 and 1 of both
//! ```
//!
//! Decides the order of members: static ones first, by instance id, then the others by member id. So a static member that comes back with
//! a new member id has its old place, and members without partitions are always the last.

use std::collections::BTreeMap;

use super::Subscriber;
use crate::model::{Assignment, PartitionIndex, TopicId};

pub(super) fn assign(members: &[Subscriber<'_>], topics: &BTreeMap<TopicId, u32>) -> Vec<Assignment> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&index| {
        let member = &members[index];
        (member.instance_id.is_none(), member.instance_id, member.member_id)
    });
    let mut subscribers: BTreeMap<TopicId, Vec<usize>> = BTreeMap::new();
    for index in order {
        for topic_id in members[index].topics {
            subscribers.entry(*topic_id).or_default().push(index);
        }
    }
    let mut assignments = vec![Assignment::default(); members.len()];
    for (topic_id, subscribers) in subscribers {
        let Some(&partitions) = topics.get(&topic_id) else { continue };
        let count = u32::try_from(subscribers.len()).expect("a group has fewer members than 2^32");
        let (least, extra) = (partitions / count, partitions % count);
        let mut first = 0;
        for (place, index) in (0..count).zip(subscribers) {
            let end = first + least + u32::from(place < extra);
            assignments[index].add(topic_id, (first..end).map(partition_index));
            first = end;
        }
    }
    assignments
}

pub(super) fn partition_index(index: u32) -> PartitionIndex {
    PartitionIndex(i32::try_from(index).expect("a partition's number came from one"))
}
