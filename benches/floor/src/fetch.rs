//! Fetch: what sending the hot tail costs, from memory by vectored sends or flat, and from a cached file by sendfile.
//!
//! One connection, 1 MiB answers, blocking calls: the cost of the send itself and nothing around it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::ValueEnum;

use crate::figures::{Table, median, paired_ratio, short};
use crate::host;
use crate::journal;
use crate::produce::{ServerProcess, listen, word};

const ANSWER_BYTES: usize = 1 << 20;
const SLICE_BYTES: usize = 16 << 10;
const TAIL_BYTES: usize = 64 << 20;
const WARM_UP: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// sendmsg(2) of 64 slices of 16 KiB, kept as `Bytes`: the hot tail.
    Vectored,
    /// The same slices copied into one buffer, then send(2).
    Copied,
    /// sendfile(2) of a file in the page cache.
    Sendfile,
}

pub fn serve(method: Method, directory: &Path) -> io::Result<()> {
    let listener: TcpListener = listen()?;
    println!("{}", listener.local_addr()?.port());
    host::pin(host::SERVER_CORE)?;
    let tail: Vec<Bytes> = (0..TAIL_BYTES / SLICE_BYTES).map(|_| Bytes::from(vec![7; SLICE_BYTES])).collect();
    let file = File::open(journal::path(directory))?;
    if method == Method::Sendfile {
        io::copy(&mut (&file).take(TAIL_BYTES as u64), &mut io::sink())?;
    }
    let (mut stream, _) = listener.accept()?;
    let mut flat = Vec::with_capacity(ANSWER_BYTES);
    let mut request = [0; 4];
    let mut at = 0;
    while stream.read_exact(&mut request).is_ok() {
        let slices = &tail[at / SLICE_BYTES..(at + ANSWER_BYTES) / SLICE_BYTES];
        match method {
            Method::Vectored => send_vectored(stream.as_raw_fd(), slices)?,
            Method::Copied => {
                flat.clear();
                slices.iter().for_each(|slice| flat.extend_from_slice(slice));
                stream.write_all(&flat)?;
            }
            Method::Sendfile => send_file(stream.as_raw_fd(), &file, at)?,
        }
        at = (at + ANSWER_BYTES) % TAIL_BYTES;
    }
    Ok(())
}

fn send_vectored(fd: RawFd, slices: &[Bytes]) -> io::Result<()> {
    let mut skip = 0;
    while skip < ANSWER_BYTES {
        let (first, within) = (skip / SLICE_BYTES, skip % SLICE_BYTES);
        let mut vectors: Vec<libc::iovec> = slices[first..]
            .iter()
            .map(|slice| libc::iovec { iov_base: slice.as_ptr().cast_mut().cast(), iov_len: slice.len() })
            .collect();
        // SAFETY: `within` is below the length of the first slice, and all slices live for the call.
        let sent = unsafe {
            vectors[0].iov_base = vectors[0].iov_base.add(within);
            vectors[0].iov_len -= within;
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = vectors.as_mut_ptr();
            message.msg_iovlen = vectors.len();
            libc::sendmsg(fd, &message, libc::MSG_NOSIGNAL)
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        skip += sent as usize;
    }
    Ok(())
}

fn send_file(fd: RawFd, file: &File, at: usize) -> io::Result<()> {
    let mut position = at as libc::off_t;
    let end = at + ANSWER_BYTES;
    while (position as usize) < end {
        // SAFETY: `position` is live for the call, both descriptors are open.
        let sent = unsafe { libc::sendfile(fd, file.as_raw_fd(), &mut position, end - position as usize) };
        if sent <= 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

pub fn compare(directory: &Path, rounds: usize, duration: Duration) -> io::Result<()> {
    host::pin(host::CLIENT_CORE)?;
    journal::prewrite(directory)?;
    let methods = [Method::Vectored, Method::Copied, Method::Sendfile];
    let mut rates = vec![Vec::new(); methods.len()];
    let mut costs = vec![Vec::new(); methods.len()];
    for round in 0..rounds * methods.len() {
        let index = round % methods.len();
        let (rate, cost) = run(methods[index], directory, duration)?;
        rates[index].push(rate);
        costs[index].push(cost);
    }
    let mut table = Table::new(&["1 MiB fetches of the tail", "CPU-s/GB", "ratio", "GB/s"]);
    for (index, method) in methods.iter().enumerate() {
        table.row([
            word(*method),
            short(median(costs[index].clone())),
            short(paired_ratio(&costs[index], &costs[0])),
            short(median(rates[index].clone())),
        ]);
    }
    table.print();
    Ok(())
}

fn run(method: Method, directory: &Path, duration: Duration) -> io::Result<(f64, f64)> {
    let arguments = [
        "serve-fetch".into(),
        format!("--method={}", word(method)),
        format!("--dir={}", directory.display()),
    ];
    let server = ServerProcess::start(&arguments)?;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
    let mut answer = vec![0; 256 << 10];
    let mut fetch_until = |end: Instant| -> io::Result<u64> {
        let mut bytes = 0;
        while Instant::now() < end {
            stream.write_all(&[0; 4])?;
            let mut left = ANSWER_BYTES;
            while left > 0 {
                let room = left.min(answer.len());
                left -= stream.read(&mut answer[..room])?;
            }
            bytes += ANSWER_BYTES as u64;
        }
        Ok(bytes)
    };
    fetch_until(Instant::now() + WARM_UP)?;
    let (begin, before) = (Instant::now(), host::cpu_of(server.pid())?);
    let bytes = fetch_until(begin + duration)? as f64 / 1e9;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = (host::cpu_of(server.pid())? - before).as_secs_f64();
    Ok((bytes / seconds, cpu / bytes))
}
