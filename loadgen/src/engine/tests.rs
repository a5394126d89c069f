//! Runs that cannot be made say why in one sentence; and a small workload, which other tests share.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;

use core::time::Duration;

use super::run;
use crate::null_broker::{AddedDelay, NullBrokerOptions, serve};
use crate::window::Stop;
use crate::workload::{Acks, Arrival, Codec, ConsumeFrom, Keys, Options, Rate, Verify, Workload};

pub fn workload() -> Workload {
    Workload {
        topic: "topic".into(),
        topics: 1,
        partitions: 1,
        replication_factor: 1,
        topic_configs: Vec::new(),
        producers: 1,
        consumers: 0,
        groups: 1,
        consume_from: ConsumeFrom::End,
        idle_connections: 0,
        record_bytes: 100,
        records_per_batch: 10,
        batches_per_request: 1,
        linger: Duration::ZERO,
        codec: Codec::None,
        keys: Keys::None,
        acks: Acks::All,
        in_flight: 5,
        idempotent: false,
        rate: Rate::Max,
        arrival: Arrival::Uniform,
        duration: Duration::from_millis(300),
        warm_up: Duration::ZERO,
        seed: 1,
        fetch_wait: Duration::from_millis(100),
        fetch_bytes_min: 1,
        fetch_bytes_max: 1 << 20,
        partition_fetch_bytes_max: 1 << 20,
    }
}

pub fn options(bootstrap: &str) -> Options {
    Options {
        bootstrap: bootstrap.to_owned(),
        cpus: Vec::new(),
        spin: false,
        verify: Verify::Off,
        broker_pid: None,
        ledger_bytes_max: 1 << 20,
        reconnect_for: Duration::from_secs(1),
    }
}

fn error_of(address: SocketAddr, workload: &Workload) -> String {
    run(workload, &options(&address.to_string()), &Stop::default(), &mut |_| ())
        .expect_err("the run cannot be made")
        .to_string()
}

/// An address whose server reads one request, says `answer` and closes.
fn server_that_says(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        stream.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize]).unwrap();
        stream.write_all(answer).unwrap();
    });
    address
}

#[test]
fn an_address_without_a_listener_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = error_of(address, &workload());
    assert!(error.starts_with(&format!("cannot connect to {address}: Connection refused")), "{error}");
}

#[test]
fn what_is_no_broker_is_told() {
    let answers: [&[u8]; 4] =
        [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", &[0, 0, 0, 5, 0, 0, 0, 9, 1], &[0, 0, 0, 2, 0, 0]];
    for answer in answers {
        let error = error_of(server_that_says(answer), &workload());
        assert!(error.ends_with("is it the address of a Kafka broker's PLAINTEXT listener?"), "{error}");
    }
}

#[test]
fn a_topic_with_too_few_partitions_is_told() {
    let (sender, ready) = mpsc::channel();
    std::thread::spawn(move || {
        let options = NullBrokerOptions { partitions: 1, cpu: None, delay: AddedDelay::default() };
        serve("127.0.0.1:0".parse().unwrap(), &options, |address| sender.send(address).unwrap())
    });
    let address = ready.recv().unwrap();
    // A run without producers creates the topic.
    let none = Workload { producers: 0, partitions: 5, duration: Duration::from_millis(10), ..workload() };
    let options = options(&address.to_string());
    run(&none, &options, &Stop::default(), &mut |_| ()).unwrap();
    let error = error_of(address, &Workload { partitions: 6, ..workload() });
    assert_eq!(
        error,
        "topic topic has 5 partitions, and the workload wants 6; choose another topic, delete this one, or ask for fewer \
         with --partitions"
    );
}
