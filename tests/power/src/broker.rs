//! The broker that is tried: the real process, killed at the end.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Broker {
    child: Child,
    pub address: SocketAddr,
}

impl Broker {
    /// Starts it on a free port and waits for its ready line. What it says on its standard error is appended to `errors`.
    ///
    /// Errors: it ended before it was ready.
    pub fn start(program: &Path, data: &Path, shards: u16, errors: &Path) -> io::Result<Broker> {
        let errors = File::options().create(true).append(true).open(errors)?;
        let mut child = Command::new(program)
            .args(["serve", "--no-pin", "--listen", "127.0.0.1:0", "--shards", &shards.to_string()])
            // The smallest ring, so that it is gone around.
            .args(["--set", "journal.bytes.max=134217728", "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        for line in lines.lines() {
            let line = line?;
            let Some((_, rest)) = line.split_once("is ready on PLAINTEXT://") else { continue };
            let address = rest.split([' ', ',']).next().and_then(|address| address.parse().ok());
            let address = address.ok_or_else(|| io::Error::other(format!("no address in {line:?}")))?;
            return Ok(Broker { child, address });
        }
        Err(io::Error::other(format!("the broker is not ready: {}", child.wait()?)))
    }
}

impl Broker {
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
