//! Records in batches: the value framing of Kafka's metadata log, and where one append is cut into batches.
//!
//! ```text
//! value | frame version uvarint = 1 | record type uvarint | record version uvarint | the record, flexible |
//! ```
//!
//! Decides nothing about what records mean.

use bytes::{Bytes, BytesMut};
use protocol::messages::metadata_record::{
    BrokerRegistrationChangeRecord, ConfigRecord, FeatureLevelRecord, NoOpRecord, PartitionChangeRecord,
    PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord, RegisterControllerRecord, RemoveTopicRecord,
    TopicRecord,
};
use protocol::record::BatchBuilder;
use protocol::{DecodeError, Message, Piece, Reader, Writer};

/// A batch is closed when it has this many bytes. Kafka's own limit is 8 MiB.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

const FRAME_VERSION: u32 = 1;

/// A record that this binary understands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record<'a> {
    RegisterBroker(RegisterBrokerRecord<'a>),
    Topic(TopicRecord<'a>),
    Partition(PartitionRecord<'a>),
    Config(ConfigRecord<'a>),
    PartitionChange(PartitionChangeRecord<'a>),
    RemoveTopic(RemoveTopicRecord),
    FeatureLevel(FeatureLevelRecord<'a>),
    ProducerIds(ProducerIdsRecord),
    /// Says nothing that matters to a broker which is its own controller.
    Ignored,
}

/// Reads one record's value.
///
/// Errors: what is not understood is an error, never skipped: it may be an access rule.
pub(super) fn decode(value: &[u8]) -> Result<Record<'_>, String> {
    let mut reader = Reader::new(value);
    let mut head = || reader.unsigned_varint().map_err(|error| error.to_string());
    let (frame, kind, version) = (head()?, head()?, head()?);
    if frame != FRAME_VERSION {
        return Err(format!("frame version {frame} of a record is not supported"));
    }
    let unknown = || {
        format!(
            "record type {kind}, version {version} is not supported; was the log written by a newer version?"
        )
    };
    let version = i16::try_from(version).map_err(|_| unknown())?;
    let record = body(kind, &mut reader, version).ok_or_else(unknown)?.map_err(|error| match error {
        DecodeError::UnsupportedVersion { .. } => unknown(),
        error => format!("record type {kind}: {error}"),
    })?;
    match reader.remaining() {
        0 => Ok(record),
        left => Err(format!("record type {kind}: {left} bytes too many")),
    }
}

/// The body of a record, or None if there is no such type.
fn body<'a>(kind: u32, reader: &mut Reader<'a>, version: i16) -> Option<Result<Record<'a>, DecodeError>> {
    Some(match kind {
        0 => RegisterBrokerRecord::decode(reader, version).map(Record::RegisterBroker),
        2 => TopicRecord::decode(reader, version).map(Record::Topic),
        3 => PartitionRecord::decode(reader, version).map(Record::Partition),
        4 => ConfigRecord::decode(reader, version).map(Record::Config),
        5 => PartitionChangeRecord::decode(reader, version).map(Record::PartitionChange),
        9 => RemoveTopicRecord::decode(reader, version).map(Record::RemoveTopic),
        12 => FeatureLevelRecord::decode(reader, version).map(Record::FeatureLevel),
        15 => ProducerIdsRecord::decode(reader, version).map(Record::ProducerIds),
        17 => BrokerRegistrationChangeRecord::decode(reader, version).map(|_| Record::Ignored),
        20 => NoOpRecord::decode(reader, version).map(|_| Record::Ignored),
        27 => RegisterControllerRecord::decode(reader, version).map(|_| Record::Ignored),
        _ => return None,
    })
}

/// Collects the records of one append.
///
/// Invariants: records pushed between two `end_unit` stay in one batch, and a torn append loses whole batches: so a unit
///             is what must not be torn, such as a topic with its partitions.
pub(super) struct RecordBuffer {
    next_offset: i64,
    leader_epoch: i32,
    timestamp_ms: i64,
    batch: BatchBuilder,
    done: BytesMut,
}

impl RecordBuffer {
    pub(super) fn new(next_offset: i64, leader_epoch: i32, timestamp_ms: i64) -> RecordBuffer {
        let batch = BatchBuilder::new().base_offset(next_offset).leader_epoch(leader_epoch);
        RecordBuffer { next_offset, leader_epoch, timestamp_ms, batch, done: BytesMut::new() }
    }

    /// The offset that the next record gets.
    pub(super) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Appends a record in its newest version.
    pub(super) fn push<'a, M: Message<'a>>(&mut self, record: &M) {
        let kind = M::API_KEY.expect("metadata records have a type");
        let version = M::VERSIONS.1;
        let mut writer = Writer::new();
        for number in [FRAME_VERSION, u32::from(kind.unsigned_abs()), u32::from(version.unsigned_abs())] {
            writer.put_unsigned_varint(number);
        }
        record.encode(&mut writer, version).expect("names and values were checked to fit a record");
        let value: Vec<u8> = writer.finish().iter().flat_map(piece_bytes).copied().collect();
        self.batch.append(self.timestamp_ms, None, Some(&value), &[]);
        self.next_offset += 1;
    }

    /// What was pushed since the last `end_unit` belongs together.
    pub(super) fn end_unit(&mut self) {
        if self.batch.length_bytes() >= BATCH_BYTES {
            self.close_batch();
        }
    }

    fn close_batch(&mut self) {
        let next = BatchBuilder::new().base_offset(self.next_offset).leader_epoch(self.leader_epoch);
        let batch = std::mem::replace(&mut self.batch, next);
        if !batch.is_empty() {
            self.done.extend_from_slice(&batch.build());
        }
    }

    /// The batches, one after the other; None if nothing was pushed.
    pub(super) fn finish(mut self) -> Option<Bytes> {
        self.close_batch();
        if self.done.is_empty() { None } else { Some(self.done.freeze()) }
    }
}

fn piece_bytes(piece: &Piece) -> &[u8] {
    match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::File(_) => unreachable!("metadata records hold no ranges of files"),
    }
}
