//! A broker as a child process: started on a free port, waited for by its ready line, stopped or killed at the end of its test.
//!
//! Decides how tests start and end the real process. What is asked of it is the tests' business.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const BINARY: &str = env!("CARGO_BIN_EXE_penstock");
const NOBODY: u32 = 65534;

/// A directory of one test, removed at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// In the target directory: the system's temporary one may lack direct I/O.
    pub fn new() -> Scratch {
        Scratch::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// Where any user can write.
    pub fn public() -> Scratch {
        let scratch = Scratch::below(&std::env::temp_dir());
        fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o777)).expect("ours");
        scratch
    }

    fn below(root: &Path) -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("penstock-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("writable");
        Scratch(path)
    }

    /// The broker's directory.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// What all brokers of this directory said on their standard errors.
    fn errors(&self) -> PathBuf {
        self.0.join("errors")
    }

    fn errors_from(&self, start: usize) -> String {
        let errors = fs::read(self.errors()).expect("every broker opens it");
        String::from_utf8_lossy(&errors[start..]).into_owned()
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

/// How a broker has ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped {
    /// None: by a signal.
    pub code: Option<i32>,
    /// What this broker said on its standard error.
    pub errors: String,
}

#[derive(Debug)]
pub struct Broker {
    child: Child,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    /// From the start of the process to its ready line.
    pub ready_after: Duration,
    pub started: Instant,
    /// Where its words begin among those of its directory.
    errors_start: usize,
}

impl Broker {
    /// Starts a broker, on a free port unless `arguments` name one, and waits until it says that it is ready.
    pub fn serve(scratch: &Scratch, arguments: &[&str]) -> Broker {
        let mut command = Command::new(BINARY);
        serve_arguments(&mut command, scratch, arguments);
        Broker::start(command, scratch).unwrap_or_else(|errors| panic!("not ready: {errors}"))
    }

    /// The same, on a port that stays. Port 0: any.
    pub fn serve_at(scratch: &Scratch, shards: u16, port: u16, arguments: &[&str]) -> Broker {
        let (shards, listen) = (shards.to_string(), format!("127.0.0.1:{port}"));
        Broker::serve(scratch, &[&["--shards", &shards, "--listen", &listen], arguments].concat())
    }

    /// Without privileges, under a limit on locked memory.
    pub fn as_ordinary_user(scratch: &Scratch, locked_kib: u32, arguments: &[&str]) -> Broker {
        // The binary may lie below a directory that only its builder may enter: an open descriptor names it for anyone.
        let binary = File::open(BINARY).expect("built");
        rustix::io::fcntl_setfd(&binary, rustix::io::FdFlags::empty()).expect("a plain descriptor");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("ulimit -l {locked_kib} && exec \"$0\" \"$@\"")]);
        command.arg(format!("/proc/self/fd/{}", binary.as_raw_fd()));
        serve_arguments(&mut command, scratch, arguments);
        command.current_dir("/");
        if rustix::process::getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Broker::start(command, scratch).unwrap_or_else(|errors| panic!("not ready: {errors}"))
    }

    fn start(mut command: Command, scratch: &Scratch) -> Result<Broker, String> {
        let errors = File::options().create(true).append(true).open(scratch.errors()).expect("writable");
        let errors_start = errors.metadata().expect("open").len() as usize;
        let started = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut admin = None;
        for line in lines.lines() {
            let line = line.expect("text");
            if let Some(url) = line.trim().strip_prefix("admin").map(str::trim) {
                let address = url.trim_start_matches("http://").trim_end_matches("/metrics");
                admin = Some(address.parse().expect("an address"));
            }
            let Some((_, rest)) = line.split_once("is ready on PLAINTEXT://") else { continue };
            let address = rest.split([' ', ',']).next().and_then(|address| address.parse().ok());
            let address = address.expect("the ready line names an address");
            let ready_after = started.elapsed();
            return Ok(Broker { child, address, admin, ready_after, started, errors_start });
        }
        child.wait().expect("our child");
        Err(scratch.errors_from(errors_start))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("it said that it is ready")
    }

    /// One HTTP request, the whole answer.
    pub fn admin(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.admin.expect("started with --admin")).expect("listening");
        stream.write_all(request.as_bytes()).expect("connected");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("our child");
    }

    /// SIGTERM, and waits for its end, which must be a clean one.
    pub fn stop(mut self) {
        let status = self.signal(Signal::TERM);
        assert!(status.success(), "a broker that is told to stop ends with {status}");
    }

    /// Any signal: how it ended, and what it said.
    pub fn end(mut self, scratch: &Scratch, signal: Signal) -> Stopped {
        let code = self.signal(signal).code();
        Stopped { code, errors: scratch.errors_from(self.errors_start) }
    }

    /// Waits until it ends by itself.
    pub fn wait(mut self, scratch: &Scratch) -> Stopped {
        let code = self.child.wait().expect("our child").code();
        Stopped { code, errors: scratch.errors_from(self.errors_start) }
    }

    fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        self.child.wait().expect("our child")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve_arguments(command: &mut Command, scratch: &Scratch, arguments: &[&str]) {
    command.arg("serve").arg("--data-dir").arg(scratch.data()).arg("--no-pin").args(arguments);
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
}

/// Runs a broker that must not start; returns what it says.
pub fn refused(scratch: &Scratch, arguments: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    serve_arguments(&mut command, scratch, arguments);
    match Broker::start(command, scratch) {
        Ok(broker) => {
            broker.kill();
            panic!("{arguments:?} was not refused");
        }
        Err(errors) => errors,
    }
}
