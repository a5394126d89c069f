//! Fetch (key 1), versions 4-18.
//!
//! Behaviour: answers when `min_bytes` are there, when `max_wait_ms` has passed, or at once with an error. The first partition
//! that has records gives at least one whole batch, whatever the limits (KIP-74); later batches are cut at the limit, in the
//! middle of a batch, as Kafka does. Out of range: all offsets of the answer are -1.
//!
//! v5 log_start_offset; v7 sessions (KIP-227); v9 leader epochs (KIP-320); v11 rack (KIP-392; one replica: never another);
//! v12 flexible, diverging epochs; v13 topic ids (KIP-516); v15 replica state (KIP-903); v16 leader hints (KIP-951).
//!
//! Not here: followers. A request with a replica id is refused: this broker has no replicas elsewhere.

use std::sync::Arc;

use protocol::error_code::ErrorCode;
use protocol::messages::fetch::{
    EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use protocol::{Message, Piece, Reader, Records, Uuid};

use super::fetch_session::{FetchSessions, PartitionKey, SessionUse, Wanted};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::limits::FETCH_RECORDS_BYTES_MAX;
use crate::model::{LeaderEpoch, PartitionIndex, TopicId, TopicPartition};
use crate::replication::failed_read;
use crate::shard_message::{ReadItem, ReadResult};

const TOPIC_IDS_FROM: i16 = 13;

/// What remains of a request while it waits for records.
#[derive(Debug)]
pub struct FetchPlan {
    pub info: RequestInfo,
    pub max_wait_ms: u64,
    pub min_bytes: u64,
    pub max_bytes: u64,
    pub committed_only: bool,
    session: SessionUse,
    partitions: Vec<PlannedPartition>,
}

#[derive(Debug)]
struct PlannedPartition {
    key: PartitionKey,
    /// None: its result is an error that is known already.
    item: Result<ReadItem, ErrorCode>,
}

pub fn handle(
    context: &ApiContext<'_>,
    sessions: &mut FetchSessions,
    info: RequestInfo,
    reader: &mut Reader<'_>,
) -> Outcome {
    let Ok(request) = FetchRequest::decode(reader, info.version) else {
        return Outcome::Close("a Fetch request that cannot be read");
    };
    let (wanted, session) =
        match sessions.begin(context.now, info.version, &request, wanted_partitions(info, &request)) {
            Ok(begun) => begun,
            Err(error) => {
                return Outcome::Answer(answer(
                    info,
                    &FetchResponse { error_code: error as i16, ..Default::default() },
                ));
            }
        };
    let from_replica = request.replica_id >= 0 || request.replica_state.replica_id >= 0;
    let mut partitions = Vec::with_capacity(wanted.len());
    let mut items = Vec::with_capacity(wanted.len());
    for (index, (mut key, wanted)) in wanted.into_iter().enumerate() {
        let index = u32::try_from(index).expect("a frame and a session hold fewer than 2^32 partitions");
        let item = match resolve(context, &mut key) {
            Ok(_) if from_replica => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            Ok(topic_partition) => Ok(read_item(index, topic_partition, &wanted)),
            Err(error) => Err(error),
        };
        items.extend(item.iter().map(|item| ((context.shard_of)(item.topic_partition), *item)));
        partitions.push(PlannedPartition { key, item });
    }
    let max_bytes = u64::try_from(request.max_bytes)
        .unwrap_or(0)
        .min(context.config.fetch_bytes_max)
        .min(FETCH_RECORDS_BYTES_MAX);
    let plan = FetchPlan {
        info,
        max_wait_ms: if partitions.is_empty() { 0 } else { u64::try_from(request.max_wait_ms).unwrap_or(0) },
        min_bytes: u64::try_from(request.min_bytes).unwrap_or(0).min(max_bytes),
        max_bytes,
        committed_only: request.isolation_level == 1,
        session,
        partitions,
    };
    Outcome::Fetch { plan, items }
}

fn wanted_partitions(info: RequestInfo, request: &FetchRequest<'_>) -> Vec<(PartitionKey, Wanted)> {
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let by_id = info.version >= TOPIC_IDS_FROM;
        let name: Arc<str> = if by_id { Arc::from("") } else { Arc::from(topic.topic) };
        for partition in &topic.partitions {
            let key = PartitionKey {
                name: name.clone(),
                topic_id: by_id.then_some(TopicId(topic.topic_id.0)),
                partition: PartitionIndex(partition.partition),
            };
            let partition = Wanted {
                fetch_offset: partition.fetch_offset,
                current_leader_epoch: LeaderEpoch(partition.current_leader_epoch),
                last_fetched_epoch: LeaderEpoch(partition.last_fetched_epoch),
                bytes_max: u64::try_from(partition.partition_max_bytes).unwrap_or(0),
            };
            wanted.push((key, partition));
        }
    }
    wanted
}

/// The partition behind what the client calls it.
fn resolve(context: &ApiContext<'_>, key: &mut PartitionKey) -> Result<TopicPartition, ErrorCode> {
    let image = match key.topic_id {
        Some(topic_id) => context.image.topic(topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?,
        None => context.image.topic_by_name(&key.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?,
    };
    image.partition(key.partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    Ok(TopicPartition { topic_id: image.topic_id, partition: key.partition })
}

fn read_item(index: u32, topic_partition: TopicPartition, wanted: &Wanted) -> ReadItem {
    ReadItem {
        index,
        topic_partition,
        fetch_offset: wanted.fetch_offset,
        current_leader_epoch: wanted.current_leader_epoch,
        last_fetched_epoch: wanted.last_fetched_epoch,
        bytes_max: wanted.bytes_max,
    }
}

impl FetchPlan {
    /// What must be asked again when more has been appended.
    pub fn items(&self) -> impl Iterator<Item = ReadItem> + '_ {
        self.partitions.iter().filter_map(|partition| partition.item.ok())
    }

    /// Results by the place of the partition in the request: errors that were known from the start, room for the others.
    #[must_use]
    pub fn fresh_results(&self) -> Vec<Option<ReadResult>> {
        let known = |(index, partition): (usize, &PlannedPartition)| {
            let index = u32::try_from(index).expect("as in handle");
            partition.item.err().map(|error| failed_read(index, error))
        };
        self.partitions.iter().enumerate().map(known).collect()
    }

    /// Answers with what was read, within `max_bytes` in the order of the request.
    #[must_use]
    pub fn respond(&self, sessions: &mut FetchSessions, results: Vec<Option<ReadResult>>) -> Vec<Piece> {
        let mut left = self.max_bytes;
        let mut nothing_yet = true;
        let mut responses: Vec<(PartitionKey, Vec<PartitionData<'static>>)> = Vec::new();
        for (partition, result) in self.partitions.iter().zip(results) {
            let mut result =
                result.expect("a fetch is answered when the last of its partitions has its result");
            trim(&mut result, left, nothing_yet);
            left = left.saturating_sub(result.bytes);
            nothing_yet &= result.bytes == 0;
            if !sessions.must_report(&self.session, &partition.key, &result) {
                continue;
            }
            let data = partition_data(partition.key.partition, result);
            match responses.last_mut() {
                Some((key, partitions)) if key.is_same_topic(&partition.key) => partitions.push(data),
                _ => responses.push((partition.key.clone(), vec![data])),
            }
        }
        let session_id = sessions.finish(&self.session);
        let responses = responses.iter_mut().map(|(key, partitions)| FetchableTopicResponse {
            topic: &key.name,
            topic_id: Uuid(key.topic_id.unwrap_or(TopicId::ZERO).0),
            partitions: std::mem::take(partitions).into(),
        });
        let response = FetchResponse { session_id, responses: responses.collect(), ..Default::default() };
        answer(self.info, &response)
    }
}

/// Several shards read at the same time, each within the whole limit: the excess is cut here.
fn trim(result: &mut ReadResult, left: u64, nothing_yet: bool) {
    if result.bytes <= left {
        return;
    }
    let keep = match (nothing_yet, result.first_batch_bytes <= left) {
        (true, false) => result.first_batch_bytes,
        (false, false) => 0,
        (_, true) => left,
    };
    let mut room = keep;
    result.pieces.retain_mut(|piece| {
        let take = piece.len().min(room);
        shorten(piece, take);
        room -= take;
        take > 0
    });
    result.bytes = keep;
}

fn shorten(piece: &mut Piece, length: u64) {
    match piece {
        Piece::Bytes(bytes) => bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX)),
        Piece::File(range) => range.length = range.length.min(length),
    }
}

fn partition_data(partition: PartitionIndex, result: ReadResult) -> PartitionData<'static> {
    let diverging = result.diverging.map_or_else(EpochEndOffset::default, |(epoch, end_offset)| {
        EpochEndOffset { epoch: epoch.0, end_offset: end_offset.0 }
    });
    PartitionData {
        partition_index: partition.0,
        error_code: result.error as i16,
        high_watermark: result.high_watermark,
        last_stable_offset: result.last_stable_offset,
        log_start_offset: result.log_start_offset,
        diverging_epoch: diverging,
        aborted_transactions: None,
        preferred_read_replica: -1,
        records: Some(Records::Pieces(result.pieces)),
        ..Default::default()
    }
}
