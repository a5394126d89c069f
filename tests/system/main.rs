//! The real process: how it starts, refuses to start, stops, and comes back. Free ports and directories of its own for each test.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "it runs real processes, and tells what a failed one said"
)]

#[path = "../broker/mod.rs"]
mod broker;

use std::io::{Read, Write};
use std::net::TcpStream;

use broker::{Broker, Scratch, Stopped, refused};
use rustix::process::Signal;

const API_VERSIONS: i16 = 18;

/// Asks for the API versions and returns the correlation id that came back.
fn api_versions(stream: &mut TcpStream, correlation_id: i32) -> i32 {
    let mut request = Vec::new();
    request.extend_from_slice(&10_i32.to_be_bytes());
    request.extend_from_slice(&API_VERSIONS.to_be_bytes());
    request.extend_from_slice(&0_i16.to_be_bytes());
    request.extend_from_slice(&correlation_id.to_be_bytes());
    request.extend_from_slice(&(-1_i16).to_be_bytes());
    stream.write_all(&request).expect("connected");
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).expect("an answer");
    let mut body = vec![0; usize::try_from(i32::from_be_bytes(prefix)).expect("positive")];
    stream.read_exact(&mut body).expect("a whole answer");
    i32::from_be_bytes(body[..4].try_into().expect("a correlation id"))
}

#[test]
fn a_broker_answers_on_any_number_of_shards_and_ends_with_0_when_told_to_stop() {
    for (shards, signal) in [("1", Signal::TERM), ("2", Signal::INT), ("4", Signal::TERM)] {
        let data = Scratch::new();
        let broker = Broker::serve(&data, &["--shards", shards]);
        for correlation_id in 1..20 {
            assert_eq!(api_versions(&mut broker.connect(), correlation_id), correlation_id);
        }
        let idle = broker.connect();
        assert_eq!(
            broker.end(&data, signal),
            Stopped { code: Some(0), errors: String::new() },
            "{shards} shards"
        );
        drop(idle);
    }
}

#[test]
fn a_killed_broker_starts_again_as_the_same_one_whatever_the_number_of_shards() {
    let data = Scratch::new();
    let mut identity = None;
    for shards in ["4", "1", "3"] {
        let broker = Broker::serve(&data, &["--shards", shards]);
        assert_eq!(api_versions(&mut broker.connect(), 7), 7);
        let found =
            std::fs::read_to_string(data.data().join("meta.properties")).expect("written at the first start");
        assert_eq!(identity.get_or_insert_with(|| found.clone()), &found);
        broker.kill();
    }
}

#[test]
fn two_brokers_do_not_share_a_directory() {
    let data = Scratch::new();
    let broker = Broker::serve(&data, &["--shards", "1"]);
    let errors = refused(&data, &["--listen", "127.0.0.1:0"]);
    assert!(errors.contains("another broker runs in") && errors.contains("fix:"), "{errors}");
    broker.stop();
}

#[test]
fn two_brokers_do_not_share_a_port() {
    let data = Scratch::new();
    let broker = Broker::serve(&data, &["--shards", "2"]);
    let other = Scratch::new();
    let address = broker.address().to_string();
    let errors = refused(&other, &["--listen", &address]);
    let port = broker.address().port().to_string();
    assert!(errors.contains("is taken") && errors.contains(&port), "{errors}");
    broker.stop();
}

#[test]
fn what_cannot_be_started_says_why_and_what_to_do() {
    let data = Scratch::new();
    for (arguments, expected) in [
        (&["--set", "num.partition=3"][..], "num.partitions"),
        (&["--set", "num.partitions=zero"], "num.partitions"),
        (&["--cpus", "0,1023"], "CPU 1023"),
        (&["--listen", "192.0.2.1:0"], "not an address of this host"),
        (&["--config", "/nowhere/server.properties"], "/nowhere/server.properties"),
    ] {
        let errors = refused(&data, arguments);
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_directory_of_another_node_is_refused() {
    let data = Scratch::new();
    Broker::serve(&data, &["--shards", "1", "--set", "node.id=3"]).stop();
    let errors = refused(&data, &["--set", "node.id=4"]);
    assert!(errors.contains("node.id is 4") && errors.contains("belongs to node 3"), "{errors}");
}

#[test]
fn the_admin_port_tells_health_and_metrics() {
    let data = Scratch::new();
    let broker = Broker::serve(&data, &["--shards", "2", "--admin", "127.0.0.1:0"]);
    api_versions(&mut broker.connect(), 1);
    assert!(broker.admin("GET /livez HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    assert!(broker.admin("GET /readyz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    assert!(broker.admin("GET /secret HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(broker.admin("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let metrics = broker.admin("GET /metrics?x=1 HTTP/1.1\r\nHost: here\r\n\r\n");
    for expected in ["penstock_connections{shard=\"0\"}", "penstock_connections{shard=\"1\"}", "# EOF"] {
        assert!(metrics.contains(expected), "{expected} is not in\n{metrics}");
    }
    broker.stop();
}

#[test]
fn an_ordinary_user_with_little_locked_memory_can_run_a_broker() {
    for locked_kib in [8192, 64] {
        let data = Scratch::public();
        let broker = Broker::as_ordinary_user(&data, locked_kib, &["--shards", "2"]);
        assert_eq!(api_versions(&mut broker.connect(), 9), 9);
        assert_eq!(broker.end(&data, Signal::TERM).code, Some(0), "{locked_kib} KiB");
    }
}

fn meta_properties(data: &Scratch, dir: &str) -> (String, String) {
    let text = std::fs::read_to_string(data.data().join(dir).join("meta.properties")).expect("it was made");
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)).expect("every key is there").to_owned()
    };
    (value("cluster.id="), value("directory.id="))
}

fn log_dirs(data: &Scratch, dirs: &[&str]) -> String {
    let paths: Vec<String> = dirs.iter().map(|dir| data.data().join(dir).display().to_string()).collect();
    format!("log.dirs={}", paths.join(","))
}

/// Each has an id of its own and the cluster of the others; one that cannot be reached does not keep the broker from starting, unless
/// the metadata log is in it.
#[test]
fn several_log_dirs_start_together_and_without_one_of_them() {
    let data = Scratch::new();
    let both = log_dirs(&data, &["a", "b"]);
    Broker::serve(&data, &["--shards", "2", "--set", &both]).kill();
    let (cluster, first) = meta_properties(&data, "a");
    let (same, second) = meta_properties(&data, "b");
    assert!(cluster == same && first != second);
    assert!(!data.data().join("b/__cluster_metadata-0").exists(), "the metadata log is in the first");
    std::fs::rename(data.data().join("b"), data.data().join("away")).expect("ours");
    std::fs::write(data.data().join("b"), "not a directory").expect("ours");
    let broker = Broker::serve(&data, &["--shards", "1", "--set", &both]);
    assert_eq!(api_versions(&mut broker.connect(), 5), 5);
    let stopped = broker.end(&data, Signal::TERM);
    assert!(stopped.code == Some(0) && stopped.errors.contains("a log dir cannot be used"), "{stopped:?}");
    let errors = refused(&data, &["--set", &log_dirs(&data, &["b", "a"])]);
    assert!(errors.contains("cannot create the data directory"), "{errors}");
    std::fs::remove_file(data.data().join("b")).expect("ours");
    std::fs::rename(data.data().join("away"), data.data().join("b")).expect("ours");
    Broker::serve(&data, &["--shards", "3", "--set", &both]).stop();
    assert_eq!(meta_properties(&data, "b"), (same, second));
}

#[test]
fn log_dirs_that_contradict_each_other_are_refused() {
    let data = Scratch::new();
    for dir in ["a", "c"] {
        Broker::serve(&data, &["--shards", "1", "--set", &log_dirs(&data, &[dir])]).stop();
    }
    let errors = refused(&data, &["--set", &log_dirs(&data, &["a", "c"])]);
    assert!(errors.contains("belongs to cluster") && errors.contains("fix:"), "{errors}");
    std::fs::create_dir(data.data().join("copy")).expect("ours");
    let [from, to] = ["a", "copy"].map(|dir| data.data().join(dir).join("meta.properties"));
    std::fs::copy(from, to).expect("ours");
    let errors = refused(&data, &["--set", &log_dirs(&data, &["a", "copy"])]);
    assert!(errors.contains("the same directory.id"), "{errors}");
}
