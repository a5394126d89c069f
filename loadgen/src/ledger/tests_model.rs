//! A model: a broker that stores what several connections send, right or with one fault, read in any interleaving with its
//! answers. A right log is clean; a fault has exactly its name.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const RUN: u32 = 3;
const START: i64 = 100;

/// One batch in the log, and what its producer is told.
#[derive(Clone, Copy, Debug)]
struct Stored {
    sent: SentBatch,
    crc: u32,
    crc_is_right: bool,
    ours: bool,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    At(i64),
    Elsewhere,
    Unknown,
    Refused,
}

#[derive(Clone, Debug)]
struct World {
    log: Vec<(i64, Stored)>,
    answers: Vec<(SentBatch, Answer)>,
    end: i64,
    compressed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The connection dies before the answer; the batch is there.
    AnswerDropped,
    /// It is not.
    RequestDropped,
    RefusedAbsent,
    RefusedPresent,
    DuplicateAnswer,
    /// Acknowledged and not stored: its offsets stay empty, or the next batch gets them.
    LostWithGap,
    LostAndReused,
    LostEnd,
    CopiedFirstAcknowledged,
    CopiedSecondAcknowledged,
    ByteFlipped,
    Rewritten,
    /// Two batches of one connection, stored the other way round, and so acknowledged.
    Reordered,
    /// Any two neighbours in each other's place when they are read.
    SwappedOnTheWay,
    /// Offsets that nobody has.
    Gap,
    Foreign,
}

const FAULTS: [Fault; 17] = [
    Fault::None,
    Fault::AnswerDropped,
    Fault::RequestDropped,
    Fault::RefusedAbsent,
    Fault::RefusedPresent,
    Fault::DuplicateAnswer,
    Fault::LostWithGap,
    Fault::LostAndReused,
    Fault::LostEnd,
    Fault::CopiedFirstAcknowledged,
    Fault::CopiedSecondAcknowledged,
    Fault::ByteFlipped,
    Fault::Rewritten,
    Fault::Reordered,
    Fault::SwappedOnTheWay,
    Fault::Gap,
    Fault::Foreign,
];

/// The batches in the order in which a right broker stores them: (connection, records) of each.
fn batches(plan: &[(u32, u32)]) -> Vec<SentBatch> {
    let mut sequences = [0; 4];
    let mut made = Vec::new();
    for (connection, records) in plan {
        let sequence = &mut sequences[*connection as usize];
        made.push(SentBatch {
            connection: *connection,
            sequence: *sequence,
            crc: (connection + 1) << 16 | *sequence,
            records: *records,
            intended_ns: 0,
        });
        *sequence += 1;
    }
    made
}

/// What a broker with this fault at `at` has, and has said.
fn world(sent: &[SentBatch], fault: Fault, at: usize, compressed: bool) -> World {
    let mut world = World { log: Vec::new(), answers: Vec::new(), end: START, compressed };
    let mut order: Vec<SentBatch> = sent.to_vec();
    if fault == Fault::Reordered {
        let next = (at + 1..order.len()).find(|other| order[*other].connection == order[at].connection);
        order.swap(at, next.expect("the caller has looked for one"));
    }
    for (index, batch) in order.iter().enumerate() {
        let stored = Stored { sent: *batch, crc: batch.crc, crc_is_right: true, ours: true };
        if index != at {
            let offset = world.store(stored);
            world.answers.push((*batch, Answer::At(offset)));
            continue;
        }
        world.store_with_fault(stored, fault);
    }
    if fault == Fault::SwappedOnTheWay {
        let (first, second) = (world.log[at], world.log[at + 1]);
        world.log[at].1 = second.1;
        world.log[at + 1] = (first.0 + i64::from(second.1.sent.records), first.1);
    }
    world
}

impl World {
    fn store(&mut self, stored: Stored) -> i64 {
        let offset = self.end;
        self.log.push((offset, stored));
        self.end += i64::from(stored.sent.records);
        offset
    }

    fn store_with_fault(&mut self, stored: Stored, fault: Fault) {
        let batch = stored.sent;
        let answer = match fault {
            Fault::None | Fault::Reordered | Fault::SwappedOnTheWay => Answer::At(self.store(stored)),
            Fault::AnswerDropped => {
                self.store(stored);
                Answer::Unknown
            }
            Fault::RequestDropped => Answer::Unknown,
            Fault::RefusedAbsent => Answer::Refused,
            Fault::RefusedPresent => {
                self.store(stored);
                Answer::Refused
            }
            Fault::DuplicateAnswer => {
                self.store(stored);
                Answer::Elsewhere
            }
            Fault::LostWithGap => {
                self.end += i64::from(batch.records);
                Answer::At(self.end - i64::from(batch.records))
            }
            Fault::LostAndReused | Fault::LostEnd => Answer::At(self.end),
            Fault::CopiedFirstAcknowledged => {
                let offset = self.store(stored);
                self.store(stored);
                Answer::At(offset)
            }
            Fault::CopiedSecondAcknowledged => {
                self.store(stored);
                Answer::At(self.store(stored))
            }
            Fault::ByteFlipped => Answer::At(self.store(Stored { crc_is_right: false, ..stored })),
            Fault::Rewritten => Answer::At(self.store(Stored { crc: 5, ..stored })),
            Fault::Gap => {
                self.end += 3;
                Answer::At(self.store(stored))
            }
            Fault::Foreign => {
                self.store(Stored { crc: 6, ours: false, ..stored });
                Answer::At(self.store(stored))
            }
        };
        self.answers.push((batch, answer));
    }

    /// Tells of everything: the log in its order, the answers of each connection in theirs, between one another as `turns` say.
    fn judge(&self, turns: &[Index]) -> Verification {
        let mut queues: Vec<VecDeque<(SentBatch, Answer)>> = vec![VecDeque::new(); 4];
        for (sent, answer) in &self.answers {
            queues[sent.connection as usize].push_back((*sent, *answer));
        }
        let mut reading: VecDeque<FoundBatch> =
            self.log.iter().map(|(at, stored)| self.found(*at, stored)).collect();
        let mut ledger = PartitionLedger::new(START, RUN);
        let mut turns = turns.iter().cycle();
        loop {
            let open: Vec<usize> = (0..4).filter(|queue| !queues[*queue].is_empty()).collect();
            let choices = open.len() + usize::from(!reading.is_empty());
            if choices == 0 {
                return ledger.finish(self.end, "t-0");
            }
            let choice = turns.next().expect("there are turns").index(choices);
            let Some(queue) = open.get(choice) else {
                ledger.on_read(reading.pop_front().expect("counted above"), 0);
                continue;
            };
            match queues[*queue].pop_front().expect("only open queues are chosen") {
                (sent, Answer::At(offset)) => drop(ledger.on_acknowledged(sent, offset)),
                (sent, Answer::Elsewhere) => drop(ledger.on_acknowledged_elsewhere(sent)),
                (sent, Answer::Unknown) => drop(ledger.on_unknown(sent)),
                (sent, Answer::Refused) => ledger.on_refused(sent),
            }
        }
    }

    fn found(&self, base_offset: i64, stored: &Stored) -> FoundBatch {
        let sent = &stored.sent;
        let stamp = Stamp {
            run: if stored.ours { RUN } else { RUN + 1 },
            connection: sent.connection,
            sequence: sent.sequence,
            intended_ns: 0,
            partition: 0,
            topic: 0,
        };
        FoundBatch {
            base_offset,
            last_offset: base_offset + i64::from(sent.records) - 1,
            records: sent.records,
            crc_stored: stored.crc,
            crc_is_right: stored.crc_is_right,
            is_compressed: self.compressed,
            is_control: false,
            stamp: (!self.compressed).then_some(stamp),
        }
    }
}

/// What the verdict on `count` batches must be.
fn expected(fault: Fault, count: u64) -> Verification {
    let mut verdict = Verification { acknowledged: count, verified: count, ..Verification::default() };
    match fault {
        Fault::None | Fault::DuplicateAnswer => {}
        Fault::AnswerDropped => verdict.indeterminate_present = 1,
        Fault::RequestDropped => verdict.indeterminate_absent = 1,
        Fault::RefusedAbsent => {}
        Fault::RefusedPresent => verdict.refused_but_present = 1,
        Fault::LostWithGap | Fault::LostAndReused | Fault::LostEnd => verdict.lost = 1,
        Fault::CopiedFirstAcknowledged | Fault::CopiedSecondAcknowledged => verdict.duplicated = 1,
        Fault::ByteFlipped | Fault::Rewritten => verdict.corrupted = 1,
        Fault::Reordered => verdict.reordered = 1,
        Fault::SwappedOnTheWay => verdict.reordered = 2,
        Fault::Gap => verdict.gaps = 1,
        Fault::Foreign => verdict.foreign = 1,
    }
    let not_told = [Fault::AnswerDropped, Fault::RequestDropped, Fault::RefusedAbsent, Fault::RefusedPresent];
    verdict.acknowledged -= u64::from(not_told.contains(&fault));
    verdict.verified = verdict.acknowledged - verdict.lost - verdict.corrupted - verdict.reordered;
    verdict
}

/// Where this fault can be put, at or before `at`.
fn place(sent: &[SentBatch], fault: Fault, at: usize) -> Option<usize> {
    let can_be = |at: &usize| match fault {
        Fault::LostEnd => *at == sent.len() - 1,
        Fault::SwappedOnTheWay => at + 1 < sent.len(),
        Fault::Reordered => {
            let own = &sent[*at];
            sent[at + 1..].iter().any(|other| other.connection == own.connection)
        }
        _ => true,
    };
    if fault == Fault::LostEnd { Some(sent.len() - 1) } else { (0..=at).rev().find(can_be) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_fault_has_its_name_in_every_interleaving(
        plan in vec((0u32..4, 1u32..5), 1..60),
        fault in proptest::sample::select(&FAULTS[..]),
        at in any::<Index>(),
        compressed in any::<bool>(),
        turns in vec(any::<Index>(), 1..400),
    ) {
        let sent = batches(&plan);
        let place = place(&sent, fault, at.index(sent.len()));
        prop_assume!(place.is_some());
        let world = world(&sent, fault, place.unwrap(), compressed);
        let found = world.judge(&turns);
        let expect = Verification { examples: found.examples.clone(), ..expected(fault, sent.len() as u64) };
        prop_assert_eq!(&found, &expect);
        prop_assert_eq!(found.is_clean(), found.examples.is_empty());
    }
}
