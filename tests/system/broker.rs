//! A broker as a child process: started on free ports, stopped or killed at the end of its test.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

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
        let path = root.join(format!("penstock-system-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("writable");
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Stopped {
    /// None: ended by a signal.
    pub code: Option<i32>,
    pub errors: String,
}

#[derive(Debug)]
pub struct Broker {
    child: Child,
    address: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Broker {
    /// Starts a broker on a free port and waits until it says that it is ready.
    pub fn serve(data: &Scratch, arguments: &[&str]) -> Broker {
        let mut command = Command::new(BINARY);
        serve_arguments(&mut command, data, arguments);
        Broker::start(command).unwrap_or_else(|errors| panic!("not ready: {errors}"))
    }

    /// The same without privileges, under a limit on locked memory.
    pub fn as_ordinary_user(data: &Scratch, locked_kib: u32, arguments: &[&str]) -> Broker {
        // The binary may lie below a directory that only its builder may enter: an open descriptor names it for anyone.
        let binary = File::open(BINARY).expect("built");
        rustix::io::fcntl_setfd(&binary, rustix::io::FdFlags::empty()).expect("a plain descriptor");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("ulimit -l {locked_kib} && exec \"$0\" \"$@\"")]);
        command.arg(format!("/proc/self/fd/{}", binary.as_raw_fd()));
        serve_arguments(&mut command, data, arguments);
        command.current_dir("/");
        if rustix::process::getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Broker::start(command).unwrap_or_else(|errors| panic!("not ready: {errors}"))
    }

    #[expect(clippy::zombie_processes, reason = "every way out waits: at once, or in `stop`")]
    fn start(mut command: Command) -> Result<Broker, String> {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut admin = None;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).expect("text") == 0 {
                return Err(end(child).errors);
            }
            if let Some(url) = line.trim().strip_prefix("admin").map(str::trim) {
                let address = url.trim_start_matches("http://").trim_end_matches("/metrics");
                admin = Some(address.parse().expect("an address"));
            }
            if let Some((_, rest)) = line.split_once("is ready on PLAINTEXT://") {
                let address = rest.split([' ', ',']).next().and_then(|address| address.parse().ok());
                return Ok(Broker { child, address: address.expect("an address"), admin });
            }
        }
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

    pub fn stop(self, signal: &str) -> Stopped {
        let pid = rustix::process::Pid::from_child(&self.child);
        let signal = match signal {
            "TERM" => rustix::process::Signal::TERM,
            "INT" => rustix::process::Signal::INT,
            "KILL" => rustix::process::Signal::KILL,
            other => panic!("no test sends {other}"),
        };
        rustix::process::kill_process(pid, signal).expect("it runs");
        end(self.child)
    }
}

fn serve_arguments(command: &mut Command, data: &Scratch, arguments: &[&str]) {
    command.arg("serve").arg("--data-dir").arg(data.path()).arg("--no-pin").args(arguments);
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
}

fn end(child: Child) -> Stopped {
    let output = child.wait_with_output().expect("our child");
    Stopped { code: output.status.code(), errors: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// Runs a broker that must not start; returns what it says.
pub fn refused(data: &Scratch, arguments: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    serve_arguments(&mut command, data, arguments);
    match Broker::start(command) {
        Ok(broker) => {
            broker.stop("KILL");
            panic!("{arguments:?} was not refused");
        }
        Err(errors) => errors,
    }
}
