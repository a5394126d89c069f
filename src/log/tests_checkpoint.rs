//! What a log tells at a position, and what batches behind it add to that, against a walk over all batches.

use proptest::prelude::*;

use crate::effect::FileId;
use crate::model::topic_config::TopicConfig;
use crate::model::{LeaderEpoch, Offset};

use super::tests::{builder, now, open, owned};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// Producer, records, transactional.
    Append(Option<i64>, usize, bool),
    NewLeader,
    Roll,
    /// So many batches of the tail, counted from its front, are in files and leave.
    Evict(usize),
    /// At the end of the batch picked, of those that no checkpoint has passed.
    Checkpoint(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (prop::option::of(0i64..4), 1usize..4, any::<bool>())
            .prop_map(|(producer, count, transactional)| Step::Append(producer, count, transactional)),
        1 => Just(Step::NewLeader),
        1 => Just(Step::Roll),
        2 => (0usize..6).prop_map(Step::Evict),
        3 => any::<usize>().prop_map(Step::Checkpoint),
    ]
}

struct Written {
    segment: Offset,
    position: u64,
    bytes: bytes::Bytes,
}

struct World {
    log: PartitionLog,
    batches: Vec<Written>,
    epoch: i32,
    sequences: [i32; 4],
    /// Batches that were evicted or that a checkpoint has counted.
    passed: usize,
    evicted: usize,
}

/// The log of the first `count` batches, read from files.
fn scanned(batches: &[Written]) -> RecoveredLog {
    let mut scanner = LogScanner::new();
    for of_segment in batches.chunk_by(|a, b| a.segment == b.segment) {
        let file: Vec<u8> = of_segment.iter().flat_map(|batch| batch.bytes.to_vec()).collect();
        let mut read = |position: u64, into: &mut [u8]| {
            into.copy_from_slice(&file[position as usize..position as usize + into.len()]);
            Ok(())
        };
        scanner.segment(of_segment[0].segment, file.len() as u64, &mut read).expect("its own batches");
    }
    scanner.finish()
}

impl World {
    fn run(&mut self, step: &Step) {
        match *step {
            Step::Append(producer, count, transactional) => self.append(producer, count, transactional),
            Step::NewLeader => {
                self.epoch += 1;
                self.log.begin_leader_epoch(LeaderEpoch(self.epoch));
            }
            Step::Roll => _ = self.log.close_active(),
            Step::Evict(count) => self.evict(count),
            Step::Checkpoint(pick) => self.checkpoint(pick),
        }
    }

    fn append(&mut self, producer: Option<i64>, count: usize, transactional: bool) {
        let mut batch = builder(&vec![self.batches.len() as i64 % 7; count], 5);
        // Of each producer all batches are transactional, or none.
        let transactional = transactional && producer == Some(3);
        if let Some(producer) = producer.filter(|producer| *producer < 3 || transactional) {
            let sequence = &mut self.sequences[producer as usize];
            batch = batch.producer(producer, 0, *sequence);
            *sequence += count as i32;
            if transactional {
                batch = batch.transactional();
            }
        }
        let batch = owned(batch.build());
        let appended = self.log.append(now(1), LeaderEpoch(self.epoch), batch, transactional).expect("good");
        let write = appended.write.expect("new");
        self.batches.push(Written { segment: write.segment, position: write.position, bytes: write.bytes });
    }

    fn evict(&mut self, count: usize) {
        for _ in 0..count {
            let Some(batch) = self.batches.get(self.evicted) else { return };
            self.log.set_file(batch.segment, FileId(1));
            self.log.on_written(batch.segment, batch.position + batch.bytes.len() as u64);
            assert!(self.log.evict_oldest().is_some());
            self.evicted += 1;
            self.passed = self.passed.max(self.evicted);
        }
    }

    fn checkpoint(&mut self, pick: usize) {
        let left = self.batches.len() - self.passed;
        if left == 0 {
            return;
        }
        self.passed += 1 + pick % left;
        let (before, after) = self.batches.split_at(self.passed);
        let last = before.last().expect("one was passed");
        let checkpoint = self.log.checkpoint(last.segment, last.position + last.bytes.len() as u64);
        let expect = scanned(before);
        assert_eq!(checkpoint.next_offset, expect.log_end);
        assert_eq!(checkpoint.max_timestamp, expect.segments.last().map_or(-1, Segment::max_timestamp));
        assert_eq!(checkpoint.snapshot, expect.snapshot());
        let encoded = checkpoint.encode();
        assert!(encoded.len() as u64 <= self.log.checkpoint_bytes_max());
        assert_eq!(Checkpoint::decode(&encoded), Ok(checkpoint.clone()));

        // The journal's batches bring it to the end: of this segment, then segment by segment.
        let mut known = (LeaderEpochs::default(), ProducerStates::default());
        let mut replayed = Replayed::new(last.segment, Some(&checkpoint)).expect("its own bytes");
        for batch in after {
            if batch.segment != replayed.sealed().base_offset {
                replayed.apply(&mut known.0, &mut known.1);
                replayed = Replayed::new(batch.segment, None).expect("nothing to read");
            }
            replayed.on_data(batch.position, &batch.bytes).expect("the next batch");
            // Carried once more.
            replayed.on_data(batch.position, &batch.bytes[1..]).expect("known already");
        }
        let sealed = replayed.sealed();
        replayed.apply(&mut known.0, &mut known.1);
        let all = scanned(&self.batches);
        assert_eq!(Some(sealed), all.segments.last().map(Segment::sealed));
        assert_eq!(known, (all.epochs, all.producers));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_checkpoint_and_later_batches_are_what_a_walk_finds(steps in prop::collection::vec(step(), 1..60)) {
        let log = open(TopicConfig { segment_bytes: 4_000, ..TopicConfig::default() });
        let mut world = World { log, batches: vec![], epoch: 0, sequences: [0; 4], passed: 0, evicted: 0 };
        for step in &steps {
            world.run(step);
        }
        world.checkpoint(0);
    }

    #[test]
    fn any_bytes_are_a_checkpoint_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(checkpoint) = Checkpoint::decode(&bytes) {
            prop_assert_eq!(&checkpoint.encode()[..], &bytes[..]);
            drop(Replayed::new(Offset(0), Some(&checkpoint)));
        }
    }
}

#[test]
fn data_that_is_not_the_next_batch_is_refused() {
    let mut log = open(TopicConfig::default());
    let mut append = || {
        let appended =
            log.append(now(1), LeaderEpoch(0), owned(builder(&[1], 5).build()), false).expect("good");
        appended.write.expect("new")
    };
    let (first, second) = (append(), append());
    let mut replayed = Replayed::new(Offset(0), None).expect("nothing to read");
    assert!(replayed.on_data(second.position, &second.bytes).is_err(), "a gap");
    assert!(replayed.on_data(0, &first.bytes[..40]).is_err(), "a part");
    let both = [&first.bytes[..], &second.bytes[..]].concat();
    assert!(replayed.on_data(0, &both).is_err(), "two at once");
    assert_eq!(replayed.on_data(0, &first.bytes), Ok(()));
    assert!(replayed.on_data(second.position, &first.bytes).is_err(), "the same offset again");
    assert_eq!(replayed.on_data(second.position, &second.bytes), Ok(()));
    assert_eq!(replayed.sealed().length, both.len() as u64);
}
