//! Instructions per request, counted by callgrind: the figure that a busy machine does not change.
//!
//! This program runs itself under valgrind, once with N units of work and once with 2 N; what the second run needed more is N units,
//! whatever the set-up costs.

use std::process::Command;

use crate::work::{ALL, Work};

/// Of the smallest work; larger batches are repeated less often.
const UNITS: u64 = 400;

/// The child: so many units, nothing else.
pub fn run_units(name: &str, units: u64) {
    let work = Work::named(name).expect("a name of the parent's");
    let mut unit = work.prepare();
    for _ in 0..units {
        unit();
    }
}

pub fn print_all() -> Result<(), String> {
    println!("| work | instructions per request |\n| --- | --- |");
    for (name, work) in ALL {
        let units = (UNITS / work.weight()).max(10);
        let once = collected(name, units)?;
        let twice = collected(name, 2 * units)?;
        println!("| {name} | {} |", twice.saturating_sub(once) / (units * work.requests()));
    }
    Ok(())
}

fn collected(name: &str, units: u64) -> Result<u64, String> {
    let me = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(me)
        .args(["--units", name, &units.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}; install it, callgrind counts the instructions"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("callgrind has counted nothing: {text}"))
}
