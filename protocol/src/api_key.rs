//! API keys, and the one table of what this broker serves.
//!
//! ApiVersions answers from `SUPPORTED` and dispatch admits by it, so the two cannot disagree. A row is added when the
//! broker implements the API, not when its messages are declared.

use std::fmt;

macro_rules! api_keys {
    ($($name:ident = $key:literal,)*) => {
        /// Every API of Kafka 4.4; 4-7 exist in name only (removed in 4.0).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            /// Every key, ascending from 0 without a gap.
            pub const ALL: &[ApiKey] = &[$(ApiKey::$name),*];

            /// Kafka's name of the API.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

api_keys! {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    LeaderAndIsr = 4,
    StopReplica = 5,
    UpdateMetadata = 6,
    ControlledShutdown = 7,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    DescribeGroups = 15,
    ListGroups = 16,
    SaslHandshake = 17,
    ApiVersions = 18,
    CreateTopics = 19,
    DeleteTopics = 20,
    DeleteRecords = 21,
    InitProducerId = 22,
    OffsetForLeaderEpoch = 23,
    AddPartitionsToTxn = 24,
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    WriteTxnMarkers = 27,
    TxnOffsetCommit = 28,
    DescribeAcls = 29,
    CreateAcls = 30,
    DeleteAcls = 31,
    DescribeConfigs = 32,
    AlterConfigs = 33,
    AlterReplicaLogDirs = 34,
    DescribeLogDirs = 35,
    SaslAuthenticate = 36,
    CreatePartitions = 37,
    CreateDelegationToken = 38,
    RenewDelegationToken = 39,
    ExpireDelegationToken = 40,
    DescribeDelegationToken = 41,
    DeleteGroups = 42,
    ElectLeaders = 43,
    IncrementalAlterConfigs = 44,
    AlterPartitionReassignments = 45,
    ListPartitionReassignments = 46,
    OffsetDelete = 47,
    DescribeClientQuotas = 48,
    AlterClientQuotas = 49,
    DescribeUserScramCredentials = 50,
    AlterUserScramCredentials = 51,
    Vote = 52,
    BeginQuorumEpoch = 53,
    EndQuorumEpoch = 54,
    DescribeQuorum = 55,
    AlterPartition = 56,
    UpdateFeatures = 57,
    Envelope = 58,
    FetchSnapshot = 59,
    DescribeCluster = 60,
    DescribeProducers = 61,
    BrokerRegistration = 62,
    BrokerHeartbeat = 63,
    UnregisterBroker = 64,
    DescribeTransactions = 65,
    ListTransactions = 66,
    AllocateProducerIds = 67,
    ConsumerGroupHeartbeat = 68,
    ConsumerGroupDescribe = 69,
    ControllerRegistration = 70,
    GetTelemetrySubscriptions = 71,
    PushTelemetry = 72,
    AssignReplicasToDirs = 73,
    ListConfigResources = 74,
    DescribeTopicPartitions = 75,
    ShareGroupHeartbeat = 76,
    ShareGroupDescribe = 77,
    ShareFetch = 78,
    ShareAcknowledge = 79,
    AddRaftVoter = 80,
    RemoveRaftVoter = 81,
    UpdateRaftVoter = 82,
    InitializeShareGroupState = 83,
    ReadShareGroupState = 84,
    WriteShareGroupState = 85,
    DeleteShareGroupState = 86,
    ReadShareGroupStateSummary = 87,
    StreamsGroupHeartbeat = 88,
    StreamsGroupDescribe = 89,
    DescribeShareGroupOffsets = 90,
    AlterShareGroupOffsets = 91,
    DeleteShareGroupOffsets = 92,
    StreamsGroupTopologyDescriptionUpdate = 93,
    UnregisterController = 94,
}

impl ApiKey {
    /// The number on the wire.
    pub const fn key(self) -> i16 {
        self as i16
    }

    /// The first flexible version of the API, served or not; `i16::MAX` if none is.
    pub fn flexible_from(self) -> i16 {
        FLEXIBLE_FROM[self as usize]
    }

    /// This API's row in [`SUPPORTED`].
    pub fn supported(self) -> Option<&'static ApiVersionRange> {
        let index = SUPPORTED.binary_search_by_key(&self, |range| range.key).ok()?;
        Some(&SUPPORTED[index])
    }
}

impl From<ApiKey> for i16 {
    fn from(key: ApiKey) -> i16 {
        key.key()
    }
}

/// A number that is no API key of Kafka 4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownApiKey(pub i16);

impl TryFrom<i16> for ApiKey {
    type Error = UnknownApiKey;

    fn try_from(key: i16) -> Result<Self, UnknownApiKey> {
        let index = usize::try_from(key).map_err(|_| UnknownApiKey(key))?;
        Self::ALL.get(index).copied().ok_or(UnknownApiKey(key))
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The versions of an API that are served, and those that ApiVersions claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersionRange {
    pub key: ApiKey,
    /// The first version served.
    pub min: i16,
    /// The last version served.
    pub max: i16,
    /// The first version claimed; below `min` only where old clients misread the truth.
    pub advertised_min: i16,
    pub flexible_from: i16,
}

impl ApiVersionRange {
    pub fn contains(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// What the broker serves: the ranges of Apache Kafka 4.4, ascending by key.
///
/// Produce claims 0 while 0-2 are refused: below 2.11 librdkafka takes a higher minimum for a broker without
/// compression and sends uncompressed (KAFKA-18659). InitProducerId 6 is not in any release of Kafka.
pub const SUPPORTED: &[ApiVersionRange] = &[
    ApiVersionRange { advertised_min: 0, ..range(ApiKey::Produce, 3, 13, 9) },
    range(ApiKey::Fetch, 4, 18, 12),
    range(ApiKey::ListOffsets, 1, 11, 6),
    range(ApiKey::Metadata, 0, 13, 9),
    range(ApiKey::OffsetCommit, 2, 10, 8),
    range(ApiKey::OffsetFetch, 1, 10, 6),
    range(ApiKey::FindCoordinator, 0, 6, 3),
    range(ApiKey::JoinGroup, 0, 9, 6),
    range(ApiKey::Heartbeat, 0, 4, 4),
    range(ApiKey::LeaveGroup, 0, 5, 4),
    range(ApiKey::SyncGroup, 0, 5, 4),
    range(ApiKey::DescribeGroups, 0, 6, 5),
    range(ApiKey::ListGroups, 0, 5, 3),
    range(ApiKey::ApiVersions, 0, 5, 3),
    range(ApiKey::CreateTopics, 2, 7, 5),
    range(ApiKey::DeleteTopics, 1, 6, 4),
    range(ApiKey::DeleteRecords, 0, 2, 2),
    range(ApiKey::InitProducerId, 0, 5, 2),
    range(ApiKey::OffsetForLeaderEpoch, 2, 4, 4),
    range(ApiKey::DescribeConfigs, 1, 4, 4),
    range(ApiKey::AlterConfigs, 0, 2, 2),
    range(ApiKey::DescribeLogDirs, 1, 5, 2),
    range(ApiKey::CreatePartitions, 0, 3, 2),
    range(ApiKey::DeleteGroups, 0, 3, 2),
    range(ApiKey::IncrementalAlterConfigs, 0, 1, 1),
    range(ApiKey::OffsetDelete, 0, 0, NEVER),
    range(ApiKey::DescribeCluster, 0, 2, 0),
    range(ApiKey::DescribeProducers, 0, 0, 0),
    range(ApiKey::ConsumerGroupHeartbeat, 0, 1, 0),
    range(ApiKey::ConsumerGroupDescribe, 0, 1, 0),
    range(ApiKey::DescribeTopicPartitions, 0, 0, 0),
];

const fn range(key: ApiKey, min: i16, max: i16, flexible_from: i16) -> ApiVersionRange {
    ApiVersionRange { key, min, max, advertised_min: min, flexible_from }
}

const NEVER: i16 = i16::MAX;

/// By key. The messages' own declarations say the same (a test compares); a request's header is read before its message
/// is known.
#[rustfmt::skip]
const FLEXIBLE_FROM: [i16; ApiKey::ALL.len()] = [
    9, 12, 6, 9, NEVER, NEVER, NEVER, NEVER, 8, 6, // 0
    3, 6, 4, 4, 4, 5, 3, NEVER, 3, 5, // 10
    4, 2, 2, 4, 3, 3, 3, 1, 3, 2, // 20
    2, 2, 4, 2, 2, 2, 2, 2, 2, 2, // 30
    2, 2, 2, 2, 1, 0, 0, NEVER, 1, 1, // 40
    0, 0, 0, 1, 1, 0, 0, 0, 0, 0, // 50
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 60
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 70
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 80
    0, 0, 0, 0, 0, // 90
];

#[cfg(test)]
mod tests;
