//! Runs against a broker in memory, through a proxy that does one wrong thing: the verdict names it.
//!
//! Every fault is judged twice: by consumers during the run, and by reading back after it.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a broker and a proxy of the test have sockets and threads"
)]

mod broker;
mod proxy;

use std::time::Duration;

use loadgen::engine;
use loadgen::error::{ErrorKind, LoadError};
use loadgen::report::{RunReport, Verification};
use loadgen::settings::default_workload;
use loadgen::window::Stop;
use loadgen::workload::{Acks, Codec, Options, Rate, Verify, Workload};

use broker::Broker;
use proxy::{Fault, Proxy};

/// Of each batch.
const RECORDS: u32 = 2;
/// A Produce request in the middle of the run, and the offset of a batch there.
const REQUEST: usize = 20;
const OFFSET: i64 = 20 * RECORDS as i64;

/// One connection that produces to one partition, 500 batches a second.
fn workload() -> Workload {
    Workload {
        topic: "orders".into(),
        partitions: 1,
        replication_factor: 1,
        producers: 1,
        record_bytes: 100,
        records_per_batch: RECORDS,
        idempotent: false,
        in_flight: 5,
        rate: Rate::RecordsPerSecond(1_000.0),
        duration: Duration::from_millis(400),
        warm_up: Duration::ZERO,
        fetch_wait: Duration::from_millis(50),
        ..default_workload()
    }
}

fn options(bootstrap: std::net::SocketAddr) -> Options {
    Options {
        bootstrap: bootstrap.to_string(),
        cpus: Vec::new(),
        spin: false,
        verify: Verify::On,
        broker_pid: None,
        ledger_bytes_max: 1 << 30,
        reconnect_for: Duration::from_secs(30),
    }
}

fn run(workload: &Workload, fault: Fault) -> Result<RunReport, LoadError> {
    let broker = Broker::start();
    let proxy = Proxy::start(broker.address(), fault);
    broker.advertise(proxy.address());
    let report = engine::run(workload, &options(proxy.address()), &Stop::default(), &mut |_| {});
    assert_eq!(proxy.has_meddled(), fault != Fault::None, "{fault:?} happened");
    report
}

/// Without what every run has: the counts of what was acknowledged and verified, and the words.
fn faults(found: &Verification) -> Verification {
    Verification { acknowledged: 0, verified: 0, examples: Vec::new(), ..found.clone() }
}

/// The verdict of a run with this fault, with and without a codec, with and without consumers.
#[track_caller]
fn check(fault: Fault, expect: &Verification) {
    for codec in [Codec::None, Codec::Lz4] {
        for consumers in [0, 1] {
            let workload = Workload { codec, consumers, ..workload() };
            let found = run(&workload, fault).expect("the run is made").verification;
            let context = format!("{fault:?}, {codec:?}, {consumers} consumers: {found:?}");
            assert_eq!(faults(&found), *expect, "{context}");
            let unverified = expect.lost + expect.reordered + expect.corrupted;
            assert!(found.verified > 0 && found.verified + unverified == found.acknowledged, "{context}");
            assert_eq!(found.examples.is_empty(), found.is_clean(), "{context}");
        }
    }
}

/// The verdict of a run in which the connection is closed: what was in flight has no known end, and nothing is lost.
#[track_caller]
fn check_disconnected(fault: Fault, is_present: bool) {
    for consumers in [0, 1] {
        let workload = Workload { consumers, ..workload() };
        let report = run(&workload, fault).expect("the run is made");
        let found = &report.verification;
        assert!(found.is_clean(), "{fault:?}: {found:?}");
        assert_eq!(found.verified, found.acknowledged);
        let unknown = if is_present { found.indeterminate_present } else { found.indeterminate_absent };
        assert!(unknown >= 1 && report.produced.disconnects >= 1, "{fault:?}: {found:?}");
    }
}

#[test]
fn nothing_wrong_is_verified() {
    check(Fault::None, &Verification::default());
    let many = Workload {
        topics: 2,
        partitions: 3,
        producers: 4,
        consumers: 2,
        groups: 2,
        batches_per_request: 2,
        ..workload()
    };
    let found = run(&many, Fault::None).expect("the run is made").verification;
    assert_eq!(faults(&found), Verification::default());
    assert!(found.verified > 0 && found.verified == found.acknowledged);
}

#[test]
fn without_acknowledgements_every_end_is_unknown() {
    let found =
        run(&Workload { acks: Acks::None, ..workload() }, Fault::None).expect("the run is made").verification;
    assert!(found.is_clean() && found.acknowledged == 0 && found.indeterminate_present > 0, "{found:?}");
}

#[test]
fn a_late_answer_is_no_fault() {
    let late = Duration::from_millis(3);
    let report = run(&workload(), Fault::Delay(late)).expect("the run is made");
    assert_eq!(faults(&report.verification), Verification::default());
    assert!(report.latencies.response.min_ns >= late.as_nanos() as u64 * 99 / 100, "all answers were late");
}

#[test]
fn a_flipped_byte_is_corrupted() {
    let corrupted = Verification { corrupted: 1, ..Verification::default() };
    check(Fault::FlipProduced(REQUEST), &corrupted);
    check(Fault::FlipFetched(OFFSET), &corrupted);
}

#[test]
fn a_batch_that_arrives_twice_is_duplicated() {
    check(Fault::SendTwice(REQUEST), &Verification { duplicated: 1, ..Verification::default() });
}

#[test]
fn a_batch_behind_its_successor_is_reordered() {
    check(Fault::ExchangeProduced(REQUEST), &Verification { reordered: 1, ..Verification::default() });
    check(Fault::ExchangeFetched(OFFSET), &Verification { reordered: 2, ..Verification::default() });
}

#[test]
fn a_batch_that_is_not_handed_out_is_lost() {
    check(Fault::Withhold(OFFSET), &Verification { lost: 1, ..Verification::default() });
}

#[test]
fn an_answer_that_does_not_come_is_no_loss() {
    check_disconnected(Fault::CloseInsteadOfAnswer(REQUEST), true);
    check_disconnected(Fault::AnswerNever(REQUEST), true);
    check_disconnected(Fault::CloseInsteadOfRequest(REQUEST), false);
}

#[test]
fn an_idempotent_producer_sends_again_what_was_not_answered() {
    for fault in [Fault::CloseInsteadOfAnswer(REQUEST), Fault::CloseInsteadOfRequest(REQUEST)] {
        let report = run(&Workload { idempotent: true, ..workload() }, fault).expect("the run is made");
        let found = &report.verification;
        assert_eq!(faults(found), Verification::default(), "{found:?}");
        assert!(found.verified == found.acknowledged && report.produced.disconnects >= 1, "{found:?}");
    }
}

/// Stops the broker in the middle of a run, does something to it, and starts it again on its port.
fn run_with_restart(workload: &Workload, between: impl Fn(&Broker) + Send) -> Result<RunReport, LoadError> {
    let mut broker = Broker::start();
    let options = options(broker.address());
    std::thread::scope(|scope| {
        let control = scope.spawn(move || {
            broker.wait_until_stored(50);
            broker.stop();
            between(&broker);
            broker.start_again();
            broker
        });
        let report = engine::run(workload, &options, &Stop::default(), &mut |_| {});
        drop(control.join().expect("the broker is there again"));
        report
    })
}

#[test]
fn a_broker_that_comes_back_with_everything_has_lost_nothing() {
    for (idempotent, consumers) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let workload = Workload { idempotent, consumers, producers: 3, ..workload() };
        let report = run_with_restart(&workload, |_| {}).expect("the run is made");
        let found = &report.verification;
        assert!(found.is_clean() && found.verified == found.acknowledged, "{found:?}");
        assert!(report.produced.disconnects >= 1 && !report.produced.outages_ns.is_empty());
        if idempotent {
            assert_eq!(faults(found), Verification::default(), "sent again until acknowledged");
        }
    }
}

#[test]
fn a_broker_that_comes_back_with_less_has_lost_it() {
    let workload = Workload { in_flight: 1, consumers: 0, ..workload() };
    let report = run_with_restart(&workload, |broker| broker.forget_last(5)).expect("the run is made");
    let found = &report.verification;
    // One may have had no answer yet.
    assert!((4..=5).contains(&found.lost), "{found:?}");
    assert_eq!(found.verified + found.lost, found.acknowledged);
}

#[test]
fn a_reader_notices_that_what_it_has_read_is_gone() {
    let workload = Workload { in_flight: 1, consumers: 1, ..workload() };
    let outcome = run_with_restart(&workload, |broker| broker.forget_last(40));
    match outcome {
        Ok(report) => assert!(report.verification.lost > 0, "{:?}", report.verification),
        Err(error) => assert_eq!(error.kind, ErrorKind::Verification, "{error}"),
    }
}

#[test]
fn a_run_that_is_stopped_early_is_judged_like_a_whole_one() {
    for (fault, lost) in [(Fault::None, 0), (Fault::Withhold(OFFSET), 1)] {
        let workload = Workload { duration: Duration::from_secs(600), consumers: 1, ..workload() };
        let broker = Broker::start();
        let proxy = Proxy::start(broker.address(), fault);
        broker.advertise(proxy.address());
        let stop = Stop::default();
        let report = std::thread::scope(|scope| {
            scope.spawn(|| {
                broker.wait_until_stored(50);
                stop.wish();
            });
            engine::run(&workload, &options(proxy.address()), &stop, &mut |_| {}).expect("it has a report")
        });
        let found = &report.verification;
        assert!(report.stopped_early && report.seconds > 0.0 && report.seconds < 600.0);
        assert_eq!((found.lost, found.verified + found.lost), (lost, found.acknowledged), "{found:?}");
    }
}
