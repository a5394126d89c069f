//! Signals, and the admin HTTP port: `/metrics`, `/livez`, `/readyz`.
//!
//! One connection at a time and few bytes from each: it is for an operator's tools on the same host, not for clients.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::bounded;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::metrics::prometheus;

use super::mesh::{Mail, Postbox};

const REQUEST_BYTES_MAX: usize = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);

/// What the broker says about itself.
#[derive(Debug, Default)]
pub struct Health {
    /// Clients can connect, and the broker does not stop.
    pub ready: AtomicBool,
}

/// The first SIGINT or SIGTERM stops all shards in order; the second ends the process at once.
pub fn on_signals(postboxes: Vec<Postbox>, health: Arc<Health>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    spawn("signals", move || {
        let mut stopping = false;
        for signal in signals.forever() {
            if stopping {
                tracing::warn!("a second signal: exit at once; the next start recovers from the journal");
                std::process::exit(128 + signal);
            }
            stopping = true;
            health.ready.store(false, Ordering::Relaxed);
            tracing::info!(signal, "stopping");
            for postbox in &postboxes {
                postbox.send(Mail::Stop);
            }
        }
    })
}

/// Answers on `listener` for as long as the process lives.
pub fn serve_admin(listener: TcpListener, postboxes: Vec<Postbox>, health: Arc<Health>) -> io::Result<()> {
    spawn("admin", move || {
        for stream in listener.incoming() {
            match stream {
                // A client that goes away early hurts nobody.
                Ok(stream) => drop(answer(stream, &postboxes, &health)),
                // Out of descriptors, most likely: give the broker time to close some.
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

fn answer(mut stream: TcpStream, postboxes: &[Postbox], health: &Health) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = [0; REQUEST_BYTES_MAX];
    let length = read_head(&mut stream, &mut request)?;
    let (status, content_type, body) = match target(&request[..length]) {
        Some("/livez") => ("200 OK", "text/plain", "ok\n".to_owned()),
        Some("/readyz") if health.ready.load(Ordering::Relaxed) => {
            ("200 OK", "text/plain", "ready\n".to_owned())
        }
        Some("/readyz") => ("503 Service Unavailable", "text/plain", "not ready\n".to_owned()),
        Some("/metrics") => ("200 OK", prometheus::CONTENT_TYPE, metrics(postboxes)),
        Some(_) => ("404 Not Found", "text/plain", "/metrics /livez /readyz\n".to_owned()),
        None => ("400 Bad Request", "text/plain", "GET only\n".to_owned()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Reads up to the empty line.
fn read_head(stream: &mut TcpStream, into: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    loop {
        let got = stream.read(&mut into[length..])?;
        length += got;
        let ended = into[..length].windows(4).any(|bytes| bytes == b"\r\n\r\n");
        if ended || got == 0 {
            return Ok(length);
        }
        if length == into.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// The path of `GET PATH HTTP/1.x`, without its query.
fn target(request: &[u8]) -> Option<&str> {
    let line = request.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let is_get = words.next() == Some("GET");
    let path = words.next().filter(|path| is_get && path.starts_with('/'))?;
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    is_http.then(|| path.split('?').next().unwrap_or(path))
}

/// Asks every shard; one that does not answer in time is left out.
fn metrics(postboxes: &[Postbox]) -> String {
    let (to, snapshots) = bounded(postboxes.len());
    for postbox in postboxes {
        postbox.send(Mail::Snapshot(to.clone()));
    }
    drop(to);
    let mut found = Vec::new();
    while found.len() < postboxes.len() {
        match snapshots.recv_timeout(PATIENCE) {
            Ok(snapshot) => found.push(snapshot),
            Err(_) => break,
        }
    }
    found.sort_by_key(|snapshot| snapshot.shard);
    prometheus::text(found)
}

/// Binds the admin port.
pub fn bind_admin(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}
