//! A broker as a child process: started on a free port, waited for by its ready line, killed at the end of its test.
//!
//! Decides how tests start and end the real process. What is asked of it is the tests' business.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A directory of one test, removed at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// In the target directory: the system's temporary one may lack direct I/O.
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("broker-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("the target directory is writable");
        Scratch(path)
    }

    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// What all brokers of this directory said on their standard errors.
    fn errors(&self) -> PathBuf {
        self.0.join("errors")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let errors = fs::read_to_string(self.errors()).unwrap_or_default();
            eprintln!("the broker's last words, its data is in {}:\n{errors}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A port that nobody listens on, below those that the kernel gives to clients: a client that retries a connection to a
/// port of that range while the broker is down may be given this very port, and so talk to itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(12_000 + step % 20_000).expect("below 32,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

pub struct Broker {
    child: Child,
    address: SocketAddr,
    /// From the start of the process to its ready line.
    pub ready_after: Duration,
    pub started: Instant,
}

impl Broker {
    /// Starts a broker and waits until it says that it is ready. Port 0: any.
    pub fn serve(scratch: &Scratch, shards: u16, port: u16, arguments: &[&str]) -> Broker {
        let errors = File::options().create(true).append(true).open(scratch.errors()).expect("writable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
        command.arg("serve").arg("--data-dir").arg(scratch.data());
        command.args(["--shards", &shards.to_string(), "--no-pin"]);
        command.args(["--listen", &format!("127.0.0.1:{port}")]).args(arguments);
        let started = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        for line in lines.lines() {
            let line = line.expect("text");
            let Some((_, rest)) = line.split_once("is ready on PLAINTEXT://") else { continue };
            let address = rest.split([' ', ',']).next().and_then(|address| address.parse().ok());
            let address = address.expect("the ready line names an address");
            return Broker { child, address, ready_after: started.elapsed(), started };
        }
        let status = child.wait().expect("our child");
        panic!("not ready, {status}: {}", fs::read_to_string(scratch.errors()).unwrap_or_default());
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("our child");
    }

    /// SIGTERM, and waits for its end, which must be a clean one.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let status = self.child.wait().expect("our child");
        assert!(status.success(), "a broker that is told to stop ends with {status}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
