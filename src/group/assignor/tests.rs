//! Both assignors by table and by property: complete, balanced, sticky, the same each time, and not quadratic.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::PartitionIndex;

fn topic(number: u8) -> TopicId {
    TopicId([number; 16])
}

/// A member: id, instance id, topics, what it had.
#[derive(Debug, Clone)]
struct Consumer {
    member_id: String,
    instance_id: Option<String>,
    topics: Vec<TopicId>,
    previous: Assignment,
}

fn consumer(member_id: &str, topics: &[u8]) -> Consumer {
    Consumer {
        member_id: member_id.to_owned(),
        instance_id: None,
        topics: topics.iter().map(|&number| topic(number)).collect(),
        previous: Assignment::default(),
    }
}

fn counts(topics: &[(u8, u32)]) -> BTreeMap<TopicId, u32> {
    topics.iter().map(|&(number, partitions)| (topic(number), partitions)).collect()
}

fn assign(assignor: Assignor, consumers: &[Consumer], topics: &BTreeMap<TopicId, u32>) -> Vec<Assignment> {
    let members: Vec<Subscriber<'_>> = consumers
        .iter()
        .map(|consumer| Subscriber {
            member_id: &consumer.member_id,
            instance_id: consumer.instance_id.as_deref(),
            topics: &consumer.topics,
            previous: &consumer.previous,
        })
        .collect();
    assignor.assign(&members, topics)
}

/// `topic: partitions` of each member.
fn text(assignment: &Assignment) -> String {
    let topic = |(topic_id, partitions): (TopicId, &[PartitionIndex])| {
        let partitions: Vec<String> = partitions.iter().map(PartitionIndex::to_string).collect();
        format!("{}: {}", topic_id.0[0], partitions.join(" "))
    };
    assignment.topics().map(topic).collect::<Vec<_>>().join(", ")
}

fn check(assignor: Assignor, consumers: &[Consumer], topics: &[(u8, u32)], expected: &[&str]) {
    let assigned: Vec<String> = assign(assignor, consumers, &counts(topics)).iter().map(text).collect();
    assert_eq!(assigned, expected);
}

#[test]
fn range_gives_contiguous_partitions_and_the_same_ones_of_equal_topics() {
    let members = [consumer("a", &[1, 2]), consumer("b", &[1, 2]), consumer("c", &[1, 2])];
    check(Assignor::Range, &members, &[(1, 5), (2, 5)], &["1: 0 1, 2: 0 1", "1: 2 3, 2: 2 3", "1: 4, 2: 4"]);
}

#[test]
fn range_leaves_the_last_members_without_partitions() {
    let members = [consumer("a", &[1]), consumer("b", &[1]), consumer("c", &[1])];
    check(Assignor::Range, &members, &[(1, 2)], &["1: 0", "1: 1", ""]);
}

#[test]
fn range_counts_only_the_subscribers_of_each_topic() {
    let members = [consumer("a", &[1]), consumer("b", &[1, 2]), consumer("c", &[2])];
    check(Assignor::Range, &members, &[(1, 4), (2, 3)], &["1: 0 1", "1: 2 3, 2: 0 1", "2: 2"]);
}

#[test]
fn range_puts_static_members_first_and_keeps_their_places() {
    let mut members = [consumer("a", &[1]), consumer("z", &[1]), consumer("y", &[1])];
    members[1].instance_id = Some("i1".to_owned());
    members[2].instance_id = Some("i2".to_owned());
    check(Assignor::Range, &members, &[(1, 3)], &["1: 2", "1: 0", "1: 1"]);
    // The static member comes back under another id, and its place is the same.
    members[1].member_id = "zz".to_owned();
    check(Assignor::Range, &members, &[(1, 3)], &["1: 2", "1: 0", "1: 1"]);
}

#[test]
fn uniform_balances_over_all_topics_together() {
    let members = [consumer("a", &[1, 2, 3]), consumer("b", &[1, 2, 3])];
    check(Assignor::Uniform, &members, &[(1, 1), (2, 1), (3, 2)], &["1: 0, 3: 0", "2: 0, 3: 1"]);
}

#[test]
fn uniform_keeps_what_members_have() {
    let mut members = [consumer("a", &[1]), consumer("b", &[1])];
    members[0].previous.add(topic(1), [PartitionIndex(3), PartitionIndex(1)]);
    check(Assignor::Uniform, &members, &[(1, 4)], &["1: 1 3", "1: 0 2"]);
}

#[test]
fn uniform_takes_nothing_but_what_balance_asks_for() {
    let mut members = [consumer("a", &[1]), consumer("b", &[1]), consumer("c", &[1])];
    members[0].previous.add(topic(1), (0..3).map(PartitionIndex));
    members[1].previous.add(topic(1), (3..6).map(PartitionIndex));
    check(Assignor::Uniform, &members, &[(1, 6)], &["1: 0 1", "1: 3 4", "1: 2 5"]);
}

#[test]
fn uniform_forgets_what_is_not_there_any_more() {
    let mut members = [consumer("a", &[1]), consumer("b", &[2])];
    // A partition that is gone, a topic that is gone, a topic that is not subscribed to, and one that another member has already.
    members[0].previous.add(topic(1), [PartitionIndex(0), PartitionIndex(9)]);
    members[0].previous.add(topic(7), [PartitionIndex(0)]);
    members[0].previous.add(topic(2), [PartitionIndex(0)]);
    members[1].previous.add(topic(2), [PartitionIndex(0)]);
    check(Assignor::Uniform, &members, &[(1, 1), (2, 2)], &["1: 0", "2: 0 1"]);
}

#[test]
fn uniform_moves_along_a_chain_of_subscriptions() {
    // b can take from a only what a has of topic 1, and c from b only what b has of topic 2.
    let members = [consumer("a", &[1]), consumer("b", &[1, 2]), consumer("c", &[2])];
    let assigned = assign(Assignor::Uniform, &members, &counts(&[(1, 9), (2, 0)]));
    assert_eq!(assigned.iter().map(Assignment::partition_count).collect::<Vec<_>>(), [5, 4, 0]);
    let assigned = assign(Assignor::Uniform, &members, &counts(&[(1, 6), (2, 6)]));
    assert_eq!(assigned.iter().map(Assignment::partition_count).collect::<Vec<_>>(), [4, 4, 4]);
}

#[test]
fn without_members_or_topics_nothing_is_given() {
    for assignor in Assignor::ALL {
        check(assignor, &[], &[(1, 3)], &[]);
        check(assignor, &[consumer("a", &[])], &[(1, 3)], &[""]);
        check(assignor, &[consumer("a", &[1])], &[], &[""]);
        check(assignor, &[consumer("a", &[1])], &[(1, 0)], &[""]);
    }
}

#[test]
fn names_are_kafkas() {
    assert_eq!(Assignor::by_name("uniform"), Some(Assignor::Uniform));
    assert_eq!(Assignor::by_name("range"), Some(Assignor::Range));
    assert_eq!(Assignor::by_name("Range"), None);
}

/// How many partitions changed hands.
fn moves(before: &[(String, Assignment)], after: &[(String, Assignment)]) -> usize {
    let owners = |members: &[(String, Assignment)]| -> BTreeMap<(TopicId, PartitionIndex), String> {
        let partitions = members.iter().flat_map(|(member_id, assignment)| {
            assignment.topics().flat_map(move |(topic_id, partitions)| {
                partitions.iter().map(move |&partition| ((topic_id, partition), member_id.clone()))
            })
        });
        partitions.collect()
    };
    let (before, after) = (owners(before), owners(after));
    after.iter().filter(|(partition, owner)| before.get(partition).is_some_and(|was| was != *owner)).count()
}

/// A thousand members, ten thousand partitions: what an assignor of quadratic cost could not do in the time a test may take. One member
/// more takes its share and moves nothing else; one member less leaves its share to the others.
#[test]
fn a_large_group_moves_no_more_than_it_must() {
    let topics: BTreeMap<TopicId, u32> = (0..100).map(|number| (topic(number), 100)).collect();
    let all: Vec<u8> = (0..100).collect();
    let mut members: Vec<Consumer> =
        (0..1_000).map(|number| consumer(&format!("m{number:04}"), &all)).collect();
    let settle = |members: &mut Vec<Consumer>| -> Vec<(String, Assignment)> {
        let assigned = assign(Assignor::Uniform, members, &topics);
        for (member, assignment) in members.iter_mut().zip(&assigned) {
            member.previous = assignment.clone();
        }
        members.iter().map(|member| member.member_id.clone()).zip(assigned).collect()
    };
    let first = settle(&mut members);
    assert!(first.iter().all(|(_, assignment)| assignment.partition_count() == 10));
    assert_eq!(moves(&first, &settle(&mut members)), 0);
    members.push(consumer("new", &all));
    let grown = settle(&mut members);
    // 10,000 over 1,001 members: the new one needs 9.
    assert_eq!(moves(&first, &grown), 9);
    members.remove(500);
    let left = settle(&mut members);
    assert_eq!(moves(&grown, &left), grown[500].1.partition_count());
}

fn consumers(topic_count: u8, members: usize) -> impl Strategy<Value = Vec<Consumer>> {
    let subscription = prop::collection::btree_set(0..topic_count, 0..=topic_count as usize);
    prop::collection::vec((subscription, any::<bool>()), 0..members).prop_map(|members| {
        let member = |(index, (topics, is_static)): (usize, (BTreeSet<u8>, bool))| {
            let mut member = consumer(&format!("m{index}"), &topics.into_iter().collect::<Vec<_>>());
            member.instance_id = is_static.then(|| format!("i{index}"));
            member
        };
        members.into_iter().enumerate().map(member).collect()
    })
}

fn topic_counts(topic_count: u8) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0u32..12, topic_count as usize)
}

/// Every partition of every topic with a subscriber is owned once, by a subscriber, and nothing else is owned.
fn assert_complete(consumers: &[Consumer], topics: &BTreeMap<TopicId, u32>, assigned: &[Assignment]) {
    let mut owned = BTreeSet::new();
    for (consumer, assignment) in consumers.iter().zip(assigned) {
        for (topic_id, partitions) in assignment.topics() {
            assert!(consumer.topics.contains(&topic_id));
            assert!(!partitions.is_empty());
            for partition in partitions {
                assert!(owned.insert((topic_id, *partition)), "owned twice");
            }
        }
    }
    let mut expected = BTreeSet::new();
    for (topic_id, &count) in topics {
        if consumers.iter().any(|consumer| consumer.topics.contains(topic_id)) {
            expected.extend((0..count).map(|partition| (*topic_id, range::partition_index(partition))));
        }
    }
    assert_eq!(owned, expected);
}

fn assert_no_move_improves(consumers: &[Consumer], assigned: &[Assignment]) {
    for (giver, given) in consumers.iter().zip(assigned) {
        for (receiver, received) in consumers.iter().zip(assigned) {
            let could_move = given.topics().any(|(topic_id, _)| receiver.topics.contains(&topic_id));
            let uneven = given.partition_count() > received.partition_count() + 1;
            assert!(!(could_move && uneven), "{} should give to {}", giver.member_id, receiver.member_id);
        }
    }
}

proptest! {
    #[test]
    fn every_partition_has_one_owner_who_subscribes(consumers in consumers(5, 8), partitions in topic_counts(5)) {
        let topics: BTreeMap<TopicId, u32> = (0..).map(topic).zip(partitions).collect();
        for assignor in Assignor::ALL {
            let assigned = assign(assignor, &consumers, &topics);
            assert_complete(&consumers, &topics, &assigned);
            prop_assert_eq!(&assigned, &assign(assignor, &consumers, &topics));
        }
    }

    #[test]
    fn uniform_is_as_even_as_single_moves_make_it(consumers in consumers(5, 8), partitions in topic_counts(5)) {
        let topics: BTreeMap<TopicId, u32> = (0..).map(topic).zip(partitions).collect();
        let assigned = assign(Assignor::Uniform, &consumers, &topics);
        assert_no_move_improves(&consumers, &assigned);
    }

    /// A history of joins, leaves and growing topics, each on top of the last target.
    #[test]
    fn uniform_stays_complete_and_sticky_over_a_history(
        steps in prop::collection::vec((0u8..3, any::<prop::sample::Index>()), 1..12),
        partitions in topic_counts(3),
    ) {
        let mut topics: BTreeMap<TopicId, u32> = (0..).map(topic).zip(partitions).collect();
        let mut members = vec![consumer("m0", &[0, 1, 2])];
        let mut before: Vec<(String, Assignment)> = Vec::new();
        for (number, (step, index)) in steps.into_iter().enumerate() {
            let load_before = members.iter().map(|member| member.previous.partition_count()).sum::<usize>();
            match step {
                0 => members.push(consumer(&format!("m{}", number + 1), &[0, 1, 2])),
                1 if members.len() > 1 => drop(members.remove(index.index(members.len()))),
                _ => *topics.get_mut(&topic(1)).unwrap() += 2,
            }
            let assigned = assign(Assignor::Uniform, &members, &topics);
            assert_complete(&members, &topics, &assigned);
            let loads: Vec<usize> = assigned.iter().map(Assignment::partition_count).collect();
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
            let kept: usize = members.iter().map(|member| member.previous.partition_count()).sum();
            let after: Vec<(String, Assignment)> =
                members.iter().map(|member| member.member_id.clone()).zip(assigned.clone()).collect();
            let moved = moves(&before, &after);
            let share = topics.values().sum::<u32>() as usize / members.len() + 1;
            // A leaver's share, or a newcomer's; growth alone moves nothing.
            let allowed = match step {
                0 => share,
                1 if kept < load_before => load_before - kept,
                _ => 0,
            };
            prop_assert!(moved <= allowed, "{moved} moved, {allowed} allowed at step {number}");
            for (member, assignment) in members.iter_mut().zip(assigned) {
                member.previous = assignment;
            }
            before = after;
        }
    }

    #[test]
    fn range_is_contiguous_and_even(consumers in consumers(3, 8), partitions in topic_counts(3)) {
        let topics: BTreeMap<TopicId, u32> = (0..).map(topic).zip(partitions).collect();
        let assigned = assign(Assignor::Range, &consumers, &topics);
        for topic_id in topics.keys() {
            let subscribers = consumers.iter().zip(&assigned).filter(|(consumer, _)| consumer.topics.contains(topic_id));
            let sizes: Vec<usize> = subscribers.map(|(_, assignment)| assignment.partitions(*topic_id).len()).collect();
            let even = sizes.iter().max().unwrap_or(&0) - sizes.iter().min().unwrap_or(&0) <= 1;
            prop_assert!(even);
            for assignment in &assigned {
                prop_assert!(assignment.partitions(*topic_id).windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
            }
        }
    }
}
