//! `penstock load` and `penstock dev --load` as real processes: exit codes, and that nothing is left behind.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it runs real processes")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The run was made and nothing is lost. Beside other tests the figures need not count.
const FINISHED: [Option<i32>; 2] = [Some(0), Some(3)];

fn penstock(data_home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    command.args(arguments).env("XDG_DATA_HOME", data_home).env_remove("PENSTOCK_LOG");
    command.output().expect("the program that was built")
}

fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{}-{name}", std::process::id()));
    fs::create_dir_all(&path).expect("writable");
    path
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_broker_with_a_load_verifies_it_ends_and_leaves_nothing() {
    let home = scratch("dev");
    let output = penstock(&home, &["dev", "--load", "1s", "--exit", "--listen", "127.0.0.1:0"]);
    let text = shown(&output);
    assert!(FINISHED.contains(&output.status.code()), "{text}");
    assert!(text.contains("verified: ") && text.contains("p99.99"), "{text}");
    assert_eq!(fs::read_dir(&home).expect("ours").count(), 0);
    fs::remove_dir_all(home).expect("ours");
}

#[test]
fn the_null_broker_is_driven_beside_the_run() {
    let home = scratch("null");
    let report = home.join("report.json");
    let report = report.to_str().expect("plain");
    let output = penstock(
        &home,
        &["load", "--null-broker", "--duration", "1s", "--warm-up", "0s", "--quiet", "--json", report],
    );
    assert!(FINISHED.contains(&output.status.code()), "{}", shown(&output));
    assert!(fs::read_to_string(report).expect("written").contains("\"report_version\""));
    fs::remove_dir_all(home).expect("ours");
}

#[test]
fn a_signal_ends_a_run_early_with_its_report() {
    let home = scratch("signal");
    let report = home.join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    command.args([
        "load",
        "--null-broker",
        "--rate",
        "1000",
        "--duration",
        "600s",
        "--warm-up",
        "0s",
        "--json",
    ]);
    let mut child = command.arg(&report).stdout(Stdio::piped()).spawn().expect("the program that was built");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = String::new();
    // Its first second.
    while !text.contains("p99.9") {
        assert_ne!(output.read_line(&mut text).expect("text"), 0, "{text}");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    output.read_to_string(&mut text).expect("text");
    let status = child.wait().expect("our child");
    assert!(FINISHED.contains(&status.code()), "{status}: {text}");
    assert!(text.contains("stopped after") && text.contains("p99.99"), "{text}");
    assert!(fs::read_to_string(report).expect("written").contains("\"stopped_early\": true"));
    fs::remove_dir_all(home).expect("ours");
}

#[test]
fn exit_codes_tell_a_wrong_command_line_from_a_broker_that_is_not_there() {
    let home = scratch("codes");
    // It was free a moment ago.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("bound").to_string();
    drop(nobody);
    let table: [(&[&str], i32, &str); 5] = [
        (&["load", "--partitions", "0"], 64, "partitions = 0"),
        (&["load", "--linger", "5 parsecs"], 64, "--linger"),
        (&["load", "--bootstrap", &address], 1, &address),
        (&["load", "--json", "/nowhere/at/all.json"], 1, "--json"),
        (&["load", "--help"], 0, "tail-latency"),
    ];
    for (arguments, code, words) in table {
        let output = penstock(&home, arguments);
        let text = shown(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    fs::remove_dir_all(home).expect("ours");
}
