//! What the broker writes into a batch it accepted: offsets and epoch (free), LogAppendTime (a new CRC).

use super::crc::batch_crc;
use super::header::{
    BatchHeader, CODEC_MASK, CONTROL_BIT, DELETE_HORIZON_BIT, LOG_APPEND_TIME_BIT, TRANSACTIONAL_BIT,
};

/// The attribute bits that survive when a header is rewritten. Kafka forgets the others at that moment, and only then.
const KNOWN_BITS: i16 =
    CODEC_MASK | LOG_APPEND_TIME_BIT | TRANSACTIONAL_BIT | CONTROL_BIT | DELETE_HORIZON_BIT;

/// Gives the batch at the front of `bytes` its base offset and leader epoch. Both lie outside the CRC.
///
/// Invariants: `bytes` starts with a batch that `validate_produced` accepted or `BatchView::parse` read;
///             fewer than 61 bytes are left alone.
pub fn stamp(bytes: &mut [u8], base_offset: i64, leader_epoch: i32) {
    debug_assert!(bytes.len() >= super::BATCH_HEADER_BYTES, "a stamp needs a batch");
    if let Some(header) = BatchHeader::at_front_of_mut(bytes) {
        header.base_offset.set(base_offset);
        header.partition_leader_epoch.set(leader_epoch);
    }
}

/// Makes the batch one of type LogAppendTime, appended at `now_ms`: bit 3, `max_timestamp`, and a CRC that fits.
/// `base_timestamp` stays. `bytes` is exactly one batch.
pub fn stamp_log_append_time(bytes: &mut [u8], now_ms: i64) {
    set_timestamps(bytes, LOG_APPEND_TIME_BIT, now_ms);
}

/// Makes the batch one of type CreateTime with this `max_timestamp`, and a CRC that fits. `bytes` is exactly one batch.
pub(super) fn stamp_create_time(bytes: &mut [u8], max_timestamp: i64) {
    set_timestamps(bytes, 0, max_timestamp);
}

fn set_timestamps(bytes: &mut [u8], type_bit: i16, max_timestamp: i64) {
    let Some(header) = BatchHeader::at_front_of_mut(bytes) else { return };
    let attributes = header.attributes() & KNOWN_BITS & !LOG_APPEND_TIME_BIT | type_bit;
    header.attributes.set(attributes);
    header.max_timestamp.set(max_timestamp);
    seal(bytes);
}

/// Writes the CRC of `batch`, exactly one batch, into its header.
pub(super) fn seal(batch: &mut [u8]) {
    let crc = batch_crc(batch);
    if let Some(header) = BatchHeader::at_front_of_mut(batch) {
        header.crc.set(crc);
    }
}
