//! DescribeTransactions (key 65), versions 0: the state of transactional ids.

use crate::{Array, Message, Struct};

/// The request of DescribeTransactions (key 65).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeTransactionsRequest", api = 65, versions = "0", flexible = "0+")]
pub struct DescribeTransactionsRequest<'a> {
    #[kafka(versions = "0+")]
    pub transactional_ids: Array<'a, &'a str>,
}

/// The response of DescribeTransactions (key 65).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "DescribeTransactionsResponse", api = 65, versions = "0", flexible = "0+")]
pub struct DescribeTransactionsResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub transaction_states: Array<'a, TransactionState<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TransactionState<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub transactional_id: &'a str,
    #[kafka(versions = "0+")]
    pub transaction_state: &'a str,
    #[kafka(versions = "0+")]
    pub transaction_timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub transaction_start_time_ms: i64,
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    #[kafka(versions = "0+")]
    pub topics: Array<'a, TopicData<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct TopicData<'a> {
    #[kafka(versions = "0+")]
    pub topic: &'a str,
    #[kafka(versions = "0+")]
    pub partitions: Array<'a, i32>,
}
