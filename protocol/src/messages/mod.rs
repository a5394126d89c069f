//! Every message, one file per API.
//!
//! A file declares a request, its response and the structs in them, each field beside its Kafka schema; the codec is
//! derived. Nothing here decides how a type is encoded (`wire`) or which versions a broker advertises (`api_key`).

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod add_raft_voter;
pub mod allocate_producer_ids;
pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod alter_share_group_offsets;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod assign_replicas_to_dirs;
pub mod begin_quorum_epoch;
pub mod broker_heartbeat;
pub mod broker_registration;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod consumer_protocol;
pub mod control_record;
pub mod controller_registration;
pub mod create_acls;
pub mod create_delegation_token;
pub mod create_partitions;
pub mod create_topics;
pub mod data;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_share_group_offsets;
pub mod delete_share_group_state;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_delegation_token;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_share_group_offsets;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod end_quorum_epoch;
pub mod end_txn;
pub mod envelope;
pub mod expire_delegation_token;
pub mod fetch;
pub mod fetch_snapshot;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod group_record;
pub mod header;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod initialize_share_group_state;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod metadata_record;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod push_telemetry;
pub mod read_share_group_state;
pub mod read_share_group_state_summary;
pub mod remove_raft_voter;
pub mod renew_delegation_token;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod share_acknowledge;
pub mod share_fetch;
pub mod share_group_describe;
pub mod share_group_heartbeat;
pub mod streams_group_describe;
pub mod streams_group_heartbeat;
pub mod streams_group_topology_description_update;
pub mod sync_group;
pub mod txn_offset_commit;
pub mod unregister_broker;
pub mod unregister_controller;
pub mod update_features;
pub mod update_raft_voter;
pub mod vote;
pub mod write_share_group_state;
pub mod write_txn_markers;

use crate::Message;
use crate::schema::MessageSchema;

/// Calls a macro with `module::Message` of every message, separated by commas.
///
/// For tables over all messages: tests, fuzzing, documents.
#[macro_export]
macro_rules! for_each_message {
    ($callback:ident) => {
        $callback! {
            produce::ProduceRequest,
            produce::ProduceResponse,
            fetch::FetchRequest,
            fetch::FetchResponse,
            list_offsets::ListOffsetsRequest,
            list_offsets::ListOffsetsResponse,
            metadata::MetadataRequest,
            metadata::MetadataResponse,
            offset_commit::OffsetCommitRequest,
            offset_commit::OffsetCommitResponse,
            offset_fetch::OffsetFetchRequest,
            offset_fetch::OffsetFetchResponse,
            find_coordinator::FindCoordinatorRequest,
            find_coordinator::FindCoordinatorResponse,
            join_group::JoinGroupRequest,
            join_group::JoinGroupResponse,
            heartbeat::HeartbeatRequest,
            heartbeat::HeartbeatResponse,
            leave_group::LeaveGroupRequest,
            leave_group::LeaveGroupResponse,
            sync_group::SyncGroupRequest,
            sync_group::SyncGroupResponse,
            describe_groups::DescribeGroupsRequest,
            describe_groups::DescribeGroupsResponse,
            list_groups::ListGroupsRequest,
            list_groups::ListGroupsResponse,
            sasl_handshake::SaslHandshakeRequest,
            sasl_handshake::SaslHandshakeResponse,
            api_versions::ApiVersionsRequest,
            api_versions::ApiVersionsResponse,
            create_topics::CreateTopicsRequest,
            create_topics::CreateTopicsResponse,
            delete_topics::DeleteTopicsRequest,
            delete_topics::DeleteTopicsResponse,
            delete_records::DeleteRecordsRequest,
            delete_records::DeleteRecordsResponse,
            init_producer_id::InitProducerIdRequest,
            init_producer_id::InitProducerIdResponse,
            offset_for_leader_epoch::OffsetForLeaderEpochRequest,
            offset_for_leader_epoch::OffsetForLeaderEpochResponse,
            add_partitions_to_txn::AddPartitionsToTxnRequest,
            add_partitions_to_txn::AddPartitionsToTxnResponse,
            add_offsets_to_txn::AddOffsetsToTxnRequest,
            add_offsets_to_txn::AddOffsetsToTxnResponse,
            end_txn::EndTxnRequest,
            end_txn::EndTxnResponse,
            write_txn_markers::WriteTxnMarkersRequest,
            write_txn_markers::WriteTxnMarkersResponse,
            txn_offset_commit::TxnOffsetCommitRequest,
            txn_offset_commit::TxnOffsetCommitResponse,
            describe_acls::DescribeAclsRequest,
            describe_acls::DescribeAclsResponse,
            create_acls::CreateAclsRequest,
            create_acls::CreateAclsResponse,
            delete_acls::DeleteAclsRequest,
            delete_acls::DeleteAclsResponse,
            describe_configs::DescribeConfigsRequest,
            describe_configs::DescribeConfigsResponse,
            alter_configs::AlterConfigsRequest,
            alter_configs::AlterConfigsResponse,
            alter_replica_log_dirs::AlterReplicaLogDirsRequest,
            alter_replica_log_dirs::AlterReplicaLogDirsResponse,
            describe_log_dirs::DescribeLogDirsRequest,
            describe_log_dirs::DescribeLogDirsResponse,
            sasl_authenticate::SaslAuthenticateRequest,
            sasl_authenticate::SaslAuthenticateResponse,
            create_partitions::CreatePartitionsRequest,
            create_partitions::CreatePartitionsResponse,
            create_delegation_token::CreateDelegationTokenRequest,
            create_delegation_token::CreateDelegationTokenResponse,
            renew_delegation_token::RenewDelegationTokenRequest,
            renew_delegation_token::RenewDelegationTokenResponse,
            expire_delegation_token::ExpireDelegationTokenRequest,
            expire_delegation_token::ExpireDelegationTokenResponse,
            describe_delegation_token::DescribeDelegationTokenRequest,
            describe_delegation_token::DescribeDelegationTokenResponse,
            delete_groups::DeleteGroupsRequest,
            delete_groups::DeleteGroupsResponse,
            elect_leaders::ElectLeadersRequest,
            elect_leaders::ElectLeadersResponse,
            incremental_alter_configs::IncrementalAlterConfigsRequest,
            incremental_alter_configs::IncrementalAlterConfigsResponse,
            alter_partition_reassignments::AlterPartitionReassignmentsRequest,
            alter_partition_reassignments::AlterPartitionReassignmentsResponse,
            list_partition_reassignments::ListPartitionReassignmentsRequest,
            list_partition_reassignments::ListPartitionReassignmentsResponse,
            offset_delete::OffsetDeleteRequest,
            offset_delete::OffsetDeleteResponse,
            describe_client_quotas::DescribeClientQuotasRequest,
            describe_client_quotas::DescribeClientQuotasResponse,
            alter_client_quotas::AlterClientQuotasRequest,
            alter_client_quotas::AlterClientQuotasResponse,
            describe_user_scram_credentials::DescribeUserScramCredentialsRequest,
            describe_user_scram_credentials::DescribeUserScramCredentialsResponse,
            alter_user_scram_credentials::AlterUserScramCredentialsRequest,
            alter_user_scram_credentials::AlterUserScramCredentialsResponse,
            vote::VoteRequest,
            vote::VoteResponse,
            begin_quorum_epoch::BeginQuorumEpochRequest,
            begin_quorum_epoch::BeginQuorumEpochResponse,
            end_quorum_epoch::EndQuorumEpochRequest,
            end_quorum_epoch::EndQuorumEpochResponse,
            describe_quorum::DescribeQuorumRequest,
            describe_quorum::DescribeQuorumResponse,
            alter_partition::AlterPartitionRequest,
            alter_partition::AlterPartitionResponse,
            update_features::UpdateFeaturesRequest,
            update_features::UpdateFeaturesResponse,
            envelope::EnvelopeRequest,
            envelope::EnvelopeResponse,
            fetch_snapshot::FetchSnapshotRequest,
            fetch_snapshot::FetchSnapshotResponse,
            describe_cluster::DescribeClusterRequest,
            describe_cluster::DescribeClusterResponse,
            describe_producers::DescribeProducersRequest,
            describe_producers::DescribeProducersResponse,
            broker_registration::BrokerRegistrationRequest,
            broker_registration::BrokerRegistrationResponse,
            broker_heartbeat::BrokerHeartbeatRequest,
            broker_heartbeat::BrokerHeartbeatResponse,
            unregister_broker::UnregisterBrokerRequest,
            unregister_broker::UnregisterBrokerResponse,
            describe_transactions::DescribeTransactionsRequest,
            describe_transactions::DescribeTransactionsResponse,
            list_transactions::ListTransactionsRequest,
            list_transactions::ListTransactionsResponse,
            allocate_producer_ids::AllocateProducerIdsRequest,
            allocate_producer_ids::AllocateProducerIdsResponse,
            consumer_group_heartbeat::ConsumerGroupHeartbeatRequest,
            consumer_group_heartbeat::ConsumerGroupHeartbeatResponse,
            consumer_group_describe::ConsumerGroupDescribeRequest,
            consumer_group_describe::ConsumerGroupDescribeResponse,
            controller_registration::ControllerRegistrationRequest,
            controller_registration::ControllerRegistrationResponse,
            get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest,
            get_telemetry_subscriptions::GetTelemetrySubscriptionsResponse,
            push_telemetry::PushTelemetryRequest,
            push_telemetry::PushTelemetryResponse,
            assign_replicas_to_dirs::AssignReplicasToDirsRequest,
            assign_replicas_to_dirs::AssignReplicasToDirsResponse,
            list_config_resources::ListConfigResourcesRequest,
            list_config_resources::ListConfigResourcesResponse,
            describe_topic_partitions::DescribeTopicPartitionsRequest,
            describe_topic_partitions::DescribeTopicPartitionsResponse,
            share_group_heartbeat::ShareGroupHeartbeatRequest,
            share_group_heartbeat::ShareGroupHeartbeatResponse,
            share_group_describe::ShareGroupDescribeRequest,
            share_group_describe::ShareGroupDescribeResponse,
            share_fetch::ShareFetchRequest,
            share_fetch::ShareFetchResponse,
            share_acknowledge::ShareAcknowledgeRequest,
            share_acknowledge::ShareAcknowledgeResponse,
            add_raft_voter::AddRaftVoterRequest,
            add_raft_voter::AddRaftVoterResponse,
            remove_raft_voter::RemoveRaftVoterRequest,
            remove_raft_voter::RemoveRaftVoterResponse,
            update_raft_voter::UpdateRaftVoterRequest,
            update_raft_voter::UpdateRaftVoterResponse,
            initialize_share_group_state::InitializeShareGroupStateRequest,
            initialize_share_group_state::InitializeShareGroupStateResponse,
            read_share_group_state::ReadShareGroupStateRequest,
            read_share_group_state::ReadShareGroupStateResponse,
            write_share_group_state::WriteShareGroupStateRequest,
            write_share_group_state::WriteShareGroupStateResponse,
            delete_share_group_state::DeleteShareGroupStateRequest,
            delete_share_group_state::DeleteShareGroupStateResponse,
            read_share_group_state_summary::ReadShareGroupStateSummaryRequest,
            read_share_group_state_summary::ReadShareGroupStateSummaryResponse,
            streams_group_heartbeat::StreamsGroupHeartbeatRequest,
            streams_group_heartbeat::StreamsGroupHeartbeatResponse,
            streams_group_describe::StreamsGroupDescribeRequest,
            streams_group_describe::StreamsGroupDescribeResponse,
            describe_share_group_offsets::DescribeShareGroupOffsetsRequest,
            describe_share_group_offsets::DescribeShareGroupOffsetsResponse,
            alter_share_group_offsets::AlterShareGroupOffsetsRequest,
            alter_share_group_offsets::AlterShareGroupOffsetsResponse,
            delete_share_group_offsets::DeleteShareGroupOffsetsRequest,
            delete_share_group_offsets::DeleteShareGroupOffsetsResponse,
            streams_group_topology_description_update::StreamsGroupTopologyDescriptionUpdateRequest,
            streams_group_topology_description_update::StreamsGroupTopologyDescriptionUpdateResponse,
            unregister_controller::UnregisterControllerRequest,
            unregister_controller::UnregisterControllerResponse,
            header::RequestHeader,
            header::ResponseHeader,
            control_record::LeaderChangeMessage,
            control_record::SnapshotHeaderRecord,
            control_record::SnapshotFooterRecord,
            control_record::KRaftVersionRecord,
            control_record::VotersRecord,
            control_record::EndTxnMarker,
            control_record::ControlRecordTypeSchema,
            consumer_protocol::ConsumerProtocolSubscription,
            consumer_protocol::ConsumerProtocolAssignment,
            data::AbortedTxn,
            data::DefaultPrincipalData,
            metadata_record::RegisterBrokerRecord,
            metadata_record::UnregisterBrokerRecord,
            metadata_record::TopicRecord,
            metadata_record::PartitionRecord,
            metadata_record::ConfigRecord,
            metadata_record::PartitionChangeRecord,
            metadata_record::FenceBrokerRecord,
            metadata_record::UnfenceBrokerRecord,
            metadata_record::RemoveTopicRecord,
            metadata_record::DelegationTokenRecord,
            metadata_record::UserScramCredentialRecord,
            metadata_record::FeatureLevelRecord,
            metadata_record::ClientQuotaRecord,
            metadata_record::ProducerIdsRecord,
            metadata_record::BrokerRegistrationChangeRecord,
            metadata_record::AccessControlEntryRecord,
            metadata_record::RemoveAccessControlEntryRecord,
            metadata_record::NoOpRecord,
            metadata_record::ZkMigrationStateRecord,
            metadata_record::RemoveUserScramCredentialRecord,
            metadata_record::BeginTransactionRecord,
            metadata_record::EndTransactionRecord,
            metadata_record::AbortTransactionRecord,
            metadata_record::RemoveDelegationTokenRecord,
            metadata_record::RegisterControllerRecord,
            metadata_record::ClearElrRecord,
            group_record::LegacyOffsetCommitKey,
            group_record::LegacyOffsetCommitValue,
            group_record::OffsetCommitKey,
            group_record::OffsetCommitValue,
            group_record::GroupMetadataKey,
            group_record::GroupMetadataValue,
            group_record::ConsumerGroupMetadataKey,
            group_record::ConsumerGroupMetadataValue,
            group_record::ConsumerGroupPartitionMetadataKey,
            group_record::ConsumerGroupPartitionMetadataValue,
            group_record::ConsumerGroupMemberMetadataKey,
            group_record::ConsumerGroupMemberMetadataValue,
            group_record::ConsumerGroupTargetAssignmentMetadataKey,
            group_record::ConsumerGroupTargetAssignmentMetadataValue,
            group_record::ConsumerGroupTargetAssignmentMemberKey,
            group_record::ConsumerGroupTargetAssignmentMemberValue,
            group_record::ConsumerGroupCurrentMemberAssignmentKey,
            group_record::ConsumerGroupCurrentMemberAssignmentValue,
            group_record::ConsumerGroupRegularExpressionKey,
            group_record::ConsumerGroupRegularExpressionValue,
        }
    };
}

macro_rules! schemas {
    ($($module:ident::$message:ident),* $(,)?) => {
        /// The schema of every message.
        pub static SCHEMAS: &[&MessageSchema] = &[$(<$module::$message as Message<'static>>::SCHEMA),*];
    };
}

for_each_message!(schemas);
