//! Produce-like traffic: one server process per run, variants interleaved, ratios taken inside each round.

use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;

use crate::client::{Client, Figures, Workload};
use crate::host;
use crate::journal;
use crate::sockets::{JournalBy, Setup, Variant};
use crate::stage::Stage;
use crate::tail::Keep;

const RUNS_MAX: usize = 3;

/// One server to measure.
#[derive(Clone, Debug)]
pub struct Cell {
    pub variant: Variant,
    pub setup: Setup,
}

impl Cell {
    pub fn new(variant: Variant, stage: Stage, directory: &Path) -> Cell {
        let journal = if variant == Variant::Glommio { JournalBy::Glommio } else { JournalBy::Ring };
        let setup = Setup {
            stage,
            journal,
            groups_in_flight_max: 1,
            keep: Keep::Nothing,
            directory: directory.to_path_buf(),
            for_load: false,
        };
        Cell { variant, setup }
    }

    pub fn name(&self) -> String {
        let journal = match (self.setup.stage >= Stage::Write, self.setup.journal) {
            (false, _) => "",
            (true, JournalBy::Ring) => ", journal by ring",
            (true, JournalBy::Glommio) => ", journal by glommio",
        };
        let tail = match self.setup.keep {
            Keep::Nothing => "",
            Keep::Copies => ", tail of copies",
            Keep::Frames => ", tail of received frames",
        };
        format!("{}{journal}{tail}", word(self.variant))
    }
}

pub fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or(String::new(), |value| value.get_name().to_string())
}

/// Serves in this process until it is killed; tells its parent the port on standard output.
pub fn serve(variant: Variant, setup: Setup) -> io::Result<()> {
    // Who compares servers has made the journal before; here it may be the first use of the directory.
    if setup.for_load && setup.stage >= Stage::Write {
        journal::prewrite(&setup.directory)?;
    }
    let listener = listen()?;
    println!("{}", listener.local_addr()?.port());
    variant.sockets().serve(listener, setup)
}

/// A listener with address reuse and a backlog that holds every connection of a workload.
pub fn listen() -> io::Result<TcpListener> {
    // SAFETY: plain system calls on a descriptor that this function owns until it gives it away.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let owned = OwnedFd::from_raw_fd(fd);
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        if libc::bind(fd, (&raw const address).cast(), length) < 0 || libc::listen(fd, 1024) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(TcpListener::from(owned))
    }
}

/// A server process; killed when dropped.
pub struct ServerProcess {
    child: Child,
    pub port: u16,
}

impl ServerProcess {
    pub fn start(arguments: &[String]) -> io::Result<ServerProcess> {
        let mut child =
            Command::new(std::env::current_exe()?).args(arguments).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or(io::Error::other("the child's output is piped"))?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let mut process = ServerProcess { child, port: 0 };
        process.port = line.trim().parse().map_err(|_| io::Error::other("the server did not start"))?;
        Ok(process)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn run(cell: &Cell, workload: Workload, duration: Duration) -> io::Result<Figures> {
    host::pin(host::CLIENT_CORE)?;
    let setup = &cell.setup;
    if setup.stage >= Stage::Write {
        journal::prewrite(&setup.directory)?;
    }
    let arguments = [
        "serve".to_string(),
        format!("--sockets={}", word(cell.variant)),
        format!("--stage={}", word(setup.stage)),
        format!("--journal={}", word(setup.journal)),
        format!("--groups-in-flight={}", setup.groups_in_flight_max),
        format!("--keep={}", word(setup.keep)),
        format!("--dir={}", setup.directory.display()),
    ];
    let server = ServerProcess::start(&arguments)?;
    let mut client = Client::connect(server.port, workload)?;
    let named = |error: io::Error| io::Error::other(format!("{} at {workload:?}: {error}", cell.name()));
    client.measure(server.pid(), duration).map_err(named)
}

/// A server that stalls is a finding of its own: it is said, and the run is made again so that the page is finished.
fn run_again(cell: &Cell, workload: Workload, duration: Duration) -> io::Result<Figures> {
    for _ in 0..RUNS_MAX {
        match run(cell, workload, duration) {
            Ok(figures) => return Ok(figures),
            Err(error) => println!("STALLED, run again: {error}\n"),
        }
    }
    run(cell, workload, duration)
}

/// Runs all cells `rounds` times, every other round backwards; the result is indexed by cell, then round.
pub fn interleave(
    cells: &[Cell],
    workload: Workload,
    rounds: usize,
    duration: Duration,
) -> io::Result<Vec<Vec<Figures>>> {
    let mut found: Vec<Vec<Figures>> = vec![Vec::new(); cells.len()];
    for round in 0..rounds {
        let order: Vec<usize> =
            if round % 2 == 0 { (0..cells.len()).collect() } else { (0..cells.len()).rev().collect() };
        for index in order {
            found[index].push(run_again(&cells[index], workload, duration)?);
        }
    }
    Ok(found)
}
