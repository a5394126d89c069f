//! The controller of a broker that stands alone: state, decisions, records.
//!
//! Decides who answers which request; the rules are in the files of the requests. Pure: bytes in, bytes out.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Uuid;
use protocol::error_code::ErrorCode;
use protocol::messages::metadata_record::{
    BrokerEndpoint, BrokerFeature, ConfigRecord, FeatureLevelRecord, PartitionChangeRecord,
    ProducerIdsRecord, RegisterBrokerRecord,
};

use super::batch::RecordBuffer;
use super::state::{BROKER_RESOURCE, METADATA_VERSION, METADATA_VERSIONS, State};
use super::topic_ids::TopicIds;
use super::{ControlPlane, Decision, MetadataError};
use crate::config::{Config, broker_key};
use crate::model::control::{ControlAnswer, ControlError, ControlRequest};
use crate::model::metadata_image::{Endpoint, MetadataImage};
use crate::model::{BrokerId, DirectoryId, Now};

/// Features that a new log starts with, beside `metadata.version`. With eligible leader replicas, `min.insync.replicas`
/// is a setting of the cluster, as in every new cluster of Kafka's since 4.1; `group.version` 1 is the consumer group protocol.
const FEATURES: &[(&str, i16)] = &[("eligible.leader.replicas.version", 1), ("group.version", 1)];

/// Producer ids are handed out in blocks of this many, as Kafka does.
const PRODUCER_IDS: i64 = 1000;

/// Facts about this run of the broker.
#[derive(Debug, Clone)]
pub struct Incarnation {
    /// Random; new for each start.
    pub incarnation_id: Uuid,
    /// Of the log dirs that work, in their order.
    pub directories: Vec<DirectoryId>,
    /// What clients are told, in the order of the config's listeners.
    pub endpoints: Vec<Endpoint>,
}

/// Decides on metadata.
///
/// Lives: shard 0.
/// Invariants: `image` is what the log says, the batches handed out so far included.
#[derive(Debug)]
pub struct Controller {
    pub(super) state: State,
    pub(super) topic_ids: TopicIds,
    pub(super) image: Arc<MetadataImage>,
    /// Log dirs that new partitions may go to.
    pub(super) usable_dirs: Vec<DirectoryId>,
}

/// Where a controller stands: enough to go back there.
#[derive(Debug, Clone)]
pub struct Mark {
    image: Arc<MetadataImage>,
    next_offset: i64,
    next_producer_id: i64,
}

impl Controller {
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            image: self.image.clone(),
            next_offset: self.state.next_offset,
            next_producer_id: self.state.next_producer_id,
        }
    }

    /// What was decided since was not recorded, and so has not happened.
    pub fn roll_back(&mut self, to: Mark) {
        self.state.roll_back((*to.image).clone(), to.next_offset, to.next_producer_id);
        self.image = to.image;
    }

    /// Reads a metadata log. `random` becomes the ids of topics. Returns also where the log is to be cut: its torn tail
    /// was never acknowledged.
    pub fn replay(
        log: &[u8],
        cluster_id: &str,
        broker_id: BrokerId,
        config: Arc<Config>,
        random: [u8; 16],
    ) -> Result<(Controller, u64), MetadataError> {
        let image = MetadataImage::empty(cluster_id.into(), broker_id);
        let mut state = State::new(image, config);
        let end = state.replay(log)?;
        let image = Arc::new(state.image.clone());
        let topic_ids = TopicIds::new(random, image.version);
        Ok((Controller { state, topic_ids, image, usable_dirs: Vec::new() }, end))
    }

    /// Registers this run of the broker and makes it leader of its partitions anew, under higher leader epochs: what
    /// an earlier run may still have in flight is fenced by them.
    ///
    /// The batch must be appended and synced before the first client is served.
    pub fn start(&mut self, now: Now, incarnation: &Incarnation) -> Bytes {
        self.state.leader_epoch += 1;
        self.usable_dirs.clone_from(&incarnation.directories);
        // Partitions that are not assigned were made when there was one log dir: that one has them.
        let only = match self.state.registered_dirs[..] {
            [only] => Some(only),
            _ => incarnation.directories.first().copied(),
        };
        let mut records = self.records(now);
        if self.state.image.features.is_empty() {
            self.push_bootstrap(&mut records);
        }
        push_registration(&mut records, &self.state, incarnation);
        records.end_unit();
        for topic in self.state.image.topics.values() {
            for (partition, index) in topic.partitions.iter().zip(0..) {
                records.push(&PartitionChangeRecord {
                    partition_id: index,
                    topic_id: Uuid(topic.topic_id.0),
                    leader: partition.leader.0,
                    directories: only.filter(|_| partition.directory.is_open()).map(|only| {
                        let own = self.state.image.broker_id;
                        let place = |id: &BrokerId| if *id == own { Uuid(only.0) } else { Uuid::ZERO };
                        partition.replicas.iter().map(place).collect()
                    }),
                    ..PartitionChangeRecord::default()
                });
                records.end_unit();
            }
        }
        self.commit(records).expect("a registration is always written")
    }

    /// A log dir has failed: new partitions go elsewhere, unless there is nowhere else.
    pub fn avoid_dir(&mut self, dir: DirectoryId) {
        if self.usable_dirs.len() > 1 {
            self.usable_dirs.retain(|usable| *usable != dir);
        }
    }

    pub(super) fn records(&self, now: Now) -> RecordBuffer {
        RecordBuffer::new(self.state.next_offset, self.state.leader_epoch, now.wall_ms)
    }

    /// Makes the records' batches and applies them.
    pub(super) fn commit(&mut self, records: RecordBuffer) -> Option<Bytes> {
        let batch = records.finish()?;
        self.state.apply_own(&batch);
        self.image = Arc::new(self.state.image.clone());
        Some(batch)
    }

    fn push_bootstrap(&self, records: &mut RecordBuffer) {
        records.push(&FeatureLevelRecord { name: METADATA_VERSION, feature_level: *METADATA_VERSIONS.end() });
        for &(name, feature_level) in FEATURES {
            records.push(&FeatureLevelRecord { name, feature_level });
        }
        let name = "min.insync.replicas";
        let value = broker_key(name).and_then(|key| self.state.config.static_value(key));
        let resource_type = BROKER_RESOURCE;
        records.push(&ConfigRecord { resource_type, resource_name: "", name, value: value.or(Some("1")) });
        records.end_unit();
    }

    fn allocate_producer_ids(&mut self, now: Now) -> Decision {
        let first = self.state.next_producer_id;
        let Some(next_producer_id) = first.checked_add(PRODUCER_IDS) else {
            let message = Some("producer ids are used up".to_owned());
            let error = ControlError { error: ErrorCode::UNKNOWN_SERVER_ERROR, message };
            return Decision { answer: ControlAnswer::Failed(error), batch: None };
        };
        let mut records = self.records(now);
        records.push(&ProducerIdsRecord {
            broker_id: self.state.image.broker_id.0,
            broker_epoch: self.state.broker_epoch,
            next_producer_id,
        });
        let batch = self.commit(records);
        Decision { answer: ControlAnswer::ProducerIds { first, count: PRODUCER_IDS as u32 }, batch }
    }
}

fn push_registration(records: &mut RecordBuffer, state: &State, incarnation: &Incarnation) {
    let end_points = incarnation.endpoints.iter().map(|endpoint| BrokerEndpoint {
        name: &endpoint.listener,
        host: &endpoint.host,
        port: endpoint.port,
        security_protocol: 0,
    });
    let feature = |(name, min_supported_version, max_supported_version)| BrokerFeature {
        name,
        min_supported_version,
        max_supported_version,
    };
    let own = (METADATA_VERSION, *METADATA_VERSIONS.start(), *METADATA_VERSIONS.end());
    let others = FEATURES.iter().map(|&(name, level)| (name, 0, level));
    // Kafka's rule: a broker's epoch is the offset of its registration.
    let broker_epoch = records.next_offset();
    records.push(&RegisterBrokerRecord {
        broker_id: state.image.broker_id.0,
        incarnation_id: incarnation.incarnation_id,
        broker_epoch,
        end_points: end_points.collect(),
        features: std::iter::once(own).chain(others).map(feature).collect(),
        rack: state.config.rack.as_deref(),
        fenced: false,
        log_dirs: incarnation.directories.iter().map(|dir| Uuid(dir.0)).collect(),
        ..RegisterBrokerRecord::default()
    });
}

impl ControlPlane for Controller {
    fn handle(&mut self, now: Now, request: ControlRequest) -> Decision {
        match request {
            ControlRequest::CreateTopics { topics, validate_only } => {
                self.create_topics(now, topics, validate_only)
            }
            ControlRequest::DeleteTopics { topics } => self.delete_topics(now, topics),
            ControlRequest::CreatePartitions { topics, validate_only } => {
                self.create_partitions(now, topics, validate_only)
            }
            ControlRequest::AlterConfigs { resources, validate_only } => {
                self.alter_configs(now, resources, validate_only)
            }
            ControlRequest::AllocateProducerIds => self.allocate_producer_ids(now),
        }
    }

    fn image(&self) -> Arc<MetadataImage> {
        self.image.clone()
    }
}

impl Controller {
    /// As `ControlPlane::handle`.
    pub fn handle(&mut self, now: Now, request: ControlRequest) -> Decision {
        ControlPlane::handle(self, now, request)
    }

    /// As `ControlPlane::image`.
    #[must_use]
    pub fn image(&self) -> Arc<MetadataImage> {
        self.image.clone()
    }
}
