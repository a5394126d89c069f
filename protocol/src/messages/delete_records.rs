//! DeleteRecords (key 21), versions 0-2: advances the log start offset of partitions.

use crate::{Array, Message, Struct};

/// The request of DeleteRecords (key 21).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteRecordsRequest", api = 21, versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsRequest<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DeleteRecordsTopic<'a>>,
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteRecordsTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, DeleteRecordsPartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteRecordsPartition {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub offset: i64,
}

/// The response of DeleteRecords (key 21).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DeleteRecordsResponse", api = 21, versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DeleteRecordsTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteRecordsTopicResult<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, DeleteRecordsPartitionResult>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DeleteRecordsPartitionResult {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub low_watermark: i64,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
