//! Every record reads back as written; golden bytes; what is not understood is told of.

use bytes::Bytes;
use proptest::prelude::*;
use protocol::Uuid;

use super::*;
use crate::coordinator::NotReplayed;

fn read_back(record: &CoordinatorRecord) -> GroupRecord<'_> {
    read(&record.key, record.value.as_deref()).unwrap()
}

fn consumer_record(record: &CoordinatorRecord) -> MemberRecord<'_> {
    match read_back(record) {
        GroupRecord::ConsumerGroup { group_id: "g", record } => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_committed_offset_reads_back() {
    let value = OffsetCommitValue {
        offset: 7,
        leader_epoch: 3,
        metadata: "m",
        commit_timestamp: 5,
        topic_id: Uuid([9; 16]),
        ..OffsetCommitValue::default()
    };
    let record = offset_commit("g", "t", 2, &value);
    let expected =
        GroupRecord::OffsetCommit { group_id: "g", topic: "t", partition: 2, value: Some(value.clone()) };
    assert_eq!(read_back(&record), expected);
    let gone = offset_commit_tombstone("g", "t", 2);
    assert_eq!(gone.key, record.key);
    let expected = GroupRecord::OffsetCommit { group_id: "g", topic: "t", partition: 2, value: None };
    assert_eq!(read_back(&gone), expected);
}

#[test]
fn an_offset_that_expires_is_written_in_version_1() {
    let value = OffsetCommitValue { offset: 7, expire_timestamp: 99, ..OffsetCommitValue::default() };
    let record = offset_commit("g", "t", 0, &value);
    assert_eq!(record.value.as_ref().unwrap()[..2], [0, 1]);
    let GroupRecord::OffsetCommit { value: Some(read), .. } = read_back(&record) else { panic!() };
    assert_eq!((read.offset, read.expire_timestamp, read.leader_epoch), (7, 99, -1));
}

#[test]
fn bytes_are_kafkas() {
    let epoch = consumer_group_epoch("g", 5, 0);
    assert_eq!(epoch.key, Bytes::from_static(&[0, 3, 0, 1, b'g']));
    assert_eq!(epoch.value, Some(Bytes::from_static(&[0, 0, 0, 0, 0, 5, 0])));
    let hashed = consumer_group_epoch("g", 5, 258);
    assert_eq!(hashed.value, Some(Bytes::from_static(&[0, 0, 0, 0, 0, 5, 1, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2])));
    let offset = offset_commit("g", "t", 1, &OffsetCommitValue { offset: 2, ..OffsetCommitValue::default() });
    assert_eq!(offset.key, Bytes::from_static(&[0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 1]));
    let mut value = vec![0, 4];
    value.extend(2i64.to_be_bytes());
    value.extend((-1i32).to_be_bytes());
    value.push(1);
    value.extend(0i64.to_be_bytes());
    value.push(0);
    assert_eq!(offset.value.as_deref(), Some(&value[..]));
}

#[test]
fn a_classic_group_reads_back() {
    let member = MemberMetadata {
        member_id: "m",
        group_instance_id: Some("i"),
        client_id: "c",
        client_host: "/127.0.0.1",
        rebalance_timeout: 1,
        session_timeout: 2,
        subscription: &[1, 2],
        assignment: &[3],
    };
    let value = GroupMetadataValue {
        protocol_type: "consumer",
        generation: 4,
        protocol: Some("range"),
        leader: Some("m"),
        current_state_timestamp: 6,
        members: vec![member].into(),
    };
    let record = group_metadata("g", &value);
    assert_eq!(record.value.as_ref().unwrap()[..2], [0, 3]);
    assert_eq!(read_back(&record), GroupRecord::GroupMetadata { group_id: "g", value: Some(value.clone()) });
    let gone = group_metadata_tombstone("g");
    assert_eq!(gone.key, record.key);
    assert_eq!(read_back(&gone), GroupRecord::GroupMetadata { group_id: "g", value: None });
}

#[test]
fn records_of_consumer_groups_read_back() {
    let target = ConsumerGroupTargetAssignmentMemberValue {
        topic_partitions: vec![TargetTopicPartitions {
            topic_id: Uuid([1; 16]),
            partitions: vec![0, 2].into(),
        }]
        .into(),
    };
    let record = consumer_group_target_member("g", "m", &target);
    assert_eq!(
        consumer_record(&record),
        MemberRecord::TargetMember { member_id: "m", value: Some(target.clone()) }
    );

    let partitions = CurrentTopicPartitions {
        topic_id: Uuid([1; 16]),
        partitions: vec![0, 2].into(),
        assignment_epochs: Some(vec![4, 5].into()),
    };
    let current = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: 5,
        previous_member_epoch: 4,
        state: 1,
        assigned_partitions: vec![partitions.clone()].into(),
        partitions_pending_revocation: vec![partitions].into(),
    };
    let record = consumer_group_current_assignment("g", "m", &current);
    let expected = MemberRecord::CurrentAssignment { member_id: "m", value: Some(current.clone()) };
    assert_eq!(consumer_record(&record), expected);

    let topics =
        ConsumerGroupRegularExpressionValue { topics: vec!["a", "b"].into(), version: 8, timestamp: 9 };
    let record = consumer_group_regular_expression("g", "a|b", &topics);
    let expected = MemberRecord::RegularExpression { expression: "a|b", value: Some(topics.clone()) };
    assert_eq!(consumer_record(&record), expected);

    let record = consumer_group_target_epoch("g", 3, 44);
    let MemberRecord::TargetEpoch(Some(epoch)) = consumer_record(&record) else { panic!() };
    assert_eq!((epoch.assignment_epoch, epoch.assignment_timestamp), (3, 44));
}

#[test]
fn a_member_reads_back_with_and_without_the_classic_protocol() {
    let protocols = vec![ClassicProtocol { name: "range", metadata: &[0, 1] }];
    let classic = ClassicMemberMetadata { session_timeout_ms: 45_000, supported_protocols: protocols.into() };
    for classic_member_metadata in [None, Some(classic)] {
        let value = ConsumerGroupMemberMetadataValue {
            instance_id: Some("i"),
            rack_id: None,
            client_id: "c",
            client_host: "h",
            subscribed_topic_names: vec!["a", "b"].into(),
            subscribed_topic_regex: Some("x.*"),
            rebalance_timeout_ms: 5,
            server_assignor: None,
            classic_member_metadata,
        };
        let record = consumer_group_member("g", "m", &value);
        let expected = MemberRecord::Member { member_id: "m", value: Some(value.clone()) };
        assert_eq!(consumer_record(&record), expected);
    }
}

#[test]
fn tombstones_have_the_keys_of_their_records() {
    let pairs = [
        (consumer_group_epoch_tombstone("g"), consumer_group_epoch("g", 1, 0)),
        (
            consumer_group_member_tombstone("g", "m"),
            consumer_group_member("g", "m", &ConsumerGroupMemberMetadataValue::default()),
        ),
        (consumer_group_target_epoch_tombstone("g"), consumer_group_target_epoch("g", 1, 0)),
        (
            consumer_group_target_member_tombstone("g", "m"),
            consumer_group_target_member("g", "m", &ConsumerGroupTargetAssignmentMemberValue::default()),
        ),
        (
            consumer_group_current_assignment_tombstone("g", "m"),
            consumer_group_current_assignment(
                "g",
                "m",
                &ConsumerGroupCurrentMemberAssignmentValue::default(),
            ),
        ),
        (
            consumer_group_regular_expression_tombstone("g", "x"),
            consumer_group_regular_expression("g", "x", &ConsumerGroupRegularExpressionValue::default()),
        ),
    ];
    for (gone, record) in pairs {
        assert_eq!(gone.key, record.key);
        assert_eq!(gone.value, None);
        assert_ne!(read_back(&gone), read_back(&record));
    }
    let old = consumer_group_partition_metadata_tombstone("g");
    assert_eq!(consumer_record(&old), MemberRecord::PartitionMetadata(None));
}

#[test]
fn an_offset_from_before_0_9_is_read() {
    let key = [0, 0, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 1];
    let mut value = vec![0, 0];
    value.extend(7i64.to_be_bytes());
    value.extend([0, 1, b'm']);
    value.extend(5i64.to_be_bytes());
    let GroupRecord::OffsetCommit { group_id: "g", topic: "t", partition: 1, value: Some(value) } =
        read(&key, Some(&value)).unwrap()
    else {
        panic!()
    };
    assert_eq!((value.offset, value.metadata, value.commit_timestamp, value.leader_epoch), (7, "m", 5, -1));
}

#[test]
fn what_is_not_understood_is_told_of() {
    let check = |key: &[u8], value: Option<&[u8]>, reason| {
        assert_eq!(read(key, value), Err(NotReplayed { reason }), "{key:?} {value:?}");
    };
    check(&[], None, "a key without a record type");
    check(&[0], None, "a key without a record type");
    check(&[0, 99, 0, 1, b'g'], None, "a record type that this broker does not know");
    // A share group's.
    check(&[0, 11, 0, 1, b'g'], None, "a record type that this broker does not know");
    check(&[0, 2, 0, 5, b'g'], None, "a key that cannot be read");
    check(&[0, 3, 0, 1, b'g'], Some(&[0]), "a value without a version");
    check(&[0, 3, 0, 1, b'g'], Some(&[0, 1, 0]), "a value of a version that this broker does not know");
    check(&[0, 3, 0, 1, b'g'], Some(&[0, 0, 0]), "a value that cannot be read");
}

#[test]
fn the_empty_group_id_is_a_group_id() {
    let record = group_metadata_tombstone("");
    assert_eq!(read_back(&record), GroupRecord::GroupMetadata { group_id: "", value: None });
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        kind in 0i16..20,
        key in prop::collection::vec(any::<u8>(), 0..40),
        value in prop::option::of(prop::collection::vec(any::<u8>(), 0..60)),
        version in 0i16..6,
    ) {
        let framed = |head: i16, rest: &[u8]| [&head.to_be_bytes()[..], rest].concat();
        let value = value.map(|value| framed(version, &value));
        let _ = read(&framed(kind, &key), value.as_deref());
        let named = framed(kind, &[0, 1, b'g', 0, 1, b'm', 0, 0, 0, 1]);
        let _ = read(&named, value.as_deref());
    }
}
