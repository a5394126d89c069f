//! DescribeProducers (key 61), versions 0: the producers with state in partitions.

use crate::{Array, Message, Struct};

/// The request of DescribeProducers (key 61).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeProducersRequest", api = 61, versions = "0", flexible = "0+")]
pub struct DescribeProducersRequest<'a> {
    #[kafka(versions = "0+")]
    pub topics: Array<'a, TopicRequest<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicRequest<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partition_indexes: Array<'a, i32>,
}

/// The response of DescribeProducers (key 61).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeProducersResponse", api = 61, versions = "0", flexible = "0+")]
pub struct DescribeProducersResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, TopicResponse<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicResponse<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, PartitionResponse<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct PartitionResponse<'a> {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0+")]
    pub active_producers: Array<'a, ProducerState>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ProducerState {
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub producer_epoch: i32,
    #[kafka(versions = "0+", default = -1)]
    pub last_sequence: i32,
    #[kafka(versions = "0+", default = -1)]
    pub last_timestamp: i64,
    #[kafka(versions = "0+")]
    pub coordinator_epoch: i32,
    #[kafka(versions = "0+", default = -1)]
    pub current_txn_start_offset: i64,
}
