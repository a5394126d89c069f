//! WriteTxnMarkers (key 27), versions 1-2: writes commit or abort markers into partitions.

use crate::{Array, Message, Struct};

/// The request of WriteTxnMarkers (key 27).
///
/// - v2: adds `transaction_version` (KIP-1228).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "WriteTxnMarkersRequest", api = 27, versions = "1-2", flexible = "1+")]
pub struct WriteTxnMarkersRequest<'a> {
    #[kafka(versions = "0+")]
    pub markers: Array<'a, WritableTxnMarker<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct WritableTxnMarker<'a> {
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    #[kafka(versions = "0+")]
    pub transaction_result: bool,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, WritableTxnMarkerTopic<'a>>,
    #[kafka(versions = "0+")]
    pub coordinator_epoch: i32,
    #[kafka(versions = "2+", ignorable)]
    pub transaction_version: i8,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct WritableTxnMarkerTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partition_indexes: Array<'a, i32>,
}

/// The response of WriteTxnMarkers (key 27).
///
/// - v2: behaviour only (KIP-1228).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "WriteTxnMarkersResponse", api = 27, versions = "1-2", flexible = "1+")]
pub struct WriteTxnMarkersResponse<'a> {
    #[kafka(versions = "0+")]
    pub markers: Array<'a, WritableTxnMarkerResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct WritableTxnMarkerResult<'a> {
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, WritableTxnMarkerTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct WritableTxnMarkerTopicResult<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, WritableTxnMarkerPartitionResult>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct WritableTxnMarkerPartitionResult {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
