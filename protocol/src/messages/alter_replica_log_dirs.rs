//! AlterReplicaLogDirs (key 34), versions 1-2: moves replicas between the log dirs of a broker.

use crate::{Array, Message, Struct};

/// The request of AlterReplicaLogDirs (key 34).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterReplicaLogDirsRequest", api = 34, versions = "1-2", flexible = "2+")]
pub struct AlterReplicaLogDirsRequest<'a> {
    #[kafka(versions = "0+")]
    pub dirs: Array<'a, AlterReplicaLogDir<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterReplicaLogDir<'a> {
    #[kafka(versions = "0+")]
    pub path: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, AlterReplicaLogDirTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterReplicaLogDirTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

/// The response of AlterReplicaLogDirs (key 34).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AlterReplicaLogDirsResponse", api = 34, versions = "1-2", flexible = "2+")]
pub struct AlterReplicaLogDirsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub results: Array<'a, AlterReplicaLogDirTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterReplicaLogDirTopicResult<'a> {
    #[kafka(versions = "0+")]
    pub topic_name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, AlterReplicaLogDirPartitionResult>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AlterReplicaLogDirPartitionResult {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
