//! The `log-start` file of a partition: where its log begins, and what the log knew when that was decided. Bytes in, bytes out;
//! docs/FORMATS.md, 2.2.

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::Offset;

use super::PartitionLog;
use super::leader_epochs::LeaderEpochs;
use super::producer_state::ProducerStates;
use super::snapshot::{Malformed, Snapshot};

const MAGIC: &[u8; 8] = b"PSSTART1";
const VERSION: u32 = 1;
/// Magic, version, CRC, offset, two lengths.
const HEADER_BYTES: usize = 32;
const CRC_AT: usize = 12;

/// Where a log begins.
///
/// `epochs` and `producers` are those of the durable end when this was written, or of a little later: some of them stand below the
/// start, in segments that are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogStart {
    pub offset: Offset,
    pub(super) epochs: LeaderEpochs,
    pub(super) producers: ProducerStates,
}

/// Why bytes are no log start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStartFault {
    Length(usize),
    Magic,
    Crc,
    /// A newer binary wrote it.
    NewerVersion(u32),
    Offset(i64),
    Snapshot,
}

impl LogStart {
    /// Errors: anything but what `log_start_bytes` made. The file is replaced as a whole, so no crash explains it.
    pub fn decode(bytes: &[u8]) -> Result<LogStart, LogStartFault> {
        let length = || LogStartFault::Length(bytes.len());
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(length)?;
        if !header.starts_with(MAGIC) {
            return Err(LogStartFault::Magic);
        }
        let number =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (version, crc) = (number(8), number(CRC_AT));
        let offset = (u64::from(number(20)) << 32 | u64::from(number(16))).cast_signed();
        let (epochs, producers) = (number(24) as usize, number(28) as usize);
        if crc != crc_of(bytes) {
            return Err(LogStartFault::Crc);
        }
        if version > VERSION {
            return Err(LogStartFault::NewerVersion(version));
        }
        if rest.len() != epochs + producers {
            return Err(length());
        }
        if offset < 0 {
            return Err(LogStartFault::Offset(offset));
        }
        let (epochs, producers) = rest.split_at(epochs);
        let malformed = |_: Malformed| LogStartFault::Snapshot;
        Ok(LogStart {
            offset: Offset(offset),
            epochs: LeaderEpochs::decode(epochs).map_err(malformed)?,
            producers: ProducerStates::decode(producers).map_err(malformed)?,
        })
    }
}

impl LogStart {
    /// What the log knew where the first segment begins that is left, or, if there is none, at its start: batches from there on are
    /// in segments, or were never durable.
    pub(super) fn known_at(self, first: Offset) -> (LeaderEpochs, ProducerStates) {
        let LogStart { offset, mut epochs, mut producers } = self;
        let offset = offset.min(first);
        epochs.end_before(offset);
        producers.end_before(offset);
        (epochs, producers)
    }
}

impl PartitionLog {
    /// The file that makes this log begin at `log_start`. What lies behind `durable_end` may be lost in a crash, so what it tells of
    /// producers is not what they did there, as far as that can be.
    pub fn log_start_bytes(&mut self, log_start: Offset, durable_end: Offset) -> Bytes {
        self.settle(durable_end);
        let snapshot = Snapshot::of(&self.epochs, &self.settled.producers, self.settled.next_offset);
        let fits = "epochs and producers of a log are a few megabytes at most";
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES);
        bytes.put_slice(MAGIC);
        bytes.put_u32_le(VERSION);
        bytes.put_u32_le(0);
        bytes.put_i64_le(log_start.0);
        bytes.put_u32_le(u32::try_from(snapshot.epochs.len()).expect(fits));
        bytes.put_u32_le(u32::try_from(snapshot.producers.len()).expect(fits));
        bytes.put_slice(&snapshot.epochs);
        bytes.put_slice(&snapshot.producers);
        let crc = crc_of(&bytes);
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        bytes.freeze()
    }
}

/// Of all bytes but those of the CRC.
fn crc_of(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..CRC_AT]);
    hasher.update(&bytes[CRC_AT + 4..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::recovery::RecoveredLog;
    use super::*;
    use crate::model::{LeaderEpoch, PartitionIndex, TopicId, TopicPartition};

    fn log() -> PartitionLog {
        let topic_partition = TopicPartition { topic_id: TopicId::ZERO, partition: PartitionIndex(0) };
        let mut epochs = LeaderEpochs::default();
        epochs.assign(LeaderEpoch(3), Offset(70));
        let recovered =
            RecoveredLog { log_start: Offset(77), log_end: Offset(77), epochs, ..Default::default() };
        PartitionLog::open(topic_partition, Arc::default(), recovered)
    }

    #[test]
    fn a_log_start_comes_back_and_no_damage_to_it_does() {
        let bytes = log().log_start_bytes(Offset(77), Offset(77));
        let start = LogStart::decode(&bytes).unwrap();
        assert_eq!((start.offset, start.epochs.latest()), (Offset(77), LeaderEpoch(3)));
        assert_eq!(start.clone().known_at(Offset(71)).0.latest(), LeaderEpoch(3));
        assert_eq!(start.known_at(Offset(70)).0.latest(), LeaderEpoch(-1), "it began there");
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x10;
            assert!(LogStart::decode(&damaged).is_err(), "byte {at}");
            assert!(LogStart::decode(&bytes[..at]).is_err(), "the first {at} bytes");
        }
    }
}
