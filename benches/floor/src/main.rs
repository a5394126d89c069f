//! `floor`: what the same bytes cost with no broker.
//!
//! Arguments only; each question has a file of its own.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod arena;
mod client;
mod cpu;
mod disk;
mod drive;
mod fetch;
mod figures;
mod frames;
mod host;
mod journal;
mod produce;
mod report;
mod sockets;
mod stage;
mod tail;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use client::Workload;
use produce::Cell;
use sockets::{JournalBy, Setup, Variant};
use stage::Stage;
use tail::Keep;

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
    /// Real brokers in turns, with the floor's client: NAME=PORT/PID, the first is what the others are compared with.
    Drive {
        #[arg(required = true)]
        targets: Vec<drive::Target>,
        #[arg(long, default_value_t = 16384)]
        batch_bytes: usize,
        #[arg(long, default_value_t = 100)]
        record_bytes: usize,
        #[arg(long, default_value_t = 10)]
        connections: usize,
        #[arg(long, default_value_t = 5)]
        in_flight: usize,
        #[arg(long, default_value_t = 10)]
        partitions: usize,
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        #[arg(long, default_value_t = 4)]
        seconds: u64,
    },
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
        #[arg(long, default_value = "nothing")]
        keep: Keep,
        /// Answer whatever a client of Kafka's protocol asks before it produces: `penstock load` can drive this server.
        #[arg(long)]
        for_load: bool,
    },
    /// One server of fetches; prints its port and serves one connection.
    ServeFetch {
        #[arg(long)]
        method: fetch::Method,
    },
    /// The hot tail by vectored sends, by copies, by sendfile.
    Fetch {
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Group commits into prewritten, fallocated and extending files, and whose buffers they are written from.
    Journal {
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Checksum and copy, no kernel.
    Cpu {
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// 100 files: a data sync each, or one syncfs.
    Sync {
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Every question, as one page of markdown.
    Report {
        /// At most four minutes on a quiet machine.
        #[arg(long)]
        quick: bool,
        /// Only these questions.
        #[arg(long, value_delimiter = ',')]
        only: Vec<report::Section>,
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
        Command::Serve { variant, stage, journal, groups_in_flight_max, keep, for_load } => {
            produce::serve(variant, Setup { stage, journal, groups_in_flight_max, keep, directory, for_load })
        }
        Command::ServeFetch { method } => fetch::serve(method, &directory),
        Command::Fetch { rounds } => fetch::compare(&directory, rounds, Duration::from_millis(500)),
        Command::Journal { rounds } => {
            disk::journal_layouts(&directory, rounds, Duration::from_millis(150))?;
            disk::buffers(&directory, rounds, Duration::from_millis(400))
        }
        Command::Cpu { rounds } => cpu::print(rounds, Duration::from_millis(20)),
        Command::Drive {
            targets,
            batch_bytes,
            record_bytes,
            connections,
            in_flight,
            partitions,
            rounds,
            seconds,
        } => {
            let workload = Workload { batch_bytes, connections, in_flight };
            let load = drive::Load { workload, record_bytes, partitions };
            drive::report(&targets, load, rounds, Duration::from_secs(seconds))
        }
        Command::Sync { rounds } => disk::sync_many(&directory, rounds),
        Command::Report { quick, only } => report::print(&directory, quick, &only),
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
            report::print_facts(&directory);
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
                report::compare(&cells, workload, rounds, Duration::from_secs_f64(seconds))?;
            }
            println!("{}", steal.sentence());
            Ok(())
        }
    }
}
