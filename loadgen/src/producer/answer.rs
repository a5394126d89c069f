//! What an answer says of the batches of its request.
//!
//! Decides from Kafka's error codes whether a batch is stored, is not, may be, or is to be sent again.

use protocol::frame::decode_response_header;
use protocol::messages::init_producer_id::InitProducerIdResponse;
use protocol::messages::produce::ProduceResponse;
use protocol::{ApiKey, DecodeError, ErrorCode, Message, Reader};

use super::{AcknowledgedParts, End, Ends, FreshId, InFlight, Kind, Part, Producer, RETRY_AFTER_NS};
use crate::conversation::Nanoseconds;
use crate::error::LoadError;

/// What becomes of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ended(End),
    Again,
}

impl<E: Ends> Producer<E> {
    pub(super) fn take_answer(&mut self, now: Nanoseconds, answer: &[u8]) -> Result<(), LoadError> {
        let Some(request) = self.in_flight.front().copied().filter(|request| request.written.is_some())
        else {
            return Err(LoadError::failed(
                format!("the broker sent {} bytes that nobody had asked for", answer.len()),
                "check that the address is that of a broker",
            ));
        };
        let (api, version) = match request.kind {
            Kind::Produce(_) => (ApiKey::Produce, self.plan.produce_version),
            Kind::InitProducerId => (ApiKey::InitProducerId, self.plan.init_producer_id_version),
        };
        let mut reader = Reader::new(answer);
        let correlation_id = decode_response_header(&mut reader, api, version)
            .map_err(|error| undecodable(api, version, error))?;
        if correlation_id != request.correlation_id {
            return Err(LoadError::failed(
                format!(
                    "the broker answered request {correlation_id} of a connection where the answer to {} was due",
                    request.correlation_id
                ),
                "answers must come in the order of their requests",
            ));
        }
        match request.kind {
            Kind::Produce(parts) => {
                let message = ProduceResponse::decode(&mut reader, version)
                    .map_err(|error| undecodable(api, version, error))?;
                self.take_produced(now, &request, parts, &message)?;
            }
            Kind::InitProducerId => {
                let message = InitProducerIdResponse::decode(&mut reader, version)
                    .map_err(|error| undecodable(api, version, error))?;
                self.take_id(now, &message)?;
            }
        }
        self.in_flight.pop_front();
        self.written -= 1;
        self.free_place(&request, now);
        Ok(())
    }

    fn take_produced(
        &mut self,
        now: Nanoseconds,
        request: &InFlight,
        parts: usize,
        message: &ProduceResponse<'_>,
    ) -> Result<(), LoadError> {
        let mut answered = 0;
        let mut all = AcknowledgedParts::default();
        for topic in &message.responses {
            for partition in &topic.partition_responses {
                let Some(index) = self.part_of(parts, answered, topic.name, partition.index) else {
                    return Err(LoadError::failed(
                        format!(
                            "the broker answered for {}-{}, which the request did not name or which it answered before",
                            topic.name, partition.index
                        ),
                        "",
                    ));
                };
                // Answered ones are moved to the front, so that each is found once.
                self.parts.swap(answered, index);
                answered += 1;
                let part = self.parts[answered - 1];
                let verdict = self.judge(&part, partition.error_code, partition.base_offset)?;
                self.apply(now, &part, verdict, &mut all);
            }
        }
        if answered < parts {
            return Err(LoadError::failed(
                format!("the broker answered for {answered} of the {parts} partitions of a Produce request"),
                "",
            ));
        }
        self.parts.drain(..parts);
        self.record(request, now, &all);
        Ok(())
    }

    /// Which of the first `parts` it is; those before `answered` have had their answer.
    fn part_of(&self, parts: usize, answered: usize, topic: &str, partition: i32) -> Option<usize> {
        (answered..parts).find(|index| {
            let target = self.courses[self.parts[*index].course].target;
            i64::from(target.partition) == i64::from(partition)
                && self.plan.topics[target.topic as usize] == topic
        })
    }

    fn apply(&mut self, now: Nanoseconds, part: &Part, verdict: Verdict, all: &mut AcknowledgedParts) {
        match verdict {
            Verdict::Again => {
                self.again.push(*part);
                self.again_at = now + RETRY_AFTER_NS;
            }
            Verdict::Ended(end) => {
                if matches!(end, End::Acknowledged { .. } | End::AcknowledgedElsewhere) {
                    all.add(part);
                } else if self.plan.idempotent.is_some() {
                    self.fresh_id = FreshId::Needed;
                }
                self.end(part, end);
            }
        }
    }

    fn judge(&mut self, part: &Part, code: i16, base_offset: i64) -> Result<Verdict, LoadError> {
        let code = match ErrorCode::try_from(code) {
            Ok(ErrorCode::NONE) => return Ok(Verdict::Ended(End::Acknowledged { base_offset })),
            Ok(code) => code,
            Err(unknown) => {
                self.recorder.borrow_mut().on_error(&format!("ERROR_{}", unknown.0), 1);
                return Ok(Verdict::Ended(End::Unknown));
            }
        };
        let is_idempotent = self.plan.idempotent.is_some();
        if is_idempotent && code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER {
            return Ok(Verdict::Ended(End::AcknowledgedElsewhere));
        }
        if matches!(code, ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::CLUSTER_AUTHORIZATION_FAILED) {
            return Err(LoadError::failed(
                format!("the broker does not let us produce: {}", code.name()),
                "allow Write on the topic, and IdempotentWrite on the cluster where --idempotent is set",
            ));
        }
        self.recorder.borrow_mut().on_error(code.name(), 1);
        if is_idempotent && self.fresh_id == FreshId::NotNeeded {
            let follows_one_to_send_again = || self.again.iter().any(|again| again.course == part.course);
            let is_hole = code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER && follows_one_to_send_again();
            if code.retriable() || is_hole {
                return Ok(Verdict::Again);
            }
        }
        Ok(Verdict::Ended(if may_be_stored(code) { End::Unknown } else { End::Refused }))
    }

    fn take_id(&mut self, now: Nanoseconds, message: &InitProducerIdResponse) -> Result<(), LoadError> {
        let code = ErrorCode::try_from(message.error_code);
        match code {
            Ok(ErrorCode::NONE) => {
                self.plan.idempotent = Some((message.producer_id, message.producer_epoch));
                for course in &mut self.courses {
                    course.base_sequence = 0;
                }
                self.fresh_id = FreshId::NotNeeded;
                Ok(())
            }
            Ok(code) if code.retriable() => {
                self.fresh_id = FreshId::Needed;
                self.again_at = now + RETRY_AFTER_NS;
                Ok(())
            }
            _ => Err(LoadError::failed(
                format!(
                    "the broker gave no producer id: {}",
                    code.map_or("an unknown error", ErrorCode::name)
                ),
                "leave out --idempotent",
            )),
        }
    }
}

/// The broker says that it failed, not that it did not store the batch.
fn may_be_stored(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UNKNOWN_SERVER_ERROR
            | ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::NETWORK_EXCEPTION
            | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::DUPLICATE_SEQUENCE_NUMBER
    )
}

fn undecodable(api: ApiKey, version: i16, error: DecodeError) -> LoadError {
    LoadError::failed(
        format!("the broker's answer to {} version {version} cannot be read: {error}", api.name()),
        "check that the address is that of a broker",
    )
}
