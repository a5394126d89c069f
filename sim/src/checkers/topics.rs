//! A topic that was created is there, under its id, until its deletion is asked for; one that was deleted stays away.

use std::collections::BTreeMap;

use protocol::Uuid;

use super::Ledger;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicState {
    /// Seen, or acknowledged.
    Alive,
    /// A deletion was asked for, and nobody knows.
    Doubtful,
    Deleted,
}

#[derive(Debug, Clone)]
pub struct TopicFate {
    pub name: String,
    pub state: TopicState,
    /// The ledger's count of deletions when it was told deleted.
    deleted_at: u64,
    /// The most partitions that anybody was told.
    pub partitions: i32,
}

#[derive(Debug, Default)]
pub struct Topics {
    pub by_id: BTreeMap<Uuid, TopicFate>,
    /// Counts the deletions that clients were told of.
    pub deletions: u64,
}

impl Ledger {
    /// Metadata, or the answer to a creation, names a topic. `floor`: `topics.deletions` when the request was sent.
    pub fn told_topic(&mut self, name: &str, topic_id: Uuid, partitions: i32, floor: u64) {
        let fate = self.topics.by_id.entry(topic_id).or_insert_with(|| TopicFate {
            name: name.to_owned(),
            state: TopicState::Alive,
            deleted_at: 0,
            partitions,
        });
        let risen = fate.state == TopicState::Deleted && fate.deleted_at <= floor;
        let known_name = fate.name.clone();
        fate.partitions = fate.partitions.max(partitions);
        if known_name != name {
            self.violation("a topic id has one name", format!("{topic_id}: {known_name}, then {name}"));
        }
        if risen {
            self.violation("a deleted topic stays away", format!("{name} {topic_id}"));
        }
    }

    pub fn asked_deletion(&mut self, topic_id: Uuid) {
        if let Some(fate) = self.topics.by_id.get_mut(&topic_id)
            && fate.state == TopicState::Alive
        {
            fate.state = TopicState::Doubtful;
        }
    }

    pub fn told_deleted(&mut self, topic_id: Uuid) {
        self.topics.deletions += 1;
        if let Some(fate) = self.topics.by_id.get_mut(&topic_id) {
            fate.state = TopicState::Deleted;
            fate.deleted_at = self.topics.deletions;
        }
    }

    #[must_use]
    pub fn topic_state(&self, topic_id: Uuid) -> Option<TopicState> {
        self.topics.by_id.get(&topic_id).map(|fate| fate.state)
    }
}
