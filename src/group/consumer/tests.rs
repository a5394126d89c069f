//! Consumer groups by script, by table and over random schedules.
//!
//! A `World` is a group with what its coordinator gives it: an image, time, and the log that its records go to. After every decision
//! its invariants are checked.

mod commits;
mod expiries;
mod intervals;
mod lookups;
mod membership;
mod refusals;
mod schedules;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::error_code::ErrorCode;

use super::member::MemberState;
use super::*;
use crate::config::{Config, RawConfig};
use crate::group::records::{GroupRecord, read};
use crate::model::consumer_group::{ConsumerHeartbeatAnswer, ConsumerHeartbeatAsk, Refusal};
use crate::model::metadata_image::{MetadataImage, PartitionImage, TopicImage};
use crate::model::topic_config::TopicConfig;
use crate::model::{BrokerId, DirectoryId, LeaderEpoch, Now, PartitionIndex, TopicId};
use crate::mutations::Mutations;

const SESSION_MS: u64 = 45_000;

/// Targets follow each other at once, unless a test says otherwise.
fn config() -> Config {
    let mut raw = RawConfig::default();
    raw.set_from_properties("group.consumer.assignment.interval.ms=0", "test").unwrap();
    Config::validate(&raw).unwrap()
}

struct World {
    group: ConsumerGroup,
    config: Config,
    image: MetadataImage,
    now: Now,
    log: Vec<CoordinatorRecord>,
    /// How many topics were ever made.
    topics: u8,
}

impl World {
    fn new(topics: &[(&str, u32)]) -> World {
        let mut world = World {
            group: ConsumerGroup::new("g".into()),
            config: config(),
            image: MetadataImage::empty("c".into(), BrokerId(1)),
            now: Now { instant: Instant(1_000_000_000), wall_ms: 1_800_000_000_000 },
            log: Vec::new(),
            topics: 0,
        };
        for (name, partitions) in topics {
            world.create_topic(name, *partitions);
        }
        // As groups of Kafka before 4.3 began: so that epochs here count the changes.
        world.group.group_epoch = GroupEpoch::ZERO;
        world
    }

    fn create_topic(&mut self, name: &str, partitions: u32) -> TopicId {
        self.topics += 1;
        let topic_id = TopicId([self.topics; 16]);
        let partition = PartitionImage {
            leader: BrokerId(1),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            replicas: vec![BrokerId(1)],
            isr: vec![BrokerId(1)],
            directory: DirectoryId([9; 16]),
        };
        let topic = TopicImage {
            name: name.into(),
            topic_id,
            partitions: vec![partition; partitions as usize],
            overrides: BTreeMap::new(),
            config: Arc::new(TopicConfig::default()),
            internal: false,
        };
        self.image.names.insert(topic.name.clone(), topic_id);
        self.image.topics.insert(topic_id, Arc::new(topic));
        self.image_changed();
        topic_id
    }

    fn grow_topic(&mut self, name: &str, by: usize) {
        let topic_id = self.image.names[name];
        let topic = Arc::make_mut(self.image.topics.get_mut(&topic_id).unwrap());
        let partition = topic.partitions[0].clone();
        topic.partitions.extend(std::iter::repeat_n(partition, by));
        self.image_changed();
    }

    fn delete_topic(&mut self, name: &str) {
        let topic_id = self.image.names.remove(name).unwrap();
        self.image.topics.remove(&topic_id);
        self.image_changed();
    }

    fn image_changed(&mut self) {
        self.image.version += 1;
        let view =
            View { now: self.now, image: &self.image, config: &self.config, mutations: Mutations::default() };
        self.group.on_image(view);
    }

    fn beat(&mut self, request: &ConsumerHeartbeatAsk) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        request.validate(&self.config.groups.consumer)?;
        let mut records = Vec::new();
        let view =
            View { now: self.now, image: &self.image, config: &self.config, mutations: Mutations::default() };
        let answer = if request.leaves() {
            self.group.leave(request, &mut records).map(|leaves| {
                if let Leaves::ForGood(member_id) = leaves {
                    self.group.put_out(view, &BTreeSet::from([member_id]), &mut records);
                }
                ConsumerHeartbeatAnswer {
                    member_id: request.member_id.clone(),
                    member_epoch: request.member_epoch,
                    heartbeat_interval_ms: 0,
                    assignment: None,
                }
            })
        } else {
            self.group.heartbeat(view, request, &mut records)
        };
        if answer.is_err() {
            assert_eq!(records, []);
        }
        self.append(records);
        answer
    }

    /// The member takes what it is told, as one that answers at once does.
    fn beat_ok(&mut self, request: &ConsumerHeartbeatAsk) -> ConsumerHeartbeatAnswer {
        self.beat(request).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    fn pass(&mut self, ms: u64) {
        self.now.instant = self.now.instant.after_ms(ms);
        self.now.wall_ms += i64::try_from(ms).unwrap();
        self.run_timers();
    }

    fn run_timers(&mut self) {
        while self.group.next_deadline().is_some_and(|deadline| deadline <= self.now.instant) {
            let mut records = Vec::new();
            let view = View {
                now: self.now,
                image: &self.image,
                config: &self.config,
                mutations: Mutations::default(),
            };
            let gone = self.group.on_time(view, &mut records);
            if !gone.is_empty() {
                self.group.put_out(view, &gone, &mut records);
            }
            self.append(records);
        }
    }

    fn append(&mut self, records: Vec<CoordinatorRecord>) {
        for record in &records {
            replay(&mut self.group, record);
        }
        self.log.extend(records);
        check_invariants(&self.group);
    }

    /// The broker starts again, and its cleaner has been over the log.
    fn restart(&mut self) {
        let mut compacted: Vec<&CoordinatorRecord> = Vec::new();
        for (index, record) in self.log.iter().enumerate() {
            if self.log[index + 1..].iter().all(|later| later.key != record.key) {
                compacted.push(record);
            }
        }
        let mut group = ConsumerGroup::new("g".into());
        group.group_epoch = GroupEpoch::ZERO;
        for record in compacted {
            replay(&mut group, record);
        }
        assert_eq!(persistent(&group), persistent(&self.group));
        let view =
            View { now: self.now, image: &self.image, config: &self.config, mutations: Mutations::default() };
        group.on_loaded(view);
        self.group = group;
    }

    fn member(&self, member_id: &str) -> &Member {
        &self.group.members[member_id]
    }

    fn state_of(&self, member_id: &str) -> (i32, MemberState) {
        let current = &self.member(member_id).current;
        (current.member_epoch.0, current.state)
    }
}

fn replay(group: &mut ConsumerGroup, record: &CoordinatorRecord) {
    match read(&record.key, record.value.as_deref()).unwrap() {
        GroupRecord::ConsumerGroup { group_id: "g", record } => {
            assert!(group.replay(&record, Mutations::default()))
        }
        other => panic!("{other:?}"),
    }
}

/// All that must survive a restart.
fn persistent(group: &ConsumerGroup) -> String {
    format!(
        "{:?}",
        (
            (group.group_epoch, group.metadata_hash, group.target_epoch, group.target_ms),
            (&group.members, &group.instances, &group.targets, &group.regexes, &group.owners),
        )
    )
}

fn check_invariants(group: &ConsumerGroup) {
    let mut owners: BTreeMap<(TopicId, PartitionIndex), &MemberId> = BTreeMap::new();
    for (member_id, member) in &group.members {
        let current = &member.current;
        for (topic_id, partition, _) in current.assigned.iter().chain(current.pending_revocation.iter()) {
            let other = owners.insert((topic_id, partition), member_id);
            assert_eq!(other, None, "{partition:?} of {topic_id} is owned by {member_id}, too");
            assert_eq!(group.owners.of(topic_id, partition), Some(member_id));
        }
        assert!(current.member_epoch <= group.target_epoch, "{member_id} is ahead of its target");
        if current.state != MemberState::UnrevokedPartitions {
            assert!(current.pending_revocation.is_empty());
        }
        if let Some(instance_id) = &member.metadata.instance_id {
            assert_eq!(group.instances.get(instance_id), Some(member_id));
        }
    }
    assert!(group.target_epoch <= group.group_epoch);
    assert!(group.instances.values().all(|member_id| group.members.contains_key(member_id)));
}

/// The first heartbeat of a member.
fn join(member_id: &str, topics: &[&str]) -> ConsumerHeartbeatAsk {
    ConsumerHeartbeatAsk {
        api_version: 1,
        member_id: member_id.into(),
        group_id: "g".to_owned(),
        member_epoch: GroupEpoch::ZERO,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: 300_000,
        subscribed_topic_names: Some(topics.iter().map(|topic| (*topic).into()).collect()),
        subscribed_topic_regex: None,
        server_assignor: None,
        topic_partitions: Some(Assignment::default()),
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
    }
}

fn join_static(member_id: &str, instance_id: &str, topics: &[&str]) -> ConsumerHeartbeatAsk {
    ConsumerHeartbeatAsk { instance_id: Some(instance_id.into()), ..join(member_id, topics) }
}

/// A later one, in which nothing is new.
fn still(member_id: &str, epoch: i32) -> ConsumerHeartbeatAsk {
    ConsumerHeartbeatAsk {
        member_epoch: GroupEpoch(epoch),
        rebalance_timeout_ms: -1,
        subscribed_topic_names: None,
        topic_partitions: None,
        ..join(member_id, &[])
    }
}

/// One that says what the member owns.
fn owning(member_id: &str, epoch: i32, owned: &Assignment) -> ConsumerHeartbeatAsk {
    ConsumerHeartbeatAsk { topic_partitions: Some(owned.clone()), ..still(member_id, epoch) }
}

fn assignment(topics: &[(u8, &[i32])]) -> Assignment {
    let topic = |(number, partitions): &(u8, &[i32])| {
        (TopicId([*number; 16]), partitions.iter().copied().map(PartitionIndex).collect::<Vec<_>>())
    };
    topics.iter().map(topic).collect()
}

#[track_caller]
fn expect_error<T: std::fmt::Debug>(result: Result<T, Refusal>, error: ErrorCode) {
    assert_eq!(result.map_err(|refusal| refusal.error).unwrap_err(), error);
}
