//! ConsumerGroupHeartbeat (key 68), versions 0-1.
//!
//! Behaviour: one request for all that a member of a consumer group does: join (epoch 0), stay, change what it subscribes to, give up and
//! get partitions, leave (-1), leave for a while (-2, static members). Answered when what it changed is durable.
//!
//! v0 the broker may choose the member id; v1 members choose it (KIP-1082), and may subscribe by regular expression.

use std::sync::Arc;

use protocol::error_code::ErrorCode;
use protocol::messages::consumer_group_heartbeat::{
    Assignment as AssignmentRow, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    ConsumerGroupHeartbeatResponseTopicPartitions,
};
use protocol::{Message, Piece, Reader, Uuid};

use super::group_requests::{ask, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::consumer_group::{
    ConsumerHeartbeatAnswer, ConsumerHeartbeatAsk, GroupEpoch, InstanceId, Refusal,
};
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply};
use crate::model::{Assignment, PartitionIndex, TopicId};

pub fn handle(
    context: &ApiContext<'_>,
    info: RequestInfo,
    client_id: Option<&str>,
    reader: &mut Reader<'_>,
) -> Outcome {
    let Ok(request) = ConsumerGroupHeartbeatRequest::decode(reader, info.version) else {
        return Outcome::Close("a ConsumerGroupHeartbeat request that cannot be read");
    };
    let heartbeat = heartbeat_ask(context, info, client_id, &request);
    // A group without a name has no coordinator that could refuse it.
    match heartbeat.validate(&context.config.groups.consumer) {
        Ok(()) => ask(info, GroupAsk::ConsumerHeartbeat(heartbeat), |_, info, reply| respond(info, reply)),
        Err(refusal) => Outcome::Answer(refuse(info, &refusal)),
    }
}

fn heartbeat_ask(
    context: &ApiContext<'_>,
    info: RequestInfo,
    client_id: Option<&str>,
    request: &ConsumerGroupHeartbeatRequest<'_>,
) -> ConsumerHeartbeatAsk {
    let partitions = request.topic_partitions.as_ref().map(|topics| {
        let topic = topics.iter().map(|topic| {
            let partitions: Vec<PartitionIndex> = topic.partitions.iter().map(PartitionIndex).collect();
            (TopicId(topic.topic_id.0), partitions)
        });
        topic.collect::<Assignment>()
    });
    ConsumerHeartbeatAsk {
        api_version: info.version,
        group_id: request.group_id.to_owned(),
        member_id: request.member_id.into(),
        member_epoch: GroupEpoch(request.member_epoch),
        instance_id: request.instance_id.map(InstanceId::from),
        rack_id: request.rack_id.map(Arc::from),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        subscribed_topic_names: request
            .subscribed_topic_names
            .as_ref()
            .map(|names| names.iter().map(Arc::from).collect()),
        subscribed_topic_regex: request.subscribed_topic_regex.map(Arc::from),
        server_assignor: request.server_assignor.map(Arc::from),
        topic_partitions: partitions,
        client_id: client_id.unwrap_or_default().into(),
        client_host: format!("/{}", context.peer).into(),
    }
}

fn respond(info: RequestInfo, reply: GroupReply) -> Vec<Piece> {
    match reply {
        Ok(GroupAnswer::ConsumerHeard(Ok(heard))) => heard_row(info, &heard),
        Ok(GroupAnswer::ConsumerHeard(Err(refusal))) => refuse(info, &refusal),
        Ok(other) => mismatch(&other),
        Err(error) => {
            let response = ConsumerGroupHeartbeatResponse { error_code: error as i16, ..Default::default() };
            answer(info, &response)
        }
    }
}

fn heard_row(info: RequestInfo, heard: &ConsumerHeartbeatAnswer) -> Vec<Piece> {
    let topic = |(topic_id, partitions): (TopicId, &[PartitionIndex])| {
        ConsumerGroupHeartbeatResponseTopicPartitions {
            topic_id: Uuid(topic_id.0),
            partitions: partitions.iter().map(|partition| partition.0).collect(),
        }
    };
    let assignment = heard
        .assignment
        .as_ref()
        .map(|assignment| AssignmentRow { topic_partitions: assignment.topics().map(topic).collect() });
    let response = ConsumerGroupHeartbeatResponse {
        error_code: ErrorCode::NONE as i16,
        member_id: Some(heard.member_id.as_str()),
        member_epoch: heard.member_epoch.0,
        heartbeat_interval_ms: i32::try_from(heard.heartbeat_interval_ms).unwrap_or(i32::MAX),
        assignment,
        ..Default::default()
    };
    answer(info, &response)
}

fn refuse(info: RequestInfo, refusal: &Refusal) -> Vec<Piece> {
    let response = ConsumerGroupHeartbeatResponse {
        error_code: refusal.error as i16,
        error_message: Some(&refusal.message),
        ..Default::default()
    };
    answer(info, &response)
}
