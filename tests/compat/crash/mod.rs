//! Kill -9 at random moments under idempotent load, and a ledger that judges what is left.
//!
//! Two producers write numbered records to 10 partitions each without pause: one of bare requests with sequences of its
//! own, and librdkafka. A reader follows both. The broker is killed and started again, on 2, 1 and 4 shards in turn; whoever is cut off
//! comes back and goes on. Both producers send a record until it is acknowledged, so a partition must hold record n at
//! offset n: nothing lost, nothing twice, nothing out of order, nothing else.
//!
//! 3 crashes unless PENSTOCK_CRASHES says otherwise; PENSTOCK_SEED repeats the moments of a run.

mod ledger;
mod librdkafka_producer;
mod load;
mod tail;
mod wire_producer;

use std::thread;
use std::time::Duration;

use self::ledger::Ledger;
use self::load::{Load, Random};
use self::tail::Tail;
use crate::broker::{Broker, Scratch, free_port};
use crate::clients::PATIENCE;
use crate::wire::Wire;

const PARTITIONS: i32 = 10;
const WIRE_TOPIC: &str = "ledger-wire";
const LIBRDKAFKA_TOPIC: &str = "ledger-librdkafka";
/// Small segments, so that rolls and sealed files are part of every run.
const SEGMENT_BYTES: &str = "1048576";
const SHARDS: [u16; 3] = [2, 1, 4];
/// A broker lives for at most this many acknowledgements, or this long, whichever comes first.
const ACKS_MAX: u64 = 6_000;
const LIFE_MS_MAX: u64 = 600;
const LIBRARY_ACKS_MAX: u64 = 3_000;

#[test]
fn nothing_acknowledged_is_lost_doubled_or_reordered_by_kill_9() {
    let crashes = setting("PENSTOCK_CRASHES").unwrap_or(3);
    let seed = setting("PENSTOCK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let scratch = Scratch::new();
    let port = free_port();
    let broker = Broker::serve_at(&scratch, SHARDS[0], port, &[]);
    let mut wire = Wire::connect(broker.address()).expect("ready");
    for topic in [WIRE_TOPIC, LIBRDKAFKA_TOPIC] {
        wire.create_topic(topic, PARTITIONS, &[("segment.bytes", SEGMENT_BYTES)]);
    }
    let identity = wire.init_producer_id();
    drop(wire);

    let load = Load::new(broker.address(), seed);
    let (broker, wire_ledger, librdkafka_ledger) = thread::scope(|scope| {
        let _over = load.over_if_panicking();
        let by_wire = scope.spawn(|| wire_producer::produce(&load, WIRE_TOPIC, identity));
        let by_librdkafka = scope.spawn(|| librdkafka_producer::produce(&load, LIBRDKAFKA_TOPIC));
        let reader = scope.spawn(|| tail::follow(&load, &[WIRE_TOPIC, LIBRDKAFKA_TOPIC]));
        let broker = crash(&load, &scratch, broker, port, crashes);
        load.no_more();
        let wire_ledger = by_wire.join().expect("the producer of requests");
        let librdkafka_ledger = by_librdkafka.join().expect("librdkafka's producer");
        load.over();
        reader.join().expect("the reader");
        (broker, wire_ledger, librdkafka_ledger)
    });
    let ledgers = [(WIRE_TOPIC, &wire_ledger), (LIBRDKAFKA_TOPIC, &librdkafka_ledger)];
    verify(&broker, &ledgers);
    broker.kill();
    let broker = Broker::serve_at(&scratch, 3, port, &[]);
    verify(&broker, &ledgers);
    broker.stop();
    let broker = Broker::serve_at(&scratch, 2, port, &[]);
    verify(&broker, &ledgers);
    eprintln!(
        "seed {seed}: {crashes} kills, acknowledged {} + {} records; {}",
        wire_ledger.len(),
        librdkafka_ledger.len(),
        load.figures()
    );
}

/// Kills and starts the broker again, `crashes` times, each at a moment of its own.
fn crash(load: &Load, scratch: &Scratch, mut broker: Broker, port: u16, crashes: u64) -> Broker {
    let mut random = Random::new(load.seed);
    load.started(&broker);
    for crash in 0..crashes {
        assert!(!load.is_over(), "a thread of the load failed");
        let acks = random.below(ACKS_MAX);
        let life = Duration::from_millis(random.below(LIFE_MS_MAX));
        // One life in four may end before librdkafka has found its broker.
        if crash % 4 != 3 {
            load.wait_for_library_acks(random.below(LIBRARY_ACKS_MAX), PATIENCE);
        }
        load.wait_for_acks(acks, life);
        load.down();
        broker.kill();
        let shards = SHARDS[(crash as usize + 1) % SHARDS.len()];
        broker = Broker::serve_at(scratch, shards, port, &[]);
        load.started(&broker);
    }
    // The last one, too, has to take something from each producer.
    load.wait_for_acks(1, PATIENCE);
    load.wait_for_library_acks(1, PATIENCE);
    broker
}

/// Reads both topics from their beginnings and compares every record with the ledger.
fn verify(broker: &Broker, ledgers: &[(&str, &Ledger)]) {
    let mut wire = Wire::connect(broker.address()).expect("ready");
    for &(topic, ledger) in ledgers {
        let mut tail = Tail::new(&[topic]);
        while tail
            .round(&mut wire, |partition, number, offset, hash| {
                ledger.check(topic, partition, number, offset, hash);
            })
            .expect("nobody kills this broker")
        {}
        ledger.check_ends(topic, &tail);
    }
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
