//! One file per Kafka API: request bytes to a plan, results to answer bytes. Where partitions live is not known here.

pub mod alter_configs;
pub mod api_versions;
mod cluster_view;
mod config_changes;
mod config_rows;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
mod control_error;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod fetch_session;
pub mod find_coordinator;
mod group_requests;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod partition_questions;
pub mod produce;
pub mod sync_group;
#[cfg(test)]
mod tests;

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::fmt;

use bytes::BytesMut;
use protocol::api_key::{self, ApiKey};
use protocol::frame;
use protocol::{Message, Piece, Reader};

use self::fetch_session::FetchSessions;
pub use self::group_requests::GroupPlan;
use self::partition_questions::QuestionPlan;
use crate::config::Config;
use crate::model::control::{ControlAnswer, ControlRequest};
use crate::model::metadata_image::MetadataImage;
use crate::model::{LogDirStatus, Now, ShardId, TopicPartition};
use crate::shard_message::{AppendItem, AskItem, CoordinatorAsk, ReadItem};

/// What a handler may look at.
pub struct ApiContext<'a> {
    pub image: &'a MetadataImage,
    pub config: &'a Config,
    /// The number of the listener that the client came through: it decides which addresses it is told.
    pub listener: u16,
    /// Where the client is.
    pub peer: IpAddr,
    pub now: Now,
    pub shard_of: &'a dyn Fn(TopicPartition) -> ShardId,
    /// In the order of their numbers.
    pub log_dirs: &'a [LogDirStatus],
    /// Partitions whose disk failed or whose files are damaged.
    pub offline: &'a BTreeSet<TopicPartition>,
}

/// What is needed to address an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestInfo {
    pub key: ApiKey,
    pub version: i16,
    pub correlation_id: i32,
}

/// Turns the control plane's answer into the client's. Owns what it needs for that.
pub type ControlResponder = Box<dyn FnOnce(&ApiContext<'_>, ControlAnswer) -> Vec<Piece>>;

/// What a request asks of the shard.
pub enum Outcome {
    Answer(Vec<Piece>),
    /// The client speaks something that Kafka, too, answers by closing. The reason is for the counters and the debug log.
    Close(&'static str),
    Produce {
        plan: produce::ProducePlan,
        items: Vec<(ShardId, AppendItem)>,
    },
    Fetch {
        plan: fetch::FetchPlan,
        items: Vec<(ShardId, ReadItem)>,
    },
    Ask {
        plan: QuestionPlan,
        items: Vec<(ShardId, AskItem)>,
    },
    /// Each goes to the coordinator of its group, or to all.
    Coordinate {
        plan: GroupPlan,
        asks: Vec<CoordinatorAsk>,
    },
    Control {
        ask: ControlRequest,
        respond: ControlResponder,
    },
    ProducerId {
        info: RequestInfo,
    },
}

impl fmt::Debug for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Outcome::Answer(_) => "Answer",
            Outcome::Close(reason) => reason,
            Outcome::Produce { .. } => "Produce",
            Outcome::Fetch { .. } => "Fetch",
            Outcome::Ask { .. } => "Ask",
            Outcome::Coordinate { .. } => "Coordinate",
            Outcome::Control { .. } => "Control",
            Outcome::ProducerId { .. } => "ProducerId",
        })
    }
}

/// Reads the header and hands the body to its API.
///
/// Kafka closes the connection for a key or version that it does not serve; only ApiVersions is answered in any version.
pub fn dispatch(context: &ApiContext<'_>, sessions: &mut FetchSessions, frame: BytesMut) -> Outcome {
    let mut reader = Reader::new(&frame);
    let Ok(header) = frame::decode_request_header(&mut reader) else {
        return Outcome::Close("a request header that cannot be read");
    };
    let Ok(key) = ApiKey::try_from(header.api_key) else {
        return Outcome::Close("an API key that does not exist");
    };
    let info = RequestInfo { key, version: header.api_version, correlation_id: header.correlation_id };
    let Some(range) = api_key::SUPPORTED.iter().find(|range| range.key == key) else {
        return Outcome::Close("an API key that is not served");
    };
    if !(range.min..=range.max).contains(&info.version) {
        return match key {
            ApiKey::ApiVersions => api_versions::unsupported_version(info),
            _ => Outcome::Close("a version that is not served"),
        };
    }
    if key == ApiKey::Produce {
        let body_at = reader.position();
        return produce::handle(context, info, frame, body_at);
    }
    match key {
        ApiKey::Fetch => fetch::handle(context, sessions, info, &mut reader),
        ApiKey::ListOffsets => list_offsets::handle(context, info, &mut reader),
        ApiKey::Metadata => metadata::handle(context, info, &mut reader),
        ApiKey::OffsetCommit => offset_commit::handle(context, info, &mut reader),
        ApiKey::OffsetFetch => offset_fetch::handle(context, info, &mut reader),
        ApiKey::FindCoordinator => find_coordinator::handle(context, info, &mut reader),
        ApiKey::JoinGroup => join_group::handle(context, info, header.client_id, &mut reader),
        ApiKey::Heartbeat => heartbeat::handle(context, info, &mut reader),
        ApiKey::LeaveGroup => leave_group::handle(context, info, &mut reader),
        ApiKey::SyncGroup => sync_group::handle(context, info, &mut reader),
        ApiKey::DescribeGroups => describe_groups::handle(context, info, &mut reader),
        ApiKey::ListGroups => list_groups::handle(context, info, &mut reader),
        ApiKey::ApiVersions => api_versions::handle(context, info, &mut reader),
        ApiKey::CreateTopics => create_topics::handle(context, info, &mut reader),
        ApiKey::DeleteTopics => delete_topics::handle(context, info, &mut reader),
        ApiKey::DeleteRecords => delete_records::handle(context, info, &mut reader),
        ApiKey::InitProducerId => init_producer_id::handle(context, info, &mut reader),
        ApiKey::OffsetForLeaderEpoch => offset_for_leader_epoch::handle(context, info, &mut reader),
        ApiKey::DescribeConfigs => describe_configs::handle(context, info, &mut reader),
        ApiKey::AlterConfigs => alter_configs::handle(context, info, &mut reader),
        ApiKey::CreatePartitions => create_partitions::handle(context, info, &mut reader),
        ApiKey::DeleteGroups => delete_groups::handle(context, info, &mut reader),
        ApiKey::IncrementalAlterConfigs => incremental_alter_configs::handle(context, info, &mut reader),
        ApiKey::OffsetDelete => offset_delete::handle(context, info, &mut reader),
        ApiKey::DescribeCluster => describe_cluster::handle(context, info, &mut reader),
        ApiKey::DescribeLogDirs => describe_log_dirs::handle(context, info, &mut reader),
        ApiKey::DescribeProducers => describe_producers::handle(context, info, &mut reader),
        ApiKey::ConsumerGroupHeartbeat => {
            consumer_group_heartbeat::handle(context, info, header.client_id, &mut reader)
        }
        ApiKey::ConsumerGroupDescribe => consumer_group_describe::handle(context, info, &mut reader),
        ApiKey::DescribeTopicPartitions => describe_topic_partitions::handle(context, info, &mut reader),
        _ => Outcome::Close("an API key that is not served"),
    }
}

/// Encodes an answer with its frame and header.
#[must_use]
pub fn answer<'a>(info: RequestInfo, message: &impl Message<'a>) -> Vec<Piece> {
    frame::encode_response(info.correlation_id, info.key, info.version, message)
        .expect("a response holds only what its version can carry, and fewer bytes than a frame may")
}
