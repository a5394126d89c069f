//! AssignReplicasToDirs (key 73), versions 0: a broker tells the controller which log dir holds which
//! replica.

use crate::{Array, Message, Struct, Uuid};

/// The request of AssignReplicasToDirs (key 73).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AssignReplicasToDirsRequest", api = 73, versions = "0", flexible = "0+")]
pub struct AssignReplicasToDirsRequest<'a> {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+", default = -1)]
    pub broker_epoch: i64,
    #[kafka(versions = "0+")]
    pub directories: Array<'a, AssignReplicasToDirsRequestDirectoryData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "DirectoryData")]
pub struct AssignReplicasToDirsRequestDirectoryData<'a> {
    #[kafka(versions = "0+")]
    pub id: Uuid,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, AssignReplicasToDirsRequestTopicData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct AssignReplicasToDirsRequestTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, AssignReplicasToDirsRequestPartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct AssignReplicasToDirsRequestPartitionData {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
}

/// The response of AssignReplicasToDirs (key 73).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AssignReplicasToDirsResponse", api = 73, versions = "0", flexible = "0+")]
pub struct AssignReplicasToDirsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub directories: Array<'a, AssignReplicasToDirsResponseDirectoryData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "DirectoryData")]
pub struct AssignReplicasToDirsResponseDirectoryData<'a> {
    #[kafka(versions = "0+")]
    pub id: Uuid,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, AssignReplicasToDirsResponseTopicData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct AssignReplicasToDirsResponseTopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, AssignReplicasToDirsResponsePartitionData>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct AssignReplicasToDirsResponsePartitionData {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
