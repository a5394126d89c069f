//! The state that metadata records make: replay, one batch at a time.
//!
//! Decides what each record does, and what a log must look like to be believed. The only place where the image changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::messages::metadata_record::{
    ConfigRecord, FeatureLevelRecord, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord,
    TopicRecord,
};
use protocol::record::{BatchView, batches};
use protocol::{Array, Uuid};

use super::MetadataError;
use super::batch::{self, Record};
use super::names;
use crate::config::Config;
use crate::model::metadata_image::{BrokerImage, Endpoint, MetadataImage, PartitionImage, TopicImage};
use crate::model::topic_config::TopicConfig;
use crate::model::{BrokerId, DirectoryId, LeaderEpoch, TopicId};

/// Resource types of ConfigRecord.
pub(super) const TOPIC_RESOURCE: i8 = 2;
pub(super) const BROKER_RESOURCE: i8 = 4;
pub(super) const GROUP_RESOURCE: i8 = 32;

/// The levels of `metadata.version` whose records this binary reads: 4.0-IV3 to 4.3-IV0.
pub(super) const METADATA_VERSION: &str = "metadata.version";
pub(super) const METADATA_VERSIONS: std::ops::RangeInclusive<i16> = 25..=30;

/// Everything that the log says.
///
/// Invariants: `collisions` holds the collision form of every topic's name that has one. Topics' typed configs are in step
///             with their overrides after `refresh`.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub image: MetadataImage,
    /// Offset of the next record.
    pub next_offset: i64,
    /// Of the last batch; counts the starts of this broker.
    pub leader_epoch: i32,
    pub broker_epoch: i64,
    pub next_producer_id: i64,
    /// Log dirs of the broker's last registration.
    pub registered_dirs: Vec<DirectoryId>,
    /// Collision form -> topics that have it.
    pub collisions: BTreeMap<String, Vec<TopicId>>,
    /// With the dynamic values in force.
    pub config: Config,
    fixed_config: Arc<Config>,
    defaults: Arc<TopicConfig>,
    stale: Stale,
}

/// Which typed configs do not match their text any more.
#[derive(Debug, Clone)]
struct Stale {
    topics: Vec<TopicId>,
    all: bool,
}

impl State {
    pub(super) fn new(image: MetadataImage, config: Arc<Config>) -> State {
        State {
            image,
            next_offset: 0,
            leader_epoch: 0,
            broker_epoch: -1,
            next_producer_id: 0,
            registered_dirs: Vec::new(),
            collisions: BTreeMap::new(),
            config: (*config).clone(),
            defaults: Arc::new(config.topic_defaults.clone()),
            fixed_config: config,
            stale: Stale { topics: Vec::new(), all: false },
        }
    }

    /// Applies a whole log. Returns where its last whole batch ends: what follows is the torn tail of an append that was
    /// never acknowledged.
    ///
    /// Errors: damage that is followed by whole batches; records that are not understood or that contradict the state.
    pub(super) fn replay(&mut self, log: &[u8]) -> Result<u64, MetadataError> {
        let mut walk = batches(log);
        loop {
            let position = walk.position();
            let problem = match walk.next() {
                None => break,
                Some(Err(error)) => error.to_string(),
                Some(Ok(view)) if !view.crc_is_valid() => "the CRC of the batch does not match".to_owned(),
                Some(Ok(view)) => {
                    self.apply_batch(&view).map_err(|error| at(position, error))?;
                    continue;
                }
            };
            if let Some(later) = self.whole_batch_after(log, position) {
                let problem = format!(
                    "{problem}, but whole batches follow at byte {later}: the log is damaged in the middle"
                );
                return Err(at(position, (None, problem)));
            }
            self.refresh();
            return Ok(position as u64);
        }
        self.refresh();
        Ok(log.len() as u64)
    }

    /// Applies batches that this controller has just made.
    pub(super) fn apply_own(&mut self, bytes: &[u8]) {
        for view in batches(bytes) {
            let view = view.expect("own batches are whole");
            self.apply_batch(&view).expect("own records were checked before they were made");
        }
        self.refresh();
    }

    /// Becomes what it was when it had this image. Epochs do not change while a controller runs.
    pub(super) fn roll_back(&mut self, image: MetadataImage, next_offset: i64, next_producer_id: i64) {
        self.image = image;
        self.next_offset = next_offset;
        self.next_producer_id = next_producer_id;
        self.collisions.clear();
        for (name, topic_id) in &self.image.names {
            if let Some(form) = names::collision_form(name) {
                self.collisions.entry(form).or_default().push(*topic_id);
            }
        }
        self.stale.all = true;
        self.refresh();
    }

    /// Where a later batch of this log starts behind damage, if one does.
    fn whole_batch_after(&self, log: &[u8], damage: usize) -> Option<usize> {
        (damage + 1..log.len()).find(|&position| {
            // A batch's magic is tested first, so that scanning megabytes stays cheap.
            log.get(position + 16) == Some(&2)
                && log
                    .get(position..)
                    .and_then(|rest| BatchView::parse(rest).ok())
                    .is_some_and(|view| view.base_offset() >= self.next_offset && view.crc_is_valid())
        })
    }

    fn apply_batch(&mut self, view: &BatchView<'_>) -> Result<(), (Option<i64>, String)> {
        if view.base_offset() != self.next_offset {
            let problem = format!("offset {} expected, found {}", self.next_offset, view.base_offset());
            return Err((Some(view.base_offset()), problem));
        }
        if view.partition_leader_epoch() < self.leader_epoch {
            return Err((Some(view.base_offset()), "the epoch of the log goes backwards".to_owned()));
        }
        if !view.is_control() {
            for record in view.records() {
                let record = record.map_err(|error| (None, error.to_string()))?;
                let offset = record.offset;
                let value = record.value.ok_or((Some(offset), "a record without value".to_owned()))?;
                batch::decode(value)
                    .and_then(|record| self.apply(record))
                    .map_err(|problem| (Some(offset), problem))?;
            }
        }
        self.leader_epoch = view.partition_leader_epoch();
        self.next_offset = view.next_offset();
        self.image.version = u64::try_from(view.last_offset()).unwrap_or(0);
        Ok(())
    }

    fn apply(&mut self, record: Record<'_>) -> Result<(), String> {
        let is_first = self.image.features.is_empty();
        if is_first && !matches!(record, Record::FeatureLevel(_)) {
            return Err("the log does not begin with its metadata.version".to_owned());
        }
        match record {
            Record::FeatureLevel(record) => self.apply_feature(&record),
            Record::RegisterBroker(record) => self.apply_broker(&record),
            Record::Topic(record) => self.apply_topic(&record),
            Record::Partition(record) => self.apply_partition(&record),
            Record::PartitionChange(record) => self.apply_partition_change(&record),
            Record::Config(record) => self.apply_config(&record),
            Record::RemoveTopic(record) => self.apply_remove_topic(TopicId(record.topic_id.0)),
            Record::ProducerIds(record) => {
                if record.next_producer_id < self.next_producer_id {
                    return Err("producer ids go backwards".to_owned());
                }
                self.next_producer_id = record.next_producer_id;
                Ok(())
            }
            Record::Ignored => Ok(()),
        }
    }

    fn apply_feature(&mut self, record: &FeatureLevelRecord<'_>) -> Result<(), String> {
        if record.name == METADATA_VERSION && !METADATA_VERSIONS.contains(&record.feature_level) {
            let (first, last) = METADATA_VERSIONS.into_inner();
            return Err(format!(
                "{METADATA_VERSION} {} is not supported (allowed: {first} to {last})",
                record.feature_level
            ));
        }
        if self.image.features.is_empty() && record.name != METADATA_VERSION {
            return Err("the log does not begin with its metadata.version".to_owned());
        }
        self.image.features.insert(record.name.into(), record.feature_level);
        Ok(())
    }

    fn apply_broker(&mut self, record: &RegisterBrokerRecord<'_>) -> Result<(), String> {
        let broker_id = BrokerId(record.broker_id);
        let endpoints = record.end_points.iter().map(|end_point| Endpoint {
            listener: end_point.name.into(),
            host: end_point.host.into(),
            port: end_point.port,
        });
        let broker =
            BrokerImage { broker_id, rack: record.rack.map(Into::into), endpoints: endpoints.collect() };
        if broker_id != self.image.broker_id {
            return Err(format!(
                "the log belongs to broker {broker_id}, this is broker {}",
                self.image.broker_id
            ));
        }
        self.broker_epoch = record.broker_epoch;
        self.registered_dirs = record.log_dirs.iter().map(|dir| DirectoryId(dir.0)).collect();
        self.image.brokers = vec![broker];
        Ok(())
    }

    fn apply_topic(&mut self, record: &TopicRecord<'_>) -> Result<(), String> {
        let topic_id = TopicId(record.topic_id.0);
        let name: Arc<str> = record.name.into();
        if self.image.names.contains_key(&name)
            || self.image.topics.contains_key(&topic_id)
            || record.topic_id == Uuid::ZERO
        {
            return Err(format!("topic {name} ({}) is there already", record.topic_id));
        }
        if let Some(form) = names::collision_form(&name) {
            self.collisions.entry(form).or_default().push(topic_id);
        }
        let topic = TopicImage {
            name: name.clone(),
            topic_id,
            partitions: Vec::new(),
            overrides: BTreeMap::new(),
            config: self.defaults.clone(),
            internal: names::is_internal(&name),
        };
        self.image.names.insert(name, topic_id);
        self.image.topics.insert(topic_id, Arc::new(topic));
        Ok(())
    }

    fn topic_mut(&mut self, topic_id: TopicId) -> Result<&mut TopicImage, String> {
        let topic = self.image.topics.get_mut(&topic_id);
        topic.map(Arc::make_mut).ok_or_else(|| format!("there is no topic {}", Uuid(topic_id.0)))
    }

    fn apply_partition(&mut self, record: &PartitionRecord<'_>) -> Result<(), String> {
        let directory = self.own_directory(&brokers(&record.replicas), &record.directories);
        let topic = self.topic_mut(TopicId(record.topic_id.0))?;
        if usize::try_from(record.partition_id).ok() != Some(topic.partitions.len()) {
            return Err(format!("topic {} lacks partitions before {}", topic.name, record.partition_id));
        }
        topic.partitions.push(PartitionImage {
            leader: BrokerId(record.leader),
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            replicas: brokers(&record.replicas),
            isr: brokers(&record.isr),
            directory,
        });
        Ok(())
    }

    /// Directories are told in the order of the replicas; none at all: not told.
    fn own_directory(&self, replicas: &[BrokerId], directories: &Array<'_, Uuid>) -> DirectoryId {
        let own = replicas.iter().position(|id| *id == self.image.broker_id);
        let told = own.and_then(|own| directories.iter().nth(own));
        told.map_or(DirectoryId::UNASSIGNED, |directory| DirectoryId(directory.0))
    }

    fn apply_partition_change(&mut self, record: &PartitionChangeRecord<'_>) -> Result<(), String> {
        const UNCHANGED: i32 = -2;
        let own = self.image.broker_id;
        let topic = self.topic_mut(TopicId(record.topic_id.0))?;
        let index = usize::try_from(record.partition_id).ok();
        let Some(partition) = index.and_then(|index| topic.partitions.get_mut(index)) else {
            return Err(format!("topic {} has no partition {}", topic.name, record.partition_id));
        };
        if let Some(isr) = &record.isr {
            partition.isr = brokers(isr);
        }
        if let Some(replicas) = &record.replicas {
            partition.replicas = brokers(replicas);
        }
        if let Some(directories) = &record.directories
            && let Some(place) = partition.replicas.iter().position(|id| *id == own)
            && let Some(directory) = directories.iter().nth(place)
        {
            partition.directory = DirectoryId(directory.0);
        }
        // Kafka's rule: naming a leader, even the same, is a new leadership.
        if record.leader != UNCHANGED {
            partition.leader = BrokerId(record.leader);
            let next = partition.leader_epoch.0.checked_add(1).ok_or("leader epochs are used up")?;
            partition.leader_epoch = LeaderEpoch(next);
        }
        partition.partition_epoch =
            partition.partition_epoch.checked_add(1).ok_or("partition epochs are used up")?;
        Ok(())
    }

    fn apply_config(&mut self, record: &ConfigRecord<'_>) -> Result<(), String> {
        let overrides = match (record.resource_type, record.resource_name) {
            (TOPIC_RESOURCE, name) => {
                let topic_id =
                    *self.image.names.get(name).ok_or_else(|| format!("there is no topic {name}"))?;
                self.stale.topics.push(topic_id);
                &mut self.topic_mut(topic_id)?.overrides
            }
            (BROKER_RESOURCE, name) => {
                let broker = match name {
                    "" => None,
                    id => Some(BrokerId(id.parse().map_err(|_| format!("{id} is not the id of a broker"))?)),
                };
                self.stale.all = true;
                self.image.broker_overrides.entry(broker).or_default()
            }
            (GROUP_RESOURCE, name) => self.image.group_overrides.entry(name.into()).or_default(),
            (other, _) => return Err(format!("configs of resource type {other} are not supported")),
        };
        match record.value {
            Some(value) => overrides.insert(record.name.to_owned(), value.to_owned()),
            None => overrides.remove(record.name),
        };
        self.image.broker_overrides.retain(|_, overrides| !overrides.is_empty());
        if record.resource_type == GROUP_RESOURCE {
            self.image.group_overrides.retain(|_, overrides| !overrides.is_empty());
        }
        Ok(())
    }

    fn apply_remove_topic(&mut self, topic_id: TopicId) -> Result<(), String> {
        let topic = self
            .image
            .topics
            .remove(&topic_id)
            .ok_or_else(|| format!("there is no topic {}", Uuid(topic_id.0)))?;
        self.image.names.remove(&topic.name);
        if let Some(form) = names::collision_form(&topic.name)
            && let Some(ids) = self.collisions.get_mut(&form)
        {
            ids.retain(|id| *id != topic_id);
            if ids.is_empty() {
                self.collisions.remove(&form);
            }
        }
        Ok(())
    }

    /// Types the configs whose text has changed. Topics without overrides share one.
    fn refresh(&mut self) {
        let stale = std::mem::replace(&mut self.stale, Stale { topics: Vec::new(), all: false });
        if stale.all {
            self.config = self.fixed_config.with_dynamic(&self.image.broker_overrides);
            self.defaults = Arc::new(self.config.topic_defaults.clone());
        }
        let ids = if stale.all { self.image.topics.keys().copied().collect() } else { stale.topics };
        for topic_id in ids {
            // A topic may be gone again.
            let Some(topic) = self.image.topics.get_mut(&topic_id) else { continue };
            let config = if topic.overrides.is_empty() {
                self.defaults.clone()
            } else {
                Arc::new(self.config.topic_config_lenient(&topic.overrides))
            };
            if *topic.config != *config {
                Arc::make_mut(topic).config = config;
            }
        }
    }
}

fn at(position: usize, (offset, problem): (Option<i64>, String)) -> MetadataError {
    MetadataError { position: position as u64, offset, problem }
}

fn brokers(ids: &Array<'_, i32>) -> Vec<BrokerId> {
    ids.iter().map(BrokerId).collect()
}
