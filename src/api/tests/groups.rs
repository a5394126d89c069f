//! Requests about groups: what is asked of coordinators, and what becomes of their replies in every version.

use bytes::Bytes;
use protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use protocol::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse,
};
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse,
};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};

use super::*;
use crate::model::group::*;
use crate::model::{GenerationId, LeaderEpoch, Offset};
use crate::shard_message::{CoordinatedItem, CoordinatorAnswer, CoordinatorAsk};

impl World {
    /// What coordinators are asked.
    fn asks<'q>(&self, key: ApiKey, version: i16, request: &impl Message<'q>) -> Vec<GroupAsk> {
        match self.begin(key, version, request) {
            Outcome::Coordinate { asks, .. } => {
                asks.into_iter().map(|CoordinatorAsk::Group(ask)| ask).collect()
            }
            other => panic!("{key} {version}: {other:?}"),
        }
    }

    /// The answer to a request whose asks get these replies.
    fn told<'q, R: Message<'static>>(
        &self,
        key: ApiKey,
        version: i16,
        request: &impl Message<'q>,
        replies: &[GroupReply],
    ) -> R {
        let pieces = match self.begin(key, version, request) {
            Outcome::Coordinate { mut plan, .. } => {
                let answers = (0_u32..).zip(replies).map(|(index, reply)| CoordinatedItem {
                    index,
                    answer: reply.clone().map(CoordinatorAnswer::Group),
                });
                // In no order.
                answers.collect::<Vec<_>>().into_iter().rev().for_each(|answer| plan.fill(vec![answer]));
                plan.respond(&self.context())
            }
            Outcome::Answer(pieces) => pieces,
            other => panic!("{key} {version}: {other:?}"),
        };
        decoded(key, version, &pieces)
    }
}

/// The answer in memory that outlives the test.
fn decoded<R: Message<'static>>(key: ApiKey, version: i16, pieces: &[Piece]) -> R {
    let frame: &'static [u8] = Vec::leak(bytes(pieces).to_vec());
    let mut reader = Reader::new(&frame[4..]);
    assert_eq!(frame::decode_response_header(&mut reader, key, version), Ok(CORRELATION_ID));
    let response = R::decode(&mut reader, version).expect("well-formed");
    assert_eq!(reader.remaining(), 0);
    response
}

fn versions(key: ApiKey) -> impl Iterator<Item = i16> {
    let range = key.supported().unwrap();
    range.min..=range.max
}

fn topic_id(world: &World, name: &str) -> Uuid {
    Uuid(world.image.topic_by_name(name).unwrap().topic_id.0)
}

#[test]
fn joins_are_asked_and_answered_in_every_version() {
    let world = World::new("");
    let protocols = vec![JoinGroupRequestProtocol { name: "range", metadata: b"m" }];
    for version in versions(ApiKey::JoinGroup) {
        let request = JoinGroupRequest {
            group_id: "g",
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: if version == 0 { -1 } else { 20_000 },
            protocol_type: "consumer",
            protocols: protocols.clone().into(),
            ..Default::default()
        };
        let GroupAsk::Join(ask) = world.asks(ApiKey::JoinGroup, version, &request).remove(0) else {
            panic!()
        };
        let timeouts = (ask.session_timeout_ms, ask.rebalance_timeout_ms);
        assert_eq!(timeouts, (10_000, if version == 0 { 10_000 } else { 20_000 }));
        assert_eq!((ask.must_know_member_id, ask.may_skip_assignment), (version >= 4, version >= 9));
        assert_eq!((ask.client.client_id.as_str(), ask.client.client_host.as_str()), ("test", "/127.0.0.1"));
        let member = JoinedMember {
            member_id: "m".to_owned(),
            group_instance_id: None,
            metadata: Bytes::from_static(b"m"),
        };
        let joined = JoinAnswer {
            error: ErrorCode::NONE,
            generation_id: GenerationId(3),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            leader: "m".to_owned(),
            skip_assignment: false,
            member_id: "m".to_owned(),
            members: vec![member],
        };
        let replies = [Ok(GroupAnswer::Join(joined))];
        let told: JoinGroupResponse<'_> = world.told(ApiKey::JoinGroup, version, &request, &replies);
        assert_eq!((told.generation_id, told.protocol_name, told.members.len()), (3, Some("range"), 1));
        let request = JoinGroupRequest { member_id: "m", ..request };
        let replies = [Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)];
        let told: JoinGroupResponse<'_> = world.told(ApiKey::JoinGroup, version, &request, &replies);
        let name = if version >= 7 { None } else { Some("") };
        assert_eq!(
            (told.error_code, told.generation_id, told.protocol_name, told.member_id),
            (14, -1, name, "m")
        );
    }
}

#[test]
fn joins_that_need_no_coordinator_to_be_refused() {
    let world = World::new("group.min.session.timeout.ms=6000\ngroup.max.session.timeout.ms=60000");
    for (group_id, session_timeout_ms, error) in [
        ("", 10_000, ErrorCode::INVALID_GROUP_ID),
        ("g", 5_999, ErrorCode::INVALID_SESSION_TIMEOUT),
        ("g", 60_001, ErrorCode::INVALID_SESSION_TIMEOUT),
        ("g", -1, ErrorCode::INVALID_SESSION_TIMEOUT),
    ] {
        let request = JoinGroupRequest { group_id, session_timeout_ms, ..Default::default() };
        let told: JoinGroupResponse<'_> = world.told(ApiKey::JoinGroup, 9, &request, &[]);
        assert_eq!(told.error_code, error as i16, "{group_id} {session_timeout_ms}");
    }
}

#[test]
fn members_sync_beat_and_leave_in_every_version() {
    let world = World::new("");
    for version in versions(ApiKey::SyncGroup) {
        let named = version >= 5;
        let request = SyncGroupRequest {
            group_id: "g",
            member_id: "m",
            protocol_type: named.then_some("consumer"),
            protocol_name: named.then_some("range"),
            assignments: vec![SyncGroupRequestAssignment { member_id: "m", assignment: b"a" }].into(),
            ..Default::default()
        };
        let answer = SyncAnswer {
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            assignment: Bytes::from_static(b"a"),
        };
        let replies = [Ok(GroupAnswer::Sync(answer))];
        let told: SyncGroupResponse<'_> = world.told(ApiKey::SyncGroup, version, &request, &replies);
        assert_eq!((told.error_code, told.assignment, told.protocol_name.is_some()), (0, &b"a"[..], named));
        let without = SyncGroupRequest { protocol_name: None, ..request };
        if named {
            let told: SyncGroupResponse<'_> = world.told(ApiKey::SyncGroup, version, &without, &[]);
            assert_eq!(told.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL as i16);
        }
    }
    for version in versions(ApiKey::Heartbeat) {
        let request = HeartbeatRequest { group_id: "g", member_id: "m", ..Default::default() };
        for (reply, error) in
            [(Ok(GroupAnswer::HeartbeatHeard), 0), (Err(ErrorCode::REBALANCE_IN_PROGRESS), 27)]
        {
            let told: HeartbeatResponse = world.told(ApiKey::Heartbeat, version, &request, &[reply]);
            assert_eq!(told.error_code, error);
        }
        let told: HeartbeatResponse =
            world.told(ApiKey::Heartbeat, version, &HeartbeatRequest::default(), &[]);
        assert_eq!(told.error_code, ErrorCode::INVALID_GROUP_ID as i16);
    }
    for version in versions(ApiKey::LeaveGroup) {
        let several = version >= 3;
        let identity = MemberIdentity { member_id: "m", ..Default::default() };
        let request = LeaveGroupRequest {
            group_id: "g",
            member_id: if several { "" } else { "m" },
            members: if several { vec![identity].into() } else { Array::empty() },
        };
        let replies = [Ok(GroupAnswer::Left(vec![ErrorCode::UNKNOWN_MEMBER_ID]))];
        let told: LeaveGroupResponse<'_> = world.told(ApiKey::LeaveGroup, version, &request, &replies);
        let of_members: Vec<i16> = told.members.iter().map(|member| member.error_code).collect();
        let expected = if several { (0, vec![25]) } else { (25, vec![]) };
        assert_eq!((told.error_code, of_members), expected);
    }
}

#[test]
fn commits_name_topics_or_ids_and_each_partition_has_its_error() {
    let world = World::with_topics(&[("t", 2)]);
    for version in versions(ApiKey::OffsetCommit) {
        let by_id = version >= 10;
        let partition = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 7,
            committed_metadata: None,
            ..Default::default()
        };
        let topic = |name, id, partitions: &[i32]| OffsetCommitRequestTopic {
            name: if by_id { "" } else { name },
            topic_id: if by_id { id } else { Uuid::ZERO },
            partitions: partitions.iter().map(|index| partition(*index)).collect(),
        };
        let topics =
            vec![topic("t", topic_id(&world, "t"), &[0, 2, 1]), topic("unknown", Uuid([9; 16]), &[0])];
        let request = OffsetCommitRequest { group_id: "g", topics: topics.into(), ..Default::default() };
        let GroupAsk::CommitOffsets(ask) = world.asks(ApiKey::OffsetCommit, version, &request).remove(0)
        else {
            panic!()
        };
        let committed: Vec<_> = ask.partitions.iter().map(|of| (of.topic.as_str(), of.partition)).collect();
        assert_eq!((committed, ask.knows_member_epochs), (vec![("t", 0), ("t", 1)], version >= 9));
        let unknown = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
        for (reply, of_known) in [
            (
                Ok(GroupAnswer::OffsetsCommitted(vec![
                    ErrorCode::NONE,
                    ErrorCode::OFFSET_METADATA_TOO_LARGE,
                ])),
                [0, 12],
            ),
            (Err(ErrorCode::ILLEGAL_GENERATION), [22, 22]),
        ] {
            let told: OffsetCommitResponse<'_> =
                world.told(ApiKey::OffsetCommit, version, &request, &[reply]);
            let errors: Vec<Vec<i16>> = told
                .topics
                .iter()
                .map(|topic| topic.partitions.iter().map(|partition| partition.error_code).collect())
                .collect();
            assert_eq!(errors, [vec![of_known[0], 3, of_known[1]], vec![unknown as i16]], "{version}");
        }
    }
}

#[test]
fn fetches_of_offsets_tell_errors_where_their_version_has_them() {
    let world = World::with_topics(&[("t", 2)]);
    for version in versions(ApiKey::OffsetFetch) {
        let (several, by_id) = (version >= 8, version >= 10);
        let old = OffsetFetchRequestTopic { name: "t", partition_indexes: vec![0, 1].into() };
        let new = OffsetFetchRequestTopics {
            name: if by_id { "" } else { "t" },
            topic_id: if by_id { topic_id(&world, "t") } else { Uuid::ZERO },
            partition_indexes: vec![0, 1].into(),
        };
        let group =
            OffsetFetchRequestGroup { group_id: "g", topics: Some(vec![new].into()), ..Default::default() };
        let request = OffsetFetchRequest {
            group_id: if several { "" } else { "g" },
            topics: if several { Some(Array::empty()) } else { Some(vec![old].into()) },
            groups: if several { vec![group].into() } else { Array::empty() },
            require_stable: version >= 7,
        };
        let offset = FetchedOffset {
            offset: Offset(7),
            leader_epoch: LeaderEpoch(2),
            metadata: "note".to_owned(),
            ..FetchedOffset::none(0, ErrorCode::NONE)
        };
        let partitions = vec![offset, FetchedOffset::none(1, ErrorCode::NONE)];
        let found = GroupAnswer::OffsetsFetched(vec![FetchedTopic { name: "t".to_owned(), partitions }]);
        let told: OffsetFetchResponse<'_> = world.told(ApiKey::OffsetFetch, version, &request, &[Ok(found)]);
        let epoch = if version >= 5 { 2 } else { -1 };
        let rows = rows(&told, several);
        assert_eq!(rows, (0, vec![(0, 7, epoch, "note", 0), (1, -1, -1, "", 0)]), "{version}");
        let failed = [Err(ErrorCode::NOT_COORDINATOR)];
        let told: OffsetFetchResponse<'_> = world.told(ApiKey::OffsetFetch, version, &request, &failed);
        let (error, partitions) = self::rows(&told, several);
        assert_eq!(error, if version >= 2 { 16 } else { 0 });
        let errors: Vec<i16> = partitions.iter().map(|row| row.4).collect();
        assert_eq!(errors, if version >= 2 { vec![] } else { vec![16, 16] });
    }
}

/// Error of the whole; partition, offset, epoch, metadata, error.
type Rows<'a> = (i16, Vec<(i32, i64, i32, &'a str, i16)>);

fn rows<'a>(told: &OffsetFetchResponse<'a>, several: bool) -> Rows<'a> {
    if !several {
        let partitions = told.topics.iter().flat_map(|topic| topic.partitions.iter().collect::<Vec<_>>());
        let row = |p: protocol::messages::offset_fetch::OffsetFetchResponsePartition<'a>| {
            (
                p.partition_index,
                p.committed_offset,
                p.committed_leader_epoch,
                p.metadata.unwrap(),
                p.error_code,
            )
        };
        return (told.error_code, partitions.map(row).collect());
    }
    let group = told.groups.iter().next().unwrap();
    let partitions = group.topics.iter().flat_map(|topic| topic.partitions.iter().collect::<Vec<_>>());
    let row = |p: protocol::messages::offset_fetch::OffsetFetchResponsePartitions<'a>| {
        (p.partition_index, p.committed_offset, p.committed_leader_epoch, p.metadata.unwrap(), p.error_code)
    };
    (group.error_code, partitions.map(row).collect())
}

#[test]
fn all_offsets_of_a_group_by_name_and_by_id() {
    let world = World::with_topics(&[("t", 2)]);
    let of = |name: &str| FetchedTopic {
        name: name.to_owned(),
        partitions: vec![FetchedOffset::none(0, ErrorCode::NONE)],
    };
    for (version, topics) in [(8, vec!["gone", "t"]), (10, vec![""])] {
        let group = OffsetFetchRequestGroup { group_id: "g", topics: None, ..Default::default() };
        let request = OffsetFetchRequest {
            topics: Some(Array::empty()),
            groups: vec![group].into(),
            ..Default::default()
        };
        let reply = Ok(GroupAnswer::OffsetsFetched(vec![of("gone"), of("t")]));
        let told: OffsetFetchResponse<'_> = world.told(ApiKey::OffsetFetch, version, &request, &[reply]);
        let group = told.groups.iter().next().unwrap();
        assert_eq!(group.topics.iter().map(|topic| topic.name).collect::<Vec<_>>(), topics);
    }
}

#[test]
fn groups_are_listed_described_and_deleted_in_every_version() {
    let world = World::new("");
    for version in versions(ApiKey::ListGroups) {
        let row = |group_id: &str| ListedGroup {
            group_id: group_id.to_owned(),
            protocol_type: "consumer".to_owned(),
            state: "Stable",
            group_type: "classic",
        };
        let listed = |ids: &[&str]| Ok(GroupAnswer::Listed(ids.iter().map(|id| row(id)).collect()));
        let request = ListGroupsRequest::default();
        let replies = [listed(&["c", "a"]), listed(&[]), listed(&["b"])];
        let told: ListGroupsResponse<'_> = world.told(ApiKey::ListGroups, version, &request, &replies);
        assert_eq!(told.groups.iter().map(|group| group.group_id).collect::<Vec<_>>(), ["a", "b", "c"]);
        let replies = [listed(&["a"]), Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)];
        let told: ListGroupsResponse<'_> = world.told(ApiKey::ListGroups, version, &request, &replies);
        assert_eq!((told.error_code, told.groups.len()), (14, 0));
    }
    for version in versions(ApiKey::DescribeGroups) {
        let request = DescribeGroupsRequest {
            groups: vec!["missing", "", "g"].into(),
            include_authorized_operations: version >= 3,
        };
        let group = DescribedGroup {
            state: "Empty",
            protocol_type: "consumer".to_owned(),
            protocol_name: String::new(),
            members: Vec::new(),
        };
        let replies = [Err(ErrorCode::GROUP_ID_NOT_FOUND), Ok(GroupAnswer::Described(group))];
        let told: DescribeGroupsResponse<'_> =
            world.told(ApiKey::DescribeGroups, version, &request, &replies);
        let rows: Vec<_> =
            told.groups.iter().map(|row| (row.group_id, row.error_code, row.group_state)).collect();
        let missing = if version >= 6 { 69 } else { 0 };
        assert_eq!(rows, [("missing", missing, "Dead"), ("", 24, ""), ("g", 0, "Empty")]);
    }
    for version in versions(ApiKey::DeleteGroups) {
        let request = DeleteGroupsRequest { groups_names: vec!["b", "a", "b"].into() };
        let replies = [Ok(GroupAnswer::Deleted), Err(ErrorCode::NON_EMPTY_GROUP)];
        let told: DeleteGroupsResponse<'_> = world.told(ApiKey::DeleteGroups, version, &request, &replies);
        let rows: Vec<_> = told.results.iter().map(|row| (row.group_id, row.error_code)).collect();
        assert_eq!(rows, [("a", 0), ("b", 68)]);
    }
}

#[test]
fn offsets_are_deleted_of_partitions_that_are_there() {
    let world = World::with_topics(&[("t", 1)]);
    let partitions = |indexes: &[i32]| {
        indexes.iter().map(|index| OffsetDeleteRequestPartition { partition_index: *index }).collect()
    };
    let topics = vec![
        OffsetDeleteRequestTopic { name: "t", partitions: partitions(&[0, 1]) },
        OffsetDeleteRequestTopic { name: "unknown", partitions: partitions(&[0]) },
    ];
    let request = OffsetDeleteRequest { group_id: "g", topics: topics.into() };
    let reply = Ok(GroupAnswer::OffsetsDeleted(vec![ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC]));
    let told: OffsetDeleteResponse<'_> = world.told(ApiKey::OffsetDelete, 0, &request, &[reply]);
    let errors: Vec<i16> = told
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().collect::<Vec<_>>())
        .map(|p| p.error_code)
        .collect();
    assert_eq!(errors, [86, 3, 3]);
    let failed = [Err(ErrorCode::NON_EMPTY_GROUP)];
    let told: OffsetDeleteResponse<'_> = world.told(ApiKey::OffsetDelete, 0, &request, &failed);
    assert_eq!((told.error_code, told.topics.len()), (68, 0));
}

#[test]
fn the_first_question_about_a_group_makes_the_topic() {
    let mut world = World::new("offsets.topic.num.partitions=3\noffsets.topic.segment.bytes=5");
    let request = FindCoordinatorRequest { key: "g", ..Default::default() };
    let told: FindCoordinatorResponse<'_> = world.ask(ApiKey::FindCoordinator, 0, &request);
    assert_eq!((told.error_code, told.node_id), (0, 1));
    let topic = world.image.topic_by_name("__consumer_offsets").unwrap();
    let overrides: Vec<_> =
        topic.overrides.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let expected =
        [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "1048576")];
    assert_eq!((topic.partitions.len(), overrides, topic.internal), (3, expected.to_vec(), true));
    assert!(matches!(world.begin(ApiKey::FindCoordinator, 0, &request), Outcome::Answer(_)));
    // If it cannot be made, nobody coordinates.
    let mut world = World::new("");
    world.fails = true;
    let told: FindCoordinatorResponse<'_> = world.ask(ApiKey::FindCoordinator, 0, &request);
    assert_eq!(told.error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE as i16);
}

#[test]
fn clients_do_not_write_to_topics_of_brokers() {
    let mut world = World::new("");
    let request = FindCoordinatorRequest { key: "g", ..Default::default() };
    let _: FindCoordinatorResponse<'_> = world.ask(ApiKey::FindCoordinator, 0, &request);
    let partition = PartitionProduceData { index: 0, records: Some(protocol::Records::Wire(&[0; 70])) };
    let topic = TopicProduceData {
        name: "__consumer_offsets",
        partition_data: vec![partition].into(),
        ..Default::default()
    };
    let request = ProduceRequest { acks: -1, topic_data: vec![topic].into(), ..Default::default() };
    let Outcome::Produce { plan, items } = world.begin(ApiKey::Produce, 9, &request) else { panic!() };
    assert!(items.is_empty());
    assert_eq!(plan.results[0].as_ref().map(|result| result.error), Some(ErrorCode::INVALID_TOPIC_EXCEPTION));
}
