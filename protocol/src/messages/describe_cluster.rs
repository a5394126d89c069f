//! DescribeCluster (key 60), versions 0-2: the brokers or controllers of the cluster.

use crate::{Array, Message, Struct};

/// The request of DescribeCluster (key 60).
///
/// - v1: adds `endpoint_type` (KIP-919).
/// - v2: adds `include_fenced_brokers` (KIP-1073).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeClusterRequest", api = 60, versions = "0-2", flexible = "0+")]
pub struct DescribeClusterRequest {
    #[kafka(versions = "0+")]
    pub include_cluster_authorized_operations: bool,
    #[kafka(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    #[kafka(versions = "2+")]
    pub include_fenced_brokers: bool,
}

/// The response of DescribeCluster (key 60).
///
/// - v1: adds `endpoint_type`.
/// - v2: adds `is_fenced` (KIP-1073).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeClusterResponse", api = 60, versions = "0-2", flexible = "0+")]
pub struct DescribeClusterResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    #[kafka(versions = "0+")]
    pub cluster_id: &'a str,
    #[kafka(versions = "0+", default = -1)]
    pub controller_id: i32,
    #[kafka(versions = "0+")]
    pub brokers: Array<'a, DescribeClusterBroker<'a>>,
    #[kafka(versions = "0+", default = i32::MIN)]
    pub cluster_authorized_operations: i32,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeClusterBroker<'a> {
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    #[kafka(versions = "0+")]
    pub host: &'a str,
    #[kafka(versions = "0+")]
    pub port: i32,
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack: Option<&'a str>,
    #[kafka(versions = "2+")]
    pub is_fenced: bool,
}
