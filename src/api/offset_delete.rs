//! OffsetDelete (key 47), version 0: committed offsets go, of topics that the group's members do not consume.

use protocol::error_code::ErrorCode;
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::{Message, Piece, Reader};

use super::group_requests::{ask, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::PartitionIndex;
use crate::model::group::{DeleteOffsetsAsk, GroupAnswer, GroupAsk, GroupReply};

/// One topic of the request; None: the group is asked about its partition.
struct Asked {
    name: String,
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = OffsetDeleteRequest::decode(reader, info.version) else {
        return Outcome::Close("an OffsetDelete request that cannot be read");
    };
    let mut asked = Vec::with_capacity(request.topics.len());
    let mut known = Vec::new();
    for topic in &request.topics {
        let image = context.image.topic_by_name(topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let exists = image.is_some_and(|image| image.partition(PartitionIndex(index)).is_some());
            partitions.push((index, (!exists).then_some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)));
            known.extend(exists.then(|| (topic.name.to_owned(), index)));
        }
        asked.push(Asked { name: topic.name.to_owned(), partitions });
    }
    if known.is_empty() {
        return Outcome::Answer(respond(info, &asked, Ok(GroupAnswer::OffsetsDeleted(Vec::new()))));
    }
    let delete = DeleteOffsetsAsk { group_id: request.group_id.to_owned(), partitions: known };
    ask(info, GroupAsk::DeleteOffsets(delete), move |_, info, reply| respond(info, &asked, reply))
}

fn respond(info: RequestInfo, asked: &[Asked], reply: GroupReply) -> Vec<Piece> {
    let errors = match reply {
        Ok(GroupAnswer::OffsetsDeleted(errors)) => errors,
        Ok(other) => mismatch(&other),
        Err(error) => {
            return answer(info, &OffsetDeleteResponse { error_code: error as i16, ..Default::default() });
        }
    };
    let mut errors = errors.into_iter();
    let mut topics = Vec::with_capacity(asked.len());
    for topic in asked {
        let partitions = topic.partitions.iter().map(|(partition_index, error)| {
            let error = error.or_else(|| errors.next()).expect("the group told of each of its partitions");
            OffsetDeleteResponsePartition { partition_index: *partition_index, error_code: error as i16 }
        });
        topics.push(OffsetDeleteResponseTopic { name: &topic.name, partitions: partitions.collect() });
    }
    answer(info, &OffsetDeleteResponse { topics: topics.into(), ..Default::default() })
}
