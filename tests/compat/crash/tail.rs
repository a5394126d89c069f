//! Reads partitions from their beginnings onwards, over any number of connections, and checks what every reader may rely on:
//! offsets without gaps, record n at offset n with its bytes, high watermarks that never go back.

use std::collections::BTreeMap;
use std::io;

use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData};
use protocol::record::{BatchError, BatchView, DecompressLimit};
use protocol::{ApiKey, Array, Records};

use super::PARTITIONS;
use super::ledger::{hash, key, number, value};
use super::load::Load;
use crate::wire::Wire;

const FETCH_VERSION: i16 = 12;
const WAIT_MS: i32 = 100;

#[derive(Clone, Copy, Default)]
struct Progress {
    position: i64,
    high_watermark: i64,
}

pub struct Tail {
    partitions: BTreeMap<(String, i32), Progress>,
}

/// Follows the load until it is over; whatever it reads stays read, whichever broker it reads from.
pub fn follow(load: &Load, topics: &[&str]) {
    let _over = load.over_if_panicking();
    let mut tail = Tail::new(topics);
    while load.wait_until_up().is_some() {
        let Ok(mut wire) = Wire::connect(load.address) else { continue };
        while !load.is_over() {
            let round = tail.round(&mut wire, |partition, number, _, hash_read| {
                assert_eq!(hash_read, hash(&key(partition, number), &value(partition, number)));
            });
            if round.is_err() {
                break;
            }
        }
    }
}

impl Tail {
    pub fn new(topics: &[&str]) -> Tail {
        let named = |topic: &&str| {
            let topic = (*topic).to_owned();
            (0..PARTITIONS).map(move |partition| ((topic.clone(), partition), Progress::default()))
        };
        Tail { partitions: topics.iter().flat_map(named).collect() }
    }

    pub fn position(&self, topic: &str, partition: i32) -> i64 {
        self.partitions[&(topic.to_owned(), partition)].position
    }

    /// One fetch of all partitions; every record of it is checked and handed on as (partition, number, offset, hash).
    /// False: all that the broker shows has been read.
    pub fn round(
        &mut self,
        wire: &mut Wire,
        mut on_record: impl FnMut(i32, i64, i64, u32),
    ) -> io::Result<bool> {
        let answer = wire.ask(ApiKey::Fetch, FETCH_VERSION, &self.request())?;
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(response.error_code, 0);
        let mut complete = true;
        let mut answered = 0;
        for topic in response.responses.iter() {
            for partition in topic.partitions.iter() {
                let key = (topic.topic.to_owned(), partition.partition_index);
                let progress = self.partitions.get_mut(&key).expect("it was asked for");
                progress.take(topic.topic, &partition, &mut on_record);
                complete &= progress.position == progress.high_watermark;
                answered += 1;
            }
        }
        assert_eq!(answered, self.partitions.len(), "a fetch without session answers for all its partitions");
        Ok(!complete)
    }

    fn request(&self) -> FetchRequest<'_> {
        let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
        for ((topic, partition), progress) in &self.partitions {
            topics.entry(topic).or_default().push(FetchPartition {
                partition: *partition,
                fetch_offset: progress.position,
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            });
        }
        let topics: Array<'_, _> = topics
            .into_iter()
            .map(|(topic, partitions)| FetchTopic {
                topic,
                partitions: Array::from(partitions),
                ..FetchTopic::default()
            })
            .collect();
        FetchRequest {
            max_wait_ms: WAIT_MS,
            min_bytes: 1,
            max_bytes: 50 << 20,
            session_epoch: -1,
            topics,
            ..FetchRequest::default()
        }
    }
}

impl Progress {
    fn take(
        &mut self,
        topic: &str,
        data: &PartitionData<'_>,
        on_record: &mut impl FnMut(i32, i64, i64, u32),
    ) {
        let partition = data.partition_index;
        assert_eq!(data.error_code, 0, "{topic}-{partition} at {}", self.position);
        assert!(
            data.high_watermark >= self.high_watermark,
            "{topic}-{partition}: the high watermark went back from {} to {}",
            self.high_watermark,
            data.high_watermark
        );
        self.high_watermark = data.high_watermark;
        let Some(Records::Wire(mut bytes)) = data.records else { return };
        let mut scratch = Vec::new();
        while !bytes.is_empty() {
            let batch = match BatchView::parse(bytes) {
                // The last batch may be cut.
                Err(BatchError::Cut { .. }) => break,
                batch => batch.expect("a batch as produced"),
            };
            bytes = &bytes[batch.length_bytes()..];
            assert!(batch.crc_is_valid(), "{topic}-{partition} at {}", batch.base_offset());
            let limit = DecompressLimit(64 << 20);
            for record in batch.decompress(limit, &mut scratch).expect("a known codec") {
                let record = record.expect("a well-formed record");
                // A batch begins before the offset asked for if that lies in its middle.
                if record.offset < self.position {
                    continue;
                }
                assert_eq!(record.offset, self.position, "{topic}-{partition}: a gap");
                let key = record.key.expect("every record has one");
                let number = number(partition, key);
                assert_eq!(number, record.offset, "{topic}-{partition}: lost, doubled or out of order");
                on_record(partition, number, record.offset, hash(key, record.value.unwrap_or_default()));
                self.position += 1;
            }
        }
        assert!(self.position <= self.high_watermark, "{topic}-{partition}: read beyond the high watermark");
    }
}
