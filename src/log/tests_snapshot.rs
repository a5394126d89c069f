//! Leader epochs and producers as bytes: what is written is read again, and nothing else is believed.

use bytes::Bytes;
use proptest::prelude::*;

use crate::model::topic_config::TopicConfig;
use crate::model::{LeaderEpoch, Offset};

use super::snapshot::PRODUCER_BYTES_MAX;
use super::tests::{builder, now, open, owned};
use super::*;

/// A log that several producers and leaders wrote: (producer id, producer epoch, records, whether a new leader comes first).
fn written(batches: &[(i64, i16, usize, bool)]) -> PartitionLog {
    let mut log = open(TopicConfig::default());
    let mut epoch = LeaderEpoch(0);
    let mut next = std::collections::BTreeMap::new();
    for (producer_id, producer_epoch, count, new_leader) in batches {
        epoch = LeaderEpoch(epoch.0 + i32::from(*new_leader));
        let sequence = next.entry((*producer_id, *producer_epoch)).or_insert(0);
        let records = builder(&vec![1; *count], 5).producer(*producer_id, *producer_epoch, *sequence).build();
        if log.append(now(1), epoch, owned(records), false).is_ok_and(|appended| appended.write.is_some()) {
            *sequence += *count as i32;
        }
    }
    log
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        batches in prop::collection::vec((0i64..5, 0i16..3, 1usize..4, prop::bool::weighted(0.2)), 0..40),
    ) {
        let mut log = written(&batches);
        let snapshot = Snapshot::of(&log.epochs, &log.producers, log.log_end);
        let (epochs, producers) = snapshot.decode().expect("its own bytes");
        prop_assert_eq!(&epochs, &log.epochs);
        prop_assert_eq!(producers, log.producers.clone().without_times());
        prop_assert!(snapshot.producers.len() <= log.producers_count() * PRODUCER_BYTES_MAX);
        if let Some(segment) = log.close_active() {
            prop_assert_eq!(log.segment(segment).and_then(Segment::snapshot), Some(&snapshot));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = Bytes::from(bytes);
        if let Ok(epochs) = LeaderEpochs::decode(&bytes) {
            let mut again = Vec::new();
            epochs.encode_below(Offset(i64::MAX), &mut again);
            prop_assert!(bytes.starts_with(&again));
        }
        if let Ok(producers) = ProducerStates::decode(&bytes) {
            let mut again = Vec::new();
            producers.encode(&mut again);
            prop_assert_eq!(again, bytes);
        }
    }

    /// Mostly well-formed, so that every check is met.
    #[test]
    fn damaged_bytes_are_read_or_refused(
        batches in prop::collection::vec((0i64..5, 0i16..3, 1usize..4, any::<bool>()), 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let log = written(&batches);
        let snapshot = Snapshot::of(&log.epochs, &log.producers, log.log_end);
        for whole in [&snapshot.epochs, &snapshot.producers] {
            let mut bytes = whole.to_vec();
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            let bytes = Bytes::from(bytes);
            let read = Snapshot { epochs: bytes.clone(), producers: bytes };
            drop((LeaderEpochs::decode(&read.epochs), ProducerStates::decode(&read.producers), read.decode()));
        }
    }
}

#[test]
fn an_epoch_without_records_is_left_out() {
    let mut log = written(&[(1, 0, 2, false)]);
    log.begin_leader_epoch(LeaderEpoch(7));
    let snapshot = Snapshot::of(&log.epochs, &log.producers, log.log_end);
    let (epochs, _) = snapshot.decode().expect("its own bytes");
    assert_eq!((epochs.latest(), log.epochs.latest()), (LeaderEpoch(0), LeaderEpoch(7)));
}

#[test]
fn a_sealed_segment_keeps_no_snapshot() {
    let mut log = written(&[(1, 0, 2, false)]);
    let segment = log.close_active().expect("it has a batch");
    assert!(log.segment(segment).is_some_and(|segment| segment.snapshot().is_some()));
    log.set_file(segment, crate::effect::FileId(1));
    log.on_sealed(segment);
    assert!(log.segment(segment).is_some_and(|segment| segment.snapshot().is_none()));
}
