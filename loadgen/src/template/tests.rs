//! Requests made from templates read back through the codec, whatever is patched.

use proptest::prelude::*;
use protocol::frame::decode_request_header;
use protocol::record::{BatchView, DecompressLimit, batches};
use protocol::{Message, Reader, Records};

use super::*;
use crate::keys::partition_of;
use crate::workload::Keys;

fn wording() -> Wording {
    Wording {
        produce_version: 9,
        client_id: "load".to_owned(),
        acks: -1,
        timeout_ms: 30_000,
        topics: vec!["first".to_owned(), "second".to_owned()],
        record_bytes: 100,
        codec: Codec::None,
        seed: 1,
        keys: None,
    }
}

fn filling(topic: u32, partition: u32, records: u32) -> Filling {
    Filling {
        stamp: Stamp { run: 7, connection: 3, sequence: 11, intended_ns: 1 << 40, partition, topic },
        records,
        timestamp_ms: 1_700_000_000_123,
        sequence: ProducerSequence::NONE,
    }
}

fn flat(request: &Request) -> Vec<u8> {
    let parts = request.pieces.iter().map(|piece| match piece {
        Piece::Own(bytes) => &bytes[..],
        Piece::Shared(bytes) => &bytes[..],
    });
    parts.collect::<Vec<_>>().concat()
}

/// Decodes a request and hands each batch, with topic and partition, to `check`.
fn read(version: i16, frame: &[u8], correlation_id: i32, mut check: impl FnMut(&str, i32, BatchView<'_>)) {
    assert_eq!(frame[..4], (frame.len() as u32 - 4).to_be_bytes());
    let mut reader = Reader::new(&frame[4..]);
    let header = decode_request_header(&mut reader).unwrap();
    assert_eq!((header.api_key, header.api_version, header.correlation_id), (0, version, correlation_id));
    let message = ProduceRequest::decode(&mut reader, version).unwrap();
    assert_eq!(reader.remaining(), 0);
    for topic in &message.topic_data {
        for partition in &topic.partition_data {
            let Some(Records::Wire(records)) = partition.records else { panic!("no records") };
            let found: Vec<_> = batches(records).collect();
            assert_eq!(found.len(), 1);
            check(topic.name, partition.index, found[0].unwrap());
        }
    }
}

fn write(templates: &mut Templates, correlation_id: i32, batches: &[Filling]) -> (Vec<u8>, Vec<u32>) {
    let mut request = Request::default();
    let mut crcs = Vec::new();
    templates.write(correlation_id, batches, &mut request, |_, crc, _| crcs.push(crc));
    (flat(&request), crcs)
}

#[test]
fn every_version_with_names_reads_back() {
    for version in PRODUCE_VERSION_MIN..=PRODUCE_VERSION_MAX {
        let mut templates = Templates::new(Wording { produce_version: version, ..wording() });
        let batch = filling(1, 77, 20);
        let (frame, crcs) = write(&mut templates, 4_711, &[batch]);
        read(version, &frame, 4_711, |topic, partition, view| {
            assert_eq!((topic, partition), ("second", 77));
            assert!(view.crc_is_valid());
            assert_eq!(view.crc(), crcs[0]);
            assert_eq!((view.records_count(), view.base_timestamp()), (20, 1_700_000_000_123));
            assert_eq!((view.producer_id(), view.producer_epoch(), view.base_sequence()), (-1, -1, -1));
            let records: Vec<_> = view.records().map(Result::unwrap).collect();
            assert_eq!(Stamp::from_bytes(records[0].value.unwrap()), Some(batch.stamp));
            assert!(records.iter().all(|record| record.value.unwrap().len() == 100));
            assert!(records.iter().all(|record| record.timestamp == batch.timestamp_ms));
        });
    }
}

#[test]
fn small_first_values_grow_to_hold_the_stamp() {
    let mut templates = Templates::new(Wording { record_bytes: 0, ..wording() });
    for records in [1, 2, 70] {
        let (frame, _) = write(&mut templates, 1, &[filling(0, 0, records)]);
        read(9, &frame, 1, |_, _, view| {
            let bytes = view.records().map(|record| record.unwrap().value.unwrap().len());
            assert_eq!(bytes.collect::<Vec<_>>()[1..], vec![0; records as usize - 1]);
            assert!(view.crc_is_valid());
        });
    }
}

#[test]
fn compressed_batches_read_back_and_their_crc_tells_them_apart() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut templates = Templates::new(Wording { codec, record_bytes: 10, ..wording() });
        let first = filling(0, 1, 50);
        let later = Filling { timestamp_ms: first.timestamp_ms + 1, ..first };
        let (frame, crcs) = write(&mut templates, 1, &[first]);
        assert_ne!(crcs, write(&mut templates, 2, &[later]).1);
        read(9, &frame, 1, |_, _, view| {
            assert!(view.crc_is_valid());
            let mut scratch = Vec::new();
            let records = view.decompress(DecompressLimit(1 << 20), &mut scratch).unwrap();
            assert_eq!(records.map(|record| record.unwrap().value.unwrap().len()).sum::<usize>(), 500);
        });
    }
}

#[test]
fn records_carry_keys_of_their_partition() {
    let keys = KeySpace::new(Keys::RoundRobin(500), 5, 8);
    let mut templates = Templates::new(Wording { keys, ..wording() });
    for partition in 0..5 {
        let (frame, _) = write(&mut templates, 1, &[filling(0, partition, 20)]);
        read(9, &frame, 1, |_, index, view| {
            for record in view.records() {
                assert_eq!(partition_of(record.unwrap().key.unwrap(), 5), index as u32);
            }
        });
    }
}

proptest! {
    #[test]
    fn several_batches_in_one_request(
        partitions in 1..6u32,
        records in 1..40u32,
        record_bytes in 0..400usize,
        version in PRODUCE_VERSION_MIN..=PRODUCE_VERSION_MAX,
        producer_id in any::<i64>(),
        base_sequence in any::<i32>(),
        correlation_id in any::<i32>(),
    ) {
        let mut templates =
            Templates::new(Wording { produce_version: version, record_bytes, ..wording() });
        let sequence = ProducerSequence { producer_id, producer_epoch: 5, base_sequence };
        let sent: Vec<Filling> = (0..2)
            .flat_map(|topic| (0..partitions).map(move |partition| (topic, partition)))
            .map(|(topic, partition)| Filling { sequence, ..filling(topic, partition, records + partition) })
            .collect();
        // A second time over the buffers of the first: nothing of it may shine through.
        let mut request = Request::default();
        templates.write(1, &sent[..1], &mut request, |_, _, _| ());
        let mut crcs = Vec::new();
        templates.write(correlation_id, &sent, &mut request, |index, crc, _| crcs.push((index, crc)));
        let mut met = 0;
        read(version, &flat(&request), correlation_id, |topic, partition, view| {
            let batch = sent[met];
            assert_eq!(["first", "second"][batch.stamp.topic as usize], topic);
            assert_eq!(batch.stamp.partition as i32, partition);
            assert!(view.crc_is_valid());
            assert_eq!((met, view.crc()), crcs[met]);
            assert_eq!((view.producer_id(), view.base_sequence()), (producer_id, base_sequence));
            assert_eq!(view.records_count() as u32, batch.records);
            assert_eq!(templates.batch_bytes(batch.records, 0), view.length_bytes());
            let first = view.records().next().unwrap().unwrap();
            assert_eq!(Stamp::from_bytes(first.value.unwrap()), Some(batch.stamp));
            met += 1;
        });
        assert_eq!(met, sent.len());
    }
}
