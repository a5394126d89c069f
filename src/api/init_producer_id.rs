//! InitProducerId (key 22), versions 0-5: ids for idempotent producers.
//!
//! Behaviour: each call gives a new id with epoch 0, unique in the cluster for ever: shards take blocks of ids from the control
//! plane, and a block is never given twice. v2 flexible; v3 a client may name the id and epoch it had (KIP-360); v4 PRODUCER_FENCED.
//!
//! Not here: transactional ids. They are refused with UNSUPPORTED_VERSION, which no client retries.

use protocol::error_code::ErrorCode;
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::{Message, Piece, Reader};

use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::ProducerId;

/// `transaction.max.timeout.ms` at its default.
const TRANSACTION_TIMEOUT_MS_MAX: i32 = 15 * 60 * 1000;

pub fn handle(_context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = InitProducerIdRequest::decode(reader, info.version) else {
        return Outcome::Close("an InitProducerId request that cannot be read");
    };
    let timeout_ms = request.transaction_timeout_ms;
    match request.transactional_id {
        None => Outcome::ProducerId { info },
        Some("") => Outcome::Answer(refuse(info, ErrorCode::INVALID_REQUEST)),
        Some(_) if !(1..=TRANSACTION_TIMEOUT_MS_MAX).contains(&timeout_ms) => {
            Outcome::Answer(refuse(info, ErrorCode::INVALID_TRANSACTION_TIMEOUT))
        }
        Some(_) => Outcome::Answer(refuse(info, ErrorCode::UNSUPPORTED_VERSION)),
    }
}

#[must_use]
pub fn respond(info: RequestInfo, id: Result<ProducerId, ErrorCode>) -> Vec<Piece> {
    match id {
        Ok(id) => answer(
            info,
            &InitProducerIdResponse { producer_id: id.0, producer_epoch: 0, ..Default::default() },
        ),
        Err(error) => refuse(info, error),
    }
}

fn refuse(info: RequestInfo, error: ErrorCode) -> Vec<Piece> {
    let response =
        InitProducerIdResponse { error_code: error as i16, producer_epoch: -1, ..Default::default() };
    answer(info, &response)
}
