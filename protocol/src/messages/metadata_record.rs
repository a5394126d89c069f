//! Records of the cluster metadata log; `API_KEY` is the record type.
//!
//! How a record is framed in its batch (frame version, type, version) is decided by the metadata log, not here.

use crate::{Array, Message, Struct, Uuid};

/// A broker registered.
///
/// - v1: adds `in_controlled_shutdown`.
/// - v2: adds `is_migrating_zk_broker`.
/// - v3: adds `log_dirs`.
/// - v4: adds `cordoned_log_dirs`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RegisterBrokerRecord", record = 0, versions = "0-4", flexible = "0+")]
pub struct RegisterBrokerRecord<'a> {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "2+")]
    pub is_migrating_zk_broker: bool,
    #[kafka(versions = "0+")]
    pub incarnation_id: Uuid,
    #[kafka(versions = "0+")]
    pub broker_epoch: i64,
    #[kafka(versions = "0+")]
    pub end_points: Array<'a, BrokerEndpoint<'a>>,
    #[kafka(versions = "0+")]
    pub features: Array<'a, BrokerFeature<'a>>,
    #[kafka(versions = "0+", nullable = "0+")]
    pub rack: Option<&'a str>,
    #[kafka(versions = "0+", default = true)]
    pub fenced: bool,
    #[kafka(versions = "1+")]
    pub in_controlled_shutdown: bool,
    #[kafka(versions = "3+", tag = 0, tagged = "3+")]
    pub log_dirs: Array<'a, Uuid>,
    #[kafka(versions = "4+", nullable = "4+", tag = 1, tagged = "4+", default = null)]
    pub cordoned_log_dirs: Option<Array<'a, Uuid>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct BrokerEndpoint<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: u16,
    #[kafka(versions = "0+")]
    pub security_protocol: i16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct BrokerFeature<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub min_supported_version: i16,
    #[kafka(versions = "0+")]
    pub max_supported_version: i16,
}

/// A broker's registration was removed.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UnregisterBrokerRecord", record = 1, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerRecord {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+")]
    pub broker_epoch: i64,
}

/// A topic was created.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "TopicRecord", record = 2, versions = "0", flexible = "0+")]
pub struct TopicRecord<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
}

/// A partition was created or replaced.
///
/// - v1: adds `directories` (KIP-858).
/// - v2: adds `eligible_leader_replicas`, `last_known_elr` (KIP-966).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "PartitionRecord", record = 3, versions = "0-2", flexible = "0+")]
pub struct PartitionRecord<'a> {
    #[kafka(versions = "0+", default = -1)]
    pub partition_id: i32,
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub replicas: Array<'a, i32>,
    #[kafka(versions = "0+")]
    pub isr: Array<'a, i32>,
    #[kafka(versions = "0+")]
    pub removing_replicas: Array<'a, i32>,
    #[kafka(versions = "0+")]
    pub adding_replicas: Array<'a, i32>,
    #[kafka(versions = "0+", default = -1)]
    pub leader: i32,
    #[kafka(versions = "0+", tag = 0, tagged = "0+")]
    pub leader_recovery_state: i8,
    #[kafka(versions = "0+", default = -1)]
    pub leader_epoch: i32,
    #[kafka(versions = "0+", default = -1)]
    pub partition_epoch: i32,
    #[kafka(versions = "1+")]
    pub directories: Array<'a, Uuid>,
    #[kafka(versions = "2+", nullable = "2+", tag = 1, tagged = "2+", default = null)]
    pub eligible_leader_replicas: Option<Array<'a, i32>>,
    #[kafka(versions = "2+", nullable = "2+", tag = 2, tagged = "2+", default = null)]
    pub last_known_elr: Option<Array<'a, i32>>,
}

/// A configuration entry was set, or deleted if null.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ConfigRecord", record = 4, versions = "0", flexible = "0+")]
pub struct ConfigRecord<'a> {
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<&'a str>,
}

/// Something about a partition changed; absent fields did not. `leader` -2 is no change.
///
/// - v1: adds `directories` (KIP-858).
/// - v2: adds `eligible_leader_replicas`, `last_known_elr` (KIP-966).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "PartitionChangeRecord", record = 5, versions = "0-2", flexible = "0+")]
pub struct PartitionChangeRecord<'a> {
    #[kafka(versions = "0+", default = -1)]
    pub partition_id: i32,
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+", nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub isr: Option<Array<'a, i32>>,
    #[kafka(versions = "0+", tag = 1, tagged = "0+", default = -2)]
    pub leader: i32,
    #[kafka(versions = "0+", nullable = "0+", tag = 2, tagged = "0+", default = null)]
    pub replicas: Option<Array<'a, i32>>,
    #[kafka(versions = "0+", nullable = "0+", tag = 3, tagged = "0+", default = null)]
    pub removing_replicas: Option<Array<'a, i32>>,
    #[kafka(versions = "0+", nullable = "0+", tag = 4, tagged = "0+", default = null)]
    pub adding_replicas: Option<Array<'a, i32>>,
    #[kafka(versions = "0+", tag = 5, tagged = "0+", default = -1)]
    pub leader_recovery_state: i8,
    #[kafka(versions = "1+", nullable = "1+", tag = 8, tagged = "1+", default = null)]
    pub directories: Option<Array<'a, Uuid>>,
    #[kafka(versions = "2+", nullable = "2+", tag = 6, tagged = "2+", default = null)]
    pub eligible_leader_replicas: Option<Array<'a, i32>>,
    #[kafka(versions = "2+", nullable = "2+", tag = 7, tagged = "2+", default = null)]
    pub last_known_elr: Option<Array<'a, i32>>,
}

/// A broker was fenced. Superseded by BrokerRegistrationChangeRecord.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "FenceBrokerRecord", record = 7, versions = "0", flexible = "0+")]
pub struct FenceBrokerRecord {
    #[kafka(versions = "0+")]
    pub id: i32,
    #[kafka(versions = "0+")]
    pub epoch: i64,
}

/// A broker was unfenced. Superseded by BrokerRegistrationChangeRecord.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UnfenceBrokerRecord", record = 8, versions = "0", flexible = "0+")]
pub struct UnfenceBrokerRecord {
    #[kafka(versions = "0+")]
    pub id: i32,
    #[kafka(versions = "0+")]
    pub epoch: i64,
}

/// A topic was deleted.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RemoveTopicRecord", record = 9, versions = "0", flexible = "0+")]
pub struct RemoveTopicRecord {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
}

/// A delegation token was created or prolonged.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DelegationTokenRecord", record = 10, versions = "0", flexible = "0+")]
pub struct DelegationTokenRecord<'a> {
    #[kafka(versions = "0+")]
    pub owner: &'a str,
    #[kafka(versions = "0+")]
    pub requester: &'a str,
    #[kafka(versions = "0+")]
    pub renewers: Array<'a, &'a str>,
    #[kafka(versions = "0+")]
    pub issue_timestamp: i64,
    #[kafka(versions = "0+")]
    pub max_timestamp: i64,
    #[kafka(versions = "0+")]
    pub expiration_timestamp: i64,
    #[kafka(versions = "0+")]
    pub token_id: &'a str,
}

/// A SCRAM credential was set.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UserScramCredentialRecord", record = 11, versions = "0", flexible = "0+")]
pub struct UserScramCredentialRecord<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub mechanism: i8,
    #[kafka(versions = "0+")]
    pub salt: &'a [u8],
    #[kafka(versions = "0+")]
    pub stored_key: &'a [u8],
    #[kafka(versions = "0+")]
    pub server_key: &'a [u8],
    #[kafka(versions = "0+")]
    pub iterations: i32,
}

/// A feature level was finalized.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "FeatureLevelRecord", record = 12, versions = "0", flexible = "0+")]
pub struct FeatureLevelRecord<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub feature_level: i16,
}

/// A client quota was set or removed.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ClientQuotaRecord", record = 14, versions = "0", flexible = "0+")]
pub struct ClientQuotaRecord<'a> {
    #[kafka(versions = "0+")]
    pub entity: Array<'a, EntityData<'a>>,
    #[kafka(versions = "0+")]
    pub key: &'a str,
    #[kafka(versions = "0+")]
    pub value: f64,
    #[kafka(versions = "0+")]
    pub remove: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct EntityData<'a> {
    #[kafka(versions = "0+")]
    pub entity_type: &'a str,
    #[kafka(versions = "0+", nullable = "0+")]
    pub entity_name: Option<&'a str>,
}

/// A block of producer ids was handed out.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ProducerIdsRecord", record = 15, versions = "0", flexible = "0+")]
pub struct ProducerIdsRecord {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+", default = -1)]
    pub broker_epoch: i64,
    #[kafka(versions = "0+")]
    pub next_producer_id: i64,
}

/// Something about a broker's registration changed.
///
/// - v1: adds `in_controlled_shutdown`.
/// - v2: adds `log_dirs`.
/// - v3: adds `cordoned_log_dirs`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "BrokerRegistrationChangeRecord", record = 17, versions = "0-3", flexible = "0+")]
pub struct BrokerRegistrationChangeRecord<'a> {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+")]
    pub broker_epoch: i64,
    #[kafka(versions = "0+", tag = 0, tagged = "0+")]
    pub fenced: i8,
    #[kafka(versions = "1+", tag = 1, tagged = "1+")]
    pub in_controlled_shutdown: i8,
    #[kafka(versions = "2+", tag = 2, tagged = "2+")]
    pub log_dirs: Array<'a, Uuid>,
    #[kafka(versions = "3+", nullable = "3+", tag = 3, tagged = "3+", default = null)]
    pub cordoned_log_dirs: Option<Array<'a, Uuid>>,
}

/// An access control entry was added.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AccessControlEntryRecord", record = 18, versions = "0", flexible = "0+")]
pub struct AccessControlEntryRecord<'a> {
    #[kafka(versions = "0+")]
    pub id: Uuid,
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    #[kafka(versions = "0+")]
    pub resource_name: &'a str,
    #[kafka(versions = "0+")]
    pub pattern_type: i8,
    #[kafka(versions = "0+")]
    pub principal: &'a str,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub operation: i8,
    #[kafka(versions = "0+")]
    pub permission_type: i8,
}

/// An access control entry was removed.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RemoveAccessControlEntryRecord", record = 19, versions = "0", flexible = "0+")]
pub struct RemoveAccessControlEntryRecord {
    #[kafka(versions = "0+")]
    pub id: Uuid,
}

/// Nothing; lets the high watermark advance.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "NoOpRecord", record = 20, versions = "0", flexible = "0+")]
pub struct NoOpRecord {}

/// How far the migration from ZooKeeper has come.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ZkMigrationStateRecord", record = 21, versions = "0", flexible = "0+")]
pub struct ZkMigrationStateRecord {
    #[kafka(versions = "0+")]
    pub zk_migration_state: i8,
}

/// A SCRAM credential was deleted.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RemoveUserScramCredentialRecord", record = 22, versions = "0", flexible = "0+")]
pub struct RemoveUserScramCredentialRecord<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub mechanism: i8,
}

/// A transaction of metadata records began.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "BeginTransactionRecord", record = 23, versions = "0", flexible = "0+")]
pub struct BeginTransactionRecord<'a> {
    #[kafka(versions = "0+", nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub name: Option<&'a str>,
}

/// A transaction of metadata records was committed.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "EndTransactionRecord", record = 24, versions = "0", flexible = "0+")]
pub struct EndTransactionRecord {}

/// A transaction of metadata records was aborted.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AbortTransactionRecord", record = 25, versions = "0", flexible = "0+")]
pub struct AbortTransactionRecord<'a> {
    #[kafka(versions = "0+", nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub reason: Option<&'a str>,
}

/// A delegation token was removed.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RemoveDelegationTokenRecord", record = 26, versions = "0", flexible = "0+")]
pub struct RemoveDelegationTokenRecord<'a> {
    #[kafka(versions = "0+")]
    pub token_id: &'a str,
}

/// A controller registered.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "RegisterControllerRecord", record = 27, versions = "0", flexible = "0+")]
pub struct RegisterControllerRecord<'a> {
    #[kafka(versions = "0+")]
    pub controller_id: i32,
    #[kafka(versions = "0+")]
    pub incarnation_id: Uuid,
    #[kafka(versions = "0+")]
    pub zk_migration_ready: bool,
    #[kafka(versions = "0+")]
    pub end_points: Array<'a, ControllerEndpoint<'a>>,
    #[kafka(versions = "0+")]
    pub features: Array<'a, ControllerFeature<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ControllerEndpoint<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: u16,
    #[kafka(versions = "0+")]
    pub security_protocol: i16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ControllerFeature<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub min_supported_version: i16,
    #[kafka(versions = "0+")]
    pub max_supported_version: i16,
}

/// The eligible leader replicas of a topic were cleared.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ClearElrRecord", record = 28, versions = "0", flexible = "0+")]
pub struct ClearElrRecord<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
}
