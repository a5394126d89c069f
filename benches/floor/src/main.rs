//! `floor`: what the same bytes cost with no broker.
//!
//! Arguments only; each question has a file of its own.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod arena;
mod client;
mod disk;
mod figures;
mod frames;
mod host;
mod journal;
mod produce;
mod sockets;
mod stage;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};

use client::Workload;
use figures::{Table, median, paired_ratio, short};
use produce::Cell;
use sockets::{JournalBy, Setup, Variant};
use stage::Stage;

#[derive(Parser)]
#[command(about = "What the same bytes cost with no broker: the floor every figure is held against")]
struct Arguments {
    /// Where the files of disk stages live; on the disk that is to be measured.
    #[arg(long = "dir", global = true, default_value = "/var/tmp/floor")]
    directory: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One server; prints its port and serves until it is killed.
    Serve {
        #[arg(long = "sockets")]
        variant: Variant,
        #[arg(long)]
        stage: Stage,
        #[arg(long, default_value = "ring")]
        journal: JournalBy,
        #[arg(long = "groups-in-flight", default_value_t = 1)]
        groups_in_flight_max: usize,
    },
    /// Produce-like traffic through socket variants and stages, interleaved; ratios are against the first of each stage.
    Produce {
        #[arg(long = "sockets", value_delimiter = ',', default_value = "glommio,ring")]
        variants: Vec<Variant>,
        #[arg(long = "stage", value_delimiter = ',', default_value = "null")]
        stages: Vec<Stage>,
        /// Who writes the journal; by default glommio for glommio's sockets, a ring for the others.
        #[arg(long, value_delimiter = ',')]
        journal: Vec<JournalBy>,
        #[arg(long = "batch-bytes", default_value_t = 1024)]
        batch_bytes: usize,
        #[arg(long, default_value_t = 100)]
        connections: usize,
        #[arg(long = "in-flight", default_value_t = 1)]
        in_flight: usize,
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        #[arg(long = "groups-in-flight", default_value_t = 1)]
        groups_in_flight_max: usize,
    },
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let directory = arguments.directory;
    match arguments.command {
        Command::Serve { variant, stage, journal, groups_in_flight_max } => {
            produce::serve(variant, Setup { stage, journal, groups_in_flight_max, directory })
        }
        Command::Produce {
            variants,
            stages,
            journal,
            batch_bytes,
            connections,
            in_flight,
            rounds,
            seconds,
            groups_in_flight_max,
        } => {
            let workload = Workload { batch_bytes, connections, in_flight };
            let steal = host::StealMeter::start();
            print_facts(&directory);
            for stage in stages {
                let mut cells: Vec<Cell> = Vec::new();
                for variant in &variants {
                    let mut cell = Cell::new(*variant, stage, &directory);
                    cell.setup.groups_in_flight_max = groups_in_flight_max;
                    if journal.is_empty() {
                        cells.push(cell.clone());
                    }
                    for journal in &journal {
                        cell.setup.journal = *journal;
                        cells.push(cell.clone());
                    }
                }
                compare(&cells, workload, rounds, Duration::from_secs_f64(seconds))?;
            }
            println!("{}", steal.sentence());
            Ok(())
        }
    }
}

fn print_facts(directory: &Path) {
    let mut table = Table::new(&["machine", ""]);
    for (name, value) in host::facts(directory) {
        table.row([name, value]);
    }
    table.print();
}

fn compare(cells: &[Cell], workload: Workload, rounds: usize, duration: Duration) -> io::Result<()> {
    let found = produce::interleave(cells, workload, rounds, duration)?;
    let cost = |index: usize| -> Vec<f64> {
        found[index].iter().map(|figures| figures.cpu_seconds_per_million_requests()).collect()
    };
    println!(
        "{} B x {} connections x {} in flight, stage {}\n",
        workload.batch_bytes,
        workload.connections,
        workload.in_flight,
        produce::word(cells[0].setup.stage)
    );
    let mut table = Table::new(&[
        "server",
        "CPU-s/GB",
        "CPU-s/M req",
        "ratio",
        "req/s",
        "GB/s",
        "p50 us",
        "p99 us",
        "server CPU",
        "client CPU",
    ]);
    for (index, cell) in cells.iter().enumerate() {
        let of = |figure: &dyn Fn(&client::Figures) -> f64| median(found[index].iter().map(figure).collect());
        table.row([
            cell.name(),
            short(of(&|f| f.cpu_seconds_per_gigabyte())),
            short(median(cost(index))),
            short(paired_ratio(&cost(index), &cost(0))),
            short(of(&|f| f.requests_per_second())),
            short(of(&|f| f.gigabytes_per_second())),
            short(of(&|f| f.p50_microseconds as f64)),
            short(of(&|f| f.p99_microseconds as f64)),
            format!("{:.0} %", 100.0 * of(&|f| f.server_cpu_share())),
            format!("{:.0} %", 100.0 * of(&|f| f.client_cpu_share())),
        ]);
    }
    table.print();
    Ok(())
}
