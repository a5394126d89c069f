//! A second opinion: the crate kafka-protocol reads and writes the same bytes.
//!
//! Random messages are made from our schemas; both codecs decode them, to the last byte, and encode them again.
//! kafka-protocol 0.18 is at Kafka 4.1, so only versions it has are compared; each message's own version range is
//! taken, because its table by API is wrong for OffsetCommit, OffsetFetch and InitProducerId. Newer versions are
//! compared with Kafka's definitions by `examples/schema_check.rs`.

mod support;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable, Message};
use support::{MESSAGES, Random, message};

const SEEDS: u64 = 12;

type Theirs = fn(Bytes, i16) -> Result<BytesMut, String>;

fn theirs<M: Decodable + Encodable>(mut bytes: Bytes, version: i16) -> Result<BytesMut, String> {
    let message = M::decode(&mut bytes, version).map_err(|error| format!("decode: {error}"))?;
    if bytes.has_remaining() {
        return Err(format!("{} bytes left over", bytes.remaining()));
    }
    let mut encoded = BytesMut::new();
    message.encode(&mut encoded, version).map_err(|error| format!("encode: {error}"))?;
    Ok(encoded)
}

macro_rules! judged {
    ($($message:ident),* $(,)?) => {
        const JUDGED: &[(&str, (i16, i16), Theirs)] = &[$((
            stringify!($message),
            (
                <kafka_protocol::messages::$message as Message>::VERSIONS.min,
                <kafka_protocol::messages::$message as Message>::VERSIONS.max,
            ),
            theirs::<kafka_protocol::messages::$message>,
        )),*];
    };
}

judged! {
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddRaftVoterRequest,
    AddRaftVoterResponse,
    AllocateProducerIdsRequest,
    AllocateProducerIdsResponse,
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    AlterConfigsRequest,
    AlterConfigsResponse,
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    AlterPartitionRequest,
    AlterPartitionResponse,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsResponse,
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    ApiVersionsRequest,
    ApiVersionsResponse,
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse,
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    ControllerRegistrationRequest,
    ControllerRegistrationResponse,
    CreateAclsRequest,
    CreateAclsResponse,
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreateTopicsRequest,
    CreateTopicsResponse,
    DefaultPrincipalData,
    DeleteAclsRequest,
    DeleteAclsResponse,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse,
    DeleteShareGroupStateRequest,
    DeleteShareGroupStateResponse,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DescribeAclsRequest,
    DescribeAclsResponse,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    DescribeClusterRequest,
    DescribeClusterResponse,
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeProducersRequest,
    DescribeProducersResponse,
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsResponse,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    ElectLeadersRequest,
    ElectLeadersResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    EndTxnMarker,
    EndTxnRequest,
    EndTxnResponse,
    EnvelopeRequest,
    EnvelopeResponse,
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    InitProducerIdRequest,
    InitProducerIdResponse,
    InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    KRaftVersionRecord,
    LeaderChangeMessage,
    LeaveGroupRequest,
    LeaveGroupResponse,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
    ListGroupsRequest,
    ListGroupsResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ListTransactionsRequest,
    ListTransactionsResponse,
    MetadataRequest,
    MetadataResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    ProduceRequest,
    ProduceResponse,
    PushTelemetryRequest,
    PushTelemetryResponse,
    ReadShareGroupStateRequest,
    ReadShareGroupStateResponse,
    ReadShareGroupStateSummaryRequest,
    ReadShareGroupStateSummaryResponse,
    RemoveRaftVoterRequest,
    RemoveRaftVoterResponse,
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
    RequestHeader,
    ResponseHeader,
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
    SaslHandshakeRequest,
    SaslHandshakeResponse,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareFetchRequest,
    ShareFetchResponse,
    ShareGroupDescribeRequest,
    ShareGroupDescribeResponse,
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    SyncGroupRequest,
    SyncGroupResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
    UpdateRaftVoterRequest,
    UpdateRaftVoterResponse,
    VoteRequest,
    VoteResponse,
    VotersRecord,
    WriteShareGroupStateRequest,
    WriteShareGroupStateResponse,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
}

/// Theirs takes the first field, named `version`, for the version to read the rest in.
const VERSION_FIRST: [&str; 2] = ["LeaderChangeMessage", "VotersRecord"];

#[test]
fn both_codecs_write_the_same_bytes() {
    let mut compared = 0;
    for (name, (first, last), theirs) in JUDGED {
        let ours = MESSAGES.iter().find(|(schema, _)| schema.name == *name);
        let (schema, recode) = ours.expect("we declare whatever is judged");
        let versions = schema.first_version.max(*first)..=schema.last_version.min(*last);
        assert!(!versions.is_empty(), "{name}");
        for version in versions {
            compared += 1;
            for seed in 0..SEEDS {
                let mut bytes = message(schema, version, &mut Random::new(seed + 100));
                if VERSION_FIRST.contains(name) {
                    bytes[..2].copy_from_slice(&version.to_be_bytes());
                }
                let expected = theirs(Bytes::from(bytes.clone()), version);
                let place = format!("{name} v{version} seed {seed}");
                assert_eq!(expected.as_deref(), Ok(&bytes[..]), "theirs: {place}");
                assert_eq!(recode(&bytes, version).as_deref(), Ok(&bytes[..]), "ours: {place}");
            }
        }
    }
    assert!(compared >= 400, "only {compared} versions compared");
}
