//! Command lines with an engine that only pretends: what is told, what is written, and the exit codes.

use std::path::Path;

use clap::Parser;

use super::*;
use crate::error::ErrorKind;
use crate::files;
use crate::workload::{Rate, Verify};

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    load: LoadCommand,
}

struct Told {
    result: Result<u8, LoadError>,
    text: String,
    runs: Vec<(Workload, Options)>,
}

/// Each run gives the report of `files`' tests, as `change` has made it.
fn load(arguments: &[&str], change: &dyn Fn(&mut RunReport, usize)) -> Told {
    let command = CommandLine::try_parse_from(std::iter::once(&"load").chain(arguments)).unwrap().load;
    let (mut out, mut runs) = (Vec::new(), Vec::new());
    let mut drive = |workload: &Workload, options: &Options, on_second: &mut dyn FnMut(&Second)| {
        runs.push((workload.clone(), options.clone()));
        on_second(&Second { second: 1, warm_up: true, records: 5, connected: 1, ..Second::default() });
        let mut report = files::tests::report();
        report.workload = workload.clone();
        change(&mut report, runs.len());
        Ok(report)
    };
    let mut console = Console { out: &mut out, paint: Paint { colours: false } };
    let result = dispatch(command, &mut drive, &Stop::default(), &mut console);
    Told { result, text: String::from_utf8(out).unwrap(), runs }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("loadgen-cli-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn exit_codes_are_by_what_was_found() {
    let code = |arguments: &[&str], change: &dyn Fn(&mut RunReport)| {
        load(arguments, &|report, _| change(report)).result.unwrap()
    };
    assert_eq!(code(&[], &|_| ()), 0);
    assert_eq!(code(&[], &|report| report.verification.lost = 1), 2);
    assert_eq!(code(&[], &|report| report.verification.verified = 1), 2);
    assert_eq!(code(&["--acks", "none"], &|report| report.verification.verified = 1), 0);
    assert_eq!(code(&[], &|report| report.invalid_because.push("too slow".to_owned())), 3);
    assert_eq!(code(&["--expect", "response.p99<1ms"], &|_| ()), 3);
    assert_eq!(code(&["--expect", "response.p99<1s", "--expect", "errors==0"], &|_| ()), 0);
    assert_eq!(
        code(&["--expect", "errors==1"], &|report| report.verification.corrupted = 1),
        2,
        "a loss weighs more"
    );
}

#[test]
fn a_run_shows_its_seconds_and_its_page() {
    let told = load(&["--no-verify"], &|_, _| ());
    assert!(told.text.contains("warm-up") && told.text.contains("p99.99"), "{}", told.text);
    assert!(told.text.contains("verification is off: nobody"), "{}", told.text);
    assert_eq!(told.runs[0].1.verify, Verify::Off);
    let quiet = load(&["--quiet"], &|_, _| ()).text;
    assert!(!quiet.contains("warm-up") && quiet.contains("p99.99"), "{quiet}");
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let table: [(&[&str], ErrorKind, &str); 6] = [
        (&["--partitions", "0"], ErrorKind::Usage, "partitions = 0"),
        (&["--expect", "speed>1"], ErrorKind::Usage, "speed"),
        (&["--json", "/nowhere/at/all.json"], ErrorKind::Failed, "--json /nowhere/at/all.json"),
        (&["--file", "/nowhere.toml"], ErrorKind::Failed, "/nowhere.toml"),
        (&["saturate", "--rate", "max"], ErrorKind::Usage, "--rate"),
        (&["compare", "/a.json", "/b.json"], ErrorKind::Failed, "/a.json"),
    ];
    for (arguments, kind, words) in table {
        let told = load(arguments, &|_, _| ());
        let error = told.result.expect_err(words);
        assert_eq!(error.kind, kind, "{arguments:?}");
        assert!(error.to_string().contains(words) && !error.fix.is_empty(), "{error}");
        assert!(told.runs.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_printed_workload_is_a_file_that_gives_it_again() {
    let folder = folder("print");
    let path = folder.join("workload.toml");
    let printed = load(&["--preset", "fan-out", "--rate", "7k", "--print-workload"], &|_, _| ());
    assert!(printed.runs.is_empty());
    std::fs::write(&path, &printed.text).unwrap();
    let again = load(&["--file", &text(&path), "--print-workload"], &|_, _| ());
    assert_eq!(again.text, printed.text);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn reports_are_written_and_compared() {
    let folder = folder("json");
    let [a, b, hdr] = ["a.json", "b.json", "a.hgrm"].map(|name| text(&folder.join(name)));
    assert_eq!(load(&["--json", &a, "--hdr", &hdr], &|_, _| ()).result, Ok(0));
    assert_eq!(load(&["--json", &b], &|report, _| report.produced.records *= 2).result, Ok(0));
    assert!(std::fs::read_to_string(&hdr).unwrap().contains("Percentile"));
    let told = load(&["compare", &a, &b], &|_, _| ());
    assert!(told.text.contains("2.000"), "{}", told.text);
    assert_eq!(load(&["--json", &b, "--partitions", "9"], &|_, _| ()).result, Ok(0));
    assert!(load(&["compare", &a, &b], &|_, _| ()).result.is_err());
    assert_eq!(load(&["compare", &a, &b, "--force"], &|_, _| ()).result, Ok(0));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_pair_drives_two_brokers_in_turns() {
    let told = load(&["pair", "--a", "one:1/11", "--b", "two:2", "--pairs", "2"], &|_, _| ());
    assert_eq!(told.result, Ok(0));
    let order: Vec<(&str, Option<u32>)> =
        told.runs.iter().map(|(_, options)| (options.bootstrap.as_str(), options.broker_pid)).collect();
    assert_eq!(order, [("one:1", Some(11)), ("two:2", None), ("two:2", None), ("one:1", Some(11))]);
    assert!(told.text.contains("95 % interval"), "{}", told.text);
    let mixed = load(&["pair", "--a", "one:1", "--b", "two:2", "--bootstrap", "three:3"], &|_, _| ());
    assert_eq!(mixed.result.unwrap_err().kind, ErrorKind::Usage);
}

#[test]
fn a_saturation_ends_with_a_rate() {
    let told = load(&["saturate", "--slo", "p99=10ms", "--rate", "1000"], &|report, _| {
        let Rate::RecordsPerSecond(rate) = report.workload.rate else { panic!("it was given in records") };
        report.produced.records_due = rate as u64;
        report.produced.records = rate.min(30_000.0) as u64;
    });
    assert_eq!(told.result, Ok(0), "{}", told.text);
    assert!(told.text.contains("highest rate with p99 within 10ms"), "{}", told.text);
}

#[test]
fn help_names_every_preset_and_every_exit_code() {
    let help = CommandLine::try_parse_from(["load", "--help"]).unwrap_err().to_string();
    for words in presets::PRESETS.map(|preset| preset.name).into_iter().chain([
        "64  the command line",
        "--rate",
        "saturate",
    ]) {
        assert!(help.contains(words), "{words} is missing:\n{help}");
    }
}
