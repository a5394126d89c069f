//! DescribeCluster (key 60), versions 0-2.
//!
//! Behaviour: the brokers under the addresses of the client's listener, the cluster's id, the controller. v1 the client says which
//! kind of endpoint it means (KIP-919); v2 fenced brokers (KIP-1073).
//!
//! Not here: controllers as endpoints of their own (MISMATCHED_ENDPOINT_TYPE), fenced brokers (there are none).

use protocol::error_code::ErrorCode;
use protocol::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use protocol::{Message, Reader};

use super::cluster_view::{self, BrokerAddress, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED};
use super::{ApiContext, Outcome, RequestInfo, answer};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DescribeClusterRequest::decode(reader, info.version) else {
        return Outcome::Close("a DescribeCluster request that cannot be read");
    };
    let (error, message) = match request.endpoint_type {
        BROKERS => (ErrorCode::NONE, None),
        CONTROLLERS => (ErrorCode::MISMATCHED_ENDPOINT_TYPE, Some("this endpoint is a broker's")),
        _ => {
            (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, Some("endpoint types are 1 (brokers) and 2 (controllers)"))
        }
    };
    if !error.is_none() {
        let response = DescribeClusterResponse {
            error_code: error as i16,
            error_message: message,
            ..Default::default()
        };
        return Outcome::Answer(answer(info, &response));
    }
    let response = DescribeClusterResponse {
        cluster_id: &context.image.cluster_id,
        controller_id: context.image.broker_id.0,
        brokers: cluster_view::brokers(context).map(row).collect(),
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            OPERATIONS_NOT_ASKED
        },
        ..Default::default()
    };
    Outcome::Answer(answer(info, &response))
}

fn row(broker: BrokerAddress<'_>) -> DescribeClusterBroker<'_> {
    let BrokerAddress { broker_id, host, port, rack } = broker;
    DescribeClusterBroker { broker_id, host, port, rack, is_fenced: false }
}
