//! OffsetFetch (key 9), versions 1-10.
//!
//! Behaviour: what is committed, -1 where nothing is; a group that is not there has nothing committed. Topics need not exist.
//!
//! v2 null topics are all, an error of the whole (before: of each partition); v5 leader epochs (KIP-320); v6 flexible; v7 whoever wants
//! stable offsets must wait for transactions (KIP-447), of which there are none yet; v8 several groups, each with its error (KIP-709);
//! v9 members of consumer groups are checked (KIP-848); v10 topic ids instead of names (KIP-516).

use protocol::error_code::ErrorCode;
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol::{Message, Piece, Reader, Uuid};

use super::group_requests::{ask_all, mismatch};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::TopicId;
use crate::model::group::{
    FetchAsk, FetchTopic, FetchedOffset, FetchedTopic, GroupAnswer, GroupAsk, GroupReply,
};

const ERROR_OF_ALL_SINCE: i16 = 2;
const SEVERAL_GROUPS_SINCE: i16 = 8;
const TOPIC_IDS_SINCE: i16 = 10;

/// One group of the request.
struct Asked {
    group_id: String,
    /// None: all that it has.
    topics: Option<Vec<AskedTopic>>,
}

struct AskedTopic {
    name: String,
    topic_id: TopicId,
    partitions: Vec<i32>,
    /// Asked for by an id that no topic has.
    is_unknown: bool,
}

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = OffsetFetchRequest::decode(reader, info.version) else {
        return Outcome::Close("an OffsetFetch request that cannot be read");
    };
    let mut asked = Vec::new();
    let mut asks = Vec::new();
    let mut add = |group_id: &str, member: (Option<&str>, i32), topics: Option<Vec<AskedTopic>>| {
        let known = topics.as_ref().map(|topics| {
            let known = topics.iter().filter(|topic| !topic.is_unknown);
            known.map(AskedTopic::to_ask).collect::<Vec<FetchTopic>>()
        });
        asks.push(GroupAsk::FetchOffsets(FetchAsk {
            group_id: group_id.to_owned(),
            member_id: member.0.map(str::to_owned),
            member_epoch: member.1,
            require_stable: request.require_stable,
            topics: known,
        }));
        asked.push(Asked { group_id: group_id.to_owned(), topics });
    };
    if info.version < SEVERAL_GROUPS_SINCE {
        let topics = request.topics.as_ref().map(|topics| {
            let of = |topic: protocol::messages::offset_fetch::OffsetFetchRequestTopic<'_>| {
                by_name(context, topic.name, topic.partition_indexes.iter().collect())
            };
            topics.iter().map(of).collect()
        });
        add(request.group_id, (None, -1), topics);
    } else {
        for group in &request.groups {
            let topics = group.topics.as_ref().map(|topics| {
                let of = |topic: protocol::messages::offset_fetch::OffsetFetchRequestTopics<'_>| {
                    let partitions = topic.partition_indexes.iter().collect();
                    if info.version >= TOPIC_IDS_SINCE {
                        by_id(context, TopicId(topic.topic_id.0), partitions)
                    } else {
                        by_name(context, topic.name, partitions)
                    }
                };
                topics.iter().map(of).collect()
            });
            add(group.group_id, (group.member_id, group.member_epoch), topics);
        }
    }
    ask_all(info, asks, move |context, info, replies| respond(context, info, &asked, replies))
}

fn by_name(context: &ApiContext<'_>, name: &str, partitions: Vec<i32>) -> AskedTopic {
    let topic_id = context.image.topic_by_name(name).map_or(TopicId::ZERO, |image| image.topic_id);
    AskedTopic { name: name.to_owned(), topic_id, partitions, is_unknown: false }
}

fn by_id(context: &ApiContext<'_>, topic_id: TopicId, partitions: Vec<i32>) -> AskedTopic {
    let image = context.image.topic(topic_id);
    let name = image.map_or_else(String::new, |image| image.name.to_string());
    AskedTopic { name, topic_id, partitions, is_unknown: image.is_none() }
}

impl AskedTopic {
    fn to_ask(&self) -> FetchTopic {
        let AskedTopic { name, topic_id, partitions, .. } = self;
        FetchTopic { name: name.clone(), topic_id: *topic_id, partitions: partitions.clone() }
    }

    fn failed(&self, error: ErrorCode) -> FetchedTopic {
        let partitions = self.partitions.iter().map(|partition| FetchedOffset::none(*partition, error));
        FetchedTopic { name: self.name.clone(), partitions: partitions.collect() }
    }
}

/// What is told of one group, with the id of each topic.
struct Fetched<'a> {
    group_id: &'a str,
    error: ErrorCode,
    topics: Vec<(TopicId, FetchedTopic)>,
}

impl Asked {
    fn fetched(&self, context: &ApiContext<'_>, info: RequestInfo, reply: GroupReply) -> Fetched<'_> {
        let fetched = match reply {
            Ok(GroupAnswer::OffsetsFetched(fetched)) => fetched,
            Ok(other) => mismatch(&other),
            Err(error) => return self.failed(info, error),
        };
        let mut fetched = fetched.into_iter();
        let topics = match &self.topics {
            None => {
                let by_id = info.version >= TOPIC_IDS_SINCE;
                let named = fetched.map(|topic| (topic_id(context, &topic.name), topic));
                // Whoever speaks of ids cannot be told of a topic that has none any more.
                named.filter(|(id, _)| !by_id || *id != TopicId::ZERO).collect()
            }
            Some(topics) => {
                let of = |topic: &AskedTopic| {
                    let answered = if topic.is_unknown {
                        topic.failed(ErrorCode::UNKNOWN_TOPIC_ID)
                    } else {
                        fetched.next().expect("the group told of each topic that it was asked about")
                    };
                    (topic.topic_id, answered)
                };
                topics.iter().map(of).collect()
            }
        };
        Fetched { group_id: &self.group_id, error: ErrorCode::NONE, topics }
    }

    fn failed(&self, info: RequestInfo, error: ErrorCode) -> Fetched<'_> {
        let mut topics = Vec::new();
        if info.version < ERROR_OF_ALL_SINCE {
            topics.extend(self.topics.iter().flatten().map(|topic| (topic.topic_id, topic.failed(error))));
        }
        Fetched { group_id: &self.group_id, error, topics }
    }
}

fn topic_id(context: &ApiContext<'_>, name: &str) -> TopicId {
    context.image.topic_by_name(name).map_or(TopicId::ZERO, |image| image.topic_id)
}

fn respond(
    context: &ApiContext<'_>,
    info: RequestInfo,
    asked: &[Asked],
    replies: Vec<GroupReply>,
) -> Vec<Piece> {
    let groups = asked.iter().zip(replies).map(|(asked, reply)| asked.fetched(context, info, reply));
    let groups: Vec<Fetched<'_>> = groups.collect();
    if info.version >= SEVERAL_GROUPS_SINCE {
        let groups = groups.iter().map(group_row).collect();
        return answer(info, &OffsetFetchResponse { groups, ..Default::default() });
    }
    let group = groups.first().expect("these versions ask about one group");
    let topics = group.topics.iter().map(|(_, topic)| OffsetFetchResponseTopic {
        name: &topic.name,
        partitions: topic.partitions.iter().map(partition_row).collect(),
    });
    let (topics, error_code) = (topics.collect(), group.error as i16);
    answer(info, &OffsetFetchResponse { topics, error_code, ..Default::default() })
}

fn partition_row(fetched: &FetchedOffset) -> OffsetFetchResponsePartition<'_> {
    OffsetFetchResponsePartition {
        partition_index: fetched.partition,
        committed_offset: fetched.offset.0,
        committed_leader_epoch: fetched.leader_epoch.0,
        metadata: Some(&fetched.metadata),
        error_code: fetched.error as i16,
    }
}

fn group_row<'a>(group: &'a Fetched<'_>) -> OffsetFetchResponseGroup<'a> {
    let topics = group.topics.iter().map(|(topic_id, topic)| OffsetFetchResponseTopics {
        name: &topic.name,
        topic_id: Uuid(topic_id.0),
        partitions: topic
            .partitions
            .iter()
            .map(|fetched| OffsetFetchResponsePartitions {
                partition_index: fetched.partition,
                committed_offset: fetched.offset.0,
                committed_leader_epoch: fetched.leader_epoch.0,
                metadata: Some(&fetched.metadata),
                error_code: fetched.error as i16,
            })
            .collect(),
    });
    OffsetFetchResponseGroup {
        group_id: group.group_id,
        topics: topics.collect(),
        error_code: group.error as i16,
    }
}
