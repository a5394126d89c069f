//! After a power cut: does a broker start on what is left, and is everything there that clients were told of?

use std::collections::BTreeMap;
use std::io;

use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData};
use protocol::record::{BatchError, BatchView, DecompressLimit};
use protocol::{ApiKey, Array, Records};

use crate::ledger::{Ledger, key, value};
use crate::wire::Wire;

const FETCH_VERSION: i16 = 12;

/// What reading has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub read: u64,
    pub owed: u64,
    /// Acknowledged and not there.
    pub lost: u64,
    /// Topic-partitions whose bytes are not those that were sent, or that cannot be read, with what is wrong.
    pub wrong: Vec<String>,
}

impl Found {
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.wrong.is_empty()
    }
}

struct Progress {
    position: i64,
    high_watermark: i64,
    wrong: Option<String>,
}

/// Reads every partition of the topics that are owed from its beginning to its end.
pub fn verify(wire: &mut Wire, ledger: &Ledger, log_bytes: u64) -> io::Result<Found> {
    let owed = ledger.owed(log_bytes);
    let mut found = Found::default();
    let mut partitions: BTreeMap<(usize, i32), Progress> = BTreeMap::new();
    for (topic, ends) in &owed {
        for partition in 0..ends.len() as i32 {
            let progress = Progress { position: 0, high_watermark: -1, wrong: None };
            partitions.insert((*topic, partition), progress);
        }
    }
    while round(wire, ledger, &mut partitions)? {}
    for (topic, ends) in &owed {
        for (partition, end) in ends.iter().enumerate() {
            let progress = &partitions[&(*topic, partition as i32)];
            let name = format!("{}-{partition}", ledger.topics[*topic].name);
            found.owed += *end as u64;
            found.read += progress.position as u64;
            found.wrong.extend(progress.wrong.iter().map(|wrong| format!("{name}: {wrong}")));
            if progress.position < *end {
                found.lost += (end - progress.position) as u64;
                found.wrong.push(format!("{name}: read {}, acknowledged {end}", progress.position));
            }
        }
    }
    Ok(found)
}

/// One fetch of what has not been read. False: there is nothing.
fn round(
    wire: &mut Wire,
    ledger: &Ledger,
    partitions: &mut BTreeMap<(usize, i32), Progress>,
) -> io::Result<bool> {
    let mut topics: BTreeMap<usize, Vec<FetchPartition>> = BTreeMap::new();
    let open = partitions
        .iter()
        .filter(|(_, progress)| progress.wrong.is_none() && progress.position != progress.high_watermark);
    for ((topic, partition), progress) in open {
        topics.entry(*topic).or_default().push(FetchPartition {
            partition: *partition,
            fetch_offset: progress.position,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        });
    }
    if topics.is_empty() {
        return Ok(false);
    }
    let topics: Array<'_, _> = topics
        .into_iter()
        .map(|(topic, partitions)| FetchTopic {
            topic: &ledger.topics[topic].name,
            partitions: Array::from(partitions),
            ..FetchTopic::default()
        })
        .collect();
    let request = FetchRequest {
        max_wait_ms: 0,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics,
        ..FetchRequest::default()
    };
    let answer = wire.ask(ApiKey::Fetch, FETCH_VERSION, &request)?;
    let read_before: i64 = partitions.values().map(|progress| progress.position).sum();
    let response: FetchResponse<'_> = answer.decode();
    for topic in response.responses.iter() {
        let Some(index) = ledger.topics.iter().position(|known| known.name == topic.topic) else { continue };
        for data in topic.partitions.iter() {
            if let Some(progress) = partitions.get_mut(&(index, data.partition_index)) {
                progress.wrong = progress.take(index, &data).err();
            }
        }
    }
    // An answer is full at its limit of bytes, so that a partition may have to wait; not all of them.
    let read: i64 = partitions.values().map(|progress| progress.position).sum();
    if read == read_before {
        for progress in
            partitions.values_mut().filter(|progress| progress.position != progress.high_watermark)
        {
            let (at, end) = (progress.position, progress.high_watermark);
            progress.wrong.get_or_insert_with(|| format!("nothing to read at {at}, and it ends at {end}"));
        }
    }
    Ok(true)
}

impl Progress {
    fn take(&mut self, topic: usize, data: &PartitionData<'_>) -> Result<(), String> {
        let partition = data.partition_index;
        if data.error_code != 0 {
            return Err(format!("error {} at {}", data.error_code, self.position));
        }
        self.high_watermark = data.high_watermark;
        let Some(Records::Wire(mut bytes)) = data.records else { return Err("no records".to_owned()) };
        let mut scratch = Vec::new();
        while !bytes.is_empty() {
            let batch = match BatchView::parse(bytes) {
                // The last batch may be cut.
                Err(BatchError::Cut { .. }) => break,
                batch => batch.map_err(|error| format!("at {}: {error:?}", self.position))?,
            };
            bytes = &bytes[batch.length_bytes()..];
            if !batch.crc_is_valid() {
                return Err(format!("a wrong CRC at {}", batch.base_offset()));
            }
            let records = batch.decompress(DecompressLimit(64 << 20), &mut scratch);
            for record in records.map_err(|error| format!("at {}: {error:?}", self.position))? {
                let record = record.map_err(|error| format!("at {}: {error:?}", self.position))?;
                if record.offset < self.position {
                    continue;
                }
                let number = record.offset;
                let is_as_sent = record.key == Some(key(topic, partition, number).as_bytes())
                    && record.value.unwrap_or_default() == value(topic, partition, number);
                if number != self.position || !is_as_sent {
                    return Err(format!("not the record {} but one at {number}", self.position));
                }
                self.position += 1;
            }
        }
        Ok(())
    }
}
