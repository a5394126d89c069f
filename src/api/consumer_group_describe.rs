//! ConsumerGroupDescribe (key 69), versions 0-1: consumer groups with their members, and how far those are from their targets.
//!
//! v1 which protocol each member speaks (KIP-1099).

use protocol::error_code::ErrorCode;
use protocol::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup, Member,
    TopicPartitions,
};
use protocol::{Message, Piece, Reader, Uuid};

use super::cluster_view::{GROUP_OPERATIONS, OPERATIONS_NOT_ASKED};
use super::group_requests::{ask_all, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::consumer_group::{DescribedConsumer, DescribedConsumerGroup, InstanceId, NamedPartitions};
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply};

const NOT_FOUND: &str = "there is no consumer group of this id";
const CLASSIC_MEMBER: i8 = 0;
const CONSUMER_MEMBER: i8 = 1;

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = ConsumerGroupDescribeRequest::decode(reader, info.version) else {
        return Outcome::Close("a ConsumerGroupDescribe request that cannot be read");
    };
    let group_ids: Vec<String> = request.group_ids.iter().map(str::to_owned).collect();
    let operations =
        if request.include_authorized_operations { GROUP_OPERATIONS } else { OPERATIONS_NOT_ASKED };
    let named = group_ids.iter().filter(|group_id| !group_id.is_empty());
    let asks = named.map(|group_id| GroupAsk::DescribeConsumerGroup { group_id: group_id.clone() }).collect();
    ask_all(info, asks, move |_, info, replies| respond(info, &group_ids, operations, replies))
}

fn respond(info: RequestInfo, group_ids: &[String], operations: i32, replies: Vec<GroupReply>) -> Vec<Piece> {
    let mut replies = replies.into_iter();
    let described: Vec<Result<DescribedConsumerGroup, ErrorCode>> = group_ids
        .iter()
        .map(|group_id| {
            if group_id.is_empty() {
                return Err(ErrorCode::INVALID_GROUP_ID);
            }
            match replies.next().expect("every group with a name was asked") {
                Ok(GroupAnswer::ConsumerGroupDescribed(group)) => Ok(group),
                Ok(other) => mismatch(&other),
                Err(error) => Err(error),
            }
        })
        .collect();
    let rows = group_ids.iter().zip(&described).map(|(group_id, described)| match described {
        Ok(group) => group_row(group_id, operations, group),
        Err(error) => DescribedGroup {
            error_code: *error as i16,
            error_message: (*error == ErrorCode::GROUP_ID_NOT_FOUND).then_some(NOT_FOUND),
            group_id,
            ..Default::default()
        },
    });
    answer(info, &ConsumerGroupDescribeResponse { groups: rows.collect(), ..Default::default() })
}

fn group_row<'a>(
    group_id: &'a str,
    operations: i32,
    group: &'a DescribedConsumerGroup,
) -> DescribedGroup<'a> {
    DescribedGroup {
        group_id,
        group_state: group.state,
        group_epoch: group.group_epoch.0,
        assignment_epoch: group.assignment_epoch.0,
        assignor_name: group.assignor,
        members: group.members.iter().map(member_row).collect(),
        authorized_operations: operations,
        ..Default::default()
    }
}

fn member_row(member: &DescribedConsumer) -> Member<'_> {
    Member {
        member_id: member.member_id.as_str(),
        instance_id: member.instance_id.as_ref().map(InstanceId::as_str),
        rack_id: member.rack_id.as_deref(),
        member_epoch: member.member_epoch.0,
        client_id: &member.client_id,
        client_host: &member.client_host,
        subscribed_topic_names: member.subscribed_topic_names.iter().map(AsRef::as_ref).collect(),
        subscribed_topic_regex: Some(member.subscribed_topic_regex.as_deref().unwrap_or_default()),
        assignment: assignment_row(&member.assignment),
        target_assignment: assignment_row(&member.target),
        member_type: if member.is_classic { CLASSIC_MEMBER } else { CONSUMER_MEMBER },
    }
}

fn assignment_row(partitions: &NamedPartitions) -> Assignment<'_> {
    let rows = partitions.iter().map(|(topic_id, topic_name, partitions)| TopicPartitions {
        topic_id: Uuid(topic_id.0),
        topic_name,
        partitions: partitions.iter().map(|partition| partition.0).collect(),
    });
    Assignment { topic_partitions: rows.collect() }
}
