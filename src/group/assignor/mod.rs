//! Server-side assignors of the consumer group protocol (KIP-848): which member shall own which partitions.
//!
//! Decides the target alone; how members get there one partition at a time is `consumer::reconcile`. Racks do not matter to either
//! assignor, as in Kafka 4.

mod range;
mod uniform;

use std::collections::BTreeMap;

pub use crate::model::consumer_group::Assignor;
use crate::model::{Assignment, TopicId};

impl Assignor {
    /// Gives every partition of every topic that somebody subscribes to, to exactly one of its subscribers.
    ///
    /// Returns the members' assignments in the order of `members`.
    ///
    /// Invariants: the same input gives the same output. Without members or topics: nothing.
    #[must_use]
    pub fn assign(self, members: &[Subscriber<'_>], topics: &BTreeMap<TopicId, u32>) -> Vec<Assignment> {
        debug_assert!(members.iter().all(|member| member.topics.is_sorted_by(|a, b| a < b)));
        match self {
            Assignor::Uniform => uniform::assign(members, topics),
            Assignor::Range => range::assign(members, topics),
        }
    }
}

/// A member as an assignor sees it.
#[derive(Debug, Clone, Copy)]
pub struct Subscriber<'a> {
    pub member_id: &'a str,
    /// Of a static member: it has the place of its predecessor.
    pub instance_id: Option<&'a str>,
    /// Sorted. Topics that are not in the map of topics are left out.
    pub topics: &'a [TopicId],
    /// What the last target gave it.
    pub previous: &'a Assignment,
}

#[cfg(test)]
mod tests;
