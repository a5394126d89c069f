//! A small disk whose every write and flush is logged, with ext4 on it; and images of it that are mounted again.
//!
//! Shape:  ext4 -> loop device -> FUSE file -> qemu-storage-daemon (blklogwrites) -> image
//!                                                          `-> log
//! The loop device goes through the page cache of a file that has none (FUSE, direct): it hands over one request at a time, which
//! qemu 7's FUSE export needs to keep their data apart.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{SeekFrom, seek};

const EXPORTED_WITHIN: Duration = Duration::from_secs(10);
const UNMOUNTED_WITHIN: Duration = Duration::from_secs(20);
const COPY_BYTES: u64 = 4 << 20;

/// Lives: while a load is recorded. Dropped, it is unmounted, and its log is complete.
pub struct LoggedDisk {
    daemon: Child,
    loop_device: Option<String>,
    is_mounted: bool,
    folder: PathBuf,
}

impl LoggedDisk {
    /// Makes the disk in `folder`, with an empty file system.
    pub fn make(folder: &Path, bytes: u64) -> io::Result<LoggedDisk> {
        fs::create_dir_all(folder.join("mounted"))?;
        File::create(folder.join("disk"))?.set_len(bytes)?;
        File::create(log_path(folder))?;
        File::create(folder.join("export"))?;
        let path = |name: &str| folder.join(name).display().to_string();
        let daemon = Command::new("qemu-storage-daemon")
            .args(["--blockdev", &format!("driver=file,node-name=disk,filename={}", path("disk"))])
            .args(["--blockdev", &format!("driver=file,node-name=log,filename={}", path("log"))])
            .args([
                "--blockdev",
                "driver=blklogwrites,node-name=logged,file=disk,log=log,log-sector-size=512",
            ])
            .arg("--export")
            .arg(format!("type=fuse,id=export,node-name=logged,mountpoint={},writable=on", path("export")))
            .stdin(Stdio::null())
            .spawn()?;
        let mut disk = LoggedDisk { daemon, loop_device: None, is_mounted: false, folder: folder.to_owned() };
        let given_up = Instant::now() + EXPORTED_WITHIN;
        while fs::metadata(disk.folder.join("export"))?.len() != bytes {
            if Instant::now() > given_up || disk.daemon.try_wait()?.is_some() {
                return Err(io::Error::other("qemu-storage-daemon exports nothing"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        let device = run(Command::new("losetup").args(["--find", "--show"]).arg(disk.folder.join("export")))?;
        let device = disk.loop_device.insert(device.trim().to_owned()).clone();
        run(Command::new("mkfs.ext4").args(["-q", "-F", &device]))?;
        run(Command::new("mount").arg(&device).arg(disk.mounted()))?;
        disk.is_mounted = true;
        Ok(disk)
    }

    pub fn mounted(&self) -> PathBuf {
        self.folder.join("mounted")
    }
}

pub fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

impl Drop for LoggedDisk {
    fn drop(&mut self) {
        let mut told = Vec::new();
        if self.is_mounted {
            drop(Mounted { folder: self.mounted() });
        }
        if let Some(device) = &self.loop_device {
            told.push(run(Command::new("losetup").args(["--detach", device])));
        }
        for error in told.into_iter().filter_map(Result::err) {
            eprintln!("power: {error}");
        }
        // SIGTERM: it writes the last of its log and unmounts its export.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.daemon),
            rustix::process::Signal::TERM,
        );
        let _ = self.daemon.wait();
    }
}

/// An image with its file system mounted, until it is dropped.
pub struct Mounted {
    folder: PathBuf,
}

impl Mounted {
    /// Errors: the file system cannot be mounted.
    pub fn mount(image: &Path, folder: &Path) -> io::Result<Mounted> {
        fs::create_dir_all(folder)?;
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(image).arg(folder))?;
        Ok(Mounted { folder: folder.to_owned() })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The kernel may hold files of a killed process a little longer: its ring is taken down behind its back.
        let given_up = Instant::now() + UNMOUNTED_WITHIN;
        while let Err(error) = run(Command::new("umount").arg(&self.folder)) {
            if Instant::now() > given_up {
                eprintln!("power: {error}");
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Copies what is not a hole.
pub fn copy_sparse(from: &File, to: &Path) -> io::Result<()> {
    let _ = fs::remove_file(to);
    let target = File::create_new(to)?;
    let end = from.metadata()?.len();
    target.set_len(end)?;
    let mut buffer = vec![0; COPY_BYTES as usize];
    let mut at = 0;
    while let Ok(data) = seek(from, SeekFrom::Data(at)) {
        let hole = seek(from, SeekFrom::Hole(data))?;
        at = data;
        while at < hole {
            let part = &mut buffer[..(hole - at).min(COPY_BYTES) as usize];
            from.read_exact_at(part, at)?;
            target.write_all_at(part, at)?;
            at += part.len() as u64;
        }
    }
    Ok(())
}

/// Runs a program to its end; what it printed.
pub fn run(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("{:?}: {}: {errors}", command.get_program(), output.status)))
}
