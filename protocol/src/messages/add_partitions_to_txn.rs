//! AddPartitionsToTxn (key 24), versions 0-5: adds partitions to a transaction, or verifies that they are in
//! it.

use crate::{Array, Message, Struct};

/// The request of AddPartitionsToTxn (key 24).
///
/// - v3: flexible (KIP-482).
/// - v4: adds `transactions`; drops `v3_and_below_transactional_id`, `v3_and_below_producer_id`,
///   `v3_and_below_producer_epoch`, `v3_and_below_topics`, `name`, `partitions`.
/// - v5: behaviour only (KIP-890).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AddPartitionsToTxnRequest", api = 24, versions = "0-5", flexible = "3+")]
pub struct AddPartitionsToTxnRequest<'a> {
    #[kafka(versions = "4+")]
    pub transactions: Array<'a, AddPartitionsToTxnTransaction<'a>>,
    #[kafka(versions = "0-3")]
    pub v3_and_below_transactional_id: &'a str,
    #[kafka(versions = "0-3")]
    pub v3_and_below_producer_id: i64,
    #[kafka(versions = "0-3")]
    pub v3_and_below_producer_epoch: i16,
    #[kafka(versions = "0-3")]
    pub v3_and_below_topics: Array<'a, AddPartitionsToTxnTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AddPartitionsToTxnTransaction<'a> {
    #[kafka(versions = "4+")]
    pub transactional_id: &'a str,
    #[kafka(versions = "4+")]
    pub producer_id: i64,
    #[kafka(versions = "4+")]
    pub producer_epoch: i16,
    #[kafka(versions = "4+")]
    pub verify_only: bool,
    #[kafka(versions = "4+")]
    pub topics: Array<'a, AddPartitionsToTxnTopic<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AddPartitionsToTxnTopic<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}

/// The response of AddPartitionsToTxn (key 24).
///
/// - v3: flexible (KIP-482).
/// - v4: adds `error_code`, `results_by_transaction`; drops `results_by_topic_v3_and_below`, `name`,
///   `results_by_partition`, `partition_index`, `partition_error_code`.
/// - v5: behaviour only (KIP-890).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "AddPartitionsToTxnResponse", api = 24, versions = "0-5", flexible = "3+")]
pub struct AddPartitionsToTxnResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "4+", ignorable)]
    pub error_code: i16,
    #[kafka(versions = "4+")]
    pub results_by_transaction: Array<'a, AddPartitionsToTxnResult<'a>>,
    #[kafka(versions = "0-3")]
    pub results_by_topic_v3_and_below: Array<'a, AddPartitionsToTxnTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AddPartitionsToTxnResult<'a> {
    #[kafka(versions = "4+")]
    pub transactional_id: &'a str,
    #[kafka(versions = "4+")]
    pub topic_results: Array<'a, AddPartitionsToTxnTopicResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AddPartitionsToTxnTopicResult<'a> {
    #[kafka(versions = "0+")]
    pub name: &'a str,
    #[kafka(versions = "0+")]
    pub results_by_partition: Array<'a, AddPartitionsToTxnPartitionResult>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct AddPartitionsToTxnPartitionResult {
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    #[kafka(versions = "0+")]
    pub partition_error_code: i16,
}
