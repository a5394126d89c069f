//! DescribeLogDirs (key 35), versions 1-5: a broker's log dirs and the size of the replicas in them.

use crate::{Array, Message, Struct};

/// The request of DescribeLogDirs (key 35).
///
/// - v2: flexible (KIP-482).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeLogDirsRequest", api = 35, versions = "1-5", flexible = "2+")]
pub struct DescribeLogDirsRequest<'a> {
    #[kafka(versions = "0+", nullable = "0+")]
    pub topics: Option<Array<'a, DescribableLogDirTopic<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribableLogDirTopic<'a> {
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

/// The response of DescribeLogDirs (key 35).
///
/// - v2: flexible (KIP-482).
/// - v3: adds `error_code`.
/// - v4: adds `total_bytes`, `usable_bytes`.
/// - v5: adds `is_cordoned`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeLogDirsResponse", api = 35, versions = "1-5", flexible = "2+")]
pub struct DescribeLogDirsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "3+", ignorable)]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub results: Array<'a, DescribeLogDirsResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeLogDirsResult<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub log_dir: &'a str,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, DescribeLogDirsTopic<'a>>,
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub total_bytes: i64,
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub usable_bytes: i64,
    #[kafka(versions = "5+", ignorable)]
    pub is_cordoned: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeLogDirsTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, DescribeLogDirsPartition>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct DescribeLogDirsPartition {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub partition_size: i64,
    #[kafka(versions = "0+")]
    pub offset_lag: i64,
    #[kafka(versions = "0+")]
    pub is_future_key: bool,
}
