//! The way of one produced batch into the log.
//!
//! Decides: valid or refused, duplicate or new, which offsets, which segment. Durability and acknowledgement are decided above.

use bytes::{Bytes, BytesMut};
use protocol::error_code::ErrorCode;
use protocol::record::{
    self, Accepted, BatchHeader, CompressedCheck, Compressor, ProduceRules, TopicCompression as Recompress,
    Validated,
};

use crate::model::topic_config::{TimestampType, TopicCompression, TopicConfig};
use crate::model::{LeaderEpoch, Now, Offset};

use super::PartitionLog;
use super::hot_tail::TailBatch;
use super::producer_state::Verdict;
use super::segment::{NewBatch, Segment, SegmentState};

/// The most that one batch may inflate to where its records have to be read.
pub(super) const INFLATE_BYTES_MAX: usize = 100 * 1024 * 1024;

/// Where bytes belong in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentBytes {
    /// Base offset of the segment.
    pub segment: Offset,
    pub position: u64,
    pub bytes: Bytes,
}

/// Offsets of a batch that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    pub next_offset: Offset,
    /// -1 unless the topic uses LogAppendTime.
    pub log_append_time_ms: i64,
    /// What the journal must hold; None: a duplicate, the log already has it.
    pub write: Option<SegmentBytes>,
    /// Base of the segment that this append found full and left.
    pub rolled: Option<Offset>,
}

/// Why a batch was not appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub error: ErrorCode,
    /// Index in the batch, reason.
    pub record_errors: Vec<(i32, &'static str)>,
    pub message: Option<&'static str>,
}

impl Refused {
    fn because((error, message): (ErrorCode, &'static str)) -> Refused {
        Refused { error, record_errors: Vec::new(), message: Some(message) }
    }
}

impl From<record::Refused> for Refused {
    fn from(refused: record::Refused) -> Refused {
        Refused {
            error: ErrorCode::try_from(refused.error.code()).unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR),
            record_errors: refused
                .record_errors
                .iter()
                .map(|each| (each.batch_index, each.message))
                .collect(),
            message: Some(refused.message),
        }
    }
}

impl PartitionLog {
    /// Appends one produced batch as leader and gives it its offsets.
    ///
    /// `records` is the records field of a request: one batch, perhaps followed by a few bytes that are dropped. Its
    /// memory is shared with nobody, so the batch is stamped where it lies. `transactional`: the request names a
    /// transactional id.
    ///
    /// Shape:  | log_start ........ log_end |  batch  |
    /// Invariants: nothing changes unless Ok is returned. log_end moves by the batch's offsets, or not at all (duplicate).
    /// Errors: what `validate_produced` refuses (2, 10, 18, 32, 53, 87, -1); OUT_OF_ORDER_SEQUENCE_NUMBER,
    ///         INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE; NOT_LEADER_OR_FOLLOWER if the log has records of a newer epoch.
    ///         A duplicate of one of a producer's last 5 batches is Ok with the first append's offsets.
    /// Source: record batch v2, Kafka protocol guide; KIP-98; KIP-101.
    pub fn append(
        &mut self,
        now: Now,
        leader_epoch: LeaderEpoch,
        mut records: BytesMut,
        transactional: bool,
    ) -> Result<Appended, Refused> {
        if leader_epoch < self.epochs.latest() {
            let refusal = (ErrorCode::NOT_LEADER_OR_FOLLOWER, "The log has records of a newer leader epoch");
            return Err(Refused::because(refusal));
        }
        let rules = produce_rules(&self.config, now, transactional);
        let Validated { accepted, header, .. } = record::validate_produced(&mut records, &rules)?;
        if let Verdict::Duplicate { base_offset, next_offset, max_timestamp } =
            self.producers.check(&header).map_err(Refused::because)?
        {
            let log_append_time_ms = self.log_append_time(max_timestamp);
            return Ok(Appended { base_offset, next_offset, log_append_time_ms, write: None, rolled: None });
        }
        let batch = match accepted {
            Accepted::AsSent { length } => {
                records.truncate(length);
                records
            }
            Accepted::Rewritten(batch) => batch,
        };
        Ok(self.append_checked(now, leader_epoch, batch))
    }

    /// Stamps and places a batch to which nobody objects.
    fn append_checked(&mut self, now: Now, leader_epoch: LeaderEpoch, mut batch: BytesMut) -> Appended {
        let base_offset = self.log_end;
        record::stamp(&mut batch, base_offset.0, leader_epoch.0);
        let bytes = batch.freeze();
        let header = *BatchHeader::at_front_of(&bytes).expect("a validated batch has a header");
        let next_offset = Offset(header.next_offset());
        assert!(next_offset > base_offset, "a validated batch has offsets");
        let new_batch = NewBatch {
            last_offset: Offset(header.last_offset()),
            length: bytes.len() as u64,
            max_timestamp: header.max_timestamp(),
            wall_ms: now.wall_ms,
        };
        let rolled = self.maybe_roll(new_batch);
        let segment = self.segments.last_mut().expect("maybe_roll leaves an active segment");
        let (name, position) = (segment.base_offset, segment.length);
        segment.push(new_batch);
        let tail_bytes = bytes.clone();
        self.tail.push(TailBatch { segment: name, position, base_offset, next_offset, bytes: tail_bytes });
        self.epochs.assign(leader_epoch, base_offset);
        self.producers.on_batch(&header, Some(now.instant));
        self.log_end = next_offset;
        self.assert_invariants();
        Appended {
            base_offset,
            next_offset,
            log_append_time_ms: self.log_append_time(new_batch.max_timestamp),
            write: Some(SegmentBytes { segment: name, position, bytes }),
            rolled,
        }
    }

    /// Leaves a segment that is active and takes `batch`. Returns the one that became full for it.
    fn maybe_roll(&mut self, batch: NewBatch) -> Option<Offset> {
        let config = &self.config;
        if self.segments.last().is_some_and(|last| !last.must_roll(config, batch)) {
            return None;
        }
        let rolled = self.close_active();
        self.segments.push(Segment::new(self.log_end, SegmentState::Active));
        rolled
    }

    fn log_append_time(&self, max_timestamp: i64) -> i64 {
        match self.config.timestamp_type {
            TimestampType::CreateTime => -1,
            TimestampType::LogAppendTime => max_timestamp,
        }
    }
}

/// What the topic allows. zstd before version 7 of Produce is for the API to refuse: it knows the version.
fn produce_rules(config: &TopicConfig, now: Now, transactional: bool) -> ProduceRules {
    ProduceRules {
        max_message_bytes: config.max_message_bytes as usize,
        segment_bytes: config.segment_bytes as usize,
        timestamp_type: match config.timestamp_type {
            TimestampType::CreateTime => record::TimestampType::CreateTime,
            TimestampType::LogAppendTime => record::TimestampType::LogAppendTime,
        },
        now_ms: now.wall_ms,
        timestamp_before_max_ms: config.timestamp_before_max_ms,
        timestamp_after_max_ms: config.timestamp_after_max_ms,
        compacted: config.compacted,
        transactional_id_present: transactional,
        zstd_allowed: true,
        compression: match config.compression {
            TopicCompression::Producer => Recompress::Producer,
            TopicCompression::Uncompressed => Recompress::Always(Compressor::None),
            TopicCompression::Gzip { level } => Recompress::Always(Compressor::Gzip(level)),
            TopicCompression::Snappy => Recompress::Always(Compressor::Snappy),
            TopicCompression::Lz4 { .. } => Recompress::Always(Compressor::Lz4),
            TopicCompression::Zstd { level } => Recompress::Always(Compressor::Zstd(level)),
        },
        compressed_check: CompressedCheck::Frame,
        inflate_limit_bytes: INFLATE_BYTES_MAX,
    }
}
