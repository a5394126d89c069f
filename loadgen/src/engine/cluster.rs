//! What is known of the cluster before the load begins: topics, leaders, offsets, versions.
//!
//! Decides which topics are created and when what is there does not fit the workload.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use core::time::Duration;

use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::messages::init_producer_id::InitProducerIdResponse;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::{ApiKey, ErrorCode};

use super::control::{Control, error_name, refused, resolve};
use crate::consumer::fetch_version;
use crate::error::LoadError;
use crate::producer::id_request;
use crate::template::{PRODUCE_VERSION_MAX, PRODUCE_VERSION_MIN};
use crate::workload::Workload;

const TOPICS_PER_REQUEST: usize = 100;
const LEADERS_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);
pub const LATEST: i64 = -1;
pub const EARLIEST: i64 = -2;

#[derive(Clone, Debug)]
pub struct Cluster {
    /// Those that lead partitions of ours.
    pub brokers: Vec<Broker>,
    pub topics: Vec<String>,
    /// Index of the leading broker, by topic-partition through all topics.
    pub leaders: Vec<usize>,
    pub produce_version: i16,
    pub fetch_version: i16,
    pub init_producer_id_version: i16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub name: String,
    pub address: SocketAddr,
}

/// One answer of Metadata, of our topics.
struct Seen {
    brokers: BTreeMap<i32, String>,
    controller: i32,
    /// By topic: the leader of each partition, below 0 where there is none; None: there is no such topic.
    topics: Vec<Option<Vec<i32>>>,
}

/// Topics are `<topic>` if there is one, else `<topic>-0`, `<topic>-1`, ...
#[must_use]
pub fn topic_names(workload: &Workload) -> Vec<String> {
    if workload.topics == 1 {
        return vec![workload.topic.clone()];
    }
    (0..workload.topics).map(|index| format!("{}-{index}", workload.topic)).collect()
}

impl Cluster {
    /// Finds the topics, creates what is missing, waits until every partition has a leader.
    pub fn prepare(control: &mut Control, workload: &Workload) -> Result<Cluster, LoadError> {
        let topics = topic_names(workload);
        let given_up = Instant::now() + LEADERS_WITHIN;
        let mut seen = see(control, &topics)?;
        let missing: Vec<&str> = topics
            .iter()
            .zip(&seen.topics)
            .filter(|(_, seen)| seen.is_none())
            .map(|(name, _)| &**name)
            .collect();
        if !missing.is_empty() {
            create(control, &seen, &missing, workload)?;
        }
        loop {
            check_partitions(&topics, &seen, workload)?;
            if seen.is_led(workload.partitions) {
                return Cluster::of(control, topics, &seen, workload);
            }
            if Instant::now() > given_up {
                return Err(LoadError::failed(
                    format!("a partition of {} has had no leader for 60 s", workload.topic),
                    "look at the broker's log",
                ));
            }
            thread::sleep(LOOK_AGAIN_AFTER);
            seen = see(control, &topics)?;
        }
    }

    fn of(
        control: &Control,
        topics: Vec<String>,
        seen: &Seen,
        workload: &Workload,
    ) -> Result<Cluster, LoadError> {
        let versions = control.versions();
        let mut brokers: Vec<Broker> = Vec::new();
        let mut index_of = BTreeMap::new();
        let mut leaders = Vec::new();
        for partitions in seen.topics.iter().flatten() {
            for leader in &partitions[..workload.partitions as usize] {
                if !index_of.contains_key(leader) {
                    let name = seen.brokers.get(leader).cloned().ok_or_else(|| {
                        LoadError::failed(format!("broker {leader} leads a partition and has no address"), "")
                    })?;
                    let address = resolve(&name).map_err(|error| {
                        LoadError::failed(
                            format!("the broker says that it is at {name}: {}", error.what),
                            "correct its advertised.listeners",
                        )
                    })?;
                    index_of.insert(*leader, brokers.len());
                    brokers.push(Broker { name, address });
                }
                leaders.push(index_of[leader]);
            }
        }
        Ok(Cluster {
            brokers,
            topics,
            leaders,
            produce_version: versions.choose(ApiKey::Produce, PRODUCE_VERSION_MIN, PRODUCE_VERSION_MAX)?,
            fetch_version: fetch_version(versions.offered(ApiKey::Fetch))?,
            init_producer_id_version: if workload.idempotent {
                versions.choose(ApiKey::InitProducerId, 0, 4)?
            } else {
                0
            },
        })
    }

    /// The offset for `timestamp` (`LATEST`, `EARLIEST`) of every topic-partition, in their order.
    pub fn offsets(&self, partitions: u32, timestamp: i64) -> Result<Vec<i64>, LoadError> {
        let mut offsets = vec![0; self.leaders.len()];
        for (index, broker) in self.brokers.iter().enumerate() {
            let mut control = Control::connect(&broker.name)?;
            let version = control.versions().choose(ApiKey::ListOffsets, 1, 7)?;
            let of_topic = |topic: usize| -> Vec<ListOffsetsPartition> {
                (0..partitions)
                    .filter(|partition| {
                        self.leaders[topic * partitions as usize + *partition as usize] == index
                    })
                    .map(|partition| ListOffsetsPartition {
                        partition_index: partition as i32,
                        current_leader_epoch: -1,
                        timestamp,
                    })
                    .collect()
            };
            let named = self.topics.iter().enumerate().map(|(topic, name)| (name, of_topic(topic)));
            let topics = named.filter(|(_, partitions)| !partitions.is_empty());
            let request = ListOffsetsRequest {
                replica_id: -1,
                isolation_level: 0,
                topics: topics
                    .map(|(name, partitions)| ListOffsetsTopic { name, partitions: partitions.into() })
                    .collect(),
                timeout_ms: 0,
            };
            let given_up = Instant::now() + LEADERS_WITHIN;
            loop {
                let answer = control.call(ApiKey::ListOffsets, version, &request)?;
                match self.take_offsets(&answer.read()?, partitions, &mut offsets)? {
                    None => break,
                    Some(_) if Instant::now() < given_up => thread::sleep(LOOK_AGAIN_AFTER),
                    Some(code) => {
                        return Err(refused(ApiKey::ListOffsets, code, "look at the broker's log"));
                    }
                }
            }
        }
        Ok(offsets)
    }

    /// The error of a partition that may soon answer: a broker tells of its leaders before they lead.
    fn take_offsets(
        &self,
        message: &ListOffsetsResponse<'_>,
        partitions: u32,
        offsets: &mut [i64],
    ) -> Result<Option<i16>, LoadError> {
        let mut not_yet = None;
        for topic in &message.topics {
            let Some(index) = self.topics.iter().position(|name| name == topic.name) else { continue };
            for partition in &topic.partitions {
                if ErrorCode::try_from(partition.error_code).is_ok_and(ErrorCode::retriable) {
                    not_yet = Some(partition.error_code);
                    continue;
                }
                if partition.error_code != 0 {
                    return Err(refused(
                        ApiKey::ListOffsets,
                        partition.error_code,
                        "allow Describe on the topic",
                    ));
                }
                let within =
                    u32::try_from(partition.partition_index).ok().filter(|index| *index < partitions);
                if let Some(within) = within {
                    offsets[index * partitions as usize + within as usize] = partition.offset.max(0);
                }
            }
        }
        Ok(not_yet)
    }

    /// A new producer id and its epoch.
    pub fn producer_id(&self, control: &mut Control) -> Result<(i64, i16), LoadError> {
        let given_up = Instant::now() + LEADERS_WITHIN;
        loop {
            let answer =
                control.call(ApiKey::InitProducerId, self.init_producer_id_version, &id_request())?;
            let message: InitProducerIdResponse = answer.read()?;
            let code = ErrorCode::try_from(message.error_code);
            if code == Ok(ErrorCode::NONE) {
                return Ok((message.producer_id, message.producer_epoch));
            }
            if !code.is_ok_and(ErrorCode::retriable) || Instant::now() > given_up {
                return Err(refused(ApiKey::InitProducerId, message.error_code, "run without idempotence"));
            }
            thread::sleep(LOOK_AGAIN_AFTER);
        }
    }

    /// Asks until the broker at `address` answers and every partition has a leader again, for `within` at most.
    pub fn wait_until_back(
        address: &str,
        workload: &Workload,
        within: Duration,
    ) -> Result<Cluster, LoadError> {
        let given_up = Instant::now() + within;
        loop {
            let back = Control::connect(address).and_then(|mut control| {
                let topics = topic_names(workload);
                let seen = see(&mut control, &topics)?;
                check_there(&topics, &seen)?;
                if seen.is_led(workload.partitions) {
                    Cluster::of(&control, topics, &seen, workload)
                } else {
                    Err(LoadError::failed("not every partition has a leader", "look at the broker's log"))
                }
            });
            match back {
                Ok(cluster) => return Ok(cluster),
                Err(error) if Instant::now() > given_up => {
                    return Err(LoadError::failed(
                        format!("the broker was not back within {} s: {}", within.as_secs(), error.what),
                        error.fix,
                    ));
                }
                Err(_) => thread::sleep(LOOK_AGAIN_AFTER),
            }
        }
    }
}

impl Seen {
    fn is_led(&self, partitions: u32) -> bool {
        self.topics.iter().all(|topic| {
            topic.as_ref().is_some_and(|leaders| {
                leaders.len() >= partitions as usize
                    && leaders[..partitions as usize].iter().all(|leader| *leader >= 0)
            })
        })
    }
}

fn see(control: &mut Control, topics: &[String]) -> Result<Seen, LoadError> {
    let version = control.versions().choose(ApiKey::Metadata, 1, 12)?;
    let wanted = topics
        .iter()
        .map(|name| MetadataRequestTopic { topic_id: protocol::Uuid::default(), name: Some(name) });
    let request = MetadataRequest {
        topics: Some(wanted.collect()),
        allow_auto_topic_creation: version < 4,
        include_cluster_authorized_operations: false,
        include_topic_authorized_operations: false,
    };
    let answer = control.call(ApiKey::Metadata, version, &request)?;
    let message: MetadataResponse<'_> = answer.read()?;
    let brokers = message.brokers.iter().map(|broker| {
        let host =
            if broker.host.contains(':') { format!("[{}]", broker.host) } else { broker.host.to_owned() };
        (broker.node_id, format!("{host}:{}", broker.port))
    });
    let mut seen = Seen {
        brokers: brokers.collect(),
        controller: message.controller_id,
        topics: vec![None; topics.len()],
    };
    for topic in &message.topics {
        let Some(index) = topics.iter().position(|name| Some(&**name) == topic.name) else { continue };
        match ErrorCode::try_from(topic.error_code) {
            Ok(ErrorCode::NONE) => {}
            Ok(ErrorCode::LEADER_NOT_AVAILABLE) => {
                seen.topics[index] = Some(Vec::new());
                continue;
            }
            Ok(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => continue,
            _ => {
                return Err(LoadError::failed(
                    format!(
                        "the broker does not tell of topic {}: {}",
                        topics[index],
                        error_name(topic.error_code)
                    ),
                    "choose another name, or allow Describe on it",
                ));
            }
        }
        let mut leaders = vec![-1; topic.partitions.len()];
        for partition in &topic.partitions {
            if let Some(leader) =
                usize::try_from(partition.partition_index).ok().and_then(|index| leaders.get_mut(index))
            {
                *leader = partition.leader_id;
            }
        }
        seen.topics[index] = Some(leaders);
    }
    Ok(seen)
}

fn check_there(topics: &[String], seen: &Seen) -> Result<(), LoadError> {
    match topics.iter().zip(&seen.topics).find(|(_, seen)| seen.is_none()) {
        None => Ok(()),
        Some((name, _)) => Err(LoadError::failed(format!("there is no topic {name}"), "")),
    }
}

/// A topic that is there must have as many partitions as are wanted.
fn check_partitions(topics: &[String], seen: &Seen, workload: &Workload) -> Result<(), LoadError> {
    for (name, partitions) in topics.iter().zip(&seen.topics) {
        let count = partitions.as_ref().map_or(0, Vec::len);
        if count > 0 && count < workload.partitions as usize {
            return Err(LoadError::failed(
                format!(
                    "topic {name} has {count} partitions, and the workload wants {}",
                    workload.partitions
                ),
                "choose another topic, delete this one, or ask for fewer with --partitions",
            ));
        }
    }
    Ok(())
}

fn create(
    control: &mut Control,
    seen: &Seen,
    missing: &[&str],
    workload: &Workload,
) -> Result<(), LoadError> {
    let mut at_controller = match seen.brokers.get(&seen.controller) {
        // Any broker of a KRaft cluster passes it on; older ones want it at their controller.
        Some(name) if resolve(name).is_ok_and(|address| address != control.peer()) => {
            Control::connect(name).ok()
        }
        _ => None,
    };
    let control = at_controller.as_mut().unwrap_or(control);
    let version = control.versions().choose(ApiKey::CreateTopics, 2, 6)?;
    let configs: Vec<CreatableTopicConfig<'_>> = workload
        .topic_configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig { name, value: Some(value) })
        .collect();
    for names in missing.chunks(TOPICS_PER_REQUEST) {
        let topics = names.iter().map(|name| CreatableTopic {
            name,
            num_partitions: workload.partitions as i32,
            replication_factor: workload.replication_factor,
            assignments: Vec::new().into(),
            configs: configs.as_slice().into(),
        });
        let request =
            CreateTopicsRequest { topics: topics.collect(), timeout_ms: 30_000, validate_only: false };
        let answer = control.call(ApiKey::CreateTopics, version, &request)?;
        let message: CreateTopicsResponse<'_> = answer.read()?;
        for topic in &message.topics {
            let code = ErrorCode::try_from(topic.error_code);
            if matches!(code, Ok(ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS)) {
                continue;
            }
            let why = topic.error_message.map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(LoadError::failed(
                format!(
                    "topic {} does not exist and cannot be created: {}{why}",
                    topic.name,
                    error_name(topic.error_code)
                ),
                "create it, allow Create on the cluster, or correct the topic's settings",
            ));
        }
    }
    Ok(())
}
