//! Produce (key 0), versions 3-13 (advertised from 0: older librdkafka compresses only then, KAFKA-18659).
//!
//! Behaviour: acks 0 has no answer, and any error then closes the connection; acks 1 and -1 are answered when the records are
//! durable. Each partition of a request succeeds or fails by itself. A batch is never copied here: the request frame is cut
//! into the records of each partition. Topics that brokers keep for themselves take no records of clients: whoever coordinates by them
//! would not know of those (Kafka lets its admin client write them nevertheless).
//!
//! v5 log_start_offset; v7 zstd (KIP-110); v8 record errors (KIP-467); v9 flexible; v10 leader hints (KIP-951; a single node has none to give);
//! v12 transaction protocol 2 (KIP-890); v13 topic ids (KIP-516).
//!
//! Not here: transactions. A transactional batch is refused as one that was not added to its transaction.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use protocol::error_code::ErrorCode;
use protocol::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceResponse,
};
use protocol::record::{BatchView, Compression};
use protocol::{Array, Message, Piece, Reader, Records, Uuid};

use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::{PartitionIndex, ShardId, TopicId, TopicPartition};
use crate::shard_message::{AppendItem, AppendResult};

const ZSTD_FROM: i16 = 7;
const TOPIC_IDS_FROM: i16 = 13;

/// What remains of a request while its records are appended: enough to answer it.
#[derive(Debug)]
pub struct ProducePlan {
    pub info: RequestInfo,
    pub acks: i16,
    pub transactional: bool,
    topics: Vec<PlannedTopic>,
    /// By `AppendItem::index`: the partitions of the request in its order.
    pub results: Vec<Option<AppendResult>>,
}

#[derive(Debug)]
struct PlannedTopic {
    name: Arc<str>,
    topic_id: TopicId,
    partitions: Vec<i32>,
}

/// One partition's records within the frame.
struct Cut {
    index: u32,
    topic_partition: TopicPartition,
    start: usize,
    length: usize,
}

/// Decodes the request and cuts its frame.
pub fn handle(context: &ApiContext<'_>, info: RequestInfo, frame: BytesMut, body_at: usize) -> Outcome {
    let mut reader = Reader::new(&frame[body_at..]);
    let Ok(request) = ProduceRequest::decode(&mut reader, info.version) else {
        return Outcome::Close("a Produce request that cannot be read");
    };
    let mut plan = ProducePlan {
        info,
        acks: request.acks,
        transactional: request.transactional_id.is_some(),
        topics: Vec::with_capacity(request.topic_data.len()),
        results: Vec::new(),
    };
    let cuts = plan_cuts(context, &mut plan, &request, &frame);
    let items = cut_frame(frame, cuts);
    let items = items
        .into_iter()
        .map(|item| ((context.shard_of)(item.topic_partition), item))
        .collect::<Vec<(ShardId, AppendItem)>>();
    Outcome::Produce { plan, items }
}

/// Resolves topics; partitions that cannot be appended to have their result at once.
fn plan_cuts(
    context: &ApiContext<'_>,
    plan: &mut ProducePlan,
    request: &ProduceRequest<'_>,
    frame: &BytesMut,
) -> Vec<Cut> {
    let acks_error = (!(-1..=1).contains(&request.acks)).then_some(ErrorCode::INVALID_REQUIRED_ACKS);
    let mut cuts = Vec::new();
    for topic in &request.topic_data {
        let by_id = plan.info.version >= TOPIC_IDS_FROM;
        let image = if by_id {
            context.image.topic(TopicId(topic.topic_id.0))
        } else {
            context.image.topic_by_name(topic.name)
        };
        let missing = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
        let mut planned = PlannedTopic {
            name: image.map_or_else(|| Arc::from(topic.name), |image| image.name.clone()),
            topic_id: image.map_or(TopicId(topic.topic_id.0), |image| image.topic_id),
            partitions: Vec::with_capacity(topic.partition_data.len()),
        };
        for partition in &topic.partition_data {
            let index = u32::try_from(plan.results.len()).expect("a frame holds fewer than 2^32 partitions");
            planned.partitions.push(partition.index);
            let of = PartitionIndex(partition.index);
            let known = image.ok_or(missing).and_then(|image| {
                if image.internal {
                    return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
                }
                image.partition(of).map(|_| image.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            });
            let records = match &partition.records {
                Some(Records::Wire(bytes)) => check_records(plan.info.version, bytes),
                _ => Err(ErrorCode::INVALID_RECORD),
            };
            let cut = acks_error.map_or(Ok(()), Err).and(known).and_then(|topic_id| {
                let records = records?;
                let start = records.as_ptr().addr() - frame.as_ptr().addr();
                let topic_partition = TopicPartition { topic_id, partition: of };
                Ok(Cut { index, topic_partition, start, length: records.len() })
            });
            plan.results.push(cut.as_ref().err().map(|error| refused(index, *error)));
            cuts.extend(cut.ok());
        }
        plan.topics.push(planned);
    }
    cuts
}

/// What the version of the request says about records; the rest is judged where they are appended.
fn check_records(version: i16, bytes: &[u8]) -> Result<&[u8], ErrorCode> {
    if bytes.is_empty() {
        return Err(ErrorCode::INVALID_RECORD);
    }
    let is_zstd = |batch: BatchView<'_>| batch.compression().is_ok_and(|codec| codec == Compression::Zstd);
    if version < ZSTD_FROM && BatchView::parse(bytes).is_ok_and(is_zstd) {
        return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    }
    Ok(bytes)
}

/// Cuts the frame without copying. One partition, the usual case, needs no shared buffer.
fn cut_frame(mut frame: BytesMut, cuts: Vec<Cut>) -> Vec<AppendItem> {
    if let [cut] = &cuts[..] {
        frame.truncate(cut.start + cut.length);
        frame.advance(cut.start);
        return vec![AppendItem { index: cut.index, topic_partition: cut.topic_partition, records: frame }];
    }
    let mut at = 0;
    let mut items = Vec::with_capacity(cuts.len());
    for cut in cuts {
        frame.advance(cut.start - at);
        let records = frame.split_to(cut.length);
        at = cut.start + cut.length;
        items.push(AppendItem { index: cut.index, topic_partition: cut.topic_partition, records });
    }
    items
}

/// The result of a partition that nothing was appended to.
#[must_use]
pub fn refused(index: u32, error: ErrorCode) -> AppendResult {
    AppendResult {
        index,
        error,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        record_errors: Vec::new(),
        message: None,
    }
}

impl ProducePlan {
    /// Takes results that arrived from a shard.
    pub fn fill(&mut self, results: Vec<AppendResult>) {
        for result in results {
            let slot = &mut self.results[result.index as usize];
            assert!(slot.is_none(), "a partition of a request has one result");
            *slot = Some(result);
        }
    }

    #[must_use]
    pub fn has_error(&self) -> bool {
        self.results.iter().flatten().any(|result| result.error != ErrorCode::NONE)
    }

    /// Invariants: every partition has its result.
    #[must_use]
    pub fn respond(&self) -> Vec<Piece> {
        let mut results = self.results.iter().map(|result| {
            result
                .as_ref()
                .expect("a produce request is answered when the last of its partitions has its result")
        });
        let responses = self.topics.iter().map(|topic| TopicProduceResponse {
            name: &topic.name,
            topic_id: Uuid(topic.topic_id.0),
            partition_responses: topic
                .partitions
                .iter()
                .zip(results.by_ref())
                .map(|(partition, result)| partition_response(*partition, result))
                .collect(),
        });
        let responses: Array<'_, _> = responses.collect();
        answer(self.info, &ProduceResponse { responses, ..Default::default() })
    }
}

fn partition_response(partition: i32, result: &AppendResult) -> PartitionProduceResponse<'_> {
    let record_errors = result.record_errors.iter().map(|(batch_index, message)| BatchIndexAndErrorMessage {
        batch_index: *batch_index,
        batch_index_error_message: Some(message),
    });
    PartitionProduceResponse {
        index: partition,
        error_code: result.error as i16,
        base_offset: result.base_offset,
        log_append_time_ms: result.log_append_time_ms,
        log_start_offset: result.log_start_offset,
        record_errors: record_errors.collect(),
        error_message: result.message,
        ..Default::default()
    }
}
