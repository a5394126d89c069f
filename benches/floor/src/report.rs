//! The page of figures: every question in turn, with the machine it was asked of.
//!
//! Decides how long each question gets, nothing about how it is measured.

use std::io;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use crate::client::{Figures, Workload};
use crate::figures::{Table, median, paired_ratio, short};
use crate::produce::{self, Cell};
use crate::sockets::{JournalBy, Variant};
use crate::stage::Stage;
use crate::tail::Keep;
use crate::{cpu, disk, fetch, host};

pub const WORKLOADS: [Workload; 4] = [
    Workload { batch_bytes: 1 << 10, connections: 100, in_flight: 1 },
    Workload { batch_bytes: 1 << 10, connections: 10, in_flight: 20 },
    Workload { batch_bytes: 16 << 10, connections: 10, in_flight: 5 },
    Workload { batch_bytes: 1 << 20, connections: 4, in_flight: 5 },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    Cpu,
    Sockets,
    Stages,
    Journal,
    Tail,
    Fetch,
    Disk,
}

/// All sections, or those of `only`.
pub fn print(directory: &Path, quick: bool, only: &[Section]) -> io::Result<()> {
    let slice = if quick { Duration::from_millis(250) } else { Duration::from_secs(2) };
    let steal = host::StealMeter::start();
    print_facts(directory);
    for section in Section::value_variants() {
        if !only.is_empty() && !only.contains(section) {
            continue;
        }
        println!("## {}\n", produce::word(*section));
        match section {
            Section::Cpu => cpu::print(5, slice / 10)?,
            Section::Sockets => sockets(directory, slice)?,
            Section::Stages => {
                WORKLOADS.iter().try_for_each(|workload| stages(directory, *workload, slice))?;
            }
            Section::Journal => journal_writers(directory, slice)?,
            Section::Tail => tails(directory, slice)?,
            Section::Fetch => fetch::compare(directory, 5, slice)?,
            Section::Disk => {
                disk::journal_layouts(directory, 5, slice / 2)?;
                disk::buffers(directory, 5, slice)?;
                disk::sync_many(directory, 5)?;
            }
        }
    }
    println!("{}", steal.sentence());
    Ok(())
}

fn sockets(directory: &Path, slice: Duration) -> io::Result<()> {
    for workload in WORKLOADS {
        let cells: Vec<Cell> = Variant::value_variants()
            .iter()
            .map(|variant| Cell::new(*variant, Stage::Null, directory))
            .collect();
        compare(&cells, workload, 5, slice)?;
    }
    Ok(())
}

/// The same sockets with the journal in the sockets' ring, or by glommio.
fn journal_writers(directory: &Path, slice: Duration) -> io::Result<()> {
    for workload in [WORKLOADS[1], WORKLOADS[3]] {
        let by_ring = Cell::new(Variant::RingDefer, Stage::Sync, directory);
        let mut by_glommio = by_ring.clone();
        by_glommio.setup.journal = JournalBy::Glommio;
        compare(&[by_ring, by_glommio], workload, 5, slice)?;
    }
    Ok(())
}

fn tails(directory: &Path, slice: Duration) -> io::Result<()> {
    for workload in &WORKLOADS[1..] {
        let keeps = [Keep::Nothing, Keep::Frames, Keep::Copies];
        let cells: Vec<Cell> = keeps
            .iter()
            .map(|keep| {
                let mut cell = Cell::new(Variant::Epoll, Stage::Crc, directory);
                cell.setup.keep = *keep;
                cell
            })
            .collect();
        compare(&cells, *workload, 5, slice)?;
    }
    Ok(())
}

/// The cheapest sockets through all stages: what each step adds, and the floor itself.
fn stages(directory: &Path, workload: Workload, slice: Duration) -> io::Result<()> {
    let all = [Stage::Null, Stage::Crc, Stage::Copy, Stage::Write, Stage::Sync];
    let cells: Vec<Cell> = all.iter().map(|stage| Cell::new(Variant::RingBare, *stage, directory)).collect();
    compare(&cells, workload, 3, slice)
}

pub fn print_facts(directory: &Path) {
    let mut table = Table::new(&["machine", ""]);
    for (name, value) in host::facts(directory) {
        table.row([name, value]);
    }
    table.print();
}

pub fn compare(cells: &[Cell], workload: Workload, rounds: usize, duration: Duration) -> io::Result<()> {
    let found = produce::interleave(cells, workload, rounds, duration)?;
    let cost = |index: usize| -> Vec<f64> {
        found[index].iter().map(|figures| figures.cpu_seconds_per_million_requests()).collect()
    };
    println!(
        "{} B x {} connections x {} in flight\n",
        workload.batch_bytes, workload.connections, workload.in_flight
    );
    let mut table = Table::new(&[
        "stage",
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
        let of = |figure: &dyn Fn(&Figures) -> f64| median(found[index].iter().map(figure).collect());
        table.row([
            produce::word(cell.setup.stage),
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
