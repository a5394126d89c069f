//! The uniform assignor: members own the same number of partitions, give or take one, and keep what they have.
//!
//! Topics with the same subscribers are one pool. Where all members subscribe to the same topics there is one pool, and everything is done
//! in one pass, in time linear in partitions but for a logarithm of members:
//!
//! 1. *keep*: whoever had a partition has it still, if it still subscribes to its topic.
//! 2. *fill*: a partition that nobody has goes to the subscriber with the fewest.
//! 3. *level*: while some subscriber of a pool has two more than another, one partition of that pool moves from the fullest to the
//!    emptiest; one that was only just filled in is moved before one that was kept.
//!
//! A move always lowers the sum of the squares of all loads, so levelling ends; within a pool nobody both gives and receives, so no
//! partition moves that need not. With several pools a move in one may unbalance another: they are levelled in turn until nothing moves,
//! or the rounds are used up (then the result is complete and sticky, but might be more even).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::Subscriber;
use super::range::partition_index;
use crate::model::{Assignment, TopicId};

/// Rounds over the pools. Two do for most groups; a chain of pools that overlap in one member each needs one per link.
const ROUNDS_MAX: usize = 16;

pub(super) fn assign(members: &[Subscriber<'_>], topics: &BTreeMap<TopicId, u32>) -> Vec<Assignment> {
    let mut balance = Balance::new(members, topics);
    balance.keep(members);
    let pools = pools(members, &balance.topics);
    for pool in &pools {
        balance.fill(pool);
    }
    for _ in 0..ROUNDS_MAX {
        let mut moved = false;
        for pool in &pools {
            moved |= balance.level(pool);
        }
        if !moved || pools.len() == 1 {
            break;
        }
    }
    balance.assignments(members.len())
}

/// The partitions of one topic, numbered through over all topics.
#[derive(Debug, Clone, Copy)]
struct Topic {
    first: u32,
    partitions: u32,
}

impl Topic {
    fn numbers(self) -> std::ops::Range<u32> {
        self.first..self.first + self.partitions
    }
}

/// Topics that have the same subscribers, who are given by index.
#[derive(Debug)]
struct Pool {
    members: Vec<u32>,
    topics: Vec<Topic>,
}

/// Those with the fewest subscribers come first: they have the least choice.
fn pools(members: &[Subscriber<'_>], topics: &BTreeMap<TopicId, Topic>) -> Vec<Pool> {
    let mut subscriptions: BTreeMap<&[TopicId], Vec<u32>> = BTreeMap::new();
    for (index, member) in (0..).zip(members) {
        subscriptions.entry(member.topics).or_default().push(index);
    }
    let mut subscribers: BTreeMap<TopicId, Vec<u32>> = BTreeMap::new();
    for (subscription, topic_ids) in (0..).zip(subscriptions.keys()) {
        for topic_id in *topic_ids {
            subscribers.entry(*topic_id).or_default().push(subscription);
        }
    }
    let mut by_subscriptions: BTreeMap<Vec<u32>, Vec<Topic>> = BTreeMap::new();
    for (topic_id, subscriptions) in subscribers {
        if let Some(topic) = topics.get(&topic_id) {
            by_subscriptions.entry(subscriptions).or_default().push(*topic);
        }
    }
    let members_of: Vec<Vec<u32>> = subscriptions.into_values().collect();
    let mut pools: Vec<Pool> = by_subscriptions
        .into_iter()
        .map(|(subscriptions, topics)| {
            let members = subscriptions.iter().flat_map(|&subscription| &members_of[subscription as usize]);
            let mut members: Vec<u32> = members.copied().collect();
            members.sort_unstable();
            Pool { members, topics }
        })
        .collect();
    pools.sort_by(|a, b| (a.members.len(), &a.members).cmp(&(b.members.len(), &b.members)));
    pools
}

/// Who owns what so far.
///
/// Invariants: `loads[m]` is the number of `owners` that are `m`.
struct Balance {
    topics: BTreeMap<TopicId, Topic>,
    owners: Vec<Option<u32>>,
    kept: Vec<bool>,
    loads: Vec<u32>,
}

impl Balance {
    fn new(members: &[Subscriber<'_>], counts: &BTreeMap<TopicId, u32>) -> Balance {
        let mut first = 0;
        let mut topics = BTreeMap::new();
        for (topic_id, &partitions) in counts {
            topics.insert(*topic_id, Topic { first, partitions });
            first += partitions;
        }
        let count = first as usize;
        Balance { topics, owners: vec![None; count], kept: vec![false; count], loads: vec![0; members.len()] }
    }

    fn keep(&mut self, members: &[Subscriber<'_>]) {
        for (index, member) in (0..).zip(members) {
            for (topic_id, partitions) in member.previous.topics() {
                let Some(&topic) = self.topics.get(&topic_id) else { continue };
                if member.topics.binary_search(&topic_id).is_err() {
                    continue;
                }
                let numbers = partitions.iter().filter_map(|partition| u32::try_from(partition.0).ok());
                for partition in numbers.filter(|partition| *partition < topic.partitions) {
                    let number = (topic.first + partition) as usize;
                    if self.owners[number].is_none() {
                        self.kept[number] = true;
                        self.give(number, index);
                    }
                }
            }
        }
    }

    fn give(&mut self, number: usize, to: u32) {
        if let Some(from) = self.owners[number].replace(to) {
            self.loads[from as usize] -= 1;
        }
        self.loads[to as usize] += 1;
    }

    fn fill(&mut self, pool: &Pool) {
        let loads = |&member: &u32| Reverse((self.loads[member as usize], member));
        let mut emptiest: BinaryHeap<_> = pool.members.iter().map(loads).collect();
        for number in pool.topics.iter().flat_map(|topic| topic.numbers()) {
            if self.owners[number as usize].is_some() {
                continue;
            }
            let Some(Reverse((load, member))) = emptiest.pop() else { return };
            self.give(number as usize, member);
            emptiest.push(Reverse((load + 1, member)));
        }
    }

    /// Whether anything moved.
    fn level(&mut self, pool: &Pool) -> bool {
        if !self.is_uneven(pool) {
            return false;
        }
        let mut owned: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for kept in [true, false] {
            for number in pool.topics.iter().flat_map(|topic| topic.numbers()) {
                if self.kept[number as usize] == kept {
                    let owner = self.owners[number as usize].expect("a filled pool leaves nothing out");
                    owned.entry(owner).or_default().push(number);
                }
            }
        }
        let with_load = |member: u32| (self.loads[member as usize], member);
        let mut receivers: BTreeSet<(u32, u32)> =
            pool.members.iter().map(|&member| with_load(member)).collect();
        let mut givers: BTreeSet<(u32, u32)> = owned.keys().map(|&member| with_load(member)).collect();
        let mut moved = false;
        while let (Some(&giver), Some(&receiver)) = (givers.last(), receivers.first()) {
            if giver.0 <= receiver.0 + 1 {
                break;
            }
            let from = owned.get_mut(&giver.1).expect("a giver owns something");
            let number = from.pop().expect("a giver owns something");
            let gave_all = from.is_empty();
            owned.entry(receiver.1).or_default().push(number);
            self.kept[number as usize] = false;
            self.give(number as usize, receiver.1);
            moved = true;
            for member in [giver, receiver] {
                receivers.remove(&member);
                givers.remove(&member);
                let now = (self.loads[member.1 as usize], member.1);
                receivers.insert(now);
                if member != giver || !gave_all {
                    givers.insert(now);
                }
            }
        }
        moved
    }

    /// Whether a partition of the pool could move: cheaper than sorting its members.
    fn is_uneven(&self, pool: &Pool) -> bool {
        let least = pool.members.iter().map(|&member| self.loads[member as usize]).min().unwrap_or(0);
        let numbers = pool.topics.iter().flat_map(|topic| topic.numbers());
        numbers
            .filter_map(|number| self.owners[number as usize])
            .any(|owner| self.loads[owner as usize] > least + 1)
    }

    fn assignments(self, member_count: usize) -> Vec<Assignment> {
        let mut assignments = vec![Assignment::default(); member_count];
        let mut of_topic: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (topic_id, topic) in self.topics {
            for number in topic.numbers() {
                if let Some(owner) = self.owners[number as usize] {
                    of_topic.entry(owner).or_default().push(number - topic.first);
                }
            }
            for (owner, partitions) in std::mem::take(&mut of_topic) {
                assignments[owner as usize].add(topic_id, partitions.into_iter().map(partition_index));
            }
        }
        assignments
    }
}
