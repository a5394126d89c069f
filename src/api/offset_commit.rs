//! OffsetCommit (key 8), versions 2-10.
//!
//! Behaviour: answered when the offsets are durable. Partitions that are not there have their error at once; the others are committed
//! together. Negative offsets are taken as they are.
//!
//! v2-4 how long to keep them; v6 leader epochs (KIP-320); v7 static members (KIP-345); v8 flexible; v9 errors of consumer groups
//! (KIP-848); v10 topic ids instead of names (KIP-516).

use protocol::error_code::ErrorCode;
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::{Array, Message, Piece, Reader, Uuid};

use super::group_requests::{ask, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::group::{CommitAsk, CommitPartition, GroupAnswer, GroupAsk, GroupReply};
use crate::model::{GenerationId, LeaderEpoch, Offset, PartitionIndex, TopicId};

const MEMBER_EPOCHS_SINCE: i16 = 9;
const TOPIC_IDS_SINCE: i16 = 10;

/// One topic as the client named it; None: its partition is committed.
struct Asked {
    name: String,
    topic_id: TopicId,
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = OffsetCommitRequest::decode(reader, info.version) else {
        return Outcome::Close("an OffsetCommit request that cannot be read");
    };
    let (asked, partitions) = resolve(context, info, &request);
    if partitions.is_empty() {
        return Outcome::Answer(respond(info, &asked, Ok(Vec::new())));
    }
    let commit = CommitAsk {
        group_id: request.group_id.to_owned(),
        member_id: request.member_id.to_owned(),
        group_instance_id: request.group_instance_id.map(str::to_owned),
        generation_id: GenerationId(request.generation_id_or_member_epoch),
        knows_member_epochs: info.version >= MEMBER_EPOCHS_SINCE,
        retention_ms: u64::try_from(request.retention_time_ms).ok(),
        partitions,
    };
    ask(info, GroupAsk::CommitOffsets(commit), move |_, info, reply| respond(info, &asked, committed(reply)))
}

fn committed(reply: GroupReply) -> Result<Vec<ErrorCode>, ErrorCode> {
    match reply {
        Ok(GroupAnswer::OffsetsCommitted(errors)) => Ok(errors),
        Ok(other) => mismatch(&other),
        Err(error) => Err(error),
    }
}

/// Finds the topics; what cannot be committed has its error.
fn resolve(
    context: &ApiContext<'_>,
    info: RequestInfo,
    request: &OffsetCommitRequest<'_>,
) -> (Vec<Asked>, Vec<CommitPartition>) {
    let by_id = info.version >= TOPIC_IDS_SINCE;
    let mut asked = Vec::with_capacity(request.topics.len());
    let mut commits = Vec::new();
    for topic in &request.topics {
        let image = if by_id {
            context.image.topic(TopicId(topic.topic_id.0))
        } else {
            context.image.topic_by_name(topic.name)
        };
        let missing = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let index = PartitionIndex(partition.partition_index);
            let found = image.ok_or(missing).and_then(|image| {
                image.partition(index).map(|_| image).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            });
            partitions.push((partition.partition_index, found.err()));
            commits.extend(found.ok().map(|image| CommitPartition {
                topic: image.name.to_string(),
                topic_id: image.topic_id,
                partition: partition.partition_index,
                offset: Offset(partition.committed_offset),
                leader_epoch: LeaderEpoch(partition.committed_leader_epoch),
                metadata: partition.committed_metadata.unwrap_or_default().to_owned(),
            }));
        }
        asked.push(Asked { name: topic.name.to_owned(), topic_id: TopicId(topic.topic_id.0), partitions });
    }
    (asked, commits)
}

fn respond(info: RequestInfo, asked: &[Asked], committed: Result<Vec<ErrorCode>, ErrorCode>) -> Vec<Piece> {
    let mut errors = committed.as_ref().map(|errors| errors.iter().copied());
    let mut next = || match &mut errors {
        Ok(errors) => errors.next().expect("each committed partition has an error, NONE included"),
        Err(error) => **error,
    };
    let topics: Vec<OffsetCommitResponseTopic<'_>> = asked
        .iter()
        .map(|topic| {
            let partitions = topic.partitions.iter().map(|(partition_index, error)| {
                let error = error.unwrap_or_else(&mut next);
                OffsetCommitResponsePartition { partition_index: *partition_index, error_code: error as i16 }
            });
            let partitions: Array<'_, OffsetCommitResponsePartition> = partitions.collect();
            OffsetCommitResponseTopic { name: &topic.name, topic_id: Uuid(topic.topic_id.0), partitions }
        })
        .collect();
    answer(info, &OffsetCommitResponse { topics: topics.into(), ..Default::default() })
}
