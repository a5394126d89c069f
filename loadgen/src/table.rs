//! The last page of a run: what was asked, what came, what it cost, whether it is all there, and whether the figures count.
//!
//! Decides words and order. Pure: a report becomes text.

use comfy_table::{CellAlignment, Table, presets};

use crate::error::LoadError;
use crate::expectation::QUANTILES;
use crate::figures::{self, Paint};
use crate::picture;
use crate::report::{BrokerProcess, RunReport, Summary, Verification};
use crate::verdict;
use crate::workload::Acks;

/// `violations`: sentences about expectations that do not hold.
pub fn page(report: &RunReport, violations: &[String], paint: Paint) -> Result<String, LoadError> {
    let mut text = format!("\n{}\n", paint.bold(&figures::workload(&report.workload)));
    text.push_str(&machine(report));
    text.push_str(&stopped(report, paint));
    text.push('\n');
    text.push_str(&latencies(report));
    text.push('\n');
    if let Some(histogram) = picture::decode(&report.latencies.response)? {
        text.push_str(&format!(
            "{}\n{}",
            paint.bold("response, batches (bars: logarithm of the count; right: share up to here)"),
            picture::draw(&histogram)
        ));
    }
    text.push('\n');
    text.push_str(&throughput(report));
    text.push_str(&costs(report));
    text.push('\n');
    text.push_str(&verification(&report.verification, report.workload.acks, paint));
    for reason in report.invalid_because.iter().chain(violations) {
        text.push_str(&format!("{}\n", paint.red(&format!("! {reason}"))));
    }
    Ok(text)
}

fn machine(report: &RunReport) -> String {
    let machine = &report.machine;
    format!(
        "{}{}: {} x {}, {}, Linux {}; steal {:.1} %, idle {:.0} %\n",
        report.bootstrap,
        if machine.loopback { " on this machine, over loopback" } else { "; this machine" },
        machine.cpus,
        if machine.cpu_model.is_empty() { "core" } else { &machine.cpu_model },
        figures::bytes(machine.memory_bytes),
        machine.kernel,
        machine.steal_percent,
        machine.idle_percent,
    )
}

/// A run that somebody has ended: its figures are those of the time it had.
fn stopped(report: &RunReport, paint: Paint) -> String {
    if !report.stopped_early {
        return String::new();
    }
    let whole = report.workload.duration.as_secs_f64();
    let text = format!("stopped after {:.1} s of {whole:.1} s", report.seconds);
    format!("{}\n", paint.yellow(&text))
}

fn latencies(report: &RunReport) -> String {
    let latencies = &report.latencies;
    let mut rows = vec![("response", &latencies.response)];
    if differs(&latencies.response_by_record, &latencies.response) {
        rows.push(("response, by record", &latencies.response_by_record));
    }
    rows.push(("service", &latencies.service));
    rows.push(("delay", &latencies.delay));
    if let Some(end_to_end) = &latencies.end_to_end {
        rows.push(("end to end", end_to_end));
    }
    let header = ["", "samples"].into_iter().chain(QUANTILES.into_iter().map(|(name, _)| name));
    let mut table = table(header.collect());
    for (name, summary) in rows {
        let times = QUANTILES.into_iter().map(|(_, quantile)| match summary.samples {
            0 => "-".to_owned(),
            _ => figures::time(quantile.nanoseconds(summary)),
        });
        table.add_row([name.to_owned(), figures::count(summary.samples)].into_iter().chain(times));
    }
    let mut text = aligned(table);
    if report.workload.producers > 1 && latencies.connection_p99_max_ns > 0 {
        text.push_str(&format!(
            "p99 of response by connection: {} in the middle, {} at worst\n",
            figures::time(latencies.connection_p99_median_ns as f64),
            figures::time(latencies.connection_p99_max_ns as f64)
        ));
    }
    text
}

/// By record it is another question only where records of one batch wait differently long, or batches differ in size.
fn differs(by_record: &Summary, by_batch: &Summary) -> bool {
    let pairs = [
        (by_record.p50_ns, by_batch.p50_ns),
        (by_record.p99_ns, by_batch.p99_ns),
        (by_record.p999_ns, by_batch.p999_ns),
    ];
    by_record.samples > 0 && pairs.into_iter().any(|(one, other)| one.abs_diff(other) * 100 > other)
}

fn throughput(report: &RunReport) -> String {
    let produced = &report.produced;
    let mut text = format!(
        "produced   {} records/s, {} MB/s; {} records in a batch, {} batches in a request; {:.2} % of what was due\n",
        rate(produced.records, report.seconds),
        figures::megabytes_per_second(produced.bytes, report.seconds),
        ratio(produced.records, produced.batches),
        ratio(produced.batches, produced.requests),
        if produced.records_due == 0 {
            100.0
        } else {
            produced.records as f64 * 100.0 / produced.records_due as f64
        },
    );
    if let Some(consumed) = &report.consumed {
        text.push_str(&format!(
            "consumed   {} records/s, {} MB/s; {} batches in a fetch\n",
            rate(consumed.records, report.seconds),
            figures::megabytes_per_second(consumed.bytes, report.seconds),
            ratio(consumed.batches, consumed.fetches),
        ));
    }
    for (name, count) in &produced.errors {
        text.push_str(&format!("errors     {} x {name}\n", figures::count(*count)));
    }
    if produced.disconnects > 0 {
        let outages: Vec<String> =
            produced.outages_ns.iter().map(|time| figures::time(*time as f64)).collect();
        let outages =
            if outages.is_empty() { String::new() } else { format!("; away for {}", outages.join(", ")) };
        text.push_str(&format!("lost connections  {}{outages}\n", figures::count(produced.disconnects)));
    }
    text
}

fn costs(report: &RunReport) -> String {
    let generator = &report.generator;
    let mut text = report.broker.as_ref().map(broker).unwrap_or_default();
    text.push_str(&format!(
        "generator  {} CPU-s/GB, {} CPU-s per million records; {} s on {} thread{}; ledger {}\n",
        figures::three_digits(generator.cpu_seconds_per_gigabyte),
        figures::three_digits(generator.cpu_seconds_per_million_records),
        figures::three_digits(generator.cpu_seconds),
        generator.threads,
        if generator.threads == 1 { "" } else { "s" },
        figures::bytes(generator.ledger_bytes_max),
    ));
    text
}

fn broker(broker: &BrokerProcess) -> String {
    let mut text = format!(
        "broker     {} CPU-s/GB, {} CPU-s per million records; {} s; memory {}, at most {}\n",
        figures::three_digits(broker.cpu_seconds_per_gigabyte),
        figures::three_digits(broker.cpu_seconds_per_million_records),
        figures::three_digits(broker.cpu_seconds),
        figures::bytes(broker.resident_bytes),
        figures::bytes(broker.resident_bytes_max),
    );
    text.push_str(&format!(
        "           context switches {} of its own, {} forced\n",
        figures::count(broker.context_switches_voluntary),
        figures::count(broker.context_switches_involuntary),
    ));
    if let Some(device) = &broker.device {
        text.push_str(&format!(
            "disk {:<5} {} written, {} read, {} flushes{}\n",
            device.name,
            figures::bytes(device.written_bytes),
            figures::bytes(device.read_bytes),
            figures::count(device.flushes),
            if device.write_cache.is_empty() {
                String::new()
            } else {
                format!("; cache: {}", device.write_cache)
            },
        ));
    }
    text
}

/// One sentence, green or red, and the first few things that are wrong.
#[must_use]
pub fn verification(found: &Verification, acks: Acks, paint: Paint) -> String {
    if found.off {
        return format!("{}\n", paint.red("not verified: nobody has looked whether the records are there"));
    }
    let mut sentence = verdict::sentence(found);
    let paint_it = if !found.is_clean() {
        Paint::red
    } else if acks == Acks::None {
        sentence.push_str(": with acks=0 nothing is acknowledged");
        Paint::yellow
    } else if found.acknowledged == 0 || found.verified < found.acknowledged {
        sentence = format!(
            "not wholly verified: {} of {} acknowledged batches were read back",
            figures::count(found.verified),
            figures::count(found.acknowledged)
        );
        Paint::red
    } else {
        Paint::green
    };
    let mut text = format!("{}\n", paint_it(paint, &sentence));
    for example in &found.examples {
        text.push_str(&format!("  {}\n", paint.red(example)));
    }
    text
}

/// Columns of numbers end at the same place.
#[must_use]
pub fn table(header: Vec<&str>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

/// All columns but the first to the right.
#[must_use]
pub fn aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

fn rate(number: u64, seconds: f64) -> String {
    figures::three_digits(if seconds > 0.0 { number as f64 / seconds } else { 0.0 })
}

fn ratio(number: u64, of: u64) -> String {
    figures::three_digits(if of == 0 { 0.0 } else { number as f64 / of as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::report;
    use crate::picture::tests::summary;
    use crate::report::Consumed;

    const PLAIN: Paint = Paint { colours: false };

    #[test]
    fn the_page_shows_every_part() {
        let mut report = report();
        report.consumed =
            Some(Consumed { records: 100_000, batches: 6_250, bytes: 104_000_000, fetches: 625 });
        report.latencies.end_to_end = Some(summary(&[(1_000_000, 10)]));
        report.produced.errors.insert("NOT_LEADER_OR_FOLLOWER".to_owned(), 3);
        let text = page(&report, &["expected more".to_owned()], PLAIN).unwrap();
        let parts = [
            "4 producers, 1 topic of 4 partitions, 1 reader in 1 group",
            "response ",
            "service",
            "delay",
            "end to end",
            "p99.99",
            "10,000 records/s, 10.4 MB/s",
            "10.0 batches in a fetch",
            "3 x NOT_LEADER_OR_FOLLOWER",
            "7.70 CPU-s/GB",
            "disk vda",
            "verified: 6,250 acknowledged batches",
            "! expected more",
            "█",
        ];
        for part in parts {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        assert!(!text.contains("by record"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }

    #[test]
    fn by_record_is_shown_where_it_differs() {
        let mut report = report();
        report.latencies.response_by_record = summary(&[(1_500_000, 1000)]);
        assert!(page(&report, &[], PLAIN).unwrap().contains("response, by record"));
    }

    #[test]
    fn verification_is_one_sentence_of_one_colour() {
        let clean = report().verification;
        let paint = Paint { colours: true };
        let check = |found: &Verification, colour: &str, words: &str| {
            let text = verification(found, Acks::All, paint);
            let first = text.lines().next().unwrap_or_default();
            assert!(first.contains(words) && first.starts_with(colour), "{text}");
        };
        check(&clean, "\x1b[32m", "verified: 6,250");
        check(&Verification { restarted: true, ..clean.clone() }, "\x1b[32m", "after a restart");
        check(&Verification { off: true, ..clean.clone() }, "\x1b[1;31m", "not verified");
        check(&Verification { lost: 2, verified: 6_248, ..clean.clone() }, "\x1b[1;31m", "2 lost");
        check(&Verification { verified: 1, ..clean.clone() }, "\x1b[1;31m", "not wholly");
        check(&Verification::default(), "\x1b[1;31m", "0 of 0");
        let examples = Verification { gaps: 1, examples: vec!["t-0 at 5: nothing".to_owned()], ..clean };
        assert!(verification(&examples, Acks::All, PLAIN).contains("t-0 at 5"));
        assert!(verification(&Verification::default(), Acks::None, PLAIN).contains("acks=0"));
    }

    #[test]
    fn a_run_that_was_stopped_says_after_how_long() {
        let mut report = report();
        assert!(!page(&report, &[], PLAIN).unwrap().contains("stopped"));
        report.stopped_early = true;
        report.seconds = 3.25;
        report.workload.duration = std::time::Duration::from_secs(30);
        let text = page(&report, &[], PLAIN).unwrap();
        assert!(text.contains("stopped after 3.2 s of 30.0 s\n"), "{text}");
    }

    #[test]
    fn a_run_without_any_answer_has_a_page() {
        let mut report = report();
        report.latencies = Default::default();
        report.produced = Default::default();
        report.seconds = 0.0;
        assert!(page(&report, &[], PLAIN).unwrap().contains("response "));
    }
}
