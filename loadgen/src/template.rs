//! The bytes of Produce requests: encoded once, sent again with a few of them changed.
//!
//! Decides what records hold and which bytes of a batch differ from one sending to the next. Batches of one number of records
//! (with keys: and of one partition) share their body; a request is put together from pieces.
//!
//! ```text
//! | frame, headers .. topic | partition, length | batch header, first record .. stamp | body | ... | trailer |
//! | <- shape: Own, copied ------------------> | <- head: Own, copied, patched -----> | Shared |     | Own  |
//! ```

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use std::sync::Arc;

use protocol::frame::{RequestHeader, encode_request};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::record::{BATCH_HEADER_BYTES, BatchBuilder, Compression, Compressor, crc32c};
use protocol::{ApiKey, FileRange};

use crate::chance::Chance;
use crate::conversation::{Piece, Request};
use crate::crc_shift::CrcShift;
use crate::keys::{KeySpace, key_bytes};
use crate::stamp::{STAMP_BYTES, Stamp};
use crate::workload::Codec;

/// Names of topics are on the wire up to this version; then come ids.
pub const PRODUCE_VERSION_MAX: i16 = 12;
pub const PRODUCE_VERSION_MIN: i16 = 3;

const CORRELATION_AT: usize = 8;
const CRC_AT: usize = 17;
const CRC_START: usize = 21;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;
/// The second half of each value; the first is random, so that codecs find about half.
const FILLER: &[u8] = b"water under the bridge, level held by the sluice; ";

/// What all requests of a run have in common.
#[derive(Clone, Debug)]
pub struct Wording {
    pub produce_version: i16,
    pub client_id: String,
    pub acks: i16,
    pub timeout_ms: i32,
    pub topics: Vec<String>,
    /// Of each value. The first value of a batch without codec has `STAMP_BYTES` at least.
    pub record_bytes: usize,
    pub codec: Codec,
    pub seed: u64,
    pub keys: Option<Arc<KeySpace>>,
}

/// A producer as the broker knows it, and where a batch stands among its batches of the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSequence {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
}

impl ProducerSequence {
    /// Of a producer that is not idempotent.
    pub const NONE: ProducerSequence =
        ProducerSequence { producer_id: -1, producer_epoch: -1, base_sequence: -1 };
}

/// What makes one batch differ from others of its template. The same values give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filling {
    /// Names topic and partition too.
    pub stamp: Stamp,
    pub records: u32,
    pub timestamp_ms: i64,
    pub sequence: ProducerSequence,
}

/// All templates of one thread.
#[derive(Debug)]
pub struct Templates {
    wording: Wording,
    /// By number of records.
    without_keys: Vec<Option<Rc<Template>>>,
    with_keys: HashMap<(u32, u32), Rc<Template>>,
    /// Of requests with one batch: by topic, then by bytes of the batch.
    shapes_of_one: Vec<HashMap<usize, Rc<Shape>>>,
    shapes: HashMap<Vec<(u32, usize)>, Rc<Shape>>,
}

/// One record batch.
#[derive(Debug)]
struct Template {
    /// Batch header, and the first record up to the end of its stamp where there is one.
    head: Vec<u8>,
    has_stamp: bool,
    body: Rc<[u8]>,
    body_crc: u32,
    shift: CrcShift,
}

/// The bytes of a request around its batches.
#[derive(Debug)]
struct Shape {
    /// What lies before each batch; its end is partition and length of the records.
    before: Vec<Vec<u8>>,
    /// Where the partition is in it.
    partition_at: Vec<usize>,
    after: Vec<u8>,
}

impl Templates {
    #[must_use]
    pub fn new(wording: Wording) -> Templates {
        let shapes_of_one = vec![HashMap::new(); wording.topics.len()];
        Templates {
            wording,
            without_keys: Vec::new(),
            with_keys: HashMap::new(),
            shapes_of_one,
            shapes: HashMap::new(),
        }
    }

    /// Bytes of a record batch on the wire.
    pub fn batch_bytes(&mut self, records: u32, partition: u32) -> usize {
        let template = self.template(records, partition);
        template.bytes()
    }

    /// Makes `request` a Produce request of these batches and tells index, CRC and bytes of each.
    ///
    /// Batches of one topic lie together, and no two are of the same partition.
    pub fn write(
        &mut self,
        correlation_id: i32,
        batches: &[Filling],
        request: &mut Request,
        mut on_batch: impl FnMut(usize, u32, usize),
    ) {
        if let [batch] = batches {
            let template = self.template(batch.records, batch.stamp.partition);
            let shape = self.shape_of_one(batch.stamp.topic, template.bytes());
            let mut pieces = Pieces::over(request);
            on_batch(0, pieces.batch(&shape, 0, correlation_id, batch, &template), template.bytes());
            return pieces.finish(&shape);
        }
        let templates: Vec<Rc<Template>> =
            batches.iter().map(|batch| self.template(batch.records, batch.stamp.partition)).collect();
        let lengths = batches.iter().zip(&templates);
        let shape =
            self.shape(lengths.map(|(batch, template)| (batch.stamp.topic, template.bytes())).collect());
        let mut pieces = Pieces::over(request);
        for (index, (batch, template)) in batches.iter().zip(&templates).enumerate() {
            let crc = pieces.batch(&shape, index, correlation_id, batch, template);
            on_batch(index, crc, template.bytes());
        }
        pieces.finish(&shape);
    }

    fn template(&mut self, records: u32, partition: u32) -> Rc<Template> {
        if self.wording.keys.is_some() {
            let wording = &self.wording;
            let made = || Rc::new(Template::new(wording, records, partition));
            return Rc::clone(self.with_keys.entry((records, partition)).or_insert_with(made));
        }
        let index = records as usize;
        if index >= self.without_keys.len() {
            self.without_keys.resize(index + 1, None);
        }
        let wording = &self.wording;
        let made = || Rc::new(Template::new(wording, records, partition));
        Rc::clone(self.without_keys[index].get_or_insert_with(made))
    }

    fn shape_of_one(&mut self, topic: u32, bytes: usize) -> Rc<Shape> {
        let wording = &self.wording;
        let made = || Rc::new(Shape::new(wording, &[(topic, bytes)]));
        Rc::clone(self.shapes_of_one[topic as usize].entry(bytes).or_insert_with(made))
    }

    fn shape(&mut self, batches: Vec<(u32, usize)>) -> Rc<Shape> {
        let wording = &self.wording;
        match self.shapes.entry(batches) {
            Entry::Occupied(known) => Rc::clone(known.get()),
            Entry::Vacant(new) => {
                let made = Rc::new(Shape::new(wording, new.key()));
                Rc::clone(new.insert(made))
            }
        }
    }
}

impl Template {
    fn new(wording: &Wording, records: u32, partition: u32) -> Template {
        let mut chance = Chance::new(wording.seed, u64::from(records));
        let has_stamp = wording.codec == Codec::None;
        let keys = wording.keys.as_ref().map(|keys| keys.keys_of(partition)).filter(|keys| !keys.is_empty());
        let mut batch = BatchBuilder::new().compression(compressor(wording.codec));
        let mut first_ends_at = 0;
        let mut value_bytes_of_first = 0;
        for index in 0..records.max(1) {
            let bytes_min = if index == 0 && has_stamp { STAMP_BYTES } else { 0 };
            let value = value(wording.record_bytes.max(bytes_min), &mut chance);
            let key = keys.map(|keys| key_bytes(keys[index as usize % keys.len()]));
            batch.append(0, key.as_ref().map(<[u8; 8]>::as_slice), Some(&value), &[]);
            if index == 0 {
                first_ends_at = batch.length_bytes();
                value_bytes_of_first = value.len();
            }
        }
        let batch = batch.build();
        // Behind a value is one byte: no headers.
        let head_bytes = if has_stamp {
            first_ends_at - 1 - value_bytes_of_first + STAMP_BYTES
        } else {
            BATCH_HEADER_BYTES
        };
        let (head, body) = batch.split_at(head_bytes);
        let body_crc = crc32c(body);
        Template {
            head: head.to_vec(),
            has_stamp,
            body: body.into(),
            body_crc,
            shift: CrcShift::new(body.len()),
        }
    }

    fn bytes(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Appends the head with everything of `batch` in it; its CRC.
    fn append_head(&self, batch: &Filling, out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        out.extend_from_slice(&self.head);
        let head = &mut out[start..];
        let ProducerSequence { producer_id, producer_epoch, base_sequence } = batch.sequence;
        put(head, BASE_TIMESTAMP_AT, batch.timestamp_ms.to_be_bytes());
        put(head, MAX_TIMESTAMP_AT, batch.timestamp_ms.to_be_bytes());
        put(head, PRODUCER_ID_AT, producer_id.to_be_bytes());
        put(head, PRODUCER_EPOCH_AT, producer_epoch.to_be_bytes());
        put(head, BASE_SEQUENCE_AT, base_sequence.to_be_bytes());
        if self.has_stamp {
            put(head, head.len() - STAMP_BYTES, batch.stamp.to_bytes());
        }
        let crc = self.shift.combine(crc32c(&head[CRC_START..]), self.body_crc);
        put(head, CRC_AT, crc.to_be_bytes());
        crc
    }
}

impl Shape {
    /// Encodes the request with the codec, over batches that are only their lengths.
    fn new(wording: &Wording, batches: &[(u32, usize)]) -> Shape {
        let topics = batches.chunk_by(|a, b| a.0 == b.0).map(|of_topic| TopicProduceData {
            name: &wording.topics[of_topic[0].0 as usize],
            topic_id: protocol::Uuid::default(),
            partition_data: of_topic.iter().map(|(_, bytes)| lengths_only(*bytes)).collect(),
        });
        let message = ProduceRequest {
            transactional_id: None,
            acks: wording.acks,
            timeout_ms: wording.timeout_ms,
            topic_data: topics.collect(),
        };
        let header = RequestHeader {
            api_key: ApiKey::Produce.key(),
            api_version: wording.produce_version,
            correlation_id: 0,
            client_id: Some(&wording.client_id),
        };
        let encoded = encode_request(header, &message)
            .expect("names and lengths were checked when the workload was validated");
        let mut shape = Shape { before: Vec::new(), partition_at: Vec::new(), after: Vec::new() };
        for piece in encoded {
            match piece {
                protocol::Piece::Bytes(bytes) => shape.after = bytes.to_vec(),
                protocol::Piece::File(range) => {
                    let before = std::mem::take(&mut shape.after);
                    let prefix = length_prefix_bytes(wording.produce_version, range.length);
                    shape.partition_at.push(before.len() - prefix - 4);
                    shape.before.push(before);
                }
            }
        }
        shape
    }
}

/// Fills the pieces of a request, in the buffers of the one that was sent before where there was one.
struct Pieces<'a> {
    pieces: &'a mut Vec<Piece>,
    filled: usize,
}

impl<'a> Pieces<'a> {
    fn over(request: &'a mut Request) -> Pieces<'a> {
        Pieces { pieces: &mut request.pieces, filled: 0 }
    }

    fn own(&mut self) -> &mut Vec<u8> {
        let index = self.filled;
        self.filled += 1;
        if !matches!(self.pieces.get(index), Some(Piece::Own(_))) {
            self.pieces.truncate(index);
            self.pieces.push(Piece::Own(Vec::new()));
        }
        let Piece::Own(buffer) = &mut self.pieces[index] else { unreachable!("it was made one above") };
        buffer.clear();
        buffer
    }

    fn share(&mut self, body: &Rc<[u8]>) {
        let index = self.filled;
        self.filled += 1;
        let piece = Piece::Shared(Rc::clone(body));
        match self.pieces.get_mut(index) {
            Some(old) => *old = piece,
            None => self.pieces.push(piece),
        }
    }

    fn batch(
        &mut self,
        shape: &Shape,
        index: usize,
        correlation_id: i32,
        batch: &Filling,
        template: &Template,
    ) -> u32 {
        let own = self.own();
        own.extend_from_slice(&shape.before[index]);
        if index == 0 {
            put(own, CORRELATION_AT, correlation_id.to_be_bytes());
        }
        put(own, shape.partition_at[index], batch.stamp.partition.to_be_bytes());
        let crc = template.append_head(batch, own);
        self.share(&template.body);
        crc
    }

    fn finish(mut self, shape: &Shape) {
        if !shape.after.is_empty() {
            self.own().extend_from_slice(&shape.after);
        }
        self.pieces.truncate(self.filled);
    }
}

fn lengths_only(bytes: usize) -> PartitionProduceData<'static> {
    let range = FileRange { file: 0, position: 0, length: bytes as u64 };
    let records = protocol::Records::Pieces(vec![protocol::Piece::File(range)]);
    PartitionProduceData { index: 0, records: Some(records) }
}

/// The length before the records: four bytes, or in flexible versions a varint of the length plus one.
fn length_prefix_bytes(produce_version: i16, length: u64) -> usize {
    if produce_version < ApiKey::Produce.flexible_from() {
        return 4;
    }
    (64 - (length + 1).leading_zeros() as usize).div_ceil(7)
}

fn value(bytes: usize, chance: &mut Chance) -> Vec<u8> {
    let random = bytes.div_ceil(2);
    let mut value = vec![0; random];
    chance.fill(&mut value);
    value.extend(FILLER.iter().cycle().take(bytes - random));
    value
}

fn compressor(codec: Codec) -> Compressor {
    Compressor::of(match codec {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    })
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

#[cfg(test)]
mod tests;
