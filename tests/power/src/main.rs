//! Power cuts of the real process on a real file system.
//!
//! `power record` runs a broker on ext4 over a disk whose every write and flush is logged, and writes down what clients were told
//! and when. `power cut` replays the log to many moments, with unflushed writes dropped, kept or torn at random, starts a broker on
//! what is left each time and reads everything back. docs/TESTING.md says how it is run.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it runs real processes on real disks"
)]

mod broker;
mod cut;
mod device;
mod faults;
mod ledger;
mod load;
mod replay;
mod verify;
#[path = "../../compat/wire.rs"]
#[allow(dead_code, reason = "shared with tests that ask more")]
mod wire;
mod write_log;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use broker::Broker;
use device::{LoggedDisk, log_path};
use faults::{Fault, scenario};
use replay::Cuts;

const MEBIBYTE: u64 = 1 << 20;

#[derive(Debug, Parser)]
#[command(
    name = "power",
    about = "Power cuts of the real process on a real file system. Needs root, qemu-storage-daemon and FUSE"
)]
struct CommandLine {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Record a load: the log of its disk, and what its clients were told
    Record(Record),
    /// Cut the power of a recorded load at many moments; exit code 2 if anything is lost
    Cut(Cut),
    /// Fill the disk under a broker, later free it; exit code 2 if anything acknowledged is lost
    Full(Small),
    /// Let the disk under a broker fail, later mend it; exit code 2 if anything acknowledged is lost
    Failing(Small),
}

#[derive(Debug, Args)]
struct Small {
    #[command(flatten)]
    place: Place,
    /// Size of the disk
    #[arg(long, default_value_t = 1024)]
    disk_mib: u64,
}

#[derive(Debug, Args)]
struct Place {
    /// Where the recording lies; in memory (/dev/shm/...) it is fastest
    #[arg(long)]
    folder: PathBuf,
    /// The broker's program; default: `penstock` beside this one
    #[arg(long)]
    broker: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Record {
    #[command(flatten)]
    place: Place,
    #[arg(long, default_value_t = 2)]
    shards: u16,
    /// Size of the disk
    #[arg(long, default_value_t = 1024)]
    disk_mib: u64,
    /// The load ends when so much has been written to the disk
    #[arg(long, default_value_t = 700)]
    written_mib: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Cut {
    #[command(flatten)]
    place: Place,
    #[arg(long, default_value_t = 50)]
    cuts: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of all flushes before a cut, the last so many were a lie: losses must be found
    #[arg(long, default_value_t = 0)]
    lies: usize,
}

fn main() -> ExitCode {
    match run(CommandLine::parse().what) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("power: {error}");
            ExitCode::from(1)
        }
    }
}

fn run(what: What) -> io::Result<ExitCode> {
    match what {
        What::Record(record) => {
            let program = program(&record.place)?;
            record_load(&record, &program)?;
            Ok(ExitCode::SUCCESS)
        }
        What::Full(small) => tell(Fault::Full, &small),
        What::Failing(small) => tell(Fault::Failing, &small),
        What::Cut(cut) => {
            let program = program(&cut.place)?;
            let cuts = Cuts { folder: &cut.place.folder, program: &program, seed: cut.seed, lies: cut.lies };
            let failed = cuts.make(cut.cuts)?;
            Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
    }
}

fn tell(fault: Fault, small: &Small) -> io::Result<ExitCode> {
    let is_whole = scenario(fault, &small.place.folder, &program(&small.place)?, small.disk_mib)?;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn program(place: &Place) -> io::Result<PathBuf> {
    match &place.broker {
        Some(program) => Ok(program.clone()),
        None => Ok(std::env::current_exe()?.with_file_name("penstock")),
    }
}

fn record_load(record: &Record, program: &Path) -> io::Result<()> {
    let folder = &record.place.folder;
    let disk = LoggedDisk::make(folder, record.disk_mib * MEBIBYTE)?;
    let log = std::fs::File::open(log_path(folder))?;
    let made = log.metadata()?.len();
    let data = disk.mounted().join("data");
    let broker = Broker::start(program, &data, record.shards, &folder.join("errors"))?;
    let mut ledger = load::record(broker.address, &log, record.written_mib * MEBIBYTE, record.seed)?;
    ledger.made = made;
    drop(broker);
    drop(disk);
    ledger.write(&folder.join("ledger"))?;
    let entries = write_log::WriteLog::read(log)?.entries;
    let flushes = entries.iter().filter(|entry| entry.is_flush()).count();
    let records: i64 = ledger.owed(u64::MAX).iter().flat_map(|(_, ends)| ends).sum();
    println!(
        "{} writes and {flushes} flushes, {} acknowledged batches with {records} records, {} topics of {} partitions",
        entries.len() - flushes,
        ledger.acknowledged.len(),
        ledger.topics.len(),
        load::PARTITIONS
    );
    Ok(())
}
